"""Who may include whom: the folders of src/, and which of them may use which library."""

import re

from lint import code_only, cpp_files, line_of, run

# folder of src/: what it may include with "…": folders, or single headers. Nobody includes app.
MAY_INCLUDE = {
    "base": ["base/"],
    "pipeline": ["base/", "pipeline/"],
    "engine": ["base/", "engine/"],
    "cache": ["base/", "cache/"],
    "runner": ["base/", "pipeline/", "cache/", "runner/", "engine/engine.hpp", "engine/spec.hpp"],
    "api": ["base/", "pipeline/", "runner/", "api/"],
    "app": ["base/", "pipeline/", "engine/", "cache/", "runner/", "api/", "app/"],
    "main.cpp": ["app/main.hpp"],
}

# library: its headers, and the only places that include it. One file means: the wrapper of that library.
LIBRARIES = {
    "Boost": (r"boost/", ["base/", "engine/", "cache/", "runner/", "api/", "app/"]),
    "spdlog": (r"spdlog/", ["base/", "app/"]),
    "OpenSSL": (r"openssl/", ["base/", "engine/docker/", "app/"]),
    "cpp-httplib": (r"httplib\.h", ["base/"]),
    "libyaml": (r"yaml\.h", ["pipeline/frontend/yaml_events.cpp"]),
    "RE2": (r"re2/", ["pipeline/", "base/", "runner/"]),
    "libgit2": (r"git2(\.h|/)", ["runner/git.cpp"]),
    "libarchive": (r"archive(_entry)?\.h", ["runner/", "cache/"]),
    "Expat": (r"expat\.h", ["runner/xml_reader.cpp"]),
    "CLI11": (r"CLI/", ["app/"]),
    "SQLite": (r"sqlite3\.h", ["api/store/"]),
    "files and processes": (r"(fstream|filesystem|unistd\.h|fcntl\.h|spawn\.h|sys/.*)",
                            ["base/", "engine/", "cache/", "runner/", "api/", "app/"]),
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)


def check(files):
    problems = []
    for path, text in files.items():
        inside = path.removeprefix("src/")
        allowed = MAY_INCLUDE.get(inside.split("/")[0])
        if allowed is None:
            problems.append(f"{path}:1: its folder is not in the table of tests/lint/includes.py")
            continue
        for match in INCLUDE.finditer(code_only(text, keep_strings=True)):
            own, library = match.groups()
            where = f"{path}:{line_of(text, match.start())}"
            if own and not own.startswith(tuple(allowed)):
                problems.append(f'{where}: "{own}" is not for {inside.split("/")[0]}: it may include {", ".join(allowed)}')
            for name, (headers, places) in LIBRARIES.items():
                if library and re.fullmatch(headers + ".*", library) and not inside.startswith(tuple(places)):
                    problems.append(f"{where}: <{library}>: {name} is only for {', '.join(places)}")
    return problems


PLANTED = [
    ({"src/pipeline/a.cpp": '#include "engine/spec.hpp"\n'}, '"engine/spec.hpp" is not for pipeline'),
    ({"src/runner/a.cpp": '#include "engine/docker/docker.hpp"\n'}, "is not for runner"),
    ({"src/base/a.cpp": '#include "app/main.hpp"\n'}, "is not for base"),
    ({"src/pipeline/plan.cpp": "#include <yaml.h>\n"}, "libyaml is only for pipeline/frontend/yaml_events.cpp"),
    ({"src/runner/run.cpp": "#include <git2.h>\n"}, "libgit2 is only for"),
    ({"src/pipeline/plan.cpp": "#include <fstream>\n"}, "files and processes is only for"),
    ({"src/new/a.cpp": ""}, "not in the table"),
    ({"src/runner/a.cpp": '// #include "app/x.hpp"\n#include "engine/spec.hpp"\n#include <git>\n'}, None),
]

if __name__ == "__main__":
    run(check, PLANTED, cpp_files("src"))
