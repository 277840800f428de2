"""dockerd dies and comes back while a step runs: the engine's fault, never a failure of the step."""

import signal
import unittest

import e2e
from private_engine import PrivateEngine, why_not_here


@unittest.skipIf(why_not_here(), why_not_here())
class EngineLoss(e2e.Case):
    @classmethod
    def setUpClass(cls):
        cls.engine = PrivateEngine(0)
        cls.addClassCleanup(cls.engine.close)
        cls.engine.start()
        cls.engine.take_image(f"{e2e.IMAGE}:latest")

    def kill_and_start(self):
        self.engine.stop(signal.SIGKILL)
        self.engine.start()

    def test_a_step_whose_engine_dies_and_comes_back_is_an_error_of_the_engine(self):
        """The dockerd that starts ends what still runs: an end of 99 or 137 that says nothing about the step."""
        for trap in ("exit 99", ""):
            with self.subTest(trap=trap):
                live = self.start(self.folder(f"""
                    image: {e2e.IMAGE}
                    steps:
                      - {{ name: s, run: "trap '{trap}' TERM; echo ready; while :; do sleep 1000 & wait; done" }}
                """))
                live.until("output", text="ready")
                self.kill_and_start()
                self.assertEqual(live.end(), 3, live.report())
                step = e2e.steps_of(self.show())["main/s"]
                self.assertEqual((step["state"], step["cause"]), ("error", "engine_lost"))
                self.assertEqual(self.logs("s"), b"ready\n")
                self.assert_nothing_left()

    def test_a_retry_for_this_cause_repeats_the_step(self):
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: s
                retry: {{ max: 3, when: [engine_lost], backoff: 1s }}
                run: echo try $CI_STEP_ATTEMPT; [ $CI_STEP_ATTEMPT != 1 ] || exec sleep 1000
        """))
        live.until("output", text="try 1")
        self.kill_and_start()
        self.assertEqual(live.end(), 0, live.report())
        self.assertEqual(e2e.steps_of(self.show())["main/s"]["state"], "success")

    def test_what_a_run_left_at_an_engine_that_died_with_it_is_removed_later(self):
        live = self.start(self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: echo ready; exec sleep 1000 }}]\n"))
        live.until("output", text="ready")
        self.engine.stop(signal.SIGKILL)
        live.signal(signal.SIGKILL)
        live.end()
        self.assertIn(b"may have left something", self.gantry("ps").stderr)
        self.engine.start()
        self.assertNotEqual(self.left(), [])
        self.gantry("ps")
        self.assert_nothing_left()


@unittest.skipIf(why_not_here(), why_not_here())
class EngineStop(e2e.Case):
    """A dockerd that is stopped in order goes on answering for a moment, with its store closed."""

    @classmethod
    def setUpClass(cls):
        cls.engine = PrivateEngine(9, containerd_outlives_it=False)
        cls.addClassCleanup(cls.engine.close)
        cls.engine.start()
        cls.engine.take_image(f"{e2e.IMAGE}:latest")

    def test_nothing_stays_that_it_has_again_when_it_comes_back(self):
        for _ in range(3):
            live = self.start(self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: echo ready; exec sleep 1000 }}]\n"))
            live.until("output", text="ready")
            self.engine.stop()
            self.engine.start()
            self.assertEqual(live.end(), 3, live.report())
            self.assertEqual(e2e.steps_of(self.show())["main/s"]["cause"], "engine_lost")
            self.gantry("ps")
            self.assert_nothing_left()


if __name__ == "__main__":
    e2e.main()
