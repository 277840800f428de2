# greeting NAME: prints the sentence that the parts of this repository share.
greeting() { printf 'Hello, %s\n' "${1:-world}"; }
