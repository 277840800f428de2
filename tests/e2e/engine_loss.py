"""dockerd dies and comes back while a step runs: the engine's fault, never a failure of the step."""

import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import e2e

BRIDGE = "gantry-e2e0"
NETWORK = "10.213.91"


class PrivateEngine(e2e.Engine):
    """A dockerd of our own, which may be killed: own folders, bridge and containerd, which outlives it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="gd-", dir="/tmp")  # a socket's path is short
        super().__init__(f"unix://{self.folder}/s")
        self.dockerd = None
        subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
        subprocess.run(["ip", "addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE], check=True)
        subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)
        self.containerd = self._spawn("containerd", "--root", f"{self.folder}/croot", "--state", f"{self.folder}/cstate",
                                      "--address", f"{self.folder}/c", "--log-level", "error")

    def _spawn(self, *command):
        with open(f"{self.folder}/log", "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start(self):
        self.dockerd = self._spawn(
            "dockerd", "--host", self.host, "--containerd", f"{self.folder}/c", "--data-root", f"{self.folder}/data",
            "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid", "--bridge", BRIDGE, "--iptables=false",
            "--ip6tables=false", "--ip-forward=false", "--userland-proxy=false", "--log-level", "error")
        e2e.eventually(self.answers, "dockerd answers")

    def stop(self, number=signal.SIGTERM):
        if self.dockerd:
            self.dockerd.send_signal(number)
            self.dockerd.wait(timeout=e2e.LIMIT)
            self.dockerd = None

    def close(self):
        self.stop()
        self.containerd.terminate()
        self.containerd.wait(timeout=e2e.LIMIT)
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False)
        while subprocess.run(["umount", "-l", f"{self.folder}/data"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            pass  # each dockerd mounts it on itself, and one that is killed leaves that
        shutil.rmtree(self.folder, ignore_errors=True)


def why_not_here():
    if os.geteuid() != 0:
        return "only root can start a dockerd"
    missing = [program for program in ("dockerd", "containerd", "ip") if not shutil.which(program)]
    return f"there is no {missing[0]}" if missing else None


@unittest.skipIf(why_not_here(), why_not_here())
class EngineLoss(e2e.Case):
    @classmethod
    def setUpClass(cls):
        cls.engine = PrivateEngine()
        cls.addClassCleanup(cls.engine.close)
        cls.engine.start()
        cls.engine.take_image(f"{e2e.IMAGE}:latest")

    def kill_and_start(self):
        self.engine.stop(signal.SIGKILL)
        self.engine.start()

    def test_a_step_whose_engine_dies_and_comes_back_is_an_error_of_the_engine(self):
        """The dockerd that starts ends what still runs: an end of 99 or 137 that says nothing about the step."""
        for trap in ("exit 99", ""):
            with self.subTest(trap=trap):
                live = self.start(self.folder(f"""
                    image: {e2e.IMAGE}
                    steps:
                      - {{ name: s, run: "trap '{trap}' TERM; echo ready; while :; do sleep 1000 & wait; done" }}
                """))
                live.until("output", text="ready")
                self.kill_and_start()
                self.assertEqual(live.end(), 3, live.report())
                step = e2e.steps_of(self.show())["main/s"]
                self.assertEqual((step["state"], step["cause"]), ("error", "engine_lost"))
                self.assertEqual(self.logs("s"), b"ready\n")
                self.assert_nothing_left()

    def test_a_retry_for_this_cause_repeats_the_step(self):
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: s
                retry: {{ max: 3, when: [engine_lost], backoff: 1s }}
                run: echo try $CI_STEP_ATTEMPT; [ $CI_STEP_ATTEMPT != 1 ] || exec sleep 1000
        """))
        live.until("output", text="try 1")
        self.kill_and_start()
        self.assertEqual(live.end(), 0, live.report())
        self.assertEqual(e2e.steps_of(self.show())["main/s"]["state"], "success")

    def test_what_a_run_left_at_an_engine_that_died_with_it_is_removed_later(self):
        live = self.start(self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: echo ready; exec sleep 1000 }}]\n"))
        live.until("output", text="ready")
        self.engine.stop(signal.SIGKILL)
        live.signal(signal.SIGKILL)
        live.end()
        self.assertIn(b"may have left something", self.gantry("ps").stderr)
        self.engine.start()
        self.assertNotEqual(self.left(), [])
        self.gantry("ps")
        self.assert_nothing_left()


if __name__ == "__main__":
    e2e.main()
