"""What no file of the repository says: paths of one machine, hosts of registries and mirrors, downloads in a build."""

import re

from lint import line_of, paths, run, texts

REGISTRIES = ["registry-1.docker", "ghcr", "quay", "gcr", "mcr.microsoft", "public.ecr.aws", "registry.gitlab",
              "mirror.gcr", "deb.debian", "security.debian", "pypi", "files.pythonhosted", "proxy.golang"]
HOST = re.compile(r"(?<![\w.-])(?:" + "|".join(re.escape(r) for r in REGISTRIES) + r")\.(?:io|com|org|aws)\b")

# pattern, what is wrong, where it is looked for, where it is fine.
RULES = [
    # Docker's default registry has three names, and its credentials are stored under one of them.
    (HOST, "names the host of a registry or mirror", "",
     ("src/engine/docker/credentials.cpp", "src/base/image_reference.cpp", "tests/base/image_reference_test.cpp", "tests/engine/")),
    (re.compile(r"(?<![\w.}/$~-])/(?:work/(?:main|shared)|home/(?!user\b|me\b|you\b|someone\b)\w+/|Users/\w+/)"), "names a path of one machine", "", ()),
    (re.compile(r"\b(?:FetchContent_|ExternalProject_|file\s*\(\s*DOWNLOAD)"), "downloads while it builds", "", ()),
    (re.compile(r"^(?:<{7}|>{7}|={7})(?: |$)", re.M), "is left of a merge", "", ()),
]
SELF = "tests/lint/words.py"


def check(files):
    problems = []
    for path, text in files.items():
        for pattern, problem, folder, fine in RULES:
            if path == SELF or path.startswith(fine or "//") or not path.startswith(folder):
                continue
            for match in pattern.finditer(text):
                problems.append(f"{path}:{line_of(text, match.start())}: '{match.group(0).strip()}' {problem}")
    return problems


PLANTED = [
    ({"docs/a.md": "pull from ghcr.io/x\n"}, "host of a registry"),
    ({"dev": "cd /work/main\n"}, "a path of one machine"),
    ({"src/a.cpp": "// /home/alice/gantry\n"}, "a path of one machine"),
    ({"cmake/A.cmake": "FetchContent_Declare(x)\n"}, "downloads"),
    ({"a.md": "<<<<<<< mine\n"}, "left of a merge"),
    ({"docs/a.md": "install docker.io; /workspace, ~/work/main and registry.example/shop\n"}, None),
]

if __name__ == "__main__":
    run(check, PLANTED, texts(p for p in paths() if not p.startswith("tests/data/")))
