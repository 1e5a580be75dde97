"""The model, unfitted: mlops-ci calls `build_model` with the params of mlops.yaml, then fits and judges the result.

The estimator is given a DataFrame with the columns of `data.features`: numbers as float64 with NaN where one is
missing, text as strings with "" where one is missing. All preprocessing belongs inside it, so that the graph that
ships is given the same columns as the training was.
"""

from collections.abc import Mapping
from typing import Any

from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# Chosen by type and not by name, so that the list of features is kept in one place: mlops.yaml.
NUMBERS = make_column_selector(dtype_include="number")
TEXT = make_column_selector(dtype_exclude="number")


def build_model(params: Mapping[str, Any]) -> Pipeline:
    """`learner` says which model; all other params are settings of its scikit-learn estimator."""
    settings = dict(params)
    learner = settings.pop("learner", None)
    if learner not in LEARNERS:
        raise ValueError(f"train.params.learner is {learner!r}; it must be one of {', '.join(LEARNERS)}")
    return LEARNERS[learner](settings)


def boosting(settings: dict[str, Any]) -> Pipeline:
    # Trees need no scaling, and have a branch of their own for missing numbers.
    columns = ColumnTransformer([("text", one_hot(), TEXT), ("numbers", "passthrough", NUMBERS)])
    # Early stopping would hold back rows of its own, at random and not by time.
    model = HistGradientBoostingClassifier(early_stopping=False, random_state=7)
    return Pipeline([("columns", columns), ("model", model.set_params(**settings))])


def logistic(settings: dict[str, Any]) -> Pipeline:
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    columns = ColumnTransformer([("text", one_hot(), TEXT), ("numbers", numbers, NUMBERS)])
    model = LogisticRegression(max_iter=1000)
    return Pipeline([("columns", columns), ("model", model.set_params(**settings))])


def one_hot() -> OneHotEncoder:
    # A category never seen is all zeros; rare ones share a column. Dense, because boosting takes nothing sparse.
    return OneHotEncoder(handle_unknown="ignore", min_frequency=50, sparse_output=False)


LEARNERS = {"boosting": boosting, "logistic": logistic}
