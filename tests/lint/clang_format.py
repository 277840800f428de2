"""The C++ is laid out as .clang-format says. Its output differs between versions, so only version 14 counts.

clang_format.py                        judges every file of src/ and tests/
clang_format.py [--check] --changed [FILE...]
                                       lays out (or judges) these files, or else what differs from the last commit
"""

import re
import shutil
import subprocess
import sys

from lint import ROOT, paths, run

TOOL = shutil.which("clang-format-14")


def is_cpp(path):
    return path.endswith((".cpp", ".hpp")) and not path.startswith("tests/data/")


def changed():
    listing = subprocess.run(["git", "status", "--porcelain", "--no-renames"], cwd=ROOT, text=True, capture_output=True, check=True)
    names = [line[3:] for line in listing.stdout.splitlines() if line[0] != "D" and line[1] != "D"]
    return [p for name in names for p in paths(name.rstrip("/")) if is_cpp(p)]


def judge(names):
    result = subprocess.run([TOOL, "--dry-run", "--style=file", *names], cwd=ROOT, text=True, capture_output=True, check=False)
    found = re.findall(r"^(\S+?:\d+):\d+: (?:warning|error): code should be clang-formatted", result.stderr, re.M)
    if result.returncode and not found:
        found = [result.stderr.strip()]
    return [f"{place}: not laid out as .clang-format says: ./dev format" for place in found]


def check(files):
    """`files` maps names to text that is on standard input for samples, or to None for files of the tree."""
    problems = judge([path for path, text in files.items() if text is None]) if None in files.values() else []
    for path, text in files.items():
        if text is not None:
            laid_out = subprocess.run([TOOL, "--style=file", f"--assume-filename={ROOT}/{path}"], input=text, text=True,
                                      capture_output=True, check=True).stdout
            problems += [f"{path}:1: not laid out as .clang-format says"] if laid_out != text else []
    return problems


PLANTED = [
    ({"src/a.cpp": "int  f( ) {return 1;}\n"}, "not laid out"),
    ({"src/a.cpp": "int f()\n{\n    return 1;\n}\n"}, None),
]

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if TOOL is None:
        print("clang-format-14 is not installed")
        sys.exit(77)
    if "--changed" in arguments:
        names = [a for a in arguments if not a.startswith("--")] or changed()
        if "--check" not in arguments and names:
            subprocess.run([TOOL, "-i", "--style=file", *names], cwd=ROOT, check=True)
        run(check, PLANTED, {name: None for name in names})
    run(check, PLANTED, {path: None for path in paths("src", "tests") if is_cpp(path)})
