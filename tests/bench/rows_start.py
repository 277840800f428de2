"""What it costs to get commands running: P1, P2, P3."""

from measure import ADDED_MS, ALONE_S, RATIO, Case, run_side_by_side
from world import IMAGE


def pipeline(steps):
    return f"stages:\n  - name: all\n    image: {IMAGE}\n    steps:\n{steps}"


def in_turn(count):
    return pipeline("".join(f"      - name: s{n}\n        run: 'true'\n" for n in range(count)))


def side_by_side(count):
    return pipeline("      - parallel:\n" + "".join(f"          - name: s{n}\n            run: sleep 1\n" for n in range(count)))


def p1(world):
    for count in (5, 10, 20):
        folder = world.repository(f"turn{count}", in_turn(count))
        yield Case(f"{count} steps of `true` in turn", series="steps", size=count, main=count == 10,
                   ours=lambda folder=folder: world.run(folder),
                   theirs=lambda count=count: world.run_docker("true", times=count), skipped=world.no_docker(),
                   against=f"{count} × `docker run --rm`", figure=RATIO, goal=0.5)


def p2(world):
    folder = world.repository("cold", in_turn(1))
    yield Case("1 step, `gantry run` from start to exit", ours=lambda: world.run(folder),
               theirs=lambda: world.run_docker("true"), skipped=world.no_docker(),
               against="`docker run --rm`", figure=ADDED_MS, goal=30)
    yield Case("parse and plan", ours=lambda: world.call("plan", str(folder)), theirs=lambda: world.call("--version"),
               against="`gantry --version`", figure=ADDED_MS, goal=3)


def p3(world):
    for count in (4, 8, 16):
        folder = world.repository(f"side{count}", side_by_side(count))
        ours = lambda folder=folder, count=count: world.run(folder, "--jobs", str(count))
        docker = lambda count=count: run_side_by_side([world.docker_run("sleep", "1")] * count, env=world.env).seconds
        yield Case(f"{count} steps of `sleep 1` side by side", series="side", size=count, main=count == 8, ours=ours,
                   theirs=None, against="1 s", figure=ALONE_S, goal=1.15 if count == 8 else None)
        yield Case(f"{count} steps of `sleep 1` side by side", main=False, ours=ours, theirs=docker, skipped=world.no_docker(),
                   against=f"{count} `docker run --rm` at once", figure=RATIO)
