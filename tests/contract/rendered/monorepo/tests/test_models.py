"""What holds for every model of this repository; a new folder in models/ is tested as soon as it is there."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from flight_columns import for_sums, for_trees
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.utils.validation import check_is_fitted

ROOT = Path(__file__).parents[1]
MODELS = sorted(path.parent for path in ROOT.glob("models/*/mlops.yaml"))


class Model:
    """One folder of models/: its configuration, its `build_model`, and rows of its data."""

    def __init__(self, folder: Path) -> None:
        self.config = yaml.safe_load((folder / "mlops.yaml").read_text(encoding="utf-8"))
        specification = importlib.util.spec_from_file_location(f"train_{folder.name}", folder / "train.py")
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        self.build = module.build_model
        self.params = self.config["train"]["params"]
        self.features, self.target = self.config["data"]["features"], self.config["data"]["target"]
        files = sorted((folder / self.config["data"]["source"]).parent.resolve().glob("*.parquet"))
        self.rows = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True).head(8000)

    def inputs(self, rows: pd.DataFrame) -> pd.DataFrame:
        """As mlops-ci hands them to the model: numbers as float64, text as strings, "" where it is missing."""
        numbers = rows[self.features].select_dtypes("number")
        text = rows[self.features].drop(columns=numbers.columns)
        return pd.concat([numbers.astype("float64"), text.astype(object).fillna("")], axis="columns")[self.features]


@pytest.fixture(scope="module", params=MODELS, ids=lambda folder: folder.name)
def model(request: pytest.FixtureRequest) -> Model:
    return Model(request.param)


def test_the_folder_is_called_as_the_model() -> None:
    for folder in MODELS:
        assert yaml.safe_load((folder / "mlops.yaml").read_text(encoding="utf-8"))["model"] == folder.name


def test_data_have_the_declared_columns(model: Model) -> None:
    described = yaml.safe_load((ROOT / "data" / "schema.yaml").read_text(encoding="utf-8"))["columns"]
    assert list(model.rows.columns) == list(described)
    assert {*model.features, model.target} <= set(model.rows.columns)


def test_what_it_shares_is_part_of_it(model: Model) -> None:
    assert model.config["shared"] == ["../../libs"]


def test_build_model_returns_an_unfitted_estimator(model: Model) -> None:
    estimator = model.build(model.params)
    assert isinstance(estimator, BaseEstimator)
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)


def test_it_knows_more_than_a_dummy(model: Model) -> None:
    half, other = model.rows.iloc[::2], model.rows.iloc[1::2]
    dummy = DummyRegressor() if model.config["task"] == "regression" else DummyClassifier(strategy="prior")
    trained, ignorant = (
        estimator.fit(model.inputs(half), half[model.target]) for estimator in (model.build(model.params), dummy)
    )
    assert error(trained, model, other) < 0.98 * error(ignorant, model, other)


def error(estimator: BaseEstimator, model: Model, rows: pd.DataFrame) -> float:
    if model.config["task"] == "regression":
        return root_mean_squared_error(rows[model.target], estimator.predict(model.inputs(rows)))
    return log_loss(rows[model.target], estimator.predict_proba(model.inputs(rows)))


@pytest.mark.parametrize("columns", [for_trees, for_sums])
def test_the_shared_code_takes_unseen_airports_and_missing_weather(columns) -> None:
    known = pd.DataFrame({"dest": ["ATL"] * 60 + ["BOS"] * 60, "temp": [50.0] * 119 + [np.nan]})
    fitted = columns().fit(known)
    found = fitted.transform(pd.DataFrame({"dest": ["XXX"], "temp": [60.0]}))
    assert np.isfinite(found).all()
