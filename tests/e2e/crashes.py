"""`kill -9` of gantry at any moment: the next command leaves nothing in the engine, and the run can go on or is final."""

import functools
import json
import os
import signal
import subprocess

import e2e
from proxy import Creations, Proxy

PIPELINE = f"""
defaults: {{ image: {e2e.IMAGE} }}
stages:
  - name: make
    steps:
      - {{ name: one, run: echo one > file && echo made }}
      - {{ name: two, run: cat file }}
      - {{ name: three, run: cat file }}
  - name: check
    steps:
      - parallel:
          - {{ name: left, run: cat file }}
          - {{ name: right, run: cat file }}
"""
MOMENTS = 20


class Crashes(e2e.Case):
    def length_of_a_run(self):
        """In events."""
        live = self.start(self.folder(PIPELINE))
        self.assertEqual(live.end(), 0)
        return len(live.events)

    def kill_behind(self, number):
        """Kills a run behind its event of that number; it may be at its end by then."""
        live = self.start(self.folder(PIPELINE))
        for _ in range(number):
            live.next()
        live.signal(signal.SIGKILL)
        live.end()

    def runs_once_nothing_is_left(self):
        """Any command cleans up; what a busy engine makes only then, a later one does."""
        def nothing_is_left():
            if not self.left():
                return True
            self.runs()
            return False

        runs = self.runs()
        e2e.eventually(nothing_is_left, "nothing is left in the engine")
        return runs

    def test_kill_9_at_twenty_moments_leaves_nothing_and_the_run_can_go_on(self):
        length = self.length_of_a_run()
        for moment in range(MOMENTS):
            number = moment * length // MOMENTS
            with self.subTest(f"behind event {number} of {length}"):
                before = len(self.runs())
                self.kill_behind(number)
                runs = self.runs_once_nothing_is_left()
                if len(runs) == before:
                    continue  # it had not begun
                if runs[0]["state"] == "interrupted":
                    self.gantry("resume", runs[0]["id"])
                    self.assert_nothing_left()
                self.assertEqual(self.show()["state"], "success")
                self.assertEqual(self.logs("check/left"), b"one\n")

    def test_kill_9_of_the_first_run_ever_leaves_nothing(self):
        """Which finds out first what the engine can do."""
        for number in range(2, 8):
            with self.subTest(f"behind event {number}"):
                self.environment["XDG_CACHE_HOME"] = f"{self.home}/cache{number}"
                self.kill_behind(number)
                self.runs_once_nothing_is_left()

    def kill_while_the_engine_makes(self, word):
        """The container with that word in its name is still to come when the run is dead."""
        engine = Creations.unix(f"{self.home}/docker.sock", os.getgid(), word)
        self.addCleanup(engine.close)
        self.environment["DOCKER_HOST"] = engine.host
        live = self.start(self.folder(PIPELINE))
        self.assertTrue(engine.reached.wait(e2e.LIMIT), f"no container {word} was asked for")
        live.signal(signal.SIGKILL)
        live.end()
        return engine

    def test_what_the_engine_makes_for_a_dead_run_is_waited_for(self):
        engine = self.kill_while_the_engine_makes("left")
        with subprocess.Popen(self.command(["ps"]), env=self.environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as command:
            self.assertIn("waiting for the engine", command.stderr.readline())
            engine.let_go.set()
            self.assertIn("gantry resume 1", command.stderr.read())
        self.assert_nothing_left()

    def test_what_the_engine_makes_for_a_dead_run_later_still_goes(self):
        engine = self.kill_while_the_engine_makes("left")
        self.assertIn(b"waiting for the engine", self.gantry("ps").stderr)
        self.assert_nothing_left()
        engine.let_go.set()
        e2e.eventually(lambda: any("left" in name for name in self.left()), "the engine has made the container")
        self.gantry("ps")
        self.assert_nothing_left()
        self.gantry("resume", "1")

    def test_what_uses_a_volume_of_a_dead_run_is_waited_for(self):
        """As a container does that the engine makes and does not list yet; here it is one of somebody else."""
        live = self.start(self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: exec sleep 1000 }}]\n"))
        live.until("step_started")
        live.signal(signal.SIGKILL)
        live.end()
        volume = next(name for kind, name, _ in self.engine.objects(instance=self.instance()) if kind == "volume")
        user = json.dumps({"Image": e2e.IMAGE, "HostConfig": {"Binds": [f"{volume}:/used"]}})
        status, answer = self.engine.call("POST", "/containers/create", user)
        self.assertEqual(status, 201, answer)
        remove_user = functools.partial(self.engine.call, "DELETE", f"/containers/{json.loads(answer)['Id']}")
        self.addCleanup(remove_user)
        with subprocess.Popen(self.command(["ps"]), env=self.environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as command:
            self.assertIn("waiting for the engine", command.stderr.readline())
            self.assertEqual(self.left(), [f"volume {volume}"])
            remove_user()
            self.assertIn("gantry resume 1", command.stderr.read())
        self.assert_nothing_left()

    def test_what_is_at_another_engine_is_named_and_the_same_engine_is_known_by_any_way(self):
        proxy = Proxy.unix(f"{self.home}/docker.sock", os.getgid())
        self.addCleanup(proxy.close)
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: exec sleep 1000, env: {{ GANTRY_FAKE: after=1000s }} }}]\n")
        for arguments, env in ((["--engine", "fake"], {}), ([], {"DOCKER_HOST": proxy.host})):
            live = self.start(*arguments, folder, env=env)
            live.until("step_started")
            live.signal(signal.SIGKILL)
            live.end()
        told = self.gantry("ps", "--engine", "fake").stderr.decode()
        self.assertEqual(told, f"gantry: run 2 may have left something behind: that is for gantry ps --engine-host {proxy.host}\n"
                               "gantry: nothing runs; what has run: gantry ps --all\n")
        self.assertNotEqual(self.left(), [])
        self.assertIn(b"of run 2", self.gantry("ps").stderr)
        self.assert_nothing_left()

    def test_a_run_that_was_cut_off_is_shown_as_interrupted_until_it_goes_on(self):
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - {{ name: first, run: echo first }}
              - {{ name: waits, run: 'echo ready; [ -e go ] || exec sleep 1000' }}
        """))
        live.until("output", text="ready")
        live.signal(signal.SIGKILL)
        live.end()
        self.assertNotEqual(self.left(), [])
        self.assertEqual([(run["id"], run["state"]) for run in self.runs()], [("1", "interrupted")])
        self.assert_nothing_left()
        e2e.write(f"{self.home}/project/go", "")
        self.gantry("resume", "1")
        self.assertEqual([(run["id"], run["state"]) for run in self.runs()], [("1", "success")])
        self.assertIn(b"has ended", self.gantry("resume", "1", expect=2).stderr)


if __name__ == "__main__":
    e2e.main()
