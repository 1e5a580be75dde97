"""Answers that move to one side: a table of cases, and how often a good release is aborted or a broken one found."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.shift import FEWEST_ROWS, shifts

Pair = tuple[Predictions, Predictions]
GOLDEN, LIVE = 500, 300


def values(rows: int, rng: np.random.Generator, *, moved: float = 0.0, noise: float = 0.2) -> Pair:
    """A regressor's answers (standard deviation 1) and those of a new one, which differ at random, and by `moved`."""
    stable = rng.normal(10, 1, rows)
    return Predictions(values=stable), Predictions(values=stable + rng.normal(0, noise, rows) + moved)


def chances(rows: int, rng: np.random.Generator, *, moved: float = 0.0, classes: int = 2) -> Pair:
    """A classifier's probabilities; `moved` is added to the logit of the last class."""
    logits = rng.normal(0, 1, (rows, classes))
    pair = []
    for shift, noise in ((0.0, 0.0), (moved, 0.3)):
        raised = logits + rng.normal(0, 1, logits.shape) * noise
        raised[:, -1] += shift
        odds = np.exp(raised)
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        pair.append(Predictions(labels=probabilities.argmax(axis=1), probabilities=probabilities))
    return pair[0], pair[1]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def constant(rows: int, stable: float, new: float) -> Pair:
    return Predictions(values=np.full(rows, stable)), Predictions(values=np.full(rows, new))


@pytest.mark.parametrize(
    ("live", "evaluated", "found"),
    [
        (values(LIVE, rng(1)), values(GOLDEN, rng(2)), False),
        (values(LIVE, rng(1), moved=0.3), values(GOLDEN, rng(2)), False),  # certain, and below what anybody minds
        (values(LIVE, rng(1), moved=0.6), values(GOLDEN, rng(2)), True),
        (values(LIVE, rng(1), moved=-0.6), values(GOLDEN, rng(2)), True),
        (values(LIVE, rng(1), moved=0.6), values(GOLDEN, rng(2), moved=0.6), False),  # as it was when evaluated
        (values(LIVE, rng(1)), values(GOLDEN, rng(2), moved=0.6), True),  # the improvement does not arrive
        (values(FEWEST_ROWS - 1, rng(1), moved=5), values(GOLDEN, rng(2)), False),
        (values(LIVE, rng(1), moved=5), values(FEWEST_ROWS - 1, rng(2)), False),
        (values(FEWEST_ROWS, rng(1), moved=5), values(FEWEST_ROWS, rng(2)), True),
        (constant(LIVE, 1.0, 1.0), constant(GOLDEN, 1.0, 1.0), False),
        (constant(LIVE, 1.0, 2.0), constant(GOLDEN, 1.0, 1.0), True),
        (chances(LIVE, rng(1)), chances(GOLDEN, rng(2)), False),
        (chances(LIVE, rng(1), moved=2), chances(GOLDEN, rng(2)), True),
    ],
)  # fmt: skip
def test_a_table_of_cases(live: Pair, evaluated: Pair, found: bool) -> None:
    assert bool(shifts(live, evaluated)) is found


def test_rows_that_have_no_finite_answer_hide_nothing() -> None:
    live, evaluated = values(LIVE, rng(1), moved=0.6), values(GOLDEN, rng(2))
    for pair in (live, evaluated):
        assert pair[0].values is not None
        pair[0].values[:3] = np.nan
        pair[0].values[3] = np.inf
    assert shifts(live, evaluated)


def test_the_class_that_moved_is_named_and_a_binary_one_only_once() -> None:
    said = shifts(chances(LIVE, rng(1), moved=2), chances(GOLDEN, rng(2)), classes=("on time", "late"))
    assert len(said) == 1
    assert said[0].startswith("the probability of late is +0.")
    assert "300 live requests" in said[0]
    assert "500 evaluated rows" in said[0]
    many = shifts(
        chances(LIVE, rng(1), moved=3, classes=3), chances(GOLDEN, rng(2), classes=3), classes=("a", "b", "c")
    )
    assert any(line.startswith("the probability of c is +") for line in many)


@pytest.mark.parametrize("kind", [values, chances])
def test_a_good_release_is_aborted_no_more_often_than_alpha_says(kind: object) -> None:
    """Without the floor, so that it is the test's own rate: 2,000 rollouts at 1 % (three standard errors: 33)."""
    random = rng(3)
    aborted = sum(
        bool(shifts(kind(LIVE, random), kind(GOLDEN, random), alpha=0.01, floor=0.0))  # type: ignore[operator]
        for _ in range(2000)
    )
    assert aborted <= 33


def test_with_the_floor_no_good_release_is_aborted_in_two_thousand() -> None:
    random = rng(4)
    assert not any(shifts(values(LIVE, random, noise=0.5), values(GOLDEN, random, noise=0.5)) for _ in range(2000))


def test_a_broken_release_is_found() -> None:
    """Half a standard deviation, as a feature gives that is missing in live requests: 995 of 1,000, and more."""
    random = rng(5)
    found = sum(bool(shifts(values(LIVE, random, moved=0.5), values(GOLDEN, random))) for _ in range(1000))
    assert found >= 995
