"""Keys for mutual TLS, and the engine behind it at a port of this machine."""

import asyncio
import os
import shutil
import ssl
import subprocess
import tempfile
import threading

import e2e


class Keys:
    """`folder` is what DOCKER_CERT_PATH wants: ca.pem, cert.pem and key.pem; and has server.pem and server-key.pem."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="gantry-tls-")
        self.make_authority("ca")
        self._sign("server", "subjectAltName=IP:127.0.0.1")
        self._sign("cert", "extendedKeyUsage=clientAuth")
        os.rename(self.path("cert-key.pem"), self.path("key.pem"))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_authority(self, name):
        self.openssl("req", "-x509", *self._new_key(name), "-days", "2", "-subj", f"/CN=gantry test {name}", "-out", f"{name}.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=self.folder, capture_output=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def _new_key(name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}-key.pem"]

    def _sign(self, name, extension):
        e2e.write(self.path(f"{name}.ext"), extension + "\n")
        self.openssl("req", *self._new_key(name), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2",
                     "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Front(Keys):
    """Any engine behind them."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context()))
        self.host = f"tcp://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def close(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(e2e.LIMIT)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.remove()

    def _context(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.path("ca.pem"))
        context.load_cert_chain(self.path("server.pem"), self.path("server-key.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    async def _serve(self, reader, writer):
        engine_reader, engine_writer = await asyncio.open_unix_connection(e2e.HOST.removeprefix("unix://"))
        await asyncio.gather(self._pump(reader, engine_writer), self._pump(engine_reader, writer))

    @staticmethod
    async def _pump(reader, writer):
        try:
            while piece := await reader.read(1 << 16):
                writer.write(piece)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass  # the other end has gone
        finally:
            writer.close()

    async def _end(self):
        self.server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
