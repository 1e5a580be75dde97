"""A verdict on 1,000,000 rows, against the straightforward ways to the same answer, in one run on the same data.

- ROC AUC: `paired_difference` (DeLong in closed form); DeLong as it is usually written, with scipy's mid-ranks; and a
  bootstrap of scikit-learn's `roc_auc_score`.
- Log loss, 2,000 resamples: `paired_difference`; `scipy.stats.bootstrap`, paired and vectorised, of losses that are
  given to it ready for each row; and a bootstrap of scikit-learn's `log_loss`.

The bootstraps of others are timed on fewer resamples and extrapolated, which is said where it is done, so that their
standard errors are rough. Memory is the peak of a process of its own, all imports included.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks.measuring import measure
from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature

ROOT = Path(__file__).parents[1]
ROWS, RESAMPLES, ROUNDS = 1_000_000, 2000, 5
SIGNATURE = Signature(task="binary-classification", inputs=(), classes=(0, 1))
Rows = tuple[Any, Any, Any]
Answer = tuple[float, float]
"""The difference, challenger minus champion so that positive is better, and its standard error."""


def main() -> None:
    # First, while this process is small: what it holds counts as the peak of its children until they have started.
    memory = {name: peak(statement) for name, statement in PEAKS.items()}
    rows = make()
    print(f"{ROWS:,} rows; seconds are medians of {ROUNDS} runs unless extrapolated\n")
    print(f"{'':52}{'seconds':>10}{'to ours':>10}{'difference':>13}{'standard error':>16}")
    ours = timed(lambda: ours_of("roc_auc", rows, RESAMPLES))
    show("ROC AUC: mlops-ci, DeLong", ours, ours)
    show("ROC AUC: DeLong with scipy's mid-ranks", timed(lambda: plain_delong(*rows)), ours)
    of_sklearn = bootstrapped(lambda truth, old, new: roc_auc_score(truth, new) - roc_auc_score(truth, old), rows, 10)
    show(f"ROC AUC: scikit-learn, 10 of {RESAMPLES:,} resamples", of_sklearn, ours)
    print()
    ours = timed(lambda: ours_of("log_loss", rows, RESAMPLES))
    show(f"log loss: mlops-ci, {RESAMPLES:,} resamples", ours, ours)
    show(f"log loss: scipy.stats.bootstrap, 100 of {RESAMPLES:,}", scipy_bootstrap(*rows, 100), ours)
    of_sklearn = bootstrapped(lambda truth, old, new: log_loss(truth, old) - log_loss(truth, new), rows, 10)
    show(f"log loss: scikit-learn, 10 of {RESAMPLES:,} resamples", of_sklearn, ours)
    print("\npeak memory in MB")
    for name, megabytes in memory.items():
        print(f"{name:52}{megabytes:10.0f}")


PEAKS = {
    "the data alone": "make()",
    "ROC AUC: mlops-ci": "ours_of('roc_auc', make(), 2000)",
    "log loss: mlops-ci, 200 resamples": "ours_of('log_loss', make(), 200)",
    "log loss: mlops-ci, 2,000 resamples": "ours_of('log_loss', make(), 2000)",
    "log loss: mlops-ci, 20,000 resamples": "ours_of('log_loss', make(), 20000)",
    "log loss: scipy, 10 resamples at a time": "scipy_bootstrap(*make(), 20)",
}


def make() -> Rows:
    """Truth, and the scores of two models as a graph gives them: single precision."""
    rng = np.random.default_rng(1)
    truth = (rng.random(ROWS) < 0.25).astype(np.int64)
    shared = rng.normal(size=ROWS)
    logits = [strength * truth + shared + 0.5 * rng.normal(size=ROWS) - 1.5 for strength in (1.0, 1.01)]
    return truth, *((1 / (1 + np.exp(-each))).astype(np.float32).astype(np.float64) for each in logits)


def ours_of(metric: str, rows: Rows, resamples: int) -> Answer:
    truth, *scores = rows
    old, new = (
        Predictions(labels=(each >= 0.5).astype(np.int64), probabilities=np.column_stack([1 - each, each]))
        for each in scores
    )
    found = paired_difference(metric, truth, old, new, SIGNATURE, resamples=resamples, seed=1)
    found.lower(0.0025)
    found.upper(0.0025)
    return found.estimate, found.standard_error


def plain_delong(truth: Any, old: Any, new: Any) -> Answer:
    """Sun & Xu 2014 as it is usually written: three rankings a model."""
    positive = truth == 1
    count, others = int(positive.sum()), int((~positive).sum())
    placed = []
    for scores in (old, new):
        whole = stats.rankdata(scores)
        of_positive = (whole[positive] - stats.rankdata(scores[positive])) / others
        of_negative = 1 - (whole[~positive] - stats.rankdata(scores[~positive])) / count
        placed.append((of_positive, of_negative))
    (old_10, old_01), (new_10, new_01) = placed
    variance = (new_10 - old_10).var(ddof=1) / count + (new_01 - old_01).var(ddof=1) / others
    return float(new_10.mean() - old_10.mean()), float(np.sqrt(variance))


def scipy_bootstrap(truth: Any, old: Any, new: Any, resamples: int) -> tuple[float, Answer]:
    losses = [-np.log(np.where(truth == 1, each, 1 - each)) for each in (old, new)]
    started = time.perf_counter()
    found = stats.bootstrap(
        losses, lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis), paired=True, vectorized=True, batch=10,
        n_resamples=resamples, method="percentile", rng=np.random.default_rng(1),
    )  # fmt: skip
    seconds = (time.perf_counter() - started) * RESAMPLES / resamples
    return seconds, (float(losses[0].mean() - losses[1].mean()), float(found.standard_error))


def bootstrapped(metric: Callable[..., float], rows: Rows, resamples: int) -> tuple[float, Answer]:
    rng = np.random.default_rng(1)
    started = time.perf_counter()
    drawn = []
    for _ in range(resamples):
        picks = rng.integers(0, ROWS, ROWS)
        drawn.append(metric(*(each[picks] for each in rows)))
    seconds = (time.perf_counter() - started) * RESAMPLES / resamples
    return seconds, (metric(*rows), float(np.std(drawn, ddof=1)))


def timed(run: Callable[[], Answer]) -> tuple[float, Answer]:
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), answer


def show(name: str, one: tuple[float, Answer], ours: tuple[float, Answer]) -> None:
    seconds, (difference, error) = one
    print(f"{name:52}{seconds:10.2f}{seconds / ours[0]:9.1f}x{difference:13.6f}{error:16.6f}")


def peak(statement: str) -> float:
    script = f"from benchmarks.gate import *; {statement}"
    return measure([sys.executable, "-c", script], cwd=ROOT).megabytes


if __name__ == "__main__":
    main()
