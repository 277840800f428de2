"""What it costs to read a pipeline: P9."""

import os

from measure import ALONE_MS, RATIO, Case, run

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


def p9(world):
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
