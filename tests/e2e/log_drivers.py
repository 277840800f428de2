"""`logging:` is honoured, and whatever the driver does, no byte of what a container prints is lost here."""

import hashlib
import json
import os
import re
import shutil
import subprocess

import e2e

# 2 MB, of every byte, with long lines and without an end.
PRINT = "head -c 2000000 /dev/urandom | tee /workspace/printed; sha256sum < /workspace/printed | cut -c1-64 > /workspace/sum"
SAY = "i=0; while [ $i -lt 30000 ]; do echo line $i of the service; i=$((i+1)); done"
SAID = "".join(f"line {i} of the service\n" for i in range(30000)).encode()


class Listener(e2e.Connections):
    """Keeps what is sent to it, over connections: datagrams get lost when the machine is busy."""

    def __init__(self):
        self.got = []  # the bytes of each connection
        listener, self.port = e2e.loopback_socket()
        super().__init__(listener)

    def serve(self, end):
        said = bytearray()
        self.got.append(said)
        try:
            while piece := end.recv(1 << 16):
                said += piece
        except OSError:
            pass  # closed

    def has(self, words):
        return any(words in said for said in list(self.got))

    def lines(self):
        """The numbers of those of the service that have come."""
        return {number for said in list(self.got) for number in re.findall(rb"line (\d+) of the service", said)}


class LogDrivers(e2e.Case):
    def run_with(self, logging, expect=0, script=PRINT):
        folder = self.folder(json.dumps({
            "defaults": {"image": e2e.IMAGE},
            "stages": [{"name": "main",
                        "services": {"talker": {"image": e2e.IMAGE, "command": ["sh", "-c", SAY + "; exec sleep 1000"], "logging": logging,
                                                "ready": {"log": "^line 29999 "}, "stop_signal": "SIGKILL"}},
                        "steps": [{"name": "prints", "run": script, "logging": logging},
                                  {"name": "sum", "run": "cat sum"}]}]}))
        return self.gantry("run", "--quiet", folder, expect=expect)

    def assert_all_is_kept(self):
        printed = self.logs("prints")
        self.assertEqual(len(printed), 2_000_000)
        self.assertEqual(hashlib.sha256(printed).hexdigest(), self.logs("sum").decode().strip())
        self.assertEqual(self.logs("services/talker"), SAID)

    def test_a_file_that_is_rotated_at_1k(self):
        for logging in ({"driver": "json-file", "options": {"max-size": "1k", "max-file": 2}}, {"options": {"max-size": "1k"}}):
            with self.subTest(logging):
                self.run_with(logging)
                self.assert_all_is_kept()

    def test_the_drivers_that_write_nothing_to_read_or_in_a_format_of_their_own(self):
        for logging in ({"driver": "local"}, {"driver": "none"}, {"driver": "local", "options": {"max-size": "20k", "mode": "non-blocking"}}):
            with self.subTest(logging):
                self.run_with(logging)
                self.assert_all_is_kept()

    def test_syslog_gelf_and_fluentd_get_it_too(self):
        for driver, option in (("syslog", "syslog-address"), ("gelf", "gelf-address"), ("fluentd", "fluentd-address")):
            with self.subTest(driver):
                listener = Listener()
                self.addCleanup(listener.close)
                words = "of the step to " + driver
                self.run_with({"driver": driver, "options": {option: f"tcp://127.0.0.1:{listener.port}"}}, script=f"echo {words}; echo > sum")
                self.assertEqual(self.logs("prints").decode(), words + "\n")
                self.assertEqual(self.logs("services/talker"), SAID)
                e2e.eventually(lambda: listener.has(words.encode()), "the step's line arrives", 60)
                e2e.eventually(lambda: listener.has(b"line 29999 "), "the service's last line arrives", 60)
                self.assertEqual(len(listener.lines()), 30000)

    def test_journald_gets_it_too_or_is_told_to_be_missing(self):
        words = "of the step of " + os.path.basename(self.home)
        done = self.run_with({"driver": "journald"}, expect=None, script=f"echo {words}; echo > sum")
        if done.returncode == 2:
            self.assertIn("journald is not enabled on this host", done.stderr.decode())
            self.assertIn("logging: ", done.stderr.decode())
            return
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(self.logs("prints").decode(), words + "\n")
        self.assertEqual(self.logs("services/talker"), SAID)
        if not shutil.which("journalctl"):
            self.skipTest("there is no journalctl to ask what journald got")
        ask = ["journalctl", "--quiet", "--output=cat", f"MESSAGE={words}"]
        e2e.eventually(lambda: subprocess.run(ask, check=True, stdout=subprocess.PIPE).stdout, "the step's line arrives", 60)

    def test_a_driver_that_cannot_work_or_does_not_exist_is_told(self):
        for logging, words in (({"driver": "nosuch"}, "nosuch"),
                               ({"driver": "json-file", "options": {"no-such": "1"}}, "no-such"),
                               ({"driver": "json-file", "options": {"max-size": "many"}}, "many"),
                               ({"driver": "fluentd", "options": {"fluentd-address": "127.0.0.1:1"}}, "127.0.0.1:1")):
            for kind in ("step", "service"):
                with self.subTest(logging, kind=kind):
                    it = {"image": e2e.IMAGE, "logging": logging, "command": ["sleep", "1000"]}
                    services, steps = ({"it": it}, [{"name": "one", "image": e2e.IMAGE, "run": "true"}]) if kind == "service" else ({}, [{"name": "it", **it}])
                    folder = self.folder(json.dumps({"stages": [{"name": "main", "services": services, "steps": steps}]}))
                    done = self.gantry("run", folder, expect=2)
                    text = done.stderr.decode()
                    self.assertIn(words, text)
                    self.assertIn("logging: ", text)


if __name__ == "__main__":
    e2e.main()
