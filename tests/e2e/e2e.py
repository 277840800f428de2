"""What the end-to-end tests share: the built binary, a real Docker engine, and a world of folders for each test.

The binary is $GANTRY, the engine $DOCKER_HOST (or Docker's default socket). Whoever has neither is told why and skipped.
A test waits for events, or until a deadline that makes it fail; it never sleeps for a time that should be enough.
"""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

GANTRY = os.path.abspath(os.environ.get("GANTRY", "build/dev/gantry"))
HOST = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
SKIPPED = 77  # tells ctest that a test was skipped
LIMIT = 120   # seconds in which any command here has to end
IMAGE = "busybox"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)  # as OCI has it


# ---- the engine

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=LIMIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """The Engine API, without gantry in between."""

    def __init__(self, host=HOST):
        self.host = host
        self._version = None

    def _prefix(self):
        """The oldest version of the API that both this file and the engine know: answers of newer ones leave things out."""
        if self._version is None:
            connection = self._connect()
            try:
                connection.request("GET", "/version")
                oldest = json.loads(connection.getresponse().read()).get("MinAPIVersion") or "1.41"
            finally:
                connection.close()
            self._version = max((1, 41), tuple(map(int, oldest.split("."))))
        return "/v{}.{}".format(*self._version)

    def _connect(self):
        scheme, _, rest = self.host.partition("://")
        return UnixConnection(rest) if scheme == "unix" else http.client.HTTPConnection(rest, timeout=LIMIT)

    def call(self, method, path, body=None, kind="application/json"):
        """Status and bytes of the answer."""
        connection = self._connect()
        try:
            connection.request(method, self._prefix() + path, body, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def open(self):
        """A connection, for whoever wants to speak for himself."""
        connection = self._connect()
        connection.connect()
        opened, connection.sock = connection.sock, None
        opened.settimeout(None)
        return opened

    def get(self, path):
        status, body = self.call("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body[:500]!r}")
        return json.loads(body)

    def has_containerds_images(self):
        """Whether containerd keeps its images, and not a store of its own."""
        return ["driver-type", "io.containerd.snapshotter.v1"] in self.get("/info")["DriverStatus"]

    @contextlib.contextmanager
    def events(self, actions):
        """What it tells of anybody's containers from now on, one after the other."""
        filters = urllib.parse.quote(json.dumps({"type": ["container"], "event": actions}))
        connection = self._connect()
        try:
            connection.request("GET", f"{self._prefix()}/events?since={time.time():.6f}&filters={filters}")
            yield (json.loads(line) for line in connection.getresponse())
        finally:
            connection.close()

    def answers(self):
        try:
            return self.call("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def take_image(self, image):
        """From the engine that the other tests use."""
        status, archive = ENGINE.call("GET", f"/images/{image}/get")
        if status != 200:
            raise AssertionError(f"no image {image}")
        status, answer = self.call("POST", "/images/load", archive, "application/x-tar")
        if status != 200:
            raise AssertionError(f"image {image} cannot be loaded: {answer!r}")

    def objects(self, **labels):
        """(kind, name, labels) of the containers, networks and volumes that have these gantry.* labels."""
        wanted = [f"gantry.{key}" if value is None else f"gantry.{key}={value}" for key, value in labels.items()]
        query = "filters=" + urllib.parse.quote(json.dumps({"label": wanted}))
        found = [("container", c["Names"][0][1:], c["Labels"]) for c in self.get(f"/containers/json?all=1&{query}")]
        found += [("network", n["Name"], n["Labels"]) for n in self.get(f"/networks?{query}")]
        found += [("volume", v["Name"], v["Labels"]) for v in self.get(f"/volumes?{query}")["Volumes"] or []]
        return sorted(found, key=lambda entry: entry[:2])

    def names(self, **labels):
        return [f"{kind} {name}" for kind, name, _ in self.objects(**labels)]

    def remove_all(self, **labels):
        paths = {"container": "/containers/{}?force=1&v=1", "network": "/networks/{}", "volume": "/volumes/{}?force=1"}
        for kind, name, _ in self.objects(**labels):
            self.call("DELETE", paths[kind].format(urllib.parse.quote(name)))

    def container_of(self, step, **labels):
        found = [name for kind, name, all_labels in self.objects(step=step, **labels) if kind == "container"]
        if len(found) != 1:
            raise AssertionError(f"containers of step {step}: {found}")
        return found[0]

    def run_in(self, container, command):
        """Runs a command in it to its end."""
        status, body = self.call("POST", f"/containers/{container}/exec", json.dumps({"Cmd": command, "AttachStdout": True}))
        if status != 201:
            raise AssertionError(f"exec in {container}: {body!r}")
        self.call("POST", f"/exec/{json.loads(body)['Id']}/start", json.dumps({"Detach": False}))

    def signal(self, container, name):
        status, body = self.call("POST", f"/containers/{container}/kill?signal={name}")
        if status != 204:
            raise AssertionError(f"signal {name} to {container}: {body!r}")


ENGINE = Engine()


# ---- folders

def write(path, content, mode=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    if mode is not None:
        os.chmod(path, mode)


def tree(folder):
    """Everything that can be told about what is in a folder: names, modes, owners, times, contents."""
    found = {}
    for top, folders, files in os.walk(folder):
        for name in sorted(folders + files):
            path = os.path.join(top, name)
            info = os.lstat(path)
            content = ""
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, folder)] = (info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, content)
    return found


# ---- a run that goes on

class Live:
    """`gantry run --json` as it happens. Killed when it outlives its limit, so that reading always ends."""

    def __init__(self, command, environment, cwd, limit):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors, start_new_session=True)
        self.limit = limit
        self.late = False
        self.stderr = None  # all that it said there, once it has ended
        self.watchdog = threading.Timer(limit, self._expire)
        self.watchdog.start()
        self.events = []

    def _expire(self):
        self.late = True
        self.process.kill()

    def next(self):
        """The next event; None at the end of the output."""
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            return None
        self.events.append(json.loads(line))
        return self.events[-1]

    def until(self, event, **fields):
        """The next event of that kind; `text` is a part of an output."""
        while (found := self.next()) is not None:
            if found["event"] == event and all(
                    value in found.get(key, "") if key == "text" else found.get(key) == value
                    for key, value in fields.items()):
                return found
        raise AssertionError(f"no event {event} {fields}\n{self.report()}")

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """Reads to the end; the exit code."""
        while self.next() is not None:
            pass
        code = self.process.wait()
        self.close()
        if self.late:
            raise AssertionError(f"it did not end in {self.limit} s\n{self.report()}")
        return code

    def close(self):
        self.watchdog.cancel()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        if not self.errors.closed:
            self.stderr = self._stderr()
            self.errors.close()

    def _stderr(self):
        if self.errors.closed:
            return self.stderr
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def report(self):
        shown = "\n".join(json.dumps(event)[:300] for event in self.events[-20:])
        return f"last events:\n{shown}\nstandard error:\n{self._stderr()}"


# ---- a test

class Case(unittest.TestCase):
    """Each test has a home of its own, with state and cache; at its end nothing of it may be left in the engine."""

    maxDiff = None
    engine = ENGINE

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="gantry-e2e-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.state = os.path.join(self.home, "state")
        self._instance = None
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("GANTRY", "CI_", "XDG_", "DOCKER_"))}
        self.environment.update(HOME=self.home, XDG_STATE_HOME=self.state, XDG_CACHE_HOME=os.path.join(self.home, "cache"),
                                XDG_CONFIG_HOME=os.path.join(self.home, "config"), DOCKER_HOST=self.engine.host,
                                LC_ALL="C.UTF-8")
        self.addCleanup(self._sweep)

    def tearDown(self):
        self.assert_nothing_left()

    def _sweep(self):
        if self.instance() and self.engine.answers():
            self.engine.remove_all(instance=self.instance())

    def folder(self, pipeline, files=None, name="project"):
        """A folder with this pipeline in it."""
        path = os.path.join(self.home, name)
        write(os.path.join(path, ".gantry.yml"), pipeline)
        for file, content in (files or {}).items():
            write(os.path.join(path, file), content)
        return path

    def command(self, arguments):
        return [GANTRY, *arguments]

    def gantry(self, *arguments, expect=0, cwd=None, env=None, limit=LIMIT, **options):
        """Runs a command to its end. `expect` is its exit code, or None."""
        command = self.command(arguments)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(command, cwd=cwd or self.home, env={**self.environment, **(env or {})},
                              stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, timeout=limit, **options)
        if expect is not None and done.returncode != expect:
            self.fail(f"{' '.join(command)}: exit code {done.returncode}, expected {expect}\n"
                      f"{(done.stdout or b'')[-3000:].decode(errors='replace')}\n"
                      f"{done.stderr[-3000:].decode(errors='replace')}")
        return done

    def start(self, *arguments, cwd=None, env=None, limit=LIMIT):
        """Starts `gantry run --json ARGUMENTS` and reads its events."""
        live = Live(self.command(["run", "--json", *arguments]), {**self.environment, **(env or {})}, cwd or self.home, limit)
        self.addCleanup(live.close)
        return live

    def run_pipeline(self, pipeline, *arguments, files=None, expect=0, **options):
        """Runs this pipeline to its end; what `gantry show` says of it."""
        self.gantry("run", "--quiet", *arguments, self.folder(pipeline, files), expect=expect, **options)
        return self.show()

    def show(self, run="latest"):
        return json.loads(self.gantry("show", "--json", run).stdout)

    def runs(self):
        return json.loads(self.gantry("ps", "--all", "--json").stdout)

    def logs(self, step, *arguments, run="latest"):
        return self.gantry("logs", run, step, *arguments).stdout

    def instance(self):
        """The label of all that this test's gantry makes; None before its first run."""
        if not self._instance and os.path.exists(path := os.path.join(self.state, "gantry/instance")):
            with open(path, encoding="ascii") as file:
                self._instance = file.read().strip()
        return self._instance

    def left(self):
        return self.engine.names(instance=self.instance()) if self.instance() else []

    def assert_nothing_left(self):
        self.assertEqual(self.left(), [], "left in the engine")


class Connections:
    """Listens on a socket that is bound, and gives each connection to `serve`, on a thread of its own."""

    def __init__(self, listener):
        self.listener, self.ends = listener, [listener]
        listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, end):
        raise NotImplementedError

    def close(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed by its other end
            end.close()

    def _accept(self):
        while True:
            try:
                end, _ = self.listener.accept()
            except OSError:
                return  # closed
            self.ends.append(end)
            threading.Thread(target=self.serve, args=(end,), daemon=True).start()


def loopback_socket():
    """Bound to a free port, and that port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener, listener.getsockname()[1]


def steps_of(shown):
    """The steps of a run, by stage/step."""
    return {f"{stage['stage']}/{step['step']}": step for stage in shown["stages"] for step in stage["steps"]}


def eventually(condition, what, limit=60):
    """Asks until the answer is true: for what nobody tells us about."""
    deadline = time.monotonic() + limit
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.05)
    return answer


# ---- running the tests of a file

def why_not_here():
    if not os.access(GANTRY, os.X_OK):
        return f"there is no {GANTRY}: GANTRY names the binary"
    if not ENGINE.answers():
        return f"no Docker engine answers at {HOST}: DOCKER_HOST names it"
    return None


class TimedResult(unittest.TextTestResult):
    """Says after each test how long it took."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln(f"ok, {time.monotonic() - self.began:.1f} s")


def main():
    reason = why_not_here()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ctest's time limit: clean up all the same
    began = time.monotonic()
    program = unittest.main(exit=False, testRunner=unittest.TextTestRunner(resultclass=TimedResult, verbosity=2))
    result = program.result
    print(f"{result.testsRun} tests in {time.monotonic() - began:.1f} s")
    if result.wasSuccessful() and result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)
