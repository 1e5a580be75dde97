"""For whom a challenger is worse: the comparison repeated in each slice of the rows, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics import compute, why_undefined
from mlops_ci.core.policy import SliceRule
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.resampling import MIN_UNITS, Difference, IntArray, paired_difference
from mlops_ci.core.signature import Signature
from mlops_ci.core.verdicts import number, shown

MISSING = "(missing)"


@dataclass(frozen=True, kw_only=True, eq=False)
class SliceEvidence:
    """One slice: the rows whose column `by` reads `value`. `difference` is None where nothing was compared."""

    by: str
    value: str
    metric: str
    rows: int
    challenger: float
    difference: Difference | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SliceOutcome:
    """What the gate says of one slice: `verdict` is "ok" or a blocking one, with its reason.

    `lower` is the one-sided bound of this slice alone; `p_value` that the slice is no worse, corrected after Holm.
    """

    by: str
    value: str
    metric: str
    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    p_value: float | None
    rows: int
    ok: bool
    verdict: str
    reason: str


def compare_slices(
    rule: SliceRule,
    values: NDArray[Any],
    truth: NDArray[Any],
    champion: Predictions | None,
    challenger: Predictions,
    signature: Signature,
    *,
    units: IntArray | None,
    resamples: int,
    seed: int,
) -> tuple[SliceEvidence, ...]:
    """Each slice's evidence, in the order of the values' text; `values` [rows] is the column `rule.by`.

    Rows without a value are a slice of their own. A slice that holds only a few of the units (such as one carrier,
    where carriers are the units) is resampled by rows: the question is then about those units and no others.
    """
    texts = np.array([MISSING if _is_missing(value) else str(value) for value in values.tolist()])
    names, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    rows_of = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    slices = []
    for place, (name, rows) in enumerate(zip(names.tolist(), rows_of, strict=False)):
        truth_here, new = truth[rows], challenger.take(rows)
        difference = None
        # What is too small to be judged is not worth its resamples.
        if champion is not None and len(rows) >= rule.min_rows:
            few = units is None or len(np.unique(units[rows])) < MIN_UNITS
            difference = paired_difference(
                rule.metric,
                truth_here,
                champion.take(rows),
                new,
                signature,
                units=None if units is None or few else units[rows],
                resamples=resamples,
                seed=seed + place,
            )
        evidence = SliceEvidence(
            by=rule.by,
            value=name,
            metric=rule.metric,
            rows=len(rows),
            challenger=compute(rule.metric, truth_here, new, signature),
            difference=difference,
            reason=why_undefined(rule.metric, truth_here, new, signature),
        )
        slices.append(evidence)
    return tuple(slices)


def judge_slices(
    slices: Sequence[SliceEvidence], rules: Sequence[SliceRule], *, alpha: float, compared: bool
) -> tuple[SliceOutcome, ...]:
    """The outcome of every slice that the rules ask for; one that was not evaluated is `metric-missing`.

    A slice regresses where its metric dropped by more than `max_drop` and the data reject, at `alpha`, that it is no
    worse at all. As any one slice may block, the p-values are corrected over all slices of all rules (Holm 1979).
    `compared` False says that there is no champion: then the slices only have to be large enough and defined.
    """
    outcomes: list[tuple[SliceOutcome, SliceRule]] = []
    p_values: list[float] = []
    for rule in rules:
        asked_for = [one for one in slices if (one.by, one.metric) == (rule.by, rule.metric)]
        if not asked_for:
            outcomes.append((_not_evaluated(rule), rule))
            p_values.append(nan)
        for one in asked_for:
            outcome = _outcome(one, rule, alpha=alpha, compared=compared)
            outcomes.append((outcome, rule))
            judged = outcome.ok and compared and one.difference is not None
            p_values.append(one.difference.p_worse() if judged and one.difference is not None else nan)
    adjusted = holm(p_values)
    return tuple(_with_p_value(outcome, rule, p, alpha) for (outcome, rule), p in zip(outcomes, adjusted, strict=True))


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


def _outcome(one: SliceEvidence, rule: SliceRule, *, alpha: float, compared: bool) -> SliceOutcome:
    verdict, reason = "ok", ""
    if one.rows < rule.min_rows:
        verdict, reason = "slice-too-small", f"it has {one.rows} rows, and {rule.min_rows} are asked for"
    elif number(one.challenger) is None:
        verdict, reason = "metric-not-finite", one.reason or f"{rule.metric} is not a finite number"
    elif compared and one.difference is None:
        verdict, reason = "metric-missing", "the champion was not evaluated"
    elif compared and one.difference is not None and one.difference.reason:
        verdict, reason = "metric-not-finite", one.difference.reason
    difference = one.difference if compared else None
    return SliceOutcome(
        by=one.by,
        value=one.value,
        metric=one.metric,
        champion=None if difference is None else number(difference.champion),
        challenger=number(one.challenger),
        difference=None if difference is None else number(difference.estimate),
        lower=None if difference is None else number(difference.lower(alpha)),
        p_value=None,
        rows=one.rows,
        ok=verdict == "ok",
        verdict=verdict,
        reason=reason,
    )


def _with_p_value(outcome: SliceOutcome, rule: SliceRule, p_value: float, alpha: float) -> SliceOutcome:
    if outcome.difference is None or np.isnan(p_value):
        return outcome
    if outcome.difference >= -rule.max_drop or p_value > alpha:
        return replace(outcome, p_value=p_value)
    reason = (
        f"{rule.metric} goes from {shown(outcome.champion)} to {shown(outcome.challenger)}, a drop of more than "
        f"{shown(rule.max_drop)} (p {shown(p_value)} that it is no worse, corrected for all slices)"
    )
    return replace(outcome, p_value=p_value, ok=False, verdict="slice-regression", reason=reason)


def _not_evaluated(rule: SliceRule) -> SliceOutcome:
    nothing = SliceEvidence(by=rule.by, value="", metric=rule.metric, rows=0, challenger=nan, difference=None)
    outcome = _outcome(nothing, rule, alpha=0.5, compared=False)
    return replace(outcome, ok=False, verdict="metric-missing", reason="no slice of this column was evaluated")


def _is_missing(value: Any) -> bool:
    return bool(value is None or value == "" or value != value)  # noqa: PLR0124  (NaN and NaT differ from themselves)
