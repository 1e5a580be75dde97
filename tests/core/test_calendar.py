"""Windows and freezes by the clock on the wall, over daylight saving, midnight, and the ends of time."""

from __future__ import annotations

import doctest
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.core import calendar
from mlops_ci.core.calendar import Freeze, Window, closed

ZURICH, TOKYO, APIA = ZoneInfo("Europe/Zurich"), ZoneInfo("Asia/Tokyo"), ZoneInfo("Pacific/Apia")
WEEKDAYS, EVERY_DAY = frozenset(range(5)), frozenset(range(7))


def window(opens: str, closes: str, days: frozenset[int] = EVERY_DAY, timezone: ZoneInfo = ZURICH) -> Window:
    return Window(days=days, opens=time.fromisoformat(opens), closes=time.fromisoformat(closes), timezone=timezone)


def freeze(first: str | None, last: str | None, timezone: ZoneInfo = ZURICH) -> Freeze:
    ends = [date.fromisoformat(day) if day else None for day in (first, last)]
    return Freeze(first=ends[0], last=ends[1], reason="year's end", timezone=timezone)


OFFICE = window("09:00", "16:00", WEEKDAYS)
NIGHT = window("22:00", "02:00", frozenset({4}))


@pytest.mark.parametrize(
    ("now", "windows", "freezes", "opens"),
    [
        # 2026-11-20 is a Friday; Zurich is an hour ahead of UTC.
        pytest.param("2026-11-20T07:59:59Z", [OFFICE], [], "2026-11-20T08:00Z", id="a second too early"),
        pytest.param("2026-11-20T08:00:00Z", [OFFICE], [], None, id="it opens"),
        pytest.param("2026-11-20T14:59:59.999999Z", [OFFICE], [], None, id="the last moment"),
        pytest.param("2026-11-20T15:00:00Z", [OFFICE], [], "2026-11-23T08:00Z", id="it closes for the week-end"),
        pytest.param("2026-11-20T17:00:00+09:00", [OFFICE], [], None, id="a clock with another timezone"),
        pytest.param("2026-11-21T12:00Z", [], [], None, id="no windows"),
        pytest.param("2026-11-20T21:30Z", [NIGHT], [], None, id="before midnight"),
        pytest.param("2026-11-21T00:59Z", [NIGHT], [], None, id="after midnight, on a day that is not its own"),
        pytest.param("2026-11-21T01:00Z", [NIGHT], [], "2026-11-27T21:00Z", id="the night is over"),
        pytest.param("2026-11-20T00:30Z", [NIGHT], [], "2026-11-20T21:00Z", id="the night before is not its own"),
        pytest.param("2026-11-22T23:30Z", [window("00:00", "00:00", frozenset({0}))], [], None, id="a whole day"),
        pytest.param("2026-11-23T23:00Z", [window("00:00", "00:00", frozenset({0}))], [], "2026-11-29T23:00Z",
                     id="the end of a whole day"),
        pytest.param("2026-11-20T16:00Z", [OFFICE, window("09:00", "10:00", timezone=TOKYO)], [], "2026-11-21T00:00Z",
                     id="of two windows the one that opens first"),
        # Freezes.
        pytest.param("2026-12-19T22:59Z", [], [freeze("2026-12-20", "2027-01-02")], None, id="the evening before"),
        pytest.param("2026-12-19T23:00Z", [], [freeze("2026-12-20", "2027-01-02")], "2027-01-02T23:00Z",
                     id="its first day, there"),
        pytest.param("2027-01-02T22:59Z", [], [freeze("2026-12-20", "2027-01-02")], "2027-01-02T23:00Z",
                     id="its last day is included"),
        pytest.param("2027-01-02T23:00Z", [], [freeze("2026-12-20", "2027-01-02")], None, id="it thaws"),
        pytest.param("2026-12-21T09:00Z", [OFFICE], [freeze("2026-12-20", "2027-01-02")], "2027-01-04T08:00Z",
                     id="then the next window, after a week-end"),
        pytest.param("2026-12-21T09:00Z", [], [freeze("2026-12-20", "2026-12-22"), freeze("2026-12-23", "2026-12-24")],
                     "2026-12-24T23:00Z", id="one freeze after another"),
        pytest.param("2026-11-20T15:00Z", [OFFICE], [freeze("2026-11-23", "2026-11-24")], "2026-11-25T08:00Z",
                     id="a freeze between now and the next window"),
        pytest.param("2026-11-20T12:00Z", [OFFICE], [freeze(None, "2026-11-20")], "2026-11-23T08:00Z",
                     id="a freeze without a beginning"),
        pytest.param("2026-11-20T12:00Z", [window("22:00", "02:00")], [freeze("2026-11-20", "2026-11-20")],
                     "2026-11-20T23:00Z", id="a thaw in the middle of a window"),
        pytest.param("1969-12-31T23:00Z", [], [freeze("1970-01-01", "1970-01-01", ZoneInfo("UTC"))], None,
                     id="a clock that was set back"),
        # Daylight saving: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
        pytest.param("2026-03-29T00:30Z", [window("02:30", "04:00")], [], "2026-03-29T01:00Z",
                     id="the beginning is skipped: it opens with the jump"),
        pytest.param("2026-03-29T01:00Z", [window("02:30", "04:00")], [], None, id="and is open then"),
        pytest.param("2026-03-28T12:00Z", [window("02:15", "02:45", frozenset({6}))], [], "2026-04-05T00:15Z",
                     id="all of it is skipped: a week later"),
        pytest.param("2026-03-28T12:00Z", [window("02:15", "02:45")], [], "2026-03-30T00:15Z",
                     id="all of it is skipped: the day after"),
        pytest.param("2026-10-25T00:15Z", [window("02:00", "02:30")], [], None, id="the first of two"),
        pytest.param("2026-10-25T00:45Z", [window("02:00", "02:30")], [], "2026-10-25T01:00Z", id="between the two"),
        pytest.param("2026-10-25T01:15Z", [window("02:00", "02:30")], [], None, id="the second of two"),
        pytest.param("2011-12-29T20:00Z", [window("09:00", "10:00", frozenset({4}), APIA)], [], "2012-01-05T19:00Z",
                     id="Samoa skipped a whole Friday"),
    ],
)  # fmt: skip
def test_when_it_is_closed(now: str, windows: list[Window], freezes: list[Freeze], opens: str | None) -> None:
    found = closed(datetime.fromisoformat(now), windows=windows, freezes=freezes)
    assert (found.opens if found else None) == (datetime.fromisoformat(opens) if opens else None)
    assert (found is None) == (opens is None)


def test_what_never_opens_is_named() -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for last in (None, "9999-12-31"):
        found = closed(now, windows=[OFFICE], freezes=[freeze("2026-11-20", last), freeze(None, "2026-11-21")])
        assert found is not None
        assert found.opens is None
        assert "frozen with no end: year's end" in str(found)
        assert str(found).endswith("it never opens, as mlops.yaml has it")


def test_a_freeze_to_come_that_never_ends_lets_in_what_comes_before() -> None:
    now = datetime(2026, 11, 20, 18, tzinfo=UTC)
    found = closed(now, windows=[OFFICE], freezes=[freeze("2026-11-24", None)])
    assert found is not None
    assert found.opens == datetime(2026, 11, 23, 8, tzinfo=UTC)
    never = closed(now, windows=[OFFICE], freezes=[freeze("2026-11-23", None)])
    assert never is not None
    assert never.opens is None


def test_the_reason_says_which_windows_there_are() -> None:
    found = closed(datetime(2026, 11, 21, 12, tzinfo=UTC), windows=[OFFICE, NIGHT, window("00:00", "00:00", WEEKDAYS)],
                   freezes=[])  # fmt: skip
    assert str(found) == (
        "outside its windows (monday to friday 09:00 to 16:00 Europe/Zurich; friday 22:00 to 02:00 Europe/Zurich; "
        "monday to friday 00:00 to 24:00 Europe/Zurich); it opens at 2026-11-22T23:00:00.000000Z"
    )


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30]))
ZONES = st.sampled_from([ZURICH, TOKYO, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")])
WINDOWS = st.builds(
    Window, days=st.frozensets(st.integers(0, 6), min_size=1), opens=TIMES, closes=TIMES, timezone=ZONES
)
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
FREEZES = st.builds(
    lambda first, days, zone: Freeze(first=first, last=first + timedelta(days=days), reason="x", timezone=zone),
    DAYS, st.integers(0, 40), ZONES,
)  # fmt: skip


@settings(deadline=None)
@given(MOMENTS, st.lists(WINDOWS, max_size=3), st.lists(FREEZES, max_size=3))
def test_it_opens_when_it_says_and_not_before(now: datetime, windows: list[Window], freezes: list[Freeze]) -> None:
    found = closed(now, windows=windows, freezes=freezes)
    if found is None:
        return
    assert found.opens is not None, "every freeze has an end"
    assert found.opens > now
    assert closed(found.opens, windows=windows, freezes=freezes) is None
    span = found.opens - now
    for part in range(1, 60):
        moment = now + span * part / 60
        assert moment == found.opens or closed(moment, windows=windows, freezes=freezes) is not None, moment


def test_examples() -> None:
    result = doctest.testmod(calendar)
    assert result.attempted
    assert not result.failed
