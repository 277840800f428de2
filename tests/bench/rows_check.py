"""What it costs to read a pipeline: P9."""

import os

from measure import ALONE_MIB, ALONE_MS, RATIO, Case, peak_memory_bytes, run

STEPS_PER_STAGE = 100


def stages_of_steps(count):
    """Names, scripts, and every third step with a condition: what fits into the 512 KiB that a pipeline may have."""
    lines = ["stages:"]
    for stage in range(count // STEPS_PER_STAGE):
        lines += [f"- name: part{stage}", "  image: busybox:latest", "  steps:"]
        for step in range(STEPS_PER_STAGE):
            lines += [f"  - name: s{step}", "    run: make all"]
            if step % 3 == 0:
                lines.append("    if: branch == 'main'")
    return "\n".join(lines) + "\n"


def matrix_of_jobs(count):
    rows = ", ".join(str(n) for n in range(count // 2))
    return ("stages:\n  - name: test\n    image: busybox:latest\n    matrix:\n"
            f"      row: [{rows}]\n      side: [left, right]\n"
            "    steps:\n      - name: unit\n        run: make ROW=${{ matrix.row }} SIDE=${{ matrix.side }}\n")


def alias_bomb(levels):
    lines = ["x-0: &a0 [x]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + f"\nsteps: *a{levels - 1}\n"


def hostile_files():
    """Texts that are made to hurt, by what is wrong with them."""
    cycle = "".join(f"- {{ name: s{n}, needs: [s{(n + 1) % 5000}], image: a, steps: [a] }}\n" for n in range(5000))
    axes = "".join(f"  a{n}: [1, 2]\n" for n in range(12)) + "".join(f"  b{n}: [1]\n" for n in range(15000))
    return {
        "aliases": alias_bomb(30),
        "nesting": "a: " + "[" * 10_000,
        "nesting-by-lines": "".join(" " * n + "a:\n" for n in range(700)),
        "scalar": "a: " + "x" * 1_000_000,
        "lines": "- a\n" * 170_000,
        "cycle": "stages:\n" + cycle,
        "matrix": "image: a\nsteps: [a]\nmatrix:\n" + axes,
        "twice": "a: 1\n" * 30_000,
        "tabs": "steps:\n\t- a\n" * 20_000,
        "unknown-keys": "steps: [a]\n" + "".join(f"key{n}: 1\n" for n in range(20_000)),
        "misspelled-images": "steps:\n" + "- { run: a, imag: b }\n" * 5000,
        "wrong-types": "steps:\n" + "- { run: [a], timeout: soon }\n" * 5000,
        "wrong-stages": "stages:\n" + "".join(f"- {{ name: s{n}, image: [], needs: [q{n}], steps: [a] }}\n" for n in range(5000)),
        "expressions": "image: a\nsteps:\n- |\n" + f"  {'${{x}}' * 5000}\n" * 16,
        "escaping-include": "include: [../../etc/passwd]\nsteps: [a]\n",
    }


def of_hostile_files(world):
    """The slowest and the largest of all."""
    files = []

    def write():
        for name, text in hostile_files().items():
            folder = world.folder / f"hostile-{name}"
            folder.mkdir()
            (folder / ".gantry.yml").write_text(text, encoding="utf-8")
            files.append([world.gantry, "check", str(folder)])

    what = f"`check` of {len(hostile_files())} hostile files, the worst"
    yield Case(what, ours=lambda: max(run(one, env=world.env, expect=2).seconds for one in files), theirs=None, against="",
               figure=ALONE_MS, goal=100, before=write)
    yield Case(what, ours=lambda: max(peak_memory_bytes(one, env=world.env, expect=2) for one in files), theirs=None, against="",
               figure=ALONE_MIB, goal=64)


def p9(world):
    yield from of_hostile_files(world)
    missing = "" if os.access(world.yaml_only, os.X_OK) else "there is no yaml_only beside the binary"
    inputs = [("steps", count, stages_of_steps(count)) for count in (1000, 3000, 10000)]
    inputs += [("matrix jobs", count, matrix_of_jobs(count)) for count in (10, 30, 100)]
    for kind, count, text in inputs:
        folder = world.repository(f"{kind.replace(' ', '-')}-{count}", text)
        file = str(folder / ".gantry.yml")
        is_main = count in (10000, 100)
        for verb in ("check", "plan"):
            ours = lambda verb=verb, folder=folder: world.call(verb, str(folder))
            yield Case(f"`{verb}` of {count} {kind}", series=f"{verb} {kind}", size=count, main=is_main, ours=ours,
                       theirs=lambda file=file: run([world.yaml_only, file]).seconds, skipped=missing,
                       against="yaml-cpp alone", figure=RATIO, goal=2.0 if is_main else None)
            if count == 10000:
                yield Case(f"`{verb}` of {count} {kind}", ours=ours, theirs=None, against="", figure=ALONE_MS, goal=100)
