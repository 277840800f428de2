"""What a run may do to the user's folder, and who may write where in a workspace."""

import os
import subprocess

import e2e


class InPlace(e2e.Case):
    PIPELINE = f"""
        defaults: {{ image: {e2e.IMAGE} }}
        stages:
          - name: build
            steps: [{{ name: make, run: "echo made > out/a; rm old; echo new >> kept; mkdir -p .git; echo evil > .git/config; ln -s /etc/passwd link" }}]
          - name: fail
            steps: [{{ name: report, run: "echo report > report; exit 1" }}]
    """

    def test_without_being_asked_nothing_is_written(self):
        folder = self.folder(self.PIPELINE, {"old": "old", "kept": "kept\n", "out/b": "b"})
        before = e2e.tree(folder)
        self.gantry("run", folder, expect=1)
        self.assertEqual(e2e.tree(folder), before)

    def test_in_place_brings_back_what_the_stages_changed(self):
        folder = self.folder(self.PIPELINE, {"old": "old", "kept": "kept\n", "out/b": "b"})
        self.gantry("run", "--in-place", folder, expect=1)
        self.assertEqual(sorted(e2e.tree(folder)), [".gantry.yml", "kept", "link", "out", "out/a", "out/b", "report"])
        with open(os.path.join(folder, "kept"), encoding="ascii") as file:
            self.assertEqual(file.read(), "kept\nnew\n")
        self.assertEqual(os.readlink(os.path.join(folder, "link")), "/etc/passwd")
        for path, (_, uid, gid, _, _) in e2e.tree(folder).items():
            self.assertEqual((uid, gid), (os.getuid(), os.getgid()), path)

    def test_a_run_whose_files_cannot_all_be_written_passes_and_says_so_with_its_exit_code(self):
        for exit_code, expected in ((0, 3), (1, 1)):
            with self.subTest(exit_code):
                folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, cap_add: [MKNOD], run: 'mknod device c 1 3; exit {exit_code}' }}]\n")
                done = self.gantry("run", "--in-place", folder, expect=expected)
                self.assertIn(b"what the stages changed is not all in " + folder.encode(), done.stderr)
                self.assertEqual(self.show()["state"], "failure" if exit_code else "success")

    def test_a_cancelled_run_leaves_the_folder_as_it_was(self):
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: half, run: 'echo half > file; echo go; sleep 1000' }}]")
        before = e2e.tree(folder)
        live = self.start("--in-place", folder)
        live.until("output", text="go")
        live.signal(2)
        self.assertEqual(live.end(), 130)
        self.assertEqual(e2e.tree(folder), before)

    def test_a_run_that_is_resumed_brings_back_what_it_was_asked_to(self):
        folder = self.folder(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - name: build
                steps: [{{ run: echo built > built }}]
              - name: test
                steps: [{{ run: "echo tested > tested; echo at it; sleep 3" }}]
        """)
        live = self.start("--in-place", folder)
        live.until("output", text="at it")
        live.signal(9)
        live.end()
        self.assertNotIn("built", e2e.tree(folder))
        self.gantry("resume", "latest")
        self.assertEqual(sorted(e2e.tree(folder)), [".gantry.yml", "built", "tested"])

    def test_a_run_that_is_resumed_brings_back_what_stages_changed_on_which_nothing_builds(self):
        folder = self.folder(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - name: build
                steps: [{{ run: echo built > built; rm old }}]
              - name: test
                needs: []
                steps: [{{ run: "echo tested > tested; echo at it; [ -e go ] || sleep 1000" }}]
        """, {"old": "old"})
        live = self.start("--in-place", folder)
        live.until("stage_finished", stage="build")
        if not any(event["event"] == "output" for event in live.events):
            live.until("output", text="at it")
        live.signal(9)
        live.end()
        e2e.write(os.path.join(folder, "go"), "")
        self.gantry("resume", "latest")
        self.assertEqual(sorted(e2e.tree(folder)), [".gantry.yml", "built", "go", "tested"])

    def test_what_the_run_did_not_have_stays_in_folders_that_it_removed(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            steps: [{{ run: "rm -r config lib other; echo file > lib; echo done" }}]
        """, {".gitignore": ".env\n", "config/.env": "mine", "config/app": "", "config/deep/x": "", "lib/a": "", "other/b": ""})
        for arguments in (["init", "--quiet"], ["add", "."]):
            subprocess.run(["git", "-C", folder, *arguments], env=self.environment, check=True)
        done = self.gantry("run", "--in-place", folder)
        left = [name for name in e2e.tree(folder) if name.split("/")[0] != ".git"]
        self.assertEqual(sorted(left), [".gantry.yml", ".gitignore", "config", "config/.env", "lib"])
        self.assertIn(f"removed by the stages, but not from {folder}: config/.env (", done.stderr.decode())

    def test_where_the_engine_mounts_nothing_no_run_in_place_begins(self):
        self.gantry("doctor", expect=None)  # finds out what the engine can do
        engines = os.path.join(self.home, "cache", "gantry", "engines")
        for name in os.listdir(engines):
            e2e.write(os.path.join(engines, name), "copy")
        folder = self.folder(self.PIPELINE, {"old": "old", "kept": "kept\n", "out/b": "b"})
        before = e2e.tree(folder)
        done = self.gantry("run", "--json", "--in-place", folder, expect=2)
        self.assertIn(b"--in-place needs an engine that mounts the files of this machine", done.stderr)
        self.assertIn(b"gantry doctor says why", done.stderr)
        self.assertNotIn(b"step_started", done.stdout)
        self.assertEqual(e2e.tree(folder), before)
        self.assertEqual(self.show()["state"], "error")

    def test_in_place_and_a_commit_do_not_go_together(self):
        folder = self.folder(self.PIPELINE)
        self.assertIn(b"--in-place", self.gantry("run", "--in-place", "--no-dirty", folder, expect=2).stderr)

    def test_a_step_that_is_not_root_may_write_to_the_workspace(self):
        shown = self.run_pipeline(f"""
            image: {e2e.IMAGE}
            user: "1234:5678"
            steps:
              - {{ name: write, run: "echo $(id -u) > mine; mkdir dir; echo a=$(cat mine) >> $CI_OUTPUT" }}
        """)
        self.assertEqual(e2e.steps_of(shown)["main/write"]["outputs"], {"a": "1234"})


if __name__ == "__main__":
    e2e.main()
