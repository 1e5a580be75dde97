"""`log.public_key`: what commands say of a log whose events have to be signed, and what `verify-log` says of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.environment import read_environment
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.adapters.object_store import open_store
from mlops_ci.cli.console import StderrConsole
from mlops_ci.cli.context import Context
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.event_log import EventLog, Signing
from tests import logs
from tests.cli.repository import Repository
from tests.logs import A
from tests.signing import KeyPair, key_pair


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path / "keys")


@pytest.fixture
def team(repository: Repository, keys: KeyPair) -> Repository:
    """A repository that declares a key, and a log of two signed events."""
    repository.edit("mlops.yaml", "gate:\n", "log: {public_key: log.pub}\ngate:\n")
    repository.write("log.pub", keys.public.read_text())
    log = EventLog(LocalStore(repository.store), SystemClock(), Signing(signer=lambda: keys.signer))
    for kind, subject in (logs.registered(A, 1), logs.deployed(A)):
        log.record("late", kind, subject, actor="ada")  # type: ignore[arg-type]
    return repository


def hold(team: Repository) -> None:
    """Writes to the log as a command does."""
    context = Context(
        directory=team.folder, store_url=str(team.store), environment=read_environment(), console=StderrConsole()
    )
    context.log.record("late", "held", logs.held(A)[1], actor="ada")


def test_what_is_added_is_signed_by_the_key_of_the_environment(
    team: Repository, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="there is no signing key") as caught:
        hold(team)
    assert "MLOPS_SIGNING_KEY" in caught.value.fix

    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(keys.private))
    hold(team)
    answer = team.run("verify-log")
    (model,) = answer.value["models"]
    assert (answer.code, model["events"], model["signed"], model["warnings"]) == (0, 3, 3, [])
    assert model["public_key"] == keys.signer.public_key.id


def test_a_release_that_could_not_be_logged_is_not_begun(judged: Repository, keys: KeyPair) -> None:
    judged.edit("mlops.yaml", "gate:\n", "log: {public_key: log.pub}\ngate:\n")
    judged.write("log.pub", keys.public.read_text())
    judged.commit("first")

    answer = judged.run("release")
    assert (answer.code, "there is no signing key" in answer.said) == (2, True)
    assert not [path for name in ("versions", "releases", "events") for path in (judged.store / name).rglob("*.json")]


def test_an_event_that_nobody_signed_stops_what_decides_and_is_named(team: Repository) -> None:
    log = EventLog(LocalStore(team.store), SystemClock())
    log.record("late", "hold-released", logs.hold_released(A)[1], actor="eve")

    answer = team.run("verify-log")
    assert answer.code == 16
    (problem,) = answer.value["models"][0]["problems"]
    assert problem["where"] == "events/late/3.json"
    assert "is not signed" in problem["what"]
    assert team.run("history").code == 16


def test_an_auditor_brings_a_key(team: Repository, keys: KeyPair, tmp_path: Path) -> None:
    other = key_pair(tmp_path / "other")

    answer = team.run("verify-log", "--public-key", str(other.public))
    assert answer.code == 16
    assert len(answer.value["models"][0]["problems"]) == 2
    assert team.run("verify-log", "--public-key", str(keys.public)).code == 0


@pytest.mark.parametrize("content", [None, "no key", "private"])
def test_a_key_that_is_none_is_named(team: Repository, keys: KeyPair, content: str | None) -> None:
    if content is None:
        (team.folder / "log.pub").unlink()
    else:
        team.write("log.pub", keys.private.read_text() if content == "private" else content)

    for command in (("verify-log",), ("history",)):
        answer = team.run(*command)
        assert (answer.code, answer.error["where"]) == (2, "mlops.yaml: log.public_key")


def test_a_log_of_another_repository_is_verified_without_its_key(team: Repository, keys: KeyPair) -> None:
    log = EventLog(open_store(str(team.store)), SystemClock(), Signing(signer=lambda: keys.signer))
    log.record("other", "held", logs.held(A)[1], actor="ada")

    answer = team.run("verify-log")
    assert answer.code == 0
    assert {model["model"]: model["public_key"] is None for model in answer.value["models"]} == {
        "late": False,
        "other": True,
    }
