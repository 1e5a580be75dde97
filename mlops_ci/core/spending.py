"""How much of alpha each look at one holdout may spend, so that all of them together spend no more than alpha.

The chance that any of several tests errs is at most the sum of their alphas (Bonferroni), whether or not they are
related. It holds for challengers that are made one after the other, each in knowledge of whether those before it
shipped: until one ships, that knowledge is always "no", and so tells nothing of the holdout (Blum & Hardt 2015).
"""

from __future__ import annotations

from typing import Literal

Spending = Literal["front", "even"]


def alpha_of_look(alpha: float, *, look: int, looks: int, spending: Spending) -> float:
    """What look number `look` of `looks` may spend; there is no look before the first nor after the last.

    `even`: all the same. `front`: in proportion to 1, 1/4, 1/9 …, as most holdouts are looked at a few times only, and
    whoever has learnt from many looks finds little left to spend.

    >>> [alpha_of_look(0.05, look=look, looks=5, spending="even") for look in (1, 5)]
    [0.01, 0.01]
    >>> [round(alpha_of_look(0.05, look=look, looks=5, spending="front"), 4) for look in (1, 2, 5)]
    [0.0342, 0.0085, 0.0014]
    """
    looks = max(looks, 1)
    if spending == "even":
        return alpha / looks
    number = min(max(look, 1), looks)
    return alpha / number**2 / sum(1 / each**2 for each in range(1, looks + 1))
