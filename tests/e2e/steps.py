"""How steps end, and that every byte of what they print is kept."""

import base64
import hashlib
import os
import random
import signal
import subprocess

import e2e

ROWS, IN_A_ROW = 4, 250  # a thousand containers

MANY = f"""
stages:
  - name: many
    matrix: {{ row: [{', '.join(f'"{row}"' for row in range(ROWS))}] }}
    image: {e2e.IMAGE}
    env: {{ ROW: "${{{{ matrix.row }}}}" }}
    steps:
"""


def exit_code(row, step):
    """The rows are shifted against each other, so that together they have all 256."""
    return (row * IN_A_ROW + step) % 256


class Endings(e2e.Case):
    def test_a_thousand_containers_that_end_at_once_keep_their_last_line_and_their_exit_code(self):
        steps = "".join(
            f"      - {{ name: s{step}, allow_failure: true, run: 'printf \"first\\nlast {step} of %s\" $ROW; "
            f"exit $(( (ROW * {IN_A_ROW} + {step}) % 256 ))' }}\n" for step in range(IN_A_ROW))
        shown = self.run_pipeline(MANY + steps, "--jobs", str(ROWS), limit=500)

        ended = e2e.steps_of(shown)
        expected = {f"many[row={row}]/s{step}": (row, step) for row in range(ROWS) for step in range(IN_A_ROW)}
        self.assertEqual(ended.keys(), expected.keys())
        self.assertEqual({step["exit_code"] for step in ended.values()}, set(range(256)))
        for name, (row, step) in expected.items():
            code = exit_code(row, step)
            self.assertEqual((ended[name]["exit_code"], ended[name]["state"]), (code, "failure" if code else "success"), name)
            self.assertEqual(ended[name]["log_bytes"], len(f"first\nlast {step} of {row}"), name)
        printed = self.gantry("logs", "latest").stdout.decode().splitlines()
        self.assertEqual(sorted(line for line in printed if "last" in line),
                         sorted(f"{name} | last {step} of {row}" for name, (row, step) in expected.items()))
        self.assertEqual(self.logs(f"many[row=3]/s{IN_A_ROW - 1}"), b"first\nlast %d of 3" % (IN_A_ROW - 1))

    def test_one_thread_holds_the_connections_of_all_steps_and_no_program_is_started(self):
        """As many threads for twenty steps at once as for one."""
        threads = {}
        for count in (1, 20):
            steps = "".join(f"      - {{ name: s{n}, run: \"echo runs; trap 'exit 0' USR1; sleep 1000 & wait\" }}\n" for n in range(count))
            run = self.start(self.folder(f"image: {e2e.IMAGE}\nsteps:\n  - parallel:\n{steps}"), "--jobs", "20")
            for _ in range(count):
                run.until("output", text="runs")
            process = f"/proc/{run.process.pid}"
            threads[count] = len(os.listdir(process + "/task"))
            sockets = [name for name in os.listdir(process + "/fd") if os.readlink(f"{process}/fd/{name}").startswith("socket:")]
            self.assertGreaterEqual(len(sockets), 2 * count)
            for task in os.listdir(process + "/task"):
                with open(f"{process}/task/{task}/children", encoding="ascii") as file:
                    self.assertEqual(file.read().split(), [])
            run.signal(2)
            self.assertEqual(run.end(), 130)
        self.assertEqual(threads[1], threads[20])

    def test_a_signal_is_told_by_its_number(self):
        numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV,
                   signal.SIGTERM, signal.SIGUSR1]
        steps = "".join(f"  - {{ name: s{number}, allow_failure: true, run: 'kill -{number} $$' }}\n"
                        for number in map(int, numbers))
        ended = e2e.steps_of(self.run_pipeline(f"image: {e2e.IMAGE}\nsteps:\n{steps}"))
        for number in numbers:
            step = ended[f"main/s{int(number)}"]
            self.assertEqual((step["state"], step["cause"], step["signal"], step["exit_code"]),
                             ("failure", "killed_by_signal", number, 128 + number))
        text = self.gantry("show").stdout.decode()
        for number in numbers:
            self.assertIn(f"killed by {number.name}", text)

    def test_out_of_memory_is_told_apart_from_a_kill_from_inside(self):
        """As far as the engine hears of it: dockerd misses a few of a hundred kills when the machine is busy."""
        eats = "dd if=/dev/zero of=/dev/null bs=512M count=1"
        heard = set()
        with self.engine.events(["oom", "die"]) as events:
            ended = e2e.steps_of(self.run_pipeline(f"""
                image: {e2e.IMAGE}
                resources: {{ memory: 32m }}
                steps:
                  - {{ name: eats-1, allow_failure: true, run: exec {eats} }}
                  - {{ name: eats-2, allow_failure: true, run: exec {eats} }}
                  - {{ name: eats-3, allow_failure: true, run: exec {eats} }}
                  - {{ name: killed, allow_failure: true, run: kill -9 $$ }}
                  - {{ name: child, run: "{eats} || sleep 1" }}
            """))
            instance = self.instance()
            for event in events:
                labels = event["Actor"]["Attributes"]
                if labels.get("gantry.instance") != instance:
                    continue
                if event["Action"] == "oom":
                    heard.add(labels["gantry.step"])
                elif labels.get("gantry.step") == "child":
                    break
        self.assertGreaterEqual(len(heard & {"eats-1", "eats-2", "eats-3"}), 1)
        for name in ("eats-1", "eats-2", "eats-3", "killed"):
            step = ended["main/" + name]
            self.assertEqual((step["state"], step["exit_code"]), ("failure", 137), name)
            self.assertEqual(step["cause"], "oom" if name in heard else "killed_by_signal", name)
            self.assertIn("32 MiB", step["message" if name in heard else "hint"])
        self.assertNotIn("killed", heard)
        self.assertNotIn("message", ended["main/killed"])
        self.assertEqual(ended["main/child"]["state"], "success")
        if "child" in heard:
            self.assertIn("want of memory", ended["main/child"]["message"])

    def test_a_step_that_takes_too_long_or_is_silent_for_too_long_times_out(self):
        shown = self.run_pipeline(f"""
            image: {e2e.IMAGE}
            steps:
              - parallel:
                  - {{ name: long, timeout: 1s, run: "while :; do echo on; sleep 0.1; done" }}
                  - {{ name: silent, idle_timeout: 1s, run: echo once; exec sleep 1000 }}
        """, expect=4)
        self.assertEqual([(step["state"], step["cause"]) for step in e2e.steps_of(shown).values()],
                         [("timed_out", "timeout")] * 2)
        self.assertEqual(self.logs("silent"), b"once\n")


def digest_of(command, environment):
    """SHA-256 and size of what a command prints."""
    digest, size = hashlib.sha256(), 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        while piece := process.stdout.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    assert process.returncode == 0, command
    return digest.hexdigest(), size


class Output(e2e.Case):
    def test_a_hundred_megabytes_are_kept_byte_for_byte(self):
        """Every value of a byte, lines of every length, no newline at the end."""
        piece = random.Random(1).randbytes(1 << 20)
        self.run_pipeline(f"image: {e2e.IMAGE}\nsteps:\n"
                          "  - { name: noise, run: 'i=0; while [ $i -lt 100 ]; do cat noise; i=$((i + 1)); done; printf end' }\n",
                          files={"noise": piece})
        expected = piece * 100 + b"end"
        self.assertEqual(digest_of([e2e.GANTRY, "logs", "latest", "noise"], self.environment),
                         (hashlib.sha256(expected).hexdigest(), len(expected)))

    def test_one_line_of_fifty_megabytes_is_kept(self):
        size = 50 << 20
        self.run_pipeline(f"image: {e2e.IMAGE}\nsteps: [{{ name: line, run: 'head -c {size} /dev/zero | tr \"\\0\" x' }}]\n")
        self.assertEqual(digest_of([e2e.GANTRY, "logs", "latest", "line"], self.environment),
                         (hashlib.sha256(b"x" * size).hexdigest(), size))

    def test_both_streams_are_kept_and_programs_can_read_them_whatever_the_bytes(self):
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps: [{{ name: s, run: "printf a; printf b >&2; printf '\\\\303'" }}]
        """))
        self.assertEqual(live.end(), 0)
        seen = {"out": b"", "err": b""}
        for event in live.events:
            if event["event"] == "output":
                seen[event["stream"]] += event["text"].encode() if "text" in event else base64.b64decode(event["base64"])
        self.assertEqual(seen, {"out": b"a\303", "err": b"b"})
        self.assertEqual(sorted(self.logs("s")), sorted(b"ab\303"))

    def test_a_follower_sees_all_of_a_step_that_goes_on(self):
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps: [{{ name: s, run: "trap 'printf late; exit 0' USR1; echo early; while :; do sleep 1000 & wait; done" }}]
        """))
        live.until("output", text="early")
        follower = subprocess.Popen([e2e.GANTRY, "logs", "-f", "latest", "s"], env=self.environment, stdout=subprocess.PIPE)
        self.assertEqual(follower.stdout.readline(), b"early\n")
        self.engine.signal(self.engine.container_of("s", instance=self.instance()), "USR1")
        self.assertEqual(follower.communicate(timeout=e2e.LIMIT)[0], b"late")
        self.assertEqual((live.end(), follower.returncode), (0, 0))


if __name__ == "__main__":
    e2e.main()
