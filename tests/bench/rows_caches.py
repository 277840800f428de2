"""What it costs to restore and to save a cache: P8."""

from measure import ADDED_MS, RATIO, Case
from rows_files import FILE_BYTES, files

SAVE = "cp -r src /kept/"
PACK = "mkdir /kept && cp -r src /kept/ && tar -cf - -C /kept . | gzip -1 > /kept.tgz"


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

    def run(self, run, more):
        if not self.path:
            self.path = self.world.repository(f"cache-{self.count}", "", files(self.count))
        (self.path / ".gantry.yml").write_text(pipeline(run, more), encoding="utf-8")
        return self.world.run(self.path)


def p8(world):
    for count in (200, 2000, 20_000):
        size = f"{count} files of {count * FILE_BYTES // 1_000_000} MB"
        folder = Folder(world, count)
        yield Case(f"save {size}", series="save", size=count, main=count == 2000,
                   ours=lambda folder=folder: folder.run(SAVE, kept("push")),
                   theirs=lambda folder=folder: folder.run(PACK, "timeout: 1h"),
                   against="the same step with tar and gzip -1", figure=RATIO, goal=1.0)
        yield Case(f"restore {size}", series="restore", size=count, main=count == 2000,
                   ours=lambda folder=folder: folder.run("'true'", kept("pull")),
                   theirs=lambda folder=folder: folder.run("'true'", "timeout: 1h"),
                   against="the same without a cache", figure=ADDED_MS, goal=20)
