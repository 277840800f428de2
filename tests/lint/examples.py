"""Every example, the repository's own pipeline, and each whole one that the documents show, passes `gantry check` and the
schema that `gantry schema` prints.

examples.py GANTRY
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

from lint import ROOT

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"cannot run here: {error}")
    sys.exit(77)

PLANTED = [
    {"stages": [{"name": "a", "image": "x", "steps": [{"run": "true"}], "neds": []}]},
    {"stages": [{"name": "a", "image": "x", "steps": [{"run": ["not", "a", "script"]}]}]},
    {"image": "x", "steps": "make"},
]


class Yaml12(yaml.SafeLoader):
    """PyYAML reads YAML 1.1, where `on` is true; the pipeline format is YAML 1.2."""


Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile(r"^(?:true|false|True|False|TRUE|FALSE)$"),
                             list("tTfF"))


def pipelines():
    patterns = [".gantry.yml", ".gantry/*.yml", "examples/*/.gantry.yml", "examples/*/.gantry/*.yml"]
    return sorted(p for pattern in patterns for p in glob.glob(os.path.join(ROOT, pattern)))


def documented():
    """(document:line, text) of each block that is a whole pipeline."""
    documents = ["README.md"] + sorted(glob.glob("docs/**/*.md", root_dir=ROOT, recursive=True))
    for name in documents:
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            text = file.read()
        for block in re.finditer(r"^```yaml\n(.*?)^```", text, re.S | re.M):
            if re.search(r"^(stages|steps):", block.group(1), re.M):
                yield f"{name}:{text.count(chr(10), 0, block.start()) + 2}", block.group(1)


def gantry(binary, *arguments):
    return subprocess.run([binary, *arguments], text=True, capture_output=True, timeout=60, check=False, cwd=ROOT)


def main():
    binary = sys.argv[1]
    schema = json.loads(gantry(binary, "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    for sample in PLANTED:
        if validator.is_valid(sample):
            print(f"self-test: the schema accepts {sample!r}")
            return 2

    failures = 0
    found = pipelines()
    for path in found:
        name = os.path.relpath(path, ROOT)
        with open(path, encoding="utf-8") as file:
            document = yaml.load(file, Loader=Yaml12)
        for error in validator.iter_errors(document):
            failures += 1
            print(f"{name}: schema: {error.json_path}: {error.message[:200]}")
        result = gantry(binary, "check", "-f", path, os.path.dirname(path).removesuffix("/.gantry"))
        if result.returncode != 0:
            failures += 1
            print(f"{name}: gantry check exits {result.returncode}\n{result.stdout}{result.stderr}")
    shown = list(documented())
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, ".gantry.yml")
        for name, text in shown:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            result = gantry(binary, "check", "-f", path, folder)
            if result.returncode != 0 or not validator.is_valid(yaml.load(text, Loader=Yaml12)):
                failures += 1
                print(f"{name}: no pipeline that passes\n{result.stdout}{result.stderr}")
    print(f"{failures} problems in {len(found)} pipelines and {len(shown)} that documents show")
    return 1 if failures or not found or not shown else 0


if __name__ == "__main__":
    sys.exit(main())
