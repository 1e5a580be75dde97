from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from MLstatkit import Delong_test
from sklearn.metrics import roc_auc_score

from mlops_ci.core import delong
from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.metrics.statistic import RocAuc
from tests.core.two_models import BINARY, pair, scored


def placements_by_pairs(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """From the definition: every row is compared with every row of the other class."""
    placed = np.empty(len(truth))
    for row, score in enumerate(scores):
        others = scores[truth != truth[row]]
        right = (score > others) if truth[row] else (score < others)
        placed[row] = (right + 0.5 * (score == others)).mean()
    return placed


def models(rows: int, seed: int, *, decimals: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth, *both = pair("binary-classification", rows, seed)
    old, new = (np.round(one.probabilities[:, 1], decimals) for one in both)  # type: ignore[index]
    return truth, old, new


@pytest.mark.parametrize("decimals", [1, 9])
@pytest.mark.parametrize("share", [0.2, 0.8])
def test_placements_are_the_share_of_the_other_class_on_the_right_side(decimals: int, share: float) -> None:
    _, scores, _ = models(150, 3, decimals=decimals)
    truth = (np.random.default_rng(1).random(150) < share).astype(np.int64)
    placed = RocAuc.of(truth == 1, scores).placements()
    assert placed == pytest.approx(placements_by_pairs(truth, scores))
    for one in (0, 1):
        assert placed[truth == one].mean() == pytest.approx(roc_auc_score(truth, scores))


@pytest.mark.parametrize(("rows", "decimals"), [(60, 9), (600, 9), (600, 1)])
def test_the_spread_is_that_of_mlstatkit(rows: int, decimals: int) -> None:
    """Its z divides by the spread of DeLong's variance, as ours does."""
    truth, old, new = models(rows, 9, decimals=decimals)
    found = paired_difference("roc_auc", truth, scored(old), scored(new), BINARY, seed=1)
    z = Delong_test(truth, old, new, verbose=0)[0]
    assert found.method == "DeLong"
    assert abs(found.estimate) / found.standard_error == pytest.approx(abs(z), rel=1e-6)


def obuchowski(truth: np.ndarray, old: np.ndarray, new: np.ndarray, units: np.ndarray) -> float:
    """Obuchowski 1997, section 3, from the definition: sums of placements by cluster, for each model and across."""
    names = np.unique(units)
    positives, negatives = (truth == 1).sum(), (truth == 0).sum()
    parts = []
    for scores in (old, new):
        placed = placements_by_pairs(truth, scores)
        area = placed[truth == 1].mean()
        of_positive, of_negative = (
            np.array([(placed[(units == k) & (truth == one)] - area).sum() for k in names]) for one in (1, 0)
        )
        parts.append((of_positive, of_negative))
    with_positive, with_negative = (len(np.unique(units[truth == one])) for one in (1, 0))

    def covariance(first: int, second: int) -> float:
        a, b = parts[first], parts[second]
        n, m, k = with_negative, with_positive, len(names)
        s10 = m / ((m - 1) * positives) * (a[0] * b[0]).sum()
        s01 = n / ((n - 1) * negatives) * (a[1] * b[1]).sum()
        s11, s11_back = (k / (k - 1) * (x * y).sum() for x, y in ((a[0], b[1]), (b[0], a[1])))
        return float(s10 / positives + s01 / negatives + (s11 + s11_back) / (positives * negatives))

    return float(np.sqrt(covariance(0, 0) + covariance(1, 1) - 2 * covariance(0, 1)))


def test_with_units_the_spread_is_that_of_obuchowski() -> None:
    truth, old, new = models(240, 5)
    units = np.random.default_rng(2).integers(0, 18, 240)
    found = paired_difference("roc_auc", truth, scored(old), scored(new), BINARY, units=units, seed=1)
    assert found.method == "clustered DeLong"
    assert found.standard_error == pytest.approx(obuchowski(truth, old, new, units))


def test_units_of_one_row_each_are_rows() -> None:
    truth, old, new = models(240, 5)
    by_row, by_unit = (
        paired_difference("roc_auc", truth, scored(old), scored(new), BINARY, units=units, seed=1)
        for units in (None, np.random.default_rng(1).permutation(240))
    )
    assert by_row.bounds == by_unit.bounds
    placed = np.subtract(*(RocAuc.of(truth == 1, scores).placements() for scores in (new, old)))
    units = delong.of_units(placed, truth == 1, np.arange(240))
    assert units.standard_error == pytest.approx(by_row.standard_error)


SCORES = nps.arrays(np.float64, 40, elements=st.integers(1, 30).map(lambda tick: tick / 31))


@settings(max_examples=40)
@given(SCORES, SCORES, st.integers(0, 10**6))
def test_only_the_order_of_the_scores_counts_and_neither_that_of_rows_nor_of_models(
    old: np.ndarray, new: np.ndarray, seed: int
) -> None:
    truth = np.arange(40) % 2
    found = paired_difference("roc_auc", truth, scored(old), scored(new), BINARY, seed=1)
    order = np.random.default_rng(seed).permutation(40)
    again = [
        (1, paired_difference("roc_auc", truth, scored(old**3), scored(new**0.5), BINARY, seed=1)),
        (1, paired_difference("roc_auc", truth[order], scored(old[order]), scored(new[order]), BINARY, seed=2)),
        (1, paired_difference("roc_auc", 1 - truth, scored(1 - old), scored(1 - new), BINARY, seed=3)),
        (-1, paired_difference("roc_auc", truth, scored(new), scored(old), BINARY, seed=4)),
    ]
    for sign, other in again:
        ends = (other.lower(0.01), other.upper(0.01)) if sign > 0 else (-other.upper(0.01), -other.lower(0.01))
        p_values = (other.p_value(), other.p_worse()) if sign > 0 else (other.p_worse(), other.p_value())
        assert sign * other.estimate == pytest.approx(found.estimate, abs=1e-12)
        if found.method == other.method:
            assert ends == pytest.approx((found.lower(0.01), found.upper(0.01)), abs=1e-9)
            assert p_values == pytest.approx((found.p_value(), found.p_worse()), abs=1e-9)
