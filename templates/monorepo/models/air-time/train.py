"""The model, unfitted: mlops-ci calls `build_model` with the params of mlops.yaml, then fits and judges the result.

The estimator is given a DataFrame with the columns of `data.features`: numbers as float64 with NaN where one is
missing, text as strings with "" where one is missing. All preprocessing belongs inside it, so that the graph that
ships is given the same columns as the training was.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

# What the models share is in libs/ at the top of the repository; `shared` in mlops.yaml makes it part of this one.
sys.path.insert(0, str(Path(__file__).parents[2] / "libs"))

from flight_columns import for_sums, for_trees


def build_model(params: Mapping[str, Any]) -> Pipeline:
    """`learner` says which model; all other params are settings of its scikit-learn estimator."""
    settings = dict(params)
    learner = settings.pop("learner", None)
    if learner not in LEARNERS:
        raise ValueError(f"train.params.learner is {learner!r}; it must be one of {', '.join(LEARNERS)}")
    return LEARNERS[learner](settings)


def boosting(settings: dict[str, Any]) -> Pipeline:
    # Early stopping would hold back rows of its own, at random and not by time.
    model = HistGradientBoostingRegressor(early_stopping=False, random_state=7)
    return Pipeline([("columns", for_trees()), ("model", model.set_params(**settings))])


def linear(settings: dict[str, Any]) -> Pipeline:
    return Pipeline([("columns", for_sums()), ("model", Ridge().set_params(**settings))])


LEARNERS = {"boosting": boosting, "linear": linear}
