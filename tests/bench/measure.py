"""Times processes in turn, A B A B, and makes figures of them."""

import os
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Optional


class BenchError(Exception):
    pass


@dataclass(frozen=True)
class Sample:
    seconds: float
    cpu_seconds: float = 0.0  # of the process and its children; an engine's work is not in it


def run(command, env=None, cwd=None, stdout=subprocess.DEVNULL, expect=0):
    """One process from start to exit, with the code that is expected."""
    with tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != expect:
            errors.seek(0)
            words = errors.read().decode(errors="replace")[-1000:]
            raise BenchError(f"{' '.join(command)}: exit {process.returncode}\n{words}")
    return Sample(seconds, usage.ru_utime + usage.ru_stime)


def run_side_by_side(commands, env=None):
    begun = time.perf_counter()
    processes = [subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                 for command in commands]
    if any([process.wait() for process in processes]):
        raise BenchError(f"{' '.join(commands[0])}: failed")
    return Sample(time.perf_counter() - begun)


def peak_memory_bytes(command, env=None, cwd=None, expect=0):
    """The most that one process had resident. Asked while it runs: rusage would count the Python that forked it too."""
    peak = 0
    process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    ended = threading.Event()

    def watch():
        nonlocal peak
        while not ended.wait(0.01):
            try:
                with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as status:
                    fields = dict(line.split(":", 1) for line in status if ":" in line)
            except OSError:
                return
            if fields["Name"].strip() == os.path.basename(command[0])[:15]:
                peak = max(peak, int(fields.get("VmHWM", "0 kB").split()[0]) * 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    failed = process.wait() != expect
    ended.set()
    watcher.join()
    if failed:
        raise BenchError(f"{' '.join(command)}: failed")
    return peak


@dataclass(frozen=True)
class Figure:
    """What is made of a pair, and how it reads."""
    of: Callable[[float, float], float]
    text: Callable[[float], str]
    at_most: bool  # the goal is an upper bound


RATIO = Figure(lambda ours, theirs: ours / theirs, "{:.2f} ×".format, True)          # of time
SPEED = Figure(lambda ours, theirs: theirs / ours, "{:.2f} ×".format, False)         # of throughput
ADDED_MS = Figure(lambda ours, theirs: (ours - theirs) * 1e3, "{:+.1f} ms".format, True)
ALONE_MS = Figure(lambda ours, _: ours * 1e3, "{:.1f} ms".format, True)
ALONE_S = Figure(lambda ours, _: ours, "{:.2f} s".format, True)
ADDED_MIB = Figure(lambda ours, theirs: (ours - theirs) / 2**20, "{:+.1f} MiB".format, True)
ALONE_MIB = Figure(lambda ours, _: ours / 2**20, "{:.1f} MiB".format, True)


@dataclass
class Case:
    """One line of the table."""
    what: str
    ours: Callable[[], float]                  # one measurement: seconds, or bytes
    theirs: Optional[Callable[[], float]]      # None: nothing to compare with
    against: str
    figure: Figure
    goal: Optional[float] = None
    series: str = ""                           # cases of one series differ in size only
    size: int = 0
    main: bool = True                          # what --quick runs
    once: bool = False                         # the same each time
    skipped: str = ""                          # why it cannot be measured here
    failure: str = ""                          # why it could not, although it should
    before: Callable[[], None] = lambda: None  # makes ready what is measured, and checks it; not timed
    row: str = ""
    our_samples: list = field(default_factory=list)
    their_samples: list = field(default_factory=list)

    def measure(self, pairs):
        if self.skipped:
            return
        try:
            self.before()
            if not self.once:  # what is first pays for what others find warm
                self.pair()
            for _ in range(1 if self.once else pairs):
                ours, theirs = self.pair()
                self.our_samples.append(ours)
                self.their_samples.append(theirs)
        except BenchError as error:
            self.our_samples, self.their_samples, self.failure = [], [], str(error)

    def pair(self):
        return self.ours(), self.theirs() if self.theirs else 0.0

    def figures(self):
        return [self.figure.of(one, other) for one, other in zip(self.our_samples, self.their_samples)]

    def median(self):
        return statistics.median(self.figures())

    def is_met(self):
        """None where there is no goal or no measurement."""
        if self.failure:
            return False
        if self.goal is None or not self.our_samples:
            return None
        return self.median() <= self.goal if self.figure.at_most else self.median() >= self.goal
