"""Do two releases differ on live requests in another direction than they did when they were evaluated?

How often answers differ cannot tell: a better model differs, too. A model whose inputs are not what they were in
training moves its answers to one side, and that shows without any label.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

from mlops_ci.core.answers import Replay
from mlops_ci.core.sequential import radius

FEWEST_ROWS = 100
"""Of each sample: for fewer the normal distribution of a mean is too bold a claim."""
BEST_AT = 300
"""Live rows at which a shift is found with the greatest certainty: what the first look of a rollout may replay."""


def moved_answers(
    live: Replay, evaluated: Replay, *, alpha: float, classes: Sequence[str] = (), floor: float = 0.4
) -> list[str]:
    """What moved; empty where nothing did. May be asked after each further live row.

    Judged is the mean of new minus stable: the live one against the evaluated one. Half of `alpha` is for where the
    evaluated mean may be by chance (a normal interval), half for where the live one may ever be (`sequential.radius`);
    both are divided among the classes (Bonferroni; a binary classifier has one). A move counts only beyond `floor`
    standard deviations of stable's own answers as well: a shift that nobody would notice aborts nothing, however many
    rows there are. With fewer than FEWEST_ROWS of either sample nothing is said.
    """
    before, after, usual = evaluated.difference, live.difference, evaluated.usual + live.usual
    if min(before.rows, after.rows) < FEWEST_ROWS:
        return []
    columns = [1] if len(before.means) == 2 else list(range(len(before.means)))
    each = alpha / 2 / len(columns)
    ever = radius(after.rows, each, best_at=BEST_AT)
    once = -NormalDist().inv_cdf(each / 2)
    found = []
    for column in columns:
        old, new = before.means[column], after.means[column]
        chance = ever * sqrt(after.variance(column)) + once * sqrt(before.variance(column) / before.rows)
        if abs(new - old) > max(chance, floor * sqrt(usual.variance(column))):
            what = f"the probability of {classes[column]}" if len(classes) > column else "the answer"
            found.append(
                f"{what} is {new:+.3f} against the stable release's on {after.rows} live requests, and was "
                f"{old:+.3f} on {before.rows} evaluated rows"
            )
    return found
