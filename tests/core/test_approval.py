"""Who may let a promotion through: a table of cases, and what holds for all of them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.core.approval import ApprovalDecision, Demand, Review, decide, teams_of

HEAD, OLDER, ELSEWHERE = "a" * 40, "b" * 40, "e" * 40
OWNERS = {"@acme/ml-owners": {"Ada", "bob"}, "@acme/auditors": {"eve"}}
minutes = itertools.count()


def review(reviewer: str, verdict: str = "approved", commit: str = HEAD, time: str = "") -> Review:
    minute = next(minutes)
    moment = time or f"2026-11-21T{minute // 60:02}:{minute % 60:02}:00Z"
    return Review(reviewer=reviewer, commit=commit, verdict=verdict, time=moment)


def decided(*reviews: Review, required: int = 1, **demand: Any) -> ApprovalDecision:
    return decide(
        Demand(required=required, **demand),
        head=HEAD,
        author="carol",
        last_pusher="dan",
        reviews=reviews,
        members=OWNERS,
        elsewhere={ELSEWHERE},
    )


@pytest.mark.parametrize(
    ("reviews", "settings", "by"),
    [
        pytest.param([], {"required": 0}, (), id="nobody has to be asked"),
        pytest.param([review("ada")], {}, ("ada",), id="anybody"),
        pytest.param([review("ada")], {"people": ("ada",)}, ("ada",), id="a user"),
        pytest.param([review("Ada")], {"people": ("@ada",)}, ("Ada",), id="a user as CODEOWNERS spells it"),
        pytest.param([review("ADA")], {"people": ("@Acme/ML-owners",)}, ("ADA",), id="a team's member, in any case"),
        pytest.param([review("eve")], {"people": ("ada", "@acme/auditors")}, ("eve",), id="one of several entries"),
        pytest.param([review("ada"), review("bob")], {"required": 2}, ("ada", "bob"), id="two of two"),
        pytest.param([review("ada"), review("bob")], {}, ("ada", "bob"), id="more than are asked for"),
        pytest.param(
            [review("ada", "changes-requested"), review("ada")], {}, ("ada",), id="objects, later approves"
        ),
        pytest.param([review("ada"), review("ada", commit=OLDER)], {}, ("ada",), id="an older commit after it"),
        pytest.param(
            [review("eve", "changes-requested"), review("ada")],
            {"people": ("@acme/ml-owners",)},
            ("ada",),
            id="an objection of somebody who has no say",
        ),
        pytest.param(
            [review("bob", "changes-requested", commit=ELSEWHERE), review("ada")], {}, ("ada",),
            id="objects to another release",
        ),
        pytest.param(
            [review("bob", "changes-requested", commit=OLDER), review("bob"), review("ada")], {}, ("bob", "ada"),
            id="objects, and approves after a push",
        ),
        pytest.param(
            [review("bob", "changes-requested", commit=OLDER), review("bob", commit="c" * 40), review("ada")], {},
            ("ada",), id="an objection that was taken back at a commit in between",
        ),
        pytest.param(
            [review("bob", "changes-requested", commit=OLDER), review("bob", "dismissed", commit=OLDER), review("ada")],
            {}, ("ada",), id="an objection to an older commit that was dismissed",
        ),
        pytest.param([review("ada"), review("ada", commit=ELSEWHERE)], {}, ("ada",), id="another release after it"),
        pytest.param([review("ada")], {"owners": ("@ada",)}, ("ada",), id="an owner, and nobody else is named"),
        pytest.param([review("bob")], {"owners": ("@acme/ml-owners",)}, ("bob",), id="an owner by their team"),
        pytest.param(
            [review("ada")], {"people": ("ada", "eve"), "owners": ("@ada",)}, ("ada",), id="an owner who is named, too"
        ),
        pytest.param(
            [review("eve"), review("ada")], {"people": ("eve", "ada"), "owners": ("@acme/ml-owners",), "required": 2},
            ("eve", "ada"), id="one of two is an owner",
        ),
        pytest.param(
            [review("ada")], {"owners": ("@ada", "ops@example.org")}, ("ada",), id="an owner beside an address"
        ),
        pytest.param([review("Ada Lovelace")], {"people": ("ada lovelace",)}, ("Ada Lovelace",), id="a full name"),
        pytest.param(
            [review("ada"), review("a\u200bda", "changes-requested")], {"people": ("ada",)}, ("ada",),
            id="somebody who looks like her takes nothing back",
        ),
        pytest.param([review("Zo\u00eb")], {"people": ("Zo\u00eb",)}, ("Zo\u00eb",), id="a name that is not ASCII"),
        pytest.param(
            [review("ada", time="2026-11-21T10:00:00Z"), review("ada", "dismissed", time="2026-11-21T10:00:00Z"),
             review("bob", "changes-requested", time="2026-11-21T10:00:00Z"),
             review("bob", time="2026-11-21T10:00:00Z")],
            {}, ("bob",), id="at the same time the one given last",
        ),
        pytest.param(
            [review("bob", "changes-requested"), review("bob", "dismissed"), review("ada")], {}, ("ada",),
            id="an objection that was dismissed",
        ),
        pytest.param(
            [review("lint[bot]", "changes-requested"), review("ada")], {}, ("ada",), id="an objection of a bot"
        ),
        pytest.param(
            [review("ada", time="2026-11-21T10:00:00.5Z"), review("ada", "dismissed", time="2026-11-21T10:00:00Z")],
            {}, ("ada",), id="out of order, with and without a fraction",
        ),
        pytest.param(
            [review("ada", time="2026-11-21T10:00:00"), review("ada", "dismissed", time="2026-11-21T11:59:00+02:00")],
            {}, ("ada",), id="out of order, in several time zones",
        ),
    ],
)  # fmt: skip
def test_grants(reviews: list[Review], settings: dict[str, object], by: tuple[str, ...]) -> None:
    decision = decided(*reviews, **settings)
    assert decision.granted
    assert decision.by == by
    assert decision.missing == 0


@pytest.mark.parametrize(
    ("reviews", "settings", "missing", "says"),
    [
        pytest.param([], {}, 1, "0 of 1 required approvals of commit aaaaaaaaaaaa", id="nobody said anything"),
        pytest.param([review("ada")], {"required": 2}, 1, "1 of 2", id="one of two"),
        pytest.param([review("ada"), review("ADA")], {"required": 2}, 1, "1 of 2", id="one person twice"),
        pytest.param([review("ada", commit=OLDER)], {}, 1, "not what the pull request shows now", id="stale"),
        pytest.param([review("carol")], {}, 1, "carol is the author", id="the author"),
        pytest.param([review("Carol")], {}, 1, "is the author", id="the author in capitals"),
        pytest.param([review("dan")], {}, 1, "dan pushed the last commit", id="who pushed last"),
        pytest.param([review("merge[bot]")], {}, 1, "is a bot", id="a bot"),
        pytest.param([review("ada", "dismissed")], {}, 1, "dismissed", id="dismissed at once"),
        pytest.param(
            [review("ada"), review("ada", "changes-requested"), review("ada", "dismissed")],
            {},
            1,
            "dismissed",
            id="a dismissed objection brings no earlier approval back",
        ),
        pytest.param(
            [review("bob", "changes-requested", commit=OLDER), review("ada")],
            {},
            0,
            "bob asks for changes, until",
            id="an objection that a push does not take away",
        ),
        pytest.param(
            [review("bob"), review("bob", "changes-requested", commit=OLDER)],
            {},
            1,
            "bob asks for changes",
            id="approves the head, and objects to an older commit after that",
        ),
        pytest.param(
            [review("bob", "changes-requested", commit=OLDER), review("bob", commit=ELSEWHERE), review("ada")],
            {},
            0,
            "bob asks for changes",
            id="approving another release takes no objection back",
        ),
        pytest.param(
            [review("ada", commit=ELSEWHERE)], {}, 1, "proposed another release", id="approves another release"
        ),
        pytest.param([review("eve")], {"owners": ("@ada",)}, 1, "eve is not among", id="no owner"),
        pytest.param(
            [review("eve")],
            {"people": ("eve",), "owners": ("@ada", "@bob")},
            1,
            "none of the approvals is an owner's; CODEOWNERS names @ada, @bob",
            id="named, and no owner among them",
        ),
        pytest.param(
            [review("ada")], {"people": ("eve",), "owners": ("@ada",)}, 1, "ada is not among", id="an owner not named"
        ),
        pytest.param(
            [review("eve"), review("ada", "changes-requested")],
            {"people": ("eve",), "owners": ("@ada",)},
            1,
            "ada asks for changes",
            id="an owner who is not named may object",
        ),
        pytest.param(
            [review("ada")],
            {"owners": ("ada@example.org",)},
            1,
            "ada@example.org is an e-mail address",
            id="an owner by e-mail address",
        ),
        pytest.param(
            [review("ada@example.org")], {"owners": ("ops@example.org",)}, 1, "e-mail address", id="an address reviews"
        ),
        pytest.param(
            [review("ada")],
            {"required": 2, "why": "the model is marked as high risk"},
            1,
            "1 of 2 required approvals of commit aaaaaaaaaaaa (the model is marked as high risk)",
            id="high risk",
        ),
        pytest.param([review("")], {}, 1, "somebody without a name", id="no name"),
        pytest.param([review(" \u200b\t")], {}, 1, "somebody without a name", id="an invisible name"),
        pytest.param([review("")], {"people": ("@",)}, 1, "somebody without a name", id="nobody may not approve"),
        pytest.param([review("c\u200barol")], {}, 1, "is the author", id="the author with a zero-width space"),
        pytest.param([review("\uff43arol")], {}, 1, "is the author", id="the author in full-width letters"),
        pytest.param([review(" @Carol ")], {}, 1, "is the author", id="the author between spaces"),
        pytest.param([review("lint[BOT]")], {}, 1, "is a bot", id="a bot in capitals"),
        pytest.param([review("\u212aate")], {"people": ("kate",)}, 1, "not among", id="the Kelvin sign is no k"),
        pytest.param(
            [review("a\x1b[2J\n\u200bb")],
            {"people": ("ada",)},
            1,
            r"a\x1b[2J\n\u200bb is not among",
            id="a name that a terminal would obey",
        ),
        pytest.param([review("ad\u0430")], {"people": ("ada",)}, 1, "not among", id="a Cyrillic letter"),
        pytest.param([review("ada ")], {"people": ("ada",)}, 1, "not among", id="a space too many"),
        pytest.param(
            [review("bob"), review("b\u200bob")], {"required": 2}, 1, "1 of 2", id="one person under two spellings"
        ),
        pytest.param([review("ada")], {"people": ("@acme",)}, 1, "not among", id="an organisation is no user"),
        pytest.param([review("ada"), review("ada", "dismissed")], {}, 1, "dismissed", id="dismissed later"),
        pytest.param([review("eve")], {"people": ("ada",)}, 1, "eve is not among", id="somebody else"),
        pytest.param([review("eve")], {"people": ("@acme/ml-owners",)}, 1, "eve is not among", id="not of the team"),
        pytest.param(
            [review("ada")], {"people": ("@acme/unheard-of",)}, 1, "@acme/unheard-of are not known", id="unknown"
        ),
        pytest.param(
            [review("ada"), review("ada", "changes-requested")], {}, 1, "ada asks for changes", id="changed their mind"
        ),
        pytest.param(
            [review("ada"), review("bob", "changes-requested")], {}, 0, "bob asks for changes", id="one objects"
        ),
        pytest.param(
            [review("ada", commit=HEAD[:12])], {}, 1, "not what the pull request shows", id="an abbreviated commit"
        ),
    ],
)
def test_refuses_and_says_why(reviews: list[Review], settings: dict[str, object], missing: int, says: str) -> None:
    decision = decided(*reviews, **settings)
    assert not decision.granted
    assert decision.missing == missing
    assert says in "\n".join(decision.reasons)


def test_a_negative_number_of_approvals_is_no_way_around_them() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        decided(required=-1)


def test_the_teams_that_have_to_be_known_are_each_named_once() -> None:
    demand = Demand(required=1, people=("ada", "@acme/ml", "@acme/ops"), owners=("@acme/ml", "@bob", "x@example.org"))
    assert teams_of(demand) == ["@acme/ml", "@acme/ops"]
    assert teams_of(Demand(required=0)) == []


NAMES = ["ada", "Ada", "bob", "eve", "carol", "dan", "lint[bot]", "", "c\u200barol", "mallory"]
REVIEWS = st.builds(
    Review,
    reviewer=st.sampled_from(NAMES),
    commit=st.sampled_from([HEAD, OLDER, ELSEWHERE]),
    verdict=st.sampled_from(["approved", "changes-requested", "dismissed"]),
    time=st.sampled_from(["2026-11-21T10:00:00Z", "2026-11-21T11:00:00+01:00", "2026-11-21T12:00:00Z"]),
)
DEMANDS = st.builds(
    Demand,
    required=st.integers(1, 2),
    people=st.sampled_from([(), ("ada", "bob"), ("@acme/ml-owners", "eve")]),
    owners=st.sampled_from([(), ("@bob",), ("@acme/auditors",)]),
)


def outcome(demand: Demand, reviews: list[Review], head: str = HEAD) -> ApprovalDecision:
    return decide(
        demand, head=head, author="carol", last_pusher="dan", reviews=reviews, members=OWNERS, elsewhere={ELSEWHERE}
    )


@given(DEMANDS, st.lists(REVIEWS, max_size=8), REVIEWS, st.integers(0, 8))
def test_what_somebody_says_who_has_no_say_changes_nothing(
    demand: Demand, reviews: list[Review], another: Review, place: int
) -> None:
    for name in (
        "carol",
        "CAROL",
        "dan",
        "lint[bot]",
        "",
        *(["mallory", "a\u200bda"] if demand.people or demand.owners else []),
    ):
        more = [*reviews[:place], replace(another, reviewer=name), *reviews[place:]]
        one, other = outcome(demand, reviews), outcome(demand, more)
        assert (one.granted, one.by, one.missing) == (other.granted, other.by, other.missing)


@given(DEMANDS, st.lists(REVIEWS, max_size=8))
def test_a_push_ends_it(demand: Demand, reviews: list[Review]) -> None:
    decision = outcome(demand, reviews, head="d" * 40)
    assert (decision.granted, decision.by) == (False, ())


@given(DEMANDS, st.lists(REVIEWS, max_size=8))
def test_it_is_granted_by_enough_different_people_or_says_why_not(demand: Demand, reviews: list[Review]) -> None:
    decision = outcome(demand, reviews)
    assert decision.granted == (not decision.missing and not any("asks for changes" in why for why in decision.reasons))
    assert decision.granted or decision.reasons
    assert len({name.lower() for name in decision.by}) == len(decision.by)
    if decision.granted:
        assert len(decision.by) >= demand.required
        approving = {review.reviewer for review in reviews if (review.commit, review.verdict) == (HEAD, "approved")}
        assert set(decision.by) <= approving - {"carol", "dan", "lint[bot]", "", "c\u200barol"}


@given(DEMANDS, st.lists(REVIEWS, max_size=8), st.randoms(use_true_random=False))
def test_reviews_of_different_moments_may_come_in_any_order(
    demand: Demand, reviews: list[Review], shuffler: Any
) -> None:
    timed = [replace(each, time=f"2026-11-21T10:00:{second:02}Z") for second, each in enumerate(reviews)]
    shuffled = list(timed)
    shuffler.shuffle(shuffled)
    assert outcome(demand, timed) == outcome(demand, shuffled)


@given(DEMANDS, st.lists(REVIEWS, max_size=8), st.sampled_from(["ada", "bob", "eve"]))
def test_an_objection_said_last_is_always_heard(demand: Demand, reviews: list[Review], who: str) -> None:
    last = Review(reviewer=who, commit=HEAD, verdict="changes-requested", time="2026-11-21T13:00:00Z")
    has_a_say = outcome(replace(demand, required=1), [replace(last, verdict="approved")])
    may = who in has_a_say.by or not (demand.people or demand.owners)
    assert not (may and outcome(demand, [*reviews, last]).granted)


@settings(max_examples=30)
@given(st.lists(REVIEWS, max_size=5))
def test_nobody_has_to_be_asked_whatever_was_said(reviews: list[Review]) -> None:
    assert outcome(Demand(required=0), reviews).granted


def test_a_review_without_a_time_cannot_be_put_in_order() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        decided(review("ada", time="yesterday"))


def test_whoever_may_not_write_counts_only_where_they_are_named() -> None:
    stranger = replace(review("eve"), writes=False)
    unheard = decided(stranger)
    assert not unheard.granted
    assert "eve may not write to the repository" in unheard.reasons
    assert decided(stranger, people=("eve",)).by == ("eve",)
    assert decided(stranger, owners=("@acme/auditors",)).by == ("eve",)
    against = replace(review("eve", "changes-requested"), writes=False)
    assert decided(against, review("ada")).by == ("ada",)
    assert decided(against, review("ada")).granted
    assert not decided(against, review("ada"), people=("ada", "eve")).granted
