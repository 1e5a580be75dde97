from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from mlops_ci.adapters.installed import InstalledPackages
from mlops_ci.adapters.local_engine import LocalEngine
from mlops_ci.core.folds import folds
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.dataset import load_dataset, split_dataset
from mlops_ci.pipeline.locking import compute_lock
from tests.pipeline.searching import declared, searched
from tests.pipeline.team import Team, make_team, people

BY_NAME = """\
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def build_model(params):
    kinds = {"logistic": LogisticRegression, "dummy": DummyClassifier}
    params = dict(params)
    numbers = make_column_transformer((SimpleImputer(), make_column_selector(dtype_include="number")))
    return make_pipeline(numbers, kinds[params.pop("kind")](**params))
"""


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


def test_a_grid_finds_what_scikit_learn_finds(team: Team) -> None:
    """GridSearchCV over the same folds, as an independent implementation."""
    values = (0.001, 0.01, 1.0, 100.0)
    record = searched(team, space={"C": values}, method="grid", folds=4)
    rows, _ = split_dataset(load_dataset(team.config, team.data, team.code), team.config)
    fold_of = np.empty(len(rows), dtype=int)
    for number, (_, held) in enumerate(folds("stratified", len(rows), count=4, seed=3, target=rows.target)):
        fold_of[held] = number
    pipeline = team.code.load(team.root, "train:build_model")({})
    theirs = GridSearchCV(
        pipeline, {"logisticregression__C": values}, scoring="roc_auc", cv=PredefinedSplit(fold_of), refit=False
    ).fit(rows.features_frame(), rows.target)
    means = {row["params"]["C"]: row["mean"] for row in record["results"]}
    assert means == pytest.approx(dict(zip(values, theirs.cv_results_["mean_test_score"].tolist(), strict=True)))
    spreads = {row["params"]["C"]: row["std"] for row in record["results"]}
    assert spreads == pytest.approx(dict(zip(values, theirs.cv_results_["std_test_score"].tolist(), strict=True)))
    assert record["best_params"] == {"C": theirs.best_params_["logisticregression__C"]}
    assert [row["rank"] for row in record["results"]] == [1, 2, 3, 4]


def test_the_engine_does_not_change_a_digit(team: Team) -> None:
    assert searched(team, LocalEngine(2)) == searched(team, LocalEngine(1))


def test_a_loss_is_minimised(team: Team) -> None:
    record = searched(team, space={"C": (1e-6, 1.0)}, method="grid", metric="log_loss")
    means = [row["mean"] for row in record["results"]]
    assert means == sorted(means)
    assert record["best_params"] == {"C": 1.0}


def test_a_parameter_may_choose_the_estimator(team: Team) -> None:
    team.write("train.py", BY_NAME)
    team.set(train__params={"kind": "dummy"})
    record = searched(team, space={"kind": ("dummy", "logistic")}, method="grid")
    assert record["best_params"] == {"kind": "logistic"}
    assert record["results"][1]["mean"] == 0.5


def test_halving_gives_all_rows_to_the_best_only(tmp_path: Path) -> None:
    team = make_team(tmp_path, people(1200))
    record = searched(team, method="halving", candidates=9, factor=3)
    shares = [row["share"] for row in record["results"]]
    assert shares == [1.0] * 3 + [1 / 3] * 6
    finalists = [row["mean"] for row in record["results"][:3]]
    assert finalists == sorted(finalists, reverse=True)
    assert any("rung 2 of 2: 3 candidates on 100% of the rows" in text for text in team.console.said)


def test_a_candidate_that_fails_is_on_record_and_the_search_goes_on(team: Team) -> None:
    record = searched(team, space={"C": (-1.0, 1.0)}, method="grid")
    assert record["best_params"] == {"C": 1.0}
    assert (record["candidates"], record["failed"]) == (2, 1)
    last = record["results"][-1]
    assert last["mean"] is None
    assert "fitting the estimator failed: InvalidParameterError" in last["reason"]
    assert "1 of 2 candidates failed; the first: C=-1.0: fitting the estimator failed" in team.console.warned[-1]


def test_parameters_that_the_code_does_not_take(team: Team) -> None:
    with pytest.raises(ConfigurationError) as raised:
        searched(team, space={"depth": (1, 2)}, method="grid")
    assert raised.value.what == "all 2 candidates failed"
    assert raised.value.where == "mlops.yaml train.search"
    assert [problem.where for problem in raised.value.problems] == ["depth=1"]
    assert "train.py line 12: train:build_model() failed: TypeError" in raised.value.problems[0].what
    assert "unexpected keyword argument 'depth'" in raised.value.problems[0].what


def test_a_score_that_is_no_number_loses(tmp_path: Path) -> None:
    """One candidate answers with numbers too large to be squared."""
    team = make_team(tmp_path)
    team.write(
        "train.py",
        "from sklearn.dummy import DummyRegressor\n\ndef build_model(params):\n"
        "    return DummyRegressor(strategy='constant', **params)\n",
    )
    team.set(task="regression", data__target="age", data__features=("height",), train__params={})
    record = searched(team, space={"constant": (1e300, 40.0)}, method="grid", metric="rmse", strategy="random")
    assert record["best_params"] == {"constant": 40.0}
    assert record["results"][1]["reason"] == "rmse is no finite number: the numbers are too large"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"folds": 100, "strategy": "group"}, "100 folds need at least 100 groups; the training rows have 5"),
        (
            {"folds": 300, "strategy": "time"},
            "300 folds, each validated on later rows, need at least 301 distinct times; the training rows have 240",
        ),
        ({"folds": 300}, "300 folds need at least 300 rows; the training rows have 240"),
    ],
)
def test_folds_that_the_rows_do_not_allow(team: Team, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        searched(team, **changes)
    assert (raised.value.what, raised.value.where) == (said, "mlops.yaml train.search.cv")


def test_a_class_that_a_fold_would_never_see(tmp_path: Path) -> None:
    frame = people(300)
    frame["late"] = 0
    frame.loc[frame["city"] == "Rome", "late"] = 1
    team = make_team(tmp_path, frame)
    with pytest.raises(ConfigurationError, match=r"in fold \d of 5 \(group\), 1 classes have no row to fit on"):
        searched(team, folds=5, strategy="group")


def test_no_fold_learns_from_what_comes_later_or_belongs_together(team: Team) -> None:
    """The model writes down what it was fitted on and asked of."""
    seen = team.root.parent / "seen"
    team.write(
        "train.py",
        "from sklearn.dummy import DummyClassifier\n\n"
        "class Spy(DummyClassifier):\n"
        "    def fit(self, X, y):\n        self.fitted_on_ = X\n        return super().fit(X, y)\n"
        "    def predict_proba(self, X):\n"
        f"        with open({str(seen)!r}, 'a') as file:\n"
        "            print(self.fitted_on_['height'].max() < X['height'].min(),\n"
        "                  bool(set(self.fitted_on_['colour']) & set(X['colour'])), file=file)\n"
        "        return super().predict_proba(X)\n\n"
        "def build_model(params):\n    return Spy(**params)\n",
    )
    frame = people(300)
    frame["height"] = np.arange(300.0)
    frame["colour"] = frame["city"]
    team.write_data(frame)
    team.set(train__params={})
    for strategy in ("time", "group", "random"):
        searched(team, space={"strategy": ("prior",)}, method="grid", strategy=strategy)
    lines = seen.read_text().splitlines()
    assert lines[:3] == ["True True"] * 3
    assert lines[3:6] == ["False False"] * 3
    assert lines[6:] == ["False True"] * 3


def test_progress_says_how_many_and_the_best_so_far(team: Team) -> None:
    searched(team)
    said = [text for text in team.console.said if "candidates" in text]
    assert said[0].startswith("searching 5 candidates by roc_auc over 3 folds (stratified), random, on this process")
    assert said[1].startswith("1 of 5 candidates; best so far: roc_auc 0.")
    assert said[5].startswith("5 of 5 candidates; best so far: roc_auc 0.")
    assert team.console.said[-1].startswith("best of 5: roc_auc 0.")


def test_the_seed_draws_other_candidates(team: Team) -> None:
    first = searched(team)
    team.set(train__seed=4)
    assert [row["params"] for row in searched(team)["results"]] != [row["params"] for row in first["results"]]


def test_training_refits_the_best_on_all_training_rows(team: Team) -> None:
    team.set(train__search=declared(space={"C": (1e-6, 1.0)}, method="grid"), train__params={"max_iter": 500})
    result = team.train()
    assert result.best_params == {"C": 1.0}
    assert result.to_json()["best_params"] == {"C": 1.0}
    assert result.candidate.search == result.to_json()["search"]
    record = team.registry.get_json(str(result.candidate.search))
    assert record["best_params"] == {"C": 1.0}
    assert len(record["results"]) == 2
    again = team.train()
    assert (again.cached, again.best_params) == (True, {"C": 1.0})
    # the same model as one that is told so at once
    team.set(train__search=None, train__params={"max_iter": 500, "C": 1.0})
    told = team.train()
    assert (told.best_params, told.candidate.search) == (None, None)
    assert told.candidate.onnx == result.candidate.onnx


def test_what_is_searched_is_part_of_the_lock_and_not_where(team: Team) -> None:
    def lock() -> str:
        return compute_lock(team.config, team.data, team.code, InstalledPackages()).digest

    changes: list[dict[str, Any]] = [
        {},
        {"space": {"C": (1.0, 2.0)}},
        {"folds": 4},
        {"metric": "log_loss"},
        {"candidates": 2},
        {"method": "halving"},
    ]
    locks = []
    for change in changes:
        team.set(train__search=declared(**change))
        locks.append(lock())
    assert len(set(locks)) == len(changes)
    team.set(train__engine="tcp://host:8786")
    assert lock() == locks[-1]
