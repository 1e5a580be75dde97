"""How the answers of two releases to the same rows differ: how often, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import FloatArray, Predictions

LARGEST = 1e140
"""A larger number is as good as none: its square, summed, is infinite."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Of some rows, for each score of an answer: the mean, and the sum of squared deviations from it."""

    rows: int = 0
    means: tuple[float, ...] = ()
    squares: tuple[float, ...] = ()

    @classmethod
    def of(cls, scores: FloatArray) -> Moments:
        """Of scores [rows, columns], all of them finite."""
        if not len(scores):
            return cls()
        means = scores.mean(axis=0)
        squares = ((scores - means) ** 2).sum(axis=0)
        return cls(rows=len(scores), means=tuple(means.tolist()), squares=tuple(squares.tolist()))

    def __add__(self, other: Moments) -> Moments:
        """Those of both together (Chan, Golub & LeVeque 1983)."""
        if not self.rows or not other.rows:
            return self if self.rows else other
        rows = self.rows + other.rows
        apart = [theirs - ours for ours, theirs in zip(self.means, other.means, strict=True)]
        return Moments(
            rows=rows,
            means=tuple(ours + gap * (other.rows / rows) for ours, gap in zip(self.means, apart, strict=True)),
            squares=tuple(
                ours + theirs + gap * gap * (self.rows * other.rows / rows)
                for ours, theirs, gap in zip(self.squares, other.squares, apart, strict=True)
            ),
        )

    def variance(self, column: int) -> float:
        """Zero for a single row."""
        return self.squares[column] / (self.rows - 1) if self.rows > 1 else 0.0

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Moments:
        return cls(rows=value["rows"], means=tuple(value["means"]), squares=tuple(value["squares"]))


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Rows that both were asked and stable answered well: how many the new release failed, and how many differ.

    `difference` is of new minus stable and `usual` of stable's own answers, in the rows that both answered. The same
    of the evaluation says what is to be expected.
    """

    rows: int = 0
    failed: int = 0
    differing: int = 0
    difference: Moments = Moments()
    usual: Moments = Moments()

    def __post_init__(self) -> None:
        if min(self.failed, self.differing) < 0 or self.failed + self.differing > self.rows:
            raise ValueError(f"{self.failed} rows failed and {self.differing} differ of {self.rows}")

    def __add__(self, other: Replay) -> Replay:
        return Replay(
            rows=self.rows + other.rows,
            failed=self.failed + other.failed,
            differing=self.differing + other.differing,
            difference=self.difference + other.difference,
            usual=self.usual + other.usual,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        moments = {name: Moments.from_json(value[name]) for name in ("difference", "usual")}
        return cls(**{**value, **moments})


def compare_answers(stable: Predictions, new: Predictions, *, tolerance: float) -> Replay:
    """Counts the rows in which the answers differ: another label, or a value further off than `tolerance`.

    A row that stable did not answer with usable numbers is left out; one that only the new release did not is failed.
    Raises ValueError where the answers are not of the same rows.
    """
    if len(stable) != len(new):
        raise ValueError(f"stable answered {len(stable)} rows and the new release {len(new)}")
    answered = _usable(stable)
    fine = answered & _usable(new)
    if stable.labels is not None and new.labels is not None:
        differs = np.not_equal(stable.labels, new.labels).astype(np.bool_)
    else:
        differs = _distances(stable, new) > tolerance
    return Replay(
        rows=int(answered.sum()),
        failed=int((answered & ~fine).sum()),
        differing=int((fine & differs).sum()),
        difference=Moments.of(new.scores[fine] - stable.scores[fine]),
        usual=Moments.of(stable.scores[fine]),
    )


def usual_distance(stable: Predictions, new: Predictions) -> float:
    """The tolerance for `compare_answers`, from the holdout: 95 % of a regressor's finite values are no further apart.

    A classifier's is zero: there labels are compared.
    """
    if stable.labels is not None:
        return 0.0
    distances = _distances(stable, new)
    distances = distances[np.isfinite(distances)]
    return float(np.quantile(distances, 0.95)) if len(distances) else 0.0


def _usable(answers: Predictions) -> NDArray[np.bool_]:
    usable: NDArray[np.bool_] = np.all(np.abs(answers.scores) <= LARGEST, axis=1)
    return usable


def _distances(stable: Predictions, new: Predictions) -> FloatArray:
    """The largest distance in each row; NaN where an answer is no finite number."""
    with np.errstate(invalid="ignore"):
        distances: FloatArray = np.abs(new.scores - stable.scores).max(axis=1)
    return distances
