"""The formula of each metric, from answers to a statistic. Where it is defined it agrees with scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlops_ci.core.metrics.answers import Answers
from mlops_ci.core.metrics.statistic import (
    Additive,
    AveragePrecision,
    IntArray,
    MeanOfDefined,
    RocAuc,
    Statistic,
    WeightedMedian,
    mean_of_defined,
    ratio,
)
from mlops_ci.core.predictions import FloatArray

EPSILON = float(np.finfo(np.float64).eps)


def roc_auc(answers: Answers) -> Statistic:
    """Of two classes the second one's; of more, the mean of each class against the rest."""
    if answers.classes == 2:
        return RocAuc.of(answers.positive, answers.probabilities[:, 1])
    each = range(answers.classes)
    return MeanOfDefined(
        members=tuple(RocAuc.of(answers.truth == name, answers.probabilities[:, name]) for name in each)
    )


def average_precision(answers: Answers) -> Statistic:
    return AveragePrecision.of(answers.positive, answers.probabilities[:, 1])


def log_loss(answers: Answers) -> Statistic:
    """Probabilities are kept off 0 and 1 by the machine's epsilon: a confident error costs 36, not infinity."""
    probability = answers.probabilities[np.arange(len(answers.truth)), answers.truth]
    return _mean(-np.log(np.clip(probability, EPSILON, 1 - EPSILON)))


def brier_score(answers: Answers) -> Statistic:
    return _mean((answers.probabilities[:, 1] - answers.positive) ** 2)


def accuracy(answers: Answers) -> Statistic:
    return _mean((answers.labels == answers.truth).astype(np.float64))


def balanced_accuracy(answers: Answers) -> Statistic:
    """The mean recall of the classes that occur; undefined where only one does."""

    def formula(sums: FloatArray) -> FloatArray:
        hits, rows = np.split(sums, 2)
        mean = mean_of_defined(ratio(hits, rows))
        return np.where((rows > 0).sum(axis=0) > 1, mean, np.nan)

    truth = _indicators(answers.truth, answers.classes)
    hits = truth * (answers.labels == answers.truth)
    return Additive(parts=np.vstack([hits, truth]), formula=formula)


def f1(answers: Answers) -> Statistic:
    return _of_counts(answers, lambda hits, truth, answered: ratio(2 * hits, truth + answered))


def precision(answers: Answers) -> Statistic:
    """Zero where no row is answered positive: a model that never says yes is not to be spared a limit."""
    return _of_counts(answers, lambda hits, _, answered: np.where(answered > 0, ratio(hits, answered), 0.0))


def recall(answers: Answers) -> Statistic:
    return _of_counts(answers, lambda hits, truth, _: ratio(hits, truth))


def macro_f1(answers: Answers) -> Statistic:
    """The mean over the classes that occur, be it in the truth or in the answers."""

    def formula(sums: FloatArray) -> FloatArray:
        hits, rows = np.split(sums, 2)
        return mean_of_defined(ratio(2 * hits, rows))

    truth, labels = (_indicators(codes, answers.classes) for codes in (answers.truth, answers.labels))
    return Additive(parts=np.vstack([truth * labels, truth + labels]), formula=formula)


def mae(answers: Answers) -> Statistic:
    return _mean(np.abs(answers.values - answers.actual))


def rmse(answers: Answers) -> Statistic:
    squares = _mean((answers.values - answers.actual) ** 2)
    return Additive(parts=squares.parts, formula=lambda sums: np.sqrt(squares.formula(sums)))


def mape(answers: Answers) -> Statistic:
    """A share, not per cent. An actual value of zero counts as the machine's epsilon and makes the metric useless."""
    return _mean(np.abs(answers.values - answers.actual) / np.maximum(np.abs(answers.actual), EPSILON))


def median_absolute_error(answers: Answers) -> Statistic:
    return WeightedMedian.of(np.abs(answers.values - answers.actual))


def r2(answers: Answers) -> Statistic:
    """One minus the share of the variance that is left; undefined where the truth does not vary."""

    def formula(sums: FloatArray) -> FloatArray:
        weight, first, second, left = sums
        spread = second - ratio(first**2, weight)
        # What rounding leaves of the spread of equal values is no spread.
        return 1 - ratio(left, np.where(spread > 1e-12 * second, spread, 0.0))

    centred = answers.actual - answers.actual.mean()
    if np.ptp(answers.actual) == 0:
        centred = np.zeros_like(centred)
    squares = (answers.values - answers.actual) ** 2
    return Additive(parts=np.stack([np.ones_like(centred), centred, centred**2, squares]), formula=formula)


def _mean(values: FloatArray) -> Additive:
    parts = np.stack([values, np.ones_like(values)])
    return Additive(parts=parts, formula=lambda sums: ratio(sums[0], sums[1]))


def _of_counts(answers: Answers, formula: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]) -> Additive:
    """A formula of true positives, positives in the truth, and positives among the answers."""
    truth, answered = answers.positive, answers.answered_positive
    parts = np.stack([truth & answered, truth, answered]).astype(np.float64)
    return Additive(parts=parts, formula=lambda sums: formula(sums[0], sums[1], sums[2]))


def _indicators(codes: IntArray, classes: int) -> FloatArray:
    """[classes, rows] with a one where the row is of the class."""
    return np.asarray(np.arange(classes)[:, np.newaxis] == codes, dtype=np.float64)
