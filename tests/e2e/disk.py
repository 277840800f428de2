"""A full disk under our folders or under the engine: said clearly, cleaned up after, and never taken for the step's failure."""

import json
import os
import shutil
import subprocess
import unittest

import e2e
from private_engine import PrivateEngine, why_not_here
from registry import Registry, missing

SIZE = 4 << 20


def mount_small_disk(path, image, size=SIZE):
    """A file system of a few MiB on a loop device, or in memory where there are none. Why not, if it cannot be."""
    os.makedirs(path)
    with open(image, "wb") as file:
        file.truncate(size)
    tries = [["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path]]
    if shutil.which("mkfs.ext4") and subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], capture_output=True,
                                                    check=False).returncode == 0:
        tries.insert(0, ["mount", "-o", "loop", image, path])
    for command in tries:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return None
    return f"no small disk can be mounted: {done.stderr.strip()}"


class SmallDisk(e2e.Case):
    """The state folder, or another, lies on a disk of 4 MiB."""

    on_it = "state"

    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.home, self.on_it)
        reason = mount_small_disk(self.disk, os.path.join(self.home, "disk"))
        if reason:
            self.skipTest(reason)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)

    def fill(self, leave=0):
        """To the last byte, or all but so many."""
        with open(os.path.join(self.disk, "ballast"), "ab", buffering=0) as file:
            for size in (1 << 16, 1 << 9, 1):
                try:
                    while not leave or os.statvfs(self.disk).f_bavail * os.statvfs(self.disk).f_frsize > leave + size:
                        file.write(bytes(size))
                except OSError:
                    pass
                if leave:
                    break

    def make_room(self):
        os.unlink(os.path.join(self.disk, "ballast"))


class FullDisk(SmallDisk):
    def setUp(self):
        super().setUp()
        self.environment["GANTRY_KEEP_FREE"] = "0"  # what happens at its last byte

    def test_a_step_that_prints_more_than_fits_ends_as_an_error_of_the_disk(self):
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps: [{{ name: floods, run: yes }}]
        """))
        self.assertEqual(live.end(), 3)
        self.assert_nothing_left()
        finished = [event for event in live.events if event["event"] == "step_finished"]
        self.assertEqual([(event["state"], event["cause"]) for event in finished], [("error", "disk_full")])
        self.assertIn(self.state, finished[0]["message"])

    def test_a_disk_that_fills_up_while_a_step_runs_ends_the_run(self):
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - {{ name: waits, run: "trap 'exit 0' USR1; echo ready; while :; do sleep 1000 & wait; done" }}
              - {{ name: next, run: echo next }}
        """))
        live.until("output", text="ready")
        self.fill()
        self.engine.signal(self.engine.container_of("waits", instance=self.instance()), "USR1")
        self.assertEqual(live.end(), 3, live.report())
        self.assert_nothing_left()
        self.assertIn("No space left", live.stderr)
        self.assertIn(self.state, live.stderr)
        self.make_room()
        self.assertIn(self.runs()[0]["state"], ("error", "interrupted"))
        self.gantry("run", self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: 'true' }}]\n", name="other"))

    def test_a_full_disk_is_told_before_anything_begins(self):
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: 'true' }}]\n")
        self.gantry("run", folder)
        self.fill()
        failed = self.gantry("run", folder, expect=3)
        self.assertIn(b"No space left", failed.stderr)
        self.assert_nothing_left()
        self.make_room()
        self.gantry("run", folder)


class Budget(SmallDisk):
    WAITS = f"""
        defaults: {{ image: {e2e.IMAGE} }}
        stages:
          - name: main
            steps:
              - {{ name: waits, run: "echo ready; exec sleep 1000" }}
              - {{ name: next, run: echo next }}
            finally: [{{ name: cleans, run: echo cleaned }}]
          - {{ name: after, needs: [main], steps: [{{ name: never, run: 'true' }}] }}
    """

    def test_a_run_stops_cleanly_when_less_is_free_than_is_to_stay_free(self):
        live = self.start("--keep-free", "1m", self.folder(self.WAITS))
        live.until("output", text="ready")
        self.fill(leave=600_000)
        self.assertEqual(live.end(), 3, live.report())
        self.assert_nothing_left()
        shown = self.show()
        steps = e2e.steps_of(shown)
        self.assertEqual((shown["state"], shown["cause"]), ("error", "disk_full"))
        self.assertEqual((steps["main/waits"]["state"], steps["main/waits"]["cause"]), ("error", "disk_full"))
        self.assertEqual(steps["main/next"]["state"], "skipped")
        self.assertEqual(steps["after/never"]["state"], "skipped")
        self.assertEqual(self.logs("cleans"), b"cleaned\n")
        self.assertIn("gantry prune", json.dumps(shown["warnings"]))

    def test_a_run_without_that_room_does_not_begin_and_says_what_to_do(self):
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: 'true' }}]\n")
        failed = self.gantry("run", "--keep-free", "1g", folder, expect=3)
        for words in (b"disk: ", self.state.encode(), b"--keep-free"):
            self.assertIn(words, failed.stderr)
        self.assertEqual(self.runs(), [])
        self.gantry("run", folder, env={"GANTRY_KEEP_FREE": "1g"}, expect=3)
        self.gantry("run", "--keep-free", "much", folder, expect=2)
        self.gantry("run", folder)  # a tenth of a small disk is enough

    def test_doctor_says_what_is_to_stay_free_and_is_not(self):
        self.assertIn(b"runs keep", self.gantry("doctor").stdout)
        self.fill(leave=200_000)
        self.assertIn(b"make room", self.gantry("doctor", expect=3).stdout)


class FullCacheFolder(SmallDisk):
    on_it = "cache"

    def test_a_cache_that_cannot_be_saved_is_told_and_leaves_nothing(self):
        self.environment["GANTRY_KEEP_FREE"] = "0"
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            caches: [{{ name: deps, path: /deps, key: k }}]
            steps:
              - {{ name: waits, run: "echo x > /deps/x; trap 'exit 0' USR1; echo ready; while :; do sleep 1000 & wait; done" }}
        """))
        live.until("output", text="ready")
        self.fill()
        self.engine.signal(self.engine.container_of("waits", instance=self.instance()), "USR1")
        self.assertEqual(live.end(), 0, live.report())  # what the stage did is done
        told = [event for event in live.events if event["event"] == "warning"]
        self.assertTrue(any("was not saved" in event["message"] and "No space left" in event["message"] and
                            "gantry prune" in event["hint"] for event in told), told)
        self.make_room()
        self.gantry("ps")
        self.assert_nothing_left()


@unittest.skipIf(why_not_here() or missing(), why_not_here() or missing())
class FullEngine(e2e.Case):
    """A dockerd whose data lies on a disk of 64 MiB."""

    @classmethod
    def setUpClass(cls):
        cls.engine = PrivateEngine(2)
        cls.addClassCleanup(cls.engine.close)
        reason = mount_small_disk(f"{cls.engine.folder}/data", f"{cls.engine.folder}/disk", 64 << 20)
        if reason:
            raise unittest.SkipTest(reason)
        cls.engine.start()
        cls.engine.take_image(f"{e2e.IMAGE}:latest")
        cls.registry = Registry()
        cls.addClassCleanup(cls.registry.close)

    def push_big_image(self):
        """By the engine of the other tests; the image is gone there again."""
        name = f"{self.registry.host}/big:1"
        other = {"DOCKER_HOST": e2e.ENGINE.host, "XDG_STATE_HOME": os.path.join(self.home, "other")}
        self.gantry("run", "--quiet", self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: big
                build: {{ tags: ["{name}"], dockerfile_inline: "FROM {e2e.IMAGE}\\nRUN head -c 80000000 /dev/urandom > /big" }}
                push: true
        """, name="big"), env=other)
        self.gantry("image", "rm", name, env=other)
        return name

    def test_an_image_that_does_not_fit_is_an_error_of_the_disk_that_says_what_to_do(self):
        image = self.push_big_image()
        self.environment["GANTRY_KEEP_FREE"] = "0"
        self.gantry("run", "--quiet", self.folder(f"image: {image}\nsteps: [{{ name: s, run: 'true' }}]\n"), expect=3)
        self.assert_nothing_left()
        step = e2e.steps_of(self.show())["main/s"]
        self.assertEqual((step["state"], step["cause"]), ("error", "disk_full"))
        self.assertIn("gantry prune", step["hint"])
        self.run_pipeline(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: 'true' }}]\n")

    def test_a_step_that_fills_the_engines_disk_is_stopped_before_it_is_full(self):
        self.gantry("run", "--quiet", "--keep-free", "20m", self.folder(f"""
            image: {e2e.IMAGE}
            steps: [{{ name: s, run: "head -c 40000000 /dev/zero > /big; echo written; exec sleep 1000" }}]
        """), expect=3)
        self.assert_nothing_left()
        self.assertEqual(e2e.steps_of(self.show())["main/s"]["cause"], "disk_full")
        self.assertIn(f"{self.engine.folder}/data", json.dumps(self.show()["warnings"]))


if __name__ == "__main__":
    e2e.main()
