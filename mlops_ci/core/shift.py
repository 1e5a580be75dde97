"""Do two releases differ on live requests in another direction than they did when they were evaluated?

How often answers differ cannot tell: a better model differs, too. A model whose inputs are not what they were in
training moves its answers to one side, and that shows without any label.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np

from mlops_ci.core.predictions import FloatArray, Predictions

FEWEST_ROWS = 100
"""Of each sample: for fewer the normal distribution of a mean is too bold a claim."""


def shifts(
    live: tuple[Predictions, Predictions],
    evaluated: tuple[Predictions, Predictions],
    *,
    classes: Sequence[object] = (),
    alpha: float = 0.001,
    floor: float = 0.4,
) -> list[str]:
    """What moved; empty where nothing did. Each pair holds the answers of stable and the new release for the same rows.

    Judged is the mean of new minus stable: a two-sample z-test (Welch 1938) of live rows against evaluated ones at
    `alpha`, divided among the classes (Bonferroni), which counts only beyond `floor` standard deviations of stable's
    own answers: a shift that nobody would notice aborts nothing, however many rows there are. Rows that either side
    does not answer with finite numbers are left out; with fewer than FEWEST_ROWS of either sample nothing is said.
    """
    before, after = (_differences(*pair) for pair in (evaluated, live))
    if min(len(before), len(after)) < FEWEST_ROWS:
        return []
    usual = np.concatenate([evaluated[0].scores, live[0].scores])
    spread = usual[np.isfinite(usual).all(axis=1)].std(axis=0)
    columns = [1] if before.shape[1] == 2 else list(range(before.shape[1]))
    found = []
    for column in columns:
        old, new = before[:, column], after[:, column]
        moved = float(new.mean() - old.mean())
        error = sqrt(old.var(ddof=1) / len(old) + new.var(ddof=1) / len(new))
        chance = 2 * NormalDist().cdf(-abs(moved) / error) if error > 0 else float(moved == 0)  # no doubt left
        if abs(moved) > floor * spread[column] and chance <= alpha / len(columns):
            what = f"the probability of {classes[column]}" if len(classes) > column else "the answer"
            found.append(
                f"{what} is {new.mean():+.3f} against the stable release's on {len(new)} live requests, and was "
                f"{old.mean():+.3f} on {len(old)} evaluated rows"
            )
    return found


def _differences(stable: Predictions, new: Predictions) -> FloatArray:
    """New minus stable [rows, scores], of the rows that both answer with finite numbers."""
    difference = new.scores - stable.scores
    return difference[np.isfinite(difference).all(axis=1)]
