"""Podman's service in the place of dockerd: the engines' contract, and a pipeline with a bit of everything."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import contract
import e2e

# For a machine without systemd, and for one whose limits may not be raised.
CONFIGURATION = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


def why_no_podman():
    if os.geteuid() != 0:
        return "it takes root to run a Podman of our own"
    missing = [program for program in ("podman", "runc") if not shutil.which(program)]
    return f"not installed: {', '.join(missing)}" if missing else None


class Podman(e2e.Engine):
    """A service of our own: own folders and socket, and a working directory in which it may leave files."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="gp-", dir="/tmp")  # a socket's path is short
        super().__init__(f"unix://{self.folder}/s")
        e2e.write(f"{self.folder}/containers.conf", CONFIGURATION)
        e2e.write(f"{self.folder}/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
        with open(f"{self.folder}/log", "wb") as log:
            self.process = subprocess.Popen(
                ["podman", "--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run", "--tmpdir", f"{self.folder}/tmp",
                 "system", "service", "--time", "300", self.host],
                cwd=self.folder, env={**os.environ, "CONTAINERS_CONF": f"{self.folder}/containers.conf", "TMPDIR": self.folder},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            e2e.eventually(lambda: self.process.poll() is not None or self.answers(), "Podman answers")
            if self.process.poll() is not None:
                raise AssertionError(f"Podman ended with {self.process.returncode}: {self.words()}")
            self.take_image(f"{e2e.IMAGE}:latest")
        except BaseException:
            self.close()
            raise

    def words(self):
        with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        while subprocess.run(["umount", "-l", f"{self.folder}/root/overlay"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            pass
        shutil.rmtree(self.folder, ignore_errors=True)


@unittest.skipIf(why_no_podman(), why_no_podman())
class OnPodman(e2e.Case):
    @classmethod
    def setUpClass(cls):
        cls.engine = Podman()
        cls.addClassCleanup(cls.engine.close)

    def test_the_contract_of_engines(self):
        try:
            contract.assert_kept(self)
        except AssertionError:
            print(self.engine.words())
            raise

    def test_a_pipeline_with_a_bit_of_everything(self):
        image = {"image": e2e.IMAGE}
        shown = self.run_pipeline(json.dumps({
            "defaults": image,
            "stages": [
                {"name": "make", "caches": [{"name": "kept", "path": "/kept"}], "artifacts": {"paths": ["out/**"]},
                 "steps": [{"name": "files", "run": "mkdir -p out/sub; echo made > out/sub/file; echo once >> /kept/times; echo value=7 >> $CI_OUTPUT"},
                           {"name": "fails", "run": "exit 9", "allow_failure": True}]},
                {"name": "use", "services": {"web": {**image, "command": ["sh", "-c", "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w"],
                                                     "ready": {"http": "http://:80/"}}},
                 "steps": [{"name": "asks", "run": "wget -q -O - http://web/; cat out/sub/file; echo ${{ steps.files.outputs.value }}"}]},
                {"name": "again", "needs": ["make"], "caches": [{"name": "kept", "path": "/kept"}],
                 "steps": [{"name": "cached", "run": "cat /kept/times"}]},
                {"name": "image", "steps": [
                    {"name": "build", "build": {"context": ".", "tags": ["gantry-on-podman:1"],
                                                "dockerfile_inline": f"FROM {e2e.IMAGE}:latest\nRUN echo built > /made\n"}},
                    {"name": "runs", "image": "gantry-on-podman:1", "run": "cat /made"}]},
            ]}))
        self.assertEqual(e2e.steps_of(shown)["make/fails"]["exit_code"], 9)
        self.assertEqual(self.logs("asks"), b"hello\nmade\n7\n")
        self.assertEqual(self.logs("cached"), b"once\n")
        self.assertEqual(self.logs("runs"), b"built\n")
        self.gantry("cache", "rm", "kept")


if __name__ == "__main__":
    e2e.main()
