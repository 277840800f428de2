"""`gantry prune` and `gantry df`: all of ours that nobody needs goes, and nothing of anybody else's, whatever it is called."""

import io
import json
import os
import pty
import shutil
import signal
import subprocess
import tarfile
import time
import urllib.parse

import e2e

ALL = ("prune", "--all", "--keep", "0", "--yes")
DAY = 24 * 3600


class Prune(e2e.Case):
    def setUp(self):
        super().setUp()
        self.tag = f"gantry-e2e-prune-{os.getpid()}"
        self.addCleanup(self.remove_images)

    def tearDown(self):
        self.gantry(*ALL)
        self.assert_nothing_left()

    def remove_images(self):
        for image in self.engine.get("/images/json"):
            for tag in image["RepoTags"] or []:
                if tag.startswith(self.tag):
                    self.engine.call("DELETE", f"/images/{tag}?force=1")

    # ---- what is there

    def everything(self):
        """All that the engine has, whoever made it. Images that builders leave between two steps are nobody's."""
        found = [f"container {c['Names'][0]}" for c in self.engine.get("/containers/json?all=1")]
        found += [f"network {n['Name']}" for n in self.engine.get("/networks")]
        found += [f"volume {v['Name']}" for v in self.engine.get("/volumes")["Volumes"] or []]
        found += [f"image {tag}" for i in self.engine.get("/images/json") for tag in i["RepoTags"] or []
                  if tag != "<none>:<none>"]
        return set(found)

    def prune(self, *arguments, **options):
        return json.loads(self.gantry("prune", "--json", *arguments, **options).stdout)

    def going(self, *arguments):
        return sorted((item["kind"], item["name"]) for item in self.prune("--dry-run", *arguments)["items"])

    def kinds(self, answer):
        return {kind["kind"]: kind["count"] for kind in answer["kinds"] if kind["count"]}

    def age(self, path, days):
        then = time.time() - days * DAY
        os.utime(path, (then, then))

    def age_run(self, run, days):
        self.age(os.path.join(self.state, f"gantry/runs/{run}/journal.jsonl"), days)

    def keep_failed(self):
        self.gantry("run", "--keep-failed", "--quiet", self.folder(
            f"image: {e2e.IMAGE}\nartifacts: {{ paths: [y], when: always }}\nsteps: [{{ name: fails, run: echo x > y; exit 3 }}]\n"), expect=1)

    def stored(self):
        """The contents of artifacts that lie here."""
        return sorted(name for _, _, files in os.walk(os.path.join(self.state, "gantry/artifacts/objects")) for name in files)

    def counted(self, kind):
        """By `df`."""
        return next(one for one in json.loads(self.gantry("df", "--json").stdout)["kinds"] if one["kind"] == kind)

    def networks(self):
        return [name for kind, name, _ in self.engine.objects(instance=self.instance()) if kind == "network"]

    def build(self, tag, base=e2e.IMAGE, name="project", more=""):
        self.gantry("run", "--quiet", self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: image
                build: {{ tags: [{tag}, "{tag}-also"], dockerfile_inline: "FROM {base}\\nRUN echo {tag} > /made\\n" {more} }}
        """, name=name))

    # ---- by others

    def foreign_image(self, tag, dockerfile, labels):
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            info = tarfile.TarInfo("Dockerfile")
            info.size = len(dockerfile)
            archive.addfile(info, io.BytesIO(dockerfile.encode()))
        query = urllib.parse.urlencode({"t": tag, "labels": json.dumps(labels)})
        status, body = self.engine.call("POST", f"/build?{query}", context.getvalue(), "application/x-tar")
        self.assertEqual(status, 200, body)

    def create(self, path, body):
        status, answer = self.engine.call("POST", path, json.dumps(body))
        self.assertEqual(status, 201, answer)

    def make_foreign_network(self, labels, name):
        self.create("/networks/create", {"Name": name, "Labels": labels})
        self.addCleanup(self.engine.call, "DELETE", f"/networks/{name}")

    def make_foreign_objects(self, labels, name):
        self.create(f"/containers/create?name={name}", {"Image": e2e.IMAGE, "Labels": labels})
        self.addCleanup(self.engine.call, "DELETE", f"/containers/{name}?force=1")
        self.make_foreign_network(labels, name)
        self.create("/volumes/create", {"Name": name, "Labels": labels})
        self.addCleanup(self.engine.call, "DELETE", f"/volumes/{name}")
        self.foreign_image(f"{self.tag}:{name}", f"FROM {e2e.IMAGE}\nRUN echo {name} > /made\n", labels)

    # ---- the tests

    def test_all_of_ours_goes_and_nothing_of_others_even_where_it_looks_like_ours(self):
        self.gantry("ps")
        before = self.everything()
        self.keep_failed()
        self.build(f"{self.tag}:ours")
        ours = self.everything() - before
        self.assertGreaterEqual(len(ours), 3, ours)  # container, workspace, image
        instance = self.instance()
        other = "0" * 8 if instance != "0" * 8 else "1" * 8
        self.make_foreign_objects({"gantry.instance": other, "gantry.run": "1"}, f"gantry-{other}-1-main")
        self.make_foreign_objects({}, f"gantry-{instance}-1-main-other-1")
        self.make_foreign_objects({"gantry.run": "1", "gantry.kind": "holder"}, f"gantry-{instance}-1.net")
        self.foreign_image(f"{self.tag}:on-ours", f"FROM {self.tag}:ours\nRUN echo more > /more\n", {})
        full = self.everything()

        told = self.prune("--dry-run", "--all", "--keep", "0")
        self.assertTrue(told["dry_run"])
        self.assertEqual(self.everything(), full)
        self.assertEqual(len(self.runs()), 2)

        done = self.prune("--all", "--keep", "0", "--yes")
        self.assertEqual(done["failed"], [])
        self.assertEqual(self.kinds(done), self.kinds(told))
        self.assertEqual(full - self.everything(), ours)
        self.assertEqual(self.runs(), [])
        self.assertEqual(self.kinds(self.prune("--all", "--keep", "0", "--yes")), {})

    def test_an_image_of_ours_on_another_of_ours_goes_too(self):
        self.build(f"{self.tag}:base")
        self.build(f"{self.tag}:app", base=f"{self.tag}:base")
        self.foreign_image(f"{self.tag}:other", f"FROM {self.tag}:app\nCMD x\n", {})
        images = [item["name"] for item in self.prune("images", "--all", "--keep", "0", "--yes")["items"]]
        self.assertEqual(sorted(images), [f"{self.tag}:app", f"{self.tag}:base"])
        self.assertIn(f"image {self.tag}:other", self.everything())

    def test_images_of_the_newest_runs_stay(self):
        for number in (1, 2, 3):
            self.build(f"{self.tag}:{number}")
        self.assertEqual(self.going("images", "--all"), [])
        self.assertEqual(self.going("images", "--older-than", "7d", "--keep", "0"), [])
        self.run_pipeline(f"image: {self.tag}:1\nsteps: [{{ name: uses, run: cat /made }}]\n")
        self.assertEqual(self.going("images", "--all", "--keep", "1"), [("images", f"{self.tag}:2"), ("images", f"{self.tag}:3")])
        self.assertEqual(self.kinds(self.prune("images", "--all", "--keep", "2", "--yes")), {"images": 1})
        self.assertEqual({f"image {self.tag}:{number}" for number in (1, 3)} - self.everything(), set())
        self.assertEqual({f"image {self.tag}:2", f"image {self.tag}:2-also"} & self.everything(), set())

    def test_what_was_kept_for_the_shell_goes_after_its_days_and_its_logs_with_it(self):
        self.keep_failed()
        self.assertEqual(self.going("--keep", "0"), [])
        self.age_run(1, 4)
        self.assertEqual({kind for kind, _ in self.going("--keep", "0")}, {"containers", "volumes"})
        self.age_run(1, 40)
        self.assertEqual(self.kinds(self.prune("logs", "--keep", "0", "--yes")), {})  # its container is to stay
        done = self.kinds(self.prune("--keep", "0", "--yes"))
        self.assertEqual((done["containers"], done["logs"], done["artifacts"]), (1, 1, 1))
        self.assertEqual(self.stored(), [])
        self.assert_nothing_left()

    def test_artifacts_go_by_their_age_and_contents_with_the_last_that_has_them(self):
        for word in ("old", "new"):
            self.gantry("run", "--quiet", self.folder(f"""
                image: {e2e.IMAGE}
                artifacts: ["*.txt"]
                steps: [{{ name: makes, run: echo {word} > own.txt; echo same > same.txt }}]
            """))
        full = self.stored()
        self.assertEqual((len(full), self.counted("artifacts")["count"]), (3, 2))
        self.assertEqual(self.going("artifacts", "--keep", "0"), [])  # too young
        self.assertEqual(self.going("artifacts", "--older-than", "0s"), [])  # of the newest ten

        older = ("artifacts", "--older-than", "0s", "--keep")
        told = self.going(*older, "1")
        self.assertEqual([kind for kind, _ in told], ["artifacts"])
        self.assertEqual(self.stored(), full, "it was only told")
        self.assertEqual(self.kinds(self.prune(*older, "1", "--yes")), {"artifacts": 1})
        self.assertFalse(os.path.exists(told[0][1]), "the list of run 1")
        self.assertEqual(self.counted("artifacts")["count"], 1)
        out = os.path.join(self.home, "out")
        self.gantry("artifacts", "2", "get", "--to", out)
        self.assertEqual(sorted(os.listdir(out)), ["own.txt", "same.txt"])
        self.assertEqual(len(self.stored()), 2)

        self.assertEqual(self.kinds(self.prune(*older, "0", "--yes")), {"artifacts": 1})
        self.assertEqual(self.stored(), [])
        left = self.counted("artifacts")
        self.assertEqual((left["count"], left["size_bytes"]), (0, 0))
        self.assertEqual(len(self.runs()), 2, "their logs are another kind")

    def leave_networks(self):
        """What a run had when it was killed."""
        live = self.start(self.folder(f"""
            networks: {{ own: {{}} }}
            image: {e2e.IMAGE}
            steps: [{{ name: waits, networks: [default, own], run: echo ready; exec sleep 1000 }}]
        """))
        live.until("output", text="ready")
        live.signal(signal.SIGKILL)
        live.end()
        networks = self.networks()
        self.assertEqual(len(networks), 2, networks)
        return networks

    def test_a_network_that_a_killed_run_left_goes_and_others_with_such_a_name_stay(self):
        left = self.leave_networks()
        other = "0" * 8 if self.instance() != "0" * 8 else "1" * 8
        foreign = [left[0] + "-x", left[0].replace(self.instance(), other)]
        self.make_foreign_network({"gantry.run": "1"}, foreign[0])
        self.make_foreign_network({"gantry.instance": other, "gantry.run": "1"}, foreign[1])
        there = {f"network {name}" for name in foreign}
        self.prune("networks", "--yes")  # any command cleans up behind a process that died
        self.assertEqual(self.networks(), [])
        self.assertEqual(there - self.everything(), set())

        # When nobody knows the run any more, it is up to prune. Its container still runs, so that is told by age as well.
        left = self.leave_networks()
        shutil.rmtree(os.path.join(self.state, "gantry/runs"))
        self.assertEqual(self.going("networks"), [])
        self.assertEqual(self.going("networks", "--older-than", "0s"), [("networks", name) for name in left])
        self.assertEqual(self.networks(), left, "it was only told")
        done = self.prune("--older-than", "0s", "--yes")
        self.assertEqual(done["failed"], [])
        self.assertEqual((self.kinds(done)["networks"], self.networks()), (2, []))
        self.assertEqual(there - self.everything(), set())

    def test_a_living_run_loses_nothing(self):
        folder = self.folder(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            networks: {{ own: {{}} }}
            stages:
              - name: main
                caches: [{{ name: deps, path: /deps, key: k }}]
                services: {{ side: {{ image: {e2e.IMAGE}, command: "sleep 1000", networks: [default, own] }} }}
                steps:
                  - name: waits
                    run: "echo x > /deps/x; echo x > here; trap 'cat /deps/x here > /dev/null && exit 0; exit 9' USR1;
                          echo ready; while :; do sleep 1000 & wait $!; done"
                  - {{ name: next, run: cat /deps/x here }}
        """)
        live = self.start(folder)
        live.until("output", text="ready")
        before = self.everything()
        done = self.prune("--all", "--keep", "0", "--yes")
        self.assertEqual(self.kinds(done), {})
        self.assertEqual(before - self.everything(), set())
        self.engine.signal(self.engine.container_of("waits", instance=self.instance()), "USR1")
        self.assertEqual(live.end(), 0, live.report())

    def test_caches_and_copies_of_repositories_go_by_their_last_use(self):
        for key in ("old", "new"):
            self.gantry("run", "--quiet", self.folder(f"""
                image: {e2e.IMAGE}
                caches: [{{ name: deps, path: /deps, key: {key} }}]
                steps: [{{ name: fills, run: head -c 3000000 /dev/zero > /deps/{key} }}]
            """))
        entries = os.path.join(self.home, "cache/gantry/caches/entries")
        for top, _, files in os.walk(entries):
            for file in files:
                with open(os.path.join(top, file), encoding="utf-8") as record:
                    if json.load(record)["key"] == "old":
                        self.age(os.path.join(top, file), 31)
        self.assertEqual(len(self.left()), 2)
        done = self.prune("caches", "--yes")
        self.assertEqual(self.kinds(done), {"caches": 1})
        self.assertGreaterEqual(done["kinds"][4]["size_bytes"], 3_000_000)
        self.assertEqual(len(self.left()), 1)
        self.assertEqual([entry["key"] for entry in json.loads(self.gantry("cache", "ls", "--json").stdout)], ["new"])
        workspaces = os.path.join(self.home, "cache/gantry/workspaces")
        self.assertEqual(self.kinds(self.prune("caches", "--all", "--yes")), {"caches": 2})
        self.assertEqual([os.listdir(os.path.join(workspaces, one, "layers")) for one in os.listdir(workspaces)], [[]])
        self.run_pipeline(f"image: {e2e.IMAGE}\nsteps: [{{ name: again, run: test -f .gantry.yml }}]\n")

    def test_it_asks_on_a_terminal_and_removes_nothing_without_an_answer(self):
        self.keep_failed()
        self.assertIn(b"--yes", self.gantry("prune", "--all", expect=2).stderr)
        before = self.everything()
        for answer, gone in ((b"\n", False), (b"no\n", False), (b"y\n", True)):
            ours, theirs = pty.openpty()
            process = subprocess.Popen(self.command(ALL[:-1]), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env=self.environment, cwd=self.home)
            os.close(theirs)
            os.write(ours, answer)
            out, err = process.communicate(timeout=e2e.LIMIT)
            os.close(ours)
            self.assertEqual(process.returncode, 0, err)
            self.assertIn(b"would remove", out)
            self.assertIn(b"[y/N]", err)
            self.assertEqual(self.everything() != before, gone, answer)

    def test_df_counts_what_is_there_and_what_would_go(self):
        self.keep_failed()
        self.build(f"{self.tag}:df")
        answer = json.loads(self.gantry("df", "--json", "-v").stdout)
        counts = {kind["kind"]: kind for kind in answer["kinds"]}
        self.assertEqual([counts[kind]["count"] for kind in ("containers", "images", "logs")], [1, 1, 2])
        self.assertEqual(sum(kind["reclaimable"] for kind in answer["kinds"]), 0)
        self.assertIn(os.path.join(self.state, "gantry"), [disk["folder"] for disk in answer["disks"]])
        self.assertTrue(all(disk["free_bytes"] > 0 for disk in answer["disks"]), answer["disks"])
        self.assertIn("has built it", {item["kind"]: item["why"] for item in answer["items"]}["images"])
        self.assertIn(b"RECLAIMABLE", self.gantry("df").stdout)

    def test_a_kind_or_a_time_that_is_none_is_an_error_of_usage(self):
        self.assertIn(b"did you mean 'images'?", self.gantry("prune", "imges", "--yes", expect=2).stderr)
        self.gantry("prune", "--older-than", "soon", "--yes", expect=2)
        self.gantry("prune", "--all", "--older-than", "1h", "--yes", expect=2)


if __name__ == "__main__":
    e2e.main()
