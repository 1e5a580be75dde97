"""This team's own tests of its model; `mlops-ci` judges quality, these say that the code does what it should."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
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
    half = rows.iloc[::2]
    return build_model(PARAMS).fit(model_input(half), half[TARGET])


def model_input(rows: pd.DataFrame) -> pd.DataFrame:
    """The features as mlops-ci hands them to the model: numbers as float64, text as strings, "" where it is missing."""
    numbers = rows[FEATURES].select_dtypes("number")
    text = rows[FEATURES].drop(columns=numbers.columns)
    return pd.concat([numbers.astype("float64"), text.astype(object).fillna("")], axis="columns")[FEATURES]


def test_data_have_the_declared_columns(rows: pd.DataFrame) -> None:
    described = yaml.safe_load((ROOT / CONFIG["data"]["schema"]).read_text(encoding="utf-8"))["columns"]
    assert list(rows.columns) == list(described)
    assert {*FEATURES, TARGET, CONFIG["data"]["id"], CONFIG["data"]["time"]} <= set(rows.columns)


@pytest.mark.parametrize("params", [PARAMS, {"learner": "linear"}], ids=["mlops.yaml", "linear"])
def test_build_model_returns_an_unfitted_estimator(params: dict) -> None:
    model = build_model(params)
    assert isinstance(model, BaseEstimator)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


def test_a_wrong_learner_is_named() -> None:
    with pytest.raises(ValueError, match=r"learner is 'forest'; it must be one of boosting, linear"):
        build_model({"learner": "forest"})


def test_the_model_reads_every_feature(fitted: Pipeline) -> None:
    used = {name for _, _, columns in fitted["columns"].transformers_ for name in columns}
    assert used == set(FEATURES)


def test_it_beats_a_straight_line_through_the_distance(rows: pd.DataFrame, fitted: Pipeline) -> None:
    half, other = rows.iloc[::2], rows.iloc[1::2]
    line = LinearRegression().fit(half[["distance"]], half[TARGET])
    error = root_mean_squared_error(other[TARGET], fitted.predict(model_input(other)))
    assert error < root_mean_squared_error(other[TARGET], line.predict(other[["distance"]]))


def test_the_longest_flights_are_said_to_take_longest(rows: pd.DataFrame, fitted: Pipeline) -> None:
    other = rows.iloc[1::2]
    minutes = pd.Series(fitted.predict(model_input(other)), index=other.index)
    assert minutes[other["distance"] > 2000].min() > minutes[other["distance"] < 1000].max()


def test_an_unseen_airport_and_missing_weather_get_an_answer(rows: pd.DataFrame, fitted: Pipeline) -> None:
    unusual = model_input(rows.tail(50)).assign(dest="XXX", carrier="", course=np.nan, headwind=np.nan, temp=np.nan)
    minutes = fitted.predict(unusual)
    assert np.isfinite(minutes).all()
    assert (minutes > 0).all()
