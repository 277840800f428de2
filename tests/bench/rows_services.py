"""What a service costs the step that waits for it: P4. And a build that is all cached: P10."""

import subprocess

from measure import ADDED_MS, ALONE_MS, RATIO, BenchError, Case, run
from world import IMAGE

READY_AFTER_MS = 700

SERVICE = f"""
    services:
      db:
        image: {IMAGE}
        command: [sh, -c, "sleep 0.{READY_AFTER_MS // 100}; touch /up; cat /proc/uptime; sleep 1000"]
        healthcheck: {{ test: [CMD, test, -e, /up], interval: 1s }}
"""


def with_service(service):
    return f"stages:\n  - name: all\n    image: {IMAGE}{service or chr(10)}    steps: [{{ name: look, run: cat /proc/uptime }}]\n"


def after_ready(world, folder):
    """Seconds from a service that is ready to its step's command, both on the kernel's clock, which steps in hundredths."""
    world.run(folder)

    def moment(who):
        command = [world.gantry, "logs", "1", who]
        words = subprocess.run(command, env=world.env, capture_output=True, text=True, check=False).stdout.split()
        if not words:
            raise BenchError(f"{' '.join(command)}: it printed nothing")
        return float(words[0])

    return moment("look") - moment("db")


def p4(world):
    ours = world.repository("service", with_service(SERVICE))
    alone = world.repository("no-service", with_service(""))

    def without():
        return world.run(alone) + READY_AFTER_MS / 1000

    yield Case("from a service that is ready to its step's command", ours=lambda: after_ready(world, ours), theirs=None,
               against="", figure=ALONE_MS, goal=120)
    yield Case(f"1 step and a service that is ready after {READY_AFTER_MS} ms", ours=lambda: world.run(ours), theirs=without,
               against=f"the step alone, and {READY_AFTER_MS} ms", figure=ADDED_MS)


def p10(world):
    """The layers stand in the engine's cache from the first, unmeasured, run on."""
    dockerfile = f"FROM {IMAGE}\nCOPY src /src\nRUN ls /src > /list\nRUN wc -l /list > /count\n"
    pipeline = "stages:\n  - name: all\n    steps: [{ name: image, build: { context: . } }]\n"
    folder = world.repository("image", pipeline, [("Dockerfile", dockerfile.encode()),
                                                  *((f"src/{n}.txt", b"x" * 1000) for n in range(200))])

    def docker_build():
        return run([world.docker, "build", "-q", str(folder)], env=dict(world.env, DOCKER_BUILDKIT="0")).seconds

    yield Case("a build of 4 steps, all cached", ours=lambda: world.run(folder), theirs=docker_build,
               skipped=world.no_docker(), against="`docker build`", figure=RATIO, goal=1.1)
