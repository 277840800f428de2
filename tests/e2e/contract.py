"""The contract of engines, which tests/engine has as a suite of its own: here for engines that a test has started."""

import os
import subprocess

ENGINE_TESTS = os.environ.get("GANTRY_ENGINE_TESTS", "build/dev/tests/engine_tests")


def assert_kept(case):
    """By the engine of the test's environment."""
    if not os.access(ENGINE_TESTS, os.X_OK):
        case.skipTest(f"there is no {ENGINE_TESTS}: GANTRY_ENGINE_TESTS names it")
    done = subprocess.run([ENGINE_TESTS, "the docker engine keeps the contract of engines"], env=case.environment, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500)
    print(done.stdout.decode(errors="replace"))
    case.assertEqual(done.returncode, 0)
    case.assertRegex(done.stdout, rb"[1-9]\d* assertions")
