"""Where the measurements take place: binaries, engine, scratch folders, pipelines."""

import http.client
import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from measure import BenchError, run

IMAGE = "busybox:latest"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask_engine(path):
    """What a Docker engine on a Unix socket says; nothing where it is reached otherwise or does not answer."""
    endpoint = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not endpoint.startswith("unix://"):
        return {}
    connection = UnixConnection(endpoint.removeprefix("unix://"))
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    except (OSError, ValueError):
        return {}
    finally:
        connection.close()


class World:
    def __init__(self, gantry):
        self.gantry = str(Path(gantry).resolve())
        self.yaml_only = str(Path(self.gantry).with_name("yaml_only"))
        self.docker = shutil.which("docker")
        self.folder = Path(tempfile.mkdtemp(prefix="gantry-bench."))
        self.state = self.folder / "state"
        self.env = dict(os.environ, XDG_STATE_HOME=str(self.state), XDG_CACHE_HOME=str(self.folder / "cache"))
        self.engine = ask_engine("/version")
        # The CLI cannot be trusted to come down to an older engine by itself.
        if self.engine:
            self.env["DOCKER_API_VERSION"] = self.engine["ApiVersion"]

    def close(self):
        subprocess.run([self.gantry, "cache", "rm", "--all"], env=self.env, check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- ours

    def repository(self, name, pipeline, files=()):
        """A git repository with this pipeline and these (path, bytes)."""
        folder = self.folder / name
        for path, content in [(".gantry.yml", pipeline.encode()), *files]:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        author = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-c", "gc.auto=0"]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "bench"]):
            subprocess.run(["git", "-C", str(folder), *author, *command], check=True)
        return folder

    def run(self, folder, *arguments):
        """Seconds of one `gantry run`. What the last one left in the state folder is gone before."""
        shutil.rmtree(self.state, ignore_errors=True)
        return run([self.gantry, "run", *arguments, str(folder)], env=self.env).seconds

    def call(self, *arguments):
        return run([self.gantry, *arguments], env=self.env).seconds

    # ---- theirs

    def docker_run(self, *command):
        if not self.docker:
            raise BenchError("there is no docker command in PATH")
        return [self.docker, "run", "--rm", IMAGE, *command]

    def run_docker(self, *command, times=1):
        return sum(run(self.docker_run(*command), env=self.env).seconds for _ in range(times))

    def no_docker(self):
        """Why a row that needs the docker command is skipped; nothing if it is not."""
        return "" if self.docker else "there is no docker command in PATH"


def describe(world):
    """The machine, the engine and the versions, as pairs."""
    info = ask_engine("/info")
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as cpus:
        model = next((line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name")), model)
    version = subprocess.run([world.gantry, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    facts = {
        "cores": os.cpu_count(),
        "processor": model,
        "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "load before": round(os.getloadavg()[0], 2),
        "gantry": version.removeprefix("gantry "),
        "engine": world.engine.get("Version", "none"),
        "storage driver": info.get("Driver", ""),
        "cgroups": info.get("CgroupVersion", ""),
    }
    if world.docker:
        client = subprocess.run([world.docker, "--version"], capture_output=True, text=True, check=False).stdout
        facts["docker command"] = client.partition("version ")[2].partition(",")[0]
    return facts


