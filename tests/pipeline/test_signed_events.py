"""Where a key is declared, nobody without it adds an event, and each that is not signed by it is found by name."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.event_signatures import signed
from mlops_ci.core.events import Event, EventSignature
from mlops_ci.errors import ConfigurationError, IntegrityError
from mlops_ci.pipeline.event_log import EventLog, Signing
from mlops_ci.ports import ObjectStore, PublicKey, Signer
from tests import logs
from tests.logs import A
from tests.signing import KeyPair, key_pair

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"), "theirs")


@pytest.fixture
def store() -> ObjectStore:
    return open_store("memory://")


def log_in(store: ObjectStore, *, signer: Signer | None = None, key: PublicKey | None = None) -> EventLog:
    return EventLog(store, SystemClock(), Signing(signer=lambda: signer, public_key=lambda _model: key))


def write(log: EventLog, *entries: logs.Entry) -> None:
    for kind, subject in entries or (logs.held(A),):
        log.record("m", kind, subject, actor="ada")  # type: ignore[arg-type]


def put(store: ObjectStore, event: Event) -> None:
    store.create(f"events/m/{event.number}.json", event.raw)


def following(log: EventLog, **changes: Any) -> Event:
    """An event as somebody would write it who may write to the store."""
    last = log.read("m")[-1]
    return replace(last, number=last.number + 1, previous=last.digest, signature=None, **changes)


def test_a_signed_event_is_read_and_verified(store: ObjectStore, ours: KeyPair) -> None:
    key = ours.signer.public_key
    write(log_in(store, signer=ours.signer, key=key), logs.held(A), logs.hold_released(A))

    log = log_in(store, key=key)
    assert [event.signature.key for event in log.read("m") if event.signature] == [key.id] * 2
    verification = log.verify("m")
    assert (verification.problems, verification.signed, verification.public_key) == ((), 2, key.id)
    assert log_in(store).verify("m").public_key is None


def test_the_commands_of_the_documentation_check_a_signature(store: ObjectStore, ours: KeyPair, tmp_path: Path) -> None:
    hostile = 'zoë \x7f "signature":{"key":"k","value":"v"}, \n 🎉'
    log = log_in(store, signer=ours.signer)
    write(log, logs.held(A), logs.held(A), logs.held(A, reason=hostile))
    said = (ROOT / "docs" / "events.md").read_text().partition("Without mlops-ci, for event 3:")[2]
    commands = [line.removeprefix("$ ") for line in said.partition("## ")[0].splitlines() if line.startswith("$ ")]
    (tmp_path / "log.pub").write_bytes(ours.public.read_bytes())

    def checked(raw: bytes) -> str:
        (tmp_path / "3.json").write_bytes(raw)
        ran = subprocess.run(["sh", "-ec", "\n".join(commands)], cwd=tmp_path, capture_output=True, check=False)
        return ran.stdout.decode()

    raw = store.get("events/m/3.json")
    assert len(commands) == 3
    assert checked(raw) == "Verified OK\n"
    assert checked(raw.replace(b'"actor":"ada"', b'"actor":"eve"')) != "Verified OK\n"


def test_an_unsigned_event_is_what_it_always_was(store: ObjectStore) -> None:
    write(log_in(store))

    assert "signature" not in json.loads(store.get("events/m/1.json"))


def test_a_log_may_begin_unsigned_and_is_signed_from_then_on(store: ObjectStore, ours: KeyPair) -> None:
    write(log_in(store))
    log = log_in(store, signer=ours.signer, key=ours.signer.public_key)
    write(log)

    assert log.verify("m").problems == ()
    assert log.verify("m").signed == 1
    put(store, following(log))
    (problem,) = log.verify("m").problems
    assert problem.where == "events/m/3.json"
    assert "is not signed" in problem.what
    with pytest.raises(IntegrityError, match="is not signed"):
        log.state("m")


def test_an_event_signed_by_somebody_else_is_named(store: ObjectStore, ours: KeyPair, theirs: KeyPair) -> None:
    log = log_in(store, signer=ours.signer, key=ours.signer.public_key)
    write(log)
    put(store, signed(following(log), theirs.signer))

    (problem,) = log.verify("m").problems
    assert f"is signed by the key {theirs.signer.public_key.id[:12]!r}" in problem.what
    with pytest.raises(IntegrityError, match="is signed by the key"):
        write(log)


@pytest.mark.parametrize("value", ["", "x", "bm8=", "ä"])
def test_a_signature_that_is_none_is_named(store: ObjectStore, ours: KeyPair, value: str) -> None:
    key = ours.signer.public_key
    log = log_in(store, signer=ours.signer, key=key)
    write(log)
    put(store, replace(following(log), signature=EventSignature(key=key.id, value=value)))

    (problem,) = log.verify("m").problems
    assert "has a signature that" in problem.what


def test_a_signature_of_another_event_is_none_of_this(store: ObjectStore, ours: KeyPair) -> None:
    log = log_in(store, signer=ours.signer, key=ours.signer.public_key)
    write(log)
    moved = replace(following(log, actor="eve"), signature=log.read("m")[0].signature)
    put(store, moved)

    assert [problem.where for problem in log.verify("m").problems] == ["events/m/2.json"]


@pytest.mark.parametrize(
    "value", [None, "x", [], {}, {"key": "x"}, {"key": 1, "value": "x"}, {"key": "x", "value": None}]
)
def test_a_signature_of_another_shape_is_a_finding_and_no_crash(store: ObjectStore, value: object) -> None:
    write(log_in(store))
    spoilt = following(log_in(store)).to_json() | {"signature": value}
    store.create("events/m/2.json", canonical_json(spoilt))

    (problem, *_) = log_in(store).verify("m").problems
    assert problem.where == "events/m/2.json"
    assert "signature" in problem.what
    with pytest.raises(IntegrityError):
        log_in(store).state("m")


def test_without_a_key_a_foreign_signature_is_no_finding(store: ObjectStore, theirs: KeyPair) -> None:
    write(log_in(store, signer=theirs.signer))

    assert log_in(store).verify("m").problems == ()
    assert log_in(store).state("m").events == 1


def test_the_key_of_an_auditor_takes_the_place_of_the_declared_one(
    store: ObjectStore, ours: KeyPair, theirs: KeyPair
) -> None:
    write(log_in(store, signer=ours.signer, key=ours.signer.public_key))
    log = log_in(store, key=theirs.signer.public_key)

    assert len(log.verify("m").problems) == 1
    assert log.verify("m", public_key=ours.signer.public_key).problems == ()


class TestWriting:
    def test_who_has_no_key_writes_nothing_where_one_is_declared(self, store: ObjectStore, ours: KeyPair) -> None:
        log = log_in(store, key=ours.signer.public_key)

        with pytest.raises(ConfigurationError, match="there is no signing key") as caught:
            write(log)
        assert "MLOPS_SIGNING_KEY" in caught.value.fix
        assert log.read("m") == ()

    def test_who_has_another_key_writes_nothing(self, store: ObjectStore, ours: KeyPair, theirs: KeyPair) -> None:
        log = log_in(store, signer=theirs.signer, key=ours.signer.public_key)

        with pytest.raises(ConfigurationError, match=f"the key given is {theirs.signer.public_key.id[:12]}"):
            write(log)
        assert log.read("m") == ()

    def test_a_decision_to_say_nothing_needs_no_key(self, store: ObjectStore, ours: KeyPair) -> None:
        assert log_in(store, key=ours.signer.public_key).append("m", lambda _: None) is None

    def test_no_message_holds_anything_of_the_key(self, store: ObjectStore, ours: KeyPair, theirs: KeyPair) -> None:
        log = log_in(store, signer=theirs.signer, key=ours.signer.public_key)
        secret = theirs.private.read_text().splitlines()[1]

        with pytest.raises(ConfigurationError) as caught:
            write(log)
        assert secret not in f"{caught.value} {log._signing!r} {theirs.signer!r}"

    def test_signed_events_are_packed_as_they_are(
        self, store: ObjectStore, ours: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from mlops_ci.pipeline import packs

        monkeypatch.setattr(packs, "SIZE", 3)
        key = ours.signer.public_key
        log = log_in(store, signer=ours.signer, key=key)
        write(log, *[logs.held(A)] * 4)

        assert log_in(store, key=key).read("m") == log.read("m")
        assert log_in(store, key=key).verify("m").problems == ()
        assert store.get("packs/m/1.jsonl") == b"".join(store.get(f"events/m/{number}.json") for number in (1, 2, 3))
