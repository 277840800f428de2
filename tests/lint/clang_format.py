"""Between words the C++ is spaced as .clang-format says, includes are sorted, and lines have at most 160 columns.

Where lines break and what is lined up in columns is left to the writer: no tool sees that a table is a table.
Versions of clang-format differ, so only 14 counts.

clang_format.py            judges every file of src/ and tests/
clang_format.py FILE...    judges these
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from lint import ROOT, cpp_files, run

TOOL = shutil.which("clang-format-14")
MOST_COLUMNS = 160

_LITERAL = re.compile(r'R"([^()\\ ]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|//[^\n]*', re.S)


def pieces(text):
    """The words of a text with how they are parted: one space for any space or line break that a bracket does not
    make optional, so that two texts that differ in their line breaks and columns alone are equal."""
    literals = []

    def keep(match):
        literals.append(match.group(0))
        return f"\x01{len(literals) - 1}\x01"
    text = _LITERAL.sub(keep, text)
    words = []
    for number, line in enumerate(text.split("\n"), 1):
        for word in line.split():
            words.append((word, number))
    joined, places = [], []
    for word, number in words:
        for part in re.findall(r"\x01\d+\x01|[()\[\]{},;]|[^()\[\]{},;\x01]+", word):
            part = re.sub(r"\x01(\d+)\x01", lambda m: literals[int(m.group(1))].strip(), part)
            joined.append(part)
            places.append(number)
    return joined, places


def layout(path, text):
    return subprocess.run([TOOL, "--style=file", f"--assume-filename={os.path.join(ROOT, path)}"], input=text, text=True,
                          capture_output=True, check=True, timeout=60).stdout


def judge(path, text):
    problems = [f"{path}:{n}: {len(line)} columns; {MOST_COLUMNS} are the most"
                for n, line in enumerate(text.split("\n"), 1) if len(line) > MOST_COLUMNS]
    problems += [f"{path}:{n}: a tab, or a space at the end" for n, line in enumerate(text.split("\n"), 1)
                 if "\t" in line or line != line.rstrip()]
    found, places = pieces(text)
    wanted, _ = pieces(layout(path, text))
    for kind, a, b, c, d in difflib.SequenceMatcher(None, found, wanted, autojunk=False).get_opcodes() if found != wanted else []:
        if kind != "equal":
            line = places[min(a, len(places) - 1)]
            problems.append(f"{path}:{line}: '{' '.join(found[a:b])}' is spaced as '{' '.join(wanted[c:d])}': ./dev format")
    return problems


def check(files):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [problem for problems in pool.map(judge, files.keys(), files.values()) for problem in problems]


PLANTED = [
    ({"src/a.cpp": "int *f();\n"}, "is spaced as"),
    ({"src/a.cpp": "int a=1+2;\n"}, "is spaced as"),
    ({"src/a.cpp": "#include <map>\n#include <list>\n"}, "is spaced as"),
    ({"src/a.cpp": "int a = 1; \n"}, "a space at the end"),
    ({"src/a.cpp": "// " + "x" * 170 + "\n"}, "160 are the most"),
    ({"src/a.cpp": "struct A { int a; };   // one\nstruct Bc { int b = 1; }; // two\n\nint f()\n{\n    return g(1,\n        2);\n}\n"}, None),
    ({"src/a.cpp": "enum class A { one,\n    two };\nauto s = R\"(a  b)\";\nauto j = {{\"a\",   1},\n    {\"bc\", 2}};\n"}, None),
]

if __name__ == "__main__":
    if TOOL is None:
        print("clang-format-14 is not installed")
        sys.exit(77)
    run(check, PLANTED, cpp_files(*sys.argv[1:]))
