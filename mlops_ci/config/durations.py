"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """A whole number with its unit. The schema has made sure that it is one.

    >>> str(duration("90s")), duration("2w").days
    ('0:01:30', 14)
    """
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
