"""Who runs gantry and where its engine is: a user of the group docker, an engine over TCP, one on another host."""

import os
import shutil
import stat
import subprocess
import unittest

import e2e
from proxy import Proxy

USER, GROUP = 12345, 12346  # nobody's; the group of the engine's socket

# Two stages that hand on files, an output, a folder of a user's own.
PIPELINE = f"""
defaults: {{ image: {e2e.IMAGE} }}
stages:
  - name: build
    steps:
      - name: compile
        run: |
          cat src/words | tr a-z A-Z > loud
          mkdir -p out && chmod 700 out && echo private > out/file
          echo count=$(wc -w < loud) >> $CI_OUTPUT
  - name: test
    steps:
      - {{ name: unit, run: 'test "$(cat loud)" = "THE CAT" && cat out/file && echo ${{{{ steps.compile.outputs.count }}}}' }}
      - {{ name: fails, allow_failure: true, run: 'rm loud; false' }}
"""
FILES = {"src/words": "the cat\n"}

# Changed by root, and by one who is neither root nor the user.
IN_PLACE = f"""
image: {e2e.IMAGE}
steps:
  - mkdir out && echo private > out/file && chmod 640 out/file && chmod 700 out && rm old && echo new >> kept
  - {{ user: "54321:54321", run: ln -s kept link }}
"""

# What else goes through the connection: artifacts, a cache, the context of a build, a service's files.
MORE = f"""
defaults: {{ image: {e2e.IMAGE} }}
stages:
  - name: make
    caches: [{{ name: deps, path: /deps, key: k }}]
    services: {{ web: {{ image: {e2e.IMAGE}, command: [httpd, -f, -p, "80", -h, /www], files: [{{ source: src, target: /www }}], ready: {{ tcp: 80 }} }} }}
    artifacts: [out/]
    steps:
      - name: work
        run: |
          cat /deps/kept 2>/dev/null || echo cold
          mkdir -p /deps && echo warm > /deps/kept
          mkdir -p out/sub && chmod 750 out/sub && wget -q -O out/sub/file http://web/words && ln -s sub/file out/link
  - name: use
    needs: [make]
    steps:
      - {{ name: image, build: {{ tags: ["gantry-e2e-reach:1"], dockerfile_inline: "FROM {e2e.IMAGE}\\nCOPY out /out" }} }}
      - {{ name: reads, image: "gantry-e2e-reach:1", pull_policy: never, run: "cat /out/link out/link; stat -c %a out/sub" }}
"""


class Reach(e2e.Case):
    def assert_works(self):
        folder = self.folder(PIPELINE, FILES)
        before = e2e.tree(folder)
        self.gantry("run", folder)
        self.assertEqual(self.logs("unit"), b"private\n2\n")
        self.assertEqual(e2e.tree(folder), before)
        self.assert_nothing_left()


@unittest.skipIf(os.geteuid() != 0, "only root can be somebody else")
class OtherUser(Reach):
    """Somebody who is in the group of the engine's socket, and nothing more."""

    def setUp(self):
        super().setUp()
        os.chmod(self.home, 0o755)
        self.proxy = Proxy.unix(os.path.join(self.home, "docker.sock"), GROUP)
        self.addCleanup(self.proxy.close)
        self.environment["DOCKER_HOST"] = self.proxy.host
        self.binary = shutil.copy(e2e.GANTRY, self.home)  # the build may lie where only root gets to
        os.chown(self.home, USER, USER)

    def folder(self, *arguments, **options):
        path = super().folder(*arguments, **options)
        for top, _, files in os.walk(path):
            for entry in [top, *(os.path.join(top, name) for name in files)]:
                os.chown(entry, USER, USER)
        return path

    def command(self, arguments):
        return self.as_user(self.binary, *arguments)

    @staticmethod
    def as_user(*command):
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", f"--groups={GROUP}", *command]

    def test_a_user_of_the_group_runs_pipelines_and_owns_all_files_that_come_of_it(self):
        self.assert_works()
        self.gantry("run", self.folder(PIPELINE.replace("allow_failure: true, ", ""), FILES), expect=1)  # keeps what passed
        self.gantry("rerun", "--failed", "latest", expect=1)
        folder = self.folder(IN_PLACE, {**FILES, "old": "", "kept": "kept\n"}, name="in-place")
        self.gantry("run", "--in-place", folder)
        changed = e2e.tree(folder)
        self.assertEqual(sorted(changed), [".gantry.yml", "kept", "link", "out", "out/file", "src", "src/words"])
        self.assertEqual({name: stat.filemode(mode) for name, (mode, *_) in changed.items() if name.startswith("out")},
                         {"out": "drwx------", "out/file": "-rw-r-----"})
        with open(os.path.join(folder, "kept"), encoding="ascii") as kept:
            self.assertEqual(kept.read(), "kept\nnew\n")
        foreign = [name for name, (_, user, group, *_) in e2e.tree(self.home).items()
                   if (user, group) != (USER, USER) and name not in ("docker.sock", "gantry")]
        self.assertEqual(foreign, [])
        subprocess.run(self.as_user("rm", "-r", f"{self.home}/state", f"{self.home}/cache"), check=True)

    def test_a_user_who_is_not_in_the_group_is_told_what_to_do(self):
        os.chown(os.path.join(self.home, "docker.sock"), 0, 0)
        failed = self.gantry("run", self.folder(PIPELINE, FILES), expect=3)
        self.assertIn(b"permission denied", failed.stderr)
        self.assertIn(b"usermod -aG docker", failed.stderr)


class OverTcp(Reach):
    remembers = True  # what is in the cache's folder, from one command to the next

    def setUp(self):
        super().setUp()
        self.proxy = Proxy.tcp()
        self.addCleanup(self.proxy.close)
        self.environment["DOCKER_HOST"] = self.proxy.host

    def test_an_engine_is_used_over_tcp(self):
        self.assert_works()

    def test_artifacts_caches_builds_and_services_work_over_it(self):
        self.addCleanup(self.engine.call, "DELETE", "/images/gantry-e2e-reach:1?force=1")
        folder = self.folder(MORE if self.remembers else MORE.replace("    caches:", "    # caches:"), FILES)
        for found in (b"cold\n", b"warm\n" if self.remembers else b"cold\n"):
            self.gantry("run", folder)
            self.assertEqual(self.logs("work"), found)
            self.assertEqual(self.logs("reads"), b"the cat\nthe cat\n750\n")
        self.gantry("artifacts", "latest", "get", "--to", os.path.join(self.home, "got"))
        with open(os.path.join(self.home, "got/out/link"), encoding="ascii") as file:
            self.assertEqual(file.read(), "the cat\n")
        self.gantry("cache", "rm", "--all")
        self.assert_nothing_left()

    def test_the_command_line_names_the_engine_before_the_environment_does(self):
        self.environment["DOCKER_HOST"] = "tcp://127.0.0.1:1"
        self.gantry("run", "--engine-host", self.proxy.host, self.folder(PIPELINE, FILES))


@unittest.skipIf(os.geteuid() != 0 or not shutil.which("unshare"), "only root can hide its files from the engine")
class OnAnotherHost(OverTcp):
    """An engine that sees none of our files: they lie on a disk that only gantry's own mount namespace has."""

    remembers = False

    def command(self, arguments):
        hide = f'mkdir -p "{self.home}/cache" && mount -t tmpfs none "{self.home}/cache" && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", hide, "sh", e2e.GANTRY, *arguments]


if __name__ == "__main__":
    e2e.main()
