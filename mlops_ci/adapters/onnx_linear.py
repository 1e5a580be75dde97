"""Rules for linear models, generalised linear ones, discriminant analysis and neural networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Scores, Unfaithful

ONE = np.float64(1)


def predict_linear(graph: Graph, model: Any, features: Features) -> str:
    """x @ coef + intercept."""
    coefficients = np.asarray(_dense(model.coef_), dtype=np.float64).reshape(1, -1)
    return _affine(graph, graph.matrix(features), coefficients.T, getattr(model, "intercept_", 0.0))


def predict_exponential(graph: Graph, model: Any, features: Features) -> str:
    """Generalised linear models with the logarithm as link, or none."""
    made = predict_linear(graph, model, features)
    link = type(model._base_loss.link).__name__
    if link not in {"LogLink", "IdentityLink"}:
        raise Unfaithful(f"{type(model).__name__} with {link}", "link='log' or 'identity'")
    return graph.add("Exp", made) if link == "LogLink" else made


def predict_least_squares_parts(graph: Graph, model: Any, features: Features) -> str:
    """PLSRegression of one target: (x - mean) @ coef + intercept."""
    coefficients = np.asarray(model.coef_, dtype=np.float64)
    if coefficients.shape[0] != 1:
        raise Unfaithful("PLSRegression of several targets", "one target")
    centred = graph.add("Sub", graph.matrix(features), model._x_mean.reshape(1, -1))
    return _affine(graph, centred, coefficients.T, model.intercept_)


def decide_linear(graph: Graph, model: Any, features: Features) -> str:
    coefficients = np.atleast_2d(_dense(model.coef_))  # of two classes RidgeClassifier has a row without columns
    return _affine(graph, graph.matrix(features), coefficients.T, model.intercept_)


def classify_softmax(graph: Graph, model: Any, features: Features) -> Scores:
    """LogisticRegression and LinearDiscriminantAnalysis: the logistic function of two classes, the softmax of more."""
    decision = decide_linear(graph, model, features)
    if len(model.classes_) == 2:
        return two_classes(graph, graph.add("Sigmoid", decision))
    return Scores(probabilities=graph.add("Softmax", decision, axis=1))


def classify_stochastic(graph: Graph, model: Any, features: Features) -> Scores:
    """SGDClassifier with log loss or modified Huber loss; with more classes each against the others, normalised."""
    decision = decide_linear(graph, model, features)
    binary = len(model.classes_) == 2
    if model.loss == "log_loss":
        scores = graph.add("Sigmoid", decision)
    elif model.loss == "modified_huber":
        low = graph.where(graph.add("Less", decision, -ONE), -ONE, decision)
        clipped = graph.where(graph.add("Greater", low, ONE), ONE, low)
        scores = graph.add("Div", graph.add("Add", clipped, ONE), np.float64(2))
    else:
        raise no_probabilities(model)
    if binary:
        return two_classes(graph, scores)
    return Scores(
        probabilities=normalised(graph, scores, len(model.classes_)),
        winners=graph.add("ArgMax", decision, axis=1, keepdims=0),
    )


def classify_without_probabilities(_graph: Graph, model: Any, _features: Features) -> Scores:
    raise no_probabilities(model)


def decide_quadratic(graph: Graph, model: Any, features: Features) -> str:
    scores = _quadratic(graph, model, features)
    if len(model.classes_) > 2:
        return scores
    return graph.add("Sub", graph.columns(scores, [1]), graph.columns(scores, [0]))


def classify_quadratic(graph: Graph, model: Any, features: Features) -> Scores:
    """QuadraticDiscriminantAnalysis: the softmax of the posteriors' logarithms."""
    return Scores(probabilities=graph.add("Softmax", _quadratic(graph, model, features), axis=1))


def _quadratic(graph: Graph, model: Any, features: Features) -> str:
    x, parts = graph.matrix(features), []
    for rotation, scaling, mean in zip(model.rotations_, model.scalings_, model.means_, strict=True):
        turned = graph.product(graph.add("Sub", x, mean.reshape(1, -1)), rotation * (scaling**-0.5))
        parts.append(graph.total(graph.add("Mul", turned, turned)))
    sizes = np.array([[np.sum(np.log(scaling)) for scaling in model.scalings_]])
    total = graph.add("Add", graph.beside(parts), sizes)
    return graph.add("Add", graph.add("Mul", np.float64(-0.5), total), np.log(model.priors_).reshape(1, -1))


def predict_network(graph: Graph, model: Any, features: Features) -> str:
    return _layers(graph, model, features)


def classify_network(graph: Graph, model: Any, features: Features) -> Scores:
    scores = _layers(graph, model, features)
    if model.out_activation_ == "logistic":
        return two_classes(graph, scores)
    return Scores(probabilities=scores)


def _layers(graph: Graph, model: Any, features: Features) -> str:
    x = graph.matrix(features)
    last = len(model.coefs_) - 1
    for number, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        x = _affine(graph, x, weights, bias)
        x = _activated(graph, model.out_activation_ if number == last else model.activation, x)
    return x


def _activated(graph: Graph, name: str, x: str) -> str:
    kinds = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}
    if name == "identity":
        return x
    return graph.add("Softmax", x, axis=1) if name == "softmax" else graph.add(kinds[name], x)


def two_classes(graph: Graph, second: str) -> Scores:
    """The probabilities of two classes by that of the second, [rows, 1]."""
    return Scores(probabilities=graph.beside([graph.add("Sub", ONE, second), second]))


def normalised(graph: Graph, scores: str, classes: int) -> str:
    """Each row divided by its sum; equal probabilities where that is 0."""
    total = graph.total(scores)
    none = graph.add("Equal", total, np.float64(0))
    return graph.where(none, np.float64(1 / classes), graph.add("Div", scores, graph.where(none, ONE, total)))


def no_probabilities(model: Any) -> Unfaithful:
    return Unfaithful(
        f"{type(model).__name__} gives no probabilities", "it inside CalibratedClassifierCV(..., method='sigmoid')"
    )


def _affine(graph: Graph, x: str, weights: Any, bias: Any) -> str:
    made = graph.product(x, weights)
    return graph.add("Add", made, np.asarray(bias, dtype=np.float64).reshape(1, -1))


def _dense(coefficients: Any) -> Any:
    return coefficients.toarray() if hasattr(coefficients, "toarray") else coefficients
