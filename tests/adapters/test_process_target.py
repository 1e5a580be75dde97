from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import processes
from mlops_ci.adapters.loopback import get
from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.core.records import Release
from mlops_ci.core.serving import LogConfig, ServingConfig
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import ConfigurationError, IntegrityError, OutsideError, VerificationError
from mlops_ci.ports import PROBE, Instance, RecentRequests, Target
from tests.adapters.services import Quiet, release_of, running_target
from tests.adapters.traffic import Traffic
from tests.scoring.serving import wait_until
from tests.scoring.tiny_models import binary, regression

ROOT = Path(__file__).parents[2]
RELEASE, FILES = release_of(binary())
OTHER, OTHER_FILES = release_of(binary(shift=0.5), version=2)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def target(run_dir: Path) -> Iterator[ProcessTarget]:
    with running_target(run_dir) as running:
        yield running


@pytest.fixture
def client() -> Iterator[HttpScoringClient]:
    with HttpScoringClient() as open_client:
        yield open_client


def services(run_dir: Path, release: Release = RELEASE) -> tuple[processes.Identity, ...]:
    folder = run_dir.resolve() / "services" / "qa" / release.model / release.id
    return processes.find(f"--announce={folder / 'service.json'}")


def kill(identity: processes.Identity) -> None:
    os.kill(identity.pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(identity))


def serving(client: HttpScoringClient, url: str) -> str:
    answer = client.score(url, binary().records[:2], binary().signature)
    assert answer.error == ""
    return answer.release


def test_it_is_a_target(target: ProcessTarget) -> None:
    checked: Target = target
    assert checked is target


def test_a_started_release_is_ready_but_gets_no_traffic(target: ProcessTarget, client: HttpScoringClient) -> None:
    instance = target.start("qa", RELEASE, FILES)

    assert instance.release == RELEASE.id
    assert instance.healthy
    assert client.ready(instance.url)
    assert serving(client, instance.url) == RELEASE.id
    assert list(target.instances("qa", "delay")) == [instance]
    assert target.shares("qa", "delay") == {}
    assert not client.ready(target.url("qa", "delay"))


def test_starting_again_finds_it_running(target: ProcessTarget, run_dir: Path) -> None:
    first = target.start("qa", RELEASE, FILES)
    (process,) = services(run_dir)

    assert target.start("qa", RELEASE, FILES) == first
    assert ProcessTarget(run_dir, console=Quiet()).start("qa", RELEASE, FILES) == first
    assert services(run_dir) == (process,)


def test_environments_are_apart(target: ProcessTarget) -> None:
    qa = target.start("qa", RELEASE, FILES)
    production = target.start("production", RELEASE, FILES)

    assert qa.url != production.url
    target.stop("qa", "delay", RELEASE.id)
    assert list(target.instances("qa", "delay")) == []
    assert list(target.instances("production", "delay")) == [production]


def test_stopping_is_safe_to_repeat(target: ProcessTarget, run_dir: Path) -> None:
    target.stop("qa", "delay", RELEASE.id)
    target.start("qa", RELEASE, FILES)

    target.stop("qa", "delay", RELEASE.id)
    target.stop("qa", "delay", RELEASE.id)

    assert services(run_dir) == ()
    assert list(target.instances("qa", "delay")) == []
    assert target.start("qa", RELEASE, FILES).healthy


def test_a_release_that_cannot_serve_says_why_and_leaves_nothing_running(target: ProcessTarget, run_dir: Path) -> None:
    files = FILES | {"signature.json": release_of(regression())[1]["signature.json"]}
    broken = dataclasses.replace(
        RELEASE, files=RELEASE.files | {"signature.json": release_of(regression())[0].files["signature.json"]}
    )

    for _ in range(2):
        with pytest.raises(VerificationError) as caught:
            target.start("qa", broken, files)

        assert "did not become ready: cannot serve delay: the ONNX graph does not fit" in str(caught.value)
        assert str(caught.value).count("cannot serve") == 1, "last words of an earlier start"
        assert services(run_dir, broken) == ()
        assert list(target.instances("qa", "delay")) == []


def test_files_that_are_not_the_releases_start_nothing(target: ProcessTarget, run_dir: Path) -> None:
    with pytest.raises(IntegrityError):
        target.start("qa", RELEASE, FILES | {"model.onnx": OTHER_FILES["model.onnx"]})

    assert services(run_dir) == ()


def test_a_killed_service_is_started_again_and_takes_its_traffic_back(
    target: ProcessTarget, run_dir: Path, client: HttpScoringClient
) -> None:
    before = target.start("qa", RELEASE, FILES)
    target.route("qa", "delay", {RELEASE.id: 100})
    url = target.url("qa", "delay")
    kill(*services(run_dir))

    assert list(target.instances("qa", "delay")) == []
    assert client.score(url, binary().records[:1], binary().signature).error.startswith("status 502")
    after = target.start("qa", RELEASE, FILES)

    assert after.url != before.url
    assert list(target.instances("qa", "delay")) == [after]
    assert serving(client, url) == RELEASE.id
    assert target.shares("qa", "delay") == {RELEASE.id: 100}


def test_a_hung_service_is_listed_as_unhealthy(target: ProcessTarget, run_dir: Path) -> None:
    instance = target.start("qa", RELEASE, FILES)
    (process,) = services(run_dir)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        assert list(target.instances("qa", "delay")) == [dataclasses.replace(instance, healthy=False)]
    finally:
        os.kill(process.pid, signal.SIGCONT)
    wait_until(lambda: target.instances("qa", "delay")[0].healthy)


def test_a_stale_announcement_is_not_believed(target: ProcessTarget, run_dir: Path) -> None:
    target.start("qa", RELEASE, FILES)
    (process,) = services(run_dir)
    announcement = run_dir / "services" / "qa" / "delay" / RELEASE.id / "service.json"
    announced = json.loads(announcement.read_text())
    kill(process)
    # the port, and even the pid, may be somebody else's by now
    announcement.write_text(json.dumps(announced | {"pid": os.getpid()}))

    assert list(target.instances("qa", "delay")) == []
    target.stop("qa", "delay", RELEASE.id)
    assert not announcement.exists()


DRIVER = """
import json, sys
from contextlib import nullcontext
from pathlib import Path
from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.core.records import Release
from mlops_ci.core.serving import LogConfig, ServingConfig
class Quiet:
    working = staticmethod(nullcontext)
run_dir, record, folder = Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
release = Release.from_json(record)
files = {name: (folder / name).read_bytes() for name in release.files}
target = ProcessTarget(run_dir, console=Quiet())
with target.exclusive("qa", release.model):
    target.start("qa", release, files)
    target.route("qa", release.model, {release.id: 100})
"""


@pytest.fixture
def driver(run_dir: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command of its own that is starting and routing the release."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    arguments = [str(run_dir), json.dumps(RELEASE.to_json()), str(folder)]
    command = subprocess.Popen([sys.executable, "-c", DRIVER, *arguments], cwd=ROOT)
    try:
        yield command
    finally:
        command.kill()
        command.wait()


@pytest.mark.parametrize("moment", ["spawned", "announced", "router spawned", "route written"])
def test_a_run_that_is_killed_at_any_point_is_finished_by_the_next(
    driver: subprocess.Popen[bytes], target: ProcessTarget, run_dir: Path, client: HttpScoringClient, moment: str
) -> None:
    folder = run_dir / "services" / "qa" / "delay" / RELEASE.id
    routes = run_dir.resolve() / "router" / "routes"
    reached = {
        "spawned": lambda: services(run_dir),
        "announced": (folder / "service.json").exists,
        "router spawned": lambda: processes.find(f"--providers.file.directory={routes}"),
        "route written": (routes / "qa~delay.yml").exists,
    }
    wait_until(reached[moment])
    driver.kill()
    driver.wait()
    survivors = services(run_dir)

    with target.exclusive("qa", "delay"):  # the dead one does not hold it
        instance = target.start("qa", RELEASE, FILES)
        target.route("qa", "delay", {RELEASE.id: 100})

    assert services(run_dir) == survivors, "the half-started service was not taken over"
    assert len(survivors) == 1
    assert list(target.instances("qa", "delay")) == [instance]
    assert len(processes.find(f"--providers.file.directory={routes}")) == 1
    assert serving(client, target.url("qa", "delay")) == RELEASE.id


def test_two_services_of_one_release_become_one(target: ProcessTarget, run_dir: Path) -> None:
    target.start("qa", RELEASE, FILES)
    (process,) = services(run_dir)
    command = Path(f"/proc/{process.pid}/cmdline")
    if not command.exists():
        pytest.skip("this system does not tell a process's command line")
    arguments = command.read_bytes().decode().rstrip("\0").split("\0")
    twin = processes.start_service(arguments, log_path=run_dir / "twin.log", env={"PYTHONPATH": str(ROOT)})
    assert len(services(run_dir)) == 2

    instance = target.start("qa", RELEASE, FILES)

    assert list(target.instances("qa", "delay")) == [instance]
    assert len(services(run_dir)) == 1
    assert not processes.is_running(twin)


def test_only_one_command_at_a_time_reconciles_a_model(target: ProcessTarget) -> None:
    with (
        target.exclusive("qa", "delay"),
        target.exclusive("production", "delay"),
        target.exclusive("qa", "other"),
        pytest.raises(OutsideError, match=rf"another command is at work on delay in qa \(process {os.getpid()}\)"),
        target.exclusive("qa", "delay"),
    ):
        pytest.fail("two at once")


def test_services_do_not_hold_the_lock_of_the_command_that_started_them(target: ProcessTarget) -> None:
    with target.exclusive("qa", "delay"):
        target.start("qa", RELEASE, FILES)
        target.route("qa", "delay", {RELEASE.id: 100})

    with target.exclusive("qa", "delay"):
        pass


def test_traffic_is_divided_as_asked(target: ProcessTarget, client: HttpScoringClient) -> None:
    target.start("qa", RELEASE, FILES)
    target.start("qa", OTHER, OTHER_FILES)

    target.route("qa", "delay", {RELEASE.id: 100, OTHER.id: 0})
    assert target.shares("qa", "delay") == {RELEASE.id: 100}
    target.route("qa", "delay", {RELEASE.id: 75, OTHER.id: 25})
    assert target.shares("qa", "delay") == {RELEASE.id: 75, OTHER.id: 25}

    served = [serving(client, target.url("qa", "delay")) for _ in range(40)]
    assert served.count(OTHER.id) == 10

    target.route("qa", "delay", {})
    assert target.shares("qa", "delay") == {}
    assert not client.ready(target.url("qa", "delay"))


def test_a_division_that_cannot_be_leaves_the_one_before(target: ProcessTarget) -> None:
    target.start("qa", RELEASE, FILES)
    target.route("qa", "delay", {RELEASE.id: 100})

    with pytest.raises(OutsideError, match=f"release {OTHER.id[:12]} of delay does not run in qa"):
        target.route("qa", "delay", {RELEASE.id: 50, OTHER.id: 50})
    for shares in ({RELEASE.id: 90}, {RELEASE.id: 110, OTHER.id: -10}):
        with pytest.raises(ValueError, match="add up to 100"):
            target.route("qa", "delay", shares)

    assert target.shares("qa", "delay") == {RELEASE.id: 100}


def test_models_and_environments_have_addresses_of_their_own(target: ProcessTarget, client: HttpScoringClient) -> None:
    longer, longer_files = release_of(regression(), name="delay-2")
    target.start("qa", RELEASE, FILES)
    target.start("qa", longer, longer_files)
    target.start("production", OTHER, OTHER_FILES)
    target.route("qa", "delay", {RELEASE.id: 100})
    target.route("production", "delay", {OTHER.id: 100})

    assert serving(client, target.url("qa", "delay")) == RELEASE.id
    assert serving(client, target.url("production", "delay")) == OTHER.id
    port, path = target.url("qa", "delay-2").removeprefix("http://127.0.0.1:").split("/", maxsplit=1)
    reply = get(int(port), f"/{path}/v2/health/live")
    assert reply is not None
    assert "x-mlops-release" not in reply.headers, "delay-2 is not routed yet, and it is not a part of delay"
    target.route("qa", "delay-2", {longer.id: 100})
    assert client.metadata(target.url("qa", "delay-2"), "delay-2")["versions"] == ["1"]


def test_no_request_fails_through_a_rollout_and_back(target: ProcessTarget) -> None:
    old, new = RELEASE.id, OTHER.id
    target.start("qa", RELEASE, FILES)
    target.route("qa", "delay", {old: 100})
    with Traffic(target.url("qa", "delay"), clients=6) as traffic:
        traffic.wait_for(old)
        target.start("qa", OTHER, OTHER_FILES)
        target.route("qa", "delay", {old: 100}, shadow=new)
        traffic.wait_for(old)
        wait_until(lambda: target.traffic("qa", "delay")[new].requests)
        assert traffic.served[new] == 0, "no user sees what a shadow answers"
        for share in (10, 50):
            target.route("qa", "delay", {old: 100 - share, new: share})
            traffic.wait_for(new)
        target.route("qa", "delay", {old: 100})  # an abort
        after = traffic.settle()
        target.stop("qa", "delay", new)
        traffic.wait_for(old)

        target.start("qa", OTHER, OTHER_FILES)
        for share in (10, 50):
            target.route("qa", "delay", {old: 100 - share, new: share})
            traffic.wait_for(new)
        target.route("qa", "delay", {new: 100})
        target.stop("qa", "delay", old)
        traffic.wait_for(new)
        target.start("qa", RELEASE, FILES)  # a rollback
        target.route("qa", "delay", {old: 100})
        target.stop("qa", "delay", new)
        traffic.wait_for(old)

    assert after == 0
    assert traffic.failures == []
    assert set(traffic.served) == {old, new}


def test_a_killed_service_loses_what_it_had_been_sent_and_no_more(target: ProcessTarget, run_dir: Path) -> None:
    target.start("qa", RELEASE, FILES)
    target.start("qa", OTHER, OTHER_FILES)
    target.route("qa", "delay", {RELEASE.id: 50, OTHER.id: 50})
    with Traffic(target.url("qa", "delay"), clients=4) as traffic:
        traffic.wait_for(OTHER.id)
        kill(*services(run_dir, OTHER))
        traffic.settle()
        begin = traffic.settle()
        traffic.wait_for(RELEASE.id)
        assert traffic.failures[begin:] == [], "the other takes it all"
        target.start("qa", OTHER, OTHER_FILES)
        traffic.wait_for(OTHER.id)

    assert traffic.failures[begin:] == []
    # One may have been lost on each connection that the router had open to it.
    assert len(traffic.failures) <= 2 * 4
    assert set(traffic.failures) <= {"502"}


def counted(target: ProcessTarget, release: str, requests: int) -> LiveCounts:
    """The counts once they are complete: a user may read an answer a moment before the router counts it."""
    wait_until(lambda: target.traffic("qa", "delay")[release].requests >= requests)
    return target.traffic("qa", "delay")[release]


def test_the_router_counts_what_users_saw(target: ProcessTarget) -> None:
    old, new = RELEASE.id, OTHER.id
    target.start("qa", RELEASE, FILES)
    target.start("qa", OTHER, OTHER_FILES)
    assert target.traffic("qa", "delay") == {}
    served: Counter[str] = Counter()
    for shares in ({old: 100}, {old: 90, new: 10}, {old: 40, new: 60}, {new: 100}):
        target.route("qa", "delay", shares)
        with Traffic(target.url("qa", "delay"), clients=4) as traffic:
            for release in shares:
                traffic.wait_for(release)
        assert traffic.failures == []
        served += traffic.served
        for release in shares:
            counts = counted(target, release, served[release])
            assert (counts.requests, counts.errors) == (served[release], 0)
    assert target.traffic("production", "delay") == {}


def test_a_shadow_that_moves_is_followed_and_has_no_part(
    target: ProcessTarget, run_dir: Path, client: HttpScoringClient
) -> None:
    old, new = RELEASE.id, OTHER.id
    target.start("qa", RELEASE, FILES)
    target.route("qa", "delay", {old: 100})
    with pytest.raises(OutsideError, match="does not run in qa"):
        target.route("qa", "delay", {old: 100}, shadow=new)
    target.start("qa", OTHER, OTHER_FILES)
    for shares in ({old: 50, new: 50}, {new: 100}, {}):
        with pytest.raises(ValueError, match="a shadow gets copies"):
            target.route("qa", "delay", shares, shadow=new)
    target.route("qa", "delay", {old: 100}, shadow=new)
    kill(*services(run_dir, OTHER))

    target.start("qa", OTHER, OTHER_FILES)

    before = target.traffic("qa", "delay").get(new, LiveCounts())
    assert serving(client, target.url("qa", "delay")) == old
    wait_until(lambda: target.traffic("qa", "delay").get(new, LiveCounts()).requests > before.requests)
    assert target.traffic("qa", "delay")[new].errors == before.errors
    assert target.shares("qa", "delay") == {old: 100}
    wait_until(lambda: len(list(target.logged_requests("qa", "delay"))) == 2)
    copies = [entry for entry in target.logged_requests("qa", "delay") if entry.release == new]
    assert [entry.request_id for entry in copies] == [f"{PROBE}shadow"], "a copy is taken for a user's request"


def test_what_users_asked_lately_is_remembered_by_release(target: ProcessTarget, client: HttpScoringClient) -> None:
    first = target.start("qa", RELEASE, FILES)
    other = target.start("qa", OTHER, OTHER_FILES)
    records = binary().records
    with HttpScoringClient(probe=False) as user:
        for row in records[:5]:
            user.score(first.url, [row], binary().signature)
            client.score(first.url, records[20:30], binary().signature)  # our own probes are no traffic
        user.score(other.url, records[5:8], binary().signature)

    def remembered(release: Release, limit: int) -> list[Any]:
        return list(target.recent_requests("qa", "delay", release.id, limit).records)

    wait_until(lambda: len(remembered(RELEASE, 100)) == 5)
    wait_until(lambda: len(remembered(OTHER, 100)) == 3)
    assert remembered(RELEASE, 3) == records[2:5]
    assert remembered(OTHER, 2) == records[6:8]
    assert target.recent_requests("production", "delay", RELEASE.id, 5).records == []
    users = [entry for entry in target.logged_requests("qa", "delay") if not entry.request_id.startswith(PROBE)]
    assert sorted((entry.release, len(entry.records)) for entry in users) == sorted(
        [*[(RELEASE.id, 1)] * 5, (OTHER.id, 3)]
    )
    assert list(target.logged_requests("production", "delay")) == []


def test_a_service_with_workers_is_one_service(run_dir: Path) -> None:
    target = ProcessTarget(run_dir, console=Quiet(), serving=ServingConfig(workers=2))
    try:
        first = target.start("qa", RELEASE, FILES)
        assert target.start("qa", RELEASE, FILES) == first
        assert len(services(run_dir)) == 3
        rows = binary().records[:6]
        with HttpScoringClient(probe=False) as user:
            for row in rows:
                user.score(first.url, [row], binary().signature)
        target.stop("qa", "delay", RELEASE.id)
        assert services(run_dir) == ()
        assert list(target.recent_requests("qa", "delay", RELEASE.id, 10).records) == rows
    finally:
        target.shut_down()


def test_the_log_is_kept_as_the_configuration_says(run_dir: Path) -> None:
    left_out = binary().signature.inputs[0].name
    config = ServingConfig(log=LogConfig(redact=(left_out, "no column of the model")))
    target = ProcessTarget(run_dir, console=Quiet(), serving=config)
    try:
        service = target.start("qa", RELEASE, FILES)
        with HttpScoringClient(probe=False) as user:
            user.score(service.url, binary().records[:1], binary().signature)
    finally:
        target.shut_down()

    (entry,) = target.logged_requests("qa", "delay")
    assert entry.redacted == (left_out,)
    assert left_out not in entry.records[0]
    assert target.recent_requests("qa", "delay", RELEASE.id, 5) == RecentRequests(records=[], redacted=(left_out,))


@pytest.mark.parametrize(("environment", "model"), [("..", "m"), ("qa", "a/b"), ("", "m"), ("qa", "~"), ("qa", "a`b")])
def test_names_that_are_none_are_refused(target: ProcessTarget, environment: str, model: str) -> None:
    for call in (target.instances, target.shares, target.url):
        with pytest.raises(ConfigurationError):
            call(environment, model)
    with pytest.raises(ConfigurationError):
        target.stop("qa", "delay", "../x")


def test_a_service_sees_no_secret(target: ProcessTarget, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do not tell")
    target.start("qa", RELEASE, FILES)
    (process,) = services(run_dir)
    environment = Path(f"/proc/{process.pid}/environ")
    if not environment.exists():
        pytest.skip("this system does not tell a process's environment")

    assert b"do not tell" not in environment.read_bytes()


def test_what_lies_about_does_not_get_into_the_service(
    target: ProcessTarget, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, run_dir / "services" / "qa" / "delay" / RELEASE.id):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "numpy.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)

    assert target.start("qa", RELEASE, FILES).healthy


def test_people_are_told_what_is_being_started(run_dir: Path) -> None:
    console = Quiet()
    target = ProcessTarget(run_dir, console=console)
    try:
        assert isinstance(target.start("qa", RELEASE, FILES), Instance)
        assert console.lines == ["starting delay version 1 in qa"]
    finally:
        target.shut_down()
