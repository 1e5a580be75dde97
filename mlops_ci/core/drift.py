"""Has the data moved away from what the model was trained on? A profile of then, and honest tests of now against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core import two_samples
from mlops_ci.core.signature import Column, ColumnKind
from mlops_ci.core.two_samples import Contrast

ORDER_STATISTICS = 500
"""A number column is kept as this many evenly spaced order statistics: its distribution to within 0.1 %."""
CATEGORIES = 100
"""A text column is kept as the counts of its most frequent values; the rest is one category."""
DISTANCE_FLOOR = 0.1
"""The smallest distance between two distributions (Kolmogorov-Smirnov, total variation) that is worth an alarm."""
MISSING_FLOOR = 0.05
"""The smallest change of the share of missing values that is worth an alarm."""
FEWEST_WINDOWS = 12
FEWEST_ROWS = 20
"""From fewer windows, or from windows of fewer rows, nothing is learnt of how windows vary."""
DISJOINT = 0.9
"""From this distance on hardly a value is like those of the training data: an alarm, however much windows vary anyway.

A distance cannot exceed 1, so where windows vary as much as weeks of weather do no distance would ever be significant,
and a change of unit would pass unseen.
"""
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
"""Windows are counted from here, so that days begin at midnight and weeks on a Monday, UTC."""

Test = Literal["kolmogorov-smirnov", "chi-square", "missing"]


@dataclass(frozen=True, kw_only=True)
class FeatureDrift:
    """One column of one window against the profile.

    `statistic` is the size of the change between 0 and 1 that `test` measured: the largest difference of the
    distribution functions, the total variation distance, or the change of the share of missing values. `p_value` is
    corrected for the two tests (values, missing) that each column gets. `alarm`: significant, and large
    enough to care; or so far that hardly a value is like those of the training data.
    """

    name: str
    test: Test
    statistic: float
    p_value: float
    missing_before: float
    missing_now: float
    alarm: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def profile(
    columns: Mapping[str, NDArray[Any]],
    inputs: Sequence[Column],
    *,
    times: NDArray[Any] | None = None,
    window: timedelta | None = None,
) -> dict[str, Any]:
    """A small JSON description of each column's distribution, to compare later data with.

    `columns` are canonical: float64 (a number that is not finite counts as missing) or object arrays of str ("" is
    missing), all of one length. A column takes at most 500 numbers, or 100 texts and their counts. With the `times` of
    the rows and the length of the `window` that will be monitored, it is learnt how much the data vary from window to
    window anyway, which is later not taken for drift; times that are no moments (datetime64) teach nothing. The order
    of the rows does not matter.
    """
    rows = len(columns[inputs[0].name]) if inputs else 0
    numbers = window_numbers(times, window) if times is not None and window is not None else None
    parts = _parts(numbers) if numbers is not None else []
    described = {}
    for column in inputs:
        values = columns[column.name]
        whole = _describe(values, column.kind)
        variation = _variation(whole, [values[part] for part in parts])
        described[column.name] = whole | {"between": variation}
    seconds = window.total_seconds() if window is not None and parts else None
    return {"rows": rows, "windows": len(parts), "window_seconds": seconds, "columns": described}


def window_numbers(times: NDArray[Any], length: timedelta) -> NDArray[np.int64] | None:
    """The number of each moment's (datetime64, UTC) calendar window, counted from MONDAY; None for other times."""
    if times.dtype.kind != "M":
        return None
    origin = np.datetime64(MONDAY.replace(tzinfo=None), "us")
    numbers: NDArray[np.int64] = (times.astype("datetime64[us]") - origin) // np.timedelta64(length)
    return numbers


def compare(
    reference: Mapping[str, Any], columns: Mapping[str, NDArray[Any]], *, rows: int, alpha: float
) -> list[FeatureDrift]:
    """Each column of a profile against a window of `rows` rows, in the profile's order.

    `alpha` is the chance of any false alarm in this window, over all columns and tests together (Bonferroni, which
    needs no independence). A column that the window has not got counts as missing in every row.
    """
    described, windows = reference["columns"], int(reference["windows"])
    return [
        _compare(name, before, columns.get(name), rows=rows, windows=windows, alpha=alpha / len(described))
        for name, before in described.items()
    ]


def contrasts(before: Mapping[str, Any], values: NDArray[Any] | None, *, rows: int) -> tuple[Contrast, Contrast, int]:
    """The values then and now, the share of missing values then and now, and how many are missing now.

    `before` describes one column in a profile; `values` is None where the column is not there any more.
    """
    if before["kind"] == "number":
        now = np.sort(values[np.isfinite(values)]) if values is not None else np.empty(0)
        present = len(now)
        contrast = two_samples.numbers(np.asarray(before["values"], dtype=np.float64), before["count"], now)
    else:
        counts = Counter(values.tolist() if values is not None else ())
        counts.pop("", None)
        present = counts.total()
        contrast = two_samples.texts(before["categories"], before["other"], counts)
    rows_before = before["missing"] + before["count"]
    return contrast, two_samples.proportions(before["missing"], rows_before, rows - present, rows), rows - present


def _describe(values: NDArray[Any], kind: ColumnKind) -> dict[str, Any]:
    if kind == "number":
        finite = np.sort(values[np.isfinite(values)])
        count = len(finite)
        if count > ORDER_STATISTICS:
            finite = finite[((np.arange(ORDER_STATISTICS) + 0.5) / ORDER_STATISTICS * count).astype(np.int64)]
        return {"kind": kind, "count": count, "missing": len(values) - count, "values": finite.tolist()}
    counts = Counter(values.tolist())
    missing = counts.pop("", 0)
    # Ties are broken by name, so that the order of the rows does not decide which value is kept.
    kept = sorted(counts, key=lambda value: (-counts[value], value))[:CATEGORIES]
    return {
        "kind": kind,
        "count": counts.total(),
        "missing": missing,
        "categories": {value: counts[value] for value in kept},
        "other": counts.total() - sum(counts[value] for value in kept),
    }


def _parts(windows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The positions of each window's rows; none where there is too little to learn from."""
    order = np.argsort(windows, kind="stable")
    starts = np.flatnonzero(np.diff(windows[order])) + 1
    parts = [part for part in np.split(order, starts) if len(part) >= FEWEST_ROWS]
    return parts if len(parts) >= FEWEST_WINDOWS else []


def _variation(whole: Mapping[str, Any], parts: Sequence[NDArray[Any]]) -> dict[str, float]:
    pairs = [contrasts(whole, part, rows=len(part)) for part in parts]
    if not pairs:
        return {"values": 0.0, "missing": 0.0}
    return {
        "values": two_samples.spread([values for values, _, _ in pairs]),
        "missing": two_samples.spread([missing for _, missing, _ in pairs]),
    }


def _compare(
    name: str, before: Mapping[str, Any], values: NDArray[Any] | None, *, rows: int, windows: int, alpha: float
) -> FeatureDrift:
    changed, missing, missing_rows = contrasts(before, values, rows=rows)
    between = before["between"]
    of_values: Test = "kolmogorov-smirnov" if before["kind"] == "number" else "chi-square"
    found: list[tuple[Test, float, float, float]] = [
        (of_values, changed.distance, _doubled(changed, between["values"], windows), DISTANCE_FLOOR),
        ("missing", missing.distance, _doubled(missing, between["missing"], windows), MISSING_FLOOR),
    ]
    apart = [
        contrast.distance >= DISJOINT and _doubled(contrast, 0, windows) <= alpha for contrast in (changed, missing)
    ]
    alarms = [
        far or (p <= alpha and distance >= floor) for far, (_, distance, p, floor) in zip(apart, found, strict=True)
    ]
    # What alarms is what is told; where nothing or both do, the more surprising one.
    shown = min((0, 1), key=lambda index: (not alarms[index], found[index][2], index))
    test, distance, p, _ = found[shown]
    return FeatureDrift(
        name=name,
        test=test,
        statistic=distance,
        p_value=p,
        missing_before=before["missing"] / max(before["missing"] + before["count"], 1),
        missing_now=missing_rows / max(rows, 1),
        alarm=any(alarms),
    )


def _doubled(contrast: Contrast, between: float, windows: int) -> float:
    return min(1.0, 2 * two_samples.p_value(contrast, between=between, windows=windows))
