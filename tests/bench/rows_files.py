"""What it costs to give a step its files: P7, P11."""

import subprocess

from measure import ADDED_MS, RATIO, Case, run
from rows_start import in_turn

FILE_BYTES = 25_000


def files(count, bytes_each=FILE_BYTES):
    for n in range(count):
        text = f"file {n}\n".encode()
        yield f"src/d{n % 50}/f{n}.txt", text * (bytes_each // len(text))


def p11(world):
    empty = world.repository("no-files", in_turn(1))
    for count in (200, 2000, 20000):
        folder = world.repository(f"files-{count}", in_turn(1), files(count))
        yield Case(f"1 step, {count} files of {count * FILE_BYTES // 1_000_000} MB", series="files", size=count,
                   main=count == 2000, ours=lambda folder=folder: world.run(folder), theirs=lambda: world.run(empty),
                   against="the same without files", figure=ADDED_MS, goal=10 if count == 2000 else None)


def p7(world):
    """From the second run on; what both runs do besides is taken off. A work tree is removed again before the next, untimed."""
    empty = world.repository("nothing", in_turn(1))
    for count in (2000, 20_000):
        folder = world.repository(f"checkout-{count}", in_turn(1), files(count, 1000))
        tree = world.folder / f"tree-{count}"

        def ours(folder=folder):
            with_files = world.run(folder, "--no-dirty")
            return max(with_files - world.run(empty, "--no-dirty"), 0.001)

        def theirs(folder=folder, tree=tree):
            seconds = run(["git", "-C", str(folder), "worktree", "add", "--detach", str(tree)]).seconds
            subprocess.run(["git", "-C", str(folder), "worktree", "remove", "--force", str(tree)], check=True)
            return seconds

        yield Case(f"checkout of {count} files", series="checkout", size=count, main=count == 20_000, ours=ours, theirs=theirs,
                   against="`git worktree add`", figure=RATIO, goal=0.3)
