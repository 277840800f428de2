"""A way to the engine that a test can watch, and hold up."""

import os
import socket
import threading

import e2e


class Proxy(e2e.Connections):
    """Listens where it is told and hands every connection on to the engine."""

    def __init__(self, listener, host):
        self.host = host
        super().__init__(listener)

    @classmethod
    def tcp(cls):
        listener, port = e2e.loopback_socket()
        return cls(listener, f"tcp://127.0.0.1:{port}")

    @classmethod
    def unix(cls, path, group, *arguments):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        os.chown(path, 0, group)
        os.chmod(path, 0o660)
        return cls(listener, f"unix://{path}", *arguments)

    def serve(self, end):
        engine = e2e.ENGINE.open()
        self.ends.append(engine)
        threading.Thread(target=self._pump, args=(engine, end), daemon=True).start()
        self._pump(end, engine)

    def pass_on(self, piece, target):
        target.sendall(piece)

    def _pump(self, source, target):
        try:
            while piece := source.recv(1 << 16):
                self.pass_on(piece, target)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other end has gone


class Creations(Proxy):
    """Holds back the first creation of a container whose name has `word` in it, as an engine does that is busy."""

    def __init__(self, listener, host, word):
        self.word = word.encode()
        self.reached, self.let_go, self.passed_on = threading.Event(), threading.Event(), threading.Event()
        super().__init__(listener, host)

    def close(self):
        self.let_go.set()
        super().close()

    def pass_on(self, piece, target):
        line = piece.split(b"\r\n", 1)[0]
        if not line.startswith(b"POST ") or b"/containers/create?" not in line or self.word not in line or self.reached.is_set():
            return super().pass_on(piece, target)
        self.reached.set()
        self.let_go.wait(e2e.LIMIT)
        super().pass_on(piece, target)
        self.passed_on.set()
