"""Moments as people write them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops_ci.errors import ConfigurationError

HELP = "ISO 8601; UTC where it names no zone; '2026-03-29T09:00 Europe/Zurich' names one"
_FIX = "for example 2026-11-21T14:30 (UTC), 2026-11-21T15:30+01:00, or '2026-11-21T15:30 Europe/Zurich'"


def moment(text: str | None, flag: str) -> datetime | None:
    """The moment in UTC; None where nothing was given. A date alone is its beginning.

    Raises ConfigurationError for what is no time, and for a local time that the zone has twice or not at all.

    >>> moment("2026-03-29T09:00 Europe/Zurich", "--at").isoformat()
    '2026-03-29T07:00:00+00:00'
    """
    if text is None:
        return None
    written, _, zone = text.strip().partition(" ") if "/" in text else (text.strip(), "", "")
    try:
        found = datetime.fromisoformat(written)
        if zone:
            return _in_zone(found, zone.strip(), text, flag)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"{flag} {text[:80]}: is no time", fix=_FIX) from error


def _in_zone(local: datetime, zone: str, text: str, flag: str) -> datetime:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if local.tzinfo is not None:
        raise ConfigurationError(f"{flag} {text[:80]}: names two zones", fix=_FIX)
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(f"{flag} {text[:80]}: there is no time zone {zone[:80]!r}", fix=_FIX) from error
    earlier, later = (local.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1))
    if earlier == later:
        return earlier
    # Where the clock was put back there are two such moments; where it was put forward none, and both guesses miss it.
    exists = earlier.astimezone(place).replace(tzinfo=None) == local
    said = "is there twice" if exists else "is not there"
    offsets = " or ".join(f"{local.isoformat()}{local.replace(tzinfo=place, fold=fold):%z}" for fold in (0, 1))
    raise ConfigurationError(
        f"{flag} {text[:80]}: {said}, since the clock was changed that day", fix=f"give the offset: {offsets}"
    )
