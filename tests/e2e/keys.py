"""Every key of "A step's container", read back from inside the container or from the engine while it runs.

The keys come from `gantry schema`: a key that the format gains and nobody reads back here fails the first test.
"""

import json
import os
import stat
import subprocess
import unittest

import e2e
import image

SUBNET = "10.231.77"
FREE = {  # keys of steps and services that are no container's
    "build",  # tests/e2e/build.py
}

# Says what can be seen from inside, by sections, and then waits for its end.
SCRIPT = """
say() { echo "== $1"; shift; "$@" 2>&1; }
say arguments echo "$0 $*"
say id id
say folder pwd
say hostname hostname
say variables env
say hosts cat /etc/hosts
say resolv cat /etc/resolv.conf
say mounts cat /proc/mounts
say status cat /proc/self/status
say limits cat /proc/self/limits
say init cat /proc/1/comm
say addresses ip -o -4 addr
say somaxconn cat /proc/sys/net/core/somaxconn
say oom cat /proc/self/oom_score_adj
say files sh -c 'for file in /data /read /ram /own /empty /filled /anonymous /shared; do
    [ -e "$file" ] && stat -c "%n %a" "$file" && touch "$file/touched" && echo "$file written"; ls "$file" 2>/dev/null | sed "s|^|$file/|"; done'
say root touch /new
say devices sh -c 'ls -l /dev'
trap 'echo "got USR1"; exit 0' USR1
echo "== end"
while :; do sleep 0.1; done
"""


class Seen:
    """A container that runs: what the engine says, and what it says itself."""

    def __init__(self, engine, name, said, base):
        self.base = engine.get(f"/containers/{base}/json")  # of the service beside it
        self.whole = engine.get(f"/containers/{name}/json")
        self.host, self.config = self.whole["HostConfig"], self.whole["Config"]
        self.sections = {}
        for section in said.split("== ")[1:]:
            title, _, text = section.partition("\n")
            self.sections[title] = text

    def __getitem__(self, section):
        return self.sections[section].strip()

    def lines(self, section):
        return self.sections[section].splitlines()

    def field(self, name):
        return next(line.split(":", 1)[1].strip() for line in self.lines("status") if line.startswith(name + ":"))

    def has_capability(self, number):
        return int(self.field("CapBnd"), 16) >> number & 1 == 1

    def mount(self, target):
        """Its options, as the kernel has them; None: nothing is mounted there."""
        found = [line.split() for line in self.lines("mounts") if line.split()[1] == target]
        return found[-1][2:4] if found else None

    def limit(self, name):
        return next(line[26:].split()[:2] for line in self.lines("limits") if line.startswith(name))

    def in_network(self, part):
        return next(place for name, place in self.whole["NetworkSettings"]["Networks"].items() if part in name)


def block_device():
    for name in sorted(os.listdir("/sys/class/block")):
        path = "/dev/" + name
        if os.path.exists(path) and stat.S_ISBLK(os.stat(path).st_mode):
            return path
    return None


DEVICE = block_device()


def published(port, host_ip="127.0.0.1"):
    def check(case, seen):
        found = seen.whole["NetworkSettings"]["Ports"][port]
        case.assertTrue(any(one["HostIp"] == host_ip and int(one["HostPort"]) > 0 for one in found), found)
    return check


def ports(case, seen):
    published("8080/tcp")(case, seen)
    published("9000/udp", "0.0.0.0")(case, seen)
    for port in ("7001/tcp", "7002/tcp"):
        published(port, "0.0.0.0")(case, seen)
    case.assertIn(int(seen.whole["NetworkSettings"]["Ports"]["7003/tcp"][0]["HostPort"]), range(31000, 32000))


def linked(case, seen):
    for name, place in seen.base["NetworkSettings"]["Networks"].items():
        case.assertIn("further", place["Aliases"], name)


def networks(case, seen):
    back = seen.in_network("network-back")
    case.assertIn("other", back["Aliases"])
    case.assertEqual(back["IPAddress"], f"{SUBNET}.10")
    case.assertIn(f"{SUBNET}.10/24", seen["addresses"])
    seen.in_network(".net")  # "default": the stage's own


def volumes(case, seen):
    files = seen["files"]
    case.assertIn("/data written", files)
    case.assertNotIn("/read written", files)
    case.assertIn("/read/touched", files)  # the same volume
    case.assertEqual(seen.mount("/read")[1].split(",")[0], "ro")
    case.assertIn("/anonymous written", files)
    case.assertIn("/filled/file", files)   # first use, from the image
    case.assertNotIn("/empty/file", files)  # nocopy
    case.assertIn("/ram written", files)
    case.assertIn("/ram 1777", files)
    case.assertEqual(seen.mount("/ram")[0], "tmpfs")
    case.assertIn("size=1024k", seen.mount("/ram")[1])


def tmpfs(case, seen):
    case.assertEqual(seen.mount("/own")[0], "tmpfs")
    case.assertIn("size=2048k", seen.mount("/own")[1])
    case.assertIn("/own 1770", seen["files"])


def healthcheck(case, seen):
    check = seen.config["Healthcheck"]
    case.assertEqual((check["Test"], check["Interval"], check["Timeout"], check["Retries"], check["StartPeriod"]),
                     (["CMD", "true"], 90 * 10**9, 3 * 10**9, 5, 10**9 // 2))


def depends_on(case, seen):
    case.assertLess(seen.base["State"]["StartedAt"], seen.whole["State"]["StartedAt"])


def volumes_from(case, seen):
    case.assertIn("/shared/of-base", seen["files"])


def shares_network(case, seen):
    case.assertEqual(seen.host["NetworkMode"], "container:" + seen.base["Id"])
    case.assertEqual(seen["hostname"], seen.base["Config"]["Hostname"])


def rates(name):
    return lambda case, seen: case.assertEqual(seen.host[name], [{"Path": DEVICE, "Rate": 1000}])


def equal(get, *wanted):
    return lambda case, seen: case.assertEqual(get(seen), wanted[0] if len(wanted) == 1 else wanted)


def said(section, text):
    return lambda case, seen: case.assertIn(text, seen[section])


def line(section, text):
    return lambda case, seen: case.assertIn(text, seen.lines(section))


def all_of(*checks):
    def check(case, seen):
        for one in checks:
            one(case, seen)
    return check


# Groups of keys that can stand in one container: what is written, and how it is read back.
USUAL = {
    "image": (image.NAME, equal(lambda seen: seen.config["Image"], image.NAME)),
    "pull_policy": ("never", None),  # Pulls
    "entrypoint": (["sh", "-c"], equal(lambda seen: seen.config["Entrypoint"], ["sh", "-c"])),
    "command": ([SCRIPT, "zero", "one"], equal(lambda seen: seen["arguments"], "zero one")),
    "environment": ({"ONE": "1", "TWO": "a b"}, all_of(line("variables", "ONE=1"), line("variables", "TWO=a b"))),
    "env_file": ("some.env", line("variables", "FROM_FILE=yes")),
    "user": ("1234:2345", said("id", "uid=1234 gid=2345")),
    "working_dir": ("/full", equal(lambda seen: seen["folder"], "/full")),
    "hostname": ("box", equal(lambda seen: seen["hostname"], "box")),
    "extra_hosts": (["one.test:10.1.2.3", "two.test=10.1.2.4", "six.test:[::1]"],
                    all_of(said("hosts", "10.1.2.3\tone.test"), said("hosts", "10.1.2.4\ttwo.test"), said("hosts", "::1\tsix.test"))),
    "dns": (["10.9.9.9", "10.9.9.8"], equal(lambda seen: seen.host["Dns"], ["10.9.9.9", "10.9.9.8"])),
    "dns_search": (["corp.test"], said("resolv", "search corp.test")),
    "dns_opt": (["ndots:3"], said("resolv", "options ndots:3")),
    "networks": ({"back": {"aliases": ["other"], "ipv4_address": f"{SUBNET}.10"}, "default": None}, networks),
    "links": (["base:further"], linked),
    "ports": (["127.0.0.1::8080", {"target": "9000", "protocol": "udp", "name": "udp", "app_protocol": "x", "mode": "host"}, "7001-7002", "31000-31999:7003"], ports),
    "volumes": (["data:/data", "data:/read:ro", "/anonymous", "full:/filled",
                 {"type": "volume", "source": "bare", "target": "/empty", "volume": {"nocopy": True}},
                 {"type": "tmpfs", "target": "/ram", "tmpfs": {"size": "1m", "mode": 0o1777}}], volumes),
    "volumes_from": (["base"], volumes_from),
    "tmpfs": (["/own:size=2m,mode=1770"], tmpfs),
    "shm_size": ("32m", lambda case, seen: case.assertIn("size=32768k", seen.mount("/dev/shm")[1])),
    "read_only": (True, said("root", "Read-only file system")),
    "init": (False, equal(lambda seen: seen["init"], "sh")),
    "cap_add": (["NET_RAW"], lambda case, seen: case.assertTrue(seen.has_capability(13))),
    "cap_drop": (["CHOWN"], lambda case, seen: case.assertFalse(seen.has_capability(0))),
    "ulimits": ({"nofile": {"soft": 100, "hard": 200}, "core": 0},
                all_of(equal(lambda seen: seen.limit("Max open files"), ["100", "200"]),
                       equal(lambda seen: seen.limit("Max core file size"), ["0", "0"]))),
    "device_read_iops": ([{"path": DEVICE, "rate": 1000}], rates("BlkioDeviceReadIOps")),
    "device_write_iops": ([{"path": DEVICE, "rate": 1000}], rates("BlkioDeviceWriteIOps")),
    "cpu_shares": (512, equal(lambda seen: seen.host["CpuShares"], 512)),
    "cpus": ("0.5", equal(lambda seen: seen.host["NanoCpus"], 500_000_000)),
    "mem_limit": ("64m", equal(lambda seen: (seen.host["Memory"], seen.host["MemorySwap"]), 64 << 20, 64 << 20)),
    "pids_limit": (100, equal(lambda seen: seen.host["PidsLimit"], 100)),
    "oom_kill_disable": (True, equal(lambda seen: seen.host["OomKillDisable"], True)),
    "oom_score_adj": (300, equal(lambda seen: seen["oom"], "300")),
    "logging": ({"driver": "json-file", "options": {"max-size": "1m", "max-file": 2}},
                equal(lambda seen: seen.host["LogConfig"], {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}})),
    "stop_signal": ("SIGUSR1", equal(lambda seen: seen.config["StopSignal"], "SIGUSR1")),  # and it says "got USR1", below
    "stop_grace_period": ("1m30s", None),  # tests/e2e/interrupts.py
    "labels": ({"team": "web"}, equal(lambda seen: seen.config["Labels"]["team"], "web")),
    "healthcheck": ({"test": ["CMD", "true"], "interval": "1m30s", "timeout": "3s", "retries": 5, "start_period": "500ms"}, healthcheck),
    "depends_on": ({"base": {"condition": "service_healthy"}}, depends_on),
    "platform": (f"linux/{e2e.ARCHITECTURE}", None),  # Pulls
    "sysctls": ({"net.core.somaxconn": 1234}, equal(lambda seen: seen["somaxconn"], "1234")),
    "runtime": ("runc", equal(lambda seen: seen.host["Runtime"], "runc")),
}

# The same in other words, and what the first group rules out.
OTHER = {
    "image": USUAL["image"],
    "command": (f"sh -c '{SCRIPT.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}' zero 'one two'",
                equal(lambda seen: seen["arguments"], "zero one two")),
    "env": (["THREE=3"], line("variables", "THREE=3")),
    "env_file": ([{"path": "some.env"}, {"path": "gone.env", "required": False}, {"path": "raw.env", "format": "raw"}],
                 all_of(line("variables", "FROM_FILE=yes"), line("variables", 'RAW="$x" # y'))),
    "working_dir": ("/full/../tmp", equal(lambda seen: seen["folder"], "/tmp")),
    "extra_hosts": ({"three.test": "10.1.2.5"}, said("hosts", "10.1.2.5\tthree.test")),
    "dns": ("10.9.9.7", equal(lambda seen: seen.host["Dns"], ["10.9.9.7"])),
    "networks": (["back"], lambda case, seen: seen.in_network("network-back")),
    "tmpfs": ("/own", lambda case, seen: case.assertEqual(seen.mount("/own")[0], "tmpfs")),
    "blkio_config": ({"device_read_iops": [{"path": DEVICE, "rate": 1000}], "device_write_iops": [{"path": DEVICE, "rate": 1000}]},
                     all_of(rates("BlkioDeviceReadIOps"), rates("BlkioDeviceWriteIOps"))),
    "resources": ({"cpus": 1.5, "memory": "1g", "pids": 77},
                  equal(lambda seen: (seen.host["NanoCpus"], seen.host["Memory"], seen.host["PidsLimit"]), 1_500_000_000, 1 << 30, 77)),
    "ulimits": ({"nofile": 150}, equal(lambda seen: seen.limit("Max open files"), ["150", "150"])),
    "logging": ({"options": {"max-size": "1k"}}, lambda case, seen: case.assertEqual(
        seen.host["LogConfig"], {"Type": case.engine.get("/info")["LoggingDriver"], "Config": {"max-size": "1k"}})),
    "labels": (["team=db"], equal(lambda seen: seen.config["Labels"]["team"], "db")),
    "init": (True, lambda case, seen: case.assertNotEqual(seen["init"], "sh")),
    "healthcheck": ({"test": "true", "interval": "2m"}, equal(lambda seen: seen.config["Healthcheck"]["Test"], ["CMD-SHELL", "true"])),
    "depends_on": (["base"], depends_on),
}

SHARED = {
    "image": USUAL["image"],
    "command": (["sh", "-c", SCRIPT], None),
    "network_mode": ("service:base", shares_network),
}

NO_NETWORK = {
    "image": USUAL["image"],
    "command": (["sh", "-c", SCRIPT], None),
    "network_mode": ("none", lambda case, seen: case.assertEqual([line.split()[1] for line in seen.lines("addresses")], ["lo"])),
    "cap_drop": (["ALL"], equal(lambda seen: int(seen.field("CapBnd"), 16), 0)),
    "pids_limit": (-1, lambda case, seen: case.assertIn(seen.host["PidsLimit"], (None, 0, -1))),
}

# Each needs the consent that is named beside it.
HOST_PATH = "/tmp/gantry-e2e-keys"
TO_THE_HOST = {
    "devices": (["/dev/null:/dev/nothing:r", {"source": "/dev/null", "target": "/dev/zilch", "permissions": "rw"}], "devices",
                all_of(said("devices", "nothing"), said("devices", "zilch"))),
    "security_opt": (["seccomp=unconfined", "no-new-privileges:false"], "security-opt",
                     all_of(equal(lambda seen: seen.field("Seccomp"), "0"), equal(lambda seen: seen.field("NoNewPrivs"), "0"))),
    "volumes": ([f"{HOST_PATH}:/data:cached",
                 {"type": "bind", "source": HOST_PATH, "target": "/read", "read_only": True, "bind": {"propagation": "private"}},
                 {"type": "bind", "source": HOST_PATH, "target": "/own", "consistency": "cached", "bind": {"create_host_path": False}}],
                "host-paths",
                all_of(said("files", "/data written"), said("files", "/read/of-the-host"), said("files", "/own written"),
                       lambda case, seen: case.assertEqual([mount["Propagation"] for mount in seen.whole["Mounts"]
                                                            if mount["Destination"] == "/read"], ["private"]),
                       lambda case, seen: case.assertNotIn("/read written", seen["files"]))),
    "network_mode": ("host", "host-namespaces", equal(lambda seen: seen["hostname"], os.uname().nodename)),
}
ALL_POWERS = {"privileged": (True, "privileged", all_of(equal(lambda seen: seen.host["Privileged"], True), lambda case, seen: case.assertTrue(seen.has_capability(21))))}
ONE_POWER = {"cap_add": (["SYS_ADMIN"], "privileged", lambda case, seen: case.assertTrue(seen.has_capability(21)))}
SOURCES = [USUAL, OTHER, SHARED, NO_NETWORK, TO_THE_HOST, ALL_POWERS, ONE_POWER]


class Case(e2e.Case):
    @classmethod
    def setUpClass(cls):
        image.make(e2e.ENGINE)

    def pipeline(self, kind, container):
        """One container with these keys, as a step or as a service beside one that does nothing."""
        base = {"image": image.NAME, "command": ["sh", "-c", "touch /shared/of-base && exec sleep 1000"], "volumes": ["/shared"],
                "networks": {"default": None, "back": None}, "healthcheck": {"test": "test -e /shared/of-base"}, "stop_signal": "SIGKILL"}
        services = {"base": base}
        if kind == "service":
            services["it"] = {**container, "ready": {"log": "^== end"}}
            steps = [{"name": "waits", "image": e2e.IMAGE, "run": "echo waiting; sleep 1000"}]
        else:
            steps = [{"name": "it", **container}]
        return json.dumps({
            "volumes": {"data": {}, "full": {}, "bare": {}},
            "networks": {"back": {"ipam": {"config": [{"subnet": f"{SUBNET}.0/24"}]}}},
            "stages": [{"name": "main", "services": services, "steps": steps}]})

    def see(self, kind, container, *arguments):
        """Runs it until it has said all, and gives a Seen."""
        folder = self.folder(self.pipeline(kind, container), {"some.env": "FROM_FILE=yes\n", "raw.env": 'RAW="$x" # y\n'}, name=kind)
        run = self.start(*arguments, folder)
        if kind == "service":
            run.until("service_ready", step="services/it")
            step = "services/it"
        else:
            run.until("output", text="== end")
            step = "it"
        name, base = (self.engine.container_of(one, instance=self.instance()) for one in (step, "services/base"))
        seen = Seen(self.engine, name, self.logs(step).decode(), base)
        run.signal(2)
        self.assertEqual(run.end(), 130, run.stderr)
        return seen


class Keys(Case):
    def read_back(self, group, *arguments):
        container = {key: row[0] for key, row in group.items()}
        for kind in ("step", "service"):
            seen = self.see(kind, container, *arguments)
            for key, row in group.items():
                if row[-1]:
                    with self.subTest(kind=kind, key=key):
                        row[-1](self, seen)
            if "stop_signal" in group:
                self.assertTrue(self.logs("it").endswith(b"got USR1\n"))
        return container

    def test_every_key_of_the_schema_is_read_back_here(self):
        definitions = json.loads(self.gantry("schema").stdout)["$defs"]
        keys = (set(definitions["step"]["properties"]) & set(definitions["service"]["properties"])) - FREE
        self.assertEqual(set().union(*SOURCES), keys)

    def test_usual_keys(self):
        self.read_back(USUAL)

    def test_other_ways_to_write_them(self):
        self.read_back(OTHER)

    def test_the_network_of_a_service(self):
        self.read_back(SHARED)

    def test_no_network_and_no_rights(self):
        self.read_back(NO_NETWORK)

    def test_files_are_put_into_a_container_that_cannot_be_written_to(self):
        show = "cat /run/secrets/key; wc -c < /run/secrets/key; wc -c < /etc/more.conf; stat -c %a /run/secrets/key; touch /full/new"
        folder = self.folder(json.dumps({
            "stages": [{"name": "main",
                        "services": {"db": {"image": image.NAME, "read_only": True, "user": "1234", "command": ["sh", "-c", "cat /site/page /etc/more.conf /full/file; exec sleep 1000"],
                                            "stop_signal": "SIGKILL", "ready": {"log": "of the image"},
                                            "files": [{"source": "site", "target": "/site"}, {"content": "more\n", "target": "/etc/more.conf"},
                                                      {"content": "", "target": "/full/sub/empty"}]}},
                        "steps": [{"name": "one", "image": image.NAME, "user": "1234", "read_only": True, "run": f"{show} 2>&1 || true",
                                   "secret_files": {"/run/secrets/key": "key", "/etc/more.conf": "more"}}]}]}), {"site/page": "page\n"})
        self.gantry("run", "--secret-file", self.secrets(), folder)
        self.assertEqual(self.logs("services/db").decode(), "page\nmore\nof the image\n")
        self.assertEqual(self.logs("one").decode(), "***9\n10\n444\ntouch: /full/new: Read-only file system\n")

    def test_a_folder_of_a_volume(self):
        pipeline = f"""
            volumes: {{ data: {{}} }}
            image: {e2e.IMAGE}
            steps:
              - {{ name: fill, run: "mkdir -p /d/sub; echo deep > /d/sub/file", volumes: ["data:/d"] }}
              - name: see
                run: cat /s/file
                volumes: [{{ type: volume, source: data, target: /s, volume: {{ subpath: sub }} }}]
        """
        version = self.engine.get("/version")["ApiVersion"]
        if tuple(map(int, version.split("."))) >= (1, 45):
            self.run_pipeline(pipeline)
            self.assertEqual(self.logs("see"), b"deep\n")
            return
        refused = self.run_pipeline(pipeline, expect=2)
        self.assertIn("'subpath' is not supported by this engine", json.dumps(refused))

    def secrets(self):
        path = os.path.join(self.home, "secrets")
        e2e.write(path, "key=first key\nmore=second one\n")
        return path


class Host(Keys):
    """What reaches the host, with consent and without."""

    test_every_key_of_the_schema_is_read_back_here = test_usual_keys = test_other_ways_to_write_them = None
    test_the_network_of_a_service = test_no_network_and_no_rights = test_a_folder_of_a_volume = None

    def setUp(self):
        super().setUp()
        e2e.write(os.path.join(HOST_PATH, "of-the-host"), "x")
        self.addCleanup(subprocess.run, ["rm", "-rf", HOST_PATH], check=True)

    def with_script(self, group):
        return {"image": (image.NAME, None), "command": (["sh", "-c", SCRIPT], None), **group}

    def test_with_consent_they_take_effect(self):
        for group in (TO_THE_HOST, ALL_POWERS, ONE_POWER):
            if group is ALL_POWERS and not image.may_be_privileged(self.engine):
                # The engine has not all the powers itself: that it cannot give them shows that it was asked to.
                for kind in ("step", "service"):
                    text = self.pipeline(kind, {"image": image.NAME, "command": "true", "privileged": True})
                    refused = self.gantry("run", "--allow", "privileged", self.folder(text), expect=None)
                    self.assertNotEqual(refused.returncode, 0)
                    self.assertIn("the engine itself may not give these capabilities", refused.stderr.decode())
                continue
            consents = [row[1] for row in group.values()]
            joined = [",".join(consents[:2]), *consents[2:]]  # in one list, and one by one
            flags = [flag for word in joined for flag in ("--allow", word)]
            self.read_back(self.with_script(group), *flags)

    def test_a_name_server_that_is_no_address_is_told_where_it_stands(self):
        for kind in ("step", "service"):
            text = self.pipeline(kind, {"image": image.NAME, "command": "true"})
            refused = self.gantry("check", self.folder(text.replace('"command": "true"', '"command": "true",\n"dns": "nosuch"\n')), expect=2)
            self.assertRegex(refused.stderr.decode(), r"\.gantry\.yml:2:8: error: 'nosuch' is not an address")

    def test_without_consent_each_is_refused_where_it_stands(self):
        for group in (TO_THE_HOST, ALL_POWERS, ONE_POWER):
            for key, (value, consent, _) in group.items():
                for kind in ("step", "service"):
                    with self.subTest(kind=kind, key=key):
                        text = self.pipeline(kind, {"image": image.NAME, "command": "true"})
                        text = text.replace('"command": "true"', f'"command": "true",\n"{key}": {json.dumps(value)}\n')
                        refused = self.gantry("run", self.folder(text), expect=2).stderr.decode()
                        self.assertRegex(refused, r"\.gantry\.yml:2:1: error: ")
                        self.assertIn(f"--allow {consent}", refused)
        self.assertIsNone(self.instance(), "nothing was begun")


if __name__ == "__main__":
    del Case
    e2e.main()
