"""Every folder of examples/ runs as a newcomer would run it: copied into a repository of its own.

The example NAME is run by the test `test_NAME`. What the engine builds on the way stays in its build cache, so that only
the first of all runs installs packages.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import unittest
import urllib.parse

import e2e
import registry

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples")
# A commit that is the same each time keeps its hash, and with it the names of what is built.
WHEN = "2024-05-06T07:08:09Z"


def remove_images(case):
    """Those that the test built, but not the layers from which the engine builds them again."""
    query = "filters=" + urllib.parse.quote(json.dumps({"label": [f"gantry.instance={case.instance()}"]}))
    for _ in range(10):  # below an image is one with a label less, down to those that have none
        for image in case.engine.get(f"/images/json?{query}"):
            case.engine.call("DELETE", f"/images/{image['Id']}?force=1&noprune=1")


class Case(e2e.Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(remove_images, self)

    def need(self, *images):
        for image in images:
            if self.engine.call("GET", f"/images/{image}/json")[0] != 200:
                self.skipTest(f"the engine has no image {image}: ./dev images {image}")

    def copy(self, name):
        """The example in a git repository of its own; the digits by which its commit is known."""
        folder = os.path.join(self.home, name)
        shutil.copytree(os.path.join(EXAMPLES, name), folder)
        author = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                  for what, value in (("NAME", "A"), ("EMAIL", "a@example.org"), ("DATE", WHEN))}
        for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Begin"]):
            subprocess.run(["git", "-C", folder, *command], check=True, env={**self.environment, **author})
        return folder, subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], check=True, capture_output=True,
                                      text=True).stdout[:8]

    def run_example(self, name, says):
        """Runs it; `says` has a line of the output of each of the steps that it names."""
        folder, _ = self.copy(name)
        self.run_in(folder, says=says)

    def run_in(self, folder, *arguments, says):
        done = self.gantry("run", *arguments, folder)
        self.check_output(says)
        self.assert_nothing_left()
        return done

    def check_output(self, says):
        for step, line in says.items():
            self.assertRegex(self.logs(step).decode(), re.compile(line, re.M), f"output of {step}")


class Examples(Case):
    def test_each_folder_has_a_test(self):
        names = [os.path.basename(os.path.dirname(path)) for path in glob.glob(EXAMPLES + "/*/.gantry.yml")]
        self.assertTrue(names, f"no pipelines in {EXAMPLES}")
        tests = {name for case in (Examples, Push, WebApplication) for name in dir(case)}
        missing = [name for name in sorted(names) if "test_" + name.replace("-", "_") not in tests]
        self.assertEqual(missing, [], "these examples have no test_NAME in tests/e2e/examples.py that runs them")

    def test_quickstart(self):
        self.need("gcc:12")
        self.run_example("quickstart", says={"test/unit": "^ok   case does not matter: 2$",
                                             "test/by-hand": "^4 words, 3 of them different$"})

    def test_matrix(self):
        self.need("gcc:12", "gcc:14")
        folder, _ = self.copy("matrix")
        self.run_in(folder, says={"done": "^all of them agree$"})
        rows = [stage["stage"] for stage in self.show()["stages"]]
        self.assertEqual(sorted(rows), ["done", *(f"test[gcc={row}]" for row in (
            "12,standard=c11", "12,standard=c99", "14,standard=c11", "14,standard=c2x"))])

    def test_parallel_outputs(self):
        self.run_example("parallel-outputs", says={"show": "^5 words a line$", "write": "^lines: 6, words: 31$"})

    def test_monorepo(self):
        self.run_example("monorepo", says={"lib": "^lib: 2 checks passed$", "api": "^api: 1 check passed$"})

    def test_finally_retry(self):
        self.run_example("finally-retry", says={"fetch": "^attempt 3: got release 7$", "clean-up": "^nothing is left$"})

    def test_secrets(self):
        folder, _ = self.copy("secrets")
        done = self.run_in(folder, "--secret-file", os.path.join(folder, "example.env"),
                           says={"sign": r"^signed with \*\*\*$"})
        self.assertNotIn(b"an-example-key", done.stdout + done.stderr)

    def test_cache(self):
        folder, _ = self.copy("cache")
        for first_word in ("computed", "known"):
            self.gantry("run", folder)
            self.check_output({"count": f"^{first_word}: 783 primes below 6000$"})
        self.assertEqual([name for name in self.left() if "-cache-" not in name], [])
        self.gantry("cache", "rm", "--all")

    def test_test_reports(self):
        said = self.run_in(self.copy("test-reports")[0], says={}).stderr.decode()
        self.assertIn("2 passed, 0 failed, 0 skipped", said)
        self.assertIn("75.0 % of 4 lines", said)

    def test_artifacts(self):
        folder, _ = self.copy("artifacts")
        self.gantry("run", folder)
        self.assertNotEqual(json.loads(self.gantry("artifacts", "latest", "--json").stdout), [])
        self.assert_nothing_left()

    def test_services(self):
        self.run_example("services", says={"stock": "^3 apples$"})

    def test_containers(self):
        self.run_example("containers", says={"limits": r"^33554432\n20$", "buy": r"^3 apples\nas 10\.231\.90\.\d+$"})
        port = e2e.steps_of(self.show())["sell/page"]["ports"]["8080/tcp"]
        self.assertEqual(self.logs("where").decode(), f"it was at port {port}\n")

    def test_compose(self):
        self.run_example("compose", says={"greeting": "hello from the pipeline"})

    def test_replicas(self):
        self.run_example("replicas", says={"answers": r"^[^\n]+\n[^\n]+\n[^\n]+$"})
        names = self.logs("answers").decode().split()
        self.assertEqual(len(set(names)), 3, names)
        # The engine keeps some 40 lines. One request is that of `answers`; the service's own are its healthcheck's.
        requests = re.findall(r"^(?!.*127\.0\.0\.1).*url:/$", self.logs("web-2").decode(), re.M)
        self.assertEqual(len(requests), 101)

    def test_slow_service(self):
        folder, _ = self.copy("slow-service")
        run = self.start(folder)
        run.until("service_ready", step="services/search")
        with open("/proc/uptime", encoding="ascii") as file:
            ready = float(file.read().split()[0])
        self.assertEqual(run.end(), 0)
        loaded = float(re.search(r"^loaded at uptime (\S+)$", self.logs("search").decode(), re.M)[1])
        if 0 <= ready - loaded < 1e6:  # an engine on another machine has another uptime
            self.assertLess(ready - loaded, 2, "the gate opens when the service is well")
        self.assertEqual(self.logs("query"), b"42 hits\n")


class RegistryCase(Case):
    @classmethod
    def setUpClass(cls):
        if reason := registry.missing():
            raise unittest.SkipTest(reason)
        cls.registry = registry.Registry()
        cls.addClassCleanup(cls.registry.close)


class Push(RegistryCase):
    """Without a registry, and with one."""

    def test_build_and_push(self):
        self.need("gcc:14", "busybox:1.36")
        folder, commit = self.copy("build-and-push")
        self.run_in(folder, says={"smoke": "^Hello, world!$"})
        self.run_in(folder, "--input", f"registry={self.registry.host}/team",
                    says={"say": f"^deploy {self.registry.host}/team/greet@sha256:[0-9a-f]{{64}}$"})
        self.assertEqual(self.registry.manifest("team/greet", commit)[0], self.registry.manifest("team/greet", "latest")[0])


# What apt says in a build when it has no way to the distribution.
NO_WAY_TO_PACKAGES = re.compile(r"^.*(Temporary failure resolving|Could not (?:resolve|connect)|Unable to connect|Failed to fetch).*$", re.M)


class WebApplication(RegistryCase):
    """Builds three images with packages of the distribution: a minute or two the first time, seconds from then on."""

    def run_or_skip(self, folder, *arguments):
        """A failed build is a reason to skip where it could not reach the distribution."""
        done = self.gantry("run", *arguments, folder, expect=None, limit=800)
        if done.returncode != 0:
            if found := NO_WAY_TO_PACKAGES.search((done.stdout + done.stderr).decode(errors="replace")):
                self.skipTest(f"a build here does not reach the distribution's packages: {found[0].strip()}")
            self.fail(f"exit code {done.returncode}\n{done.stderr.decode(errors='replace')[-4000:]}")
        self.assert_nothing_left()
        return e2e.steps_of(self.show())

    def test_webapp(self):
        self.need("debian:bookworm")
        folder, commit = self.copy("webapp")
        steps = self.run_or_skip(folder)
        self.assertEqual(steps["image/publish"]["state"], "skipped")
        self.assertRegex(self.logs("test/tests").decode(), r"(?m)^OK \(skipped=1\)$")
        self.assertRegex(self.logs("test/services/db").decode(), r"(?m)^CREATE TABLE$")

        # Pushed under the hash of its commit, pulled, and tested again.
        name = f"{self.registry.host}/team/guestbook"
        steps = self.run_or_skip(folder, "--input", f"registry={self.registry.host}/team")
        self.assertEqual(steps["image/publish"]["outputs"]["digest"], self.registry.manifest("team/guestbook", commit)[0])
        self.assertRegex(self.logs("released/tests").decode(), r"(?m)^OK$")
        made = self.engine.get(f"/images/{name}:{commit}/json")["Config"]
        self.assertEqual(made["Healthcheck"]["Test"], ["CMD", "python3", "/guestbook.pyz", "check"])
        self.assertEqual(made["User"], "nobody")

        # It is all in the registry: an engine that has no such image can run it.
        remove_images(self)
        self.assertEqual(self.engine.call("GET", f"/images/{name}:{commit}/json")[0], 404)
        self.run_pipeline(f"image: {name}:{commit}\nsteps: [{{ name: which, run: python3 /guestbook.pyz version }}]\n")
        self.assertEqual(self.logs("which").decode(), f"{commit}\n")
        self.engine.call("DELETE", f"/images/{name}:{commit}?noprune=1")


if __name__ == "__main__":
    e2e.main()
