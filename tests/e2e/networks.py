"""Ports, networks and volumes: what the file says is what the engine has, and what expressions and people can read of it."""

import json
import os
import socket
import unittest
import urllib.request

import e2e
import image

HTTPD = "mkdir -p /tmp/www && echo hello > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"


def free_ports(count):
    """That many ports in a row, as far as one can know."""
    for first in range(20000, 60000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, one in enumerate(sockets):
                one.bind(("0.0.0.0", first + offset))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("no port is free")


class Case(e2e.Case):
    @classmethod
    def setUpClass(cls):
        image.make(e2e.ENGINE)

    def project(self, steps, services=None, **top):
        return self.folder(json.dumps({**top, "defaults": {"image": image.NAME},
                                       "stages": [{"name": "main", "services": services or {}, "steps": steps}]}))

    def web(self, **more):
        return {"image": image.NAME, "command": ["sh", "-c", HTTPD], "ready": {"tcp": 8080}, "stop_signal": "SIGKILL", **more}

    def page(self, port, address="127.0.0.1"):
        with urllib.request.urlopen(f"http://{address}:{port}/", timeout=10) as answer:
            return answer.read()

    def network(self, part):
        found = [name for kind, name, _ in self.engine.objects(instance=self.instance()) if kind == "network" and part in name]
        return self.engine.get(f"/networks/{found[0]}")


class Ports(Case):
    def test_a_port_that_the_engine_picked_is_known_to_steps_and_to_people(self):
        run = self.start(self.project([{"name": "one", "run": "echo ${{ services.web.ports[8080] }} of ${{ services.web.image }}; sleep 1000"}],
                                      {"web": self.web(ports=["8080"])}))
        port = run.until("service_ready", step="services/web")["outputs"]["8080/tcp"]
        run.until("output", text=" of ")
        self.assertEqual(self.page(port), b"hello\n")
        self.assertEqual(self.logs("one").decode(), f"{port} of {image.NAME}\n")
        self.assertEqual(self.show()["stages"][0]["services"][0]["ports"], {"8080/tcp": port})
        self.assertIn(f"8080/tcp at port {port}", self.gantry("show").stdout.decode())
        run.signal(2)
        self.assertEqual(run.end(), 130)
        self.assertEqual(self.show()["stages"][0]["services"][0]["ports"], {"8080/tcp": port})

    def test_the_port_of_a_step_is_known_while_it_runs_and_to_later_steps(self):
        run = self.start(self.project([
            {"name": "serve", "run": "echo key=value >> $CI_OUTPUT; nc -l -p 8080 -w 60 < /full/file", "ports": [{"target": 8080, "host_ip": "127.0.0.1"}]},
            {"name": "later", "run": "echo ${{ steps.serve.ports['8080'] }} ${{ steps.serve.outputs.key }}"}]))
        run.until("step_started", step="serve")
        port = run.until("step_started", step="serve")["outputs"]["8080/tcp"]
        self.assertEqual(e2e.steps_of(self.show())["main/serve"]["ports"], {"8080/tcp": port})
        self.assertIn(f"8080/tcp at port {port}", self.gantry("show").stdout.decode())

        def said():
            with socket.create_connection(("127.0.0.1", int(port)), 5) as client:
                client.shutdown(socket.SHUT_WR)
                return client.makefile().read()
        self.assertEqual(e2e.eventually(said, "it answers"), "of the image\n")
        self.assertEqual(run.end(), 0)
        self.assertEqual(self.logs("later").decode(), f"{port} value\n")
        step = e2e.steps_of(self.show())["main/serve"]
        self.assertEqual((step["ports"], step["outputs"]), ({"8080/tcp": port}, {"key": "value"}))

    def test_all_that_the_image_exposes(self):
        self.gantry("run", self.project([{"name": "one", "run": "echo ${{ services.it.ports[7000] }} ${{ services.it.ports['7010/udp'] }}"}],
                                        {"it": {"image": image.NAME, "command": "sleep 1000", "ports": ["all"], "stop_signal": "SIGKILL"}}))
        tcp, udp = self.logs("one").split()
        self.assertEqual(self.show()["stages"][0]["services"][0]["ports"], {"7000/tcp": tcp.decode(), "7010/udp": udp.decode()})

    def test_ranges_interfaces_and_one_port_for_two_steps_in_turn(self):
        first = free_ports(2)
        serve = f"nc -l -p 7001 < /full/file & nc -l -p 7002 < /full/file & wait"
        ports = [f"127.0.0.1:{first}-{first + 1}:7001-7002"]
        run = self.start(self.project([{"name": name, "run": serve, "ports": ports} for name in ("one", "two")]))
        for _ in range(2):
            run.until("step_started", outputs={"7001/tcp": str(first), "7002/tcp": str(first + 1)})
            for port in (first, first + 1):
                def said(port=port):
                    with socket.create_connection(("127.0.0.1", port), 5) as client:
                        client.shutdown(socket.SHUT_WR)
                        return client.makefile().read()
                self.assertEqual(e2e.eventually(said, "it answers"), "of the image\n")
        self.assertEqual(run.end(), 0)

    def test_names_that_do_not_exist_are_told_at_check(self):
        for text, words in (("services.wbe.ports", "did you mean 'web'"), ("services.web.prots", "a service has no 'prots'"),
                            ("steps.one.ports", "refers to itself")):
            folder = self.project([{"name": "one", "run": "echo ${{ " + text + " }}"}], {"web": self.web()})
            self.assertIn(words, self.gantry("check", folder, expect=2).stderr.decode())
        folder = self.project([{"name": "one", "run": "true"}], {"web": self.web(environment={"A": "${{ services.web.ports }}"})})
        self.assertIn("no service is ready", self.gantry("check", folder, expect=2).stderr.decode())


class Networks(Case):
    def test_a_network_is_made_as_it_is_declared(self):
        declared = {"driver": "bridge", "driver_opts": {"com.docker.network.bridge.enable_icc": "true", "com.docker.network.driver.mtu": 1400},
                    "internal": True, "attachable": True, "labels": {"team": "net"},
                    "ipam": {"config": [{"subnet": "10.231.78.0/24", "gateway": "10.231.78.7", "ip_range": "10.231.78.128/25"}]}}
        run = self.start(self.project([{"name": "one", "networks": {"back": {"ipv4_address": "10.231.78.200", "aliases": ["me"]}},
                                        "run": "ip -o -4 addr; cat /sys/class/net/eth0/mtu; nslookup me | tail -2; echo ready; sleep 1000"}],
                                      networks={"back": declared}))
        run.until("output", text="ready")
        network = self.network("network-back")
        self.assertEqual((network["Driver"], network["Internal"], network["Attachable"]), ("bridge", True, True))
        self.assertEqual(network["IPAM"]["Config"], [{"Subnet": "10.231.78.0/24", "Gateway": "10.231.78.7", "IPRange": "10.231.78.128/25"}])
        self.assertEqual(network["Options"], {"com.docker.network.bridge.enable_icc": "true", "com.docker.network.driver.mtu": "1400"})
        self.assertEqual(network["Labels"]["team"], "net")
        said = self.logs("one").decode()
        self.assertIn("10.231.78.200/24", said)
        self.assertIn("\n1400\n", said)
        run.signal(2)
        self.assertEqual(run.end(), 130)

    @unittest.skipUnless(os.path.exists("/proc/sys/net/ipv6"), "this kernel has no IPv6")
    def test_a_network_of_ipv6_has_the_address_that_is_asked_for(self):
        declared = {"enable_ipv6": True, "ipam": {"config": [{"subnet": "10.231.79.0/24"}, {"subnet": "fd47:231:79::/64"}]}}
        web = self.web(networks={"six": {"ipv6_address": "fd47:231:79::77"}})
        self.gantry("run", self.project([{"name": "one", "networks": ["six"],
                                          "run": "ip -o -6 addr show eth0; wget -qO- 'http://[fd47:231:79::77]:8080/'"}],
                                        {"web": web}, networks={"six": declared}))
        said = self.logs("one").decode()
        self.assertIn(" fd47:231:79::", said)
        self.assertTrue(said.endswith("hello\n"), said)

    def test_an_external_network_is_joined_and_stays(self):
        name = "gantry-e2e-external"
        self.engine.call("DELETE", f"/networks/{name}")
        self.engine.call("POST", "/networks/create", json.dumps({"Name": name, "CheckDuplicate": True}))
        self.addCleanup(self.engine.call, "DELETE", f"/networks/{name}")
        self.gantry("run", self.project([{"name": "one", "networks": ["out"], "run": "wget -qO- http://web:8080/"}],
                                        {"web": self.web(networks=["out", "default"])}, networks={"out": {"external": True, "name": name}}))
        self.assertEqual(self.logs("one"), b"hello\n")
        self.assertEqual(self.engine.get(f"/networks/{name}")["Name"], name)

    def test_an_external_network_that_is_not_there(self):
        shown = self.run_pipeline(json.dumps({"networks": {"out": {"external": True, "name": "gantry-e2e-none"}},
                                              "stages": [{"name": "main", "steps": [{"name": "one", "image": e2e.IMAGE, "networks": ["out"], "run": "true"}]}]}), expect=2)
        step = e2e.steps_of(shown)["main/one"]
        self.assertIn("gantry-e2e-none", step["message"] + shown["stages"][0].get("message", ""))

    def test_one_alias_of_several_services_is_all_of_them(self):
        services = {name: self.web(networks={"default": {"aliases": ["backend"]}}) for name in ("a", "b", "c")}
        self.gantry("run", self.project([{"name": "one", "run": "nslookup backend 127.0.0.11 | grep ^Address | tail -n +2 | sort -u"}], services))
        addresses = self.logs("one").decode().split("\n")
        self.assertEqual(len([line for line in addresses if "127.0.0.11" not in line and line]), 3, addresses)

    def test_a_link_of_a_compose_file_is_a_further_name(self):
        compose = {"services": {"web": {"image": image.NAME, "command": ["sh", "-c", HTTPD], "stop_signal": "SIGKILL"},
                                "user": {"image": image.NAME, "links": ["web:www"], "stop_signal": "SIGKILL", "depends_on": ["web"],
                                         "command": ["sh", "-c", "until wget -qO- http://www:8080/; do sleep 0.1; done; exec sleep 1000"],
                                         "healthcheck": {"test": "wget -qO- http://www:8080/"}}}}
        folder = self.folder(json.dumps({"stages": [{"name": "main", "compose": "compose.yml", "steps": [{"name": "one", "image": e2e.IMAGE, "run": "true"}]}]}),
                             {"compose.yml": json.dumps(compose)})
        self.gantry("run", folder)
        self.assertIn(b"hello\n", self.logs("services/user"))

    def test_each_stage_has_a_network_of_its_own(self):
        stage = {"services": {"web": self.web()}, "needs": [], "steps": [{"name": "one", "image": image.NAME, "run": "wget -qO- http://web:8080/; echo ready; sleep 1000"}]}
        run = self.start(self.folder(json.dumps({"stages": [{"name": "a", **stage}, {"name": "b", **stage}]})))
        for _ in "ab":
            run.until("output", text="ready")
        networks = set()
        for stage in "ab":
            whole = self.engine.get(f"/containers/{self.engine.container_of('one', instance=self.instance(), stage=stage)}/json")
            networks |= set(whole["NetworkSettings"]["Networks"])
        self.assertEqual(len(networks), 2)
        run.signal(2)
        self.assertEqual(run.end(), 130)


class Volumes(Case):
    def test_a_volume_with_options_of_its_driver(self):
        options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=1234"}
        self.gantry("run", self.project([{"name": "one", "volumes": ["ram:/ram"], "run": "grep ' /ram ' /proc/mounts"}],
                                        volumes={"ram": {"driver": "local", "driver_opts": options, "labels": {"team": "ram"}}}))
        self.assertRegex(self.logs("one").decode(), r"^tmpfs /ram tmpfs .*size=1024k,uid=1234")

    def test_an_external_volume_keeps_what_is_in_it_and_stays(self):
        name = "gantry-e2e-external"
        self.engine.call("DELETE", f"/volumes/{name}?force=1")
        self.engine.call("POST", "/volumes/create", json.dumps({"Name": name}))
        self.addCleanup(self.engine.call, "DELETE", f"/volumes/{name}?force=1")
        for word in ("first", "second"):
            self.gantry("run", self.project([{"name": "one", "volumes": ["kept:/kept"], "run": f"echo {word} >> /kept/file; cat /kept/file"}],
                                            volumes={"kept": {"external": True, "name": name}}))
        self.assertEqual(self.logs("one"), b"first\nsecond\n")

    def test_an_anonymous_volume_goes_with_its_container(self):
        run = self.start(self.project([{"name": "one", "volumes": ["/anonymous", "/full"], "run": "cat /full/file; echo ready; sleep 1000"}]))
        run.until("output", text="ready")
        whole = self.engine.get(f"/containers/{self.engine.container_of('one', instance=self.instance())}/json")
        names = [mount["Name"] for mount in whole["Mounts"] if mount["Destination"] in ("/anonymous", "/full")]
        self.assertEqual(self.logs("one"), b"of the image\nready\n")  # first use is filled
        run.signal(2)
        self.assertEqual(run.end(), 130)
        self.assertEqual([self.engine.call("GET", f"/volumes/{name}")[0] for name in names], [404, 404])

    def test_a_folder_of_a_volume_needs_a_newer_engine(self):
        volume = {"type": "volume", "source": "data", "target": "/data", "volume": {"subpath": "sub"}}
        version = int(self.engine.get("/version")["ApiVersion"].split(".")[1])
        folder = self.project([{"name": "make", "volumes": ["data:/all"], "run": "mkdir /all/sub && echo in sub > /all/sub/file"},
                               {"name": "one", "volumes": [volume], "run": "cat /data/file"}], volumes={"data": {}})
        done = self.gantry("run", folder, expect=0 if version >= 45 else 2)
        if version >= 45:
            self.assertEqual(self.logs("one"), b"in sub\n")
        else:
            self.assertIn("'subpath' is not supported by this engine", done.stderr.decode())
            self.assertIn("Docker 26 or later has it", done.stderr.decode())


if __name__ == "__main__":
    del Case
    e2e.main()
