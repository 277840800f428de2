"""Every example, and the repository's own pipeline, passes `gantry check` and the schema that `gantry schema` prints.

examples.py GANTRY
"""

import glob
import json
import os
import subprocess
import sys

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
    print(f"{failures} problems in {len(found)} pipelines")
    return 1 if failures or not found else 0


if __name__ == "__main__":
    sys.exit(main())
