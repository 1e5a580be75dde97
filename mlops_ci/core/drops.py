"""Is a challenger worse on some set of rows? One test for slices and validation sets, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.difference import Difference
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.units import MIN_UNITS, IntArray
from mlops_ci.core.verdicts import number, shown


class RowsEvidence(Protocol):
    """What is known of one set of rows: `difference` is None where nothing was compared, `reason` says of a NaN."""

    @property
    def metric(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def challenger(self) -> float: ...
    @property
    def difference(self) -> Difference | None: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class DropLimit:
    """How far the metric may drop, how many rows there must be, and the verdicts where it is not so."""

    max_drop: float
    min_rows: int
    too_small: str
    regression: str


@dataclass(frozen=True, kw_only=True)
class Drop:
    """What the gate says of one set of rows: `verdict` is "ok" or a blocking one, with its reason.

    `lower` is the one-sided bound of this set alone; `p_value` that it is no worse, corrected after Holm.
    """

    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    p_value: float | None
    verdict: str
    reason: str

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"


def compare_rows(
    metric: str,
    truth: NDArray[Any],
    champion: Predictions | None,
    challenger: Predictions,
    signature: Signature,
    *,
    units: IntArray | None,
    min_rows: int,
    resamples: int,
    seed: int,
) -> Difference | None:
    """The difference on these rows alone; None without a champion, or where they are too few to be worth resampling.

    Rows that hold only a few of the units (such as one carrier, where carriers are the units) are resampled one by
    one: the question is then about those units and no others.
    """
    if champion is None or len(truth) < min_rows:
        return None
    few = units is None or len(np.unique(units)) < MIN_UNITS
    return paired_difference(
        metric, truth, champion, challenger, signature,
        units=None if few else units, resamples=resamples, seed=seed,
    )  # fmt: skip


def judge_drops(
    sets: Sequence[tuple[RowsEvidence, DropLimit]], *, alpha: float, compared: bool, all_of: str
) -> tuple[Drop, ...]:
    """What is to be said of each set of rows against its limit; `all_of` names them together, such as "slices".

    A set regresses where its metric dropped by more than `max_drop` and the data reject, at `alpha`, that it is no
    worse at all. As any one may block, the p-values are corrected over all of them (Holm 1979). `compared` False says
    that there is no champion: then the sets only have to be large enough and defined.
    """
    drops = [_measured(one, limit, alpha=alpha, compared=compared) for one, limit in sets]
    p_values = [
        one.difference.p_worse() if drop.ok and compared and one.difference is not None else float("nan")
        for drop, (one, _) in zip(drops, sets, strict=True)
    ]
    return tuple(
        _tested(drop, one.metric, limit, p_value, alpha=alpha, all_of=all_of)
        for drop, (one, limit), p_value in zip(drops, sets, holm(p_values), strict=True)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """The adjusted p-values, in the same order: reject where one is at most alpha. NaN is no test and stays NaN.

    >>> holm([0.01, float("nan"), 0.04, 0.03])
    [0.03, nan, 0.06, 0.06]
    """
    adjusted = list(p_values)
    tested = sorted((place for place, p in enumerate(p_values) if not np.isnan(p)), key=lambda place: p_values[place])
    largest = 0.0
    for rank, place in enumerate(tested):
        largest = max(largest, min((len(tested) - rank) * p_values[place], 1.0))
        adjusted[place] = largest
    return adjusted


def _measured(one: RowsEvidence, limit: DropLimit, *, alpha: float, compared: bool) -> Drop:
    verdict, reason = "ok", ""
    if one.rows < limit.min_rows:
        verdict, reason = limit.too_small, f"it has {one.rows} rows, and {limit.min_rows} are asked for"
    elif number(one.challenger) is None:
        verdict, reason = "metric-not-finite", one.reason or f"{one.metric} is not a finite number"
    elif compared and one.difference is None:
        verdict, reason = "metric-missing", "the champion was not evaluated"
    elif compared and one.difference is not None and one.difference.reason:
        verdict, reason = "metric-not-finite", one.difference.reason
    difference = one.difference if compared else None
    return Drop(
        champion=None if difference is None else number(difference.champion),
        challenger=number(one.challenger),
        difference=None if difference is None else number(difference.estimate),
        lower=None if difference is None else number(difference.lower(alpha)),
        p_value=None,
        verdict=verdict,
        reason=reason,
    )


def _tested(drop: Drop, metric: str, limit: DropLimit, p_value: float, *, alpha: float, all_of: str) -> Drop:
    if drop.difference is None or np.isnan(p_value):
        return drop
    if drop.difference >= -limit.max_drop or p_value > alpha:
        return replace(drop, p_value=p_value)
    reason = (
        f"{metric} goes from {shown(drop.champion)} to {shown(drop.challenger)}, a drop of more than "
        f"{shown(limit.max_drop)} (p {shown(p_value)} that it is no worse, corrected for all {all_of})"
    )
    return replace(drop, p_value=p_value, verdict=limit.regression, reason=reason)
