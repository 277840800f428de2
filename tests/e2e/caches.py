"""Caches on a real engine: what is kept from run to run, who may write to it, and what is left when somebody dies."""

import json
import os
import re
import signal
import subprocess

import e2e


def pipeline(run, more="", cache="{ name: deps, path: /deps, key: k }", image=e2e.IMAGE):
    return f"""
        defaults: {{ image: {image} }}
        stages:
          - name: main
            caches: [{cache}]
            steps:
              - name: work
                run: |
                  {run}
                {more}
    """


class Caches(e2e.Case):
    def tearDown(self):
        """What caches keep is to be there after a run; nothing is when they have been removed."""
        self.gantry("cache", "rm", "--all")
        self.assert_nothing_left()

    def layers(self):
        """The volumes that records name, each once."""
        return sorted({f"volume {layer['volume']}" for entry in self.entries() for layer in entry["layers"]})

    def assert_only_layers_left(self):
        layers = self.layers()
        self.assertEqual(self.left(), layers)

    def entries(self):
        return json.loads(self.gantry("cache", "ls", "--json").stdout)

    def run_with(self, run, expect=0, arguments=(), name="project", **options):
        """Runs it; the lines about caches, and the output of the step."""
        folder = self.folder(pipeline(run, **options), name=name)
        done = self.gantry("run", *arguments, folder, expect=expect)
        told = re.findall(rb"^gantry: main: cache (.*)$", done.stderr, re.M)
        return [line.decode() for line in told], done.stdout.decode()

    def test_what_a_stage_leaves_is_there_in_the_next_run_and_what_it_removes_is_not(self):
        told, _ = self.run_with("mkdir /deps/sub; echo one > /deps/sub/a; echo two > /deps/b; ln -s b /deps/link")
        self.assertEqual(len(told), 2, told)
        self.assertRegex(told[0], "^deps: miss, key k$")
        self.assertRegex(told[1], "^deps: saved, key k, 8 B$")
        self.assert_only_layers_left()

        told, out = self.run_with("cat /deps/sub/a /deps/link; rm -r /deps/sub; echo three > /deps/c")
        self.assertIn("one", out)
        self.assertIn("two", out)
        self.assertRegex(told[0], "^deps: hit, key k")
        self.assert_only_layers_left()

        told, out = self.run_with("ls /deps | tr '\\n' ' '; cat /deps/c")
        self.assertIn("b c link three", out)
        self.assertEqual(len(told), 1, told)  # it has changed nothing
        self.assertEqual(len(self.entries()), 1)
        self.assertEqual(len(self.entries()[0]["layers"]), 2)
        self.assert_only_layers_left()

    def test_a_stage_that_failed_keeps_nothing(self):
        self.run_with("echo good > /deps/a")
        self.run_with("echo bad > /deps/a; exit 1", expect=1)
        self.assert_only_layers_left()
        _, out = self.run_with("cat /deps/a")
        self.assertIn("good", out)

    def test_a_cache_below_the_workspace_is_no_part_of_it(self):
        relative = "{ name: modules, path: node_modules, key: k }"
        self.run_with("echo one > node_modules/a", cache=relative)
        _, out = self.run_with("cat node_modules/a", cache=relative)
        self.assertIn("one", out)

    def test_steps_that_are_not_root_may_write_to_it(self):
        self.run_with("id -u > /deps/a", more="user: '1234'")
        _, out = self.run_with("cat /deps/a; echo more > /deps/b", more="user: '1234'")
        self.assertIn("1234", out)

    def test_the_key_follows_the_files_and_a_beginning_finds_the_last_one(self):
        cache = "{ name: go-mod, path: /deps, key: { files: [go.sum] }, fallback_keys: [go-] }"
        path = os.path.join(self.home, "project", "go.sum")
        e2e.write(path, "one")
        told, _ = self.run_with("echo one > /deps/a", cache=cache)
        self.assertRegex(told[0], "^go-mod: miss, key go-mod-[0-9a-f]{64}$")
        told, _ = self.run_with("cat /deps/a", cache=cache)
        self.assertRegex(told[0], "^go-mod: hit")
        e2e.write(path, "two")
        told, out = self.run_with("cat /deps/a", cache=cache)
        self.assertRegex(told[0], "^go-mod: fallback go-mod-[0-9a-f]{64} for key go-mod-[0-9a-f]{64}")
        self.assertIn("one", out)
        told, _ = self.run_with("true", cache=cache)
        self.assertRegex(told[0], "^go-mod: hit")
        self.assert_only_layers_left()

    def test_other_repositories_have_caches_of_their_own(self):
        self.run_with("echo secret > /deps/a")
        told, _ = self.run_with("[ ! -e /deps/a ]", name="other")
        self.assertRegex(told[0], "miss")

    def test_two_stages_at_once_both_add_to_it(self):
        stages = "\n".join(f"""
          - name: {name}
            needs: []
            caches: [{{ name: deps, path: /deps, key: k }}]
            steps: [{{ name: work, run: "echo {name} > /deps/{name}" }}]""" for name in ("left", "right"))
        self.gantry("run", self.folder(f"defaults: {{ image: {e2e.IMAGE} }}\nstages:{stages}\n"))
        _, out = self.run_with("cat /deps/left /deps/right")
        self.assertIn("left", out)
        self.assertIn("right", out)
        self.assert_only_layers_left()

    def test_what_is_saved_on_top_of_anothers_has_folders_that_it_made_anew_to_itself(self):
        self.run_with("mkdir /deps/d; echo 1 > /deps/d/old")
        waits = "trap 'exit 0' USR1; echo runs; while :; do sleep 1000 & wait || true; done"
        folder = self.folder(pipeline(f"if [ $CI_PIPELINE_NUMBER = 2 ]; then echo x > /deps/d/x; echo x > /deps/x; else rm -r /deps/d; mkdir /deps/d; "
                                      f"echo y > /deps/d/y; fi; {waits}"))
        lives = [self.start(folder) for _ in range(2)]
        for live in lives:
            live.until("output", text="runs")
        runs = [live.events[0]["run"] for live in lives]
        self.assertEqual(runs, ["2", "3"])
        for live, run in zip(lives, runs):
            self.engine.signal(self.engine.container_of("work", instance=self.instance(), run=run), "USR1")
            self.assertEqual(live.end(), 0)
        told = [event["message"] for event in lives[1].events if event["event"] == "cache"]
        self.assertRegex(told[-1], "^deps: saved, key k, .*, on top of that of run 2, stage main$")
        _, out = self.run_with("find /deps -type f | sort")
        self.assertEqual([line.split("| ")[1] for line in out.splitlines()], ["/deps/d/y", "/deps/x"])
        self.assert_only_layers_left()

    def test_two_runs_at_once_both_add_to_it_and_what_they_replace_is_one_of_theirs_whole(self):
        fill = " ".join(f"echo $CI_PIPELINE_NUMBER > {file};" for file in ("/deps/$CI_PIPELINE_NUMBER", "/deps/last", "/whole/a", "/whole/b"))
        waits = f"trap 'exit 0' USR1; {fill} echo runs; while :; do sleep 1000 & wait || true; done"

        def caches(key, policy):
            return f"{{ name: deps, path: /deps, key: {key} }}, {{ name: whole, path: /whole, key: {key}, policy: {policy} }}"

        for key, in_turn in (("in-turn", True), ("together", False)):
            with self.subTest(key):
                folder = self.folder(pipeline(waits, cache=caches(key, "push")))
                lives = [self.start(folder) for _ in range(2)]
                for live in lives:
                    live.until("output", text="runs")
                runs = [live.events[0]["run"] for live in lives]
                for live, run in reversed(list(zip(lives, runs))):  # the later one saves first
                    self.engine.signal(self.engine.container_of("work", instance=self.instance(), run=run), "USR1")
                    if in_turn:
                        live.end()
                if not in_turn:
                    for live in lives:
                        live.end()
                self.assertEqual([live.process.returncode for live in lives], [0, 0])
                self.assert_only_layers_left()

                told, _ = self.run_with("ls /deps | grep -v last; cat /deps/last /whole/a /whole/b", cache=caches(key, "pull"))
                self.assertEqual([line.split(",")[0] for line in told], ["deps: hit", "whole: hit"])
                *writers, last, one, two = self.logs("work").decode().split()
                self.assertEqual(sorted(writers), sorted(runs))
                self.assertEqual(one, two)
                self.assertLessEqual({last, one}, {runs[0]} if in_turn else set(runs))

    def test_a_locked_cache_has_one_run_at_a_time_and_the_next_finds_what_it_left(self):
        folder = self.folder(pipeline("trap 'exit 0' USR1; ls /deps; echo $CI_PIPELINE_NUMBER > /deps/last; echo runs; "
                                      "while :; do sleep 1000 & wait || true; done",
                                      cache="{ name: deps, path: /deps, key: k, mode: locked }"))
        first = self.start(folder)
        first.until("output", text="runs")
        second = self.start(folder)
        self.assertIn("cache deps", second.until("waiting")["message"])
        runs = [live.events[0]["run"] for live in (first, second)]
        self.assertEqual(self.engine.objects(instance=self.instance(), run=runs[1], step="work"), [])
        for live, run in zip((first, second), runs):
            if live is second:
                live.until("output", text="runs")
            self.engine.signal(self.engine.container_of("work", instance=self.instance(), run=run), "USR1")
            live.end()
            self.assertEqual(live.process.returncode, 0)
        self.assertEqual(self.logs("work").decode().split()[0], "last")
        _, out = self.run_with("cat /deps/last", cache="{ name: deps, path: /deps, key: k, mode: locked }")
        self.assertIn(runs[1], out)
        self.assert_only_layers_left()

    def test_a_stage_finds_what_one_that_it_needs_has_saved(self):
        self.gantry("run", self.folder(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - name: fill
                caches: [{{ name: deps, path: /deps }}]
                steps: [{{ name: work, run: "echo one > /deps/a" }}]
              - name: use
                caches: [{{ name: deps, path: /elsewhere }}]
                steps: [{{ name: work, run: "cat /elsewhere/a" }}]
        """))

    def test_where_the_engine_mounts_nothing_it_is_copied(self):
        self.run_with("true")  # finds out what the engine can do
        engines = os.path.join(self.home, "cache", "gantry", "engines")
        for name in os.listdir(engines):
            e2e.write(os.path.join(engines, name), "copy")
        told, _ = self.run_with("mkdir /deps/sub; echo one > /deps/sub/a; ln -s sub /deps/link; touch -d @1000000000 /deps/sub/a")
        self.assertRegex(told[-1], "saved")
        self.assert_only_layers_left()
        told, out = self.run_with("cat /deps/link/a; stat -c %Y /deps/sub/a")
        self.assertEqual(len(told), 1, told)  # it has changed nothing
        self.assertIn("one", out)
        self.assertIn("1000000000", out)
        self.run_with("rm -r /deps/sub; echo two > /deps/b")
        _, out = self.run_with("ls /deps | tr '\\n' ' '")
        self.assertIn("b link", out)
        self.assertEqual(len(self.entries()[0]["layers"]), 1)
        self.assert_only_layers_left()

    def test_export_and_import(self):
        self.run_with("mkdir /deps/sub; echo one > /deps/sub/a; ln -s sub /deps/link; chmod 750 /deps/sub")
        self.run_with("rm /deps/link; echo two > /deps/b")
        archive = os.path.join(self.home, "deps.tar")
        self.gantry("cache", "export", "deps", "k", archive)
        self.assert_only_layers_left()
        names = subprocess.run(["tar", "-tf", archive], check=True, capture_output=True, text=True).stdout.split()
        self.assertEqual(sorted(names), ["cache/", "cache/b", "cache/sub/", "cache/sub/a", "gantry-cache.json"])
        self.gantry("cache", "rm", "deps")
        self.assertEqual(self.left(), [])
        self.gantry("cache", "import", archive, "--of", os.path.join(self.home, "project"))
        self.assert_only_layers_left()
        told, out = self.run_with("cat /deps/sub/a /deps/b; stat -c %a /deps/sub; ls /deps | tr '\\n' ' '")
        self.assertRegex(told[0], "^deps: hit")
        for expected in ("one", "two", "750", "b sub"):
            self.assertIn(expected, out)
        e2e.write(archive, "no archive")
        self.gantry("cache", "import", archive, expect=2)
        self.assert_only_layers_left()

    def test_what_is_damaged_is_not_exported(self):
        self.run_with("mkdir /deps/sub; echo one > /deps/sub/a")
        self.run_with("echo two > /deps/b")
        for layer in self.entries()[0]["layers"][:1]:
            body = {"Image": e2e.IMAGE, "Cmd": ["sh", "-c", "echo 0ne > /v/sub/a"], "HostConfig": {"Binds": [layer["volume"] + ":/v"]},
                    "Labels": {"gantry.instance": self.instance()}}
            _, made = self.engine.call("POST", "/containers/create", json.dumps(body))
            container = json.loads(made)["Id"]
            self.engine.call("POST", f"/containers/{container}/start")
            self.engine.call("POST", f"/containers/{container}/wait")
            self.engine.call("DELETE", f"/containers/{container}")
        done = self.gantry("cache", "export", "deps", "k", os.path.join(self.home, "deps.tar"), expect=2)
        self.assertIn("cache deps, key k, is damaged", done.stderr.decode())
        self.assertFalse(os.path.exists(os.path.join(self.home, "deps.tar")))
        told, _ = self.run_with("ls /deps")
        self.assertRegex(told[0], "^deps: miss")

    def test_an_import_is_for_what_a_run_here_looks_in(self):
        project = self.folder(pipeline("true"), name="project")
        subprocess.run(["git", "init", "-q", project], check=True, env=self.environment)
        self.run_with("echo one > /deps/a")
        archive = self.gantry("cache", "export", "deps", "k", "-").stdout
        for below in (".", "sub"):
            with self.subTest(below):
                self.gantry("cache", "rm", "--all")
                os.makedirs(os.path.join(project, below), exist_ok=True)
                self.gantry("cache", "import", "-", "--of", os.path.join(project, below), input=archive)
                told, _ = self.run_with("cat /deps/a")
                self.assertRegex(told[0], "^deps: hit")
                for of in (project, project + "/", os.path.join(project, below)):
                    self.assertIn("deps", self.gantry("cache", "ls", "--of", of).stdout.decode())
        self.assert_only_layers_left()

    def test_a_private_cache_comes_back_to_its_branch(self):
        private = "{ name: deps, path: /deps, key: k, mode: private }"
        for branch in ("one", "two"):
            self.run_with(f"echo {branch} > /deps/a", cache=private, arguments=["--branch", branch])
        archive = os.path.join(self.home, "deps.tar")
        self.gantry("cache", "export", "deps", "k", archive, expect=2)  # which?
        self.gantry("cache", "export", "deps", "k", archive, "--branch", "one")
        self.gantry("cache", "rm", "--all")
        self.assertIn(b", branch one", self.gantry("cache", "import", archive, "--of", os.path.join(self.home, "project")).stderr)
        told, _ = self.run_with("true", cache=private, arguments=["--branch", "two"])
        self.assertRegex(told[0], "^deps: miss")
        told, out = self.run_with("cat /deps/a", cache=private, arguments=["--branch", "one"])
        self.assertRegex(told[0], "^deps: hit")
        self.assertIn("one", out)

    def test_an_archive_is_written_whole_or_not_at_all(self):
        self.run_with("echo one > /deps/a")
        target = os.path.join(self.home, "target")
        os.makedirs(target)
        self.assertIn(b"is a directory", self.gantry("cache", "export", "deps", "k", target, expect=2).stderr)
        self.assertEqual([name for name in os.listdir(self.home) if name.startswith("target")], ["target"])
        self.gantry("cache", "export", "deps", "k", os.path.join(self.home, "no", "folder"), expect=2)

    def test_cache_ls_show_and_rm(self):
        for key in ("one", "two"):
            self.run_with(f"echo {key} > /deps/a", cache=f"{{ name: deps, path: /deps, key: {key} }}")
        table = self.gantry("cache", "ls").stdout.decode()
        self.assertRegex(table, r"(?m)^deps +two +4 B")
        self.assertIn(os.path.join(self.home, "project"), table)
        self.assertIn("by run 1, stage main", self.gantry("cache", "show", "deps", "one").stdout.decode())
        self.assertIn(b"did you mean deps?", self.gantry("cache", "rm", "dep", expect=None).stderr)
        self.gantry("cache", "rm", "deps", "one")
        self.assertEqual([entry["key"] for entry in self.entries()], ["two"])
        self.assert_only_layers_left()
        self.gantry("cache", "rm", "--keep", "3")
        self.assertEqual(self.left(), [])

    def test_a_failed_step_that_is_kept_keeps_what_it_had_until_it_is_removed(self):
        self.run_with("echo one > /deps/a")
        self.run_with("echo two > /deps/b; exit 1", expect=1, arguments=["--keep-failed"])
        self.run_with("[ ! -e /deps/b ]; echo three > /deps/c")
        done = self.gantry("shell", "2", "work", "--", "cat", "/deps/a", "/deps/b")
        self.assertEqual(done.stdout, b"one\ntwo\n")
        self.gantry("rm", "2")
        self.runs()
        self.assert_only_layers_left()

    def test_many_layers_are_put_together(self):
        for number in range(18):
            self.run_with(f"echo {number} > /deps/{number}; echo {number} > /deps/last; rm -f /deps/{number - 2}")
            self.assertLessEqual(len(self.entries()[0]["layers"]), 16)
        _, out = self.run_with("ls /deps | tr '\\n' ' '; cat /deps/last")
        self.assertIn("16 17 last 17", out)
        self.assert_only_layers_left()

    def test_a_volume_that_is_gone_is_a_miss_and_is_told(self):
        self.run_with("echo one > /deps/a")
        self.engine.call("DELETE", f"/volumes/{self.entries()[0]['layers'][0]['volume']}")
        folder = self.folder(pipeline("[ ! -e /deps/a ]; echo two > /deps/a"))
        done = self.gantry("run", folder)
        self.assertIn(b"damaged", done.stderr)
        self.assertIn(b"deps: miss", done.stderr)
        _, out = self.run_with("cat /deps/a")
        self.assertIn("two", out)

    def test_kill_9_at_any_moment_leaves_the_old_one_or_the_new_one(self):
        before = "first"
        self.run_with(f"echo {before} > /deps/a")
        writes = lambda word: self.folder(pipeline(f"cat /deps/a; echo {word} > /deps/a"))
        live = self.start(writes(before))
        self.assertEqual(live.end(), 0)
        length = len(live.events)
        for number in range(1, length + 1, 5):
            with self.subTest(f"behind event {number} of {length}"):
                live = self.start(writes(f"word-{number}"))
                for _ in range(number):
                    live.next()
                live.signal(signal.SIGKILL)
                live.end()
                # Any command cleans up; what a busy engine makes only then, a later one does.
                e2e.eventually(lambda: self.layers() == self.left(), "only layers are left in the engine")
                told, _ = self.run_with("cat /deps/a")
                self.assertRegex(told[0], "^deps: hit")
                found = self.logs("work").decode().strip()
                self.assertIn(found, (before, f"word-{number}"))
                self.assert_only_layers_left()
                before = found

    def test_limits_drop_what_was_used_least_recently(self):
        for key in "abc":
            self.environment["GANTRY_CACHE_MAX"] = "250k"
            told, _ = self.run_with("head -c 100000 /dev/zero > /deps/file", cache=f"{{ name: deps, path: /deps, key: {key} }}")
        self.assertIn("deps: dropped, key a: the limit is reached and it was used least recently", told)
        self.assertEqual(sorted(entry["key"] for entry in self.entries()), ["b", "c"])
        self.assert_only_layers_left()

    def test_caches_that_cannot_be_are_told_at_check(self):
        done = self.gantry("check", self.folder(pipeline("true", cache="{ name: deps, path: ~/.m2 }")), expect=2)
        self.assertRegex(done.stderr.decode(), r"\.gantry\.yml:\d+:\d+: error: cache 'deps': the path '~/.m2' depends")


if __name__ == "__main__":
    e2e.main()
