"""Rules for our C++ that a compiler does not know."""

import os
import re

from lint import ROOT, code_only, cpp_files, line_of, run

MOST_LINES = 500

# pattern: what is wrong, the folders it is for, the files it is not for.
PATTERNS = [
    (r"\bthis_thread::sleep_|\b(?:usleep|nanosleep)\s*\(|(?:[;{})]\s*|\w::|\s::)sleep\s*\(", "no sleep: wait for the event, or on a timer with a deadline",
     ("src/", "tests/"), ()),
    (r"\bpopen\s*\(|(?<![\w.:>])system\s*\(|std::system\b", "no shell: start the process by its arguments (base/process.hpp)",
     ("src/",), ()),
    (r"\basio::detached\b", "a detached task belongs to nobody: give it to a TaskGroup", ("src/",), ("src/base/",)),
    (r"\bstd::(?:format|expected|print)\b", "not in g++ 12: use fmt", ("src/", "tests/"), ()),
    (r"\busing namespace (?:std(?!::chrono|::\w*literals)|boost|asio|fmt|CLI|YAML|nlohmann(?!::literals))\b", "write the name, or an alias", ("src/",), ()),
    (r"\bstd::regex\b", "std::regex recurses and backtracks: use RE2 or find", ("src/", "tests/"), ()),
    (r"\bco_spawn\s*\([^;]*?\[[^\[\]]+\]\s*\([^()]*\)\s*(?:->[^{;]*)?\{[^{}]*\}\s*\(\)",
     "pass the lambda to co_spawn without (): its captures die with it", ("src/", "tests/"), ("tests/base/coroutine_traps_test.cpp",)),
    (r"\basio::experimental::awaitable_operators\b", "no || or && on awaitables: with_deadline, both, TaskGroup", ("src/", "tests/"),
     ("tests/base/coroutine_traps_test.cpp",)),
]


def first_include(text):
    found = re.search(r'^#include [<"]([^>"]+)', text, re.M)
    return "src/" + found.group(1) if found else ""


def own_header_first(path, text, files):
    """Own header first, or an internal one (thing_state.hpp, for thing.hpp) that has it first."""
    header = path[:-4] + ".hpp"
    if not path.startswith("src/") or not path.endswith(".cpp") or header not in files:
        return []
    first = first_include(text)
    if first == header or (first.startswith(path[:-4] + "_") and first_include(files.get(first, "")) == header):
        return []
    return [f'{path}:1: its own header "{header[4:]}" comes first: so each header is known to compile alone']


def check(files):
    problems = []
    for path, text in files.items():
        code = code_only(text)
        for pattern, problem, folders, exempt in PATTERNS:
            if path.startswith(folders) and not path.startswith(exempt or ("//",)):
                problems += [f"{path}:{line_of(code, m.start())}: {problem}" for m in re.finditer(pattern, code)]
        if path.endswith(".hpp") and not text.startswith("#pragma once\n"):
            problems.append(f"{path}:1: a header starts with #pragma once")
        if re.search(r"//.*\b(?:TODO|FIXME|XXX)\b", text):
            problems.append(f"{path}:1: unfinished work goes to an issue, not into a comment")
        if not text.endswith("\n") and text:
            problems.append(f"{path}:{line_of(text, len(text))}: no newline at the end")
        problems += own_header_first(path, text, files)
        if text.count("\n") > MOST_LINES:
            print(f"{path}: warning: {text.count(chr(10))} lines; has it still one subject?")
    return problems


def source(code):
    return {"src/runner/a.cpp": code + "\n"}


PLANTED = [
    (source("std::this_thread::sleep_for(1s);"), "no sleep"),
    (source("usleep(10);"), "no sleep"),
    (source("f();\n    ::sleep(10);"), "no sleep"),
    (source('system("ls");'), "no shell"),
    (source('FILE* f = popen("ls", "r");'), "no shell"),
    (source("co_spawn(ex, f(), asio::detached);"), "belongs to nobody"),
    (source("co_spawn(ex, [s]() -> awaitable<void> { co_return; }(), done);"), "without ()"),
    (source("auto s = std::format(\"x\");"), "not in g++ 12"),
    ({"src/base/a.hpp": "int f();\n"}, "#pragma once"),
    ({"src/base/a.hpp": "#pragma once\n", "src/base/a.cpp": '#include <map>\n#include "base/a.hpp"\n'}, "comes first"),
    (source("// TODO: later"), "unfinished work"),
    (source('// sleep(1)\nco_await clock.sleep_for(1s); auto s = "sleep(1)"; engine.system(x); file_system(x);'), None),
    ({"src/base/a.hpp": "#pragma once\n", "src/base/a.cpp": '#include "base/a.hpp"\n\n#include <map>\n'}, None),
    ({"src/base/a.hpp": "#pragma once\n", "src/base/a.cpp": '#include "base/a_state.hpp"\n',
      "src/base/a_state.hpp": '#pragma once\n#include "base/a.hpp"\n'}, None),
    (source("using namespace std;"), "write the name"),
    (source("using namespace std::chrono_literals; using namespace native;"), None),
]

if __name__ == "__main__":
    assert os.path.isdir(os.path.join(ROOT, "src"))
    run(check, PLANTED, cpp_files())
