from __future__ import annotations

import itertools

import pytest

from mlops_ci.core.approval import ApprovalDecision, Review, decide

HEAD, OLDER = "a" * 40, "b" * 40
OWNERS = {"@acme/ml-owners": {"Ada", "bob"}, "@acme/auditors": {"eve"}}
minutes = itertools.count()


def review(reviewer: str, verdict: str = "approved", commit: str = HEAD, time: str = "") -> Review:
    minute = next(minutes)
    moment = time or f"2026-11-21T{minute // 60:02}:{minute % 60:02}:00Z"
    return Review(reviewer=reviewer, commit=commit, verdict=verdict, time=moment)


def decided(*reviews: Review, required: int = 1, people: tuple[str, ...] = ()) -> ApprovalDecision:
    return decide(
        required=required,
        people=people,
        head=HEAD,
        author="carol",
        last_pusher="dan",
        reviews=reviews,
        members=OWNERS,
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
            [review("bob", "changes-requested", commit=OLDER), review("ada")], {}, ("ada",), id="objects to other code"
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
