"""Steps with `build:`: the image is built by the engine from the stage's workspace, and the next steps use it."""

import functools
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading

import e2e
import registry

BASE = "busybox:1.36"


def add_clean_up(case):
    """At its end the images of a test go, too."""
    def remove():
        query = "filters=%7B%22label%22%3A%5B%22gantry.instance%3D" + str(case.instance()) + "%22%5D%7D"
        for image in case.engine.get(f"/images/json?{query}"):
            case.engine.call("DELETE", f"/images/{image['Id']}?force=1")
    case.addCleanup(remove)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Build(e2e.Case):
    def setUp(self):
        super().setUp()
        add_clean_up(self)
        self.tag = "gantry-e2e-" + os.path.basename(self.home)[-8:].lower().replace("_", "x") + ":1"

    def image(self, name):
        return self.engine.get(f"/images/{name}/json")

    def step(self, shown, name="main/app"):
        return e2e.steps_of(shown)[name]

    # ---- what it makes

    def test_the_next_step_runs_what_was_built_from_what_earlier_steps_left(self):
        shown = self.run_pipeline(f"""
            image: {e2e.IMAGE}
            steps:
              - run: mkdir -p out; echo "made by a step" > out/message
              - name: app
                build:
                  context: .
                  args: {{ WORD: "of ${{{{ branch }}}}" }}
                  labels: {{ team: web }}
                  tags: ["{self.tag}"]
              - {{ name: use, image: "${{{{ steps.app.image }}}}", run: "cat /app/message /app/word; cat /app/file" }}
        """, "--branch", "trunk", files={
            "Dockerfile": f"# first\nFROM {BASE} AS make\nARG WORD\nRUN mkdir /made && echo \"word $WORD\" > /made/word\n"
                          f"\nFROM {BASE}\nCOPY --from=make /made /app\nCOPY out/message file /app/\n",
            "file": "of the repository\n"})
        self.assertEqual(self.step(shown)["image"], self.tag)
        self.assertEqual(self.logs("use").decode(), "made by a step\nword of trunk\nof the repository\n")
        labels = self.image(self.tag)["Config"]["Labels"]
        self.assertEqual((labels["team"], labels["gantry.instance"], labels["gantry.run"]), ("web", self.instance(), "1"))
        log = self.logs("app").decode()
        self.assertIn("] Dockerfile:4 RUN mkdir /made", log)
        self.assertRegex(log, r"context: \d files, ")
        self.assertRegex(log, rf"\nimage sha256:[0-9a-f]{{12}}, [0-9.]+ .?B: {self.tag}\n")

    def test_a_second_build_takes_its_steps_from_the_cache_unless_it_may_not(self):
        pipeline = f"steps: [{{ name: app, build: {{ tags: '{self.tag}', no_cache: NO }} }}]\n"
        files = {"Dockerfile": f"FROM {BASE}\nRUN echo {self.tag}\n"}
        self.run_pipeline(pipeline.replace("NO", "false"), files=files)
        self.run_pipeline(pipeline.replace("NO", "false"), files=files)
        self.assertRegex(self.logs("app").decode(), r"\n\[2/\d\] cached\n")
        self.run_pipeline(pipeline.replace("NO", "true"), files=files)
        self.assertNotRegex(self.logs("app").decode(), r"\[2/\d\] cached")

    def test_an_image_without_a_name_can_be_used_all_the_same(self):
        self.run_pipeline(f"""
            steps:
              - {{ name: app, build: {{ dockerfile_inline: "FROM {BASE}\\nCOPY .gantry.yml Dockerfile* /x/\\n" }} }}
              - {{ name: use, image: "${{{{ steps.app.image }}}}", run: "ls -A /x" }}
        """, files={".dockerignore": "Dockerfile", "Dockerfile": "FROM nothing"})
        self.assertEqual(self.logs("use").decode(), ".gantry.yml\n")

    def test_dockerignore_leaves_out_what_it_says_and_never_the_dockerfile(self):
        self.run_pipeline(f"""
            steps:
              - {{ name: app, build: {{ context: api, tags: "{self.tag}" }} }}
              - {{ name: use, image: "{self.tag}", run: "cd /all; find . -type f | sort" }}
        """, files={"outside": "", "api/Dockerfile": f"FROM {BASE}\nCOPY . /all\n",
                    "api/.dockerignore": "*\n!src\n**/*.o\n!src/keep.o\n", "api/src/a.c": "", "api/src/deep/a.o": "",
                    "api/src/keep.o": "", "api/secret": ""})
        self.assertEqual(self.logs("use").decode(), "./src/a.c\n./src/keep.o\n")

    def test_the_dockerfile_may_stand_outside_and_a_target_ends_the_build_early(self):
        shown = self.run_pipeline(f"""
            steps:
              - name: app
                build: {{ context: api, dockerfile: ../build/Dockerfile.api, target: first, tags: ["{self.tag}"] }}
              - {{ name: use, image: "{self.tag}", run: "ls -A /all; test ! -e /second" }}
        """, files={"build/Dockerfile.api": f"FROM {BASE} AS first\nCOPY . /all\nFROM first\nRUN touch /second; exit 9\n",
                    "api/one": ""})
        self.assertEqual(self.logs("use").decode(), "one\n")
        self.assertIn("build/Dockerfile.api:2 COPY", self.logs("app").decode())
        self.assertEqual(shown["state"], "success")

    def test_modes_links_and_long_names_reach_the_image(self):
        deep = "/".join(["d" * 60] * 4) + "/file"
        self.run_pipeline(f"""
            image: {e2e.IMAGE}
            steps:
              - run: "mkdir -p ctx/$(dirname {deep}); echo deep > ctx/{deep}; cd ctx; echo x > run; chmod 750 run; ln -s run link; ln run hard; echo é > ümlaut; printf 'FROM {BASE}\\nCOPY . /all/\\n' > Dockerfile"
              - {{ name: app, build: {{ context: ./ctx, tags: "{self.tag}" }} }}
              - name: use
                image: "{self.tag}"
                run: "cd /all; stat -c %a run; readlink link; cat hard ümlaut {deep}"
        """)
        self.assertEqual(self.logs("use").decode(), "750\nrun\nx\né\ndeep\n")

    def test_onbuild_and_healthcheck_are_part_of_the_image(self):
        self.run_pipeline(f"""
            steps:
              - name: base
                build: {{ dockerfile_inline: "FROM {BASE}\\nONBUILD COPY message /message\\nONBUILD RUN cat /message > /copy\\n", tags: "base-{self.tag}" }}
              - name: app
                build: {{ dockerfile_inline: "FROM base-{self.tag}\\nHEALTHCHECK --interval=7s CMD cat /copy\\nCMD cat /copy", tags: "{self.tag}" }}
              - {{ name: use, image: "{self.tag}" }}
        """, files={"message": "triggered\n"})
        self.assertEqual(self.image(self.tag)["Config"]["Healthcheck"]["Interval"], 7_000_000_000)
        self.assertEqual(self.logs("use").decode(), "triggered\n")

    def test_an_archive_is_a_context(self):
        self.run_pipeline(f"""
            image: debian:bookworm
            steps:
              - run: mkdir ctx; echo packed > ctx/file; printf 'FROM {BASE}\\nCOPY . /all/\\n' > ctx/Dockerfile; tar -czf ctx.tar.gz -C ctx .
              - {{ name: app, build: {{ context: ctx.tar.gz, tags: "{self.tag}" }} }}
              - {{ name: use, image: "{self.tag}", run: "cat /all/file" }}
        """)
        self.assertEqual(self.logs("use").decode(), "packed\n")

    def test_an_archive_that_fails_to_build_tells_the_line_of_its_dockerfile(self):
        ended = self.run_pipeline(f"""
            image: debian:bookworm
            steps:
              - run: mkdir ctx; printf 'FROM {BASE}\\n\\n# it cannot\\nRUN exit 3\\n' > ctx/Dockerfile; tar -czf ctx.tar.gz -C ctx .
              - {{ name: app, build: {{ context: ctx.tar.gz }} }}
        """, expect=1)
        self.assertIn("Dockerfile:4: RUN exit 3", json.dumps(ended))

    def git_server(self, files, branch="main"):
        """The address of a repository of these files, with a second branch `side`."""
        served = os.path.join(self.home, "served")
        work = os.path.join(self.home, "work")
        for name, content in files.items():
            e2e.write(os.path.join(work, name), content)
        for arguments in (["init", "-q", "-b", branch], ["add", "."],
                          ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"], ["branch", "side"]):
            subprocess.run(["git", "-C", work, *arguments], check=True)
        subprocess.run(["git", "clone", "-q", "--bare", work, served + "/x.git"], check=True)
        subprocess.run(["git", "-C", served + "/x.git", "update-server-info"], check=True)
        handler = functools.partial(QuietHandler, directory=served)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}/x.git"

    def test_a_git_repository_is_a_context_with_a_ref_and_a_folder_or_its_own_branch(self):
        address = self.git_server({"api/Dockerfile": f"FROM {BASE}\nCOPY file /\n", "api/file": "cloned\n",
                                   "Dockerfile": f"FROM {BASE}\nCOPY api/file /\n"}, branch="trunk")
        for behind in ("#side:api", "", "#:api"):
            self.run_pipeline(f"""
                steps:
                  - {{ name: app, build: {{ context: "{address}{behind}", tags: "{self.tag}" }} }}
                  - {{ name: use, image: "{self.tag}", run: cat /file }}
            """)
            self.assertEqual(self.logs("use").decode(), "cloned\n")

    def test_what_is_wrong_with_a_git_repository_is_the_files_fault(self):
        address = self.git_server({"api/Dockerfile": f"FROM {BASE}\n"})
        for context, words, hint in ((f"{address}#nope:api", "couldn't find remote ref nope", "branch or tag"),
                                     (f"{address}#main:nope", "/nope: no such file or directory", "#REF:FOLDER"),
                                     (f"{address}#main:../../etc", "not within git root", "#REF:FOLDER"),
                                     (address.replace("x.git", "none.git"), "none.git/' not found", "address")):
            step = self.fails(cause="config_error", build=f'"{context}"', expect=2)
            self.assertIn(words, step["message"])
            self.assertIn(hint, step["hint"])

    def test_a_context_and_a_dockerfile_may_be_links_inside_of_the_repository(self):
        shutil.rmtree(os.path.join(self.home, "project"), ignore_errors=True)
        folder = self.folder(f"""
            steps:
              - {{ name: app, build: {{ context: lnk, tags: "{self.tag}" }} }}
              - {{ name: use, image: "{self.tag}", run: "ls /all" }}
              - {{ name: own, build: {{ dockerfile: ldf }}, if: always() }}
              - {{ name: out, build: {{ context: empty, dockerfile: far }}, if: always() }}
              - {{ name: etc, build: {{ context: etc }}, if: always() }}
              - {{ name: shared, build: {{ context: via/etc }}, if: always() }}
        """, {"real/Dockerfile": f"FROM {BASE}\nCOPY . /all\n", "real/file": "", "docker/Dockerfile": f"\nFROM {BASE}\n\nRUN exit 3\n",
              "empty/x": "", ".dockerignore": "docker"})
        for target, name in (("./real/", "lnk"), ("docker/Dockerfile", "ldf"), ("../docker/Dockerfile", "empty/far"), ("/etc", "etc"), (".", "via")):
            os.symlink(target, os.path.join(folder, name))
        self.gantry("run", "--quiet", folder, expect=None)
        shown = self.show()
        self.assertEqual(self.logs("use").decode(), "Dockerfile\nfile\n")
        self.assertIn("ldf:4: RUN exit 3", self.step(shown, "main/own")["message"])
        self.assertIn("ldf:2 FROM", self.logs("own").decode())
        self.assertIn("empty/far:4: RUN exit 3", self.step(shown, "main/out")["message"])
        for name, place in (("etc", "etc"), ("shared", "via/etc")):
            step = self.step(shown, f"main/{name}")
            self.assertEqual((step["cause"], step["message"]),
                             ("config_error", f"build.context: '/workspace/{place}' is a link to '/etc', which is not in the workspace"))
            self.assertIn("of the repository", step["hint"])

    def test_an_archive_may_be_a_link_and_one_that_is_none_is_named(self):
        shutil.rmtree(os.path.join(self.home, "project"), ignore_errors=True)
        folder = self.folder("""
            steps:
              - { name: app, build: { context: lnk.tar } }
              - { name: bad, build: { context: bad.tar }, if: always() }
              - { name: short, build: { context: short.tar }, if: always() }
              - { name: dir, build: { context: dir.tar }, if: always() }
        """, {"Dockerfile": f"FROM {BASE}\n", "bad.tar": "no archive " * 1000, "short.tar": "x", "dir.tar/file": "x"})
        subprocess.run(["tar", "-cf", os.path.join(folder, "real.tar"), "-C", folder, "Dockerfile"], check=True)
        os.symlink("real.tar", os.path.join(folder, "lnk.tar"))
        self.gantry("run", "--quiet", folder, expect=None)
        shown = self.show()
        self.assertEqual(self.step(shown)["state"], "success")
        for name, words in (("bad", "bad.tar cannot be read: archive/tar: invalid tar header"), ("short", "short.tar cannot be read: unexpected EOF"),
                            ("dir", "dir.tar: it is no plain file")):
            step = self.step(shown, f"main/{name}")
            self.assertEqual((step["cause"], step["message"]), ("config_error", f"build.context: {words}"))
            self.assertIn("an archive of one", step["hint"])

    def test_network_hosts_and_shared_memory_of_its_commands(self):
        self.run_pipeline(f"""
            steps:
              - name: app
                build:
                  dockerfile_inline: "FROM {BASE}\\nRUN grep ' /dev/shm ' /proc/mounts && grep .example /etc/hosts && ls /sys/class/net\\n"
                  network: none
                  extra_hosts: ["db.example:10.9.8.7", "web.example:10.9.8.8"]
                  shm_size: 32m
        """)
        log = self.logs("app").decode()
        self.assertIn("size=32768k", log)
        self.assertEqual(re.findall(r"^(10\..*)\t(.*)$", log, re.M), [("10.9.8.7", "db.example"), ("10.9.8.8", "web.example")])
        self.assertNotIn("eth0", log)

    def test_the_hosts_network_needs_consent(self):
        pipeline = f"steps: [{{ name: app, build: {{ dockerfile_inline: 'FROM {BASE}', network: host }} }}]\n"
        said = self.gantry("run", self.folder(pipeline), expect=2).stderr.decode()
        self.assertIn("build.network: host reaches the engine's host and needs your consent", said)
        self.assertIn("--allow host-namespaces", said)
        self.assertEqual(self.run_pipeline(pipeline, "--allow", "host-namespaces")["state"], "success")

    def test_gantry_image_lists_says_and_removes(self):
        self.run_pipeline(f"steps: [{{ name: app, build: {{ dockerfile_inline: 'FROM {BASE}', tags: ['{self.tag}', 'x-{self.tag}'] }} }}]\n")
        listed = json.loads(self.gantry("image", "ls", "--json").stdout)
        self.assertEqual([(sorted(image["tags"]), image["run"]) for image in listed], [(sorted([self.tag, f"x-{self.tag}"]), "1")])
        self.assertIn(self.tag, self.gantry("image", "ls").stdout.decode())
        self.assertIn(BASE, self.gantry("image", "ls", "--all").stdout.decode())
        self.assertEqual(json.loads(self.gantry("image", "inspect", self.tag).stdout)[0]["id"], listed[0]["id"])
        self.gantry("image", "rm", self.tag, f"x-{self.tag}")
        self.assertEqual(json.loads(self.gantry("image", "ls", "--json").stdout), [])
        self.gantry("image", "inspect", self.tag, expect=None)
        self.assertIn(b"has no image", self.gantry("image", "rm", self.tag, expect=None).stderr)

    # ---- what goes wrong

    def fails(self, files=None, cause="failed", build=None, expect=None):
        build = build or f"{{ tags: '{self.tag}' }}"
        shutil.rmtree(os.path.join(self.home, "project"), ignore_errors=True)
        step = self.step(self.run_pipeline(f"steps: [{{ name: app, build: {build} }}]\n", files=files, expect=expect))
        self.assertEqual(step["cause"], cause, step)
        self.assert_nothing_left()
        return step

    def test_a_command_that_fails_is_the_steps_failure_with_its_line(self):
        step = self.fails({"Dockerfile": f"FROM {BASE}\n\nRUN echo before \\\n  && echo wrong >&2 \\\n  && exit 7\nRUN true\n"})
        self.assertEqual(step["exit_code"], 7)
        self.assertTrue(step["message"].startswith("Dockerfile:3: RUN echo before"), step)
        log = self.logs("app").decode()
        self.assertIn("before\n", log)
        self.assertIn("wrong\n", log)
        self.assertIn("is it in the image", self.fails({"Dockerfile": f"FROM {BASE}\nRUN nosuch\n"}, expect=1)["hint"])

    def test_a_missing_file_is_named_with_the_line(self):
        step = self.fails({"Dockerfile": f"FROM {BASE}\nCOPY nothing-here /\n"})
        self.assertEqual(step["exit_code"], 1)
        self.assertRegex(step["message"], r"^Dockerfile:2: COPY nothing-here /: COPY failed: file not found")
        self.assertIn(".dockerignore", step["hint"])

    def test_a_dockerfile_that_cannot_be_read_is_the_files_fault(self):
        step = self.fails({"Dockerfile": f"FROM {BASE}\nRUNN true\n"}, "config_error", expect=2)
        self.assertIn("line 2: unknown instruction: RUNN", step["message"])
        self.assertIn("that line of the Dockerfile", step["hint"])
        step = self.fails({"Dockerfile": "# what for?\nARG X\n"}, "config_error", expect=2)
        self.assertEqual(step["message"], "Dockerfile:2: there is no FROM")
        step = self.fails({"other": ""}, "config_error", expect=2)
        self.assertIn("Cannot locate specified Dockerfile", step["message"])
        self.assertIn("dockerfile: PATH", step["hint"])
        step = self.fails({"Dockerfile": f"FROM {BASE}"}, "config_error", "{ target: nowhere }", expect=2)
        self.assertIn("nowhere", step["message"])
        self.assertIn("AS NAME", step["hint"])

    def test_a_name_that_is_none_is_told(self):
        step = self.step(self.run_pipeline(f"""
            steps: [{{ name: app, build: {{ dockerfile_inline: "FROM {BASE}\\n", tags: ["example/app:${{{{ tag }}}}"] }} }}]
        """, expect=None))
        self.assertEqual(step["cause"], "config_error")
        self.assertIn("'example/app:' is not an image: nothing follows ':'", step["message"])

    def test_contexts_that_are_not_there_or_not_ours(self):
        self.assertIn("there is no api", self.fails({"x": ""}, "config_error", "./api")["message"])
        self.assertEqual(self.fails({"app.zip": "PK"}, "config_error", "./app.zip")["message"], "build.context: app.zip is no folder")
        said = self.gantry("check", self.folder("steps: [{ name: app, build: ../.. }]\n"), expect=2).stderr.decode()
        self.assertIn(".gantry.yml:1:29: error: '../..' is not in the workspace", said)
        self.assertIn("is not in the workspace", self.fails({"x": ""}, "config_error", "\"${{ default(tag, '../..') }}\"")["message"])
        self.assertIn("line 1: a '[' is not closed",
                      self.fails({"Dockerfile": f"FROM {BASE}", ".dockerignore": "[a"}, "config_error")["message"])

    def test_a_dockerignore_that_cannot_be_read_hides_nothing_and_so_ends_the_build(self):
        shutil.rmtree(os.path.join(self.home, "project"), ignore_errors=True)
        folder = self.folder("steps: [{ name: app, build: . }]\n", {"Dockerfile": f"FROM {BASE}\nCOPY . /all\n", "rules": "secret"})
        os.symlink("rules", os.path.join(folder, ".dockerignore"))
        self.gantry("run", "--quiet", folder, expect=None)
        step = self.step(self.show())
        self.assertEqual((step["cause"], step["message"]), ("config_error", ".dockerignore: it is no plain file"))

    def test_a_base_image_that_cannot_be_had(self):
        step = self.fails({"Dockerfile": "FROM 127.0.0.1:1/nothing:1\n"}, "image_error", expect=3)
        self.assertIn("the name and the port", step["hint"])
        for status, hint in ((401, "docker login"), (403, "docker login"), (404, "check the name"), (429, "limits how often"), (500, "try again later")):
            server = registry.Unruly(status)
            self.addCleanup(server.close)
            self.assertIn(hint, self.fails({"Dockerfile": f"FROM {server.host}/x/y:1\n"}, "image_error", expect=3)["hint"])

    def test_an_image_that_cannot_be_had_is_told_with_the_line(self):
        step = self.fails({"Dockerfile": f"ARG X\n\n\nFROM {BASE}\n\nFROM 127.0.0.1:1/nothing:1\n"}, "image_error", expect=3)
        self.assertTrue(step["message"].startswith("Dockerfile:6: FROM 127.0.0.1:1/nothing:1: "), step)
        step = self.fails({"Dockerfile": f"FROM {BASE}\nCOPY --from=nostage /x /y\n"}, "image_error", expect=3)
        self.assertTrue(step["message"].startswith("Dockerfile:2: COPY --from=nostage /x /y: "), step)
        self.assertIn("no stage above it is called that: FROM … AS nostage", step["hint"])

    def test_an_image_is_for_the_platform_that_was_asked_for(self):
        own = self.image(BASE)["Architecture"]
        self.run_pipeline(f"steps: [{{ name: app, build: {{ dockerfile_inline: 'FROM {BASE}', platforms: [linux/{own}] }} }}]\n")
        other = "s390x" if own != "s390x" else "amd64"
        step = self.fails({"Dockerfile": f"FROM {BASE}\n"}, "image_error", f"{{ context: ., platforms: [linux/{other}] }}", expect=3)
        if self.engine.has_containerds_images():
            self.assertIn("failed to resolve reference", step["message"])  # containerd has looked for that variant in the registry
            return
        self.assertIn("linux/" + other, step["message"])
        self.assertIn("pull: true", step["hint"])

    def test_a_registry_that_hangs_while_its_base_image_is_fetched(self):
        server = registry.Unruly(0)
        self.addCleanup(server.close)
        folder = self.folder("steps: [{ name: app, build: ., timeout: 4s }]\n", {"Dockerfile": f"FROM {server.host}/x/y:1\n"})
        self.gantry("run", "--quiet", folder, expect=4)
        step = self.step(self.show())
        self.assertEqual(step["cause"], "timeout")
        self.assertIn("a registry", step["hint"])
        self.assert_nothing_left()

    def test_what_the_builder_cannot_do_is_said_before_anything_runs(self):
        folder = self.folder(f"""steps:
  - name: app
    build:
      context: .
      cache_to: [type=inline]
      secrets: [token]
      ssh: [default]
      platforms: [linux/amd64, linux/arm64]
""", {"Dockerfile": f"FROM {BASE}"})
        done = self.gantry("check", folder, expect=None)
        self.assertNotEqual(done.returncode, 0)
        text = (done.stdout + done.stderr).decode()
        for line, words in ((5, "'cache_to' of a build is"), (6, "'secrets' of a build are"), (7, "'ssh' of a build is"),
                            (8, "a build for several platforms is")):
            self.assertRegex(text, rf":{line}:\d+: .*{words} not supported by the docker engine yet")

    # ---- how it goes on

    def test_a_cancelled_build_ends_at_once_and_leaves_nothing(self):
        before = {container["Id"] for container in self.engine.get("/containers/json?all=1")}
        live = self.start(self.folder("steps: [{ name: app, build: . }]\n", {
            "Dockerfile": f"FROM {BASE}\nRUN echo begun; sleep 3600\n"}))
        live.until("output", text="begun")
        live.signal(signal.SIGINT)
        self.assertEqual(live.end(), 130)
        self.assertEqual(e2e.steps_of(self.show())["main/app"]["state"], "cancelled")
        e2e.eventually(lambda: {container["Id"] for container in self.engine.get("/containers/json?all=1")} <= before,
                       "the builder's container is gone", 20)

    def test_a_step_that_takes_too_long_is_stopped(self):
        shown = self.run_pipeline("steps: [{ name: app, timeout: 2s, build: . }]\n", expect=None, files={
            "Dockerfile": f"FROM {BASE}\nRUN sleep 3600\n"})
        self.assertEqual(self.step(shown)["cause"], "timeout")

    def test_memory_does_not_grow_with_the_context(self):
        megabytes = 400
        live = self.start(self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - run: dd if=/dev/zero of=big bs=1M count={megabytes} 2>/dev/null
              - {{ name: app, build: {{ dockerfile_inline: "FROM {BASE}\\nCOPY big /\\n" }} }}
        """))
        live.until("step_finished", step="app")
        with open(f"/proc/{live.process.pid}/status", encoding="ascii") as status:
            peak = int(re.search(r"VmHWM:\s*(\d+) kB", status.read()).group(1)) // 1024
        self.assertEqual(live.end(), 0)
        self.assertIn(f"context: 2 files, {megabytes * 1048576 // 1000000} MB", self.logs("app").decode())
        self.assertLess(peak, 100, "MB of memory at its peak")
        print(f"\n{megabytes} MB of context, {peak} MB of memory at the peak", end=" ")

    def test_secrets_are_masked_in_what_a_builder_says(self):
        e2e.write(os.path.join(self.home, "secrets"), "token=hunter2-hunter2\n", 0o600)
        self.run_pipeline(f"""
            steps:
              - {{ name: get, image: {e2e.IMAGE}, secrets: {{ T: token }}, run: "echo t=$T > words" }}
              - {{ name: app, build: {{ dockerfile_inline: "FROM {BASE}\\nCOPY words /\\nRUN cat /words\\n" }} }}
        """, "--secret-file", os.path.join(self.home, "secrets"))
        self.assertIn(b"t=", self.logs("app"))
        self.assertNotIn(b"hunter2", self.logs("app"))


if __name__ == "__main__":
    e2e.main()
