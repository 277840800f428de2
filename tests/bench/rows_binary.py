"""The binary itself: B1."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from measure import ALONE_MIB, ALONE_MS, ALONE_S, BenchError, Case

SOURCE = Path(__file__).resolve().parents[2]


def stripped_bytes(world):
    stripped = world.folder / "stripped"
    subprocess.run(["strip", "-o", str(stripped), world.gantry], check=True)
    return os.path.getsize(stripped)


def clean_build():
    """Seconds of a release from nothing on two cores, without ccache."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DGANTRY_TESTS=OFF", "-DGANTRY_CCACHE="]
        for command in (["cmake", "-S", str(SOURCE), "-B", folder, *options], ["ninja", "-C", folder, "-j2", "gantry"]):
            if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
                raise BenchError(f"{' '.join(command)}: failed")
        return time.perf_counter() - begun


def b1(world):
    yield Case("size of the binary, stripped", ours=lambda: stripped_bytes(world), theirs=None, against="", once=True,
               figure=ALONE_MIB, goal=15, skipped="" if shutil.which("strip") else "there is no strip")
    yield Case("`gantry --version`", ours=lambda: world.call("--version"), theirs=None, against="", figure=ALONE_MS, goal=5)
    yield Case("clean build on 2 cores", ours=clean_build, theirs=None, against="", once=True, main=False, figure=ALONE_S,
               goal=600, skipped="" if world.clean_build else "only with --clean-build: it takes minutes")
