"""Whether a promotion may go ahead: the reviews of its pull request against what the environment demands."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mlops_ci.core.naming import one_line


@dataclass(frozen=True, kw_only=True)
class Review:
    """What somebody said about the commit that they saw. `time` is ISO 8601, in UTC where it names no zone.

    A mere comment, and a review that is not submitted yet, is none. One that was dismissed says so in its own place: it
    is still its author's word, so that what they said before it does not come to life again. `writes` is whether they
    may write to the repository: on a forge that is open to the world, anybody can review.
    """

    reviewer: str
    commit: str
    verdict: Literal["approved", "changes-requested", "dismissed"]
    time: str
    writes: bool = True


@dataclass(frozen=True, kw_only=True)
class Demand:
    """How many have to approve, and who may. `people` and `owners` hold users (`ada`, `@ada`) and teams (`@acme/ml`).

    Where there are `people`, only they may, and where there are `owners` too, one of them at least has to be among
    those who do. Without `people` it is the owners who may, and without either anybody who may write to the repository.
    `why` says where it comes from.
    """

    required: int
    people: Sequence[str] = ()
    owners: Sequence[str] = ()
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class ApprovalDecision:
    """`by` are those whose approvals count; `missing` more are needed; `reasons` say what was not counted and why."""

    granted: bool
    by: tuple[str, ...]
    missing: int
    reasons: tuple[str, ...]


def decide(
    demand: Demand,
    *,
    head: str,
    author: str,
    last_pusher: str,
    reviews: Iterable[Review],
    members: Mapping[str, Collection[str]],
    elsewhere: Collection[str] = (),
) -> ApprovalDecision:
    """Counts the approvals of commit `head` and lets one eligible person's request for changes outweigh them all.

    An approval is of one commit; whatever is pushed after it makes it stale. A request for changes stands until the
    same person approves or it is dismissed, but not if it was made to a commit `elsewhere`: one that proposed another
    release. Of several reviews by one person the latest counts; of those given at the same time, the one given last.
    The author, who pushed last and bots never count. `members` are by team. `required` 0 is granted without asking.

    To count, a name has to be written as it is known, but for the case of ASCII letters (that is how forges compare).
    To be left out it need only look like the author's or the last pusher's.
    """
    if demand.required < 0:
        raise ValueError(f"the number of required approvals is {demand.required}; it cannot be negative")
    if demand.required == 0:
        return ApprovalDecision(granted=True, by=(), missing=0, reasons=())
    teams = {_name(team): {_name(member) for member in names} for team, names in members.items()}
    people, owners = _expanded(demand.people, teams), _expanded(demand.owners, teams)
    may = people if demand.people else owners if demand.owners else None
    barred = {_look(author): "is the author", _look(last_pusher): "pushed the last commit"}
    approved: list[str] = []
    objections: list[str] = []
    standing = _standing(reviews, head, elsewhere)
    reasons = [*_unmatched(demand, teams, {_name(review.reviewer) for review in standing})]
    for review in standing:
        who = one_line(review.reviewer)
        objects = review.verdict == "changes-requested"
        heard = may | owners if may is not None and objects else may
        why_not = _refusal(review, head=head, elsewhere=elsewhere, barred=barred, may=heard)
        if why_not:
            reasons.append(why_not)
        elif objects:
            objections.append(f"{who} asks for changes, until they approve or that review is dismissed")
        elif _look(review.reviewer) in map(_look, approved):
            reasons.append(f"{who} looks like somebody who is counted already")
        else:
            approved.append(review.reviewer)
    missing = max(demand.required - len(approved), 0)
    if missing:
        because = f" ({demand.why})" if demand.why else ""
        reasons.insert(0, f"{len(approved)} of {demand.required} required approvals of commit {head[:12]}{because}")
    elif demand.owners and owners.isdisjoint(map(_name, approved)):
        missing = 1
        reasons.insert(0, f"none of the approvals is an owner's; CODEOWNERS names {', '.join(demand.owners)}")
    return ApprovalDecision(
        granted=not missing and not objections,
        by=tuple(approved),
        missing=missing,
        reasons=(*objections, *reasons),
    )


def teams_of(demand: Demand) -> list[str]:
    """The teams whose members have to be known to decide, as written, each once."""
    return list(dict.fromkeys(entry for entry in (*demand.people, *demand.owners) if "/" in entry))


def _expanded(entries: Sequence[str], teams: Mapping[str, Collection[str]]) -> set[str]:
    """The names of all users meant."""
    names: set[str] = set()
    for entry in entries:
        names |= set(teams.get(_name(entry), ())) if "/" in entry else {_name(entry)}
    return names - {""}


def _unmatched(demand: Demand, teams: Mapping[str, Collection[str]], reviewers: Collection[str]) -> Iterable[str]:
    """A line for each of those named from whom no approval can be counted."""
    for entry in dict.fromkeys((*demand.people, *demand.owners)):
        if "/" in entry and not teams.get(_name(entry)):
            yield f"the members of team {entry} are not known, so none of them can be counted"
        elif "@" in entry.removeprefix("@") and _name(entry) not in reviewers:
            yield f"the owner {entry} is an e-mail address, and a review tells only a user's name, but on Azure DevOps"


def _standing(reviews: Iterable[Review], head: str, elsewhere: Collection[str]) -> list[Review]:
    """The one review of each person that says what they think by now, in the order in which the people first spoke.

    What was said of the head is not outdone by an approval of another commit, and what was said of a commit elsewhere
    counts only for somebody who said nothing else.
    """
    latest: dict[str, Review] = {}
    for review in sorted(reviews, key=_moment):
        known = latest.get(_name(review.reviewer))
        outdone = (
            known is None
            or known.commit in elsewhere
            or (review.commit not in elsewhere and known.commit != head)
            or (review.commit not in elsewhere and review.verdict == "changes-requested")
            or review.commit == head
        )
        if outdone:
            latest[_name(review.reviewer)] = review
    return list(latest.values())


def _refusal(
    review: Review, *, head: str, elsewhere: Collection[str], barred: Mapping[str, str], may: Collection[str] | None
) -> str:
    """Why the review does not count; empty where it does."""
    who, what, at = one_line(review.reviewer), review.verdict.replace("-", " "), one_line(review.commit[:12])
    look = _look(review.reviewer)
    if not look:
        return f"{what} by somebody without a name"
    if review.commit in elsewhere:
        return f"{who}: {what} at commit {at}, which proposed another release"
    if review.verdict == "dismissed":
        return f"{who}: the review was dismissed"
    if review.commit != head and review.verdict != "changes-requested":
        return f"{who}: {what} at commit {at}, which is not what the pull request shows now"
    if look.endswith("[bot]"):
        return f"{who} is a bot"
    return f"{who} {barred[look]}" if look in barred else _outsider(review, may)


def _outsider(review: Review, may: Collection[str] | None) -> str:
    """Why the reviewer is none of those who may approve; empty where they are."""
    if may is None:
        return "" if review.writes else f"{one_line(review.reviewer)} may not write to the repository"
    return "" if _name(review.reviewer) in may else f"{one_line(review.reviewer)} is not among those who may approve"


def _moment(review: Review) -> datetime:
    moment = datetime.fromisoformat(review.time)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _name(name: str) -> str:
    """What two spellings of one name have in common: only ASCII letters have a case that forges look past."""
    bare = name.removeprefix("@")
    return bare.lower() if bare.isascii() else bare


def _look(name: str) -> str:
    """What the name looks like: without what cannot be seen, and with compatible characters for one (Unicode NFKC)."""
    visible = (character for character in name if unicodedata.category(character) not in ("Cc", "Cf"))
    return unicodedata.normalize("NFKC", "".join(visible)).strip().removeprefix("@").casefold()
