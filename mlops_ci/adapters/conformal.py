"""Prediction intervals and prediction sets by split conformal prediction, through MAPIE (the extra `mapie`)."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.errors import ConfigurationError
from mlops_ci.ports import Coverage

Rows = NDArray[np.int64]


class MapieConformal:
    """Implements `ports.Conformal`. MAPIE is imported when it is needed, which takes seconds."""

    def __init__(self) -> None:
        if find_spec("mapie") is None:
            raise ConfigurationError(
                "train.diagnostics.prediction_intervals needs MAPIE, which is not installed",
                where="mlops.yaml",
                fix="pip install 'mlops-ci[mapie]', or remove the key",
            )

    def coverage(
        self,
        calibration: tuple[NDArray[Any], Predictions],
        test: tuple[NDArray[Any], Predictions],
        signature: Signature,
        *,
        level: float,
    ) -> Coverage:
        truth = np.concatenate([calibration[0], test[0]])
        scores = np.concatenate([calibration[1].scores, test[1].scores])
        # The model has answered already, so what MAPIE takes for rows of features are their numbers.
        rows = np.arange(len(truth))
        learned, asked = rows[: len(calibration[0])], rows[len(calibration[0]) :]
        with warnings.catch_warnings():
            # What MAPIE warns of is its own use of other libraries; that there are too few rows it raises.
            warnings.simplefilter("ignore")
            if signature.task == "regression":
                return _intervals(truth.astype(np.float64), scores[:, 0], learned, asked, level)
            codes = np.array([signature.classes.index(label) for label in truth.tolist()], dtype=np.int64)
            return _sets(codes, scores, learned, asked, level)


def _intervals(
    truth: NDArray[np.float64], values: NDArray[np.float64], learned: Rows, asked: Rows, level: float
) -> Coverage:
    from mapie.regression import SplitConformalRegressor
    from sklearn.base import BaseEstimator, RegressorMixin

    class Answered(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        is_fitted = True  # what MAPIE looks for

        def fit(self, X: Any, y: Any) -> Answered:  # noqa: ARG002
            return self

        def predict(self, X: Rows) -> Any:
            return values[X[:, 0]]

    model = SplitConformalRegressor(Answered(), confidence_level=level, prefit=True)
    model.conformalize(learned.reshape(-1, 1), truth[learned])
    lower, upper = model.predict_interval(asked.reshape(-1, 1))[1][:, :, 0].T
    return Coverage(
        method="split conformal, absolute residuals (MAPIE)",
        level=level,
        rows=len(asked),
        coverage=float(np.mean((lower <= truth[asked]) & (truth[asked] <= upper))),
        width=float(np.mean(upper - lower)),
    )


def _sets(codes: Rows, probabilities: NDArray[np.float64], learned: Rows, asked: Rows, level: float) -> Coverage:
    from mapie.classification import SplitConformalClassifier
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Answered(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        is_fitted = True

        def __init__(self) -> None:
            self.classes_ = np.arange(probabilities.shape[1])

        def fit(self, X: Any, y: Any) -> Answered:  # noqa: ARG002
            return self

        def predict(self, X: Rows) -> Any:
            return self.predict_proba(X).argmax(axis=1)

        def predict_proba(self, X: Rows) -> Any:
            return probabilities[X[:, 0]]

    # "lac" gives the smallest sets on average (Sadinle, Lei & Wasserman 2019)
    model = SplitConformalClassifier(Answered(), confidence_level=level, prefit=True, conformity_score="lac")
    model.conformalize(learned.reshape(-1, 1), codes[learned])
    sets = model.predict_set(asked.reshape(-1, 1))[1][:, :, 0]
    return Coverage(
        method="split conformal, least ambiguous sets (MAPIE)",
        level=level,
        rows=len(asked),
        coverage=float(np.mean(sets[np.arange(len(asked)), codes[asked]])),
        width=float(np.mean(sets.sum(axis=1))),
    )
