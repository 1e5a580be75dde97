"""What is known of a true difference from what was seen: one-sided bounds, p-values and what would be detected.

Each way to know has a `lower` bound only; the upper one is the lower bound of the difference seen from the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Protocol, Self

import numpy as np

from mlops_ci.core import bca, tango
from mlops_ci.core.mcnemar import exact_p_value
from mlops_ci.core.mcnemar import power as exact_power
from mlops_ci.core.predictions import FloatArray
from mlops_ci.core.student import NORMAL, upper_quantile, upper_tail, with_skewness, without_skewness

HALVINGS = 20
"""Until the detectable effect is known to within a millionth."""


class Bounds(Protocol):
    """One difference, challenger minus champion, positive where the challenger is better."""

    @property
    def method(self) -> str: ...
    @property
    def standard_error(self) -> float: ...

    def lower(self, alpha: float) -> float:
        """The true difference lies below this with probability `alpha` at most."""

    def p_value(self) -> float:
        """How likely so good a difference is if the challenger is no better: from this alpha on `lower` is above 0."""

    def detectable(self, alpha: float, power: float) -> float:
        """The smallest true difference of which `lower` would be above zero with probability `power`."""

    def flipped(self) -> Self:
        """The same seen from the other side: champion minus challenger."""


@dataclass(frozen=True, kw_only=True)
class StudentBounds:
    """An estimate, its standard error with its `degrees` of freedom, and the `skewness` of the estimate.

    The more cautious of two quantiles counts: Student's, and the same corrected for skewness (Hall 1992). The latter
    alone would trust a skewness that a few far values made up. `unseen` is for a metric between zero and one: how many
    independent units could have shown a difference in spread. If none did, the next one may (rule of three; Hanley &
    Lippman-Hand 1983). Zero says that there is nothing to be seen: the answers are the same.
    """

    method: str
    estimate: float
    standard_error: float
    degrees: float
    skewness: float = 0.0
    unseen: int = 0

    def lower(self, alpha: float) -> float:
        if self.standard_error > 0:
            return self.estimate - self._reach(alpha) * self.standard_error
        return self.estimate - (1 - alpha ** (1 / self.unseen) if self.unseen else 0)

    def p_value(self) -> float:
        if self.standard_error > 0:
            statistic = self.estimate / self.standard_error
            both = statistic, without_skewness(statistic, self.skewness)
            return max(upper_tail(one, self.degrees) for one in both)
        if self.estimate <= 0:
            return 1.0
        return max(1 - self.estimate, 0.0) ** self.unseen if self.unseen else 0.0

    def detectable(self, alpha: float, power: float) -> float:
        if self.standard_error > 0:
            return (self._reach(alpha) + NORMAL.inv_cdf(power)) * self.standard_error
        return self.estimate - self.lower(alpha)

    def flipped(self) -> Self:
        return replace(self, estimate=-self.estimate, skewness=-self.skewness)

    def _reach(self, alpha: float) -> float:
        quantile = upper_quantile(alpha, self.degrees)
        return max(quantile, with_skewness(quantile, self.skewness))


@dataclass(frozen=True, kw_only=True, eq=False)
class BootstrapBounds:
    """Resamples in ascending order, and the Student bounds from their spread: the more cautious of both counts.

    Resamples (BCa) follow the shape of the distribution. They are too narrow where units are few, and say nothing of
    an alpha so small that hardly one of them is left in the tail.
    """

    student: StudentBounds
    samples: FloatArray
    acceleration: float

    @property
    def method(self) -> str:
        return self.student.method

    @property
    def standard_error(self) -> float:
        return self.student.standard_error

    def lower(self, alpha: float) -> float:
        level = bca.level(alpha, self._bias, self.acceleration)
        return min(float(np.quantile(self.samples, level, method="lower")), self.student.lower(alpha))

    def p_value(self) -> float:
        below = float((self.samples <= 0).mean())
        return max(bca.alpha_of(below, self._bias, self.acceleration), self.student.p_value())

    def detectable(self, alpha: float, power: float) -> float:
        return self.student.detectable(alpha, power)

    def flipped(self) -> Self:
        samples, acceleration = -self.samples[::-1], -self.acceleration
        return replace(self, student=self.student.flipped(), samples=samples, acceleration=acceleration)

    @property
    def _bias(self) -> float:
        return bca.bias_of(self.samples, self.student.estimate)


@dataclass(frozen=True, kw_only=True)
class PairedCounts:
    """Of `rows`, `better` are answered rightly by the challenger only and `worse` by the champion only.

    Bounds are Tango's; but whether the challenger is better at all is decided by McNemar's exact test, since with
    less than about ten such rows the score is too sure of itself.
    """

    better: int
    worse: int
    rows: int
    method: str = "Tango"

    @property
    def standard_error(self) -> float:
        estimate = (self.better - self.worse) / self.rows
        return sqrt(((self.better + self.worse) / self.rows - estimate**2) / self.rows)

    def lower(self, alpha: float) -> float:
        bound = float(tango.lower_bound(self.better, self.worse, self.rows, -NORMAL.inv_cdf(alpha)))
        return bound if bound <= 0 or self.p_value() <= alpha else 0.0

    def p_value(self) -> float:
        return exact_p_value(self.better, self.worse)

    def detectable(self, alpha: float, power: float) -> float:
        """For as large a share of rows answered differently as was seen, or a larger one if the effect needs it."""
        seen = (self.better + self.worse) / self.rows
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            enough = exact_power(self.rows, max(seen, middle), middle, alpha) >= power
            low, high = (low, middle) if enough else (middle, high)
        return high

    def flipped(self) -> Self:
        return replace(self, better=self.worse, worse=self.better)
