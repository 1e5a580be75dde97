"""The team's estimator in this process: built, fitted and asked. It never leaves the process as an object."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Label, Signature, Task
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.privacy import discreet
from mlops_ci.ports import Console, UserCode

SHOWN_WARNINGS = 10


def build_estimator(config: ModelConfig, user_code: UserCode, console: Console) -> Any:
    """What `build_model(params)` returns, once it is sure that it can be fitted for the task.

    The global seeds of Python and NumPy are set just before, and again before the fit.
    Raises ConfigurationError with the line of the team's code where it raises, or saying what it returned instead.
    """
    entrypoint = config.train.entrypoint
    with _warnings_to(console):
        _seed(config.train.seed)
        estimator = user_code.load(config.root, entrypoint)(dict(config.train.params))
    what, fix = _unfit(estimator, config.task)
    if what:
        raise ConfigurationError(f"{entrypoint}() returned {what}", where="mlops.yaml train.entrypoint", fix=fix)
    return estimator


def fit_estimator(estimator: Any, rows: Dataset, config: ModelConfig, user_code: UserCode, console: Console) -> Any:
    """The estimator fitted on these rows, with the global seeds of Python and NumPy set just before.

    Raises ConfigurationError where fitting fails. What it warns of goes to the console.
    """
    frame = rows.features_frame()
    with console.working(f"training {config.model} on {len(rows):,} rows"), _warnings_to(console):
        _seed(config.train.seed)
        with discreet(config), user_code.guarded(config.root, "fitting the estimator"):
            return estimator.fit(frame, rows.target)


def fitted_classes(estimator: Any, task: Task) -> tuple[Label, ...]:
    """The labels in the order of the probabilities' columns; empty for a regression."""
    if task == "regression":
        return ()
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        fix = "set it in fit() to the sorted labels, as scikit-learn's classifiers do"
        raise ConfigurationError("the fitted classifier has no classes_", where=type(estimator).__name__, fix=fix)
    labels: list[Label] = np.asarray(classes).tolist()
    return tuple(labels)


def native_predictions(
    estimator: Any, rows: Dataset, signature: Signature, config: ModelConfig, user_code: UserCode
) -> Predictions:
    """The estimator's own answers. A binary label follows from the probability and the signature's threshold.

    It has to, since the label that is served does: some estimators (SVC) label by something else than probability.
    """
    frame = rows.features_frame()
    with discreet(config), user_code.guarded(config.root, "predicting with the estimator"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fitting has said them already
        if signature.task == "regression":
            return Predictions(values=np.asarray(estimator.predict(frame), dtype=np.float64).reshape(-1))
        probabilities = np.asarray(estimator.predict_proba(frame), dtype=np.float64)
        kind = object if isinstance(signature.classes[0], str) else np.int64
        if signature.task == "binary-classification":
            second = probabilities[:, 1] >= signature.threshold
            labels = np.array(signature.classes, dtype=kind)[second.astype(np.intp)]
        else:
            labels = np.asarray(estimator.predict(frame)).astype(kind)
    return Predictions(labels=labels, probabilities=probabilities)


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)


def _unfit(estimator: Any, task: Task) -> tuple[str, str]:
    """(what is wrong, how to mend it) with what `build_model` returned; empty where nothing is."""
    from sklearn.base import BaseEstimator, is_classifier, is_regressor

    fix = "return an unfitted scikit-learn estimator, such as a Pipeline with its preprocessing"
    if isinstance(estimator, type):
        return f"the class {estimator.__name__}", f"return an instance: {estimator.__name__}(...)"
    name = type(estimator).__name__
    if not isinstance(estimator, BaseEstimator):
        return "None" if estimator is None else f"a {name}, which is no scikit-learn estimator", fix
    if not hasattr(estimator, "fit") or not hasattr(estimator, "predict"):
        return f"a {name}, which cannot fit and predict", fix
    if _is_fitted(estimator):
        return f"a {name} that is fitted already", "leave the fitting to mlops-ci, which alone knows the training rows"
    if task == "regression":
        return (
            ("", "") if is_regressor(estimator) else (f"a {name}, which is no regressor", f"{fix}; the task is {task}")
        )
    if not is_classifier(estimator):
        return f"a {name}, which is no classifier", f"{fix}; the task is {task}"
    if not hasattr(estimator, "predict_proba"):
        return f"a {name}, which gives no probabilities", "wrap it in CalibratedClassifierCV(..., method='sigmoid')"
    return "", ""


def _is_fitted(estimator: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError, AttributeError):
        return False
    return True


@contextmanager
def _warnings_to(console: Console) -> Iterator[None]:
    """Shows each distinct warning once on the console, also where warnings are errors outside."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    texts = [f"{item.category.__name__}: {str(item.message).strip()[:500]}" for item in caught]
    for text in list(dict.fromkeys(texts))[:SHOWN_WARNINGS]:
        console.warn(text)
