"""Student's distribution from the normal one, without a table, and what skewness does to a Student statistic."""

from __future__ import annotations

from math import cbrt, copysign, expm1, log1p, sqrt
from statistics import NormalDist

NORMAL = NormalDist()


def student_from_normal(quantile: float, degrees: float) -> float:
    """The quantile of Student's distribution at the probability of a normal quantile (Wallace 1959).

    Within 2 % from 5 degrees of freedom on, and too large, which is the cautious side, below. Less than one counts as
    one.
    """
    n = max(degrees, 1)
    return copysign(sqrt(n * expm1((quantile * (8 * n + 3) / (8 * n + 1)) ** 2 / n)), quantile)


def normal_from_student(quantile: float, degrees: float) -> float:
    """The inverse of `student_from_normal`."""
    n = max(degrees, 1)
    return copysign(sqrt(n * log1p(quantile**2 / n)) * (8 * n + 1) / (8 * n + 3), quantile)


def upper_quantile(alpha: float, degrees: float) -> float:
    """What a Student statistic exceeds with probability `alpha`."""
    return student_from_normal(-NORMAL.inv_cdf(alpha), degrees)


def upper_tail(statistic: float, degrees: float) -> float:
    """How likely a Student statistic is to exceed this one."""
    return NORMAL.cdf(-normal_from_student(statistic, degrees))


def without_skewness(statistic: float, skewness: float) -> float:
    """A monotone function of a Student statistic that has lost most of its skewness (Hall 1992).

    `skewness` is that of the estimate. Where large values are rare and have not been seen, mean and spread are both
    understated, and the statistic itself is skewed the other way, twice as much.
    """
    if abs(skewness) < NEARLY_NONE:
        return statistic
    return ((1 + skewness * statistic / 3) ** 3 - 1) / skewness + skewness / 6


def with_skewness(quantile: float, skewness: float) -> float:
    """The inverse of `without_skewness`."""
    if abs(skewness) < NEARLY_NONE:
        return quantile
    return 3 / skewness * (cbrt(1 + skewness * (quantile - skewness / 6)) - 1)


NEARLY_NONE = 1e-6
"""Below, the difference is lost in rounding."""
