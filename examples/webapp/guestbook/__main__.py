"""A guestbook on port 8000. `check` asks a running one whether it is well, `version` prints which one this is."""

import http.server
import os
import signal
import sys
import urllib.parse
import urllib.request

from page import render

PORT = 8000
VERSION = os.environ.get("VERSION", "dev")
MAX_BODY = 16384


class Handler(http.server.BaseHTTPRequestHandler):
    store = None

    def do_GET(self):
        if self.path == "/":
            self.answer(200, render(self.store.entries(), self.store.count_view(), VERSION), "text/html; charset=utf-8")
        elif self.path == "/health":
            problem = self.store.problem()
            self.answer(503 if problem else 200, f"{problem or 'well'}\n")
        else:
            self.answer(404, "there is no such page\n")

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        if not 0 <= size <= MAX_BODY:
            return self.answer(413, "that is too much\n")
        form = urllib.parse.parse_qs(self.rfile.read(size).decode("utf-8", "replace"))
        if not self.store.add(form.get("name", [""])[0], form.get("message", [""])[0]):
            return self.answer(400, "a name and a message, please\n")
        self.answer(303, "", Location="/")

    def answer(self, status, text, kind="text/plain; charset=utf-8", **headers):
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def serve():
    from store import Store  # the drivers are loaded by who needs them
    Handler.store = Store(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"guestbook {VERSION} listens on port {PORT}", flush=True)
    http.server.ThreadingHTTPServer(("", PORT), Handler).serve_forever()


def check():
    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=3).read()


def version():
    print(VERSION)


{"serve": serve, "check": check, "version": version}[(sys.argv + ["serve"])[1]]()
