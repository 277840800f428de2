"""What a stage finds in its workspace when several before it have changed files, each on its own."""

import os

import e2e

FILES = {"kept": "kept\n", "old": "old\n", "gone": "gone\n", "older/file": "old\n", "lib/one": "1\n", "lib/two": "2\n"}
UNCHANGED = ["gone: gone", "kept: kept", "lib/one: 1", "lib/two: 2", "old: old", "older/file: old"]

# All files with their first lines, in the order of their names.
LIST = "find . -type f ! -name .gantry.yml | sort | while read -r file; do read -r line < $file; echo ${file#./}: $line; done"


def stage(name, run, needs=(), more=""):
    return f"  - {{ name: {name}, needs: [{', '.join(needs)}], {more} steps: [{{ name: {name}-step, run: {run!r} }}] }}\n"


class Workspaces(e2e.Case):
    def pipeline(self, *stages):
        return f"defaults: {{ image: {e2e.IMAGE} }}\nstages:\n{''.join(stages)}"

    def listed(self, name):
        return self.logs(f"{name}-step").decode().splitlines()

    def assert_conflicts(self, conflicts, *stages):
        """These stages, and no others, do not begin: for each, who changed which path; and the run says what to do."""
        done = self.gantry("run", self.folder(self.pipeline(*stages), FILES), expect=3)
        shown = self.show()
        self.assertEqual((shown["state"], shown["cause"]), ("error", "checkout_error"))
        found = {stage["stage"]: stage for stage in shown["stages"] if stage["state"] != "success"}
        self.assertEqual(set(found), set(conflicts))
        for name, (who, path) in conflicts.items():
            self.assertEqual(found[name]["cause"], "checkout_error")
            self.assertRegex(found[name]["message"], f"^stages {who} both changed {path}, each in its own way$")
            self.assertEqual([step["state"] for step in found[name]["steps"]], ["skipped"])
            self.assertIn(f"{name} broke off: {found[name]['message']}\n  let one of them write elsewhere, "
                          "or set workspace: { on_conflict: last }", done.stderr.decode())

    def test_changes_of_two_stages_come_together_and_a_clean_stage_has_none_of_them(self):
        self.run_pipeline(self.pipeline(
            stage("left", "mkdir -p out/sub; echo l > out/left; echo l > out/sub/left; echo same > both; echo same > kept; rm old"),
            stage("right", "mkdir -p out/sub; echo r > out/right; echo r > out/sub/right; echo same > both; echo same > kept; rm old"),
            stage("third", f"rm -r older; {LIST}", ["left", "right"]),
            stage("fourth", LIST, ["third"]),
            stage("clean", LIST, ["third"], "workspace: clean,")), files=FILES)
        third = ["both: same", "gone: gone", "kept: same", "lib/one: 1", "lib/two: 2", "out/left: l", "out/right: r", "out/sub/left: l",
                 "out/sub/right: r"]
        self.assertEqual(self.listed("third"), third)
        self.assertEqual(self.listed("fourth"), third)
        self.assertEqual(self.listed("clean"), UNCHANGED)

    def test_a_path_that_two_stages_changed_differently_is_named_with_both(self):
        self.assert_conflicts(
            {"made": ("a and b", "made"), "removed": ("b and c", "lib/one"), "mode": ("a and c", "kept")},
            stage("a", "chmod 755 kept; echo a > made"), stage("b", "rm lib/one; echo b > made"), stage("c", "chmod 700 kept; echo c > lib/one"),
            stage("made", "true", ["a", "b"]), stage("removed", "true", ["c", "b"]), stage("mode", "true", ["a", "c"]))

    def test_a_path_below_what_another_stage_removed_or_replaced_is_named_with_both(self):
        self.assert_conflicts(
            {"removed": ("a and b", "lib(/one)?"), "remade": ("b and c", "lib(/one)?"), "replaced": ("b and d", "made(/file)?")},
            stage("a", "rm -r lib"), stage("b", "echo b > lib/one; mkdir made; echo b > made/file"),
            stage("c", "rm -r lib; mkdir lib; echo c > lib/new"), stage("d", "echo d > made"),
            stage("removed", "true", ["a", "b"]), stage("remade", "true", ["b", "c"]), stage("replaced", "true", ["b", "d"]))

    def test_the_same_changes_are_no_conflict_however_many_they_are(self):
        same = "rm old gone; echo same > one; ln one two"  # hard links, which removed files are to the engine, too
        self.run_pipeline(self.pipeline(stage("left", same), stage("right", same), stage("third", LIST, ["left", "right"])), files=FILES)
        self.assertEqual(self.listed("third"), ["kept: kept", "lib/one: 1", "lib/two: 2", "older/file: old", "one: same", "two: same"])

    def test_on_conflict_last_takes_the_stage_that_stands_later_in_the_file_whoever_ends_last(self):
        left = "echo l > kept; echo l > gone; rm old; trap 'exit 0' USR1; echo runs; while :; do sleep 1000 & wait || true; done"
        folder = self.folder(self.pipeline(
            stage("left", left),
            stage("right", "echo r > kept; rm gone; echo r > old"),
            stage("third", LIST, ["right", "left"], "workspace: { start: inherit, on_conflict: last },")), FILES)
        live = self.start("--in-place", folder)
        live.until("step_finished", step="right-step")
        if not any(event["event"] == "output" for event in live.events):
            live.until("output", text="runs")
        self.engine.signal(self.engine.container_of("left-step", instance=self.instance()), "USR1")
        self.assertEqual(live.end(), 0, live.stderr)
        self.assertEqual(self.listed("third"), ["kept: r", "lib/one: 1", "lib/two: 2", "old: r", "older/file: old"])
        for name in ("kept", "old"):
            with open(os.path.join(folder, name), encoding="ascii") as file:
                self.assertEqual(file.read(), "r\n", name)
        self.assertFalse(os.path.exists(os.path.join(folder, "gone")))

    def test_the_place_in_the_file_counts_also_where_a_stage_had_to_wait_for_one_below_it(self):
        self.run_pipeline(self.pipeline(
            stage("left", "echo l > kept", ["low"]), stage("right", "echo r > kept"), stage("low", "true"),
            stage("third", LIST, ["left", "right"], "workspace: { on_conflict: last },")), files={"kept": "kept\n"})
        self.assertEqual(self.listed("third"), ["kept: r"])

    def engine_mounts_nothing(self):
        engines = os.path.join(self.home, "cache", "gantry", "engines")
        for name in os.listdir(engines):
            e2e.write(os.path.join(engines, name), "copy")

    def run_and_rerun(self, between=lambda: None):
        """What the stage that failed found in the first run, and what in the second; and whether the others ran again."""
        self.gantry("run", self.folder(self.pipeline(
            stage("low", "mkdir out; echo l > out/low; rm older/file; echo l > lib/low"),
            stage("high", "rm -r lib out; mkdir -p lib/sub out; echo h > lib/high; echo h > lib/sub/high; echo h > out/high", ["low"]),
            stage("fails", f"{LIST}; exit 1", ["high"])), FILES), expect=1)
        first = self.listed("fails")
        between()
        self.gantry("rerun", "--failed", "latest", expect=1)
        stages = {stage["stage"]: stage.get("message") for stage in self.show()["stages"]}
        return first, self.listed("fails"), {stages["low"], stages["high"]}

    def test_a_rerun_of_what_failed_finds_what_the_first_run_did_also_in_folders_that_were_made_anew(self):
        first, second, messages = self.run_and_rerun()
        self.assertEqual(first, ["gone: gone", "kept: kept", "lib/high: h", "lib/sub/high: h", "old: old", "out/high: h"])
        self.assertEqual(second, first)
        self.assertEqual(messages, {"kept from an earlier run"})

    def test_a_rerun_on_an_engine_that_mounts_nothing_repeats_the_stages_whose_files_are_wanted(self):
        first, second, messages = self.run_and_rerun(self.engine_mounts_nothing)
        self.assertEqual(second, first)
        self.assertEqual(messages, {None})

    def test_where_the_engine_mounts_nothing_what_stages_hand_on_comes_together_too(self):
        self.gantry("doctor", expect=None)  # finds out what the engine can do
        self.engine_mounts_nothing()
        hands_on = "artifacts: [out/],"
        shown = self.run_pipeline(self.pipeline(
            stage("left", "mkdir out; echo l > out/left; echo same > out/both; rm kept", (), hands_on),
            stage("right", "mkdir out; echo r > out/right; echo same > out/both", (), hands_on),
            stage("other", "mkdir out; echo o > out/right", (), hands_on),
            stage("third", LIST, ["left", "right"]),
            stage("refused", "true", ["right", "other"]),
            stage("whole", "true", ["third", "other"], "workspace: { on_conflict: last },")), files=FILES, expect=None)
        self.assertEqual(self.listed("third"), UNCHANGED + ["out/both: same", "out/left: l", "out/right: r"])
        self.assertEqual({stage["stage"]: stage["message"] for stage in shown["stages"] if stage["state"] != "success"}, {
            "refused": "stages right and other both changed out/right, each in its own way",
            "whole": "stage whole needs the files of several stages, which this engine cannot stack"})


if __name__ == "__main__":
    e2e.main()
