"""The names that scripts and later work rely on, and the promises about the user's files."""

import json
import os
import subprocess
import xml.etree.ElementTree

import e2e

TWO_UNITS = f"""
name: shop
defaults: {{ image: {e2e.IMAGE} }}
stages:
  - name: build
    steps: [{{ name: unit, run: printf 'built\\nno end' }}, {{ name: pack, run: echo packed }}]
  - name: test
    steps: [{{ name: unit, run: printf tested }}]
"""


class Runs(e2e.Case):
    def test_ps_lists_runs_newest_first_and_logs_print_exactly_the_bytes(self):
        folder = self.folder(TWO_UNITS)
        for _ in range(2):
            self.gantry("run", folder)
        runs = self.runs()
        self.assertIsInstance(runs, list)
        self.assertEqual([(run["id"], run["state"], run["pipeline"]) for run in runs],
                         [("2", "success", "shop"), ("1", "success", "shop")])
        self.assertEqual(json.loads(self.gantry("ps", "--json").stdout), [])

        self.assertEqual(self.logs("pack"), b"packed\n")
        self.assertEqual(self.logs("build/unit", run="1"), b"built\nno end")
        self.assertEqual(self.logs("test/unit"), b"tested")
        ambiguous = self.gantry("logs", "2", "unit", expect=2).stderr
        self.assertIn(b"build/unit", ambiguous)
        self.assertIn(b"test/unit", ambiguous)

    def test_everything_that_is_created_has_its_labels(self):
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: one
                retry: {{ max: 1, backoff: 0s }}
                run: trap 'exit 0' USR1; echo try $CI_STEP_ATTEMPT; [ $CI_STEP_ATTEMPT = 2 ]; while :; do sleep 1000 & wait; done
              - {{ name: two, run: "true" }}
              - {{ name: three, run: "true" }}
        """))
        live.until("output", text="try 2")
        objects = self.engine.objects(instance=self.instance())
        self.assertEqual({kind for kind, _, _ in objects}, {"container", "network", "volume"})
        for kind, name, labels in objects:
            with self.subTest(f"{kind} {name}"):
                self.assertTrue(name.startswith(f"gantry-{self.instance()}-1-"))
                self.assertEqual((labels["gantry.run"], labels["gantry.stage"]), ("1", "main"))
        steps = {labels["gantry.step"]: labels["gantry.attempt"] for _, _, labels in objects if "gantry.step" in labels}
        self.assertEqual(steps["one"], "2")
        self.engine.signal(self.engine.container_of("one", instance=self.instance()), "USR1")
        self.assertEqual(live.end(), 0)
        self.assertEqual(self.logs("one", "--attempt", "1"), b"try 1\n")

    def test_two_runs_at_once_of_one_folder_do_not_touch_each_other(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: mine
                run: |
                  test ! -e mine
                  echo $CI_PIPELINE_NUMBER > mine
                  trap 'test "$(cat mine)" = $CI_PIPELINE_NUMBER && exit 0; exit 1' USR1
                  echo ready
                  while :; do sleep 1000 & wait; done
        """)
        lives = [self.start(folder) for _ in range(2)]
        for live in lives:
            live.until("output", text="ready")
        ids = [live.events[0]["run"] for live in lives]
        self.assertEqual(sorted(ids), ["1", "2"])
        for run in ids:
            self.engine.signal(self.engine.container_of("mine", run=run, instance=self.instance()), "USR1")
        self.assertEqual([live.end() for live in lives], [0, 0])


class Selection(e2e.Case):
    """Flags of `run` that say what runs, and as which event."""

    def started(self, *arguments, **options):
        self.gantry("run", "--quiet", *arguments, **options)
        return sorted(name for name, step in e2e.steps_of(self.show()).items() if step["attempt"] > 0)

    def test_a_part_of_a_pipeline_runs_with_what_it_needs(self):
        folder = self.folder(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - {{ name: make, steps: [{{ name: m, run: echo x > made }}] }}
              - {{ name: lint, needs: [], steps: [{{ name: l, run: "true" }}] }}
              - name: check
                needs: [make]
                matrix: {{ kind: [fast, slow] }}
                steps: [{{ name: c, run: "cat made; echo ${{{{ matrix.kind }}}}" }}]
        """)
        self.assertEqual(self.started("--stage", "lint", folder), ["lint/l"])
        self.assertEqual(self.started("--step", "make/m", folder), ["make/m"])
        self.assertEqual(self.started("--stage", "check", "--matrix", "kind=slow", folder), ["check[kind=slow]/c", "make/m"])
        self.assertEqual(self.logs("c"), b"x\nslow\n")

    def test_any_event_can_be_played(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            on:
              push: {{ branches: [main] }}
              manual: {{ inputs: {{ target: {{ type: choice, options: [staging, prod], default: staging }} }} }}
            steps:
              - name: say
                run: echo "$CI_PIPELINE_EVENT,$CI_COMMIT_BRANCH,$CI_COMMIT_TAG,${{{{ inputs.target }}}},$EXTRA"
                env: {{ EXTRA: none }}
        """)
        said = lambda *arguments: (self.gantry("run", "--quiet", *arguments, folder), self.logs("say"))[1]
        self.assertEqual(said(), b"manual,,,staging,none\n")
        self.assertEqual(said("--input", "target=prod"), b"manual,,,prod,none\n")
        self.assertEqual(said("--event", "push", "--branch", "main"), b"push,main,,staging,none\n")
        self.assertIn(b"nothing to run", self.gantry("run", "--event", "push", "--branch", "other", folder).stderr)
        self.assertIn(b"prod", self.gantry("run", "--input", "target=moon", folder, expect=2).stderr)

    def test_a_variable_of_the_command_line_reaches_every_step(self):
        say = "run: 'echo $COLOUR'"
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: a, {say} }}, {{ name: b, {say} }}]\n")
        self.gantry("run", "--quiet", "--env", "COLOUR=red and blue", folder)
        self.assertEqual((self.logs("a"), self.logs("b")), (b"red and blue\n",) * 2)


class ExitCodes(e2e.Case):
    def test_each_kind_of_end_has_its_code(self):
        step = f"image: {e2e.IMAGE}\nsteps: [{{{{ name: s, {{}} }}}}]\n"
        for code, text in [(0, step.format("run: 'true'")), (1, step.format("run: exit 3")), (2, step.format("rum: 'true'")),
                           (2, step.format("run: 'true', privileged: true")),
                           (3, step.format("run: 'true', image: 'gantry.invalid/none:1'")),
                           (4, step.format("run: exec sleep 1000, timeout: 200ms"))]:
            with self.subTest(text):
                self.gantry("run", self.folder(text), expect=code)
                self.assert_nothing_left()
        self.gantry("run", "--no-such-flag", expect=2)
        self.gantry("run", os.path.join(self.home, "nowhere"), expect=2)
        self.gantry("show", "99", expect=2)
        self.gantry("run", self.folder(step.format("run: 'true'")), env={"DOCKER_HOST": f"unix://{self.home}/none"}, expect=3)

    def test_what_is_not_supported_yet_is_refused_with_its_position(self):
        text = f"image: {e2e.IMAGE}\n{{}}\nsteps: [{{{{ name: s, run: 'true' }}}}]\n"
        for key in ("approval: { message: Go }",):
            with self.subTest(key):
                folder = self.folder(text.format(key))
                refused = self.gantry("run", folder, expect=2)
                self.assertRegex(refused.stderr.decode(), r"\.gantry\.yml:2:\d+: error: .*not supported by the docker engine yet")
        self.assertIsNone(self.instance(), "nothing was begun")


class Files(e2e.Case):
    def test_the_users_tree_is_never_written_to(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: s
                run: rm -r src; echo changed > README; mkdir -p new/deep; echo x > new/deep/file; chmod 777 .; ls -a
        """, {"README": "read me", "src/a.c": "int a;", "src/b.c": "int b;"})
        os.symlink("src/a.c", os.path.join(folder, "link"))
        subprocess.run(["git", "init", "-q", folder], check=True, env=self.environment)
        before = e2e.tree(folder)
        self.gantry("run", "--quiet", folder)
        self.assertIn(b"new", self.logs("s"))
        self.assertEqual(e2e.tree(folder), before)

    def test_junit_tells_each_step(self):
        report = os.path.join(self.home, "report.xml")
        self.gantry("run", "--quiet", "--report-junit", report, self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - {{ name: good, run: echo fine }}
              - {{ name: bad, run: 'printf "<&\\001\\377]]>\\n"; exit 9' }}
              - {{ name: never, run: "true" }}
        """), expect=1)
        root = xml.etree.ElementTree.parse(report).getroot()
        cases = {case.get("name"): case for case in root.iter("testcase")}
        self.assertEqual(list(cases), ["good", "bad", "never"])
        self.assertEqual([child.tag for child in cases["good"] if child.tag in ("failure", "error", "skipped")], [])
        self.assertIn("9", cases["bad"].find("failure").get("message"))
        self.assertIsNotNone(cases["never"].find("skipped"))


if __name__ == "__main__":
    e2e.main()
