"""Commands as people type them: events, reruns, graphs, problems, secrets, what the end of a run says, and what a terminal shows.

Where no container has to prove anything, the engine is `fake`: each of its steps does what its variable GANTRY_FAKE says.
"""

import hashlib
import json
import os
import re
import shlex
import signal
import stat
import subprocess

import e2e
from terminal import SGR, TERMINAL, Terminal, columns_of

TWO_STAGES = f"""
name: shop
defaults: {{ image: {e2e.IMAGE} }}
stages:
  - {{ name: build, steps: [{{ name: make, run: "true", env: {{ GANTRY_FAKE: 'output="made\\n"' }} }}] }}
  - {{ name: test, steps: [{{ name: unit, run: "true", env: {{ GANTRY_FAKE: 'output="tested\\n" exit=%d' }} }}] }}
"""


class Fake(e2e.Case):
    def test_a_run_needs_no_docker_and_is_known_afterwards(self):
        nowhere = {"DOCKER_HOST": f"unix://{self.home}/none"}
        folder = self.folder(TWO_STAGES % 0)
        done = self.gantry("run", "--engine", "fake", folder, env=nowhere)
        self.assertEqual(done.stdout, b"build/make | made\ntest/unit | tested\n")
        self.assertIn(b"run 1 passed", done.stderr)
        listed = json.loads(self.gantry("ps", "--all", "--json", env=nowhere).stdout)
        self.assertEqual([(run["id"], run["state"], run["pipeline"], run["engine"]) for run in listed], [("1", "success", "shop", "fake 1")])
        self.assertRegex(self.gantry("ps", "--all", env=nowhere).stdout.decode(), r"(?m)^1 +success +shop ")
        shown = self.show()
        self.assertEqual((shown["id"], shown["state"]), ("1", "success"))
        self.assertEqual({name: step["state"] for name, step in e2e.steps_of(shown).items()}, {"build/make": "success", "test/unit": "success"})
        self.assertEqual(self.logs("unit"), b"tested\n")
        self.gantry("run", "--quiet", folder, env={**nowhere, "GANTRY_ENGINE": "fake"})
        self.gantry("run", "--quiet", folder, env=nowhere, expect=3)

    def test_rerun_repeats_all_and_with_failed_only_what_did_not_pass(self):
        fake = {"GANTRY_ENGINE": "fake"}
        # Nobody needs the files of `build`, which this engine does not keep.
        folder = self.folder((TWO_STAGES % 3).replace("name: test,", "name: test, needs: [],"))
        self.gantry("run", folder, env=fake, expect=1)
        e2e.write(os.path.join(folder, ".gantry.yml"), "no: pipeline\n")  # it is the plan of that run that runs again
        again = self.gantry("rerun", "1", env=fake, expect=1).stdout
        self.assertEqual(sorted(again.splitlines()), [b"build/make | made", b"test/unit | tested"])
        self.assertEqual(self.gantry("rerun", "1", "--failed", env=fake, expect=1).stdout, b"test/unit | tested\n")
        attempts = [{name: step["attempt"] for name, step in e2e.steps_of(self.show(run)).items()} for run in ("2", "3")]
        self.assertEqual(attempts, [{"build/make": 1, "test/unit": 1}, {"build/make": 0, "test/unit": 1}])
        self.assertEqual([(run["id"], run["state"]) for run in self.runs()], [("3", "failure"), ("2", "failure"), ("1", "failure")])
        self.gantry("rerun", "17", env=fake, expect=2)

    def test_what_has_passed_runs_again_when_told_so(self):
        fake = {"GANTRY_ENGINE": "fake"}
        self.gantry("run", "--quiet", self.folder(TWO_STAGES % 0), env=fake)
        self.assertEqual(self.gantry("rerun", "1", env=fake).stdout, b"build/make | made\ntest/unit | tested\n")
        self.assertEqual([run["id"] for run in self.runs()], ["2", "1"])


class Repository(e2e.Case):
    """What a run knows of its event, in a git repository whose branch `feature/x` is checked out."""

    EVENTS = {
        "push": [],
        "pull_request": ["--branch", "main"],
        "tag": ["--tag", "v1.0"],
        "schedule": [],
        "manual": [],
    }
    ON = 'on: { push: { branches: ["**"], tags: ["v*"] }, pull_request: {}, schedule: [{ cron: "0 3 * * *" }], manual: {} }\n'

    def repository(self, pipeline):
        folder = self.folder("name: shop\n" + self.ON + pipeline)
        self.git(folder, "init", "-q", "-b", "feature/x")
        self.git(folder, "remote", "add", "origin", "https://git.invalid/group/shop.git")
        self.git(folder, "commit", "-q", "--allow-empty", "-m", "Begin")
        self.git(folder, "add", ".")
        self.git(folder, "commit", "-qm", "Sell more\n\nby asking less")
        return folder

    def git(self, folder, *arguments):
        author = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                  for what, value in [("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "1700000000 +0000")]}
        return subprocess.run(["git", "-C", folder, *arguments], check=True, env={**self.environment, **author},
                              capture_output=True, text=True).stdout.strip()

    def test_each_event_chooses_the_stages_whose_condition_it_meets(self):
        told = "output=\"${{ event }},${{ branch }},${{ tag }},${{ ref }},${{ pull_request.source_branch }}\\n\""
        stages = [f"- {{ name: {event}, needs: [], if: \"event == '{event}'\", steps: [{{ name: say, run: 'true', env: {{ GANTRY_FAKE: '{told}' }} }}] }}\n"
                  for event in self.EVENTS]
        folder = self.repository(f"defaults: {{ image: {e2e.IMAGE} }}\nstages:\n" + "".join(stages))
        expected = {
            "push": "push,feature/x,,refs/heads/feature/x,",
            "pull_request": "pull_request,main,,refs/heads/main,feature/x",
            "tag": "tag,,v1.0,refs/tags/v1.0,",
            "schedule": "schedule,feature/x,,refs/heads/feature/x,",
            "manual": "manual,feature/x,,refs/heads/feature/x,",
        }
        for event, arguments in self.EVENTS.items():
            with self.subTest(event):
                arguments = ["--event", event, *arguments, folder]
                planned = json.loads(self.gantry("plan", "--json", *arguments).stdout)["stages"]
                self.assertEqual([stage["id"] for stage in planned if "skip_reason" not in stage], [event])
                done = self.gantry("run", "--engine", "fake", *arguments)
                self.assertEqual(done.stdout.decode(), f"{event}/say | {expected[event]}\n")
                states = {stage["stage"]: stage["state"] for stage in self.show()["stages"]}
                self.assertEqual(states, {other: "success" if other == event else "skipped" for other in self.EVENTS})
        self.assertEqual(self.gantry("run", "--engine", "fake", folder).stdout, b"manual/say | manual,feature/x,,refs/heads/feature/x,\n")
        self.assertIn(b"schedule", self.gantry("run", "--engine", "fake", "--event", "night", folder, expect=2).stderr)
        self.assertIn(b"--tag", self.gantry("run", "--engine", "fake", "--event", "tag", folder, expect=2).stderr)

    def test_variables_tell_a_step_of_its_event(self):
        folder = self.repository(f"image: {e2e.IMAGE}\nsteps: [{{ name: say, run: env -0 }}]\n")
        sha = self.git(folder, "rev-parse", "HEAD")
        of_all = {
            "CI": "true", "GANTRY": "true", "CI_PIPELINE_NAME": "shop", "CI_STAGE_NAME": "main", "CI_STEP_NAME": "say", "CI_JOB_NAME": "main/say",
            "CI_COMMIT_SHA": sha, "CI_COMMIT_SHORT_SHA": sha[:8], "CI_COMMIT_TITLE": "Sell more", "CI_COMMIT_AUTHOR": "Ada",
            "CI_COMMIT_AUTHOR_EMAIL": "ada@example.org", "SOURCE_DATE_EPOCH": "1700000000", "CI_REPO": "group/shop", "CI_REPO_NAME": "shop",
            "CI_REPO_OWNER": "group", "CI_REPO_URL": "https://git.invalid/group/shop.git", "CI_WORKSPACE": "/workspace",
        }
        of_branch = {"CI_COMMIT_REF": "refs/heads/feature/x", "CI_COMMIT_REF_NAME": "feature/x", "CI_COMMIT_REF_SLUG": "feature-x",
                     "CI_COMMIT_BRANCH": "feature/x"}
        of_event = {
            "push": {**of_branch, "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": self.git(folder, "rev-parse", "HEAD~1")},
            "pull_request": {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_BRANCH": "main",
                             "CI_PULL_REQUEST_SOURCE_BRANCH": "feature/x", "CI_COMMIT_SOURCE_BRANCH": "feature/x",
                             "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/x", "CI_PULL_REQUEST_TARGET_BRANCH": "main",
                             "CI_COMMIT_TARGET_BRANCH": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"},
            "tag": {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_REF": "refs/tags/v1.0", "CI_COMMIT_REF_NAME": "v1.0", "CI_COMMIT_REF_SLUG": "v1-0",
                    "CI_COMMIT_TAG": "v1.0"},
            "schedule": {**of_branch, "CI_PIPELINE_SOURCE": "schedule"},
            "manual": {**of_branch, "CI_PIPELINE_SOURCE": "web"},
        }
        of_some = {"CI_COMMIT_BEFORE_SHA", "CI_COMMIT_BRANCH", "CI_COMMIT_TAG",
                   *(name for name in of_event["pull_request"] if re.search("SOURCE_BRANCH|TARGET_BRANCH", name))}
        for number, (event, arguments) in enumerate(self.EVENTS.items(), 1):
            with self.subTest(event):
                self.gantry("run", "--quiet", "--event", event, *arguments, folder)
                found = dict(entry.split("=", 1) for entry in self.logs("say").decode().split("\0") if entry)
                expected = {**of_all, **of_event[event], "CI_PIPELINE_EVENT": event, "CI_PIPELINE_NUMBER": str(number)}
                self.assertEqual({name: found.get(name) for name in expected}, expected)
                self.assertEqual(found["CI_COMMIT_MESSAGE"].rstrip("\n"), "Sell more\n\nby asking less")
                self.assertEqual([name for name in of_some - set(expected) if name in found], [], "what has no value is not set")


class Plans(e2e.Case):
    """A pipeline in which some stages need all of the level above them, some a part of it, and one more than that."""

    PIPELINE = f"""
        name: shop
        defaults: {{ image: {e2e.IMAGE} }}
        stages:
          - {{ name: a, steps: [{{ name: one, run: "true" }}, {{ name: two, run: "true" }}] }}
          - {{ name: b, needs: [a], steps: [{{ name: s, run: "true" }}] }}
          - {{ name: c, needs: [a], matrix: {{ os: [deb, 'y"z'] }}, steps: [{{ name: s, run: "true" }}] }}
          - {{ name: d, needs: [b, c], steps: [{{ parallel: [{{ name: left, run: "true" }}, {{ name: right, run: "true" }}] }}] }}
          - {{ name: e, needs: [c], steps: [{{ name: s, run: "true" }}] }}
          - {{ name: f, needs: [a, d], steps: [{{ name: s, run: "true" }}] }}
          - {{ name: g, needs: [], if: "event == 'tag'", steps: [{{ name: s, run: "true" }}] }}
    """
    ROWS = ["c [os=deb]", 'c [os=y"z]']
    STAGES = {"a": "one › two", "b": "s", ROWS[0]: "s", ROWS[1]: "s", "d": "left ∥ right", "e": "s", "f": "s", "g": "s"}
    EDGES = {("a", "b"), ("a", "f"), ("b", "d"), ("d", "f"), *(("a", row) for row in ROWS), *((row, to) for row in ROWS for to in "de")}

    def gantry_says(self, *arguments):
        return self.gantry(*arguments, self.folder(self.PIPELINE)).stdout.decode()

    def needs_in(self, text):
        """Of "b, c (2 rows)", all of them."""
        return [row for need in text.split(", ") for row in (self.ROWS if need == "c (2 rows)" else [need])]

    def test_a_graph_as_text_has_every_stage_and_every_edge(self):
        levels = [level.splitlines() for level in self.gantry_says("graph").split("│\n")]
        stages, edges, above = {}, set(), []
        for level in levels:
            here = []
            for line in level:
                stage, does, needs = re.fullmatch(r"(?:●|├─●) (\S+(?: \[\S+\])?) +(.*?)(?:  ← (.*))?", line).groups()
                here.append(stage)
                stages[stage] = does
                if not does.startswith("skipped: "):  # which begins where it likes
                    edges |= {(need, stage) for need in (self.needs_in(needs) if needs else above)}
            above = here
        self.assertIn("event == 'tag'", stages["g"])
        self.assertEqual({**stages, "g": "s"}, self.STAGES)
        self.assertEqual(edges, self.EDGES)

    def test_a_graph_for_graphviz_has_every_stage_and_every_edge(self):
        head, *lines, tail = self.gantry_says("graph", "--format", "dot").splitlines()
        self.assertEqual((head, tail), ('digraph "shop" {', "}"))
        nodes, edges = {}, set()
        for line in lines:
            if node := re.fullmatch(r'  (\w+) \[label="((?:[^"\\]|\\.)*)"(, style="rounded,dashed", .*)?\];', line):
                stage, does = node[2].replace('\\"', '"').split("\\n")
                nodes[node[1]] = stage
                self.assertEqual(does, self.STAGES[stage])
                self.assertEqual(bool(node[3]), stage == "g", "what is skipped looks so")
            elif edge := re.fullmatch(r"  (\w+) -> (\w+);", line):
                self.assertNotIn(edge.groups(), edges)
                edges.add(edge.groups())
            else:
                self.assertRegex(line, r"^  (rankdir=LR|node \[.*\]);$")
        self.assertEqual(sorted(nodes.values()), sorted(self.STAGES))
        self.assertEqual({(nodes[one], nodes[other]) for one, other in edges}, self.EDGES)

    def test_a_graph_for_markdown_has_every_stage_and_every_edge(self):
        head, *lines = self.gantry_says("graph", "--format", "mermaid").splitlines()
        self.assertEqual(head, "flowchart LR")
        nodes, edges = {}, set()
        for line in lines:
            if node := re.fullmatch(r'  (\w+)\["([^"<>]*)<br/>([^"<>]*)"\](:::skipped)?', line):
                nodes[node[1]] = stage = node[2].replace("#34;", '"')
                self.assertEqual(node[3], self.STAGES[stage])
                self.assertEqual(bool(node[4]), stage == "g", "what is skipped looks so")
            elif edge := re.fullmatch(r"  (\w+) --> (\w+)", line):
                self.assertNotIn(edge.groups(), edges)
                edges.add(edge.groups())
            else:
                self.assertRegex(line, "^  classDef skipped ")
        self.assertEqual(sorted(nodes.values()), sorted(self.STAGES))
        self.assertEqual({(nodes[one], nodes[other]) for one, other in edges}, self.EDGES)

    def test_an_unknown_format_of_a_graph_names_those_that_there_are(self):
        refused = self.gantry("graph", "--format", "svg", self.folder(self.PIPELINE), expect=2)
        self.assertEqual(refused.stdout, b"")
        self.assertIn(b"text, dot, mermaid", refused.stderr)

    def test_a_plan_as_json_is_that_of_the_text(self):
        folder = self.folder(self.PIPELINE)
        head, *blocks = self.gantry("plan", folder).stdout.decode().rstrip("\n").split("\n\n")
        self.assertIn("10 steps in 8 stages", head)
        of_text = []
        for block in blocks:
            title, *lines = block.splitlines()
            stage, _, needs = title.partition("  ← ")
            steps = [found[1] for line in lines if (found := re.match("  [›∥] (\\S+) ", line))]
            of_text.append((stage, self.needs_in(needs) if needs else [], steps, any(line.startswith("  skipped: ") for line in lines)))
        plan = json.loads(self.gantry("plan", "--json", folder).stdout)
        title = lambda name: name.replace("[", " [")
        of_json = [(title(stage["id"]), [title(need) for need in stage.get("needs", [])], [step["id"] for step in stage["steps"]], "skip_reason" in stage)
                   for stage in plan["stages"]]
        self.assertEqual(of_text, of_json)
        self.assertEqual({stage for stage, _, _, _ in of_json}, set(self.STAGES))
        self.assertEqual(plan["pipeline"], "shop")


class Problems(e2e.Case):
    BAD = "stages:\n  - name: test\n    image: busybox\n    neds: [build]\n    steps: [{ run: make }]\n"
    MESSAGE = "unknown key 'neds' in a stage"

    def setUp(self):
        super().setUp()
        self.bad = self.folder(self.BAD)
        self.good = self.folder(TWO_STAGES % 0, name="good")

    def check(self, *arguments, expect=2):
        done = self.gantry("check", *arguments, cwd=self.bad, expect=expect)
        return done.stdout.decode(), done.stderr.decode()

    def test_a_problem_is_shown_in_its_line(self):
        out, err = self.check()
        self.assertEqual(out + err, f".gantry.yml:4:5: error: {self.MESSAGE}\n"
                                    "   4 │     neds: [build]\n     │     ^~~~ did you mean 'needs'?\n1 problem in 1 file\n")
        self.assertEqual(self.check(self.good, expect=0), ("no problems in ../good/.gantry.yml\n", ""))

    def test_where_the_locale_is_not_utf8_all_is_ascii(self):
        for command in (["check", self.bad], ["plan", self.good], ["graph", self.good]):
            done = self.gantry(*command, env={"LC_ALL": "C"}, expect=None)
            shown = (done.stdout + done.stderr).decode()
            self.assertTrue(shown.isascii() and shown, shown)

    def test_a_problem_as_json_has_its_place_and_message(self):
        problems = json.loads(self.check("--json")[0])
        self.assertEqual([(one["file"], one["line"], one["column"], one["length"], one["severity"], one["message"], one["hint"]) for one in problems],
                         [(".gantry.yml", 4, 5, 4, "error", self.MESSAGE, "did you mean 'needs'?")])
        self.assertEqual(json.loads(self.check("--json", self.good, expect=0)[0]), [])

    def test_a_problem_as_sarif_has_its_place_and_message(self):
        log = json.loads(self.check("--sarif")[0])
        self.assertEqual((log["version"], len(log["runs"])), ("2.1.0", 1))
        result, = log["runs"][0]["results"]
        self.assertIn(result["ruleId"], [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]])
        self.assertEqual(result["level"], "error")
        self.assertTrue(result["message"]["text"].startswith(self.MESSAGE))
        place = result["locations"][0]["physicalLocation"]
        self.assertEqual(place["artifactLocation"]["uri"], ".gantry.yml")
        self.assertEqual((place["region"]["startLine"], place["region"]["startColumn"], place["region"]["endColumn"]), (4, 5, 9))
        self.assertEqual(json.loads(self.check("--sarif", self.good, expect=0)[0])["runs"][0]["results"], [])

    def test_problems_of_several_files_are_told_apart(self):
        problems = json.loads(self.check("--json", self.good, ".", expect=2)[0])
        self.assertEqual([(one["file"], one["line"]) for one in problems], [(".gantry.yml", 4)])


class Doctor(e2e.Case):
    def findings(self, expect, **env):
        """What stands behind each mark, by the mark, and the lines below each."""
        found, hints = {}, []
        for line in self.gantry("doctor", expect=expect, env={"LC_ALL": "C", **env}).stdout.decode().splitlines():
            if line.startswith("    "):
                hints.append(line.strip())
            else:
                mark, text = line.split(" ", 1)
                found.setdefault(mark, []).append(text)
        return found, hints

    def test_each_thing_that_matters_has_a_line(self):
        found, _ = self.findings(0)
        told = "\n".join(found["ok"] + found.get("!", []))
        facts = self.engine.get("/info")
        for expected in (rf"docker {facts['ServerVersion'].split('+')[0]}.* \(API 1\.\d+\) at {self.engine.host}",
                         rf"storage: {facts['Driver']}, cgroup v{facts['CgroupVersion']}, {facts['NCPU']} processors", "workspaces: ",
                         r"clock: 20\d\d-.*, the engine's is", "user: ", f"state: {self.state}/gantry", r"disk: .* free for journals and logs"):
            self.assertRegex(told, expected)
        self.assertNotIn("x", found)

    def test_an_engine_that_is_not_there_is_told_with_what_to_do(self):
        found, hints = self.findings(3, DOCKER_HOST="unix:///nowhere")
        self.assertEqual(found["x"], ["cannot reach Docker at unix:///nowhere: no such file or directory"])
        self.assertTrue(any("start" in hint for hint in hints), hints)
        self.assertIn("clock", " ".join(found["ok"]))


class Slots(e2e.Case):
    def test_no_more_steps_run_at_once_than_there_are_jobs(self):
        steps = "".join(f"- {{ name: s{n}, run: 'true', env: {{ GANTRY_FAKE: after=200ms }} }}\n" for n in range(6))
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps:\n- parallel:\n" + "".join("  " + line for line in steps.splitlines(True)))
        for jobs in (1, 2, 6):
            running, most = 0, 0
            live = self.start("--engine", "fake", "--jobs", str(jobs), folder)
            self.assertEqual(live.end(), 0, live.report())
            for event in live.events:
                running += {"step_started": 1, "step_finished": -1}.get(event["event"], 0)
                most = max(most, running)
            self.assertEqual(most, jobs)


class Version(e2e.Case):
    def test_all_ways_to_ask_for_the_version_agree(self):
        short = self.gantry("--version").stdout.decode()
        self.assertRegex(short, r"^gantry [0-9]+\.[0-9]+\.[0-9]+\n$")
        versions = json.loads(self.gantry("version", "--json").stdout)
        self.assertEqual(f"gantry {versions.pop('gantry')}\n", short)
        self.assertIn("openssl", versions)
        text = self.gantry("version").stdout.decode()
        self.assertEqual(text.splitlines(keepends=True)[0], short)
        self.assertEqual([line.split(None, 1) for line in text.splitlines()[1:]], [list(row) for row in versions.items()])


class End(e2e.Case):
    def test_the_end_of_a_failure_has_its_last_20_lines_its_reason_and_the_way_inside(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            steps: [{{ name: unit, run: "echo inside > /root/note; seq 30 | sed 's/^/line /'; exit 3" }}]
        """)
        done = self.gantry("run", "--keep-failed", folder, env={"CLICOLOR_FORCE": ""}, expect=1)
        try:
            self.assert_shown(done)
        finally:
            self.gantry("rm", "latest")

    def assert_shown(self, done):
        self.assertEqual(done.stdout.decode(), "".join(f"main/unit | line {number}\n" for number in range(1, 31)))
        last = [f"    line {number}" for number in range(11, 31)]
        told = done.stderr.decode()
        for text in (told, self.gantry("show").stdout.decode()):
            self.assertRegex(text, r"(?m)^✗ main › unit failed: exit code 3 after [0-9.]+m?s$")
            self.assertEqual([line for line in text.splitlines() if line.startswith("    line ")], last)
        self.assertIn("\nrun 1 failed\n", told)
        inside = re.search(r"what now +(gantry shell .*?)  +look inside", told)
        self.assertTrue(inside, told)
        self.assertEqual(self.gantry(*shlex.split(inside[1])[1:], "cat", "/root/note").stdout, b"inside\n")
        everything = re.search(r"^ +(gantry logs .*?)  +all that it printed$", told, re.MULTILINE)
        self.assertEqual(self.gantry(*shlex.split(everything[1])[1:]).stdout.count(b"\n"), 30)

    def test_without_a_kept_container_the_way_inside_is_another_run(self):
        done = self.gantry("run", "--engine", "fake", self.folder(TWO_STAGES % 3), env={"CLICOLOR_FORCE": ""}, expect=1)
        self.assertNotIn("gantry shell 1", done.stderr.decode())
        again = re.search(r"^ +(gantry rerun .*?)  +kept for gantry shell$", done.stderr.decode(), re.MULTILINE)
        self.assertEqual(shlex.split(again[1]), ["gantry", "rerun", "1", "--failed", "--keep-failed"])
        self.gantry("--engine", "fake", *shlex.split(again[1])[1:], expect=1)


class Secrets(e2e.Case):
    def kept(self):
        """What each file of the configuration holds, none of which others may read."""
        found = {}
        for top, _, names in os.walk(os.path.join(self.home, "config")):
            for path in (os.path.join(top, name) for name in names):
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
                with open(path, encoding="utf-8") as file:
                    found[path] = file.read()
        return found

    def set(self, name, value):
        done = self.gantry("secret", "set", name, input=value.encode() + b"\n")
        self.assertNotIn(value.encode(), done.stdout + done.stderr)

    def test_kept_secrets_reach_a_run_behind_those_of_a_file_and_the_environment(self):
        for name in ("A", "B", "C"):
            self.set(name, f"kept-{name}-secret")
        text, = (text for text in self.kept().values() if text)  # one file
        self.assertIn("kept-A-secret", text)
        listed = self.gantry("secret", "ls")
        self.assertEqual((listed.stdout, listed.stderr), (b"A\nB\nC\n", b""))

        file = os.path.join(self.home, "secrets")
        e2e.write(file, "A=file-A-secret\n", 0o600)
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            steps: [{{ name: s, secrets: [A, B, C], run: 'echo ${{A%%-*}} ${{B%%-*}} ${{C%%-*}}; echo "$A $B $C"' }}]
        """)
        given = {"GANTRY_SECRET_A": "environment-A-secret", "GANTRY_SECRET_B": "environment-B-secret"}
        done = self.gantry("run", "--secret-file", file, folder, env=given)
        self.assertEqual(done.stdout, b"main/s | file environment kept\nmain/s | *** *** ***\n")

        self.gantry("secret", "rm", "C")
        self.assertEqual(self.gantry("secret", "ls").stdout, b"A\nB\n")
        self.assertNotIn("kept-C-secret", "".join(self.kept().values()))
        refused = self.gantry("run", "--secret-file", file, folder, env=given, expect=2)
        self.assertIn(b"no value for the secret C, which main/s wants\n", refused.stderr)

    def test_a_secret_is_kept_from_a_terminal_without_showing_it(self):
        self.set("TOKEN", "what-was-before")
        terminal = Terminal(self, "secret", "set", "TOKEN")
        terminal.until(lambda: "secret TOKEN: " in terminal.seen)
        self.assertFalse(terminal.echoes())
        terminal.type("typed-in-secret\n")
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn("typed-in", terminal.seen)
        self.assertTrue(terminal.echoes(), "as it was before")
        text = "".join(self.kept().values())
        self.assertIn("typed-in-secret", text)
        self.assertNotIn("what-was-before", text)

    def test_a_run_asks_for_a_secret_without_showing_it_and_masks_it(self):
        secret = "typed-in-secret"
        terminal = Terminal(self, "run", self.folder(f"""
            image: {e2e.IMAGE}
            steps: [{{ name: s, secrets: [TOKEN], run: 'echo "it is $TOKEN"; printf %s "$TOKEN" | sha256sum; exit 3' }}]
        """))
        terminal.until(lambda: "secret TOKEN: " in terminal.seen)
        self.assertFalse(terminal.echoes())
        terminal.type(secret + "\n")
        self.assertEqual(terminal.end(), 1)
        self.assertTrue(terminal.echoes(), "as it was before")
        self.assertNotIn("typed-in", terminal.seen)
        self.assertIn("\r\n    it is ***\r\n", terminal.seen)
        self.assertEqual(self.logs("s").decode(), f"it is ***\n{hashlib.sha256(secret.encode()).hexdigest()}  -\n")
        self.gantry("run", "--engine", "fake", os.path.join(self.home, "project"), expect=2)  # where nobody can be asked


class Shown(e2e.Case):
    """How `gantry run` looks on a terminal, and elsewhere."""

    FAILING = fr"""
        image: {e2e.IMAGE}
        steps: [{{ name: unit, run: "true", env: {{ GANTRY_FAKE: "output=\"\e[35mpurple\e[0m\\n\" exit=3" }} }}]
    """

    def test_a_terminal_gets_a_picture_with_colours(self):
        terminal = Terminal(self, "run", "--engine", "fake", self.folder(self.FAILING))
        self.assertEqual(terminal.end(), 1)
        self.assertTrue(terminal.frames(), terminal.seen)
        self.assertIn("\x1b[31m✗", terminal.seen)
        self.assertIn("\x1b[35mpurple\x1b[0m", terminal.seen)
        self.assertNotIn("main/unit | ", terminal.seen)

    def test_a_terminal_gets_a_picture_without_colours_if_no_color_is_set(self):
        terminal = Terminal(self, "run", "--engine", "fake", self.folder(self.FAILING), env={"NO_COLOR": "1"})
        self.assertEqual(terminal.end(), 1)
        self.assertTrue(terminal.frames(), terminal.seen)
        self.assertEqual(SGR.findall(terminal.seen), [])
        self.assertIn("    purple\r\n", terminal.seen)

    def test_elsewhere_each_line_stands_behind_the_name_of_its_step(self):
        done = self.gantry("run", "--engine", "fake", self.folder(TWO_STAGES % 3), env=TERMINAL, expect=1)
        self.assertEqual(done.stdout, b"build/make | made\ntest/unit | tested\n")
        said = done.stderr.decode()
        self.assertNotIn("\x1b", said)
        self.assertEqual([line for line in said.splitlines() if line.endswith(" starts")], ["gantry: build/make starts", "gantry: test/unit starts"])
        self.assertIn("\n✗ test › unit failed: exit code 3 ", said)

    def test_the_picture_stays_in_its_place_and_within_a_terminal_that_becomes_narrower(self):
        long = "a line that is longer than any of the terminals here, with 漢字 in it: " + "漢字" * 20
        folder = self.folder(f"""
            name: a-name-that-is-much-too-long-for-the-first-line-of-so-narrow-a-terminal
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - name: build
                steps: [{{ name: a-step-with-a-name-for-which-40-columns-are-too-few, run: "true", env: {{ GANTRY_FAKE: 'never output="{long}\\n"' }} }}]
              - {{ name: a-stage-with-a-name-for-which-40-columns-are-too-few, steps: [{{ name: s, run: "true" }}] }}
        """)
        terminal = Terminal(self, "run", "--engine", "fake", folder, columns=60)
        width = lambda frame: max(map(columns_of, frame[1]), default=0)
        has_output = lambda frame: any("a line that" in line for line in frame[1])
        is_narrow = lambda frame: has_output(frame) and width(frame) <= 40
        terminal.until(lambda: any(map(has_output, terminal.frames())))
        before = len(terminal.frames())
        terminal.resize(40)
        # Some that were drawn just before may still come; there are ten in a second, as its tenths go by.
        terminal.until(lambda: any(map(is_narrow, terminal.frames())) or len(terminal.frames()) > before + 50)
        running = terminal.frames()
        terminal.process.send_signal(signal.SIGINT)
        self.assertEqual(terminal.end(), 130)

        frames = terminal.frames()
        self.assertEqual(len(frames), terminal.seen.count("\x1b[?25l"), "whole pictures, and behind each the cursor is shown again")
        narrow = next((number for number, frame in enumerate(frames) if is_narrow(frame)), None)
        self.assertIsNotNone(narrow, frames[-2:])
        self.assertLessEqual(columns_of(SGR.sub("", terminal.seen.split("\r\n")[0])), 60)
        self.assertEqual(max(map(width, frames[:narrow])), 60)
        self.assertEqual(max(map(width, frames[narrow:])), 40)
        for number in range(1, len(running)):
            # A terminal that has become narrower has broken the lines of the picture before.
            rows = [-(-columns_of(line) // 40) if number == narrow else 1 for line in frames[number - 1][1]]
            self.assertEqual(frames[number][0], sum(rows), f"picture {number}")


if __name__ == "__main__":
    e2e.main()
