"""What a report draws of one model's answers, reduced to a few numbers that fit into a JSON object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.signature import Label, Signature

MAX_POINTS = 200
"""The most numbers, points or cells that any one curve, histogram or table holds."""
MAX_CLASSES = 13
"""With "all other classes" in a row and a column of their own, a confusion matrix has at most 14 x 14 = 196 cells."""
HISTOGRAM_BINS = 20
RESIDUAL_BINS = 40
CALIBRATION_BINS = 10
Z_95 = 1.959963984540054


def curves(truth: NDArray[Any], predictions: Predictions, signature: Signature) -> dict[str, Any]:
    """The curves of one model on the rows that `truth` [rows] labels, as JSON values; same rows, same curves.

    All have `rows` and `dropped`: rows whose truth or answer is not a finite number are left out and counted.
    Binary: `roc` and `pr` {x, y} (false positive rate and recall; recall and precision; of the second class),
    `calibration`, `scores` {edges, negative, positive} and `confusion`. Multiclass: `confusion` {labels, counts}
    (a row a true class) and the `calibration` of the class answered. Both have the `calibration_error`. Regression:
    `residuals` {edges, counts, below, above} of actual minus predicted, and `calibration` in the target's unit. A
    calibration is a list of bins of about equally many rows {predicted, observed, lower, upper, rows}, with the 95 %
    interval of what was observed.
    """
    if signature.task == "regression":
        return _regression(truth, predictions)
    if predictions.probabilities is None or predictions.labels is None:
        raise ValueError("a classifier answers labels and probabilities")
    finite = np.isfinite(predictions.probabilities).all(axis=1)
    drawn: dict[str, Any] = {"task": signature.task, "rows": int(finite.sum()), "dropped": int((~finite).sum())}
    if not finite.any():
        return drawn
    bins = calibration(truth, predictions, signature)
    truth, labels, probabilities = truth[finite], predictions.labels[finite], predictions.probabilities[finite]
    drawn |= {
        "confusion": _confusion(truth, labels, signature.classes),
        "calibration": bins,
        "calibration_error": calibration_error(bins),
    }
    if signature.task == "multiclass-classification":
        return drawn
    positive, scores = truth == signature.classes[1], probabilities[:, 1]
    return drawn | {**_operating_curves(positive, scores), "scores": _score_histogram(positive, scores)}


def calibration(truth: NDArray[Any], predictions: Predictions, signature: Signature) -> list[dict[str, Any]]:
    """The bins of a classifier: of its second class, or of the class answered where it has more than two.

    Rows with a probability that is not finite are left out; there is no bin where no row is left.
    """
    probabilities, labels = np.asarray(predictions.probabilities), np.asarray(predictions.labels)
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.any():
        return []
    if signature.task == "multiclass-classification":
        predicted, observed = probabilities.max(axis=1), labels == truth
    else:
        predicted, observed = probabilities[:, 1], truth == signature.classes[1]
    return _calibration(predicted[finite], observed[finite].astype(np.float64))


def calibration_error(bins: Sequence[Mapping[str, Any]]) -> float:
    """How far predicted and observed are apart on average over the rows, from the bins of a calibration.

    The expected calibration error (Naeini, Cooper & Hauskrecht 2015) with bins of about equally many rows. With few
    rows chance alone makes it more than nothing.
    """
    rows = np.array([one["rows"] for one in bins])
    apart = np.array([abs(one["predicted"] - one["observed"]) for one in bins])
    return float((rows * apart).sum() / rows.sum())


def _regression(truth: NDArray[Any], predictions: Predictions) -> dict[str, Any]:
    if predictions.values is None:
        raise ValueError("a regressor answers values")
    actual = truth.astype(np.float64)
    finite = np.isfinite(predictions.values) & np.isfinite(actual)
    values, actual = predictions.values[finite], actual[finite]
    drawn: dict[str, Any] = {"task": "regression", "rows": len(values), "dropped": int((~finite).sum())}
    if not len(values):
        return drawn
    residuals = actual - values
    # The tails are counted but not drawn to scale: one outlier would press all the rest into a single bin.
    low, high = np.quantile(residuals, [0.005, 0.995])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(residuals, bins=RESIDUAL_BINS, range=(low, high))
    return drawn | {
        "residuals": {
            "edges": _plain(edges),
            "counts": counts.tolist(),
            "below": int((residuals < low).sum()),
            "above": int((residuals > high).sum()),
        },
        "calibration": _calibration(values, actual, proportion=False),
    }


def _operating_curves(positive: NDArray[np.bool_], scores: FloatArray) -> dict[str, Any]:
    """ROC and precision-recall, a point a distinct score, thinned evenly along the curve; empty with one class."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    true_positives = np.cumsum(positive[order])[last_of_ties]
    false_positives = last_of_ties + 1 - true_positives
    positives, negatives = int(true_positives[-1]), int(false_positives[-1])
    if not positives or not negatives:
        return {"roc": {"x": [], "y": []}, "pr": {"x": [], "y": []}}
    recall = true_positives / positives
    precision = true_positives / (true_positives + false_positives)
    rate, hit = np.append(0.0, false_positives / negatives), np.append(0.0, recall)
    return {
        "roc": _thinned(rate, hit, along=rate + hit),
        "pr": _thinned(recall, precision, along=recall),
    }


def _thinned(x: FloatArray, y: FloatArray, *, along: FloatArray) -> dict[str, list[float]]:
    """At most MAX_POINTS of the points, both ends included, evenly spaced in the rising quantity `along`."""
    if len(x) > MAX_POINTS:
        wanted = np.searchsorted(along, np.linspace(along[0], along[-1], MAX_POINTS - 1))
        chosen = np.unique(np.append(np.minimum(wanted, len(x) - 1), len(x) - 1))
        x, y = x[chosen], y[chosen]
    return {"x": _plain(x), "y": _plain(y)}


def _calibration(predicted: FloatArray, observed: FloatArray, *, proportion: bool = True) -> list[dict[str, Any]]:
    """Bins of equally many rows by prediction; equal predictions stay together, so there may be fewer bins."""
    order = np.argsort(predicted, kind="stable")
    predicted, observed = predicted[order], observed[order]
    ends = np.linspace(0, len(predicted), CALIBRATION_BINS + 1).round().astype(np.int64)[1:]
    ends = np.unique(np.searchsorted(predicted, predicted[ends[ends > 0] - 1], side="right"))
    bins: list[dict[str, Any]] = []
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        mean = float(observed[start:end].mean())
        lower, upper = _wilson(mean, end - start) if proportion else _mean_interval(observed[start:end])
        numbers = _plain(np.array([predicted[start:end].mean(), mean, lower, upper]))
        bins.append(
            dict(zip(("predicted", "observed", "lower", "upper"), numbers, strict=True)) | {"rows": end - start}
        )
    return bins


def _wilson(rate: float, rows: int) -> tuple[float, float]:
    """Wilson 1927: an interval for a proportion that stays inside [0, 1] and is honest at few rows."""
    centre = rate + Z_95**2 / (2 * rows)
    half = Z_95 * float(np.sqrt(rate * (1 - rate) / rows + Z_95**2 / (4 * rows**2)))
    scale = 1 + Z_95**2 / rows
    # It holds the rate but for rounding: where that is 0 or 1, one end is the rate itself.
    return min((centre - half) / scale, rate), max((centre + half) / scale, rate)


def _mean_interval(values: FloatArray) -> tuple[float, float]:
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return float(values.mean()) - Z_95 * error, float(values.mean()) + Z_95 * error


def _score_histogram(positive: NDArray[np.bool_], scores: FloatArray) -> dict[str, Any]:
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    return {
        "edges": _plain(edges),
        "negative": np.histogram(scores[~positive], bins=edges)[0].tolist(),
        "positive": np.histogram(scores[positive], bins=edges)[0].tolist(),
    }


def _confusion(truth: NDArray[Any], labels: NDArray[Any], classes: tuple[Label, ...]) -> dict[str, Any]:
    """True classes down, answers across; beyond MAX_CLASSES the rarer classes share the last row and column."""
    frequency = np.array([int((truth == name).sum()) for name in classes])
    kept = sorted(np.argsort(-frequency, kind="stable")[:MAX_CLASSES].tolist())
    size = len(kept) + (len(kept) < len(classes))

    def positions(values: NDArray[Any]) -> NDArray[np.int64]:
        places = np.full(len(values), size - 1, dtype=np.int64)
        for place, index in enumerate(kept):
            places[values == classes[index]] = place
        return places

    cells = np.bincount(positions(truth) * size + positions(labels), minlength=size * size).reshape(size, size)
    names = [str(classes[index]) for index in kept]
    others = len(classes) - len(kept)
    return {"labels": names + ([f"{others} other classes"] if others else []), "counts": cells.tolist()}


def _plain(values: FloatArray) -> list[float]:
    """Six significant digits are more than any plot shows, and keep the JSON small."""
    return [float(f"{value:.6g}") for value in values]
