"""A Docker engine that belongs to one file of tests."""

import os
import shutil
import signal
import subprocess
import tempfile

import e2e


class PrivateEngine(e2e.Engine):
    """A dockerd of our own, which may be killed: own folders, bridge and containerd. That outlives it, as after an update of
    dockerd alone, or is its child and goes with it, as where dockerd is started by hand. Each has a number, as files of tests
    may run at the same time."""

    def __init__(self, number, containerd_outlives_it=True):
        self.bridge = f"gantry-e2e{number}"
        self.folder = tempfile.mkdtemp(prefix="gd-", dir="/tmp")  # a socket's path is short
        super().__init__(f"unix://{self.folder}/s")
        self.dockerd = None
        subprocess.run(["ip", "link", "add", self.bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "addr", "add", f"10.213.{91 + number}.1/24", "dev", self.bridge], check=True)
        subprocess.run(["ip", "link", "set", self.bridge, "up"], check=True)
        self.containerd = None
        if containerd_outlives_it:
            self.containerd = self._spawn("containerd", "--root", f"{self.folder}/croot", "--state", f"{self.folder}/cstate",
                                          "--address", f"{self.folder}/c", "--log-level", "error")

    def _spawn(self, *command):
        with open(f"{self.folder}/log", "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start(self, *more):
        containerd = ["--containerd", f"{self.folder}/c"] if self.containerd else []
        self.dockerd = self._spawn(
            "dockerd", "--host", self.host, *containerd, "--data-root", f"{self.folder}/data",
            "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid", "--bridge", self.bridge, "--iptables=false",
            "--ip6tables=false", "--ip-forward=false", "--userland-proxy=false", "--log-level", "error", *more)
        e2e.eventually(self.answers, "dockerd answers")

    def stop(self, number=signal.SIGTERM):
        if self.dockerd:
            self.dockerd.send_signal(number)
            self.dockerd.wait(timeout=e2e.LIMIT)
            self.dockerd = None

    def close(self):
        self.stop()
        if self.containerd:
            self.containerd.terminate()
            self.containerd.wait(timeout=e2e.LIMIT)
        subprocess.run(["ip", "link", "delete", self.bridge], check=False)
        while subprocess.run(["umount", "-l", f"{self.folder}/data"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            pass  # each dockerd mounts it on itself, and one that is killed leaves that
        shutil.rmtree(self.folder, ignore_errors=True)


def why_not_here():
    if os.geteuid() != 0:
        return "only root can start a dockerd"
    missing = [program for program in ("dockerd", "containerd", "ip") if not shutil.which(program)]
    return f"there is no {missing[0]}" if missing else None
