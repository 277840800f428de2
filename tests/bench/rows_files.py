"""What it costs to give a step its files: P11."""

from measure import ADDED_MS, Case
from rows_start import in_turn

FILE_BYTES = 25_000


def files(count):
    for n in range(count):
        text = f"file {n}\n".encode()
        yield f"src/d{n % 50}/f{n}.txt", text * (FILE_BYTES // len(text))


def p11(world):
    empty = world.repository("no-files", in_turn(1))
    for count in (200, 2000, 20000):
        folder = world.repository(f"files-{count}", in_turn(1), files(count))
        yield Case(f"1 step, {count} files of {count * FILE_BYTES // 1_000_000} MB", series="files", size=count,
                   main=count == 2000, ours=lambda folder=folder: world.run(folder), theirs=lambda: world.run(empty),
                   against="the same without files", figure=ADDED_MS, goal=10 if count == 2000 else None)
