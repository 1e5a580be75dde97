"""What serves, what is eligible and what is on hold, after each kind of history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.core.events import KINDS, Event, timestamp
from mlops_ci.core.served import Served
from mlops_ci.core.state import (
    EnvironmentState,
    ModelState,
    Promotion,
    Rollout,
    champion,
    eligible,
    fold,
    obstacles,
    rollback_target,
    unfit,
)
from mlops_ci.core.subjects import SUBJECTS
from tests import logs
from tests.logs import A, B, C, D, Entry, log_of, moment

RELEASED = (logs.registered(A, 1, "first"), logs.deployed(A), logs.verified(A))
LIVE = (*RELEASED, logs.opened(A, 1), logs.approved(A, ["ada"], 1), logs.step(A, 100), logs.promoted(A))
SECOND = (logs.registered(B, 2), logs.deployed(B, previous=A), logs.verified(B))
BOTH_LIVE = (*LIVE, *SECOND, logs.promoted(B, previous=A))


def after(*entries: Entry) -> ModelState:
    return fold(log_of(*entries))


def production(*entries: Entry) -> EnvironmentState:
    return after(*entries).environments["production"]


def test_before_the_first_event_there_is_nothing() -> None:
    state = fold([])

    assert (state.events, state.releases, state.versions, state.environments, state.latest) == (0, {}, {}, {}, {})
    assert champion(state, "production") is None
    assert rollback_target(state, "production") is None


def test_every_kind_of_event_has_a_subject_and_no_other_has() -> None:
    assert set(SUBJECTS) == set(KINDS)


def test_a_registration_is_remembered_by_release_and_by_version() -> None:
    state = after(logs.registered(A, 1, "first"), logs.registered(B, 2, pull_request=9))

    assert state.versions == {1: A, 2: B}
    assert (state.releases[B].version, state.releases[B].commit, state.releases[B].verdict) == (2, "c2", "superior")
    assert (state.releases[A].pull_request, state.releases[B].pull_request) == (None, 9)


def test_a_deployment_serves_and_is_not_yet_verified() -> None:
    place = after(*RELEASED[:2]).environments["qa"]

    assert (place.release, place.previous, place.url) == (A, None, "http://127.0.0.1:8000")
    assert place.since == log_of(*RELEASED)[1].time
    assert place.verified == frozenset()


def test_a_promotion_replaces_what_served_and_is_closed() -> None:
    place = production(*BOTH_LIVE)

    assert (place.release, place.previous, place.served) == (B, A, (A, B))
    assert place.since == log_of(*BOTH_LIVE)[-1].time
    assert (place.promotion, place.rollout) == (None, None)
    assert champion(after(*BOTH_LIVE), "production") == B
    assert champion(after(*BOTH_LIVE), "qa") == B


def test_a_promotion_under_way_says_how_far_it_is() -> None:
    opened = (*RELEASED, logs.opened(A, 1))
    allowed = (*opened, logs.approved(A, ["ada", "bob"], 1))

    assert production(*opened).promotion == Promotion(release=A, pull_request=1, head="h1", approved_by=())
    assert production(*allowed).promotion == Promotion(release=A, pull_request=1, head="h1", approved_by=("ada", "bob"))
    rollout = production(*allowed, logs.step(A, 10)).rollout
    assert rollout == Rollout(release=A, share=10, outcome="continue", evidence=rollout.evidence if rollout else ())
    assert production(*allowed, logs.step(A, 10)).release is None


def test_a_newer_proposal_takes_the_place_of_the_open_one_and_of_its_approval() -> None:
    place = production(*RELEASED, logs.opened(A, 1), logs.approved(A, ["ada"], 1), logs.opened(B, 2))

    assert place.promotion == Promotion(release=B, pull_request=2, head="h1", approved_by=())


def test_an_aborted_rollout_leaves_what_served_and_holds_the_new_one() -> None:
    place = production(*LIVE, *SECOND, logs.opened(B, 2), logs.step(B, 10), logs.aborted(B, "twice as slow"))

    assert (place.release, place.served) == (A, (A,))
    assert (place.promotion, place.rollout) == (None, None)
    assert place.holds == {B: "twice as slow"}


def test_the_rollback_that_follows_an_abort_changes_nothing_about_what_serves() -> None:
    before = (*LIVE, *SECOND, logs.step(B, 10), logs.aborted(B))
    place = production(*before, logs.rolled_back(A, B))

    assert (place.release, place.served, place.since) == (A, (A,), production(*LIVE).since)
    assert place.holds == {B: "worse"}


def test_a_promotion_that_was_closed_is_none_any_more() -> None:
    opened = (*RELEASED, logs.opened(A, 1))

    assert production(*opened, logs.closed(A, 1)).promotion is None
    assert production(*opened, logs.closed(A, 2)).promotion == production(*opened).promotion
    assert production(*opened, logs.closed(A, 1), logs.opened(A, 2)).promotion is not None


def test_a_rollback_returns_and_holds_what_it_took_back() -> None:
    place = production(*BOTH_LIVE, logs.rolled_back(A, B, "errors"))

    assert (place.release, place.previous, place.served) == (A, None, (A,))
    assert place.since > production(*BOTH_LIVE).since
    assert place.holds == {B: "errors"}


def test_a_rollback_is_never_rolled_back() -> None:
    third = (*BOTH_LIVE, logs.registered(C, 3), logs.promoted(C, previous=B))

    assert rollback_target(after(*third), "production") == B
    assert rollback_target(after(*third, logs.rolled_back(B, C)), "production") == A
    assert rollback_target(after(*third, logs.rolled_back(B, C), logs.rolled_back(A, B)), "production") is None


def test_a_rollback_over_several_releases_forgets_them() -> None:
    place = production(*BOTH_LIVE, logs.promoted(C, previous=B), logs.rolled_back(A, C))

    assert place.served == (A,)


def test_a_rollback_to_what_has_never_served_here_takes_the_place_of_the_bad_one() -> None:
    place = production(*BOTH_LIVE, logs.rolled_back(D, B))

    assert place.served == (A, D)


def test_a_release_that_comes_back_later_serves_again() -> None:
    place = production(*BOTH_LIVE, logs.promoted(A, previous=B))

    assert place.served == (A, B, A)
    assert place.previous == B


def test_a_repeated_deployment_is_no_second_beginning() -> None:
    once, twice = after(*RELEASED), after(*RELEASED, logs.deployed(A))

    assert twice.environments["qa"].served == (A,)
    assert twice.environments["qa"].since == once.environments["qa"].since


def test_a_rollback_goes_past_what_is_on_hold_or_revoked_anywhere() -> None:
    third = (*BOTH_LIVE, logs.promoted(C, previous=B))

    assert rollback_target(after(*third, logs.held(B)), "production") == A
    assert rollback_target(after(*third, logs.revoked(B)), "production") == A
    assert rollback_target(after(*third, logs.revoked(B), logs.verified(B)), "production") == B
    assert rollback_target(after(*third, logs.held(B), logs.held(A)), "production") is None
    assert rollback_target(after(*third, logs.held(B, environment="qa")), "production") == B


def test_a_rollback_goes_past_what_nobody_has_verified() -> None:
    after_an_unknown = after(*BOTH_LIVE, logs.promoted(D, previous=B), logs.promoted(C, previous=D))

    assert unfit(after_an_unknown, D) == f"release {D[:12]} was never verified"
    assert unfit(after_an_unknown, B) == ""
    assert rollback_target(after_an_unknown, "production") == B


def test_only_a_verified_release_is_eligible() -> None:
    assert not eligible(after(*RELEASED[:2]), "qa", A)
    assert eligible(after(*RELEASED), "qa", A)
    assert not eligible(after(*RELEASED), "qa", B)
    assert not eligible(after(*RELEASED), "staging", A)


def test_verified_elsewhere_is_not_verified_in_the_environment_before() -> None:
    assert not eligible(after(*RELEASED[:2], logs.verified(A, "production")), "qa", A)


def test_what_was_never_registered_is_not_eligible_however_verified() -> None:
    assert not eligible(after(logs.deployed(A), logs.verified(A)), "qa", A)
    assert not eligible(after(logs.deployed(A)), None, A)


def test_before_the_first_environment_every_registered_release_is_eligible() -> None:
    assert eligible(after(logs.registered(A, 1)), None, A)


def test_a_revoked_verification_takes_eligibility_away_until_the_next_one() -> None:
    withdrawn = (*RELEASED, logs.revoked(A, "golden rows differ"))

    assert not eligible(after(*withdrawn), "qa", A)
    assert after(*withdrawn).environments["qa"].revoked == {A: "golden rows differ"}
    assert eligible(after(*withdrawn, logs.verified(A)), "qa", A)
    assert after(*withdrawn, logs.verified(A)).environments["qa"].revoked == {}


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (RELEASED, ()),
        ((), ("is not registered",)),
        (RELEASED[:2], ("was not verified in qa",)),
        ((*RELEASED, logs.revoked(A)), ("the verification of", "in qa was revoked: answers differ")),
        ((*RELEASED, logs.held(A)), ("is on hold in production: wait",)),
        ((*RELEASED, logs.held(A), logs.hold_released(A)), ()),
        ((*RELEASED, logs.held(A, environment="qa")), ("is on hold in qa: wait",)),
        ((*RELEASED, logs.aborted(A)), ("is on hold in production: slow",)),
    ],
)
def test_what_is_in_the_way_of_a_promotion_is_said(entries: tuple[Entry, ...], found: tuple[str, ...]) -> None:
    reasons = obstacles(after(*entries), before="qa", environment="production", release=A)

    assert len(reasons) == min(len(found), 1)
    assert all(part in reasons[0] for part in found)


def test_everything_in_the_way_is_said_at_once() -> None:
    reasons = obstacles(after(*RELEASED[:2], logs.held(A)), before="qa", environment="production", release=A)

    assert [reason.partition(" ")[2].partition(" ")[2] for reason in reasons] == [
        "was not verified in qa",
        "is on hold in production: wait",
    ]


def test_environments_are_whatever_the_team_calls_them() -> None:
    state = after(logs.registered(A, 1), logs.deployed(A, "integration"), logs.promoted(A, environment="eu-1"))

    assert set(state.environments) == {"integration", "eu-1"}


def test_the_latest_event_of_each_kind_and_of_each_environment_is_at_hand() -> None:
    state = after(*BOTH_LIVE)

    assert state.events == len(BOTH_LIVE)
    assert state.latest["promoted"].number == len(BOTH_LIVE)
    assert state.environments["qa"].last.number == len(BOTH_LIVE) - 1


def serving_at(events: Sequence[Event], environment: str, time: datetime) -> Event | None:
    return Served(events).serving(environment, timestamp(time))


class TestServingAt:
    EVENTS = log_of(*LIVE, *SECOND, logs.promoted(B, previous=A), logs.rolled_back(A, B))  # 7: A, 11: B, 12: A

    @pytest.mark.parametrize(
        ("minute", "number"), [(0, None), (6, None), (6.99, None), (7, 7), (10, 7), (11, 11), (12, 12), (9999, 12)]
    )
    def test_what_served_at_a_moment(self, minute: float, number: int | None) -> None:
        began = serving_at(self.EVENTS, "production", moment(0) + timedelta(minutes=minute))

        assert (began.number if began else None) == number

    def test_environments_are_told_apart(self) -> None:
        began = serving_at(self.EVENTS, "qa", moment(8))
        assert began is not None
        assert began.number == 2
        assert serving_at(self.EVENTS, "staging", moment(9999)) is None

    def test_a_moment_may_come_with_any_zone_or_with_none(self) -> None:
        tokyo = moment(7).astimezone(timezone(timedelta(hours=9)))

        for same in [tokyo, moment(7).replace(tzinfo=None)]:
            began = serving_at(self.EVENTS, "production", same)
            assert began is not None
            assert began.number == 7

    def test_a_rollback_after_an_abort_does_not_begin_anything(self) -> None:
        events = log_of(*LIVE, *SECOND, logs.aborted(B), logs.rolled_back(A, B))
        began = serving_at(events, "production", datetime.max)

        assert began is not None
        assert began.number == 7


ENTRIES = st.one_of(
    *(
        st.builds(make, st.sampled_from([A, B, C]))
        for make in (logs.deployed, logs.verified, logs.revoked, logs.promoted, logs.aborted, logs.held)
    ),
    st.builds(logs.hold_released, st.sampled_from([A, B, C])),
    st.builds(logs.registered, st.sampled_from([A, B, C]), st.integers(1, 3)),
    st.builds(logs.rolled_back, st.sampled_from([A, B, C]), st.sampled_from([A, B, C])),
    st.builds(logs.opened, st.sampled_from([A, B, C]), st.integers(1, 3)),
    st.builds(logs.step, st.sampled_from([A, B, C]), st.sampled_from([10, 50])),
)


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=30))
def test_whatever_happens_the_answers_agree_with_each_other(entries: list[Entry]) -> None:
    events = log_of(*entries)
    state = fold(events)

    for name, place in state.environments.items():
        began = serving_at(events, name, moment(len(events)))
        assert (began.subject["release"] if began else None) == place.release == champion(state, name)
        assert place.release is None or place.served[-1] == place.release
        assert not place.verified & set(place.revoked)
        target = rollback_target(state, name)
        assert target is None or (target in place.served and target not in place.holds and target != place.release)
        assert place.rollout is None or place.rollout.share in {10, 50}
    for release in (A, B, C):
        clear = not obstacles(state, before="qa", environment="production", release=release)
        assert not clear or eligible(state, "qa", release)


@pytest.mark.parametrize("environment", [["qa"], {"qa": 1}, 7, None])
def test_an_environment_in_a_kind_that_has_none_is_kept_and_not_interpreted(environment: object) -> None:
    kind, subject = "retrain-opened", {"pull_request": 1, "reason": "drift", "environment": environment}

    assert after((kind, subject)).environments == {}
