"""McNemar's exact test: of the rows that only one of two models answers rightly, does one model have too many?

If both are equally good, each such row is a fair coin (McNemar 1947; exact form: Liddell 1983).
"""

from __future__ import annotations

import numpy as np

LIKELY_COUNTS = (np.arange(100) + 0.5) / 100
"""Quantiles of the number of rows that tell the models apart, over which the power is a mean."""


def exact_p_value(better: int, worse: int) -> float:
    """The probability of at least `better` heads in `better + worse` tosses: one-sided, one where there is no toss.

    `better` counts the rows that only the challenger answers rightly, `worse` those that only the champion does.

    >>> exact_p_value(4, 0)
    0.0625
    >>> exact_p_value(0, 0)
    1.0
    """
    from scipy.special import betainc

    return float(betainc(better, worse + 1, 0.5)) if better else 1.0


def mid_p_value(better: int, worse: int) -> float:
    """The same with only half of the outcome seen counted in: closer to alpha, and now and then beyond it.

    Lancaster 1961; Fagerland, Lydersen & Laake 2013. The gate promises at most alpha and decides by the exact one.

    >>> mid_p_value(4, 0)
    0.03125
    """
    more = exact_p_value(better + 1, worse - 1) if worse else 0.0
    return (exact_p_value(better, worse) + more) / 2


def power(rows: int, share: float, difference: float, alpha: float) -> float:
    """How likely the exact p-value is to reach `alpha`, where the true difference of the accuracies is `difference`.

    `share` is the true share of the `rows` that only one model answers rightly, at least `difference`.
    """
    from scipy.stats import binom

    telling = binom.ppf(LIKELY_COUNTS, rows, share)
    needed = binom.isf(alpha, telling, 0.5) + 1
    return float(binom.sf(needed - 1, telling, min((share + difference) / (2 * share), 1.0)).mean())
