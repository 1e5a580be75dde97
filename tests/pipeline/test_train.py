from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_ci.core import baseline
from mlops_ci.core.lock import Lock
from mlops_ci.core.signature import Column
from mlops_ci.errors import ConfigurationError, DataGateError
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.check import check
from mlops_ci.pipeline.dataset import load_dataset, row_digest, split_dataset
from tests.pipeline.team import LOGISTIC, Team, make_team, people


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


def test_trains_and_keeps_all_that_later_steps_need(team: Team) -> None:
    result = team.train()
    candidate = result.candidate
    assert (result.cached, result.model, result.lock) == (False, "late", candidate.lock)
    assert result.path == f"candidates/late/{candidate.lock}.json"
    assert candidate == team.registry.find_candidate("late", candidate.lock)
    assert candidate.signature.inputs == (
        Column(name="height", kind="number"),
        Column(name="age", kind="number"),
        Column(name="colour", kind="text"),
    )
    assert candidate.signature.classes == (0, 1)
    assert dict(candidate.rows) == {"train": 240, "holdout": 60}
    assert candidate.commit == "c" * 40
    assert candidate.trained_at == "2026-11-21T00:00:01.000000Z"
    assert candidate.refusal == ""
    assert candidate.onnx is not None
    assert team.registry.get_blob(candidate.onnx)
    lock = Lock.from_json(team.registry.get_json(candidate.lock_record))
    assert lock.digest == candidate.lock
    assert team.registry.get_json(candidate.profile)["rows"] == 240
    assert 0.8 < candidate.metrics["roc_auc"] <= 1.0
    assert candidate.metrics["baseline.roc_auc"] == 0.5
    assert candidate.metrics["baseline.log_loss"] > candidate.metrics["log_loss"]
    assert 0.8 < candidate.metrics["train.roc_auc"] <= 1.0


def test_the_reference_is_what_the_native_model_says_of_the_holdout(team: Team) -> None:
    candidate = team.train().candidate
    train, holdout = split_dataset(load_dataset(team.config, team.data, team.code), team.config)
    assert candidate.holdout == row_digest(holdout)
    estimator = team.code.load(team.root, "train:build_model")({"C": 1.0}).fit(train.features_frame(), train.target)
    answers = reference.decode(team.registry.get_blob(candidate.reference))
    assert answers.probabilities is not None
    assert np.array_equal(answers.probabilities, estimator.predict_proba(holdout.features_frame()))
    dummy = baseline.predict(candidate.metrics, candidate.signature, len(holdout))
    assert dummy.probabilities is not None
    assert dummy.probabilities[0].tolist() == [np.mean(train.target == 0), np.mean(train.target == 1)]


def test_the_same_lock_is_not_trained_again(team: Team) -> None:
    first = team.train()
    stored = len(team.stored)
    again = team.train(user_code=Untouchable(), exporter=None, runtime=None)
    assert (again.cached, again.candidate, again.lock) == (True, first.candidate, first.lock)
    assert again.to_json() == {**first.to_json(), "cached": True}
    assert len(team.stored) == stored


class Untouchable:
    """Code that may be hashed, and never run."""

    def __init__(self) -> None:
        from mlops_ci.adapters.user_code import PythonUserCode

        self.digests, self.imports = PythonUserCode().digests, PythonUserCode().imports


@pytest.mark.parametrize("change", ["code", "data", "params", "seed"])
def test_what_training_reads_makes_another_lock(team: Team, change: str) -> None:
    first = team.train()
    if change == "code":
        team.write("train.py", LOGISTIC + "# a remark\n")
    elif change == "data":
        team.write_data(people(301))
    elif change == "params":
        team.set(train__params={"C": 0.5})
    else:
        team.set(train__seed=4)
    second = team.train()
    assert not second.cached
    assert second.lock != first.lock


def test_the_gate_and_the_tests_are_no_part_of_the_lock(team: Team) -> None:
    team.train()
    team.set(gate__looks=3, gate__primary=replace(team.config.gate.primary, margin=0.1))
    (team.root / "tests").mkdir()
    team.write("tests/test_train.py", "assert True\n")
    assert team.train().cached


def test_a_check_of_a_moment_ago_is_not_repeated(team: Team) -> None:
    class ReadOnce(type(team.data)):  # type: ignore[misc]
        def read(self, *arguments: Any) -> Any:
            raise AssertionError("read again")

    checked = check(team.config, team.data, team.code)
    assert not team.train(data=ReadOnce(), checked=lambda: checked).cached


def test_a_check_of_other_data_is_not_believed(team: Team) -> None:
    checked = check(team.config, team.data, team.code)
    team.write_data(people(200))
    assert dict(team.train(checked=lambda: checked).candidate.rows) == {"train": 160, "holdout": 40}


def test_bad_data_train_nothing(team: Team) -> None:
    frame = people()
    frame.loc[3, "late"] = None
    team.write_data(frame)
    with pytest.raises(DataGateError) as raised:
        team.train()
    assert "1 of 300 values are missing, such as data.csv line 5" in str(raised.value)
    assert team.stored == []


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        ("return 1 / 0", "train.py line 2", "train:build_model() failed: ZeroDivisionError: division by zero"),
        ("return None", "mlops.yaml train.entrypoint", "train:build_model() returned None"),
        ("return {}", "mlops.yaml train.entrypoint", "returned a dict, which is no scikit-learn estimator"),
        ("from sklearn.svm import SVC; return SVC", "mlops.yaml train.entrypoint", "returned the class SVC"),
        (
            "from sklearn.svm import SVC; return SVC()",
            "mlops.yaml train.entrypoint",
            "returned a SVC, which gives no probabilities",
        ),
        (
            "from sklearn.linear_model import Ridge; return Ridge()",
            "mlops.yaml train.entrypoint",
            "returned a Ridge, which is no classifier",
        ),
        (
            "from sklearn.preprocessing import StandardScaler as S; return S()",
            "mlops.yaml train.entrypoint",
            "which cannot fit and predict",
        ),
        (
            "from sklearn.naive_bayes import GaussianNB as N; return N().fit([[0], [1]], [0, 1])",
            "mlops.yaml train.entrypoint",
            "is fitted already",
        ),
        (
            "from sklearn.naive_bayes import GaussianNB; return GaussianNB()",
            "",
            "fitting the estimator failed: ValueError: could not convert string to float",
        ),
    ],
)
def test_code_that_makes_no_model_is_said_so(team: Team, body: str, where: str, what: str) -> None:
    team.write("train.py", f"def build_model(params):\n    {body}\n")
    with pytest.raises(ConfigurationError) as raised:
        team.train()
    assert raised.value.where == where
    assert what in raised.value.what
    assert raised.value.fix
    assert team.stored == []


def test_a_failure_inside_the_team_s_own_transformer_names_its_line(team: Team) -> None:
    team.write(
        "train.py",
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.svm import SVR\nfrom steps import Broken\n\n"
        "def build_model(params):\n    return make_pipeline(Broken(), SVR())\n",
    )
    team.write(
        "steps.py",
        "from sklearn.base import BaseEstimator, TransformerMixin\n\nclass Broken(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, X, y=None):\n        return self\n"
        "    def transform(self, X):\n        raise RuntimeError('not today')\n",
    )
    team.set(task="regression", data__target="age")
    with pytest.raises(ConfigurationError) as raised:
        team.train()
    assert (raised.value.where, raised.value.what) == (
        "steps.py line 7",
        "fitting the estimator failed: RuntimeError: not today",
    )


def test_an_estimator_that_cannot_be_converted_is_kept_with_the_reason(team: Team) -> None:
    team.write("own.py", "from sklearn.preprocessing import StandardScaler\n\nclass Own(StandardScaler):\n    pass\n")
    team.write("train.py", LOGISTIC.replace("StandardScaler()", "__import__('own').Own()"))
    candidate = team.train().candidate
    assert candidate.onnx is None
    assert "Own" in candidate.refusal
    assert "\nfix: " in candidate.refusal
    assert any("Own" in text for text in team.console.warned)
    assert candidate.metrics["roc_auc"] > 0.8
    assert team.train().cached


def test_files_that_change_meanwhile_are_named_and_nothing_is_kept(team: Team) -> None:
    team.write(
        "train.py",
        LOGISTIC.replace(
            "    numbers =", "    __import__('pathlib').Path(__file__).write_text('# another')\n    numbers ="
        ),
    )
    with pytest.raises(ConfigurationError) as raised:
        team.train()
    assert [problem.what for problem in raised.value.problems] == ["code train.py changed"]
    assert team.stored == []


def test_what_is_printed_and_warned_of_while_training(team: Team, capfd: pytest.CaptureFixture[str]) -> None:
    noisy = "    import warnings\n    print('hello from the team')\n    warnings.warn('mind the gap')\n    numbers ="
    team.write("train.py", LOGISTIC.replace("    numbers =", noisy))
    team.set(train__params={"max_iter": 1})
    team.train()
    out, err = capfd.readouterr()
    assert out == ""
    assert "hello from the team" in err
    assert "UserWarning: mind the gap" in team.console.warned
    assert any(text.startswith("ConvergenceWarning: lbfgs failed to converge") for text in team.console.warned)


def test_randomness_without_a_seed_of_its_own_follows_train_seed(team: Team) -> None:
    forest = "from sklearn.ensemble import ExtraTreesClassifier as Forest"
    team.write("train.py", f"{forest}\n\ndef build_model(params):\n    return Forest(5)\n")
    team.set(data__features=("age",))
    graphs = []
    for store, seed in (("one", 3), ("two", 3), ("three", 4)):
        team.root = team.root.rename(team.root.parent.parent / f"{store}-model")
        (team.root.parent / store).mkdir()
        team.root = team.root.rename(team.root.parent / store / "model")
        team.set(root=team.root, train__seed=seed)
        np.random.default_rng().random(3)
        graphs.append(team.train().candidate.onnx)
    assert graphs[0] == graphs[1] != graphs[2]


def test_text_classes_and_no_features_but_the_declared_ones(team: Team) -> None:
    frame = people()
    about = frame["age"] + np.random.default_rng(0).normal(0, 5, len(frame))
    frame["kind"] = np.array(["small", "middle", "tall"], dtype=object)[pd.cut(about, 3, labels=False)]
    team.write_data(frame)
    team.set(task="multiclass-classification", data__target="kind", data__features=("age", "colour", "height"))
    candidate = team.train().candidate
    assert candidate.signature.classes == ("middle", "small", "tall")
    assert [column.name for column in candidate.signature.inputs] == ["age", "colour", "height"]
    assert candidate.metrics["accuracy"] > 0.7
    assert {"baseline.prior.small", "baseline.prior.middle", "baseline.prior.tall"} <= set(candidate.metrics)


def test_a_regression(team: Team) -> None:
    team.write(
        "train.py",
        "from sklearn.ensemble import HistGradientBoostingRegressor as H\n\ndef build_model(params):\n    return H()\n",
    )
    team.set(task="regression", data__target="age", data__features=("height", "late"))
    candidate = team.train().candidate
    assert candidate.signature.classes == ()
    assert {"mae", "rmse", "r2", "baseline.mae", "baseline.mean", "train.mae"} <= set(candidate.metrics)


def test_every_metric_is_a_number_that_json_knows(team: Team) -> None:
    candidate = team.train().candidate
    json.dumps(candidate.to_json(), allow_nan=False)


INTERRUPTED = """
import sys
from pathlib import Path
from tests.pipeline.team import Team, make_config
root = Path(sys.argv[1])
Team(root=root, config=make_config(root)).train()
"""


def test_ctrl_c_in_the_middle_of_training_leaves_nothing_behind(team: Team, pytestconfig: pytest.Config) -> None:
    """A real process, interrupted when its model says that it is being fitted."""
    team.write(
        "train.py",
        "import sys, threading\nfrom sklearn.dummy import DummyClassifier\n\nclass Slow(DummyClassifier):\n"
        "    def fit(self, X, y):\n        print('fitting', flush=True)\n        threading.Event().wait()\n\n"
        "def build_model(params):\n    return Slow()\n",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(team.root)],
        cwd=pytestconfig.rootpath,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        assert any(line == "fitting\n" for line in said)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert rest.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
    assert team.stored == []
    assert sorted(path.name for path in team.root.iterdir()) == ["data.csv", "train.py"]
