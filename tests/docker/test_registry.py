"""Images go to and come from a real registry by digest, and what goes wrong on the way is told without a secret."""

from __future__ import annotations

import base64
import gc
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.config.types import ImageConfig
from mlops_ci.core.image import BuiltImage
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError, OutsideError
from mlops_ci.pipeline.image import publish_image
from tests.docker.building import build, inputs, model_files
from tests.docker_engine import PASSWORD, USER, DockerEngine, ImageRegistry, free_port, registry

pytestmark = pytest.mark.docker


@pytest.fixture
def images(docker_engine: DockerEngine) -> DockerImages:
    return DockerImages(lambda: docker_engine.client)


@pytest.fixture(scope="module")
def small(docker_engine: DockerEngine) -> str:
    """The name of a small image; it need not be a scoring image to travel."""
    name = f"mlops-ci-test-{docker_engine.mark}:small"
    container = docker_engine.client.containers.create(docker_engine.base, ["true"])
    try:
        data = b"".join(container.get_archive("/etc/passwd")[0])
    finally:
        container.remove()
    changes = [f'LABEL "{key}"="{value}"' for key, value in docker_engine.labels.items()]
    docker_engine.client.api.import_image_from_data(
        data, repository=name.rpartition(":")[0], tag="small", changes=changes
    )
    return name


def tagged(engine: DockerEngine, name: str, address: str, tag: str = "1") -> str:
    engine.client.images.get(name).tag(f"{address}/acme/late", tag)
    return f"{address}/acme/late:{tag}"


def forget(engine: DockerEngine, *names: str) -> None:
    """With the last tag of a repository the engine forgets its digests too."""
    for name in names:
        with suppress(ImageNotFound):
            engine.client.images.remove(name)


def test_the_same_inputs_have_the_same_digest_in_two_registries(
    docker_engine: DockerEngine,
    image_registry: ImageRegistry,
    image_parts: CachedParts,
    images: DockerImages,
    tmp_path: Path,
) -> None:
    given = inputs(model_files())
    with registry(tmp_path) as other:
        pushed = []
        for address in (image_registry.address, other.address):
            name = f"{address}/acme/late"
            built = build(docker_engine, image_parts, given, repository=name)
            pushed.append(publish_image(built, ImageConfig(repository=name), version=3, engine=images))
        first, second = (image.reference.partition("@") for image in pushed)
        (tag,) = (
            tag.rpartition(":")[2]
            for tag in docker_engine.client.images.get(pushed[0].image_id).tags
            if tag.startswith(image_registry.address)
        )
        told = image_registry.digest("acme/late", tag)

    assert pushed[0].image_id == pushed[1].image_id
    assert first[0] == f"{image_registry.address}/acme/late"
    assert first[2] == second[2] == told
    facts = images.inspect(pushed[0].reference)
    assert facts is not None
    assert {image.reference for image in pushed} <= set(facts.digests)
    assert tag == f"3-{pushed[0].image_id[7:19]}"


def test_it_is_pulled_by_its_digest_where_the_engine_does_not_have_it(
    docker_engine: DockerEngine, image_registry: ImageRegistry, images: DockerImages, small: str
) -> None:
    name = tagged(docker_engine, small, image_registry.address)
    reference = images.push(name)
    again = images.push(name)
    expected = docker_engine.client.images.get(small).id
    forget(docker_engine, name, reference)
    assert images.inspect(reference) is None

    pulled = images.pull(reference)

    assert pulled == expected
    assert again == reference
    assert images.pull(reference) == expected  # and now without asking anybody


def test_what_the_registry_does_not_have_is_not_found(image_registry: ImageRegistry, images: DockerImages) -> None:
    with pytest.raises(NotFoundError):
        images.pull(f"{image_registry.address}/acme/late@sha256:{'0' * 64}")
    with pytest.raises(NotFoundError, match="never pushed"):
        images.pull(f"sha256:{'0' * 64}")


def test_nothing_is_pushed_where_that_is_not_wanted(images: DockerImages) -> None:
    built = BuiltImage(
        reference="sha256:1", image_id="sha256:1", base="b", platform="linux/amd64", layers=(), packages=(),
        build="", megabytes=1,
    )  # fmt: skip

    assert publish_image(built, ImageConfig(repository="x/y", push=False), version=1, engine=images) is built


@pytest.mark.filterwarnings("ignore:docker-credential-that-nobody-has not installed")
@pytest.mark.parametrize(
    ("configuration", "works"),
    [
        ("none", False),
        ("plain", True),
        ("wrong", False),
        ("helper", True),
        ("no-helper", False),
    ],
)
def test_credentials_are_those_of_the_docker_configuration(  # noqa: PLR0917
    docker_engine: DockerEngine,
    small: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    configuration: str,
    works: bool,
) -> None:
    with registry(tmp_path / "registry", password=True) as guarded:
        configure(home, guarded.address, configuration, tmp_path / "bin", monkeypatch)
        name = tagged(docker_engine, small, guarded.address)
        with closing(DockerImages()) as images:  # reads the configuration of this test's home
            if works:
                reference = images.push(name)
                forget(docker_engine, name, reference)
                assert images.pull(reference) == docker_engine.client.images.get(small).id
                return
            with pytest.raises(OutsideError) as raised:
                images.push(name)
            with pytest.raises(OutsideError):
                images.pull(f"{guarded.address}/acme/late@sha256:{'0' * 64}")

    text = str(raised.value)
    assert raised.value.exit_code == 20
    assert f"docker login {guarded.address}" in text
    assert PASSWORD not in text
    assert "a-wrong-one" not in text


def configure(home: Path, address: str, kind: str, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes ~/.docker/config.json as `docker login` or a person does."""
    password = "a-wrong-one" if kind == "wrong" else PASSWORD
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    contents = {
        "none": {},
        "plain": {"auths": {address: {"auth": auth}}},
        "wrong": {"auths": {address: {"auth": auth}}},
        "helper": {"credHelpers": {address: "of-the-tests"}},
        "no-helper": {"credHelpers": {address: "that-nobody-has"}},
    }
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps(contents[kind]))
    programs.mkdir()
    helper = programs / "docker-credential-of-the-tests"
    answer = json.dumps({"ServerURL": address, "Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")


def test_a_registry_that_is_not_there(docker_engine: DockerEngine, images: DockerImages, small: str) -> None:
    address = f"127.0.0.1:{free_port()}"

    with pytest.raises(OutsideError, match="refused") as raised:
        images.push(tagged(docker_engine, small, address))

    assert address in raised.value.fix


@pytest.mark.long  # the engine tries for 50 seconds
def test_a_registry_that_fails_in_the_middle_and_works_again(
    docker_engine: DockerEngine, images: DockerImages, small: str, tmp_path: Path
) -> None:
    faults = {"full": "507|disk|space|Insufficient", "dies": "EOF|reset|refused|closed"}
    names, ports = {}, {}
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        for fault in faults:
            ports[fault] = stack.enter_context(broken_registry(fault))
            names[fault] = tagged(docker_engine, small, f"127.0.0.1:{ports[fault]}", fault)
        pushes = {fault: pool.submit(images.push, name) for fault, name in names.items()}
        errors = {fault: push.exception() for fault, push in pushes.items()}

    for fault, words in faults.items():
        assert isinstance(errors[fault], OutsideError)
        assert re.search(words, str(errors[fault])), errors[fault]
        with registry(tmp_path / fault, port=ports[fault]) as mended:
            assert images.push(names[fault]).endswith(mended.digest("acme/late", fault))


@contextmanager
def broken_registry(fault: str) -> Iterator[int]:
    """Looks well until something is uploaded."""

    class Broken(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")

        def do_HEAD(self) -> None:
            self._answer(404, {})

        def do_POST(self) -> None:
            if fault == "full":
                self._answer(507, {"Content-Type": "text/plain"}, b"Insufficient Storage: no space left on device")
                return
            self._answer(202, {"Location": f"{self.path}1", "Docker-Upload-UUID": "1", "Range": "0-0"})

        def do_PATCH(self) -> None:
            self.rfile.read(1)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# The SDK's client that found no engine is never handed out, so nobody can close it.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    with pytest.raises(OutsideError, match="no Docker engine") as raised:
        DockerImages().require()

    assert raised.value.exit_code == 20
    del raised
    gc.collect()


def test_the_base_is_resolved_to_its_digest(
    docker_engine: DockerEngine, image_registry: ImageRegistry, images: DockerImages
) -> None:
    name = f"{image_registry.address}/team/python"
    docker_engine.client.images.get(docker_engine.base).tag(name, "3.11")
    pushed = images.push(f"{name}:3.11")
    expected = docker_engine.client.images.get(docker_engine.base).id

    known = images.base(f"{name}:3.11", None)
    forget(docker_engine, f"{name}:3.11", pushed)
    pulled = images.base(f"{name}:3.11", None)
    by_digest = images.base(pushed, None)

    assert known == pulled
    assert known.reference == by_digest.reference == pushed
    assert known.digest == image_registry.digest("team/python", "3.11")
    assert known.image_id == expected
    assert (known.name, by_digest.name) == (f"{name}:3.11", pushed)


def test_a_base_that_is_nowhere(image_registry: ImageRegistry, images: DockerImages) -> None:
    with pytest.raises(NotFoundError, match="cannot be had"):
        images.base(f"{image_registry.address}/team/nothing:1", None)


def test_a_base_for_another_platform(docker_engine: DockerEngine, images: DockerImages) -> None:
    with pytest.raises(ConfigurationError, match="no scoring image for windows/amd64"):
        images.base(docker_engine.base, "windows/amd64")


def test_an_engine_that_holds_something_else_is_found_out(
    docker_engine: DockerEngine, images: DockerImages, small: str
) -> None:
    with pytest.raises(IntegrityError, match="something else"):
        images._checked(f"sha256:{'0' * 64}", small, ["sha256:1"])
