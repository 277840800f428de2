"""What it costs to restore and to save a cache: P8."""

import shutil

from measure import ADDED_MS, RATIO, Case, run
from rows_files import FILE_BYTES, files

FILL = "mkdir -p /kept/src && cp -r src /kept/"
CHANGE = "mkdir -p /kept/src && cp -r src/d0 /kept/src/"  # one file of fifty
PACK = "cd src && tar -cf - . | zstd -1 -q -c > ../packed"


def pipeline(run, more):
    return f"""name: bench
defaults: {{ image: "busybox:latest" }}
stages:
  - name: main
    {more}
    steps:
      - name: work
        run: {run}
"""


def kept(policy):
    return f"caches: [{{ name: bench, path: /kept, policy: {policy} }}]"


class Folder:
    """A repository with many files, made when it is first wanted. A cache belongs to its folder, so one pipeline there saves what
    another one restores."""

    def __init__(self, world, count):
        self.world = world
        self.count = count
        self.path = None

    def run(self, command, more="timeout: 1h"):
        if not self.path:
            self.path = self.world.repository(f"cache-{self.count}", "", files(self.count))
        (self.path / ".gantry.yml").write_text(pipeline(command, more), encoding="utf-8")
        return self.world.run(self.path)

    def run_and_pack(self, command):
        """The same step, and then all files packed, as who keeps a cache elsewhere does; here, where nothing has to be handed over."""
        seconds = self.run(command)
        packed = run(["sh", "-c", PACK], cwd=self.path).seconds
        (self.path / "packed").unlink()
        return seconds + packed


def p8(world):
    no_zstd = "" if shutil.which("zstd") else "there is no zstd in PATH"
    for count in (200, 2000, 50_000):
        size = f"{count} files of {count * FILE_BYTES // 1_000_000} MB"
        folder = Folder(world, count)
        for what, command, policy in (("save", FILL, "push"), ("save 2 % of", CHANGE, "pull-push")):
            yield Case(f"{what} {size}", series=what, size=count, main=count == 2000, skipped=no_zstd,
                       ours=lambda folder=folder, command=command, policy=policy: folder.run(command, kept(policy)),
                       theirs=lambda folder=folder, command=command: folder.run_and_pack(command),
                       against="the same step, and `tar` with `zstd -1` of all files", figure=RATIO, goal=1.0)
        yield Case(f"restore {size}", series="restore", size=count, main=count == 2000,
                   ours=lambda folder=folder: folder.run("'true'", kept("pull")), theirs=lambda folder=folder: folder.run("'true'"),
                   against="the same without a cache", figure=ADDED_MS, goal=20)
