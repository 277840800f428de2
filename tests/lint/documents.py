"""What the binary knows is in docs/: every key of the format in pipeline.md, every command and flag in cli.md,
every variable of a step in variables.md.

documents.py GANTRY
"""

import json
import re
import subprocess
import sys

from lint import read, run

# Keys of Compose's sections that pipeline.md sends the reader to Compose for.
BY_COMPOSE = {"build", "healthcheck", "logging", "ulimit", "port", "volume", "volume_mount", "network_attachment", "dependency",
              "ipam", "ipam_config", "network", "service", "service_build", "depends_on", "tmpfs"}
# Every command has these; cli.md names them once.
EVERYWHERE = {"--help"}


def output(binary, *arguments):
    return subprocess.run([binary, *arguments], text=True, capture_output=True, timeout=60, check=False).stdout


def keys_of(schema):
    found = set(schema.get("properties", {}))
    for name, definition in schema.get("$defs", {}).items():
        if name not in BY_COMPOSE:
            found |= set(definition.get("properties", {}))
    return found


def commands_of(text):
    """The names below "Commands:" of a help text."""
    part = re.split(r"^\s*(?:sub)?commands:?\s*$", text, flags=re.I | re.M)
    return re.findall(r"^  ([a-z][\w-]*)\b", part[-1].split("\n\n")[0], re.M) if len(part) > 1 else []


def flags_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text))


def check(files):
    """`files`: the two documents, and what the binary says under <schema>, <help> and <help NAME>."""
    problems = []
    pipeline, cli = files["docs/pipeline.md"], files["docs/cli.md"]
    for key in sorted(keys_of(json.loads(files["<schema>"]))):
        if not re.search(r"(?<![\w-])" + re.escape(key) + r"(?![\w-])", pipeline):
            problems.append(f"docs/pipeline.md:1: the key '{key}' is not in it")
    for name in commands_of(files["<help>"]):
        if f"gantry {name}" not in cli:
            problems.append(f"docs/cli.md:1: the command '{name}' is not in it")
    for source, text in files.items():
        if source.startswith("<help"):
            for flag in sorted(flags_of(text) - EVERYWHERE):
                if not re.search(re.escape(flag) + r"(?![\w-])", cli):
                    problems.append(f"docs/cli.md:1: {flag} of {source} is not in it")
    variables = files["docs/variables.md"]
    for name in re.findall(r'"((?:CI|SOURCE)_[A-Z_]+)"', files["src/runner/ci_variables.cpp"]):
        if f"`{name}`" not in variables:
            problems.append(f"docs/variables.md:1: {name} is not in it")
    return problems


def sample(**changes):
    files = {"docs/pipeline.md": "`run`", "docs/cli.md": "gantry run --json", "docs/variables.md": "`CI_ENV`",
             "src/runner/ci_variables.cpp": 'add("CI_ENV", exchange);',
             "<schema>": '{"$defs": {"step": {"properties": {"run": {}}}}}', "<help>": "Commands:\n  run  Run\n",
             "<help run>": "  --json  As data\n"}
    return files | {key.replace("_", " "): value for key, value in changes.items()}


PLANTED = [
    (sample(), None),
    (sample() | {"<schema>": '{"properties": {"retries": {}}}'}, "'retries' is not in it"),
    (sample() | {"<help>": "Commands:\n  run  Run\n  jog  Slower\n"}, "'jog' is not in it"),
    (sample() | {"<help run>": "--json-lines"}, "--json-lines of"),
    (sample() | {"src/runner/ci_variables.cpp": 'add("CI_OUTPUT", exchange);'}, "CI_OUTPUT is not in it"),
]

if __name__ == "__main__":
    gantry = sys.argv[1]
    seen = {name: read(name) for name in ("docs/pipeline.md", "docs/cli.md", "docs/variables.md",
                                          "src/runner/ci_variables.cpp")}
    seen |= {"<schema>": output(gantry, "schema"), "<help>": output(gantry, "--help")}
    for command in commands_of(seen["<help>"]):
        text = seen[f"<help {command}>"] = output(gantry, command, "--help")
        for inner in commands_of(text):
            seen[f"<help {command} {inner}>"] = output(gantry, command, inner, "--help")
    if not commands_of(seen["<help>"]):
        print("gantry --help lists no commands: the list was not understood")
        sys.exit(2)
    run(check, PLANTED, seen)
