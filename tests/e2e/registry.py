"""Registries for the end-to-end tests: the distribution's docker-registry, and a server of our own that misbehaves."""

import base64
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import e2e

USER, PASSWORD = "alice", "correct horse"
CERTIFICATES = "/etc/docker/certs.d"  # where an engine on this machine looks for the CA of a registry


def free_port(address):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def outer_address():
    """An address of this machine that is not 127.0.0.1: engines trust that one without TLS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            return probe.getsockname()[0]
        except OSError:
            return None


def digest_of(blob):
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def missing():
    """Why there can be no registry here; None: there can."""
    for program, package in (("docker-registry", "docker-registry"), ("htpasswd", "apache2-utils"), ("openssl", "openssl")):
        if not shutil.which(program):
            return f"{program} is missing (package {package})"
    return None


class Registry:
    """docker-registry in a folder of its own: open, with `secure` behind htpasswd and TLS by a CA of its own, with `tokens`
    behind a server that hands out tokens for a password."""

    def __init__(self, secure=False, tokens=False):
        self.secure = secure
        self.folder = tempfile.mkdtemp(prefix="gantry-registry-")
        self.address = outer_address() if secure else "127.0.0.1"
        self.host = f"{self.address}:{free_port(self.address)}"
        self.trusted = os.path.join(CERTIFICATES, self.host)
        config = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": os.path.join(self.folder, "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        self.tokens = None
        if tokens:
            self.tokens = Tokens(self.folder)
            config["auth"] = {"token": {"realm": self.tokens.realm, "service": "test", "issuer": "test issuer",
                                        "rootcertbundle": self._path("token.crt")}}
        if secure:
            self._make_certificates()
            config["http"]["tls"] = {"certificate": self._path("server.crt"), "key": self._path("server.key")}
            users = subprocess.run(["htpasswd", "-Bbn", USER, PASSWORD], check=True, capture_output=True, text=True).stdout
            e2e.write(self._path("htpasswd"), users)
            config["auth"] = {"htpasswd": {"realm": "test", "path": self._path("htpasswd")}}
        e2e.write(self._path("config.yml"), json.dumps(config))  # JSON is YAML
        self.log = open(self._path("log"), "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", self._path("config.yml")], stdout=self.log, stderr=self.log)
        e2e.eventually(self._answers, "the registry answers", 30)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _make_certificates(self):
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, cwd=self.folder, capture_output=True)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2",
                "-subj", "/CN=test CA")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=registry")
        e2e.write(self._path("extensions"), f"subjectAltName=IP:{self.address}\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", "server.crt", "-days", "2", "-extfile", "extensions")

    def _answers(self):
        if self.process.poll() is not None:
            with open(self._path("log"), encoding="utf-8") as log:
                raise AssertionError(f"the registry has ended: {log.read()[-2000:]}")
        try:
            self.get("/v2/")
            return True
        except urllib.error.HTTPError:
            return True
        except (OSError, urllib.error.URLError):
            return False

    def trust(self):
        """Tells the engine of this machine about the CA; undone by close()."""
        os.makedirs(self.trusted)
        shutil.copy(self._path("ca.crt"), self.trusted)

    def get(self, path, accept="application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json", method="GET"):
        """Headers and bytes of an answer."""
        request = urllib.request.Request(("https://" if self.secure else "http://") + self.host + path, method=method)
        request.add_header("Accept", accept)
        context = None
        if self.tokens:
            request.add_header("Authorization", "Bearer " + self.tokens.token(f"repository:{path.split('/')[2]}/{path.split('/')[3]}:pull"
                                                                             if path.count("/") > 3 else ""))
        if self.secure:
            request.add_header("Authorization", "Basic " + basic())
            context = ssl.create_default_context(cafile=self._path("ca.crt"))
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return answer.headers, answer.read()

    def manifest(self, repository, tag):
        """Its digest, and what it says."""
        headers, body = self.get(f"/v2/{repository}/manifests/{tag}")
        return headers["Docker-Content-Digest"], json.loads(body)

    def put_tall_image(self, repository, tag, layers):
        """An image of as many layers, all of them the same. Only to an open registry."""
        with io.BytesIO() as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                archive.addfile(tarfile.TarInfo("file"))
            layer = packed.getvalue()
        layer_digest = digest_of(layer)
        config = json.dumps({"architecture": e2e.ARCHITECTURE, "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": [layer_digest] * layers}}).encode()
        for blob in (layer, config):
            begun = self._send("POST", f"/v2/{repository}/blobs/uploads/", b"")
            self._send("PUT", begun["Location"] + "&digest=" + digest_of(blob), blob)
        kinds = "application/vnd.oci.image."
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps({
            "schemaVersion": 2, "mediaType": kinds + "manifest.v1+json",
            "config": {"mediaType": kinds + "config.v1+json", "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": kinds + "layer.v1.tar", "digest": layer_digest, "size": len(layer)}] * layers,
        }).encode(), kinds + "manifest.v1+json")

    def _send(self, method, url, body, kind="application/octet-stream"):
        """Headers of the answer."""
        url = urllib.parse.urljoin("http://" + self.host, url)
        request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        if self.tokens:
            self.tokens.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.trusted, ignore_errors=True)


class Tokens:
    """Hands out tokens as the distribution project's "Token Authentication Specification" has them, to who knows the password."""

    def __init__(self, folder):
        self.folder = folder
        self.asked = []
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "token.key", "-out", "token.crt",
                        "-days", "2", "-subj", "/CN=test issuer"], check=True, cwd=folder, capture_output=True)
        with open(os.path.join(folder, "token.crt"), encoding="ascii") as file:
            self.certificate = "".join(line.strip() for line in file if not line.startswith("-"))
        tokens = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                scopes = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("scope", [])
                good = self.headers.get("Authorization") == "Basic " + basic()
                tokens.asked.append((good, scopes))
                body = json.dumps({"token": tokens.token(*scopes)} if good else {}).encode()
                self.send_response(200 if good else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):  # what OAuth 2 adds: who is told that there is none of it asks again as above
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, *scopes):
        def part(value):
            return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode().rstrip("=")
        access = []
        for scope in filter(None, scopes):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        text = part({"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]}) + "." + part(
            {"iss": "test issuer", "sub": USER, "aud": "test", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": str(time.time_ns()),
             "access": access})
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", os.path.join(self.folder, "token.key")], check=True,
                                input=text.encode(), capture_output=True).stdout
        return text + "." + part(signed)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Unruly:
    """A registry that answers everything but the ping with `status`; 0: it takes the request and says nothing more."""

    def __init__(self, status, headers=(), body=b"{}"):
        self.requests = []
        unruly = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            default_request_version = "HTTP/1.1"  # who tries TLS first gets an answer by which it knows that this has none

            def answer(self):
                unruly.requests.append(f"{self.command} {self.path}")
                wanted = 200 if self.path == "/v2/" else status
                if wanted == 0:
                    unruly.ended.wait(120)
                    self.close_connection = True
                    return
                self.send_response(wanted)
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                self.send_header("Content-Type", "application/json")
                for name, value in headers if wanted != 200 else ():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.ended = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


def basic():
    return base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def sign_in(home, host):
    """What `docker login` leaves behind."""
    e2e.write(os.path.join(home, ".docker/config.json"), json.dumps({"auths": {host: {"auth": basic()}}}), 0o600)
