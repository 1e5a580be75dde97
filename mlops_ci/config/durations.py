"""Durations as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

_WRITTEN = re.compile(r"[0-9]{1,6}[smhdw]")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def is_duration(text: str) -> bool:
    """As the schema has it, for what comes from elsewhere.

    >>> is_duration("2s"), is_duration("1.5s")
    (True, False)
    """
    return _WRITTEN.fullmatch(text) is not None


def duration(text: str) -> timedelta:
    """A whole number with its unit. The schema has made sure that it is one.

    >>> str(duration("90s")), duration("2w").days
    ('0:01:30', 14)
    """
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
