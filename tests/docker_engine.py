"""The Docker engine and the registries that tests use: real ones, and no trace of a test is left in the engine.

`.ci/services up` brings what is needed. Where it is not there a test that asks for it is skipped, and fails in CI.
"""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from docker import DockerClient

BASES = ("mlops-ci-test-base:bookworm", "python:3.11-slim")
LABEL = "mlops-ci-test"
USER, PASSWORD = "tester", "a-password-of-nobody-7"
HTPASSWD = f"{USER}:$2b$04$mrKWDL3r723wGfY9FfhH5uTOU2DNPQwDtPlO.K0/6wf/ysrmsuhdG\n"
REGISTRY_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class DockerEngine:
    """An engine, and the label that everything made in it by one test run carries.

    `base` is an image with Python of that label, and images built on it inherit the label. Containers, networks and
    images with it are removed in the end, whatever became of the test.
    """

    client: DockerClient
    base: str
    mark: str

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.mark}

    def run(self, image: str, *command: str, **options: Any) -> Any:
        """Starts a container in the background; the options are those of the SDK's `containers.run`."""
        labels = {**options.pop("labels", {}), **self.labels}
        return self.client.containers.run(image, list(command) or None, detach=True, labels=labels, **options)

    def clean(self) -> None:
        """Removes everything with the label."""
        filters = {"label": f"{LABEL}={self.mark}"}
        for container in self.client.containers.list(all=True, filters=filters):
            with suppress(Exception):  # it may be on its way out already
                container.remove(force=True, v=True)
        for network in self.client.networks.list(filters=filters):
            with suppress(Exception):
                network.remove()
        for image in self.client.images.list(all=True, filters=filters):
            with suppress(Exception):  # a child of another is gone with it
                self.client.images.remove(image.id, force=True)


@dataclass(frozen=True, kw_only=True)
class ImageRegistry:
    """A registry on this machine. `process` is it, for tests that end it."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]

    def digest(self, repository: str, reference: str) -> str:
        """The digest of the manifest, as the registry says it."""
        kinds = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
        request = urllib.request.Request(
            f"http://{self.address}/v2/{repository}/manifests/{reference}", headers={"Accept": kinds}, method="HEAD"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.headers["Docker-Content-Digest"])


def missing(what: str) -> NoReturn:
    """Skips the test, or fails it in CI, where nothing is to be left out silently."""
    reason = f"{what}; `bash .ci/services up` sees to it"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def engine() -> Iterator[DockerEngine]:
    """The machine's engine (DOCKER_HOST, or the usual socket) with a base image for this test run."""
    from docker.errors import ImageNotFound

    client = connected()
    mark = uuid4().hex
    found = None
    for name in BASES:
        with suppress(ImageNotFound):
            found = found or client.images.get(name)
    if found is None:
        client.close()
        missing(f"the Docker engine has none of the base images {', '.join(BASES)}")
    base = f"{LABEL}-{mark}:base"
    used = DockerEngine(client=client, base=base, mark=mark)
    try:
        label(client, found, base, used.labels)
        yield used
    finally:
        used.clean()
        client.close()


def connected() -> DockerClient:
    """A client of the engine, which has answered."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=120)
        client.ping()
        return client
    except DockerException as error:
        reason = f"no Docker engine answers: {error}"
    # The SDK never closes the socket of a connection that fails: it goes with the exception, which is over here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    missing(reason)


def label(client: DockerClient, image: Any, name: str, labels: dict[str, str]) -> None:
    """Makes an image with the content of another, another name and more labels."""
    container = client.containers.create(image.id, ["true"], labels=labels)
    try:
        repository, _, tag = name.rpartition(":")
        changes = [f'LABEL "{key}"="{value}"' for key, value in labels.items()]
        container.commit(repository=repository, tag=tag, changes=changes)
    finally:
        container.remove()


@contextmanager
def registry(folder: Path, *, password: bool = False, port: int | None = None) -> Iterator[ImageRegistry]:
    """A registry that keeps its content in `folder`; with `password` it knows only USER with PASSWORD."""
    program = shutil.which("docker-registry")
    if program is None:
        missing("there is no program docker-registry")
    address = f"127.0.0.1:{port or free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    configuration = [
        "version: 0.1",
        "log: {level: warn, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {folder / 'content'}}}, delete: {{enabled: true}}}}",
        f"http: {{addr: '{address}'}}",
    ]
    if password:
        (folder / "htpasswd").write_text(HTPASSWD)
        configuration.append(f"auth: {{htpasswd: {{realm: tests, path: {folder / 'htpasswd'}}}}}")
    (folder / "config.yml").write_text("\n".join(configuration) + "\n")
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        wait_for(address, process, folder / "log")
        yield ImageRegistry(address=address, folder=folder, process=process)
    finally:
        process.kill()
        process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + REGISTRY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return  # it asks who we are, so it is there
        except OSError:
            waiting = process.poll() is None and time.monotonic() < deadline
            assert waiting, f"the registry does not start:\n{log.read_text()}"
            time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
