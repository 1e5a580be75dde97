"""Numbers as a report shows them: as many digits as tell something, and a sign that says what is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, isfinite, log10
from typing import Any

from mlops_ci.core.metrics import oriented

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EM DASH}"
MOST_DECIMALS = 6


def number(value: float | None, decimals: int | None = None) -> str:
    """Four significant digits, or so many decimals; a real minus sign.

    >>> number(0.74213), number(1234.5), number(0.5, 2), number(-2) == MINUS + "2.000"
    ('0.7421', '1,234', '0.50', True)
    """
    if value is None or not isfinite(value):
        return NOTHING
    if decimals is None:
        decimals = max(0, 3 - floor(log10(abs(value)))) if value else 0
        decimals = min(decimals, MOST_DECIMALS)
        if value and abs(value) < 10**-MOST_DECIMALS:
            return f"{value:.1e}".replace("-", MINUS)
    text = f"{value:,.{decimals}f}"
    return text.replace("-", MINUS)


def plain(value: float) -> str:
    """A number that somebody wrote down, as short as it was.

    >>> plain(0.45), plain(10.0), plain(0.005)
    ('0.45', '10', '0.005')
    """
    return f"{value:,.6g}".replace("-", MINUS)


def count(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def change(value: float | None, metric: str, decimals: int) -> str:
    """A difference for which positive is better: a signed number, or in words where less of the metric is better.

    >>> change(0.019, "roc_auc", 3), change(0.019, "log_loss", 3), change(-0.00001, "roc_auc", 3)
    ('+0.019', '0.019 better', 'just below 0')
    """
    if value is None or not isfinite(value):
        return NOTHING
    rounds_away = value != 0 and round(abs(value), decimals) == 0
    if oriented(metric, 1.0) > 0:
        if rounds_away:
            return "just above 0" if value > 0 else "just below 0"
        return f"{'+' if value > 0 else MINUS if value < 0 else '±'}{abs(value):,.{decimals}f}"
    if value == 0:
        return "no change"
    size = "slightly" if rounds_away else f"{abs(value):,.{decimals}f}"
    return f"{size} {'better' if value > 0 else 'worse'}"


def decimals_for(primary: Mapping[str, Any]) -> int:
    """For a comparison, of all rows or a slice: as many as show two digits of it; at least three of a share."""
    sizes = [abs(primary[key]) for key in ("difference", "lower", "upper") if primary.get(key)]
    values = [abs(primary[key]) for key in ("champion", "challenger") if primary[key] is not None]
    fewest = 3 if all(value <= 1 for value in values) else 0
    if not sizes:
        sizes = values
    wanted = 1 - floor(log10(sorted(sizes)[len(sizes) // 2])) if sizes and max(sizes) > 0 else fewest
    return min(max(wanted, fewest), MOST_DECIMALS)


def between(interval: Sequence[float | None] | None, decimals: int | None = None) -> str:
    """An interval, to stand behind a number; empty where there is none.

    >>> between([0.7521, 0.7702], 3), between(None)
    ('(0.752 to 0.770)', '')
    """
    if interval is None or any(end is None or not isfinite(end) for end in interval):
        return ""
    low, high = (number(end, decimals) for end in interval)
    return f"({low} to {high})"


def metric_decimals(values: Mapping[str, Any]) -> int | None:
    """So many decimals that a metric's interval shows two digits of its width; None where it has no interval."""
    ends = values.get("challenger_interval")
    if not ends or any(end is None or not isfinite(end) for end in ends) or ends[0] == ends[1]:
        return None
    return min(max(1 - floor(log10(abs(ends[1] - ends[0]))), 0), MOST_DECIMALS)


def decimals_to_tell(sizes: Sequence[float]) -> int:
    """So many decimals that the largest has three digits: numbers of one kind, to be compared with each other.

    >>> decimals_to_tell([0.081, 0.0004]), decimals_to_tell([]), decimals_to_tell([1234.5])
    (4, 3, 0)
    """
    largest = max((abs(size) for size in sizes), default=0.0)
    return min(max(2 - floor(log10(largest)), 0), MOST_DECIMALS) if largest else 3


def bar(share: float, width: int = 10) -> str:
    """A share from 0 to 1 as a bar that needs neither colour nor picture.

    >>> bar(0.5, 4), bar(-1, 4), bar(0.01, 4)
    ('██░░', '░░░░', '█░░░')
    """
    filled = min(max(ceil(share * width), 0), width)
    return "█" * filled + "░" * (width - filled)


def either(value: Any) -> str:
    """A number as `number` shows it, anything else as it is."""
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def confidence(alpha: float) -> str:
    """How sure one may be of a one-sided bound.

    >>> confidence(0.05), confidence(0.0025)
    ('95 %', '99.75 %')
    """
    return f"{100 * (1 - alpha):.4g} %"
