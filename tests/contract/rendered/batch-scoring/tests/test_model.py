"""This team's own tests of its model; `mlops-ci` judges quality, these say that the code does what it should."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from train import build_model

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "mlops.yaml").read_text(encoding="utf-8"))
COLUMNS = yaml.safe_load((ROOT / CONFIG["data"]["schema"]).read_text(encoding="utf-8"))["columns"]
FEATURES = CONFIG["data"]["features"]
TARGET = CONFIG["data"]["target"]
PARAMS = CONFIG["train"]["params"]
INCOMING = sorted((ROOT / "incoming").glob("*.parquet"))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    files = sorted(ROOT.glob(CONFIG["data"]["source"]))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True).head(8000)


@pytest.fixture(scope="module")
def fitted(rows: pd.DataFrame) -> Pipeline:
    older = rows.head(4000)
    return build_model(PARAMS).fit(model_input(older), older[TARGET])


def model_input(rows: pd.DataFrame) -> pd.DataFrame:
    """The features as mlops-ci hands them to the model: numbers as float64."""
    return rows[FEATURES].astype("float64")


def test_data_have_the_declared_columns(rows: pd.DataFrame) -> None:
    assert list(rows.columns) == list(COLUMNS)
    assert {*FEATURES, TARGET, CONFIG["data"]["id"], CONFIG["data"]["time"]} <= set(rows.columns)
    assert set(rows[TARGET]) == {0, 1}


@pytest.mark.parametrize("file", INCOMING, ids=lambda file: file.stem)
def test_a_partition_has_the_same_columns_but_no_answer(file: Path) -> None:
    assert list(pd.read_parquet(file).columns) == [name for name in COLUMNS if name != TARGET]


def test_no_reading_that_is_to_be_scored_was_learned_from(rows: pd.DataFrame) -> None:
    new = pd.concat([pd.read_parquet(file) for file in INCOMING])
    assert new[CONFIG["data"]["id"]].is_unique
    assert new[CONFIG["data"]["time"]].min() > rows[CONFIG["data"]["time"]].max()


@pytest.mark.parametrize("params", [PARAMS, {"learner": "logistic"}], ids=["mlops.yaml", "logistic"])
def test_build_model_returns_an_unfitted_estimator(params: dict) -> None:
    model = build_model(params)
    assert isinstance(model, BaseEstimator)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


def test_a_wrong_learner_is_named() -> None:
    with pytest.raises(ValueError, match=r"learner is 'forest'; it must be one of boosting, logistic"):
        build_model({"learner": "forest"})


def test_it_beats_a_dummy_on_later_readings(rows: pd.DataFrame, fitted: Pipeline) -> None:
    older, later = rows.head(4000), rows.tail(4000)
    dummy = DummyClassifier().fit(model_input(older), older[TARGET])
    auc = roc_auc_score(later[TARGET], fitted.predict_proba(model_input(later))[:, 1])
    assert auc > roc_auc_score(later[TARGET], dummy.predict_proba(model_input(later))[:, 1]) + 0.2


def test_a_station_that_sends_next_to_nothing_gets_an_answer(rows: pd.DataFrame, fitted: Pipeline) -> None:
    silent = model_input(rows.tail(50)).assign(**dict.fromkeys(FEATURES[1:], np.nan))
    probability = fitted.predict_proba(silent)[:, 1]
    assert np.isfinite(probability).all()
    assert ((probability > 0) & (probability < 1)).all()
