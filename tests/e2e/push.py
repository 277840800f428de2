"""`push:` to the distribution's registry, open and behind htpasswd and TLS, and to servers that misbehave."""

import collections
import json
import os
import unittest

import build
import e2e
import registry

BASE = build.BASE


class Case(e2e.Case):
    secure = None  # None: no registry
    tokens = False

    @classmethod
    def setUpClass(cls):
        cls.registry = None
        if cls.secure is None:
            return
        if reason := registry.missing() or (cls.secure and (os.geteuid() != 0 and "only root may tell the engine of a CA" or
                                                            (not registry.outer_address() and "this machine has no address"))):
            raise unittest.SkipTest(reason)
        cls.registry = registry.Registry(secure=cls.secure, tokens=cls.tokens)
        cls.addClassCleanup(cls.registry.close)

    def setUp(self):
        super().setUp()
        build.add_clean_up(self)
        self.repository = "team/" + os.path.basename(self.home)[-8:].lower().replace("_", "x")
        if self.registry:
            self.name = f"{self.registry.host}/{self.repository}"

    def step(self, shown, name="main/app"):
        return e2e.steps_of(shown)[name]

    def layers(self, image):
        return self.engine.get(f"/images/{image}/json")["RootFS"]["Layers"]

    def inline(self, words):
        return f"dockerfile_inline: \"FROM {BASE}\\nRUN echo {words} {self.home} > /x\\n\""


class Open(Case):
    secure = False

    def test_an_image_is_pushed_under_all_its_names_and_pulled_again_by_its_digest(self):
        shown = self.run_pipeline(f"""
            steps:
              - {{ name: app, build: {{ {self.inline("one")}, tags: ["{self.name}:1", "{self.name}:${{{{ short_sha }}}}x"] }}, push: true }}
              - {{ name: use, image: "{self.name}@${{{{ steps.app.digest }}}}", pull_policy: always, run: "cat /x; echo ${{{{ steps.app.outputs.digest }}}}" }}
        """)
        step = self.step(shown)
        digest, _ = self.registry.manifest(self.repository, "1")
        self.assertEqual(step["outputs"]["digest"], digest)
        self.assertEqual(step["image"], f"{self.name}:1")
        self.assertEqual(self.logs("use").decode(), f"one {self.home}\n{digest}\n")
        self.assertRegex(self.logs("app").decode(), rf"pushed {self.name}:1@{digest}: 2 layers, \d there before, ")

    def test_another_name_of_an_image_moves_no_layer(self):
        self.run_pipeline(f"""
            steps:
              - {{ name: app, build: {{ {self.inline("two")}, tags: "{self.name}:1" }}, push: ["{self.name}:1"] }}
              - {{ name: retag, push: {{ image: "${{{{ steps.app.image }}}}", tags: ["{self.name}:latest", "{self.name}-copy:1"] }} }}
              - {{ name: same, image: {e2e.IMAGE}, run: "test '${{{{ steps.app.digest }}}}' = '${{{{ steps.retag.digest }}}}'" }}
        """)
        self.assertEqual(self.registry.manifest(self.repository, "1")[0], self.registry.manifest(self.repository + "-copy", "1")[0])
        self.assertRegex(self.logs("retag").decode(), r":latest@\S+: 2 layers, 2 there before.*\n.*-copy:1@\S+: 2 layers, 2 there")

    def test_an_image_of_a_registry_is_copied_to_another_place(self):
        name = self.name
        self.run_pipeline(f"steps: [{{ name: app, build: {{ {self.inline('three')}, tags: '{name}:1' }}, push: true }}]\n")
        self.engine.call("DELETE", f"/images/{name}:1?force=1")
        shown = self.run_pipeline(f"steps: [{{ name: app, push: {{ image: '{name}:1', tags: ['{name}-b:2'] }} }}]\n")
        self.addCleanup(self.engine.call, "DELETE", f"/images/{name}-b:2?force=1")
        self.assertEqual(self.step(shown)["outputs"]["digest"], self.registry.manifest(self.repository, "1")[0])

    def test_an_image_that_is_gone_here_is_pulled_and_copied_to_another_registry_which_gets_its_layers_once(self):
        other = registry.Registry()
        self.addCleanup(other.close)
        name, copy = f"{self.name}:1", f"{other.host}/{self.repository}:1"
        self.run_pipeline(f"steps: [{{ name: app, build: {{ {self.inline('four')}, tags: '{name}' }}, push: true }}]\n")
        digest, _ = self.registry.manifest(self.repository, "1")
        self.gantry("image", "rm", name)
        self.gantry("image", "inspect", name, expect=2)
        self.assertEqual(self.gantry("image", "pull", name).stdout.decode(), f"{self.name}@{digest}\n")
        self.assertEqual(json.loads(self.gantry("image", "inspect", name).stdout)[0]["digest"], f"{self.name}@{digest}")

        pipeline = f"steps: [{{ name: app, push: {{ image: '{name}', tags: ['{copy}'] }} }}]\n"
        sent = []
        for there in (0, 2):
            self.assertEqual(self.step(self.run_pipeline(pipeline))["outputs"]["digest"], digest)
            self.assertIn(f"pushed {copy}@{digest}: 2 layers, {there} there before, ", self.logs("app").decode())
            self.assertEqual(other.manifest(self.repository, "1")[0], digest)
            with open(os.path.join(other.folder, "log"), encoding="utf-8") as log:
                sent.append(sum('"POST /v2/' in line for line in log))  # an upload of a layer, or of the configuration, begins so
        self.assertGreater(sent[0], 0)
        self.assertEqual(*sent)

    def test_layers_come_from_an_image_that_is_pulled_for_them_and_from_what_the_build_made_the_last_time(self):
        far, own, none = f"{self.name}:cache", f"{self.name}:own", f"{self.name}-none:1"
        dockerfile = f"FROM {BASE}\\nRUN cat /proc/sys/kernel/random/uuid > /one\\n"
        self.run_pipeline(f"steps: [{{ name: app, build: {{ dockerfile_inline: \"{dockerfile}RUN touch /x\", tags: '{far}' }}, push: true }}]\n")
        made = self.layers(far)
        self.engine.call("DELETE", f"/images/{far}?force=1")  # and what its build has left in the engine's cache
        pipeline = f"""
            steps:
              - name: app
                build:
                  dockerfile_inline: "{dockerfile}RUN cat /proc/sys/kernel/random/uuid > /two"
                  cache_from: ["{none}", "{far}"]
                  tags: "{own}"
        """
        self.run_pipeline(pipeline)
        log = self.logs("app").decode()
        self.assertIn(f"cache_from: {none} is not there: ", log)
        self.assertRegex(log, r"\n\[2/\d\] cached\n")
        self.assertNotRegex(log, r"\n\[3/\d\] cached\n")
        first = self.layers(own)
        self.assertEqual(first[:-1], made[:-1])

        self.run_pipeline(pipeline)
        self.assertRegex(self.logs("app").decode(), r"\n\[3/\d\] cached\n")
        self.assertEqual(self.layers(own), first)

    def test_images_that_cannot_be_had_do_not_keep_a_build_from_the_engines_own_cache(self):
        pipeline = f"steps: [{{ name: app, build: {{ {self.inline('c')}, cache_from: '{self.name}-none:1' }} }}]\n"
        self.run_pipeline(pipeline)
        self.assertNotRegex(self.logs("app").decode(), r"\[2/\d\] cached")
        self.run_pipeline(pipeline)
        self.assertRegex(self.logs("app").decode(), r"\n\[2/\d\] cached\n")

    def test_names_that_no_registry_takes(self):
        for push, words in (("[latest]", "'latest' names no registry"), ("true", "there is no name to push under")):
            folder = self.folder(f"steps: [{{ name: app, build: {{ {self.inline('x')} }}, push: {push} }}]\n")
            for command in ("check", "run"):
                self.assertIn(words, self.gantry(command, folder, expect=2).stderr.decode())
        computed = "[\"${{ default(tag, 'latest') }}\"]"
        step = self.step(self.run_pipeline(f"steps: [{{ name: app, build: {{ {self.inline('x')} }}, push: {computed} }}]\n", expect=None))
        self.assertEqual(step["cause"], "config_error")
        self.assertIn("'latest' names no registry", step["message"])


class Secure(Case):
    secure = True

    def pipeline(self, tag):
        return f"steps: [{{ name: app, build: {{ {self.inline(tag)}, tags: '{self.name}:{tag}' }}, push: true }}]\n"

    def test_own_ca_and_password(self):
        step = self.step(self.run_pipeline(self.pipeline("a"), expect=None))
        self.assertEqual(step["cause"], "image_error")
        self.assertIn("unknown authority", step["message"])
        self.assertIn("/etc/docker/certs.d", step["hint"])

        self.registry.trust()
        step = self.step(self.run_pipeline(self.pipeline("b"), expect=None))
        self.assertEqual(step["cause"], "image_error")
        self.assertIn("docker login", step["hint"])

        registry.sign_in(self.home, self.registry.host)
        shown = self.run_pipeline(self.pipeline("c"))
        digest, _ = self.registry.manifest(self.repository, "c")
        self.assertEqual(self.step(shown)["outputs"]["digest"], digest)

        # A base image from there needs the password, too, and so does the step that runs it.
        self.engine.call("DELETE", f"/images/{self.name}:c?force=1")
        self.run_pipeline(f"""
            steps:
              - {{ name: app, build: {{ dockerfile_inline: "FROM {self.name}:c\\nRUN cat /x\\n", pull: true }} }}
              - {{ name: use, image: "{self.name}:c", pull_policy: always, run: cat /x }}
        """)
        self.assertIn(self.home, self.logs("app").decode())


class Tokens(Case):
    secure = False
    tokens = True

    def test_a_registry_behind_tokens_takes_who_knows_the_password(self):
        pipeline = f"steps: [{{ name: app, build: {{ {self.inline('t')}, tags: '{self.name}:1' }}, push: true }}]\n"
        step = self.step(self.run_pipeline(pipeline, expect=None))
        self.assertEqual(step["cause"], "image_error")
        self.assertNotIn("tries", step["message"])
        registry.sign_in(self.home, self.registry.host)
        shown = self.run_pipeline(pipeline)
        digest, _ = self.registry.manifest(self.repository, "1")
        self.assertEqual(self.step(shown)["outputs"]["digest"], digest)
        self.assertTrue(any(good for good, _ in self.registry.tokens.asked))


class Unruly(Case):
    def push_to(self, server, more="", expect=3):
        self.addCleanup(server.close)
        name = f"{server.host}/x/y:1"
        return self.step(self.run_pipeline(
            f"steps: [{{ name: app, build: {{ {self.inline('x')}, tags: '{name}' }}, push: true{more} }}]\n", expect=expect))

    def test_who_may_not_is_not_asked_again(self):
        for status in (401, 403):
            server = registry.Unruly(status)
            step = self.push_to(server)
            self.assertEqual(step["cause"], "image_error")
            self.assertNotIn("tries", step["message"])
            self.assertIn("docker login", step["hint"])

    def test_a_registry_that_is_broken_is_asked_several_times(self):
        server = registry.Unruly(500)
        step = self.push_to(server)  # the engine itself pauses for 50 s in all
        self.assertEqual(step["cause"], "image_error")
        self.assertRegex(step["message"], "after (several|5) tries")
        asked = collections.Counter(line for line in server.requests if not line.endswith(" /v2/"))
        self.assertGreaterEqual(max(asked.values()), 5, asked)  # the same, each time
        self.assertIn("try again later", step["hint"])

    def test_a_registry_that_hangs_ends_with_the_steps_timeout(self):
        step = self.push_to(registry.Unruly(0), ", timeout: 5s", expect=4)
        self.assertEqual(step["cause"], "timeout")
        self.assertIn("a registry", step["hint"])

    def test_a_registry_that_is_asked_too_often_is_left_alone_for_longer(self):
        server = registry.Unruly(429, [("Retry-After", "1")])
        step = self.push_to(server)  # as above; the engine keeps Retry-After to itself
        self.assertEqual(step["cause"], "image_error")
        self.assertRegex(step["message"], "after (several|5) tries")
        self.assertIn("limits how often", step["hint"])

    def test_nobody_listens(self):
        name = "127.0.0.1:1/x/y:1"
        step = self.step(self.run_pipeline(
            f"steps: [{{ name: app, build: {{ {self.inline('x')}, tags: '{name}' }}, push: true }}]\n", expect=None))
        self.assertEqual(step["cause"], "image_error")
        self.assertIn("after 5 tries", step["message"])
        self.assertIn("the name and the port", step["hint"])


if __name__ == "__main__":
    del Case
    e2e.main()
