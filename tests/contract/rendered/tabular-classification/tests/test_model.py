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
FEATURES = CONFIG["data"]["features"]
TARGET = CONFIG["data"]["target"]
PARAMS = CONFIG["train"]["params"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    files = sorted(ROOT.glob(CONFIG["data"]["source"]))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True).head(8000)


@pytest.fixture(scope="module")
def fitted(rows: pd.DataFrame) -> Pipeline:
    older = rows.head(4000)
    return build_model(PARAMS).fit(model_input(older), older[TARGET])


def model_input(rows: pd.DataFrame) -> pd.DataFrame:
    """The features as mlops-ci hands them to the model: numbers as float64, text as strings, "" where it is missing."""
    numbers = rows[FEATURES].select_dtypes("number")
    text = rows[FEATURES].drop(columns=numbers.columns)
    return pd.concat([numbers.astype("float64"), text.astype(object).fillna("")], axis="columns")[FEATURES]


def test_data_have_the_declared_columns(rows: pd.DataFrame) -> None:
    described = yaml.safe_load((ROOT / CONFIG["data"]["schema"]).read_text(encoding="utf-8"))["columns"]
    assert list(rows.columns) == list(described)
    assert {*FEATURES, TARGET, CONFIG["data"]["id"], CONFIG["data"]["time"]} <= set(rows.columns)
    assert set(rows[TARGET]) == {0, 1}


@pytest.mark.parametrize("params", [PARAMS, {"learner": "logistic"}], ids=["mlops.yaml", "logistic"])
def test_build_model_returns_an_unfitted_estimator(params: dict) -> None:
    model = build_model(params)
    assert isinstance(model, BaseEstimator)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


def test_a_wrong_learner_is_named() -> None:
    with pytest.raises(ValueError, match=r"learner is 'forest'; it must be one of boosting, logistic"):
        build_model({"learner": "forest"})


def test_the_model_reads_every_feature(fitted: Pipeline) -> None:
    used = {name for _, _, columns in fitted["columns"].transformers_ for name in columns}
    assert used == set(FEATURES)


def test_it_beats_a_dummy_on_later_flights(rows: pd.DataFrame, fitted: Pipeline) -> None:
    older, later = rows.head(4000), rows.tail(4000)
    dummy = DummyClassifier().fit(model_input(older), older[TARGET])
    auc = roc_auc_score(later[TARGET], fitted.predict_proba(model_input(later))[:, 1])
    assert auc > roc_auc_score(later[TARGET], dummy.predict_proba(model_input(later))[:, 1]) + 0.1


def test_an_unseen_airport_and_missing_weather_get_an_answer(rows: pd.DataFrame, fitted: Pipeline) -> None:
    unusual = model_input(rows.tail(50)).assign(dest="XXX", carrier="", temp=np.nan, wind_speed=np.nan, visib=np.nan)
    probability = fitted.predict_proba(unusual)[:, 1]
    assert np.isfinite(probability).all()
    assert ((probability > 0) & (probability < 1)).all()
