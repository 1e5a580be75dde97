"""The model, unfitted: mlops-ci calls `build_model` with the params of mlops.yaml, then fits and judges the result.

The estimator is given a DataFrame with the columns of `data.features`: numbers as float64 with NaN where one is
missing. All preprocessing belongs inside it, so that the graph that ships is given the same columns as the training
was, one row at a time or a million in a batch.
"""

from collections.abc import Mapping
from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler


def build_model(params: Mapping[str, Any]) -> Pipeline:
    """`learner` says which model; all other params are settings of its scikit-learn estimator."""
    settings = dict(params)
    learner = settings.pop("learner", None)
    if learner not in LEARNERS:
        raise ValueError(f"train.params.learner is {learner!r}; it must be one of {', '.join(LEARNERS)}")
    return LEARNERS[learner](settings)


def boosting(settings: dict[str, Any]) -> Pipeline:
    # Trees need no scaling, and have a branch of their own for missing numbers. Early stopping would hold back rows of
    # its own, at random and not by time.
    model = HistGradientBoostingClassifier(early_stopping=False, random_state=7)
    return Pipeline([("model", model.set_params(**settings))])


def logistic(settings: dict[str, Any]) -> Pipeline:
    model = LogisticRegression(max_iter=1000)
    return Pipeline(
        [
            ("fill", SimpleImputer(strategy="median")),
            ("scale", StandardScaler()),
            ("model", model.set_params(**settings)),
        ]
    )


LEARNERS = {"boosting": boosting, "logistic": logistic}
