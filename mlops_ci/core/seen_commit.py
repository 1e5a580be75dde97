"""Which commit somebody saw who approved on a forge that only tells when.

GitLab's approvals and Azure DevOps' votes name no commit. Both tell when they were given, and since when a merge
request shows which commit. An open page may still show the commit before for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

AT_ONCE = timedelta(0)
NOTICE = timedelta(seconds=30)
"""How long a page may need to show a push; both forges' pages ask for news several times in that."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A merge request shows `commit` from the time `since` (ISO 8601) on."""

    commit: str
    since: str


def seen_commit(shown: Iterable[Shown], at: str, *, notice: timedelta = NOTICE) -> str:
    """The commit that everybody saw at the time `at`; empty where none was shown, or where there is no such time.

    A commit counts as seen once it has been shown for as long as `notice`; the first at once, as there was none before.

    >>> shown = [Shown(commit="a", since="2026-11-21T09:00:00Z"), Shown(commit="b", since="2026-11-21T10:00:00Z")]
    >>> [seen_commit(shown, f"2026-11-21T{time}Z") for time in ("08:59:59", "09:00:01", "10:00:20", "10:00:30")]
    ['', 'a', 'a', 'b']
    """
    moment = _moment(at)
    seen = ""
    known = sorted(((_moment(one.since), one.commit) for one in shown), key=lambda pair: pair[0] or _NEVER)
    for position, (since, commit) in enumerate(known):
        if moment is not None and since is not None and since + (notice if position else AT_ONCE) <= moment:
            seen = commit
    return seen


def later(one: str, other: str) -> str:
    """The later of two times; what is no time is earlier than any."""
    return max((one, other), key=lambda text: _moment(text) or _NEVER)


_NEVER = datetime.min.replace(tzinfo=UTC)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
