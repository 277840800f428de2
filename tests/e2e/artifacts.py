"""Artifacts on a real engine: what is kept, what of it is handed on, what is refused, and what is left when somebody dies."""

import json
import os
import signal
import stat

import build
import disk
import e2e


def stage(run, artifacts=None, name="build", more=""):
    return f"""
          - name: {name}
            {f"artifacts: {artifacts}" if artifacts else ""}
            steps:
              - name: work
                run: |
                  {run}
            {more}"""


def pipeline(*stages):
    return f"defaults: {{ image: {e2e.IMAGE} }}\nstages:" + "".join(stages)


CHECKOUT = {"kept.txt": "from the checkout\n", "seen.txt": "old\n"}


class Artifacts(e2e.Case):
    def run_stage(self, run, artifacts, *others, files=None, expect=0, **options):
        """Runs a stage `build`; what gantry said."""
        done = self.gantry("run", self.folder(pipeline(stage(run, artifacts), *others), files), expect=expect, **options)
        return done.stderr.decode()

    def listed(self, *arguments):
        return json.loads(self.gantry("artifacts", "latest", *arguments, "--json").stdout)

    def kept(self, name="build"):
        """Path: artifact, of that stage of the last run."""
        for entry in self.listed():
            if entry["stage"] == name:
                return {artifact["path"]: artifact for artifact in entry["artifacts"]}
        return {}

    def store(self, *parts):
        return os.path.join(self.state, "gantry", "artifacts", *parts)

    def objects(self):
        return sorted(name for _, _, files in os.walk(self.store("objects")) for name in files)

    def get(self, *arguments, expect=0, to="out"):
        folder = os.path.join(self.home, to)
        done = self.gantry("artifacts", "latest", "get", *arguments, "--to", folder, expect=expect)
        return folder, done.stderr.decode()

    # ---- what is kept

    def test_what_matches_is_kept_and_what_is_excluded_is_not(self):
        said = self.run_stage("mkdir -p bin/sub; echo one > bin/app; echo two > bin/sub/x.tmp; echo three > report.xml; echo no > other",
                              "{ paths: [bin/, '*.xml', missing/], exclude: ['**/*.tmp'] }")
        self.assertEqual(sorted(self.kept()), ["bin", "bin/app", "bin/sub", "report.xml"])
        self.assertIn("nothing matches 'missing/'", said)
        self.assertNotIn("nothing matches 'bin/'", said)
        self.assertIn("build: 2 files, 10 B", said)
        shown = self.show()["stages"][0]["artifacts"]
        self.assertEqual(shown, {"files": 2, "size_bytes": 10})
        self.assertIn(b"bin/app", self.gantry("artifacts", "latest").stdout)

    def test_paths_are_computed_from_what_steps_said(self):
        self.run_stage('echo "name=result" >> "$CI_OUTPUT"; echo one > result.txt', "['${{ steps.work.outputs.name }}.txt']")
        self.assertEqual(sorted(self.kept()), ["result.txt"])

    def test_when_says_which_end_keeps_them(self):
        for when, passes, fails in (("on_success", True, False), ("on_failure", False, True), ("always", True, True)):
            artifacts = f"{{ paths: [log], when: {when} }}"
            self.run_stage("echo one > log", artifacts)
            self.assertEqual(bool(self.kept()), passes, when)
            self.run_stage("echo one > log; exit 1", artifacts, expect=1)
            self.assertEqual(bool(self.kept()), fails, when)

    def test_finally_steps_may_add_to_them(self):
        self.gantry("run", self.folder(pipeline(stage("true", "[log]", more="finally: [{ run: echo one > log }]"))))
        self.assertEqual(sorted(self.kept()), ["log"])

    def test_kinds_modes_and_times_are_those_of_the_workspace(self):
        self.run_stage("mkdir -p d/e; echo one > d/a; chmod 4750 d/a; echo two > d/b; chmod 400 d/b; ln -s ../d/a d/e/link; ln d/b d/again;"
                       " touch -t 200102030405.06 d/a d/b; chmod 1711 d/e; touch -h -t 200102030405.06 d/e/link || true", "[d]")
        folder, _ = self.get()
        info = {name: os.lstat(os.path.join(folder, name)) for name in ("d/a", "d/b", "d/e", "d/e/link", "d/again")}
        self.assertEqual(stat.S_IMODE(info["d/a"].st_mode), 0o750)
        self.assertEqual(stat.S_IMODE(info["d/b"].st_mode), 0o400)
        self.assertEqual(stat.S_IMODE(info["d/e"].st_mode), 0o711)
        self.assertEqual(info["d/a"].st_mtime, 981173106)
        self.assertEqual(info["d/again"].st_size, 4)
        self.assertEqual(os.readlink(os.path.join(folder, "d/e/link")), "../d/a")
        self.assertEqual(len(self.objects()), 2)

    def test_equal_files_take_their_place_once_in_all_runs(self):
        self.run_stage("echo same > a; echo same > b; echo other > c", "['?']")
        self.assertEqual(len(self.objects()), 2)
        self.run_stage("echo same > x; echo third > y", "['?']")
        self.assertEqual(len(self.objects()), 3)
        first = self.runs()[-1]["id"]
        self.gantry("rm", first)
        self.assertEqual(len(self.objects()), 2)
        self.assertEqual(sorted(self.kept()), ["x", "y"])

    def test_what_expired_is_gone(self):
        self.run_stage("echo one > a", "{ paths: [a], expire_in: 1ms }")
        self.assertEqual(self.listed(), [])
        self.run_stage("echo two > b", "{ paths: [b], expire_in: 30d }")
        self.assertEqual(len(self.objects()), 1)
        self.assertIn(b"expires in", self.gantry("artifacts", "latest").stdout)

    # ---- what is refused

    def test_links_that_lead_out_pipes_and_what_git_keeps_are_left_out(self):
        said = self.run_stage("ln -s /etc/passwd a; ln -s ../../x b; ln -s c/../../../x w; mkfifo pipe; mkdir -p .git sub/.git; echo x > .git/config;"
                              " echo x > sub/.git/config; ln -s good c; echo one > good", "['.']")
        kept = self.kept()
        self.assertEqual(sorted(kept), [".gantry.yml", "c", "good", "sub"])
        for name in ("a", "b", "w"):
            self.assertIn(f"{name} (a link that leads out of the workspace)", said)
        self.assertIn("pipe (no file, folder or link)", said)

    def test_a_path_behind_a_link_is_not_followed(self):
        said = self.run_stage("ln -s / root; ln -s ../etc up", "[root/etc/hostname, up/passwd, 'root/etc/*']")
        self.assertEqual(self.kept(), {})
        for path in ("root/etc/hostname", "up/passwd", "root/etc/*"):
            self.assertIn(f"nothing matches '{path}'", said)

    def test_an_image_whose_workspace_is_a_link_to_etc_gives_nothing_of_it_away(self):
        build.add_clean_up(self)
        mark = os.path.basename(self.home)
        images, steps = [], []
        for name, target in (("absolute", "/etc"), ("relative", "../../etc")):
            images.append({"name": name, "build": {"dockerfile_inline": f"FROM {e2e.IMAGE}\nRUN echo canary > /etc/canary && ln -s {target} /workspace\n"}})
            # The engine follows the link: the workspace lies over /etc.
            steps.append({"image": f"${{{{ steps.{name}.image }}}}", "run": f"echo made > {name}; cat /etc/{name} /workspace/{name}; echo x > /etc/{mark}"})
        self.gantry("run", self.folder(json.dumps({"defaults": {"image": e2e.IMAGE}, "stages": [
            {"name": "images", "steps": [{"parallel": images}]},
            {"name": "build", "steps": steps, "artifacts": {"paths": [".", "canary", "passwd", "*/passwd"]}},
            {"name": "next", "steps": ["cat absolute relative; [ ! -e canary ] && [ ! -e passwd ]; grep -q ^root: /etc/passwd"]}]})))
        kept = self.kept()
        # Where it lays its own files over those of /etc, it leaves empty ones.
        made_by_the_engine = {"hostname", "hosts", "resolv.conf"} & set(kept)
        self.assertEqual([kept[path]["size_bytes"] for path in made_by_the_engine], [0] * len(made_by_the_engine))
        self.assertEqual(sorted(set(kept) - made_by_the_engine), sorted([".gantry.yml", "absolute", "relative", mark]))
        self.assertFalse(os.path.exists(f"/etc/{mark}"), "in the /etc of this machine")

    def test_paths_that_leave_the_workspace_end_the_stage(self):
        self.assertIn("'../x' leads out of the workspace", self.run_stage("true", "[../x]", expect=2))
        self.assertEqual(self.runs(), [], "it is known before anything runs")
        self.assertIn("'../x' leads out of the workspace", self.run_stage("true", "[\"${{ default(tag, '../x') }}\"]", expect=None))

    def test_names_of_any_bytes_come_back(self):
        self.run_stage(r"""printf 'one' > "$(printf 'a\377b')"; printf 'two' > "$(printf 'c\nd')"; printf 'three' > '*?[x]'""", "['.']")
        folder, _ = self.get()
        names = os.listdir(os.fsencode(folder))
        for name in (b"a\xffb", b"c\nd", b"*?[x]"):
            self.assertIn(name, names)

    def test_more_than_the_limits_fails_the_stage_and_keeps_nothing(self):
        for limit, value in (("GANTRY_ARTIFACTS_MAX", "1m"), ("GANTRY_ARTIFACTS_MAX_FILES", "3")):
            said = self.run_stage("mkdir d; for i in 1 2 3 4; do head -c 400000 /dev/urandom > d/$i; done", "[d]", expect=1, env={limit: value})
            self.assertIn("its artifacts are too much", said)
            self.assertIn(limit, said)
            self.assertEqual(self.kept(), {})
            self.assertEqual(self.objects(), [])
            self.assertEqual(os.listdir(self.store("new")), [])

    # ---- handing on

    def test_a_stage_that_needs_one_gets_its_artifacts_alone(self):
        self.run_stage("mkdir bin obj; echo one > bin/app; chmod 750 bin; echo two > obj/x; echo three > junk; rm kept.txt; echo changed > seen.txt", "[bin/, seen.txt]",
                       stage("cat bin/app; [ ! -e obj ] && [ ! -e junk ]; cat kept.txt; cat seen.txt; stat -c %a bin > mode; ls > names", "[mode, names]", name="test"), files=CHECKOUT)
        folder, _ = self.get("mode", "names")
        with open(os.path.join(folder, "mode"), encoding="ascii") as file:
            self.assertEqual(file.read().strip(), "750")

    def test_what_a_needed_stage_got_itself_is_handed_on_too(self):
        self.gantry("run", self.folder(pipeline(
            stage("echo a > a; echo no > a.junk", "[a]", name="first"),
            stage("cat a; echo b > b; echo no > b.junk", "[b]", name="second"),
            stage("cat a b; [ ! -e a.junk ]; [ ! -e b.junk ]; cat kept.txt", name="third")), CHECKOUT))

    def test_two_stages_hand_on_theirs_side_by_side(self):
        both = "\n".join(stage(f"echo {name} > {name}; echo {name} > scratch", f"[{name}]", name=name, more="needs: []") for name in ("left", "right"))
        last = stage("cat left right; [ ! -e scratch ]", name="last", more="needs: [left, right]")
        self.gantry("run", self.folder(pipeline(both, last)))

    def test_rerun_of_what_failed_starts_from_the_artifacts_that_were_handed_on(self):
        self.run_stage("echo one > a; echo no > junk; date +%N > when", "[a, when]",
                       stage("cat a; [ ! -e junk ]; [ -e kept.txt ]; cat when; exit 1", name="test"), files=CHECKOUT, expect=1)
        self.gantry("rerun", "latest", "--failed", expect=1)
        shown = self.show()
        self.assertEqual(shown["stages"][0]["message"], "kept from an earlier run")
        self.assertEqual(shown["stages"][1]["steps"][0]["exit_code"], 1)
        self.assertEqual(self.logs("test/work").split()[0], b"one")

    # ---- getting them

    def test_get_writes_what_is_asked_for_and_replaces_nothing_unasked(self):
        self.run_stage("mkdir bin; echo one > bin/a; echo two > bin/b; echo three > c", "[bin, c]")
        folder, said = self.get("bin/a")
        self.assertIn("1 file, 4 B", said)
        self.assertEqual(sorted(os.listdir(os.path.join(folder, "bin"))), ["a"])
        self.assertIn("already there: bin/a", self.get(expect=None)[1])
        self.assertFalse(os.path.exists(os.path.join(folder, "c")))
        e2e.write(os.path.join(folder, "bin/a"), "mine")
        self.get("--force")
        with open(os.path.join(folder, "bin/a"), encoding="ascii") as file:
            self.assertEqual(file.read(), "one\n")
        self.assertIn("no artifact matches 'bon'", self.get("bon", expect=None)[1])

    def test_get_goes_through_no_link(self):
        self.run_stage("mkdir bin; echo one > bin/a; echo two > c", "[bin, c]")
        outside = os.path.join(self.home, "outside")
        os.makedirs(outside)
        e2e.write(os.path.join(outside, "victim"), "mine")
        folder = os.path.join(self.home, "out")
        os.makedirs(folder)
        os.symlink(outside, os.path.join(folder, "bin"))
        os.symlink(os.path.join(outside, "victim"), os.path.join(folder, "c"))
        before = e2e.tree(outside)
        self.get(expect=None)
        self.get("bin/a", "--force", expect=None)
        self.get("c", "--force")
        self.assertEqual(e2e.tree(outside), before)
        self.assertFalse(os.path.islink(os.path.join(folder, "c")))

    def test_contents_that_were_damaged_on_the_disk_are_told_and_not_written(self):
        self.run_stage("echo one > a", "[a]")
        path = self.store("objects", self.objects()[0][:2], self.objects()[0])
        with open(path, "r+b") as file:
            file.write(b"X")
        folder, said = self.get(expect=None)
        self.assertIn("damaged", said)
        self.assertEqual(os.listdir(folder), [])

    # ---- when somebody dies

    def test_a_process_that_is_killed_while_it_keeps_leaves_no_list_and_resume_keeps_all(self):
        folder = self.folder(pipeline(stage("mkdir d; for i in $(seq 200); do head -c 300000 /dev/urandom > d/$i; done", "[d]")))
        live = self.start(folder)
        live.until("step_finished", step="work")
        e2e.eventually(lambda: os.path.isdir(self.store("new")) and any(len(os.listdir(self.store("new", name))) > 3 for name in os.listdir(self.store("new"))), "artifacts on their way")
        live.signal(signal.SIGKILL)
        live.close()
        self.assertFalse(os.path.exists(self.store("runs")))
        self.gantry("resume", "latest")
        self.assertEqual(len(self.kept()), 201)
        self.assertEqual(os.listdir(self.store("new")), [])
        self.assertEqual(len(self.objects()), 200)


class FullDisk(disk.SmallDisk):
    def setUp(self):
        super().setUp()
        self.environment["GANTRY_KEEP_FREE"] = "0"  # what happens at its last byte

    def test_a_disk_that_is_full_while_artifacts_are_kept_is_the_cause_of_the_stage(self):
        folder = self.folder(pipeline(stage("head -c 20000000 /dev/urandom > big; echo one > small", "[big]"),
                                      stage("true", name="next")))
        done = self.gantry("run", folder, expect=3)
        said = done.stderr.decode()
        self.assertIn("its artifacts cannot be kept", said)
        self.assertIn("No space left", said)
        self.assertIn("free some space", said)
        shown = self.show()
        self.assertEqual((shown["stages"][0]["state"], shown["stages"][0]["cause"]), ("error", "disk_full"))
        self.assertEqual(shown["stages"][1]["state"], "skipped")
        store = os.path.join(self.state, "gantry", "artifacts")
        self.assertEqual(os.listdir(os.path.join(store, "new")), [])
        self.assert_nothing_left()
        self.gantry("run", self.folder(pipeline(stage("echo one > small", "[small]")), name="other"))


if __name__ == "__main__":
    e2e.main()
