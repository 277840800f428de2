"""A full disk under the state folder: said clearly, cleaned up after, and never taken for the step's failure."""

import os
import shutil
import subprocess

import e2e

SIZE = 4 << 20


def mount_small_disk(path, image):
    """A file system of a few MiB on a loop device, or in memory where there are none. Why not, if it cannot be."""
    os.makedirs(path)
    with open(image, "wb") as file:
        file.truncate(SIZE)
    tries = [["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", path]]
    if shutil.which("mkfs.ext4") and subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], capture_output=True,
                                                    check=False).returncode == 0:
        tries.insert(0, ["mount", "-o", "loop", image, path])
    for command in tries:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return None
    return f"no small disk can be mounted: {done.stderr.strip()}"


class FullDisk(e2e.Case):
    def setUp(self):
        super().setUp()
        reason = mount_small_disk(self.state, os.path.join(self.home, "disk"))
        if reason:
            self.skipTest(reason)
        self.addCleanup(subprocess.run, ["umount", "-l", self.state], check=True)

    def fill(self):
        """To the last byte."""
        with open(os.path.join(self.state, "ballast"), "ab", buffering=0) as file:
            for size in (1 << 16, 1 << 9, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def make_room(self):
        os.unlink(os.path.join(self.state, "ballast"))

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


if __name__ == "__main__":
    e2e.main()
