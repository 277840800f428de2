"""What goes wrong outside of a pipeline: it ends with the documented cause and a line that says what to do, and leaves nothing."""

import json
import os
import shutil
import socket
import unittest

import e2e
import reach
import registry
import tls_front


class Case(e2e.Case):
    def one_step(self, step, expect, services=None, **top):
        """Its outcome, or that of its stage where it never ran, and all that was said to people. It has every consent."""
        folder = self.folder(json.dumps({**top, "stages": [{"name": "main", "services": services or {},
                                                           "steps": [{"name": "one", "image": e2e.IMAGE, **step}]}]}))
        done = self.gantry("run", "--allow", "all", folder, expect=expect)
        shown = self.show()
        one = e2e.steps_of(shown)["main/one"]
        self.assert_nothing_left()
        return (one if one["attempt"] else shown["stages"][0]), done.stderr.decode()

    def assert_refused(self, step, words, hint, **top):
        """As a mistake of the file (exit code 2) that a run came upon; `words`: or any of several, where engines differ."""
        outcome, said = self.one_step(step, 2, **top)
        self.assertEqual(outcome["cause"], "config_error")
        self.assertTrue(any(one in said for one in ((words,) if isinstance(words, str) else words)), said)
        self.assertIn(hint, said)

    def assert_checked(self, pipeline, words):
        """As a mistake that no run is needed for."""
        self.assertIn(words, self.gantry("check", self.folder(json.dumps(pipeline)), expect=2).stderr.decode())


class Pulls(Case):
    def pull_from(self, server):
        """All that was said of a step with an image there, and how often the server was asked for it."""
        self.addCleanup(server.close)
        outcome, said = self.one_step({"image": f"{server.host}/x/y:1", "run": "true"}, 3)
        self.assertEqual(outcome["cause"], "image_error")
        return said, self.times_asked(server)

    @staticmethod
    def times_asked(server):
        return len([line for line in server.requests if "/manifests/" in line])

    @unittest.skipIf(registry.missing(), "there is no docker-registry")
    def test_an_image_that_does_not_exist(self):
        server = registry.Registry()
        self.addCleanup(server.close)
        outcome, said = self.one_step({"image": f"{server.host}/no/such:1", "run": "true"}, 3)
        self.assertEqual(outcome["cause"], "image_error")
        self.assertIn("no/such", said)
        self.assertIn("check the name", said)

    @unittest.skipIf(registry.missing(), "there is no docker-registry")
    def test_P21_an_image_of_more_layers_than_can_be_stacked(self):
        if self.engine.has_containerds_images():
            self.skipTest("containerd stacks hundreds, and over thousands it keeps its daemon from answering for minutes")
        server = registry.Registry()
        self.addCleanup(server.close)
        server.put_tall_image("too/tall", "1", 10_000)
        outcome, said = self.one_step({"image": f"{server.host}/too/tall:1", "run": "true"}, 3)
        self.assertEqual(outcome["cause"], "image_error")
        self.assertIn("more layers than the engine can stack", said)

    def test_one_that_may_not_be_fetched(self):
        outcome, said = self.one_step({"image": "gantry-e2e-none:1", "pull_policy": "never", "run": "true"}, 3)
        self.assertEqual(outcome["cause"], "image_error")
        self.assertIn("pull_policy: missing", said)

    def test_a_registry_that_wants_a_password(self):
        for status in (401, 403):
            said, _ = self.pull_from(registry.Unruly(status))
            self.assertIn("docker login", said)
            self.assertNotIn("tries", said)

    def test_a_registry_that_is_asked_too_often(self):
        said, times = self.pull_from(registry.Unruly(429, [("Retry-After", "1")], b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'))
        self.assertIn("limits how often one may ask", said)
        self.assertIn("after 5 tries", said)
        self.assertGreaterEqual(times, 5)

    def test_a_registry_that_is_broken(self):
        said, times = self.pull_from(registry.Unruly(500))
        self.assertIn("try again later", said)
        self.assertIn("after 5 tries", said)
        self.assertGreaterEqual(times, 5)

    def test_a_registry_that_hangs_ends_with_a_timeout(self):
        server = registry.Unruly(0)
        self.addCleanup(server.close)
        outcome, said = self.one_step({"image": f"{server.host}/x/y:1", "run": "true"}, 4, timeout="4s")
        self.assertEqual(outcome["cause"], "timeout")
        self.assertIn("timeout of 4s", said)
        self.assertIn("what it waited for: its last lines, a registry", said)

    def test_a_step_that_is_tried_again_asks_the_registry_again(self):
        server = registry.Unruly(401)
        self.addCleanup(server.close)
        self.one_step({"image": f"{server.host}/x/y:1", "run": "true", "retry": {"max": 2, "when": ["image_error"]}}, 3)
        self.assertGreaterEqual(self.times_asked(server), 3)

    def test_a_services_image_is_no_other_matter(self):
        server = registry.Unruly(401)
        self.addCleanup(server.close)
        outcome, said = self.one_step({"run": "true"}, 3, services={"web": {"image": f"{server.host}/x/y:1"}})
        self.assertEqual(outcome["cause"], "image_error")
        self.assertIn("service web: ", said)
        self.assertIn("docker login", said)

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
            key = {"ports": [f"{port}:80"]}
            hint = "leave it out and the engine picks one"
            self.assert_refused({"run": "true", **key}, str(port), hint)
            self.assert_refused({"run": "true"}, str(port), hint, services={"web": {"image": e2e.IMAGE, "command": "sleep 1000", **key}})

    def test_an_address_that_is_taken(self):
        fixed = {"back": {"ipv4_address": "10.231.80.5"}}
        networks = {"back": {"ipam": {"config": [{"subnet": "10.231.80.0/24"}]}}}
        first = {"image": e2e.IMAGE, "command": "sleep 1000", "stop_signal": "SIGKILL", "networks": fixed}
        self.assert_refused({"run": "true", "networks": fixed}, "10.231.80.5: Address already in use", "leave it out and the engine picks one",
                            services={"first": first}, networks=networks)
        self.assert_checked({"networks": networks, "stages": [{"services": {"first": first, "second": first}, "steps": [{"image": e2e.IMAGE, "run": "true"}]}]},
                            "is the address of service 'first', too")

    def test_an_address_that_the_network_does_not_have(self):
        with_subnet = {"ipam": {"config": [{"subnet": "10.231.80.0/24"}]}}
        for network, hint in ((with_subnet, "write one of 10.231.80.0/24"), ({}, "give it one: networks: { back: ")):
            step = {"name": "one", "image": e2e.IMAGE, "run": "true", "networks": {"back": {"ipv4_address": "10.9.9.9"}}}
            said = self.gantry("run", self.folder(json.dumps({"networks": {"back": network}, "steps": [step]})), expect=2).stderr.decode()
            self.assertIn("'10.9.9.9' is in no subnet of the network 'back'", said)
            self.assertIn(hint, said)
        # Of an external one, only the engine knows.
        name = f"gantry-e2e-{os.getpid()}-fixed"
        for config, hint in (([{"Subnet": "10.231.80.0/24"}], "an address of the network's subnet"), ([], "give the network a subnet")):
            self.engine.call("POST", "/networks/create", json.dumps({"Name": name, "IPAM": {"Config": config}}))
            try:
                self.assert_refused({"run": "true", "networks": {"back": {"ipv4_address": "10.9.9.9"}}}, ("subnets", "no configured subnet"), hint,
                                    networks={"back": {"external": True, "name": name}})
            finally:
                self.engine.call("DELETE", f"/networks/{name}")

    def test_a_subnet_that_overlaps_or_is_none(self):
        taken = self.engine.get("/networks/bridge")["IPAM"]["Config"][0]["Subnet"]
        self.assert_refused({"run": "true", "networks": ["back"]}, "network back: ", "choose another subnet",
                            networks={"back": {"ipam": {"config": [{"subnet": taken}]}}})
        for config, words in (({"subnet": "10.231.79.0/24", "gateway": "10.9.9.9"}, "'10.9.9.9' is not in the subnet 10.231.79.0/24"),
                              ({"subnet": "10.231.79.0/99"}, "such as 10.8.0.0/24")):
            self.assert_checked({"networks": {"back": {"ipam": {"config": [config]}}}, "steps": [{"image": e2e.IMAGE, "run": "true", "networks": ["back"]}]}, words)

    def test_drivers_that_the_engine_does_not_have(self):
        for top, key, words in (({"volumes": {"data": {"driver": "nosuch"}}}, {"volumes": ["data:/data"]}, "volume data: "),
                                ({"networks": {"back": {"driver": "nosuch"}}}, {"networks": ["back"]}, "network back: ")):
            self.assert_refused({"run": "true", **key}, words, "the engine has no such driver", **top)

    def test_external_ones_that_are_not_there(self):
        for top, key in (({"volumes": {"data": {"external": True, "name": "gantry-e2e-none"}}}, {"volumes": ["data:/data"]}),
                         ({"networks": {"back": {"external": True, "name": "gantry-e2e-none"}}}, {"networks": ["back"]})):
            self.assert_refused({"run": "true", **key}, "gantry-e2e-none", "create it first", **top)


class Containers(Case):
    """What the engine, or the container's own beginning, refuses of a container."""

    def test_what_the_engine_does_not_have(self):
        for key, words, hint in (({"runtime": "nosuch"}, "nosuch", "docker info"), ({"devices": ["/dev/nosuch"]}, "/dev/nosuch", "devices: the engine's host has no such"),
                                 ({"sysctls": {"net.nosuch": 1}}, "net/nosuch", "sysctls: "),
                                 ({"cpus": 4096}, "CPUs", "in that range"),
                                 ({"security_opt": ["nosuch=1"]}, "nosuch", "security_opt: "), ({"volumes": ["/no/such:/x"]}, "/no/such", "create the folder")):
            with self.subTest(key):
                self.assert_refused({"run": "true", **key}, words, hint)

    def test_what_the_image_does_not_have(self):
        for key, words, hint in (({"user": "nosuch"}, "nosuch", "/etc/passwd"), ({"user": "root:nosuch"}, "nosuch", "/etc/group"),
                                 ({"working_dir": "/etc/passwd"}, "/etc/passwd", "choose a folder"),
                                 ({"volumes": ["data:/etc/passwd"]}, "/etc/passwd", "choose another target")):
            with self.subTest(key):
                self.assert_refused({"run": "true", **key}, words, hint, volumes={"data": {}} if "volumes" in key else {})

    def test_a_service_is_refused_like_a_step(self):
        self.assert_refused({"run": "true"}, "service web: ", "/etc/passwd", services={"web": {"image": e2e.IMAGE, "command": "true", "user": "nosuch"}})

    def test_a_command_that_is_not_in_the_image_fails_its_step_with_127(self):
        for key in ({"command": "nosuch"}, {"command": "/nosuch"}, {"entrypoint": ["nosuch"]}, {"run": "nosuch"}, {"run": "true", "shell": "nosuch"}):
            with self.subTest(key):
                outcome, said = self.one_step(key, 1)
                self.assertEqual((outcome["cause"], outcome["exit_code"]), ("failed", 127))
                self.assertIn("was not found: is it in the image", said)
        outcome, said = self.one_step({"command": "/etc/passwd"}, 1)
        self.assertEqual((outcome["cause"], outcome["exit_code"]), ("failed", 126))
        self.assertIn("see its mode", said)

    def test_without_an_init_it_is_refused(self):
        self.assert_refused({"command": "nosuch", "init": False}, '"nosuch": executable file not found', "the image has no such program")

    def test_words_that_engines_would_take_in_silence_are_told_where_they_stand(self):
        for key, column, hint in (("cap_drop: [ALL, NOSUCH]", 17, "man 7 capabilities"), ("cap_add: [ALL, NET_ROW]", 16, "did you mean NET_RAW?"),
                                  ("hostname: a b/", 11, "letters, digits"), ("stop_signal: SIGNOSUCH", 14, "such as SIGTERM"),
                                  ("network_mode: container:x", 15, "service:NAME"), ("platform: x", 11, "linux/amd64"),
                                  ("ulimits: { nosuch: 1 }", 12, "nofile"), ("sysctls: { kernel.nosuch: 1 }", 12, "kernel.shm*"), ("mem_limit: 1k", 12, "6m or more"),
                                  ("tmpfs: [rel]", 9, "from the root"), ("user: a:b:c", 7, "user:group")):
            folder = self.folder(f'steps: [{{ name: one, image: {e2e.IMAGE}, run: "true",\n{key} }}]\n')
            for command in ("check", "run"):
                said = self.gantry(command, folder, expect=2).stderr.decode()
                self.assertRegex(said, rf"\.gantry\.yml:2:{column}: error: ")
                self.assertIn(hint, said)
        self.assertIsNone(self.instance(), "nothing was begun")

    def test_a_name_of_a_host_that_is_computed_is_looked_at_too(self):
        steps = [{"name": "says", "image": e2e.IMAGE, "run": "echo NAME=a b >> $CI_OUTPUT"},
                 {"name": "one", "image": e2e.IMAGE, "run": "true", "hostname": "${{ steps.says.outputs.NAME }}"}]
        said = self.gantry("run", self.folder(json.dumps({"steps": steps})), expect=2).stderr.decode()
        self.assertEqual(e2e.steps_of(self.show())["main/one"]["cause"], "config_error")
        self.assertIn("hostname: 'a b'", said)
        self.assertIn("letters, digits", said)


class Keys(Case):
    """The key that speaks to an engine over TLS, and the one with which an engine speaks to a registry."""

    def setUp(self):
        super().setUp()
        self.front = tls_front.Front()
        self.addCleanup(self.front.close)
        self.keys = self.front.folder
        self.environment.update(DOCKER_HOST=self.front.host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=self.keys)

    def assert_no_way(self, code, words, hint):
        """Ends with one line and what to do, before anything was begun."""
        folder = self.folder(json.dumps({"steps": [{"image": e2e.IMAGE, "run": "true"}]}))
        said = self.gantry("run", folder, expect=code).stderr.decode()
        self.assertEqual(len(said.strip().split("\n")), 2, said)
        self.assertIn(words, said)
        self.assertIn(hint, said)
        self.assertEqual(self.runs(), [])

    def key(self, content=None, name="key.pem"):
        path = os.path.join(self.keys, name)
        os.remove(path)
        if content is not None:
            e2e.write(path, content, 0o600)
        return path

    def test_one_that_fits_works(self):
        self.gantry("run", self.folder(json.dumps({"steps": [{"image": e2e.IMAGE, "run": "true"}]})))

    def test_one_that_is_missing(self):
        self.key()
        self.assert_no_way(2, f"{self.keys} has cert.pem and no key.pem", "go together")
        self.key(name="cert.pem")
        self.assert_no_way(3, "TLS", "our certificate")  # the engine wants one
        self.key(name="ca.pem")
        self.assert_no_way(2, f"there is no ca.pem and no cert.pem in {self.keys}", "see that you may read it")

    def test_one_that_is_none(self):
        for name in ("key.pem", "cert.pem", "ca.pem"):
            with self.subTest(name):
                with open(os.path.join(self.keys, name), encoding="ascii") as file:
                    good = file.read()
                self.assert_no_way(2, f"cannot use {self.key('no key', name)}: ", "as PEM without passphrase")
                self.key(good, name)

    def test_one_of_somebody_else(self):
        self.front.make_authority("other")
        with open(os.path.join(self.keys, "other-key.pem"), encoding="ascii") as file:
            path = self.key(file.read())
        self.assert_no_way(2, f"cannot use {path}: key values mismatch", "its key.pem")

    def test_one_behind_a_passphrase_is_never_asked_for(self):
        path = os.path.join(self.keys, "key.pem")
        self.front.openssl("ec", "-in", path, "-aes256", "-passout", "pass:secret", "-out", path)
        self.assert_no_way(2, f"cannot use {path}: ", "without passphrase")

    def test_a_pair_that_the_engine_does_not_know(self):
        self.front.make_authority("other")
        for name, other in (("cert.pem", "other.pem"), ("key.pem", "other-key.pem")):
            os.replace(os.path.join(self.keys, other), os.path.join(self.keys, name))
        self.assert_no_way(3, "TLS", "our certificate")

    @unittest.skipIf(os.geteuid() != 0, "only root can be somebody else")
    def test_one_that_may_not_be_read(self):
        path = os.path.join(self.keys, "key.pem")
        os.chmod(path, 0o600)
        for folder in (self.home, self.keys):
            os.chmod(folder, 0o755)
        os.chown(self.home, reach.USER, reach.USER)
        binary = shutil.copy(e2e.GANTRY, self.home)  # the build may lie where only root gets to
        self.command = lambda arguments: reach.OtherUser.as_user(binary, *arguments)
        self.assert_no_way(2, f"cannot use {path}: Permission denied", "DOCKER_CERT_PATH")

    @unittest.skipIf(registry.missing() or os.geteuid() != 0, "there is no docker-registry, or we may not tell the engine of one")
    def test_an_engines_key_for_a_registry_that_does_not_fit(self):
        server = registry.Registry(secure=True)
        self.addCleanup(server.close)
        server.trust()
        shutil.copy(os.path.join(server.folder, "ca.crt"), os.path.join(server.trusted, "client.cert"))
        for key in (None, "no key", "server.key"):
            with self.subTest(key):
                if key == "server.key":
                    shutil.copy(os.path.join(server.folder, key), os.path.join(server.trusted, "client.key"))
                elif key:
                    e2e.write(os.path.join(server.trusted, "client.key"), key)
                outcome, said = self.one_step({"image": f"{server.host}/x/y:1", "run": "true"}, 3)
                self.assertEqual(outcome["cause"], "image_error")
                self.assertIn("client.cert and client.key", said)
                self.assertNotIn("tries", said)


class Services(Case):
    def test_a_service_that_ends_again_and_again(self):
        compose = {"services": {"web": {"image": e2e.IMAGE, "restart": "always", "command": ["sh", "-c", "echo cannot go on; exit 3"]}}}
        folder = self.folder(json.dumps({"stages": [{"name": "main", "compose": "compose.yml", "steps": [{"name": "one", "image": e2e.IMAGE, "run": "sleep 1000"}]}]}),
                             {"compose.yml": json.dumps(compose)})
        done = self.gantry("run", folder, expect=3).stderr.decode()
        self.assertIn("exit code 3", done)
        self.assertIn("cannot go on", done)
        self.assertIn("its last lines say why", done)
        self.assertEqual(self.show()["stages"][0]["cause"], "service_unhealthy")


if __name__ == "__main__":
    del Case
    e2e.main()
