from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from mlops_ci.core import baseline
from mlops_ci.core.signature import Signature


def test_binary_and_multiclass_are_scikit_learn_s_prior() -> None:
    for target in (np.array([0, 0, 1, 0]), np.array(["a", "c", "b", "c", "c", "a"], dtype=object)):
        dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(target), 1)), target)
        classes = tuple(dummy.classes_.tolist())
        task = "binary-classification" if len(classes) == 2 else "multiclass-classification"
        signature = Signature(task=task, inputs=(), classes=classes)  # type: ignore[arg-type]
        answers = baseline.predict(baseline.fit(target, signature), signature, 3)
        assert answers.probabilities is not None
        assert answers.labels is not None
        assert np.allclose(answers.probabilities, dummy.predict_proba(np.zeros((3, 1))))
        assert answers.labels.tolist() == dummy.predict(np.zeros((3, 1))).tolist()


def test_a_regression_is_the_mean() -> None:
    signature = Signature(task="regression", inputs=())
    target = np.array([1.0, 2.0, 6.0])
    answers = baseline.predict(baseline.fit(target, signature), signature, 2)
    assert answers.values is not None
    assert answers.values.tolist() == DummyRegressor().fit(np.zeros((3, 1)), target).predict(np.zeros((2, 1))).tolist()


def test_a_tie_of_two_classes_goes_where_the_threshold_sends_it() -> None:
    signature = Signature(task="binary-classification", inputs=(), classes=(0, 1))
    answers = baseline.predict(baseline.fit(np.array([0, 1]), signature), signature, 1)
    assert answers.labels is not None
    assert answers.labels.tolist() == [1]


def test_metrics_of_another_kind_have_no_baseline() -> None:
    with pytest.raises(KeyError):
        baseline.predict({"mae": 1.0}, Signature(task="regression", inputs=()), 1)
