"""For whom a challenger is worse: the comparison repeated in each slice of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.difference import Difference
from mlops_ci.core.drops import Drop, DropLimit, compare_rows, judge_drops
from mlops_ci.core.metrics import compute, why_undefined
from mlops_ci.core.policy import SliceRule
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.units import IntArray

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
    """What the gate says of one slice: `verdict` is "ok" or a blocking one, with its reason (see `core.drops`)."""

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

    Rows without a value are a slice of their own.
    """
    names, codes, counts = np.unique(as_texts(values), return_inverse=True, return_counts=True)
    rows_of = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    slices = []
    for place, (name, rows) in enumerate(zip(names.tolist(), rows_of, strict=False)):
        truth_here, new = truth[rows], challenger.take(rows)
        difference = compare_rows(
            rule.metric, truth_here, champion.take(rows) if champion else None, new, signature,
            units=None if units is None else units[rows], min_rows=rule.min_rows, resamples=resamples,
            seed=seed + place,
        )  # fmt: skip
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

    They are corrected over all slices of all rules; see `judge_drops`.
    """
    asked: list[tuple[SliceEvidence, DropLimit]] = []
    for rule in rules:
        limit = DropLimit(
            max_drop=rule.max_drop, min_rows=rule.min_rows, too_small="slice-too-small", regression="slice-regression"
        )
        found = [one for one in slices if (one.by, one.metric) == (rule.by, rule.metric)]
        asked += [(one, limit) for one in found or [_nothing(rule)]]
    drops = judge_drops(asked, alpha=alpha, compared=compared, all_of="slices")
    return tuple(_outcome(one, drop) for (one, _), drop in zip(asked, drops, strict=True))


def as_texts(values: NDArray[Any]) -> NDArray[Any]:
    """The values of a column as the names of slices and groups: texts, and MISSING where there is none."""
    return np.array([MISSING if _is_missing(value) else str(value) for value in values.tolist()], dtype=np.str_)


def _outcome(one: SliceEvidence, drop: Drop) -> SliceOutcome:
    missing = not one.rows
    return SliceOutcome(
        by=one.by,
        value=one.value,
        metric=one.metric,
        champion=drop.champion,
        challenger=drop.challenger,
        difference=drop.difference,
        lower=drop.lower,
        p_value=drop.p_value,
        rows=one.rows,
        ok=drop.ok and not missing,
        verdict="metric-missing" if missing else drop.verdict,
        reason="no slice of this column was evaluated" if missing else drop.reason,
    )


def _nothing(rule: SliceRule) -> SliceEvidence:
    return SliceEvidence(by=rule.by, value="", metric=rule.metric, rows=0, challenger=nan, difference=None)


def _is_missing(value: Any) -> bool:
    return bool(value is None or value == "" or value != value)  # noqa: PLR0124  (NaN and NaT differ from themselves)
