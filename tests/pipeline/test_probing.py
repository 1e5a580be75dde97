from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlops_ci.adapters.onnx_export import SklearnExporter
from mlops_ci.core.adversarial import ROWS
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import Probes
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.dataset import Dataset, load_dataset, split_dataset
from mlops_ci.pipeline.estimator import build_estimator, fit_estimator, fitted_classes
from mlops_ci.pipeline.fitting import Fitted
from mlops_ci.pipeline.probing import make_probes
from mlops_ci.scoring.model import OnnxRuntime
from tests.pipeline.team import Team, make_team

FOREST = """\
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def build_model(params):
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, ["colour"]), ("passthrough", ["height", "age"]))
    return make_pipeline(columns, RandomForestClassifier(30, random_state=0))
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    team = make_team(tmp_path_factory.mktemp("team"), source=FOREST)
    team.set(train__params={})
    return team


@pytest.fixture(scope="module")
def parts(team: Team) -> tuple[Fitted, Dataset]:
    rows, _ = split_dataset(load_dataset(team.config, team.data, team.code), team.config)
    with team.code.session(team.root):
        estimator = build_estimator(team.config, team.code, team.console)
        estimator = fit_estimator(estimator, rows, team.config, team.code, team.console)
    signature = Signature(
        task="binary-classification", inputs=rows.inputs, classes=fitted_classes(estimator, "binary-classification")
    )
    fitted = Fitted(
        config=team.config, estimator=estimator, signature=signature, answers=Predictions(),
        graph=SklearnExporter().export(estimator, signature), refusal="",
    )  # fmt: skip
    return fitted, rows


def made(team: Team, fitted: Fitted, rows: Dataset, **changes: Any) -> Probes | None:
    ports = {"exporter": SklearnExporter(), "runtime": OnnxRuntime(), "user_code": team.code, "console": team.console}
    return make_probes(fitted, rows, **{**ports, **changes})


def test_rows_of_every_kind_within_the_limit(team: Team, parts: tuple[Fitted, Dataset]) -> None:
    probes = made(team, *parts)
    assert probes is not None
    count = {kind: probes.kinds.count(kind) for kind in ("threshold", "missing", "unseen", "extreme", "empty")}
    assert 1000 < count["threshold"] <= ROWS - sum(count.values()) + count["threshold"]
    assert min(count.values()) >= 3
    assert len(probes) <= ROWS
    assert {name for names in probes.changes for name in names} == {"height", "age", "colour"}


def test_the_native_model_s_answers_and_what_it_refuses(team: Team, parts: tuple[Fitted, Dataset]) -> None:
    fitted, rows = parts
    probes = made(team, fitted, rows)
    assert probes is not None
    frame = replace(rows.take(np.zeros(len(probes), dtype=int)), columns=probes.columns).features_frame()
    with np.errstate(over="ignore"):
        native = fitted.estimator.predict_proba(frame[~probes.refused])
    np.testing.assert_array_equal(probes.answers.scores[~probes.refused], native)
    refused = {(probes.changes[row], probes.kinds[row]) for row in np.flatnonzero(probes.refused)}
    assert refused == {(("height",), "extreme"), (("age",), "extreme")}, "beyond float32, a forest raises"
    for row in np.flatnonzero(probes.refused):
        with np.errstate(over="ignore"), pytest.raises(ValueError, match="too large"):
            fitted.estimator.predict_proba(frame[row : row + 1])


def test_the_same_model_gives_the_same_rows(team: Team, parts: tuple[Fitted, Dataset]) -> None:
    first, second = made(team, *parts), made(team, *parts)
    assert first is not None
    assert second is not None
    assert first.to_json() == second.to_json()


def test_rows_that_json_cannot_say_are_not_made_of(team: Team, parts: tuple[Fitted, Dataset]) -> None:
    fitted, rows = parts
    height = rows.columns["height"].copy()
    height[::2] = np.inf
    probes = made(team, fitted, replace(rows, columns={**rows.columns, "height": height}))
    assert probes is not None
    assert not np.isinf(probes.columns["height"]).any()


def test_without_a_graph_there_is_nothing_to_ask_about(team: Team, parts: tuple[Fitted, Dataset]) -> None:
    fitted, rows = parts
    assert made(team, replace(fitted, graph=None), rows) is None


def test_what_comes_before_the_trees_may_not_run_by_itself(team: Team, parts: tuple[Fitted, Dataset]) -> None:
    class Runtime(OnnxRuntime):
        def function(self, onnx: bytes) -> Any:
            raise ValueError("no such operator")

    probes = made(team, *parts, runtime=Runtime())
    assert probes is not None
    assert "threshold" not in probes.kinds
    assert "no adversarial rows are made at thresholds: no such operator" in team.console.warned
