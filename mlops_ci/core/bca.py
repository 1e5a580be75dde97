"""Bias-corrected and accelerated percentiles of resamples, BCa (Efron 1987)."""

from __future__ import annotations

from statistics import NormalDist

from mlops_ci.core.predictions import FloatArray

NORMAL = NormalDist()


def bias_of(samples: FloatArray, estimate: float) -> float:
    """How far the estimate is from the middle of its resamples, as a normal quantile; half of its equals are below."""
    share = float(((samples < estimate).mean() + (samples <= estimate).mean()) / 2)
    return NORMAL.inv_cdf(min(max(share, 0.5 / len(samples)), 1 - 0.5 / len(samples)))


def acceleration_of(influence: FloatArray) -> float:
    """How the standard error changes with the true value: a sixth of the skewness of the estimate."""
    squared = influence * influence
    squares = float(squared.sum())
    return float((squared * influence).sum()) / (6 * squares**1.5) if squares > 0 else 0.0


def level(alpha: float, bias: float, acceleration: float) -> float:
    """The share of the resamples below the bound that the truth lies below with probability `alpha`."""
    shifted = bias + NORMAL.inv_cdf(alpha)
    left = 1 - acceleration * shifted
    return NORMAL.cdf(bias + shifted / left) if left > 0 else float(shifted > 0)


def alpha_of(share: float, bias: float, acceleration: float) -> float:
    """The inverse of `level`: at which alpha the bound has this share of the resamples below it."""
    if not 0 < share < 1:
        return share
    shifted = NORMAL.inv_cdf(share) - bias
    left = 1 + acceleration * shifted
    return NORMAL.cdf(shifted / left - bias) if left > 0 else float(shifted > 0)
