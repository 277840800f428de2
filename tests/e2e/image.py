"""An image of the tests' own: busybox with files, ports and a label, so that what comes of an image can be told."""

import io
import json
import tarfile

import e2e

NAME = "gantry-e2e-keys:1"
DOCKERFILE = f"""
FROM {e2e.IMAGE}
RUN mkdir -p /full /filled /empty /data /anonymous && echo of the image | tee /full/file /filled/file > /empty/file && chmod 777 /full /filled /empty /data /anonymous
EXPOSE 7000 7010/udp
"""


def make(engine):
    """Makes it, unless the engine has it as it is: its builder remembers."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(DOCKERFILE.encode())
        tar.addfile(entry, io.BytesIO(DOCKERFILE.encode()))
    status, answer = engine.call("POST", f"/build?t={NAME}&rm=1", archive.getvalue(), "application/x-tar")
    if status != 200 or b"Successfully built" not in answer:
        raise AssertionError(f"{NAME} cannot be built: {answer[-500:]!r}")


def may_be_privileged(engine):
    """Whether the engine has all the rights that it would give away."""
    body = json.dumps({"Image": NAME, "Cmd": ["true"], "HostConfig": {"Privileged": True}})
    name = "gantry-e2e-privileged"
    engine.call("DELETE", f"/containers/{name}?force=1")
    engine.call("POST", f"/containers/create?name={name}", body)
    status, _ = engine.call("POST", f"/containers/{name}/start")
    engine.call("DELETE", f"/containers/{name}?force=1")
    return status == 204
