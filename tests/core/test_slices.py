from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from mlops_ci.config.types import SliceConfig
from mlops_ci.core.drops import holm
from mlops_ci.core.metrics import compute
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.slices import MISSING, SliceEvidence, SliceOutcome, compare_slices, judge_slices

RULE = SliceConfig(by="carrier", metric="mae", max_drop=0.2, min_rows=50)
REGRESSION = Signature(task="regression", inputs=())


def flights(sizes: dict[object, int], worse: dict[object, float], seed: int = 1) -> tuple[np.ndarray, ...]:
    """Carriers and actual values, and two models' answers: the second's errors are larger where `worse` says so."""
    rng = np.random.default_rng(seed)
    carriers = np.array([name for name, size in sizes.items() for _ in range(size)], dtype=object)
    order = rng.permutation(len(carriers))
    carriers = carriers[order]
    truth = rng.normal(size=len(carriers))
    factor = np.array([worse.get(name, 1.0) for name in carriers])
    return carriers, truth, truth + rng.normal(size=len(truth)), truth + rng.normal(size=len(truth)) * factor


def evidence_of(
    data: tuple[np.ndarray, ...], *, rule: SliceConfig = RULE, units: np.ndarray | None = None, first: bool = False
) -> tuple[SliceEvidence, ...]:
    carriers, truth, champion, challenger = data
    return compare_slices(
        rule,
        carriers,
        truth,
        None if first else Predictions(values=champion),
        Predictions(values=challenger),
        REGRESSION,
        units=units,
        resamples=500,
        seed=1,
    )


def outcomes_of(data: tuple[np.ndarray, ...], rule: SliceConfig = RULE) -> dict[str, SliceOutcome]:
    evidence = evidence_of(data, rule=rule)
    return {one.value: one for one in judge_slices(evidence, (rule,), alpha=0.05, compared=True)}


def test_compares_the_models_in_each_slice() -> None:
    data = flights({"AA": 100, "UA": 80}, {})
    american, united = evidence_of(data)
    assert (american.value, american.rows, united.value, united.rows) == ("AA", 100, "UA", 80)
    rows = data[0] == "UA"
    assert united.challenger == compute("mae", data[1][rows], Predictions(values=data[3][rows]), REGRESSION)
    assert united.difference is not None
    assert united.difference.champion == compute("mae", data[1][rows], Predictions(values=data[2][rows]), REGRESSION)
    assert united.difference.rows == united.difference.units == 80


def test_rows_without_a_value_are_a_slice_of_their_own() -> None:
    data = flights({"AA": 60, None: 50, "": 5, float("nan"): 5}, {})
    assert [(one.value, one.rows) for one in evidence_of(data)] == [(MISSING, 60), ("AA", 60)]


def test_numbers_and_truths_are_slices_too() -> None:
    carriers, *rest = flights({1: 60, 0: 60}, {})
    assert [one.value for one in evidence_of((carriers.astype(bool), *rest))] == ["False", "True"]
    assert [one.value for one in evidence_of((carriers.astype(float), *rest))] == ["0.0", "1.0"]


def test_a_slice_that_is_one_of_the_units_is_resampled_by_rows() -> None:
    data = flights(dict.fromkeys("abcdefghijkl", 60), {})
    by_carrier = np.unique(data[0], return_inverse=True)[1]
    assert {one.difference.units for one in evidence_of(data, units=by_carrier) if one.difference} == {60}
    by_hour = np.arange(720) // 24
    assert {one.difference.units <= 30 for one in evidence_of(data, units=by_hour) if one.difference} == {True}


def test_a_slice_that_got_much_worse_regresses() -> None:
    outcomes = outcomes_of(flights({"AA": 200, "UA": 200, "DL": 200}, {"UA": 2.0}))
    assert {name: one.verdict for name, one in outcomes.items()} == {"AA": "ok", "DL": "ok", "UA": "slice-regression"}
    worse = outcomes["UA"]
    assert not worse.ok
    assert worse.difference is not None
    assert worse.difference < -0.2
    assert worse.p_value is not None
    assert worse.p_value <= 0.05
    assert worse.lower is not None
    assert worse.lower < worse.difference


def test_a_drop_within_the_limit_is_no_regression_however_sure() -> None:
    data = flights({"AA": 4000}, {"AA": 1.15})
    (outcome,) = outcomes_of(data).values()
    assert outcome.ok
    assert outcome.p_value is not None
    assert outcome.p_value < 1e-3
    assert not outcomes_of(data, replace(RULE, max_drop=0.05))["AA"].ok


def test_a_large_drop_that_chance_explains_is_no_regression() -> None:
    """The smaller of two slices drops by more than the limit in these data, by chance alone."""
    small = replace(RULE, min_rows=10, max_drop=0.1)
    drops = [outcomes_of(flights({"AA": 12}, {}, seed), small)["AA"] for seed in range(20)]
    far = [one for one in drops if one.difference is not None and one.difference < -0.1]
    assert len(far) >= 5
    assert sum(one.ok for one in far) >= len(far) - 2


def test_a_small_slice_blocks_whatever_its_numbers() -> None:
    outcomes = outcomes_of(flights({"AA": 200, "ZZ": 49, "UA": 50}, {}))
    assert {name: one.verdict for name, one in outcomes.items()} == {"AA": "ok", "UA": "ok", "ZZ": "slice-too-small"}
    assert outcomes["ZZ"].rows == 49


def test_many_slices_make_each_harder_to_reject() -> None:
    """Of four slices the one with the smallest p-value has to meet a quarter of alpha (Holm)."""
    evidence = evidence_of(flights({"AA": 200}, {"AA": 1.3}))
    (alone,) = judge_slices(evidence, (RULE,), alpha=0.05, compared=True)
    assert alone.p_value is not None
    others = evidence_of(flights(dict.fromkeys(("B", "C", "D"), 200), {}))
    among = judge_slices((*evidence, *others), (RULE,), alpha=0.05, compared=True)
    assert among[0].p_value == pytest.approx(4 * alone.p_value)
    strict = judge_slices((*evidence, *others), (RULE,), alpha=2 * alone.p_value, compared=True)
    assert (alone.verdict, among[0].verdict, strict[0].verdict) == ("slice-regression", "slice-regression", "ok")
    assert alone.p_value < 0.0125


def test_slices_of_all_rules_are_corrected_together() -> None:
    other = SliceConfig(by="origin", metric="mae", max_drop=0.2, min_rows=50)
    carriers = evidence_of(flights({"AA": 200}, {"AA": 1.3}))
    origins = tuple(replace(one, by="origin") for one in carriers)
    (alone,) = judge_slices(carriers, (RULE,), alpha=0.05, compared=True)
    both = judge_slices((*carriers, *origins), (RULE, other), alpha=0.05, compared=True)
    assert alone.p_value is not None
    assert [one.p_value for one in both] == [pytest.approx(2 * alone.p_value)] * 2


def test_a_first_release_has_slices_but_no_drops() -> None:
    evidence = evidence_of(flights({"AA": 200, "ZZ": 20}, {}), first=True)
    outcomes = judge_slices(evidence, (RULE,), alpha=0.05, compared=False)
    assert [(one.value, one.verdict) for one in outcomes] == [("AA", "ok"), ("ZZ", "slice-too-small")]
    assert [one.champion for one in outcomes] == [None, None]


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    p_values = np.random.default_rng(seed).uniform(0, 0.2, 8)
    assert holm(p_values.tolist()) == pytest.approx(multipletests(p_values, method="holm")[1])
    with_a_gap = [*p_values[:3].tolist(), float("nan"), *p_values[3:].tolist()]
    assert holm(with_a_gap)[4:] == pytest.approx(holm(p_values.tolist())[3:])
    assert np.isnan(holm(with_a_gap)[3])
    assert holm([]) == []
