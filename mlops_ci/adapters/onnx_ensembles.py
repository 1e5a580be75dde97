"""Rules for estimators that combine the answers of others: voting, stacking, bagging, calibration, one against rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_binning import isotonic_steps
from mlops_ci.adapters.onnx_graph import Features, Graph, Scores, Unfaithful, numbers
from mlops_ci.adapters.onnx_linear import ONE, normalised, two_classes


def vote_regressors(graph: Graph, model: Any, features: Features) -> str:
    """The weighted mean."""
    return _mean(graph, [graph.predict(one, features) for one in model.estimators_], model._weights_not_none)


def vote_classifiers(graph: Graph, model: Any, features: Features) -> Scores:
    """Soft: the weighted mean of the probabilities. (Hard voting gives none, and is asked for its winners alone.)"""
    if model.voting != "soft":
        raise Unfaithful("VotingClassifier(voting='hard') gives no probabilities", "voting='soft'")
    answers = [graph.classify(one, features).probabilities for one in model.estimators_]
    return Scores(probabilities=_mean(graph, answers, model._weights_not_none))


def stack_regressors(graph: Graph, model: Any, features: Features) -> str:
    answers = tuple(numbers(graph.predict(one, features), 1, rounded=True) for one in model.estimators_)
    return graph.predict(model.final_estimator_, (*answers, *features) if model.passthrough else answers)


def stack_classifiers(graph: Graph, model: Any, features: Features) -> Scores:
    """The final estimator on the others' answers; of two probabilities the second one is enough."""
    return graph.classify(model.final_estimator_, _stacked(graph, model, features))


def decide_stack(graph: Graph, model: Any, features: Features) -> str:
    return graph.decide(model.final_estimator_, _stacked(graph, model, features))


def _stacked(graph: Graph, model: Any, features: Features) -> Features:
    two = len(model.classes_) == 2
    answers = []
    for estimator, method in zip(model.estimators_, model.stack_method_, strict=True):
        width = 1 if two else len(model.classes_)
        if method == "predict_proba":
            made = graph.classify(estimator, features).probabilities
            made = graph.columns(made, [1]) if two else made
        elif method == "decision_function":
            made = graph.decide(estimator, features)
        else:
            labels = np.asarray(estimator.classes_, dtype=np.float64)
            made, width = graph.add("Gather", labels.reshape(-1, 1), graph.winners(estimator, features)), 1
        answers.append(numbers(made, width, bounded=method != "decision_function", rounded=True))
    return (*answers, *features) if model.passthrough else tuple(answers)


def bag_regressors(graph: Graph, model: Any, features: Features) -> str:
    pairs = zip(model.estimators_, model.estimators_features_, strict=True)
    return _mean(graph, [graph.predict(one, graph.select(features, list(columns))) for one, columns in pairs], None)


def bag_classifiers(graph: Graph, model: Any, features: Features) -> Scores:
    """The mean of the probabilities; a class that one of them has not seen is 0 there."""
    answers = []
    for one, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        if not hasattr(one, "predict_proba"):
            raise Unfaithful("BaggingClassifier of classifiers without probabilities", "classifiers that give them")
        made = graph.classify(one, graph.select(features, list(columns))).probabilities
        answers.append(_spread(graph, made, np.asarray(one.classes_, dtype=np.int64), len(model.classes_)))
    return Scores(probabilities=_mean(graph, answers, None))


def one_against_rest(graph: Graph, model: Any, features: Features) -> Scores:
    """Each class's own classifier; the winner is the one of the largest decision, where there are decisions."""
    if model.multilabel_:
        raise Unfaithful("OneVsRestClassifier of several labels a row", "one label a row")
    answers = [graph.classify(one, features).probabilities for one in model.estimators_]
    positive = graph.beside([graph.columns(answer, [1]) for answer in answers])
    if len(answers) == 1:
        return two_classes(graph, positive)
    winners = None
    if all(hasattr(one, "decision_function") for one in model.estimators_):
        decisions = graph.beside([graph.decide(one, features) for one in model.estimators_])
        winners = graph.add("ArgMax", decisions, axis=1, keepdims=0)
    return Scores(probabilities=normalised(graph, positive, len(model.classes_)), winners=winners)


def calibrate(graph: Graph, model: Any, features: Features) -> Scores:
    """CalibratedClassifierCV: the mean over its pairs of a classifier and a calibrator."""
    answers = [_calibrated(graph, pair, features) for pair in model.calibrated_classifiers_]
    return Scores(probabilities=_mean(graph, answers, None))


def _calibrated(graph: Graph, pair: Any, features: Features) -> str:
    estimator, classes = pair.estimator, len(pair.classes)
    decides = hasattr(estimator, "decision_function")
    if decides:
        scores = graph.decide(estimator, features)
    else:
        scores = graph.classify(estimator, features).probabilities
        scores = graph.columns(scores, [1]) if classes == 2 else scores
    if pair.method == "temperature":
        return _temperature(graph, pair.calibrators[0], scores, decides, classes)
    answers = [
        _calibrator(graph, calibrator, graph.columns(scores, [number]))
        for number, calibrator in enumerate(pair.calibrators)
    ]
    if classes == 2:
        return two_classes(graph, answers[0]).probabilities
    known = np.searchsorted(pair.classes, estimator.classes_)
    return normalised(graph, _spread(graph, graph.beside(answers), known, classes), classes)


def _calibrator(graph: Graph, calibrator: Any, scores: str) -> str:
    if type(calibrator).__name__ == "IsotonicRegression":
        return isotonic_steps(graph, calibrator, scores)
    line = graph.add("Add", graph.add("Mul", np.float64(calibrator.a_), scores), np.float64(calibrator.b_))
    return graph.add("Sigmoid", graph.add("Neg", line))


def _temperature(graph: Graph, calibrator: Any, scores: str, decides: bool, classes: int) -> str:
    if classes == 2:
        if decides:
            scores = graph.beside([graph.add("Neg", scores), scores])
        else:
            scores = graph.beside([graph.add("Sub", ONE, scores), scores])
    if not decides:
        scores = graph.add("Log", graph.add("Add", scores, np.float64(1e-12)))
    return graph.add("Softmax", graph.add("Mul", np.float64(calibrator.beta_), scores), axis=1)


def dummy_classifier(graph: Graph, model: Any, features: Features) -> Scores:
    if model.strategy not in {"prior", "most_frequent", "constant"}:
        raise Unfaithful(f"DummyClassifier(strategy='{model.strategy}') draws at random", "strategy='prior'")
    row = model.predict_proba(np.zeros((1, 1)))
    return Scores(probabilities=_repeated(graph, features, row))


def dummy_regressor(graph: Graph, model: Any, features: Features) -> str:
    return _repeated(graph, features, model.constant_.reshape(1, 1))


def _repeated(graph: Graph, features: Features, row: Any) -> str:
    rows = graph.add("Shape", features[0].name, start=0, end=1)
    return graph.add("Expand", np.asarray(row, dtype=np.float64), graph.add("Concat", rows, np.array([1]), axis=0))


def _spread(graph: Graph, answers: str, known: Any, classes: int) -> str:
    """The columns of the classes that were seen, each at its place among all of them."""
    return answers if len(known) == classes else graph.product(answers, np.eye(classes)[known])


def _mean(graph: Graph, answers: Sequence[str], weights: Any) -> str:
    shares = np.ones(len(answers)) if weights is None else np.asarray(weights, dtype=np.float64)
    made = ""
    for answer, share in zip(answers, shares, strict=True):
        part = answer if weights is None else graph.add("Mul", answer, share)
        made = graph.add("Add", made, part) if made else part
    return graph.add("Div", made, shares.sum())
