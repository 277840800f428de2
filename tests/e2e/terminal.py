"""A command on a terminal of its own, as a person sees it."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

import e2e

# As a terminal of today, whatever the tests themselves run in.
TERMINAL = {"TERM": "xterm", "CI": "", "NO_COLOR": "", "CLICOLOR_FORCE": ""}

# Colours and the like, and a picture of the live view: what the cursor does, whole lines, nothing below them.
SGR = re.compile(r"\x1b\[[0-9;]*m")
FRAME = re.compile(r"\x1b\[\?25l\r(?:\x1b\[([0-9]+)A)?((?:(?!\x1b\[J)[^\n]*\x1b\[K\r\n)*)\x1b\[J\x1b\[\?25h")


class Terminal:
    """A command on a terminal that is its own, and what is to be seen there."""

    def __init__(self, case, *arguments, columns=80, env=None):
        self.control, terminal = os.openpty()
        self.resize(columns)
        # In a session of its own, for which it becomes the terminal: secrets are read from /dev/tty.
        self.process = subprocess.Popen([e2e.GANTRY, *arguments], env={**case.environment, **TERMINAL, **(env or {})}, cwd=case.home,
                                        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(terminal)
        case.addCleanup(self._close)
        self.deadline = time.monotonic() + e2e.LIMIT
        self.bytes = b""

    def _close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.control)

    @property
    def seen(self):
        return self.bytes.decode(errors="ignore")  # the last character may not be whole yet

    def resize(self, columns):
        fcntl.ioctl(self.control, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def echoes(self):
        return bool(termios.tcgetattr(self.control)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.control, text.encode())

    def read(self):
        """Takes in what comes next; false at the end."""
        if not select.select([self.control], [], [], max(0, self.deadline - time.monotonic()))[0]:
            raise AssertionError(f"it did not end in {e2e.LIMIT} s\n{self.seen[-3000:]}")
        try:
            self.bytes += os.read(self.control, 65536)
        except OSError:
            return False  # nobody has the other end any more
        return True

    def until(self, condition):
        while not condition():
            if not self.read():
                raise AssertionError(f"it ended before that\n{self.seen[-3000:]}")

    def end(self):
        """Its exit code."""
        while self.read():
            pass
        return self.process.wait(e2e.LIMIT)

    def frames(self):
        """The pictures that were drawn: by how many rows the cursor goes up before each, and its lines."""
        return [(int(up or 0), [SGR.sub("", line).removesuffix("\x1b[K") for line in lines.split("\r\n")[:-1]])
                for up, lines in FRAME.findall(self.seen)]


def columns_of(text):
    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
