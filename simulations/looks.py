"""Many looks at one holdout, by people who learn from them: how often does one of them ship by luck?

Here the truth is a fair coin for each row, so that no classifier is better than any other, whatever it was built from.
All answer by chance at first; what the later challengers answer depends on what was told of those before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.bounds import PairedCounts
from mlops_ci.core.spending import Spending, alpha_of_look

ROWS = 1000
ALPHA = 0.05
Bits = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """One challenger's answers, and what the gate makes known of it. None of these has shipped."""

    answers: Bits
    counts: PairedCounts
    alpha: float

    @property
    def within_margin(self) -> bool:
        """`non-inferior`, with so wide a margin that half of the challengers are: then the verdict tells the most."""
        width = -PairedCounts(better=ROWS // 4, worse=ROWS // 4, rows=ROWS).lower(self.alpha)
        return self.counts.lower(self.alpha) > -width

    @property
    def difference(self) -> float:
        """The number in the report."""
        return (self.counts.better - self.counts.worse) / self.counts.rows


Tactic = Callable[[np.random.Generator, Sequence[Told], int], Bits]
"""The next challenger's answers, from chance, what was told of those before, and how many looks are left after it."""


def unrelated(rng: np.random.Generator, before: Sequence[Told], left: int) -> Bits:  # noqa: ARG001
    """As many people as looks, none of whom knows of the others."""
    return rng.random(ROWS) < 0.5


def by_shipping(rng: np.random.Generator, before: Sequence[Told], left: int) -> Bits:
    """Takes the last challenger, knows that it did not ship, and changes a tenth of its answers."""
    return before[-1].answers ^ (rng.random(ROWS) < 0.1) if before else unrelated(rng, before, left)


def by_verdicts(rng: np.random.Generator, before: Sequence[Told], left: int) -> Bits:
    """Tries at random; the last challenger is the vote of all, those not within the margin turned round."""
    if left:
        return unrelated(rng, before, left)
    return _vote(rng, before, [1.0 if one.within_margin else -1.0 for one in before])


def by_numbers(rng: np.random.Generator, before: Sequence[Told], left: int) -> Bits:
    """The same, each vote with the weight of the difference that the report shows (Blum & Hardt 2015: boosting)."""
    if left:
        return unrelated(rng, before, left)
    return _vote(rng, before, [one.difference for one in before])


def _vote(rng: np.random.Generator, before: Sequence[Told], weights: Sequence[float]) -> Bits:
    """The sign of the weighted answers; a coin where they are level."""
    votes = 1e-9 * rng.normal(size=ROWS)
    for one, weight in zip(before, weights, strict=True):
        votes += weight * np.where(one.answers, 1, -1)
    return np.asarray(votes > 0)


def ships_by_luck(tactic: Tactic, looks: int, alphas: Sequence[float], seed: list[int]) -> bool:
    """Whether any of the challengers at one holdout is called superior; look k is judged at `alphas[k]`."""
    rng = np.random.default_rng(seed)
    truth, champion = rng.random((2, ROWS)) < 0.5
    told: list[Told] = []
    for look in range(looks):
        answers = tactic(rng, told, looks - look - 1)
        better = int(((answers == truth) & (champion != truth)).sum())
        counts = PairedCounts(better=better, worse=int((answers != champion).sum()) - better, rows=ROWS)
        if counts.p_value() <= alphas[look]:
            return True
        told.append(Told(answers=answers, counts=counts, alpha=alphas[look]))
    return False


TACTICS: dict[str, Tactic] = {
    "know nothing of each other": unrelated,
    "know that no earlier one shipped, and vary the last": by_shipping,
    "vote by the verdicts (within the margin or not)": by_verdicts,
    "vote by the differences in the reports": by_numbers,
}


def alphas(way: str, looks: int) -> list[float]:
    """What each look may spend: all of alpha (the naive way), or as `gate.spending` says."""
    if way == "none":
        return [ALPHA] * looks
    spending: Spending = "front" if way == "front" else "even"
    return [alpha_of_look(ALPHA, look=look + 1, looks=looks, spending=spending) for look in range(looks)]


def share_of_luck(tactic: str, way: str, looks: int, holdouts: int) -> float:
    """In how many holdouts something ships that is no better."""
    spent = alphas(way, looks)
    return float(np.mean([ships_by_luck(TACTICS[tactic], looks, spent, [5, trial]) for trial in range(holdouts)]))
