"""One step of a rollout: does the new release behave on live traffic as stable does, and as it was evaluated?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p
from typing import Literal

import numpy as np

from mlops_ci.core.predictions import FloatArray, Predictions

P99_REQUESTS = 500
"""With fewer requests the 99th percentile is the luck of a handful of them, and the median is compared instead."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The live requests that one release got, how many it failed (5xx, no answer), and milliseconds of the rest."""

    requests: int
    errors: int
    latencies: Sequence[float]

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.requests:
            raise ValueError(f"{self.errors} errors in {self.requests} requests")


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Rows that both were asked and stable answered well: how many the new release failed, and how many differ.

    The same counts of the evaluation's holdout say what is to be expected.
    """

    rows: int
    failed: int
    differing: int

    def __post_init__(self) -> None:
        if min(self.failed, self.differing) < 0 or self.failed + self.differing > self.rows:
            raise ValueError(f"{self.failed} rows failed and {self.differing} differ of {self.rows}")


@dataclass(frozen=True, kw_only=True)
class StepEvidence:
    """`golden` lists what is wrong with the new release's answers to the golden rows; None: they were not asked."""

    new: Traffic
    stable: Traffic
    replay: Replay
    expected: Replay | None
    golden: Sequence[str] | None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a step is aborted; see docs/rollout.md.

    `alpha` is the risk that one comparison aborts a good release, `min_requests` what each side needs before a
    comparison counts as evidence. `error_share` is what the new release may fail where stable has no traffic to compare
    with. Latency aborts beyond `latency_factor` times stable's and beyond `latency_floor_ms` (below which nobody
    minds), other answers where they are more frequent than expected by more than `disagreement`.
    """

    alpha: float = 0.001
    min_requests: int = 100
    error_share: float = 0.01
    latency_factor: float = 2.0
    latency_floor_ms: float = 20.0
    disagreement: float = 0.1


@dataclass(frozen=True, kw_only=True)
class StepDecision:
    """`reasons` say what aborts the rollout; `insufficient` what could not be judged, which is no pass but is said."""

    outcome: Literal["continue", "finish", "abort"]
    reasons: tuple[str, ...]
    insufficient: tuple[str, ...]


def decide_step(evidence: StepEvidence, *, last: bool, limits: Limits | None = None) -> StepDecision:
    """Whether to abort, or to go on to the next step, or, after the `last`, to finish.

    Where live traffic is too little for a comparison, the golden rows alone decide, and `insufficient` says so; where
    these were not asked either, nothing speaks for the release and the step is aborted.
    """
    limits = limits or Limits()
    reasons = [f"golden rows: {problem}" for problem in evidence.golden or ()]
    reasons += _errors(evidence, limits) + _latency(evidence, limits) + _answers(evidence, limits)
    insufficient = _insufficient(evidence, limits)
    if insufficient and evidence.golden is None:
        reasons.append("neither live traffic nor the golden rows say how the new release behaves")
    outcome: Literal["continue", "finish", "abort"] = "abort" if reasons else "finish" if last else "continue"
    return StepDecision(outcome=outcome, reasons=tuple(reasons), insufficient=tuple(insufficient))


def compare_answers(stable: Predictions, new: Predictions, *, tolerance: float) -> Replay:
    """Counts the rows in which the answers differ: another label, or a value further off than `tolerance`.

    A row that stable did not answer with finite numbers is left out; one that only the new release did not is failed.
    Raises ValueError where the answers are not of the same rows.
    """
    if len(stable) != len(new):
        raise ValueError(f"stable answered {len(stable)} rows and the new release {len(new)}")
    answered = np.isfinite(stable.scores).all(axis=1)
    fine = answered & np.isfinite(new.scores).all(axis=1)
    if stable.labels is not None and new.labels is not None:
        differs = np.not_equal(stable.labels, new.labels).astype(np.bool_)
    else:
        differs = _distances(stable, new) > tolerance
    return Replay(rows=int(answered.sum()), failed=int((answered & ~fine).sum()), differing=int((fine & differs).sum()))


def usual_distance(stable: Predictions, new: Predictions) -> float:
    """The tolerance for `compare_answers`, from the holdout: 95 % of a regressor's finite values are no further apart.

    A classifier's is zero: there labels are compared.
    """
    if stable.labels is not None:
        return 0.0
    distances = _distances(stable, new)
    distances = distances[np.isfinite(distances)]
    return float(np.quantile(distances, 0.95)) if len(distances) else 0.0


def excess_p_value(new_count: int, new_total: int, old_count: int, old_total: int) -> float:
    """How likely the new side has so many of all counts, or more, where both sides are alike: one-sided, exact.

    The upper tail of the hypergeometric distribution (Fisher 1935), good at any number.
    """
    marked, drawn, total = new_count + old_count, new_total, new_total + old_total
    ways = _log_choose(total, drawn)
    upper = min(marked, drawn)
    terms = (
        exp(_log_choose(marked, k) + _log_choose(total - marked, drawn - k) - ways) for k in range(new_count, upper + 1)
    )
    return min(sum(terms), 1.0)


def share_p_value(count: int, total: int, share: float) -> float:
    """How likely so large a count, or a larger one, is where the true share is `share`: one-sided, exact binomial."""
    if not 0 < share < 1:
        return float(count == 0 or share >= 1)
    terms = (exp(_log_choose(total, k) + k * log(share) + (total - k) * log1p(-share)) for k in range(count, total + 1))
    return min(sum(terms), 1.0)


def _errors(evidence: StepEvidence, limits: Limits) -> list[str]:
    new, stable = evidence.new, evidence.stable
    seen = f"{new.errors} of {new.requests} live requests failed"
    if excess_p_value(new.errors, new.requests, stable.errors, stable.requests) <= limits.alpha:
        return [f"{seen}, and {stable.errors} of {stable.requests} on stable"]
    alone = stable.requests < limits.min_requests
    if alone and share_p_value(new.errors, new.requests, limits.error_share) <= limits.alpha:
        return [f"{seen}, more than {limits.error_share:.1%}; stable has too little traffic to compare with"]
    return []


def _latency(evidence: StepEvidence, limits: Limits) -> list[str]:
    # A time that is no number is no short one.
    new = np.nan_to_num(np.asarray(evidence.new.latencies, dtype=np.float64), nan=inf, posinf=inf)
    stable = np.asarray(evidence.stable.latencies, dtype=np.float64)
    stable = stable[np.isfinite(stable)]
    fewest = min(len(new), len(stable))
    if fewest < limits.min_requests:
        return []
    level, name = (0.99, "99th percentile") if fewest >= P99_REQUESTS else (0.5, "median")
    # An observed time, as interpolating to an infinite one gives no number.
    ours, theirs = (float(np.quantile(times, level, method="higher")) for times in (new, stable))
    if ours <= limits.latency_floor_ms or ours <= limits.latency_factor * theirs:
        return []
    return [f"the {name} of latency is {ours:.1f} ms, and {theirs:.1f} ms on stable"]


def _answers(evidence: StepEvidence, limits: Limits) -> list[str]:
    replay, expected = evidence.replay, evidence.expected
    reasons = []
    if replay.failed:
        reasons.append(f"{replay.failed} of {replay.rows} replayed rows that stable answers get no finite answer")
    if expected is None or not expected.rows or not replay.rows:
        return reasons
    share, usual = replay.differing / replay.rows, expected.differing / expected.rows
    p_value = excess_p_value(replay.differing, replay.rows, expected.differing, expected.rows)
    if share - usual > limits.disagreement and p_value <= limits.alpha:
        reasons.append(
            f"answers differ from production in a way that the evaluation did not show: in {share:.1%} of "
            f"{replay.rows} replayed rows, and in {usual:.1%} of {expected.rows} evaluated ones"
        )
    return reasons


def _insufficient(evidence: StepEvidence, limits: Limits) -> list[str]:
    wanted = limits.min_requests
    lines = [
        f"{what} were compared on {fewest} live requests, fewer than {wanted}"
        for what, fewest in (
            ("errors", min(evidence.new.requests, evidence.stable.requests)),
            ("latencies", min(len(evidence.new.latencies), len(evidence.stable.latencies))),
            ("answers", evidence.replay.rows),
        )
        if fewest < wanted
    ]
    if evidence.expected is None or not evidence.expected.rows:
        lines.append("the evaluation does not say how often answers should differ from production's")
    return lines


def _distances(stable: Predictions, new: Predictions) -> FloatArray:
    """The largest distance in each row; NaN where an answer is no finite number."""
    with np.errstate(invalid="ignore"):
        distances: FloatArray = np.abs(new.scores - stable.scores).max(axis=1)
    return distances


def _log_choose(n: int, k: int) -> float:
    """The logarithm of the number of ways; minus infinity where there is none."""
    return -inf if not 0 <= k <= n else lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
