"""Through the real library, which is left out where it is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ci.adapters.conformal import MapieConformal
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature

pytest.importorskip("mapie", reason="the extra `mapie` is not installed", exc_type=ImportError)

INPUTS = (Column(name="x", kind="number"),)
REGRESSION = Signature(task="regression", inputs=INPUTS)
RNG = np.random.default_rng(5)


def regression(rows: int) -> tuple[np.ndarray, Predictions]:
    values = RNG.normal(size=rows)
    return values + RNG.normal(size=rows), Predictions(values=values)


def test_intervals_hold_the_truth_as_often_as_they_promise() -> None:
    found = MapieConformal().coverage(regression(2_000), regression(2_000), REGRESSION, level=0.9)

    assert found.method == "split conformal, absolute residuals (MAPIE)"
    assert (found.level, found.rows) == (0.9, 2_000)
    assert found.coverage == pytest.approx(0.9, abs=0.03)
    assert found.width == pytest.approx(2 * 1.645, rel=0.1)  # residuals are standard normal


def test_the_width_is_that_of_the_calibration_s_residuals() -> None:
    """With 99 rows and a level of 0.9 the half width is their 90th smallest residual (Lei et al. 2018)."""
    truth, answers = np.arange(1.0, 100.0), Predictions(values=np.zeros(99))
    found = MapieConformal().coverage((truth, answers), regression(50), REGRESSION, level=0.9)

    assert found.width == pytest.approx(2 * 90)
    assert found.coverage == 1.0


@pytest.mark.parametrize("classes", [("no", "yes"), (0, 1, 7)])
def test_sets_of_classes_hold_the_truth_as_often_as_they_promise(classes: tuple[str | int, ...]) -> None:
    def answered(rows: int) -> tuple[np.ndarray, Predictions]:
        probabilities = RNG.dirichlet(np.ones(len(classes)), rows)
        codes = [RNG.choice(len(classes), p=each) for each in probabilities]
        labels = np.array(classes, dtype=object if isinstance(classes[0], str) else np.int64)
        return labels[codes], Predictions(labels=labels[probabilities.argmax(axis=1)], probabilities=probabilities)

    task = "binary-classification" if len(classes) == 2 else "multiclass-classification"
    found = MapieConformal().coverage(
        answered(2_000), answered(2_000), Signature(task=task, inputs=INPUTS, classes=classes), level=0.8
    )

    assert found.method == "split conformal, least ambiguous sets (MAPIE)"
    assert found.coverage == pytest.approx(0.8, abs=0.04)
    assert 1 <= found.width < len(classes)


def test_too_few_rows_for_the_level_are_an_error() -> None:
    with pytest.raises(ValueError, match="too low"):
        MapieConformal().coverage(regression(5), regression(50), REGRESSION, level=0.9)
