"""Tests that may be looked at after every request, and stopped at any time, without more false alarms for it.

An *e-process* is the fortune of somebody who starts with 1 and bets, at odds fair under the null hypothesis, that it is
wrong. While it is right, the fortune reaches 1/alpha with probability alpha at most, at any time whatever (Ville 1939).
So "alarm once the fortune is 1/alpha" has a false-alarm rate of at most alpha however often, and whenever, one looks.
"""

from __future__ import annotations

from math import exp, inf, log, log1p, sqrt

RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
"""By how much the odds of a hit may be raised. The fortune is divided over these alternatives in equal parts.

The smallest also says what nobody minds: odds raised by less than about 1.2 lose by every one of these bets.
"""

Fortunes = tuple[float, ...]
"""What each of the RATIOS has won or lost so far, as logarithms; empty before the first stake."""

NO_STAKE: Fortunes = ()
_LARGEST = 700.0
"""Beyond this logarithm a number is infinite to a computer."""


def stake(fortunes: Fortunes, part: float) -> Fortunes:
    """Puts a further `part` of the 1 to begin with into play, so that what was lost before cannot hide what is new.

    All parts together must not be more than 1; what is not staked yet counts as nothing.
    """
    fresh = log(part / len(RATIOS))
    return tuple(_log_sum(old, fresh) for old in fortunes or (-inf,) * len(RATIOS))


def bet(fortunes: Fortunes, *, hits: int, misses: int, null: float) -> Fortunes:
    """After so many further hits and misses, where the null hypothesis is that a hit has probability `null` at most.

    A ratio r bets on r times the odds: its fortune grows by r / (null r + 1 - null) with each hit, and by
    1 / (null r + 1 - null) with each miss. What one such bet is expected to bring, (p r + 1 - p) / (null r + 1 - null),
    rises with the true probability p and is 1 at `null`: so it is at most 1 under all of the null hypothesis, also
    where p is another one each time. A mixture over likelihood ratios (Robbins 1970) then is as good. Where `null` is
    no probability between 0 and 1, nothing can be said.
    """
    if not fortunes or not 0 < null < 1:
        return fortunes
    return tuple(
        before + hits * log(ratio) - (hits + misses) * log1p(null * (ratio - 1))
        for before, ratio in zip(fortunes, RATIOS, strict=True)
    )


def e_value(fortunes: Fortunes) -> float:
    """The whole fortune: 0 before the first stake, and finite always."""
    total = -inf
    for one in fortunes:
        total = _log_sum(total, one)
    return exp(min(total, _LARGEST))


def upper_limit(count: int, total: int, alpha: float) -> float:
    """The true share lies above this with probability `alpha` at most (Clopper & Pearson 1934); 1 for nothing seen."""
    if count >= total:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(count + 1, total - count, 1 - alpha))


def radius(rows: int, alpha: float, *, best_at: int) -> float:
    """How far, in standard deviations, a mean of so many rows may ever be from the true one, at any number of rows.

    Robbins' mixture of normal martingales, narrowest at about `best_at` rows. With the standard deviation estimated it
    is an asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024): as good as the central
    limit theorem is at the first look.
    """
    scale = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / best_at
    spread = rows * scale + 1
    return sqrt(2 * spread / (rows * rows * scale) * log(sqrt(spread) / alpha))


def _log_sum(one: float, other: float) -> float:
    """The logarithm of the sum of two numbers given by their logarithms."""
    high, low = max(one, other), min(one, other)
    return high if low == -inf else high + log1p(exp(low - high))
