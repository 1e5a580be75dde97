"""Plots are the same bytes each time, can be read without colour, and have words for those who do not see them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mlops_ci.core.curves import curves
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.plots import plots
from tests.pipeline import report_examples as examples

BOTH = {"champion": examples.drawn(0.6), "challenger": examples.drawn(1.5)}


def test_a_binary_classifier_has_four_plots() -> None:
    drawn = plots({"curves": BOTH}, key="a")
    assert [plot.title for plot in drawn] == [
        "ROC curve",
        "Precision and recall",
        "Calibration",
        "Scores by true class",
    ]
    assert drawn[0].text.startswith("ROC curve: champion 0.")
    for plot in drawn:
        assert plot.text.rstrip(".") in plot.svg
        assert "font-family: var(--sans)" in plot.svg
        assert "T0" not in re.sub(r"<text.*?</text>", "", plot.svg)  # no date


def test_the_same_curves_give_the_same_bytes_and_another_key_other_ids() -> None:
    assert plots({"curves": BOTH}, key="a") == plots({"curves": BOTH}, key="a")
    ids = [
        set(re.findall(r'id="([^"]+)"', "".join(plot.svg for plot in plots({"curves": BOTH}, key=key)))) for key in "ab"
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_champion_and_challenger_differ_without_colour() -> None:
    roc = plots({"curves": BOTH}, key="a")[0].svg
    lines = re.findall(r'style="fill: none; stroke: var\(--(champion|challenger)\)[^"]*"', roc)
    dashed = re.findall(r'style="fill: none; stroke-dasharray: [^"]* stroke: var\(--(champion|challenger)\)[^"]*"', roc)
    assert "challenger" in lines
    assert set(dashed) == {"champion"}


def test_without_a_champion_only_the_challenger_is_drawn() -> None:
    drawn = plots({"curves": {"champion": None, "challenger": examples.drawn(1.5)}}, key="a")
    assert len(drawn) == 4
    assert all("champion" not in plot.text for plot in drawn)


def test_nothing_to_draw() -> None:
    assert plots({}, key="a") == []
    assert plots({"curves": {"challenger": {"task": "regression", "rows": 0, "dropped": 3}}}, key="a") == []
    one_class = examples.drawn(1.5) | {"roc": {"x": [], "y": []}, "pr": {"x": [], "y": []}}
    assert [plot.title for plot in plots({"curves": {"challenger": one_class}}, key="a")] == [
        "Calibration",
        "Scores by true class",
    ]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_regressions_of_any_scale(scale: float) -> None:
    random = np.random.default_rng(1)
    actual = random.normal(5, 1, 500) * scale
    predictions = Predictions(values=actual + random.normal(0, 0.3, 500) * scale)
    drawn = plots(
        {"curves": {"challenger": curves(actual, predictions, Signature(task="regression", inputs=()))}}, key="a"
    )
    assert [plot.title for plot in drawn] == ["Residuals", "Calibration"]
