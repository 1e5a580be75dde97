"""Rules for naive Bayes: each class has a joint log likelihood with the row."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Scores


def gaussian(graph: Graph, model: Any, features: Features) -> Scores:
    x, parts = graph.matrix(features), []
    for mean, variance in zip(model.theta_, model.var_, strict=True):
        away = graph.add("Sub", x, mean.reshape(1, -1))
        parts.append(graph.total(graph.add("Div", graph.add("Mul", away, away), variance.reshape(1, -1))))
    size = -0.5 * np.sum(np.log(2.0 * np.pi * model.var_), axis=1)
    joint = graph.add("Sub", size.reshape(1, -1), graph.add("Mul", np.float64(0.5), graph.beside(parts)))
    return _normalised(graph, graph.add("Add", joint, np.log(model.class_prior_).reshape(1, -1)))


def multinomial(graph: Graph, model: Any, features: Features) -> Scores:
    joint = graph.product(graph.matrix(features), model.feature_log_prob_.T)
    return _normalised(graph, graph.add("Add", joint, model.class_log_prior_.reshape(1, -1)))


def complement(graph: Graph, model: Any, features: Features) -> Scores:
    return _normalised(graph, graph.product(graph.matrix(features), model.feature_log_prob_.T))


def bernoulli(graph: Graph, model: Any, features: Features) -> Scores:
    x = graph.matrix(features)
    if model.binarize is not None:
        x = graph.cast(graph.add("Greater", x, np.float64(model.binarize)), "DOUBLE")
    absent = np.log(1 - np.exp(model.feature_log_prob_))
    joint = graph.product(x, (model.feature_log_prob_ - absent).T)
    return _normalised(graph, graph.add("Add", joint, (model.class_log_prior_ + absent.sum(axis=1)).reshape(1, -1)))


def categorical(graph: Graph, model: Any, features: Features) -> Scores:
    """A category that was never seen fails, as it does natively."""
    x = graph.matrix(features)
    joint: Any = model.class_log_prior_.reshape(1, -1)
    for column, table in enumerate(model.feature_log_prob_):
        index = graph.cast(graph.add("Reshape", graph.columns(x, [column]), np.array([-1])), "INT64")
        joint = graph.add("Add", joint, graph.add("Gather", np.asarray(table).T, index, axis=0))
    return _normalised(graph, joint)


def _normalised(graph: Graph, joint: str) -> Scores:
    """exp(joint - log(sum(exp(joint)))), not the softmax: of large likelihoods the difference has few digits left.

    Natively too, so a probability may be 1 where that of the other class is not 0.
    """
    largest = graph.total(joint, operation="ReduceMax")
    rest = graph.total(graph.add("Exp", graph.add("Sub", joint, largest)))
    logarithm = graph.add("Add", graph.add("Log", rest), largest)
    return Scores(
        probabilities=graph.add("Exp", graph.add("Sub", joint, logarithm)),
        winners=graph.add("ArgMax", joint, axis=1, keepdims=0),
    )
