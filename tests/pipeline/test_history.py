"""What happened, told to people; and the auditor's question, answered for every moment of an eventful log."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.events import KINDS
from mlops_ci.core.records import Release
from mlops_ci.core.subjects import SUBJECTS
from mlops_ci.errors import IntegrityError, NotFoundError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.history import NOBODY_ASKED, history, sentence, why
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import ObjectStore
from tests import logs
from tests.logs import Entry, log_of, moment, objects_of


def release(version: int) -> Release:
    """The release that `logs.registered` describes."""
    lock = sha256(f"lock {version}".encode()).hexdigest()
    golden = sha256(f"golden {version}".encode()).hexdigest()
    return Release(
        model="m", version=version, lock=lock, commit=f"c{version}", files={}, image=None, evidence={"golden": golden}
    )


ONE, TWO, THREE = (release(version).id for version in (1, 2, 3))
GOLDEN = [release(version).evidence["golden"] for version in (1, 2, 3)]

HISTORY = (
    logs.registered(ONE, 1, "first", pull_request=11),  # 1
    logs.deployed(ONE),
    logs.verified(ONE),
    logs.opened(ONE, 21),
    logs.approved(ONE, ["ada"], 21),  # 5
    logs.step(ONE, 100),
    logs.promoted(ONE),  # 7: version 1
    logs.registered(TWO, 2, "superior", pull_request=12),
    logs.deployed(TWO, previous=ONE),
    logs.verified(TWO),  # 10
    logs.opened(TWO, 22),
    logs.approved(TWO, ["bob", "cleo"], 22),
    logs.step(TWO, 10),
    logs.promoted(TWO, previous=ONE),  # 14: version 2
    logs.rolled_back(ONE, TWO, "twice the errors"),  # 15: version 1 again
    logs.hold_released(TWO),
    logs.promoted(TWO, previous=ONE),  # 17: version 2, by a changed policy that asks nobody
)


def evidence(*numbers: int) -> tuple[str, ...]:
    return tuple(sha256(f"evidence {number}".encode()).hexdigest() for number in numbers)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = open_store(str(tmp_path))
    for version in (1, 2, 3):
        Registry(store).save_release(release(version))
    return store


def write(store: ObjectStore, *entries: Entry) -> EventLog:
    for number, raw in objects_of(log_of(*entries)).items():
        store.create(f"events/m/{number}.json", raw)
    return EventLog(store, SystemClock())


class TestWhy:
    def test_who_approved_what_on_which_evidence(self, store: ObjectStore) -> None:
        answer = why(write(store, *HISTORY), Registry(store), "m", "production", moment(8))

        assert answer.to_json() == {
            "environment": "production",
            "at": "2026-03-01T09:08:00.000000Z",
            "since": "2026-03-01T09:07:00.000000Z",
            "release": ONE,
            "version": 1,
            "commit": "c1",
            "approved_by": ["ada"],
            "pull_request": 21,
            "verdict": "first",
            "evidence": [GOLDEN[0], *evidence(1, 3, 4, 5, 6, 7)],
            "note": "",
        }
        json.dumps(answer.to_json())

    @pytest.mark.parametrize(
        ("minute", "version", "approved_by", "pull_request"),
        [
            (7, 1, ("ada",), 21),
            (13.9, 1, ("ada",), 21),
            (14, 2, ("bob", "cleo"), 22),
            (15, 1, ("ada",), 21),
            (16, 1, ("ada",), 21),
            (17, 2, (), 22),
            (9999, 2, (), 22),
        ],
    )
    def test_every_moment_has_its_own_answer(
        self, store: ObjectStore, minute: float, version: int, approved_by: tuple[str, ...], pull_request: int
    ) -> None:
        at = moment(0) + timedelta(minutes=minute)
        answer = why(write(store, *HISTORY), Registry(store), "m", "production", at)

        assert (answer.version, answer.approved_by, answer.pull_request) == (version, approved_by, pull_request)

    def test_without_a_moment_the_answer_is_about_now(self, store: ObjectStore) -> None:
        answer = why(write(store, *HISTORY), Registry(store), "m", "production")

        assert answer.version == 2
        assert answer.at > "2026-03-01"

    def test_what_came_after_it_began_to_serve_is_no_evidence_that_it_might(self, store: ObjectStore) -> None:
        later = (*HISTORY[:7], logs.verified(ONE, "production"), logs.held(ONE))
        answer = why(write(store, *later), Registry(store), "m", "production")

        assert answer.evidence == (GOLDEN[0], *evidence(1, 3, 4, 5, 6, 7))

    def test_an_approval_serves_one_promotion_only(self, store: ObjectStore) -> None:
        answer = why(write(store, *HISTORY), Registry(store), "m", "production", moment(17))

        assert answer.approved_by == ()
        assert answer.note == NOBODY_ASKED

    def test_an_approval_of_another_release_or_environment_does_not_count(self, store: ObjectStore) -> None:
        entries = (
            *HISTORY[:4],
            logs.approved(TWO, ["eve"], 22),
            logs.approved(ONE, ["eve"], 23, environment="staging"),
            logs.promoted(ONE),
        )
        answer = why(write(store, *entries), Registry(store), "m", "production")

        assert answer.approved_by == ()
        assert answer.pull_request == 21

    def test_where_nobody_had_to_be_asked_it_says_so(self, store: ObjectStore) -> None:
        answer = why(write(store, *HISTORY[:3]), Registry(store), "m", "qa")

        assert (answer.release, answer.approved_by, answer.note) == (ONE, (), NOBODY_ASKED)
        assert answer.pull_request == 11, "the pull request that brought the version is the nearest there is"

    def test_a_rollback_is_explained(self, store: ObjectStore) -> None:
        answer = why(write(store, *HISTORY), Registry(store), "m", "production", moment(15))

        assert answer.since == "2026-03-01T09:15:00.000000Z"
        assert answer.note == f"came back by a rollback from {TWO[:12]}: twice the errors"

    def test_a_rollout_that_was_under_way_is_mentioned(self, store: ObjectStore) -> None:
        answer = why(write(store, *HISTORY), Registry(store), "m", "production", moment(13))

        assert answer.version == 1
        assert answer.note == f"release {TWO[:12]} was being rolled out, at 10 %"

    def test_before_the_first_deployment_it_says_since_when_there_is_one(self, store: ObjectStore) -> None:
        with pytest.raises(NotFoundError, match="the first deployment there was at 2026-03-01T09:07"):
            why(write(store, *HISTORY), Registry(store), "m", "production", moment(6))

    @pytest.mark.parametrize(("model", "environment"), [("m", "staging"), ("unknown", "production")])
    def test_where_nothing_ever_served_it_says_so(self, store: ObjectStore, model: str, environment: str) -> None:
        with pytest.raises(NotFoundError, match=f"nothing has served {model} in {environment} yet"):
            why(write(store, *HISTORY), Registry(store), model, environment)

    def test_an_aborted_rollout_is_not_what_served(self, store: ObjectStore) -> None:
        entries = (*HISTORY[:13], logs.aborted(TWO), logs.rolled_back(ONE, TWO))
        answer = why(write(store, *entries), Registry(store), "m", "production")

        assert (answer.version, answer.approved_by, answer.since) == (1, ("ada",), "2026-03-01T09:07:00.000000Z")
        assert answer.note == ""

    def test_a_release_whose_record_is_gone_is_no_answer(self, store: ObjectStore) -> None:
        (Path(store.url) / f"releases/{ONE}.json").unlink()

        with pytest.raises(IntegrityError, match="its record is gone"):
            why(write(store, *HISTORY[:7]), Registry(store), "m", "production")

    @pytest.mark.parametrize("change", [{"version": 9}, {"commit": "c9"}, {"lock": "0" * 64}])
    def test_a_log_that_contradicts_the_records_is_no_answer(
        self, store: ObjectStore, change: dict[str, object]
    ) -> None:
        kind, subject = HISTORY[0]
        log = write(store, (kind, subject | change), *HISTORY[1:7])

        with pytest.raises(IntegrityError, match="contradict each other"):
            why(log, Registry(store), "m", "production")

    def test_a_release_of_another_model_is_no_answer(self, store: ObjectStore) -> None:
        foreign = replace(release(1), model="other")
        Registry(store).save_release(foreign)
        log = write(store, logs.registered(foreign.id, 1), logs.deployed(foreign.id))

        with pytest.raises(IntegrityError, match="contradict each other"):
            why(log, Registry(store), "m", "qa")

    def test_a_log_that_was_tampered_with_gives_no_answer(self, store: ObjectStore) -> None:
        write(store, *HISTORY)
        (Path(store.url) / "events/m/5.json").unlink()

        with pytest.raises(IntegrityError):
            why(EventLog(store, SystemClock()), Registry(store), "m", "production", moment(7))


class TestHistory:
    def test_one_entry_an_event_with_its_digest_and_a_sentence(self, store: ObjectStore) -> None:
        entries = history(write(store, *HISTORY), "m")

        assert [entry["number"] for entry in entries] == list(range(1, 18))
        assert [entry["previous"] for entry in entries[1:]] == [entry["digest"] for entry in entries[:-1]]
        assert [entries[number - 1]["text"] for number in (1, 2, 5, 6, 14, 15)] == [
            "version 1 was registered: first",
            "version 1 was deployed to qa, where nothing had served",
            "version 1 was approved for production by ada",
            "version 1 took 100 % of the traffic of production: continue",
            "version 2 was promoted to production, where version 1 had served",
            "production went back to version 1 from version 2: twice the errors",
        ]
        json.dumps(entries)

    def test_no_events_are_no_history(self, store: ObjectStore) -> None:
        assert history(EventLog(store, SystemClock()), "m") == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_there_is_a_sentence_for_each_kind_even_with_the_least_that_it_says(self, kind: str) -> None:
        least: dict[Any, Any] = {str: "x", int: 1, str | None: None, int | None: None}
        subject: dict[str, Any] = {
            key: least.get(hint, []) for key, hint in SUBJECTS[kind].items() if not key.endswith("?")
        }
        (event,) = log_of((kind, subject))

        assert "{" not in sentence(event, {})
        assert len(sentence(event, {})) > 10
