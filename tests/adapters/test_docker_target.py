"""Services in real containers of real images: found again whatever happened to them, and never more than one each."""

from __future__ import annotations

import dataclasses
import gc
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import docker_target
from mlops_ci.adapters.docker_containers import Containers
from mlops_ci.adapters.docker_target import DockerTarget
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.core.serving import ResourceLimits
from mlops_ci.errors import ConfigurationError, OutsideError, VerificationError
from mlops_ci.ports import Target
from tests.adapters.docker_services import Made, another, containers, made, serving
from tests.adapters.scoring_images import ScoringImages
from tests.adapters.services import release_of
from tests.docker_engine import DockerEngine
from tests.scoring.serving import wait_until
from tests.scoring.tiny_models import binary, regression

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def images(docker_engine: DockerEngine, image_parts: CachedParts) -> ScoringImages:
    return ScoringImages(docker_engine, image_parts)


@pytest.fixture(scope="module")
def first(images: ScoringImages) -> Made:
    return made(images, binary(), 1)


@pytest.fixture(scope="module")
def second(images: ScoringImages) -> Made:
    return made(images, binary(shift=0.5), 2)


@pytest.fixture(scope="module")
def broken(images: ScoringImages) -> Made:
    """Its signature is another model's."""
    release, files = release_of(binary(), version=3)
    files["signature.json"] = release_of(regression())[1]["signature.json"]
    return images.with_image(release, files), files


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def target(run_dir: Path, docker_engine: DockerEngine) -> Iterator[DockerTarget]:
    used = another(run_dir)
    try:
        yield used
    finally:
        used.shut_down()


def test_a_started_release_is_ready_but_gets_no_traffic(target: DockerTarget, first: Made, second: Made) -> None:
    checked: Target = target
    instance = checked.start("qa", *first)

    assert (instance.release, instance.healthy, instance.trouble) == (first[0].id, True, "")
    assert instance.url.startswith("http://127.0.0.1:")
    assert serving(instance.url) == first[0].id
    assert list(target.instances("qa", "delay")) == [instance]
    assert list(target.instances("production", "delay")) == []
    assert target.shares("qa", "delay") == {}

    other = target.start("production", *first)
    assert other.url != instance.url
    target.stop("qa", "delay", first[0].id)
    target.stop("qa", "delay", first[0].id)
    target.stop("qa", "delay", second[0].id)
    assert list(target.instances("qa", "delay")) == []
    assert list(target.instances("production", "delay")) == [other]


def test_a_container_can_do_nothing_but_serve(
    target: DockerTarget,
    first: Made,
    run_dir: Path,
    docker_engine: DockerEngine,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do not tell")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:do-not-tell@proxy.example:3128")
    (home / ".docker").mkdir()
    proxies = {"default": {"httpProxy": "http://user:do-not-tell@proxy.example:3128"}}
    (home / ".docker" / "config.json").write_text(json.dumps({"proxies": proxies}))
    release, files = first
    target.start("qa", release, files)

    (container,) = containers(docker_engine, run_dir)
    config, host = container.attrs["Config"], container.attrs["HostConfig"]
    assert "tell" not in json.dumps(container.attrs)
    assert config["User"] == "10001:10001"
    assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"]) == (True, False, ["ALL"])
    assert host["CapAdd"] is None
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (512 * 2**20, 512 * 2**20, 128)
    assert (host["CpuQuota"], host["CpuPeriod"]) == (100_000, 100_000)
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert list(host["PortBindings"]) == ["8080/tcp"]
    assert host["PortBindings"]["8080/tcp"][0]["HostIp"] == "127.0.0.1"
    assert [mount["Destination"] for mount in container.attrs["Mounts"]] == ["/log"]
    expected = {"managed-by": "mlops-ci", "environment": "qa", "model": "delay", "release": release.id, "version": "1"}
    assert {f"io.mlops-ci.{key}": value for key, value in expected.items()}.items() <= container.labels.items()
    program = "open('/opt/x', 'w')"
    code, said = container.exec_run(["/usr/bin/python3.11", "-c", program])
    assert code
    assert b"Read-only file system" in said
    status = container.exec_run(["/usr/bin/python3.11", "-c", "print(open('/proc/1/status').read())"])[1].decode()
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_what_users_asked_is_read_from_the_log_of_the_container(
    target: DockerTarget, first: Made, run_dir: Path
) -> None:
    instance = target.start("qa", *first)
    records = binary().records
    with HttpScoringClient(probe=False) as user, HttpScoringClient() as probe:
        for row in records[:5]:
            user.score(instance.url, [row], binary().signature)
            probe.score(instance.url, records[20:30], binary().signature)

    def remembered(limit: int) -> list[Any]:
        return list(target.recent_requests("qa", "delay", first[0].id, limit).records)

    wait_until(lambda: len(remembered(100)) == 5)
    assert remembered(3) == records[2:5]
    target.stop("qa", "delay", first[0].id)
    assert len(remembered(100)) == 5, "it stays when the container is gone"
    assert len(list(target.logged_requests("qa", "delay"))) == 10
    folder = run_dir / "services" / "qa" / "delay" / first[0].id
    assert folder.stat().st_mode & 0o777 == 0o700, "what clients sent is nobody else's business"


class Killed(BaseException):
    """The end of a command that can do nothing more."""


@pytest.mark.parametrize("moment", ["made", "started", "ready"])
def test_a_run_that_is_killed_at_any_point_is_finished_by_the_next(
    target: DockerTarget, first: Made, run_dir: Path, docker_engine: DockerEngine, moment: str
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    nexts = {"made": Containers.start, "started": DockerTarget._wait_until_ready, "ready": Containers.keep}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Containers if moment != "started" else DockerTarget, nexts[moment].__name__, die)
        patch.setattr(Containers, "remove", lambda *_: None)  # nor does it clear away
        with pytest.raises(Killed):
            target.start("qa", *first)
    (left,) = containers(docker_engine, run_dir)
    assert (left.status == "created") == (moment == "made")
    assert [instance.release for instance in target.instances("qa", "delay")] == [first[0].id]

    instance = another(run_dir).start("qa", *first)

    (now,) = containers(docker_engine, run_dir)
    assert now.id == left.id, "the half-started container was not taken over"
    assert now.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert list(target.instances("qa", "delay")) == [instance]
    assert target.start("qa", *first) == instance


def test_a_stop_that_is_killed_is_finished_by_the_next(
    target: DockerTarget, first: Made, run_dir: Path, docker_engine: DockerEngine
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    target.start("qa", *first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Containers, "remove", die)
        with pytest.raises(Killed):
            target.stop("qa", "delay", first[0].id)
    (left,) = target.instances("qa", "delay")
    assert (left.healthy, left.trouble) == (False, "its container has ended with exit code 0")
    with pytest.raises(OutsideError, match="does not run in qa"):
        target.route("qa", "delay", {first[0].id: 100})

    target.stop("qa", "delay", first[0].id)

    assert containers(docker_engine, run_dir) == []


@pytest.mark.parametrize("state", ["stopped", "paused", "removed"])
def test_what_somebody_did_to_the_container_is_put_right(
    target: DockerTarget, first: Made, run_dir: Path, docker_engine: DockerEngine, state: str
) -> None:
    target.start("qa", *first)
    target.route("qa", "delay", {first[0].id: 100})
    (container,) = containers(docker_engine, run_dir)
    if state == "stopped":
        container.stop()
    elif state == "paused":
        container.pause()
    else:
        container.remove(force=True)
    listed = list(target.instances("qa", "delay"))
    trouble = {"stopped": ["its container has ended with exit code 0"], "paused": ["its container is paused"]}
    assert [instance.trouble for instance in listed] == trouble.get(state, [])
    assert not any(instance.healthy for instance in listed)

    instance = target.start("qa", *first)

    assert list(target.instances("qa", "delay")) == [instance]
    assert serving(target.url("qa", "delay")) == first[0].id, "the router knows where it is now"
    assert len(containers(docker_engine, run_dir)) == 1


def test_containers_that_pretend_to_be_it_are_ended(
    target: DockerTarget, first: Made, second: Made, run_dir: Path, docker_engine: DockerEngine
) -> None:
    instance = target.start("qa", *first)
    (own,) = containers(docker_engine, run_dir)
    twin = docker_engine.run(first[0].image or "", "--release", first[0].id, labels=own.labels)

    (seen,) = target.instances("qa", "delay")
    assert (seen.url, seen.healthy) == (instance.url, False)
    assert seen.trouble.startswith("2 containers claim to be it: ")
    assert target.start("qa", *first) == instance
    assert [each.id for each in containers(docker_engine, run_dir)] == [own.id]

    name = own.name
    own.remove(force=True)
    other = docker_engine.run(second[0].image or "", "--release", first[0].id, name=name, labels=own.labels)
    (seen,) = target.instances("qa", "delay")
    assert (seen.healthy, seen.trouble) == (False, "somebody has put a container with another image in its place")
    fresh = target.start("qa", *first)
    (now,) = containers(docker_engine, run_dir)
    assert now.id not in {twin.id, other.id}, "an image that is not the release's was taken for it"
    assert list(target.instances("qa", "delay")) == [fresh]


def test_a_release_that_cannot_serve_says_why_and_leaves_nothing(
    target: DockerTarget, broken: Made, first: Made, run_dir: Path, docker_engine: DockerEngine
) -> None:
    with pytest.raises(VerificationError) as caught:
        target.start("qa", *broken)
    assert "did not become ready: it ended with exit code 1: cannot serve " in str(caught.value)

    tight = another(run_dir, ResourceLimits(cpus=1, memory_mb=16))
    with pytest.raises(VerificationError, match=r"it ran out of memory \(it may use 16 MB\)") as caught:
        tight.start("qa", *first)
    assert caught.value.fix == "raise environments.qa.limits.memory_mb in mlops.yaml"
    assert containers(docker_engine, run_dir) == []
    assert list(target.instances("qa", "delay")) == []


def test_new_limits_are_taken_without_a_stop(
    target: DockerTarget, first: Made, run_dir: Path, docker_engine: DockerEngine
) -> None:
    instance = target.start("qa", *first)
    wider = another(run_dir, ResourceLimits(cpus=0.5, memory_mb=600))

    assert wider.start("qa", *first) == instance

    (container,) = containers(docker_engine, run_dir)
    host = container.attrs["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["CpuQuota"]) == (600 * 2**20, 600 * 2**20, 50_000)
    assert container.attrs["RestartCount"] == 0


def test_a_release_without_an_image_is_refused(target: DockerTarget, first: Made) -> None:
    with pytest.raises(ConfigurationError, match="version 1 of delay has no image, and the target docker runs images"):
        target.start("qa", dataclasses.replace(first[0], image=None), first[1])
    assert list(target.instances("qa", "delay")) == []


def test_a_port_that_was_taken_a_moment_ago_is_no_hindrance(
    target: DockerTarget, first: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        free = docker_target.free_ports

        def late(seed: str, **range_: int) -> Iterator[int]:
            yield taken
            yield from free(seed, **range_)

        monkeypatch.setattr(docker_target, "free_ports", late)
        assert target.start("qa", *first).url != f"http://127.0.0.1:{taken}"


@pytest.mark.parametrize("host", ["tcp://build.example:2375", "ssh://ada@build.example", "http://10.0.0.7:2375"])
def test_an_engine_on_another_machine_is_refused(
    run_dir: Path, docker_engine: DockerEngine, first: Made, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)

    with pytest.raises(ConfigurationError, match="DOCKER_HOST points to another"):
        another(run_dir).start("qa", *first)


# the SDK leaves the socket open with which it could not connect
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_not_there_is_an_outside_error(
    run_dir: Path, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    with pytest.raises(OutsideError, match="no Docker engine answers at unix://"):
        another(run_dir).instances("qa", "delay")
    gc.collect()


@pytest.mark.parametrize(("environment", "model"), [("..", "m"), ("qa", "a/b"), ("", "m"), ("qa", "~")])
def test_names_that_are_none_are_refused(target: DockerTarget, environment: str, model: str) -> None:
    for call in (target.instances, target.shares, target.url):
        with pytest.raises(ConfigurationError):
            call(environment, model)
    with pytest.raises(ConfigurationError), target.exclusive(environment, model):
        pass
