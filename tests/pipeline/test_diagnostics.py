from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlops_ci.adapters.conformal import MapieConformal
from mlops_ci.adapters.shap_values import ShapExplainer
from mlops_ci.config.diagnostics import DiagnosticsConfig
from mlops_ci.config.types import PrimaryConfig
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.diagnostics import read_diagnostics
from mlops_ci.ports import Coverage
from tests.pipeline.team import Team, make_team, people

LEARNERS = {
    "tree": "from sklearn.tree import DecisionTreeClassifier as Learner",
    "dummy": "from sklearn.dummy import DummyClassifier as Learner",
}
REGRESSION = """\
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def build_model(params):
    return make_pipeline(StandardScaler(), LinearRegression())
"""


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


def ask_for(team: Team, **diagnostics: Any) -> None:
    team.set(train__diagnostics=DiagnosticsConfig(**diagnostics))


def diagnosed(team: Team, **ports: Any) -> dict[str, Any]:
    return read_diagnostics(team.train(**ports).candidate, team.registry)


def make_regression(team: Team) -> None:
    team.write_data(people(600))
    team.write("train.py", REGRESSION)
    team.set(task="regression", data__target="height", data__features=("age", "late"))
    team.set(gate__primary=PrimaryConfig(metric="rmse", margin=0.0, alpha=0.05))
    frame = people(600)
    frame["height"] = frame["height"].fillna(170.0)
    team.write_data(frame)


def test_what_is_kept_with_the_candidate(team: Team) -> None:
    result = team.train()
    found = read_diagnostics(result.candidate, team.registry)

    assert {name for name, value in found.items() if value is None} == {"shap", "intervals", "search"}
    assert found["notes"] == []
    curve = found["learning_curve"]
    assert curve["metric"] == "roc_auc"
    assert [(point["rows"], point["on"]) for point in curve["points"]] == [
        (48, "validation"),
        (96, "validation"),
        (192, "validation"),
        (240, "holdout"),
    ]
    last = curve["points"][-1]
    assert (last["train"], last["validation"]) == (result.metrics["train.roc_auc"], result.metrics["roc_auc"])
    assert (found["gap"]["train"], found["gap"]["holdout"]) == (last["train"], last["validation"])
    assert found["gap"]["gap"] == pytest.approx(last["train"] - last["validation"])
    assert found["gap"]["reading"] == ""
    assert found["importance"]["rows"] == 60
    assert [feature["name"] for feature in found["importance"]["features"]] == ["height", "colour", "age"]


def test_the_same_lock_is_diagnosed_once_and_alike(team: Team, tmp_path: Path) -> None:
    first = team.train().candidate.diagnostics
    other = make_team(tmp_path / "elsewhere") if (tmp_path / "elsewhere").mkdir() is None else team

    assert other.train().candidate.diagnostics == first


def test_the_curve_can_be_switched_off_and_that_is_part_of_the_lock(team: Team) -> None:
    lock = team.train().lock
    ask_for(team, learning_curve=False)
    result = team.train()

    assert result.lock != lock
    assert read_diagnostics(result.candidate, team.registry)["learning_curve"] is None


@pytest.mark.parametrize(("learner", "reading"), [("tree", "overfitting"), ("dummy", "underfitting")])
def test_a_fit_that_went_wrong_is_called_by_its_name(team: Team, learner: str, reading: str) -> None:
    team.write_data(people(900).assign(height=lambda frame: frame["height"].fillna(170.0)))
    source = f"{LEARNERS[learner]}\n\n\ndef build_model(params):\n    return Learner(random_state=1)\n"
    team.write("train.py", source)
    team.set(data__features=("height", "age"), data__group=None)
    gap = diagnosed(team)["gap"]

    assert gap["reading"] == reading
    assert gap["text"].startswith(f"roc_auc is {gap['train']:.4g} on rows that the model learned from")


def test_five_groups_are_too_few_to_read_anything(team: Team) -> None:
    gap = diagnosed(team)["gap"]

    assert gap["reading"] == ""
    assert gap["text"].endswith("too few rows, groups or classes to say what that means.")


def test_a_loss_and_its_gap_point_the_right_way(team: Team) -> None:
    make_regression(team)
    found = diagnosed(team)

    assert found["gap"]["gap"] == pytest.approx(found["gap"]["holdout"] - found["gap"]["train"])
    late, age = found["importance"]["features"]
    assert late["name"] == "late"
    assert late["lower"] > 0.1
    assert age["upper"] > -0.2


def test_a_model_without_a_graph_is_judged_nevertheless(team: Team) -> None:
    class Refusing:
        def export(self, estimator: Any, signature: Signature) -> bytes:
            raise ValueError("not today")

        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: None

    ask_for(team, shap=True, prediction_intervals=0.9)
    found = diagnosed(team, exporter=Refusing(), explainer=Unasked(), conformal=Unasked())

    assert found["learning_curve"] is not None
    assert found["gap"] is not None
    assert (found["importance"], found["shap"], found["intervals"]) == (None, None, None)
    assert found["notes"] == ["there is no ONNX graph to shuffle columns for"]
    assert found["notes"][0] in team.console.said


class Unasked:
    """An extra that nobody may use."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_the_extras_are_off_unless_asked_for(team: Team) -> None:
    found = diagnosed(team, explainer=Unasked(), conformal=Unasked())

    assert (found["shap"], found["intervals"]) == (None, None)


class Failing:
    """An extra that cannot do it, and would quote the data."""

    def mean_absolute(self, *_: Any, **__: Any) -> Any:
        raise ValueError("row of Ada Lovelace")

    def coverage(self, *_: Any, **__: Any) -> Any:
        raise ValueError("too few rows")


def test_what_cannot_be_found_is_noted_without_the_data(team: Team) -> None:
    ask_for(team, shap=True, prediction_intervals=0.9)
    found = diagnosed(team, explainer=Failing(), conformal=Failing())

    assert (found["shap"], found["intervals"]) == (None, None)
    assert len(found["notes"]) == 2
    assert "Ada" not in str(found["notes"])


def test_no_value_of_a_column_is_kept(team: Team) -> None:
    frame = people()
    frame["colour"] = frame["colour"].replace({"red": "Ada Lovelace"})
    team.write_data(frame)
    kept = canonical_json(diagnosed(team))

    assert b"colour" in kept
    assert b"Lovelace" not in kept


class Explaining:
    def __init__(self) -> None:
        self.rows = 0

    def mean_absolute(
        self,
        predict: Callable[[Mapping[str, NDArray[Any]]], Predictions],
        columns: Mapping[str, NDArray[Any]],
        signature: Signature,
        *,
        seed: int,
    ) -> tuple[dict[str, float], int]:
        self.rows = len(predict(columns))
        return {"age": 0.1, "height": 0.3, "colour": 0.3}, 7


def test_shap_values_are_sorted_and_asked_of_the_holdout(team: Team) -> None:
    ask_for(team, shap=True)
    explainer = Explaining()
    found = diagnosed(team, explainer=explainer)

    assert explainer.rows == 60
    assert found["shap"] == {
        "rows": 7,
        "features": [
            {"name": "colour", "mean_abs": 0.3},
            {"name": "height", "mean_abs": 0.3},
            {"name": "age", "mean_abs": 0.1},
        ],
    }


class Halved:
    """Keeps what it is given."""

    def coverage(self, calibration: Any, test: Any, signature: Signature, *, level: float) -> Coverage:
        self.calibration, self.test = calibration, test
        return Coverage(method="by hand", level=level, rows=len(test[0]), coverage=0.5, width=2.0)


@pytest.mark.parametrize("strategy", ["random", "group", "time"])
def test_intervals_are_learned_on_one_half_of_the_holdout_and_measured_on_the_other(team: Team, strategy: str) -> None:
    frame = people(600).assign(city=np.arange(600) % 60, height=np.arange(600.0))
    team.write_data(frame)
    team.write("train.py", REGRESSION)
    team.set(task="regression", data__target="height", data__features=("age",), split__strategy=strategy)
    team.set(gate__primary=replace(team.config.gate.primary, metric="mae"))
    ask_for(team, prediction_intervals=0.8)
    halved = Halved()
    found = diagnosed(team, conformal=halved)

    assert found["intervals"] == {
        "kind": "interval",
        "method": "by hand",
        "level": 0.8,
        "rows": 60,
        "coverage": 0.5,
        "mean_width": 2.0,
    }
    (learned, answers), (asked, _) = halved.calibration, halved.test
    assert len(learned) == len(answers) == 60
    assert set(learned.tolist()).isdisjoint(asked.tolist())
    if strategy == "time":
        assert max(learned) < min(asked)
    if strategy == "group":
        assert {int(each) % 60 for each in learned}.isdisjoint({int(each) % 60 for each in asked})


def test_both_extras_for_real(team: Team) -> None:
    for library in ("shap", "mapie"):
        pytest.importorskip(library, reason=f"the extra `{library}` is not installed", exc_type=ImportError)
    make_regression(team)
    ask_for(team, shap=True, prediction_intervals=0.9)
    found = diagnosed(team, explainer=ShapExplainer(), conformal=MapieConformal())

    assert [feature["name"] for feature in found["shap"]["features"]] == ["late", "age"]
    assert found["shap"]["rows"] == 120
    assert 0.75 < found["intervals"]["coverage"] <= 1
    assert 20 < found["intervals"]["mean_width"] < 45  # heights of one kind deviate by ten at most
    assert found["notes"] == []
