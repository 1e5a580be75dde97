from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.rollout import (
    Limits,
    Replay,
    StepEvidence,
    Traffic,
    compare_answers,
    decide_step,
    excess_p_value,
    share_p_value,
    usual_distance,
)

NAN, INF = float("nan"), float("inf")


def traffic(requests: int = 1000, errors: int = 0, milliseconds: float = 10.0, slow: float = 0.0) -> Traffic:
    """`slow` is the share of requests that take a hundred times as long."""
    latencies = np.full(requests - errors, milliseconds)
    latencies[: int(slow * len(latencies))] *= 100
    return Traffic(requests=requests, errors=errors, latencies=latencies.tolist())


def replay(rows: int = 1000, differing: int = 50, failed: int = 0) -> Replay:
    return Replay(rows=rows, failed=failed, differing=differing)


GOOD = StepEvidence(new=traffic(), stable=traffic(9000), replay=replay(), expected=replay(20_000, 1000), golden=())
NO_TRAFFIC = replace(GOOD, new=traffic(0), stable=traffic(0), replay=replay(0, 0))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as good as stable"),
        pytest.param({"golden": None}, id="enough traffic, golden rows not asked"),
        pytest.param({"new": traffic(errors=3), "stable": traffic(9000, 9)}, id="a few more errors, by chance"),
        pytest.param({"new": traffic(errors=300), "stable": traffic(9000, 2700)}, id="as bad as stable"),
        pytest.param({"new": traffic(milliseconds=19)}, id="slower, where nobody minds"),
        pytest.param({"new": traffic(milliseconds=75), "stable": traffic(9000, 0, 40)}, id="less than twice as slow"),
        pytest.param({"new": traffic(slow=0.005)}, id="slow beyond the 99th percentile"),
        pytest.param({"new": traffic(200, slow=0.1)}, id="slow at times, in too few requests for a percentile"),
        pytest.param({"replay": replay(differing=140)}, id="differs more often, by less than a tenth"),
        pytest.param({"replay": replay(100, 16), "expected": replay(100, 5)}, id="differs more often, by chance"),
        pytest.param({"replay": replay(differing=0)}, id="never differs"),
        pytest.param({"replay": replay(differing=500), "expected": replay(900, 450)}, id="differs as expected"),
    ],
)
def test_goes_on_and_finishes_after_the_last_step(changes: dict[str, Any]) -> None:
    evidence = replace(GOOD, **changes)
    going_on = decide_step(evidence, last=False)
    assert (going_on.outcome, going_on.reasons, going_on.insufficient) == ("continue", (), ())
    assert decide_step(evidence, last=True).outcome == "finish"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"golden": ("12 labels differ",)}, "golden rows: 12 labels differ", id="golden rows"),
        pytest.param({"new": traffic(errors=20)}, "20 of 1000 live requests failed, and 0 of 9000", id="errors"),
        pytest.param({"new": traffic(40, 40)}, "40 of 40 live requests failed", id="nothing but errors, in few"),
        pytest.param(
            {"new": traffic(errors=40), "stable": traffic(0)}, "more than 1.0%", id="errors, and nothing to compare"
        ),
        pytest.param({"new": traffic(3, 3), "stable": traffic(0)}, "3 of 3", id="three errors of three alone"),
        pytest.param({"new": traffic(milliseconds=21)}, "99th percentile of latency is 21.0 ms", id="twice as slow"),
        pytest.param({"new": traffic(slow=0.02)}, "99th percentile of latency is 1000.0 ms", id="slow at times"),
        pytest.param({"new": traffic(200, milliseconds=30)}, "median of latency is 30.0 ms", id="slow, in few"),
        pytest.param({"new": traffic(milliseconds=NAN)}, "latency is inf ms", id="times that are no numbers"),
        pytest.param({"replay": replay(failed=1)}, "1 of 1000 replayed rows that stable answers", id="no answer"),
        pytest.param({"replay": replay(differing=160)}, "the evaluation did not show: in 16.0%", id="other answers"),
        pytest.param({"replay": replay(20, 20)}, "in 100.0% of 20", id="nothing but other answers, in few"),
        pytest.param({"replay": replay(0, 0), "golden": None}, "neither live traffic nor the golden", id="unknown"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("last", [False, True])
def test_aborts_and_says_why(changes: dict[str, Any], says: str, last: bool) -> None:
    decision = decide_step(replace(GOOD, **changes), last=last)
    assert decision.outcome == "abort"
    assert len(decision.reasons) == 1
    assert says in decision.reasons[0]


def test_names_everything_that_is_wrong() -> None:
    evidence = StepEvidence(
        new=traffic(errors=500, milliseconds=500),
        stable=traffic(),
        replay=replay(failed=3, differing=900),
        expected=replay(),
        golden=("not ready",),
    )
    assert len(decide_step(evidence, last=False).reasons) == 5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"new": traffic(99)}, "errors were compared on 99 live requests, fewer than 100", id="new"),
        pytest.param({"stable": traffic(5)}, "errors were compared on 5", id="stable"),
        pytest.param({"new": replace(traffic(), latencies=())}, "latencies were compared on 0", id="latencies"),
        pytest.param({"replay": replay(10, 0)}, "answers were compared on 10", id="replayed rows"),
        pytest.param({"expected": None}, "does not say how often answers should differ", id="no evaluation"),
        pytest.param({"expected": replay(0, 0)}, "does not say how often answers should differ", id="of no rows"),
    ],
)
def test_too_little_evidence_is_said_and_the_golden_rows_decide(changes: dict[str, Any], says: str) -> None:
    evidence = replace(GOOD, **changes)
    decision = decide_step(evidence, last=False)
    assert (decision.outcome, decision.reasons) == ("continue", ())
    assert says in " ".join(decision.insufficient)
    assert decide_step(replace(evidence, golden=("wrong",)), last=False).outcome == "abort"
    assert decide_step(replace(evidence, golden=None), last=False).outcome == "abort"


def test_without_any_traffic_the_golden_rows_decide_alone() -> None:
    decision = decide_step(NO_TRAFFIC, last=True)
    assert decision.outcome == "finish"
    assert len(decision.insufficient) == 3


def test_limits_are_the_callers() -> None:
    slow = replace(GOOD, new=traffic(milliseconds=30))
    assert decide_step(slow, last=False).outcome == "abort"
    assert decide_step(slow, last=False, limits=Limits(latency_floor_ms=30)).outcome == "continue"
    assert decide_step(slow, last=False, limits=Limits(latency_factor=3)).outcome == "continue"
    few = replace(GOOD, replay=replay(50, 2))
    assert decide_step(few, last=False).insufficient
    assert not decide_step(few, last=False, limits=Limits(min_requests=50)).insufficient


COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))


@given(COUNTS)
def test_the_excess_is_that_of_fishers_exact_test(counts: tuple[int, int, int, int]) -> None:
    new_count, new_rest, old_count, old_rest = counts
    table = [[new_count, new_rest], [old_count, old_rest]]
    assume(sum(counts))
    expected = stats.hypergeom.sf(new_count - 1, sum(counts), new_count + old_count, new_count + new_rest)
    found = excess_p_value(new_count, new_count + new_rest, old_count, old_count + old_rest)
    assert found == pytest.approx(float(expected), abs=1e-9)
    assert found == pytest.approx(float(stats.fisher_exact(table, alternative="greater").pvalue), abs=1e-9)


@given(total=st.integers(0, 200), share=st.floats(0.001, 0.5), data=st.data())
def test_the_share_is_that_of_the_binomial(total: int, share: float, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    assert share_p_value(count, total, share) == pytest.approx(float(stats.binom.sf(count - 1, total, share)), abs=1e-9)


def test_shares_of_nothing_and_of_all_are_no_logarithm_of_zero() -> None:
    assert (share_p_value(1, 5, 0.0), share_p_value(0, 5, 0.0), share_p_value(5, 5, 1.0)) == (0, 1, 1)


def test_a_day_of_traffic_is_tested_at_once() -> None:
    assert excess_p_value(60_000, 1_000_000, 50_000, 1_000_000) < 1e-9
    assert excess_p_value(50_000, 1_000_000, 50_000, 1_000_000) == pytest.approx(0.5, abs=0.01)


def test_equal_releases_are_seldom_aborted_for_their_errors() -> None:
    rng = np.random.default_rng(1)
    new, stable = rng.binomial(300, 0.05, 500), rng.binomial(900, 0.05, 500)
    aborted = sum(
        decide_step(replace(GOOD, new=traffic(300, int(ours)), stable=traffic(900, int(theirs))), last=False).outcome
        == "abort"
        for ours, theirs in zip(new, stable, strict=True)
    )
    assert aborted <= stats.binom.isf(0.001, 500, 0.001)


def classifier(labels: list[str], scores: list[float]) -> Predictions:
    scored = np.array(scores)
    return Predictions(labels=np.array(labels, dtype=object), probabilities=np.column_stack([1 - scored, scored]))


def test_counts_other_labels_and_answers_that_only_the_new_release_lacks() -> None:
    stable = classifier(["no", "no", "yes", "yes", "no"], [0.1, 0.4, 0.6, 0.9, NAN])
    new = classifier(["no", "yes", "yes", "no", "no"], [0.2, 0.6, NAN, 0.1, 0.3])
    assert compare_answers(stable, new, tolerance=0) == Replay(rows=4, failed=1, differing=2)


def test_counts_values_that_are_further_apart_than_they_used_to_be() -> None:
    stable = Predictions(values=np.arange(100.0))
    evaluated = Predictions(values=np.arange(100.0) + np.linspace(0, 1, 100))
    tolerance = usual_distance(stable, evaluated)
    assert tolerance == pytest.approx(0.95)
    with_gaps = [Predictions(values=np.append(one.values, NAN)) for one in (stable, evaluated)]
    assert usual_distance(*with_gaps) == pytest.approx(0.95)
    assert compare_answers(stable, evaluated, tolerance=tolerance) == Replay(rows=100, failed=0, differing=5)
    live = Predictions(values=np.where(np.arange(100) < 30, 1e6, np.arange(100.0)))
    assert compare_answers(stable, live, tolerance=tolerance).differing == 30
    broken = Predictions(values=np.full(100, INF))
    assert compare_answers(stable, broken, tolerance=tolerance) == Replay(rows=100, failed=100, differing=0)


def test_a_classifier_is_compared_by_its_labels() -> None:
    assert usual_distance(classifier(["no"], [0.1]), classifier(["no"], [0.4])) == 0


def test_answers_to_other_rows_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="stable answered 3 rows and the new release 2"):
        compare_answers(Predictions(values=np.zeros(3)), Predictions(values=np.zeros(2)), tolerance=0)


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="4 errors in 3 requests"):
        Traffic(requests=3, errors=4, latencies=())
    with pytest.raises(ValueError, match="2 rows failed and 2 differ of 3"):
        Replay(rows=3, failed=2, differing=2)
