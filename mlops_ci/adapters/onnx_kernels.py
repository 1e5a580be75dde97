"""Rules for support vector machines, kernel ridge regression and Gaussian processes."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Scores, Unfaithful, numbers

LOST = 1e-13
"""What rounding may do to an exponent."""
NEAR = 1e6
"""The root of a square keeps half of its digits near 0: those lost by a product of matrices would be seen."""
SIGMOID = "CalibratedClassifierCV(SVC(), method='sigmoid')"


def squared_distances(graph: Graph, x: str, points: Any, *, scale: float) -> str:
    """Of each row to each point, [rows, points], to be multiplied by `scale`.

    By one product of matrices, around the mean of the points; or column by column, which is slower, where values are so
    large that the product loses digits that matter.
    """
    centre = points.mean(axis=0, keepdims=True)
    sizes = ((points - centre) ** 2).sum(axis=1)
    x = graph.add("Sub", x, centre)
    if scale * np.finfo(np.float64).eps * sizes.max() < LOST:
        crossed = graph.add("Gemm", x, (points - centre).T, sizes.reshape(1, -1), alpha=-2.0)
        return graph.add("Relu", graph.add("Add", graph.total(graph.add("Mul", x, x)), crossed))
    made = ""
    for column in range(points.shape[1]):
        away = graph.add("Sub", graph.columns(x, [column]), (points - centre)[:, column].reshape(1, -1))
        square = graph.add("Mul", away, away)
        made = graph.add("Add", made, square) if made else square
    return made


def distances_to_centres(graph: Graph, model: Any, features: Features) -> Features:
    """KMeans and its relatives as transformers."""
    centres = np.asarray(model.cluster_centers_, dtype=np.float64)
    squares = squared_distances(graph, graph.matrix(features), centres, scale=NEAR)
    return (numbers(graph.add("Sqrt", squares), len(centres), of=features, rounded=True),)


def predict_support_vectors(graph: Graph, model: Any, features: Features) -> str:
    """SVR and NuSVR."""
    return _weighted_kernels(graph, model, features, np.asarray(model.dual_coef_).T, model.intercept_)


def decide_support_vectors(graph: Graph, model: Any, features: Features) -> str:
    """SVC and NuSVC: with more than two classes the votes of all pairs, and their sums as tie breakers."""
    pairs = _pairs(graph, model, features)
    classes = len(model.classes_)
    if classes == 2:
        return pairs
    if model.decision_function_shape != "ovr":
        raise Unfaithful(f"{type(model).__name__}(decision_function_shape='ovo')", "decision_function_shape='ovr'")
    first, second = (np.array(side) for side in zip(*combinations(range(classes), 2), strict=True))
    sums = np.zeros((len(first), classes))
    sums[np.arange(len(first)), first], sums[np.arange(len(first)), second] = 1.0, -1.0
    won = graph.cast(graph.add("Greater", pairs, np.float64(0)), "DOUBLE")
    lost = graph.cast(graph.add("LessOrEqual", pairs, np.float64(0)), "DOUBLE")
    votes = graph.add("Add", graph.product(won, np.maximum(sums, 0)), graph.product(lost, np.maximum(-sums, 0)))
    confidence = graph.product(pairs, sums)
    scale = graph.add("Mul", np.float64(3), graph.add("Add", graph.add("Abs", confidence), np.float64(1)))
    return graph.add("Add", votes, graph.add("Div", confidence, scale))


def classify_support_vectors(_graph: Graph, model: Any, _features: Features) -> Scores:
    if model.probability:
        raise Unfaithful(
            f"{type(model).__name__}(probability=True): libsvm finds its probabilities by an iteration that "
            "stops early, up to 0.5 % off",
            SIGMOID,
        )
    raise Unfaithful(f"{type(model).__name__} gives no probabilities", SIGMOID)


def predict_kernel_ridge(graph: Graph, model: Any, features: Features) -> str:
    fitted = np.asarray(model.X_fit_, dtype=np.float64)
    gamma = model.gamma if model.gamma is not None else 1.0 / fitted.shape[1]
    kernel = _kernel(graph, model, graph.matrix(features), fitted, gamma)
    return graph.product(kernel, np.reshape(model.dual_coef_, (-1, 1)))


def predict_gaussian_process(graph: Graph, model: Any, features: Features) -> str:
    """The mean of the posterior."""
    kernel = _covariance(graph, model.kernel_, graph.matrix(features), np.asarray(model.X_train_, dtype=np.float64))
    mean = graph.product(kernel, np.reshape(model.alpha_, (-1, 1)))
    return graph.add("Add", graph.add("Mul", mean, np.float64(model._y_train_std)), np.float64(model._y_train_mean))


def _covariance(graph: Graph, kernel: Any, x: str, points: Any) -> str:
    name = type(kernel).__name__
    if name in {"Sum", "Product"}:
        sides = (_covariance(graph, side, x, points) for side in (kernel.k1, kernel.k2))
        return graph.add("Add" if name == "Sum" else "Mul", *sides)
    zero = graph.add("Mul", np.float64(0), graph.product(x, np.zeros(points.T.shape)))
    if name in {"ConstantKernel", "WhiteKernel"}:  # noise belongs to the training rows alone
        return graph.add("Add", zero, np.float64(kernel.constant_value if name == "ConstantKernel" else 0))
    if name == "DotProduct":
        return graph.add("Add", graph.product(x, points.T), np.float64(kernel.sigma_0**2))
    if name not in {"RBF", "Matern"}:
        raise Unfaithful(f"a Gaussian process with {name}", "sums and products of RBF, Matern, DotProduct, constants")
    length = np.asarray(kernel.length_scale, dtype=np.float64).reshape(1, -1)
    square = squared_distances(graph, graph.add("Div", x, length), points / length, scale=1.0)
    if name == "RBF" or kernel.nu == np.inf:
        return graph.add("Exp", graph.add("Mul", np.float64(-0.5), square))
    if kernel.nu not in {0.5, 1.5, 2.5}:
        raise Unfaithful(f"a Gaussian process with Matern(nu={kernel.nu})", "nu of 0.5, 1.5 or 2.5")
    far = graph.add("Mul", graph.add("Sqrt", square), np.sqrt(2 * kernel.nu))
    series = {0.5: (1.0,), 1.5: (1.0, 1.0), 2.5: (1 / 3, 1.0, 1.0)}[kernel.nu]
    decay = graph.add("Exp", graph.add("Neg", far))
    return decay if len(series) == 1 else graph.add("Mul", graph.horner(far, series), decay)


def _pairs(graph: Graph, model: Any, features: Features) -> str:
    """The decision of each pair of classes, positive for the first one; of two classes for the second."""
    dual = np.asarray(model.dual_coef_, dtype=np.float64)
    classes = len(model.classes_)
    if classes == 2:
        return _weighted_kernels(graph, model, features, dual.T, model.intercept_)
    ends = np.cumsum([0, *model.n_support_])
    weights = np.zeros((dual.shape[1], classes * (classes - 1) // 2))
    for pair, (first, second) in enumerate(combinations(range(classes), 2)):
        one, other = slice(*ends[first : first + 2]), slice(*ends[second : second + 2])
        weights[one, pair], weights[other, pair] = dual[second - 1, one], dual[first, other]
    return _weighted_kernels(graph, model, features, weights, model.intercept_)


def _weighted_kernels(graph: Graph, model: Any, features: Features, weights: Any, intercept: Any) -> str:
    points = np.asarray(model.support_vectors_, dtype=np.float64)
    kernel = _kernel(graph, model, graph.matrix(features), points, model._gamma)
    return graph.add("Add", graph.product(kernel, weights), np.asarray(intercept, dtype=float).reshape(1, -1))


def _kernel(graph: Graph, model: Any, x: str, points: Any, gamma: float) -> str:
    name = model.kernel
    if name == "rbf":
        return graph.add("Exp", graph.add("Mul", np.float64(-gamma), squared_distances(graph, x, points, scale=gamma)))
    if name not in {"linear", "poly", "polynomial", "sigmoid"}:
        raise Unfaithful(f"the kernel {name}", "kernel='rbf', 'poly', 'sigmoid' or 'linear'")
    product = graph.product(x, points.T)
    if name == "linear":
        return product
    scaled = graph.add("Add", graph.add("Mul", np.float64(gamma), product), np.float64(model.coef0))
    return graph.add("Tanh", scaled) if name == "sigmoid" else graph.add("Pow", scaled, np.float64(model.degree))
