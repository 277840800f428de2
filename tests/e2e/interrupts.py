"""Whatever ends a run from outside, Ctrl-C, SIGTERM, `gantry cancel`, nothing is left when it returns."""

import datetime
import os
import signal
import subprocess

import e2e

PIPELINE = f"""
defaults: {{ image: {e2e.IMAGE} }}
stages:
  - name: make
    steps:
      - {{ name: one, run: echo one > file && echo made }}
      - {{ name: two, run: cat file }}
  - name: check
    steps:
      - parallel:
          - {{ name: left, run: cat file }}
          - {{ name: right, run: cat file }}
    finally:
      - {{ name: tidy, run: rm -f file }}
"""

# When to press Ctrl-C: behind the first such event.
MOMENTS = [
    ("run_started", {}),
    ("intent", {"object_kind": "network"}),
    ("intent", {"object_kind": "volume"}),
    ("intent", {"object_kind": "container"}),
    ("step_started", {"step": "one"}),
    ("output", {"text": "made"}),
    ("step_finished", {"step": "one"}),
    ("stage_finished", {"stage": "make"}),
    ("step_started", {"step": "left"}),
    ("step_started", {"step": "tidy"}),
]

# Deaf to its stop signal (a `wait` that a signal ends fails), with more grace than this test has time.
WAITS = "trap 'echo heard' TERM; echo ready; while :; do sleep 1000 & wait || true; done"
DEAF = f"""
image: {e2e.IMAGE}
steps: [{{ name: deaf, stop_grace_period: 10m, run: "{WAITS}" }}]
"""
# The same, but with less grace than is usual; its service is deaf, too.
IMPATIENT = f"""
stages:
  - name: main
    services:
      db: {{ stop_grace_period: 1s, image: {e2e.IMAGE}, command: [sh, -c, "{WAITS}"], ready: {{ log: ready }} }}
    steps: [{{ name: deaf, stop_grace_period: 1s, image: {e2e.IMAGE}, run: "{WAITS}" }}]
"""
CHATTY = f"""
image: {e2e.IMAGE}
steps: [{{ name: talks, run: "while :; do echo on and on; done" }}]
finally: [{{ name: tidy, run: echo tidied }}]
"""
OBEDIENT = f"""
image: {e2e.IMAGE}
steps: [{{ name: waits, run: "echo ready; exec sleep 1000" }}]
finally: [{{ name: tidy, run: echo tidied }}]
"""


USUAL_GRACE = 10  # seconds


def time_of(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))


class Interrupts(e2e.Case):
    def assert_gone(self, live):
        """No process of it lives, and nothing in the engine."""
        with self.assertRaises(ProcessLookupError):
            os.killpg(live.process.pid, 0)
        self.assert_nothing_left()

    def test_ctrl_c_at_ten_moments_leaves_nothing(self):
        folder = self.folder(PIPELINE)
        for event, fields in MOMENTS:
            with self.subTest(event=event, **fields):
                live = self.start(folder)
                live.until(event, **fields)
                live.signal(signal.SIGINT)
                self.assertEqual(live.end(), 130, live.report())
                self.assert_gone(live)
                run = self.runs()[0]
                self.assertEqual((run["state"], run["cause"]), ("cancelled", "cancelled"))
                self.assertEqual(live.events[-1]["event"], "run_finished")
                started = {event["step"] for event in live.events if event["event"] == "step_started"}
                self.assertEqual("tidy" in started, bool(started & {"left", "right"}), "finally runs where its stage ran")

    def test_a_second_ctrl_c_does_not_wait_for_the_grace(self):
        live = self.start(self.folder(DEAF))
        live.until("output", text="ready")
        live.signal(signal.SIGINT)
        live.until("output", text="heard")
        live.signal(signal.SIGINT)
        self.assertEqual(live.end(), 130)
        self.assert_gone(live)

    def test_a_step_and_a_service_that_are_deaf_are_killed_after_the_grace_that_they_have(self):
        live = self.start(self.folder(IMPATIENT))
        live.until("output", text="ready")
        live.signal(signal.SIGINT)
        asked = live.until("cancel_requested")
        step = live.until("step_finished", step="deaf")
        service = live.until("service_finished", step="services/db")
        self.assertEqual(live.end(), 130)
        for name, began, ended in (("deaf", asked, step), ("services/db", step, service)):
            self.assertEqual(ended["exit_code"], 128 + signal.SIGKILL, name)
            self.assertEqual(self.logs(name), b"ready\nheard\n")
            passed = time_of(ended) - time_of(began)
            self.assertGreaterEqual(passed.total_seconds(), 1, name)
            self.assertLess(passed.total_seconds(), USUAL_GRACE, name)

    def test_sigterm_and_sighup_clean_up_too(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name):
                live = self.start(self.folder(OBEDIENT))
                live.until("output", text="ready")
                live.signal(number)
                live.until("output", text="tidied")
                self.assertEqual(live.end(), 128 + number)
                self.assert_gone(live)

    def test_cancel_ends_a_run_with_grace_and_at_once(self):
        live = self.start(self.folder(OBEDIENT))
        live.until("output", text="ready")
        self.gantry("cancel", "latest")
        live.until("output", text="tidied")
        self.assertEqual(live.end(), 143)

        live = self.start(self.folder(DEAF))
        live.until("output", text="ready")
        self.gantry("cancel", "latest", "--now")
        self.assertEqual(live.end(), 143)
        self.assert_gone(live)
        self.assertIn(b"has ended", self.gantry("cancel", "latest", expect=2).stderr)

    def test_whoever_reads_may_go_away(self):
        """As in `gantry run | head -1`: as after SIGTERM, with grace, and without a word of SIGPIPE."""
        process = subprocess.Popen([e2e.GANTRY, "run", self.folder(CHATTY)], env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertIn(b"on and on", process.stdout.readline())
        process.stdout.close()
        said = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=e2e.LIMIT), 143, said)
        self.assertIn("nobody reads its output any more", said)
        self.assertEqual(self.logs("tidy"), b"tidied\n")
        self.assert_nothing_left()


if __name__ == "__main__":
    e2e.main()
