"""What it costs to keep what steps print, whole and masked: P5, P6."""

import hashlib
import subprocess

from measure import ADDED_MIB, RATIO, SPEED, BenchError, Case, peak_memory_bytes, run
from rows_start import in_turn, pipeline

MB = 1_000_000
LINE = "0123456789abcdefghijklmnopqrstuvwxyz" * 3 + "0123456789abcdefghi\n"  # 128 bytes
SHORT = LINE[:19] + "\n"


def script(line, size):
    """Prints `size` bytes of this line, again and again."""
    if "\n" not in line:
        return f"head -c {size} /dev/zero | tr '\\0' {line}"
    return f"yes {line.strip()} | head -c {size}"


def sha256_of(line, size):
    digest = hashlib.sha256()
    block = (line * (MB // len(line) + 1)).encode()
    block = block[: len(block) // len(line) * len(line)]
    while size > 0:
        digest.update(block[:size])
        size -= len(block)
    return digest.hexdigest()


def step(commands, secrets=()):
    text = f"      - name: print\n        run: |\n          {commands}\n"
    return pipeline(text + (f"        secrets: [{', '.join(secrets)}]\n" if secrets else ""))


def check_log(world, expected):
    """Every byte, in order."""
    with subprocess.Popen([world.gantry, "logs", "latest", "print"], env=world.env, stdout=subprocess.PIPE) as process:
        digest = hashlib.sha256()
        while block := process.stdout.read(MB):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise BenchError("the log differs from what the step printed")


def docker_to_file(world, commands):
    with open(world.folder / "printed", "wb") as file:
        return run(world.docker_run("sh", "-c", commands), env=world.env, stdout=file).seconds


WORKLOADS = [
    ("lines of 128 bytes", LINE, (10 * MB, 100 * MB, 1000 * MB), 1000 * MB),
    ("lines of 20 bytes", SHORT, (10 * MB, 50 * MB, 100 * MB), 100 * MB),
    ("one line", "x", (5 * MB, 20 * MB, 50 * MB), 50 * MB),
]


def p5(world):
    for name, line, sizes, main in WORKLOADS:
        for size in sizes:
            commands = script(line, size)
            folder = world.repository(f"print-{len(line)}-{size}", step(commands))

            def before(folder=folder, expected=sha256_of(line, size)):
                world.run(folder, "--quiet")
                check_log(world, expected)

            yield Case(f"{size // MB} MB, {name}", series=name, size=size, main=size == main and main <= 100 * MB,
                       ours=lambda folder=folder: world.run(folder, "--quiet"),
                       theirs=lambda commands=commands: docker_to_file(world, commands), skipped=world.no_docker(),
                       against="`docker run --rm … > file`", figure=SPEED, goal=1.0 if size == main else None, before=before)
    idle, busy = world.repository("idle", in_turn(1)), world.folder / f"print-{len(LINE)}-{WORKLOADS[0][3]}"
    peak = lambda folder: peak_memory_bytes([world.gantry, "run", "--quiet", str(folder)], env=world.env)
    yield Case(f"{WORKLOADS[0][3] // MB} MB, most memory of `gantry run`", main=False, once=True, ours=lambda: peak(busy),
               theirs=lambda: peak(idle), against="a step of `true`", figure=ADDED_MIB, goal=64)


def p6(world):
    secrets = world.folder / "secrets"
    names = [f"TOKEN_{n}" for n in range(50)]
    values = [hashlib.sha256(name.encode()).hexdigest()[:24] for name in names]
    secrets.write_text("".join(f"{name}={value}\n" for name, value in zip(names, values)), encoding="ascii")
    for size in (10 * MB, 50 * MB, 100 * MB):
        commands = script(LINE, size)
        plain = world.repository(f"plain-{size}", step(commands))
        masked = world.repository(f"masked-{size}", step(commands, names))
        yield Case(f"{size // MB} MB, 50 secrets to mask", series="masked", size=size, main=size == 100 * MB,
                   ours=lambda folder=masked: world.run(folder, "--quiet", "--secret-file", str(secrets)),
                   theirs=lambda folder=plain: world.run(folder, "--quiet"),
                   against="the same without secrets", figure=SPEED, goal=0.8 if size == 100 * MB else None)
