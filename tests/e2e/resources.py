"""What steps and services use is seen: at their end, in `gantry show` and as events, and while they run, in `gantry top`."""

import json
import signal

import e2e
from terminal import Terminal

MB = 1_000_000

# 100 MB in a variable of the shell, kept until the statistics have been asked for.
ALLOCATES = """
                  x=$(head -c 100000000 /dev/zero | tr '\\0' x)
                  sleep 3
                  echo ${#x}
"""
# Two seconds by the kernel's count, whatever else the machine does, and then a look.
BURNS = """
                  used() { set -- $(cat /proc/$$/stat); echo $((${14} + ${15})); }
                  until [ $(used) -ge 200 ]; do i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done; done
                  sleep 1.5
"""


class Seen(e2e.Case):
    def test_peak_memory_and_processor_time_are_told_at_the_end_of_a_step(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: allocates
                run: |{ALLOCATES}
              - name: burns
                run: |{BURNS}
              - {{ name: short, run: "true" }}
        """)
        live = self.start(folder)
        self.assertEqual(live.end(), 0)
        told = {event["step"]: event.get("use") for event in live.events if event["event"] == "step_finished"}
        steps = e2e.steps_of(self.show())
        for name, use in told.items():
            self.assertEqual(steps[f"main/{name}"].get("use"), use)

        self.assertGreater(told["allocates"]["memory_peak_bytes"], 95 * MB)
        self.assertLess(told["allocates"]["memory_peak_bytes"], 400 * MB)
        self.assertGreaterEqual(told["burns"]["cpu_ns"], 1_000_000_000)
        self.assertLess(told["burns"]["cpu_ns"], 6_000_000_000)
        self.assertLess(told["burns"]["memory_peak_bytes"], 50 * MB)
        self.assertIsNone(told["short"], "asking costs more than the step")

        text = self.gantry("show").stdout.decode()
        peak = f"{told['allocates']['memory_peak_bytes'] / MB:.0f} MB"
        self.assertRegex(text, rf"✓ allocates .*\n +CPU [0-9.]+s · memory up to {peak}")
        self.assertRegex(text, r"✓ burns .*\n +CPU [1-5]\.[0-9]s · memory up to ")

    def test_what_is_sent_and_received_is_told_of_steps_and_services(self):
        shown = self.run_pipeline(f"""
            image: {e2e.IMAGE}
            services: {{ web: {{ image: {e2e.IMAGE}, command: [httpd, -f, -p, "80", -h, /etc], ready: {{ tcp: 80 }} }} }}
            steps:
              - {{ name: fetches, run: "wget -q -O /dev/null http://web/passwd; sleep 2" }}
        """)
        use = e2e.steps_of(shown)["main/fetches"]["use"]
        self.assertGreater(use.get("received_bytes", 0), 100)
        self.assertGreater(use.get("sent_bytes", 0), 100)
        service = shown["stages"][0]["services"][0]
        self.assertGreater(service["use"]["memory_peak_bytes"], 100_000)
        self.assertGreater(service["use"]["received_bytes"], 100)

    def test_out_of_memory_names_the_limit_and_what_was_seen(self):
        shown = self.run_pipeline(f"""
            image: {e2e.IMAGE}
            resources: {{ memory: 64m }}
            retry: {{ max: 4, when: [failure] }}
            steps: [{{ name: eats, run: "x=$(head -c 20000000 /dev/zero | tr '\\\\0' x); sleep 2; tail /dev/zero || sleep 1; exit 1" }}]
        """, expect=1) # a second, so that the engine hears of the kill before the end; a busy one does not hear of every one
        step = e2e.steps_of(shown)["main/eats"]
        self.assertEqual(step["cause"], "oom")
        self.assertRegex(step["message"], r"^out of memory: its limit is 64 MiB, [2-6][0-9](\.[0-9])? MiB when last seen$")
        self.assertEqual(step["use"]["memory_limit_bytes"], 64 << 20)


class Top(e2e.Case):
    def top(self, *arguments):
        return json.loads(self.gantry("top", "--json", *arguments).stdout)

    def test_what_runs_is_shown_with_what_it_uses_and_only_that(self):
        self.assertEqual(self.top(), [])
        live = self.start(self.folder(f"""
            services: {{ idle: {{ image: {e2e.IMAGE}, command: [sleep, "1000"] }} }}
            image: {e2e.IMAGE}
            steps:
              - {{ name: first, run: "true" }}
              - {{ name: busy, run: "echo ready; while :; do :; done" }}
              - {{ name: never, run: "true" }}
        """))
        live.until("output", text="ready")
        rows = {row["step"]: row for row in self.top()}
        self.assertEqual(set(rows), {"busy", "services/idle"})
        busy, idle = rows["busy"], rows["services/idle"]
        self.assertEqual((busy["run"], busy["stage"], busy["attempt"]), ("1", "main", 1))
        self.assertGreater(busy["cpu_percent"], 10)
        self.assertGreater(busy["use"]["memory_bytes"], 0)
        self.assertGreater(busy["duration_ns"], 0)
        self.assertLess(idle["cpu_percent"], 10)

        table = self.gantry("top").stdout.decode().splitlines()  # no terminal: one table
        self.assertRegex(table[0], r"^RUN +STEP +CPU +MEMORY / LIMIT +DISK R / W +NETWORK I / O +TIME$")
        self.assertEqual(len(table), 3)
        self.assertRegex(table[2] if "busy" in table[2] else table[1], r"^1 +main/busy +[0-9]+% +[0-9.]+ [kM]B / [0-9.]+ [MG]B ")

        live.signal(signal.SIGINT)
        live.end()
        self.assertEqual(self.top("latest"), [])
        self.assertIn("has ended: gantry show 1", self.gantry("top", "1").stderr.decode())

    def test_a_terminal_gets_a_table_in_place_until_the_run_ends(self):
        live = self.start(self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: waits, run: 'echo ready; exec sleep 1000' }}]\n"))
        live.until("output", text="ready")
        top = Terminal(self, "top", "1")
        top.until(lambda: top.seen.count("main/waits") >= 2)
        self.assertIn("\x1b[2A", top.seen)
        live.signal(signal.SIGINT)
        live.end()
        self.assertEqual(top.end(), 0)
        self.assertIn("run 1 has ended", top.seen)
        self.assertTrue(top.seen.count("\x1b[?25h") >= 2)

    def test_a_run_that_is_not_there_is_told(self):
        self.gantry("top", "17", expect=2)


if __name__ == "__main__":
    e2e.main()
