"""What the lints share: reading the tree, reporting, and proving that a lint catches what it is for.

A lint is a function check(files) -> [problem], where `files` maps a path relative to the root to its text, and a
problem is "path:line: what is wrong". Each lint lists planted violations; run() first checks that every one of them
is found, then looks at the tree. Exit codes: 0 clean, 1 problems, 2 the lint itself is broken, 77 cannot run here.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED_FOLDERS = {".git", "build", ".cache", "__pycache__", ".clangd"}


def paths(*tops):
    """Every file below the folders (or the files) `tops`, relative to the root, sorted."""
    found = []
    for top in tops or (".",):
        absolute = os.path.join(ROOT, top)
        if os.path.isfile(absolute):
            found.append(top)
        for folder, folders, names in os.walk(absolute):
            folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
            found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in sorted(names)]
    return found


def read(path):
    with open(os.path.join(ROOT, path), "rb") as file:
        return file.read().decode("utf-8", "replace")


def texts(names):
    """The files of these names that are text."""
    return {name: text for name in names if "\0" not in (text := read(name))}


def cpp_files(*tops):
    return texts(p for p in paths(*(tops or ("src", "tests"))) if p.endswith((".cpp", ".hpp")))


_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\\ ]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def code_only(text, keep_strings=False):
    """C++ with comments blanked, and the insides of literals too; positions stay."""
    def blank(match):
        found = match.group(0)
        if found.startswith("//") or found.startswith("/*"):
            return re.sub(r"[^\n]", " ", found)
        if keep_strings:
            return found
        return found[0] + re.sub(r"[^\n]", "_", found[1:-1]) + found[-1]
    # 1'000 is a number, not the start of a character.
    text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "_", text)
    return _TOKENS.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def run(check, planted, files):
    """planted: [(files, part of the problem that must be reported, or None for a clean sample)]."""
    for sample, expected in planted:
        problems = check(sample)
        if (expected is None and problems) or (expected is not None and not any(expected in p for p in problems)):
            print(f"self-test: expected {expected!r} for {sample!r}, found {problems!r}")
            sys.exit(2)
    problems = check(files)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in {len(files)} files; {len(planted)} planted samples judged rightly")
    sys.exit(1 if problems else 0)
