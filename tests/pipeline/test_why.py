"""The auditor's question, answered for every moment of an eventful log."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.cli.moments import moment as read_moment
from mlops_ci.core.digest import digest_of
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.why import NOBODY_ASKED, why
from mlops_ci.ports import ObjectStore
from tests import logs
from tests.logs import moment
from tests.pipeline.eventful import GOLDEN, HISTORY, ONE, TWO, evidence, release, store_of_releases, write


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return store_of_releases(tmp_path)


class TestWhy:
    def test_who_approved_what_on_which_evidence(self, store: ObjectStore) -> None:
        answer = why(write(store, *HISTORY), Registry(store), "m", "production", moment(8))

        assert answer.to_json() == {
            "environment": "production",
            "at": "2026-03-01T09:08:00.000000Z",
            "since": "2026-03-01T09:07:00.000000Z",
            "until": "2026-03-01T09:14:00.000000Z",
            "kind": "promoted",
            "release": ONE,
            "version": 1,
            "commit": "c1",
            "approved_by": ["ada"],
            "pull_request": 21,
            "approval": {"by": ["ada"], "at": "2026-03-01T09:05:00.000000Z", "head": "h1", "pull_request": 21},
            "verdict": "first",
            "evidence": [GOLDEN[0], *evidence(1, 3, 4, 5, 6, 7)],
            "release_evidence": {"golden": GOLDEN[0]},
            "desired_commit": "m1",
            "lock": release(1).lock,
            "data_digest": None,
            "image": None,
            "verifications": [
                {"environment": "qa", "at": "2026-03-01T09:03:00.000000Z", "evidence": list(evidence(3))}
            ],
            "waivers": [],
            "rollout": [
                {"at": "2026-03-01T09:06:00.000000Z", "stage": None, "share": 100, "outcome": "continue", "reasons": []}
            ],
            "shares": {ONE: 100},
            "holds": {},
            "previous": None,
            "next": {"release": TWO, "version": 2, "since": "2026-03-01T09:14:00.000000Z"},
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
        assert answer.shares == {TWO: 10, ONE: 90}

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

    def test_from_what_it_was_made_and_what_was_let_pass(self, store: ObjectStore) -> None:
        registry = Registry(store)
        lock = {"model": "m", "code": {}, "data": {"a.csv": "1" * 64}, "params": {}, "environment": {}, "toolkit": "1"}
        made = replace(
            release(1), image="registry.example/m@sha256:" + "e" * 64, evidence={"lock": registry.put_json(lock)}
        )
        registry.save_release(made)
        waiver = {"verdict": "guardrail", "reason": "once", "approver": "eve", "expires": "2026-12-31"}
        log = write(
            store,
            ("waived", {**waiver, "lock": made.lock}),
            ("waived", {**waiver, "lock": "another"}),
            logs.registered(made.id, 1),
            logs.deployed(made.id),
            logs.held(made.id, "looks odd", environment="qa"),
        )

        answer = why(log, registry, "m", "qa")

        assert answer.image == made.image
        assert (answer.lock, answer.data_digest) == (made.lock, digest_of(lock["data"]))
        assert answer.waivers == ({**waiver, "at": "2026-03-01T09:01:00.000000Z"},)
        assert answer.holds == {made.id: "looks odd"}

    def test_what_served_before_and_after(self, store: ObjectStore) -> None:
        log = write(store, *HISTORY)

        answers = [why(log, Registry(store), "m", "production", moment(minute)) for minute in (8, 14, 15, 17)]

        assert [(one.previous and one.previous.version, one.next and one.next.version) for one in answers] == [
            (None, 2), (1, 1), (2, 2), (1, None),
        ]  # fmt: skip
        assert [one.until and one.until[14:16] for one in answers] == ["14", "15", "17", None]

    def test_the_steps_are_those_of_the_rollout_that_brought_it(self, store: ObjectStore) -> None:
        entries = (
            *HISTORY[:7], logs.registered(TWO, 2), logs.step(TWO, 10), logs.aborted(TWO), logs.hold_released(TWO),
            logs.step(TWO, 20), logs.step(TWO, 100), logs.promoted(TWO, previous=ONE),
        )  # fmt: skip

        answer = why(write(store, *entries), Registry(store), "m", "production")

        assert [one["share"] for one in answer.rollout] == [20, 100]

    def test_what_is_still_to_come_nobody_knows(self, store: ObjectStore) -> None:
        log = write(store, *HISTORY)

        with pytest.raises(ConfigurationError, match="is still to come: it is 20"):
            why(log, Registry(store), "m", "production", datetime.now(UTC) + timedelta(minutes=1))

    def test_a_log_whose_clock_ran_ahead_is_believed_up_to_its_end(self, store: ObjectStore) -> None:
        class Behind(SystemClock):
            def now(self) -> datetime:
                return moment(0)

        write(store, *HISTORY)

        assert why(EventLog(store, Behind()), Registry(store), "m", "production", moment(17)).version == 2


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2026-11-21T14:30", "2026-11-21T14:30:00+00:00"),
            ("2026-11-21 14:30:05.25", "2026-11-21T14:30:05.250000+00:00"),
            ("2026-11-21", "2026-11-21T00:00:00+00:00"),
            ("2026-11-21T14:30Z", "2026-11-21T14:30:00+00:00"),
            ("2026-11-21T14:30+05:30", "2026-11-21T09:00:00+00:00"),
            ("2026-03-29T01:59 Europe/Zurich", "2026-03-29T00:59:00+00:00"),
            ("2026-03-29T03:00 Europe/Zurich", "2026-03-29T01:00:00+00:00"),
            ("2026-07-01T12:00 America/New_York", "2026-07-01T16:00:00+00:00"),
        ],
    )
    def test_are_read_in_their_zone(self, text: str, expected: str) -> None:
        found = read_moment(text, "--at")
        assert found is not None
        assert found.isoformat() == expected

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("2026-03-29T02:30 Europe/Zurich", "is not there, since the clock was changed"),
            ("2026-10-25T02:30 Europe/Zurich", "is there twice, since the clock was changed"),
            ("2026-10-25T02:30+01:00 Europe/Zurich", "names two zones"),
            ("2026-10-25T12:30 Europe/Nowhere", "no time zone 'Europe/Nowhere'"),
            ("2026-10-25T12:30 ../../etc/passwd", "no time zone"),
            ("yesterday", "is no time"), ("", "is no time"), ("2026-02-30", "is no time"),
            ("0001-01-01T00:00+14:00", "is no time"), ("9" * 5000, "is no time"), ("1700000000", "is no time"),
        ],
    )  # fmt: skip
    def test_that_are_none_are_refused_by_name(self, text: str, said: str) -> None:
        with pytest.raises(ConfigurationError, match=said) as caught:
            read_moment(text, "--at")
        assert "--at" in caught.value.what
        assert "2026-" in caught.value.fix
