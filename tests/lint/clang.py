"""What libFuzzer needs compiles with clang, too: the sources of the product and the fuzz targets, their syntax and types alone.

clang.py BUILD    a build folder with compile_commands.json

A self-test first: clang 14 knows no aggregates in parentheses, which is what g++ lets through most often.
"""

import glob
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from lint import ROOT

TOOL = shutil.which("clang++-14")
VALUE_IN_NEXT_WORD = ("-o", "--param")
PLANTED = "#include <memory>\n#include <string>\nstruct A { std::string a; int b = 1; };\nauto a = std::make_shared<A>(\"a\");\n"


def for_clang(command):
    """g++'s command without what clang does not know or need."""
    words, kept = iter(shlex.split(command)[1:]), []
    for word in words:
        if word in VALUE_IN_NEXT_WORD:
            next(words)
        elif word != "-c" and not word.startswith("-W"):
            kept.append(word)
    return kept


def errors(arguments, folder):
    """The errors and where the product leads to them, which the headers of libraries hide in pages."""
    done = subprocess.run([TOOL, "-w", "-fsyntax-only", *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    told = [line for line in done.stderr.splitlines() if "error: " in line or line.startswith(ROOT)]
    return [] if done.returncode == 0 else told[:40] or [done.stderr[:4000]]


def is_of_product(path):
    """A source of src/, or some of them that are compiled as one."""
    with open(path, encoding="utf-8") as file:
        return path.startswith(os.path.join(ROOT, "src/")) or f'#include "{ROOT}/src/' in file.read()


def units(build):
    """The arguments for each unit of the product, and for each fuzz target."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = [for_clang(entry["command"]) for entry in json.load(file) if is_of_product(entry["file"])]
    settings = [word for word in commands[0] if word.startswith(("-D", "-I", "-std"))]
    for source in sorted(glob.glob(os.path.join(ROOT, "tests/fuzz/*_fuzz.cpp"))):
        commands.append([*settings, "-I", os.path.join(ROOT, "tests"), source])
    return commands


def main(build):
    with tempfile.TemporaryDirectory() as folder:
        planted = os.path.join(folder, "planted.cpp")
        with open(planted, "w", encoding="utf-8") as file:
            file.write(PLANTED)
        if not errors(["-std=c++20", planted], folder):
            print("self-test: clang takes the planted sample")
            sys.exit(2)
    commands = units(build)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [problem for found in pool.map(lambda command: errors(command, build), commands) for problem in found]
    for problem in problems:
        print(problem)
    print(f"{len(problems)} lines of problems in {len(commands)} units; 1 planted sample judged rightly")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    if TOOL is None:
        print("clang++-14 is not installed")
        sys.exit(77)
    main(os.path.abspath(sys.argv[1]))
