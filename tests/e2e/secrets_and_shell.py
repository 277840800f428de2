"""Secrets stay out of everything that is shown or stored; a failed step can be looked into as it was."""

import base64
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
import urllib.parse

import e2e

SECRET = 'pa$$w0rd/with+signs "and" spaces'
KEY = "line one of a key\nline two of a key\n"


def forms(secret):
    """What nobody may find: the secret itself, as base64 wherever it begins, in a URL and in JSON."""
    found = {secret, urllib.parse.quote(secret), urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret),
             json.dumps(secret)[1:-1]}
    for shift in range(3):
        # Only the characters that depend on nothing before or behind it.
        whole = base64.b64encode(b"\0" * shift + secret.encode()).decode()
        found.add(whole[(shift * 8 + 5) // 6:(shift + len(secret.encode())) * 8 // 6])
    return [form.encode() for form in found]


# Like a shell: it has the terminal, and stays behind the command. At the end of the first process of a session the kernel would
# reset what is to be seen here.
SESSION = """
import os, signal, subprocess, sys
terminal, said, held = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.close(os.open(terminal, os.O_RDWR))  # the first that a session opens is its controlling terminal
signal.signal(signal.SIGINT, lambda *_: None)
command = subprocess.Popen(sys.argv[4:])
os.write(said, b"%d\\n" % command.pid)
os.write(said, b"%d\\n" % command.wait())
os.read(held, 1)
"""


class Terminal:
    """A command on a terminal that it shares with us."""

    def __init__(self, case, *arguments):
        self.primary, self.secondary = pty.openpty()
        self.before = self.state()
        said, says = os.pipe()
        held, self.holds = os.pipe()
        self.session = subprocess.Popen([sys.executable, "-c", SESSION, os.ttyname(self.secondary), str(says), str(held),
                                         e2e.GANTRY, *arguments], env=case.environment, stdin=self.secondary,
                                        stdout=self.secondary, stderr=self.secondary, pass_fds=(says, held),
                                        start_new_session=True)
        os.close(says)
        os.close(held)
        self.said = os.fdopen(said)
        case.addCleanup(self.close)
        self.process = int(self.said.readline())
        self.seen = b""

    def state(self):
        return termios.tcgetattr(self.secondary), fcntl.fcntl(self.secondary, fcntl.F_GETFL)

    def type(self, keys):
        os.write(self.primary, keys)

    def signal(self, number):
        os.kill(self.process, number)

    def _read(self, until):
        """Until that holds; False when the command ends before."""
        deadline = time.monotonic() + e2e.LIMIT
        while not until():
            ready = select.select([self.primary, self.said], [], [], max(0, deadline - time.monotonic()))[0]
            if self.primary in ready:
                self.seen += os.read(self.primary, 4096)
            elif ready:
                return False
            else:
                raise AssertionError(f"neither more nor an end: {self.seen}")
        return True

    def until(self, text):
        if not self._read(lambda: text in self.seen):
            raise AssertionError(f"it ended without {text}: {self.seen}")

    def end(self):
        """Reads to the end; the exit code."""
        self._read(lambda: False)
        return int(self.said.readline())

    def close(self):
        os.close(self.holds)
        self.session.kill()
        self.session.wait()
        self.said.close()
        os.close(self.primary)
        os.close(self.secondary)


class Secrets(e2e.Case):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.home, "secrets")
        e2e.write(self.file, f"TOKEN={SECRET}\n", 0o600)

    def assert_hidden(self, *texts):
        stored = [os.path.join(top, name) for top, _, names in os.walk(self.state) for name in names]
        self.assertTrue(stored)
        for form in forms(SECRET) + [line.encode() for line in KEY.splitlines()]:
            for text in texts:
                self.assertNotIn(form, text)
            for path in stored:
                with open(path, "rb") as file:
                    self.assertNotIn(form, file.read(), path)

    def test_a_secret_is_found_nowhere_in_any_form(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: leaks
                secrets: {{ TOKEN: TOKEN, KEY: KEY }}
                secret_files: {{ /run/secrets/token: TOKEN }}
                run: |
                  echo "$TOKEN"; echo "$TOKEN" >&2; cat /run/secrets/token; echo "$KEY"
                  for before in "" x xy; do printf %s "$before$TOKEN" | base64 -w0; echo; done
                  printf %s "$TOKEN" | cut -c1-7 | tr -d '\\n'; printf %s "$TOKEN" | cut -c8-
                  cat urls
                  echo "said=$TOKEN" >> $CI_OUTPUT
                  echo "summary of $TOKEN" >> $CI_STEP_SUMMARY
                  test "$(cat /run/secrets/token)" = "$TOKEN"
                  exit 5
              - {{ name: innocent, if: "${{{{ always() }}}}", run: 'test -z "${{TOKEN:-}}" && test ! -e /run/secrets/token' }}
        """, {"urls": f"https://example.org/?q={urllib.parse.quote(SECRET)}\n{json.dumps([SECRET])}\n"})
        junit = os.path.join(self.home, "state", "junit.xml")
        os.makedirs(os.path.dirname(junit))
        done = self.gantry("run", "--secret-file", self.file, "--report-junit", junit, folder, expect=1,
                           env={"GANTRY_SECRET_KEY": KEY})
        shown = self.gantry("show").stdout + self.gantry("show", "--json").stdout + self.gantry("logs", "latest").stdout
        self.assert_hidden(done.stdout, done.stderr, shown)
        self.assertIn(b"***", done.stdout)
        self.assertEqual(e2e.steps_of(self.show())["main/leaks"]["exit_code"], 5)

    def test_a_secret_that_nobody_gives_is_named(self):
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, secrets: [TOKEN, OTHER], run: 'true' }}]\n")
        refused = self.gantry("run", "--secret-file", self.file, folder, expect=2)
        self.assertIn(b"OTHER", refused.stderr)
        self.assertNotIn(b"TOKEN", refused.stderr)

    def test_a_secret_whose_name_is_nearly_right_is_told(self):
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: one, secrets: [DEPLOY_TOKEN], run: 'true' }}]\n",
                             files={"values": "DEPLOY_TOKNE=x\n"})
        done = self.gantry("run", "--secret-file", os.path.join(folder, "values"), folder, expect=2)
        self.assertRegex(done.stderr.decode(), "no value for the secret DEPLOY_TOKEN, which [a-z/0-9-]+ wants")
        self.assertIn("there is one called DEPLOY_TOKNE", done.stderr.decode())

    def test_a_secret_file_that_is_not_there_is_named_though_nothing_needs_it(self):
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, run: 'true' }}]\n")
        self.assertIn(b"gone.env", self.gantry("run", "--secret-file", folder + "/gone.env", folder, expect=2).stderr)


class Shell(e2e.Case):
    """`gantry run --keep-failed`, then `gantry shell`."""

    def setUp(self):
        super().setUp()
        self.gantry("run", "--keep-failed", self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - name: unit
                env: {{ COLOUR: blue }}
                working_dir: /tmp
                run: echo written > /workspace/file; echo inside > /root/note; exit 6
        """), expect=1)
        self.kept = self.left()

    def tearDown(self):
        self.assertEqual(self.left(), self.kept, "the shell leaves what it found")
        self.gantry("rm", "latest")
        self.assert_nothing_left()
        self.assertEqual(self.runs(), [])

    def test_a_shell_sees_the_failed_step_as_it_was(self):
        self.assertTrue(any(name.startswith("container") for name in self.kept))
        typed = b"cat /workspace/file /root/note; echo $COLOUR; pwd; exit 7\n"
        done = self.gantry("shell", "latest", "unit", input=typed, expect=7)
        self.assertEqual(done.stdout, b"written\ninside\nblue\n/tmp\n")

    def test_a_command_runs_instead_of_the_shell(self):
        self.assertEqual(self.gantry("shell", "latest", "unit", "cat", "/root/note").stdout, b"inside\n")
        done = self.gantry("shell", "latest", "unit", "--", "sh", "-c", "cat /root/note; exit 9", expect=9)
        self.assertEqual(done.stdout, b"inside\n", "a command's options are its own")

    def test_a_terminal_is_handed_on_and_given_back(self):
        terminal = Terminal(self, "shell", "latest", "unit")
        terminal.type(b"tty; echo $((40 + 2)); exit 8\n")
        self.assertEqual(terminal.end(), 8, terminal.seen)
        self.assertIn(b"/dev/", terminal.seen)
        self.assertIn(b"42", terminal.seen)
        self.assertEqual(terminal.state(), terminal.before)

    def shell_images(self):
        filters = json.dumps({"label": [f"gantry.instance={self.instance()}"], "reference": ["gantry/shell"]})
        return self.engine.get(f"/images/json?filters={urllib.parse.quote(filters)}")

    def test_kill_9_of_a_shell_leaves_nothing_behind_the_next_command_and_one_that_is_open_stays(self):
        shells = []
        for _ in range(2):
            shells.append(subprocess.Popen(self.command(["shell", "latest", "unit", "--", "sh", "-c", "echo in; exec sleep 1000"]),
                                           env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            self.addCleanup(shells[-1].communicate)
            self.addCleanup(shells[-1].kill)
            self.assertEqual(shells[-1].stdout.readline(), b"in\n")
        self.assertEqual(self.gantry("ps", "--all").stderr, b"")
        self.assertEqual(len(self.left()), len(self.kept) + 2)
        shells[0].kill()
        shells[0].wait()
        self.assertEqual(self.gantry("ps", "--all").stderr, b"gantry: removed what a shell of run 1 left, whose process died\n")
        self.assertEqual((len(self.left()), len(self.shell_images())), (len(self.kept) + 1, 1))
        shells[1].terminate()
        self.assertEqual(shells[1].wait(), 143)
        self.assertEqual(self.shell_images(), [])

    def test_sigterm_ends_a_shell_and_gives_the_terminal_back(self):
        terminal = Terminal(self, "shell", "latest", "unit")
        terminal.type(b"echo $((40 + 2))\n")
        terminal.until(b"42")
        terminal.signal(signal.SIGTERM)
        self.assertEqual(terminal.end(), 143, terminal.seen)
        self.assertEqual(terminal.state(), terminal.before)


class Prompt(e2e.Case):
    """`gantry secret set` asks on its terminal."""

    def test_what_is_typed_is_kept_and_not_shown(self):
        terminal = Terminal(self, "secret", "set", "TOKEN")
        terminal.until(b"secret TOKEN: ")
        terminal.type(b"hunter22\n")
        self.assertEqual(terminal.end(), 0, terminal.seen)
        self.assertNotIn(b"hunter22", terminal.seen)
        self.assertEqual(self.gantry("secret", "ls").stdout, b"TOKEN\n")
        self.assertEqual(terminal.state(), terminal.before)

    def test_ctrl_c_and_sigterm_at_the_question_give_the_echo_back(self):
        for name, interrupt, code in [("ctrl-c", lambda terminal: terminal.type(b"\x03"), 130),
                                      ("sigterm", lambda terminal: terminal.signal(signal.SIGTERM), 143)]:
            with self.subTest(name):
                terminal = Terminal(self, "secret", "set", "TOKEN")
                terminal.until(b"secret TOKEN: ")
                self.assertNotEqual(terminal.state(), terminal.before)
                interrupt(terminal)
                self.assertEqual(terminal.end(), code, terminal.seen)
                self.assertEqual(terminal.state(), terminal.before)
        self.assertEqual(self.gantry("secret", "ls").stdout, b"")

    def test_ctrl_c_before_a_run_ends_it(self):
        folder = self.folder(f"image: {e2e.IMAGE}\nsteps: [{{ name: s, secrets: [TOKEN, OTHER], run: 'true' }}]\n")
        terminal = Terminal(self, "run", folder)
        terminal.until(b": ")
        terminal.type(b"\x03")
        self.assertEqual(terminal.end(), 130, terminal.seen)
        self.assertEqual(terminal.state(), terminal.before)
        self.assertEqual(self.runs(), [])


if __name__ == "__main__":
    e2e.main()
