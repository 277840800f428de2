"""Shell scripts parse and stop at the first failure; Python files compile; what starts with #! may be executed."""

import ast
import os
import re
import subprocess

from lint import ROOT, paths, run, texts


def is_shell(path, text):
    return bool(re.match(r"#!.*\b(?:ba)?sh\b", text)) or path.endswith(".sh")


def shell_problem(text):
    shell = "sh" if re.match(r"#!\s*/bin/sh\b", text) else "bash"
    result = subprocess.run([shell, "-n"], input=text, text=True, capture_output=True, timeout=20, check=False)
    return result.stderr.strip() if result.returncode else None


def check(files):
    problems = []
    for path, text in files.items():
        if is_shell(path, text):
            if found := shell_problem(text):
                problems.append(f"{path}:1: does not parse: {found}")
            if text.startswith("#!") and not re.search(r"^set -\w*[eu]", text, re.M):
                problems.append(f"{path}:1: say what happens on failure: set -eu or set -u")
        elif path.endswith(".py"):
            try:
                ast.parse(text)
            except SyntaxError as error:
                problems.append(f"{path}:{error.lineno}: {error.msg}")
        on_disk = os.path.join(ROOT, path)
        if text.startswith("#!") and os.path.exists(on_disk) and not os.access(on_disk, os.X_OK):
            problems.append(f"{path}:1: starts with #! but may not be executed")
    return problems


PLANTED = [
    ({"scripts/a.sh": "if true; then\n"}, "does not parse"),
    ({"scripts/a": "#!/usr/bin/env bash\necho\n"}, "what happens on failure"),
    ({"tests/a.py": "def f(:\n"}, "tests/a.py:1"),
    ({"scripts/a": "#!/usr/bin/env bash\nset -eu\necho\n", "b.py": "x = 1\n"}, None),
]

if __name__ == "__main__":
    run(check, PLANTED, texts(p for p in paths() if not p.startswith(("tests/data/", "docs/"))))
