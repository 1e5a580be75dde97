"""Users of services in containers: through crashes, rollouts and a change of the target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.docker_target import DockerTarget
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.core.serving import ServingConfig
from mlops_ci.core.traffic import LiveCounts
from tests.adapters.docker_services import LIMITS, Made, another, containers, crash, made, serving
from tests.adapters.scoring_images import ScoringImages
from tests.adapters.services import Quiet
from tests.adapters.traffic import Traffic
from tests.docker_engine import DockerEngine
from tests.scoring.serving import wait_until
from tests.scoring.tiny_models import binary

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


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def target(run_dir: Path) -> Iterator[DockerTarget]:
    used = another(run_dir)
    try:
        yield used
    finally:
        used.shut_down()


def test_a_crashed_service_comes_back_by_itself(
    target: DockerTarget, first: Made, run_dir: Path, docker_engine: DockerEngine
) -> None:
    before = target.start("qa", *first)
    target.route("qa", "delay", {first[0].id: 100})
    (container,) = containers(docker_engine, run_dir)

    crash(docker_engine, container)

    wait_until(lambda: target.instances("qa", "delay")[0].healthy)
    assert serving(target.url("qa", "delay")) == first[0].id
    (after,) = target.instances("qa", "delay")
    assert (after.url, after.healthy) == (before.url, True)
    assert after.trouble == "its container has crashed and was restarted (how often by now: 1)"


def test_a_process_that_ran_out_of_memory_in_service_is_named(
    target: DockerTarget, first: Made, run_dir: Path, docker_engine: DockerEngine
) -> None:
    target.start("qa", *first)
    (container,) = containers(docker_engine, run_dir)

    code, _ = container.exec_run(["/usr/bin/python3.11", "-c", "print(len(bytearray(1 << 30)))"])

    assert code == 137
    wait_until(lambda: target.instances("qa", "delay")[0].trouble)
    (instance,) = target.instances("qa", "delay")
    assert instance.healthy
    assert instance.trouble == "it ran out of memory (it may use 512 MB)"


def test_no_request_is_lost_through_a_rollout_and_back(
    target: DockerTarget, first: Made, second: Made, run_dir: Path, docker_engine: DockerEngine
) -> None:
    old, new = first[0].id, second[0].id
    target.start("qa", *first)
    target.route("qa", "delay", {old: 100})
    with Traffic(target.url("qa", "delay"), clients=6) as traffic:
        traffic.wait_for(old)
        target.start("qa", *second)
        target.route("qa", "delay", {old: 100}, shadow=new)
        traffic.wait_for(old)
        wait_until(lambda: target.traffic("qa", "delay").get(new, LiveCounts()).requests)
        assert traffic.served[new] == 0, "no user sees what a shadow answers"
        for share in (10, 50):
            target.route("qa", "delay", {old: 100 - share, new: share})
            traffic.wait_for(new)
        target.route("qa", "delay", {old: 100})  # an abort
        target.stop("qa", "delay", new)
        traffic.wait_for(old)
        assert traffic.failures == []

        target.start("qa", *second)
        target.route("qa", "delay", {old: 90, new: 10})
        traffic.wait_for(new)
        target.route("qa", "delay", {new: 100})
        target.stop("qa", "delay", old)
        traffic.wait_for(new)
        assert traffic.failures == []
        assert [instance.release for instance in target.instances("qa", "delay")] == [new]

        target.start("qa", *first)
        target.route("qa", "delay", {old: 50, new: 50})
        traffic.wait_for(old)
        (doomed,) = containers(docker_engine, run_dir, release=old)
        crash(docker_engine, doomed)
        traffic.wait_for(new)
        wait_until(lambda: all(instance.healthy for instance in target.instances("qa", "delay")))
        begin = traffic.settle()
        traffic.wait_for(old)
    # What the dying service had been sent fails, and what is sent until the engine has seen it die.
    assert set(traffic.failures[begin:]) == set()
    assert set(traffic.failures) <= {"502", "RemoteDisconnected", "ConnectionResetError"}


def test_processes_that_served_before_are_ended_when_the_traffic_has_moved(
    target: DockerTarget, first: Made, run_dir: Path
) -> None:
    processes = ProcessTarget(run_dir, console=Quiet())
    processes.start("qa", *first)
    processes.route("qa", "delay", {first[0].id: 100})
    successor = DockerTarget(
        run_dir,
        images=DockerImages(),
        limits=LIMITS,
        serving=ServingConfig(),
        console=Quiet(),
        formerly=processes,
    )
    with Traffic(target.url("qa", "delay"), clients=2) as traffic:
        traffic.wait_for(first[0].id)
        successor.start("qa", *first)
        successor.route("qa", "delay", {first[0].id: 100})
        traffic.wait_for(first[0].id)
    assert traffic.failures == []
    assert list(processes.instances("qa", "delay")) == []
    assert successor.instances("qa", "delay")[0].healthy


def test_the_router_counts_what_users_of_containers_saw(target: DockerTarget, first: Made, second: Made) -> None:
    old, new = first[0].id, second[0].id
    target.start("qa", *first)
    target.start("qa", *second)
    target.route("qa", "delay", {old: 70, new: 30})
    with Traffic(target.url("qa", "delay"), clients=4) as traffic:
        traffic.wait_for(new)

    wait_until(lambda: sum(one.requests for one in target.traffic("qa", "delay").values()) >= traffic.served.total())
    counts = target.traffic("qa", "delay")
    assert {release: counts[release].requests for release in counts} == traffic.served
    assert {counts[release].errors for release in counts} == {0}
