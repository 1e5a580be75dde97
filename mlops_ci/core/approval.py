"""Whether a promotion may go ahead: the reviews of its pull request against what the environment demands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Review:
    """What somebody said about the commit that they saw. `time` is ISO 8601, in UTC where it names no zone."""

    reviewer: str
    commit: str
    verdict: Literal["approved", "changes-requested", "dismissed"]
    time: str


@dataclass(frozen=True, kw_only=True)
class ApprovalDecision:
    """`by` are those whose approvals count; `missing` more are needed; `reasons` say what was not counted and why."""

    granted: bool
    by: tuple[str, ...]
    missing: int
    reasons: tuple[str, ...]


def decide(
    *,
    required: int,
    people: Sequence[str],
    head: str,
    author: str,
    last_pusher: str,
    reviews: Iterable[Review],
    members: Mapping[str, Collection[str]],
) -> ApprovalDecision:
    """Counts the approvals of commit `head` and lets one eligible person's request for changes outweigh them all.

    `people` holds users (`ada`, `@ada`) and teams (`@acme/ml-owners`), whose `members` are given by team; empty means
    anybody. Names are compared without regard to case, as forges do. A person's latest review of the head is the one
    that counts; reviews of other commits, of the author, of who pushed last and of bots never do. `required` 0 is
    granted without asking anybody.
    """
    if required < 0:
        raise ValueError(f"the number of required approvals is {required}; it cannot be negative")
    if required == 0:
        return ApprovalDecision(granted=True, by=(), missing=0, reasons=())
    eligible, reasons = _eligible(people, members)
    approved: list[str] = []
    objections: list[str] = []
    for review in _latest_of_each(reviews, head):
        why_not = _refusal(review, head=head, author=author, last_pusher=last_pusher, eligible=eligible)
        if why_not:
            reasons.append(why_not)
        elif review.verdict == "approved":
            approved.append(review.reviewer)
        elif review.verdict == "changes-requested":
            objections.append(f"{review.reviewer} asks for changes")
    missing = max(required - len(approved), 0)
    if missing:
        reasons.insert(0, f"{len(approved)} of {required} required approvals of commit {head[:12]}")
    return ApprovalDecision(
        granted=not missing and not objections,
        by=tuple(approved),
        missing=missing,
        reasons=(*objections, *reasons),
    )


def _eligible(people: Sequence[str], members: Mapping[str, Collection[str]]) -> tuple[set[str] | None, list[str]]:
    """The names that may approve, None for anybody; and a line for each team whose members nobody could tell."""
    if not people:
        return None, []
    teams = {_name(team): {_name(member) for member in names} for team, names in members.items()}
    names: set[str] = set()
    unknown: list[str] = []
    for entry in people:
        if "/" not in entry:
            names.add(_name(entry))
        elif _name(entry) in teams:
            names |= teams[_name(entry)]
        else:
            unknown.append(f"the members of team {entry} are not known, so none of them can be counted")
    return names, unknown


def _latest_of_each(reviews: Iterable[Review], head: str) -> list[Review]:
    """Each person's latest review of the head; of a person who reviewed other commits only, the latest of those."""
    latest: dict[str, Review] = {}
    for review in sorted(reviews, key=_moment):
        known = latest.get(_name(review.reviewer))
        if known is None or review.commit == head or known.commit != head:
            latest[_name(review.reviewer)] = review
    return list(latest.values())


def _refusal(review: Review, *, head: str, author: str, last_pusher: str, eligible: set[str] | None) -> str:
    """Why the review does not count; empty where it does."""
    who, what = review.reviewer, review.verdict.replace("-", " ")
    if review.commit != head:
        return f"{who}: {what} at commit {review.commit[:12]}, which is not what the pull request shows now"
    if review.verdict == "dismissed":
        return f"{who}: the review was dismissed"
    if _name(who).endswith("[bot]"):
        return f"{who} is a bot"
    if _name(who) == _name(author):
        return f"{who} is the author"
    if _name(who) == _name(last_pusher):
        return f"{who} pushed the last commit"
    if eligible is not None and _name(who) not in eligible:
        return f"{who} is not among those who may approve"
    return ""


def _moment(review: Review) -> datetime:
    moment = datetime.fromisoformat(review.time)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _name(name: str) -> str:
    return name.removeprefix("@").casefold()
