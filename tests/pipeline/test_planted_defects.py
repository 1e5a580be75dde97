"""Models and numbers with a planted defect, each blocked by its own name, through the whole evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_ci.config.types import GuardrailConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline import reference
from mlops_ci.ports import LoadedModel
from mlops_ci.scoring.model import OnnxRuntime
from tests.pipeline.judging import gate, judged, released, verdict
from tests.pipeline.team import LOGISTIC, Team, make_team, people

RIDGE = LOGISTIC.replace("LogisticRegression(**params)", "Ridge(**params)").replace("LogisticRegression", "Ridge")
BACKWARDS = """\
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline




def build_model(params):
    columns = make_column_transformer(("passthrough", ["age"]), remainder="drop")
    return make_pipeline(columns, Ridge(fit_intercept=False, alpha=1e9))
"""
"""Answers nearly zero for everybody: much worse than the mean, with an R² far below zero."""


@pytest.fixture
def team(tmp_path: Path) -> Team:
    frame = people(1200)
    noise = np.random.default_rng(8).normal(0, 8, len(frame))
    made = make_team(tmp_path, frame.assign(late=frame["age"] + noise), RIDGE)
    made.set(task="regression", split__holdout=0.4, data__group=None, train__params={"alpha": 1.0})
    gate(made, primary=replace(made.config.gate.primary, metric="r2", margin=0.01))
    return made


class Spoiling:
    """A runtime whose graphs of one digest answer NaN for one row."""

    def __init__(self, graph: bytes) -> None:
        self._graph = graph

    def load(self, onnx: bytes, signature: Signature) -> LoadedModel:
        model = OnnxRuntime().load(onnx, signature)
        if onnx != self._graph:
            return model

        class Model:
            def predict(self, columns: Mapping[str, Any]) -> Predictions:
                values = model.predict(columns).values
                assert values is not None
                return Predictions(values=np.where(np.arange(len(values)) == 7, np.nan, values))

        return Model()


def test_an_r2_below_zero_of_the_champion_turns_no_sign(team: Team) -> None:
    good = team.train().candidate
    team.write("train.py", BACKWARDS)
    team.set(train__params={})
    bad = team.train().candidate

    better = judged(team, good, released(team, bad))
    assert verdict(better) == ("superior", True)
    assert better.value["primary"]["champion"] < -1
    assert better.value["primary"]["difference"] > 1

    same = judged(team, bad, released(team, bad))
    assert verdict(same) == ("worse-than-baseline", False)
    worse = judged(team, bad, released(team, good))
    assert verdict(worse) == ("worse-than-baseline", False)
    assert worse.judgement.reasons[-1].startswith("inferior: r2")


def test_a_challenger_that_answers_nan_where_the_native_model_did_is_not_finite(team: Team) -> None:
    """Native model and graph agree on it, so that no parity check would notice."""
    champion = released(team, team.train().candidate)
    team.set(train__params={"alpha": 2.0})
    candidate = team.train().candidate
    registry = team.registry
    assert candidate.onnx is not None

    result = judged(team, candidate, champion, runtime=Spoiling(registry.get_blob(candidate.onnx)))

    names = [reason.partition(":")[0] for reason in result.judgement.reasons]
    assert not result.ships
    assert names[0] in ("parity", "metric-not-finite")
    assert "metric-not-finite" in names
    assert result.value["metrics"]["rmse"]["challenger"] is None
    assert result.value["primary"]["challenger"] is None


def test_a_champion_that_answers_nan_is_not_finite(team: Team) -> None:
    champion = released(team, team.train().candidate)
    team.set(train__params={"alpha": 2.0})
    candidate = team.train().candidate
    graph = team.registry.get_blob(champion.files["model.onnx"])

    result = judged(team, candidate, champion, runtime=Spoiling(graph))

    assert verdict(result) == ("metric-not-finite", False)
    assert "r2 of the champion is undefined: 1 of 480 predictions are not finite" in result.judgement.reasons[0]


def test_native_answers_of_another_model_are_parity(team: Team) -> None:
    candidate = team.train().candidate
    answers = reference.decode(team.registry.get_blob(candidate.reference))
    assert answers.values is not None
    moved = team.registry.put_blob(reference.encode(Predictions(values=answers.values + 0.5)))

    assert verdict(judged(team, replace(candidate, reference=moved))) == ("parity", False)


@pytest.mark.parametrize(
    ("metric", "low", "high"),
    [("r2", 0.99, None), ("mae", None, 0.1), ("latency_p99_ms", None, 0.5), ("model_mb", None, 1e-6)],
)
def test_each_kind_of_guardrail_blocks(team: Team, metric: str, low: float | None, high: float | None) -> None:
    """On this clock a single row takes a second at least."""
    gate(team, guardrails=(GuardrailConfig(metric=metric, min=low, max=high),))

    result = judged(team, team.train().candidate)

    assert verdict(result) == ("guardrail", False)
    assert f"{metric} is " in result.judgement.reasons[0]


def test_how_fast_and_large_both_models_are_is_shown(team: Team) -> None:
    champion = released(team, team.train().candidate)
    team.set(train__params={"alpha": 2.0})

    shown = judged(team, team.train().candidate, champion).value["performance"]

    assert shown["latency_p50_ms"] == shown["latency_p99_ms"] == shown["champion_latency_p99_ms"] == 1000.0
    assert shown["model_mb"] == pytest.approx(shown["champion_model_mb"], rel=0.1)
    alone = judged(team, team.train().candidate).value["performance"]
    assert alone["champion_latency_p99_ms"] is alone["champion_model_mb"] is None


def test_every_metric_has_its_uncertainty(team: Team) -> None:
    champion = released(team, team.train().candidate)
    team.set(train__params={"alpha": 1e4})

    result = judged(team, team.train().candidate, champion)

    for name, one in result.value["metrics"].items():
        for who in ("champion", "challenger"):
            low, high = one[f"{who}_interval"]
            assert low < one[who] < high, name
        low, high = one["difference_interval"]
        assert low <= one["difference"] <= high, name
    primary = result.value["primary"]
    assert primary["difference"] == result.value["metrics"]["r2"]["difference"]
