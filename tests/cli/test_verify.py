"""`mlops-ci verify` against services that run, that are others, that are not there; and what `release` shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.cli.main import main
from mlops_ci.core.records import MODEL_FILE
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from tests.cli.repository import Repository, copied, make_repository

NAMES = ["health", "metadata", "wrong-release", "wrong-model", "golden-rows", "contract"]
LOAD = ["errors", "latency", "rate", "memory"]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Two releases; the second serves in QA, and the first nowhere any more."""
    repository = make_repository(tmp_path_factory.mktemp("verify") / "team")
    repository.commit()
    try:
        first = repository.run("release")
        assert first.code == 0, first.said
        repository.edit("mlops.yaml", "C: 1.0", "C: 0.2")
        repository.edit(
            "mlops.yaml", "alpha: 0.05}", "alpha: 0.05}\n  ships: [first, superior, non-inferior, inconclusive]"
        )
        repository.commit()
        second = repository.run("release")
        assert second.code == 0, second.said
        yield repository
    finally:
        repository.stop_services()


def url_of(repository: Repository) -> str:
    rows = repository.run("status").value["environments"]
    return next(str(row["url"]) for row in rows if row["environment"] == "qa")


def release_of(repository: Repository, version: int) -> str:
    store = open_store(str(repository.store))
    return EventLog(store, SystemClock()).state("late").versions[version]


def test_what_release_says_of_its_verification(released: Repository) -> None:
    again = released.run("release")
    verification = again.value["verification"]
    assert [check["name"] for check in verification["checks"]] == [*NAMES, *LOAD]
    assert verification["ok"]
    assert verification["load"]["requests"] == 20
    assert verification["load"]["failed"] == 0
    assert verification["load"]["memory_mb"] > 10
    store = open_store(str(released.store))
    events = EventLog(store, SystemClock()).read("late")
    (evidence,) = next(event.evidence for event in reversed(events) if event.kind == "verified")
    assert Registry(store).get_json(evidence) == verification


def test_a_service_is_verified_by_its_address(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    second = release_of(released, 2)
    answer = released.run("verify", "late", "--url", url_of(released) + "/", "--release", second)
    assert answer.code == 0, answer.said
    assert (answer.value["model"], answer.value["version"], answer.value["release"]) == ("late", 2, second)
    assert [check["name"] for check in answer.value["checks"]] == [*NAMES, *LOAD]
    assert answer.value["load"]["requests"] == 20

    assert main(["verify", "--url", url_of(released), "--version", "2", "-C", str(released.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"late version 2 ({second[:12]}) at {url_of(released)}: verified"
    assert [line.split()[:2] for line in lines[1:]] == [[name, "ok"] for name in (*NAMES, *LOAD)]


def test_a_load_of_ones_own(released: Repository) -> None:
    found = released.run("verify", "--url", url_of(released), "--version", "2", "--rate", "100", "--duration", "1s")
    assert found.code == 0, found.said
    assert found.value["load"]["requests"] == 100
    assert found.value["load"]["declared_rate"] == 100


def test_another_release_than_the_one_that_serves(released: Repository) -> None:
    first = release_of(released, 1)
    answer = released.run("verify", "--url", url_of(released), "--release", first)
    assert answer.code == 13
    failed = [check["name"] for check in answer.value["checks"] if not check["ok"]]
    assert failed == ["metadata", "wrong-release", "wrong-model", "errors"]
    assert not answer.value["ok"]
    before = release_of(released, 2)
    assert released.run("verify", "--url", url_of(released), "--version", "2").code == 0
    assert release_of(released, 2) == before, "asking by hand changes nothing"


def test_limits_are_those_of_mlops_yaml(released: Repository, tmp_path: Path) -> None:
    url = url_of(released)
    strict = copied(released, tmp_path / "team")
    strict.edit("mlops.yaml", "latency_p99_ms: 5000", "latency_p99_ms: 0.001, memory_mb: 1")
    answer = strict.run("verify", "--url", url, "--version", "2")
    assert answer.code == 13
    assert [check["name"] for check in answer.value["checks"] if not check["ok"]] == ["latency", "memory"]


def test_where_nobody_listens_is_exit_20(released: Repository) -> None:
    answer = released.run("verify", "--url", "http://127.0.0.1:9", "--version", "2")
    assert answer.code == 20
    (check,) = answer.value["checks"]
    assert check == {
        "name": "health", "ok": False, "detail": "/v2/health/live: connection refused: nothing listens there"
    }  # fmt: skip


def test_an_address_where_no_model_serves_is_exit_13(released: Repository) -> None:
    answer = released.run("verify", "--url", url_of(released).replace("/qa/", "/nowhere/"), "--version", "2")
    assert answer.code == 13
    assert "/v2/health/live: status 404" in answer.value["checks"][0]["detail"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--url", "localhost:8080"], "no address of a scoring service"),
        (["--url", "http://ada:hunter2@host"], "leave user, password"),
        (["--url", "http://host", "--rate", "0"], "from 1 to 500"),
        (["--url", "http://host", "--rate", "501"], "from 1 to 500"),
        (["--url", "http://host", "--duration", "11m"], "at most 10m"),
        (["--url", "http://host", "--duration", "-1s"], "--duration"),
        (["--url", "http://host", "--duration", "2"], "such as 2s"),
        (["--url", "http://host", "--release", "abcdef1234"], "there is no release"),
        ([], "--url"),
    ],
)
def test_wrong_usage(released: Repository, arguments: list[str], word: str) -> None:
    answer = released.run("verify", *arguments)
    assert answer.code == 2
    assert word in answer.said
    assert "hunter2" not in answer.said


def test_a_release_whose_graph_the_store_has_lost_is_an_integrity_error(released: Repository, tmp_path: Path) -> None:
    url = url_of(released)
    spoilt = copied(released, tmp_path / "team")
    registry = Registry(open_store(str(spoilt.store)))
    record = registry.release(release_of(spoilt, 2))
    assert MODEL_FILE in record.files
    golden = record.evidence["golden"]
    (path,) = spoilt.store.rglob(golden)
    path.chmod(0o600)
    path.write_bytes(b"[]")
    assert spoilt.run("verify", "--url", url, "--version", "2").code == 16
