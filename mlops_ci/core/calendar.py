"""When releases may come into an environment: its weekly windows, and the days on which it is frozen.

The clock on the wall of the window's timezone decides. So a time that daylight saving skips never comes, and one that
it repeats comes twice: a window from 02:00 to 02:30 is open in both of the hours, or in neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby

from mlops_ci.core.events import timestamp

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""As `date.weekday` counts them."""
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_SEARCHED_DAYS = 15
"""After these every window has come again, even where daylight saving took it away once."""
_LAST_YEAR = 9998
"""A freeze until later than this has no end that the calendar could name."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Open on each of `days` (0 is Monday) from `opens` until `closes` comes next, which may be on the day after.

    `closes` itself is outside. Where the two are equal the window is open for a whole day.
    """

    days: frozenset[int]
    opens: time
    closes: time
    timezone: tzinfo

    def contains(self, moment: datetime) -> bool:
        """Whether the window is open at the moment, which knows its own timezone."""
        wall = moment.astimezone(self.timezone)
        at, today, yesterday = wall.time(), wall.weekday(), (wall.weekday() - 1) % 7
        if self.opens < self.closes:
            return today in self.days and self.opens <= at < self.closes
        return (today in self.days and at >= self.opens) or (yesterday in self.days and at < self.closes)

    def __str__(self) -> str:
        closes = self.closes.isoformat("minutes") if self.closes != time(0) else "24:00"
        return f"{_spans(self.days)} {self.opens.isoformat('minutes')} to {closes} {self.timezone}"


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """No release comes in from the day `first` to the day `last`, both included; None is without beginning or end."""

    first: date | None
    last: date | None
    reason: str
    timezone: tzinfo

    def contains(self, moment: datetime) -> bool:
        """Whether the moment, which knows its own timezone, is on one of the days."""
        today = moment.astimezone(self.timezone).date()
        return (self.first is None or self.first <= today) and (self.last is None or today <= self.last)

    @property
    def endless(self) -> bool:
        return self.last is None or self.last.year > _LAST_YEAR

    def __str__(self) -> str:
        until = "with no end" if self.endless else f"until the end of {self.last} {self.timezone}"
        return f"frozen {until}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Closed:
    """Why nothing may come in now, and when it may again (in UTC); `opens` None is: never, as things are declared."""

    reason: str
    opens: datetime | None

    def __str__(self) -> str:
        again = f"it opens at {timestamp(self.opens)}" if self.opens else "it never opens, as mlops.yaml has it"
        return f"{self.reason}; {again}"


def closed(now: datetime, *, windows: Sequence[Window], freezes: Sequence[Freeze]) -> Closed | None:
    """Why releases may not come in at `now`; None where they may. Without windows it is always open but for freezes.

    `now` has to know its timezone.
    """
    if _open(now, windows, freezes):
        return None
    frozen = [str(each) for each in freezes if each.contains(now)]
    reason = "; ".join(frozen) or f"outside its windows ({'; '.join(map(str, windows))})"
    if any(each.endless and each.contains(now) for each in freezes):
        return Closed(reason=reason, opens=None)
    later = sorted(moment for moment in _openings(now, windows, freezes) if moment > now)
    return Closed(reason=reason, opens=next((moment for moment in later if _open(moment, windows, freezes)), None))


def _open(moment: datetime, windows: Sequence[Window], freezes: Sequence[Freeze]) -> bool:
    if any(each.contains(moment) for each in freezes):
        return False
    return not windows or any(each.contains(moment) for each in windows)


def _openings(now: datetime, windows: Sequence[Window], freezes: Sequence[Freeze]) -> Iterator[datetime]:
    """All moments at which it may become open: a freeze ends, or a window opens in the days after now or after that."""
    thaws = [thaw for each in freezes if each.last is not None and not each.endless
             for thaw in _when(each.last + _DAY, time(0), each.timezone)]  # fmt: skip
    yield from thaws
    for window in windows:
        for base in (now, *thaws):
            today = base.astimezone(window.timezone).date()
            for days in range(-1, _SEARCHED_DAYS):
                yield from _when(today + days * _DAY, window.opens, window.timezone)


def _when(day: date, at: time, timezone: tzinfo) -> Iterator[datetime]:
    """The moments, in UTC, at which a clock there begins to show that time: two where it comes twice.

    Where the clock skips the time (PEP 495 calls that a gap), it is the moment of the jump.
    """
    wall = datetime.combine(day, at)
    one, other = (wall.replace(tzinfo=timezone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if one <= other:
        yield one
        yield other
        return
    moment = other
    while moment.astimezone(timezone).replace(tzinfo=None) < wall:
        moment += _MINUTE
    yield moment


def _spans(days: Iterable[int]) -> str:
    """Days as people say them.

    >>> _spans({0, 1, 2, 3, 4}), _spans({0, 5, 6}), _spans(range(7))
    ('monday to friday', 'monday, saturday to sunday', 'every day')
    """
    if len(set(days)) == len(DAYS):
        return "every day"
    runs = []
    for _, run in groupby(enumerate(sorted(days)), key=lambda pair: pair[1] - pair[0]):
        span = [DAYS[day] for _, day in run]
        runs.append(span[0] if len(span) == 1 else f"{span[0]} to {span[-1]}")
    return ", ".join(runs)
