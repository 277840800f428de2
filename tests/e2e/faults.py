"""What goes wrong outside of a pipeline: it ends with the documented cause and a line that says what to do, and leaves nothing."""

import json
import os
import socket
import unittest

import e2e
import registry


class Case(e2e.Case):
    def one_step(self, step, expect, *arguments, services=None, **top):
        """Its outcome, or that of its stage where it never ran, and all that was said to people."""
        folder = self.folder(json.dumps({**top, "stages": [{"name": "main", "services": services or {},
                                                           "steps": [{"name": "one", "image": e2e.IMAGE, **step}]}]}))
        done = self.gantry("run", *arguments, folder, expect=expect)
        shown = self.show()
        one = e2e.steps_of(shown)["main/one"]
        self.assert_nothing_left()
        return (one if one["attempt"] else shown["stages"][0]), done.stderr.decode()


class Pulls(Case):
    def pull_from(self, server, expect=3, **top):
        self.addCleanup(server.close)
        outcome, said = self.one_step({"image": f"{server.host}/x/y:1", "run": "true"}, expect, **top)
        return outcome, said, server.requests

    @unittest.skipIf(registry.missing(), "there is no docker-registry")
    def test_an_image_that_does_not_exist(self):
        server = registry.Registry()
        self.addCleanup(server.close)
        outcome, said = self.one_step({"image": f"{server.host}/no/such:1", "run": "true"}, 3)
        self.assertEqual(outcome["cause"], "image_error")
        self.assertIn("no/such", said)
        self.assertIn("check the name", said)

    def test_one_that_may_not_be_fetched(self):
        outcome, said = self.one_step({"image": "gantry-e2e-none:1", "pull_policy": "never", "run": "true"}, 3)
        self.assertEqual(outcome["cause"], "image_error")
        self.assertIn("pull_policy: missing", said)

    def test_a_registry_that_wants_a_password(self):
        for status in (401, 403):
            outcome, said, requests = self.pull_from(registry.Unruly(status))
            self.assertEqual(outcome["cause"], "image_error")
            self.assertIn("docker login", said)
            self.assertNotIn("tries", said)

    def test_a_registry_that_is_asked_too_often(self):
        server = registry.Unruly(429, [("Retry-After", "1")], b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')
        outcome, said, requests = self.pull_from(server)
        self.assertEqual(outcome["cause"], "image_error")
        self.assertIn("limits how often one may ask", said)
        self.assertIn("after 5 tries", said)
        self.assertGreaterEqual(len([line for line in requests if "/manifests/" in line]), 5)

    def test_a_registry_that_is_broken(self):
        outcome, said, requests = self.pull_from(registry.Unruly(500))
        self.assertEqual(outcome["cause"], "image_error")
        self.assertIn("after 5 tries", said)
        self.assertGreaterEqual(len([line for line in requests if "/manifests/" in line]), 5)

    def test_a_registry_that_hangs_ends_with_a_timeout(self):
        for top in ({"timeout": "4s"},):
            outcome, said, _ = self.pull_from(registry.Unruly(0), expect=4, **top)
            self.assertEqual(outcome["cause"], "timeout")
            self.assertIn("timeout of 4s", said)

    def test_a_step_that_is_tried_again_asks_the_registry_again(self):
        server = registry.Unruly(401)
        self.addCleanup(server.close)
        self.one_step({"image": f"{server.host}/x/y:1", "run": "true", "retry": {"max": 2, "when": ["image_error"]}}, 3)
        self.assertGreaterEqual(len([line for line in server.requests if "/manifests/" in line]), 3)

    def test_a_variant_that_is_not_here(self):
        other = "s390x" if os.uname().machine != "s390x" else "amd64"
        outcome, said = self.one_step({"platform": f"linux/{other}", "run": "true"}, 2)
        self.assertEqual(outcome["cause"], "config_error")
        self.assertIn(other, said)
        self.assertIn("pull_policy: always", said)

    def test_always_asks_the_registry_also_for_an_image_that_is_here(self):
        server = registry.Unruly(404)
        self.addCleanup(server.close)
        name = f"{server.host}/x/y"
        self.engine.call("POST", f"/images/{e2e.IMAGE}/tag?repo={name}&tag=1")
        self.addCleanup(self.engine.call, "DELETE", f"/images/{name}:1?force=1")
        for policy in ("missing", "if_not_present", "never"):
            self.one_step({"image": f"{name}:1", "pull_policy": policy, "run": "true"}, 0)
            self.assertEqual(server.requests, [])
        folder = self.folder(json.dumps({"steps": [{"image": f"{name}:1", "run": "true"}, {"image": f"{name}:1", "pull_policy": "always", "run": "true"}]}))
        self.gantry("run", folder, expect=3)
        self.assertNotEqual(server.requests, [])


class Objects(Case):
    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for kind in ("step", "service"):
                key = {"ports": [f"{port}:80"]}
                services = {"web": {"image": e2e.IMAGE, "command": "sleep 1000", **key}} if kind == "service" else {}
                outcome, said = self.one_step({"run": "true", **(key if kind == "step" else {})}, 2, services=services)
                self.assertEqual(outcome["cause"], "config_error")
                self.assertIn(str(port), said)
                self.assertIn("leave it out and the engine picks one", said)

    def test_a_subnet_that_overlaps_or_is_none(self):
        taken = self.engine.get("/networks/bridge")["IPAM"]["Config"][0]["Subnet"]
        for config, hint in (({"subnet": taken}, "choose another subnet"), ({"subnet": "10.231.79.0/99"}, "10.8.0.0/24"),
                             ({"subnet": "10.231.79.0/24", "gateway": "10.9.9.9"}, "an address of the subnet")):
            outcome, said = self.one_step({"run": "true", "networks": ["back"]}, 2, networks={"back": {"ipam": {"config": [config]}}})
            self.assertEqual(outcome["cause"], "config_error")
            self.assertIn("network back: ", said)
            self.assertIn(hint, said)

    def test_drivers_that_the_engine_does_not_have(self):
        for top, key, words in (({"volumes": {"data": {"driver": "nosuch"}}}, {"volumes": ["data:/data"]}, "volume data: "),
                                ({"networks": {"back": {"driver": "nosuch"}}}, {"networks": ["back"]}, "network back: ")):
            outcome, said = self.one_step({"run": "true", **key}, 2, **top)
            self.assertEqual(outcome["cause"], "config_error")
            self.assertIn(words, said)
            self.assertIn("the engine has no such driver", said)

    def test_external_ones_that_are_not_there(self):
        for top, key in (({"volumes": {"data": {"external": True, "name": "gantry-e2e-none"}}}, {"volumes": ["data:/data"]}),
                         ({"networks": {"back": {"external": True, "name": "gantry-e2e-none"}}}, {"networks": ["back"]})):
            outcome, said = self.one_step({"run": "true", **key}, 2, **top)
            self.assertEqual(outcome["cause"], "config_error")
            self.assertIn("gantry-e2e-none", said)
            self.assertIn("create it first", said)


class Services(Case):
    def test_a_service_that_ends_again_and_again(self):
        compose = {"services": {"web": {"image": e2e.IMAGE, "restart": "always", "command": ["sh", "-c", "echo cannot go on; exit 3"]}}}
        folder = self.folder(json.dumps({"stages": [{"name": "main", "compose": "compose.yml", "steps": [{"name": "one", "image": e2e.IMAGE, "run": "sleep 1000"}]}]}),
                             {"compose.yml": json.dumps(compose)})
        done = self.gantry("run", folder, expect=3).stderr.decode()
        self.assertIn("exit code 3", done)
        self.assertIn("cannot go on", done)
        self.assertEqual(self.show()["stages"][0]["cause"], "service_unhealthy")


if __name__ == "__main__":
    del Case
    e2e.main()
