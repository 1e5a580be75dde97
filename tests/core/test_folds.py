from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from mlops_ci.core.folds import folds, thinned


@pytest.mark.parametrize("strategy", ["random", "stratified"])
def test_every_row_validates_once_in_folds_of_equal_size(strategy: str) -> None:
    target = np.random.default_rng(0).integers(0, 3, 103)
    made = folds(strategy, 103, count=5, seed=1, target=target)
    assert sorted(np.concatenate([held for _, held in made]).tolist()) == list(range(103))
    assert sorted(len(held) for _, held in made) == [20, 20, 21, 21, 21]
    for fit, held in made:
        assert sorted([*fit.tolist(), *held.tolist()]) == list(range(103))
        assert fit.tolist() == sorted(fit.tolist())


@given(st.lists(st.sampled_from("abc"), min_size=10, max_size=80), st.integers(2, 6), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_stratified_folds_have_each_class_s_share(labels: list[str], count: int, seed: int) -> None:
    target = np.array(labels, dtype=object)
    made = folds("stratified", len(target), count=count, seed=seed, target=target)
    for label in set(labels):
        per_fold = [int((target[held] == label).sum()) for _, held in made]
        assert max(per_fold) - min(per_fold) <= 1


def test_the_seed_alone_makes_other_folds() -> None:
    def held(seed: int) -> list[list[int]]:
        return [part.tolist() for _, part in folds("random", 40, count=4, seed=seed)]

    assert held(3) == held(3) != held(4)


def test_groups_stay_whole_and_folds_alike() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 3000)
    target = (rng.random(3000) < np.where(groups < 10, 0.8, 0.1)).astype(np.int64)
    made = folds("group", 3000, count=5, seed=0, target=target, groups=groups)
    for fit, held in made:
        assert not set(groups[fit]) & set(groups[held])
    sizes = [len(held) for _, held in made]
    shares = [target[held].mean() for _, held in made]
    theirs = [held for _, held in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(target, target, groups)]
    assert np.std(shares) <= 1.5 * np.std([target[held].mean() for held in theirs])
    assert max(sizes) - min(sizes) <= 2 * np.bincount(groups).max()
    assert sorted(np.concatenate([held for _, held in made]).tolist()) == list(range(3000))


def test_groups_without_classes_are_balanced_by_rows() -> None:
    groups = np.repeat(np.arange(7), [50, 10, 10, 10, 10, 10, 10])
    made = folds("group", 110, count=3, seed=0, groups=groups)
    assert sorted(len(held) for _, held in made) == [30, 30, 50]


@given(st.lists(st.integers(0, 30), min_size=8, max_size=120), st.integers(2, 5))
@settings(max_examples=100, deadline=None)
def test_time_chains_forward_and_never_parts_equal_times(moments: list[int], count: int) -> None:
    times = np.array(moments)
    if len(set(moments)) <= count:
        with pytest.raises(ValueError, match="distinct times"):
            folds("time", len(times), count=count, seed=0, times=times)
        return
    made = folds("time", len(times), count=count, seed=0, times=times)
    assert len(made) == count
    for fit, held in made:
        assert len(fit)
        assert len(held)
        assert times[fit].max() < times[held].min()
    for (_, held), (fit, _) in pairwise(made):
        assert set(held.tolist()) <= set(fit.tolist())
    assert times[made[-1][1]].max() == times.max()


def test_blocks_of_time_are_of_about_equal_size() -> None:
    made = folds("time", 600, count=5, seed=0, times=np.arange(600)[::-1])
    assert [len(fit) for fit, _ in made] == [100, 200, 300, 400, 500]
    assert [len(held) for _, held in made] == [100] * 5


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("random", "5 folds need at least 5 rows; the training rows have 4"),
        ("stratified", "5 folds need at least 5 rows; the training rows have 4"),
        ("group", "5 folds need at least 5 groups; the training rows have 2"),
        ("time", "5 folds, each validated on later rows, need at least 6 distinct times; the training rows have 4"),
    ],
)
def test_rows_that_allow_no_such_folds(strategy: str, said: str) -> None:
    rows = {"target": np.array([0, 1, 0, 1]), "groups": np.array([0, 0, 1, 1]), "times": np.arange(4)}
    with pytest.raises(ValueError, match=said):
        folds(strategy, 4, count=5, seed=0, **rows)


def test_a_share_of_the_rows_keeps_every_class_and_grows_by_adding() -> None:
    rows = np.arange(100, 400)
    target = np.array([1] * 3 + [0] * 297)
    third = thinned(rows, 1 / 3, 5, target)
    ninth = thinned(rows, 1 / 9, 5, target)
    assert set(ninth.tolist()) <= set(third.tolist()) <= set(rows.tolist())
    assert (len(third), len(ninth)) == (1 + 99, 1 + 33)
    assert {0, 1} == set(target[ninth - 100].tolist())
    assert thinned(rows, 1.0, 5, target) is rows
    assert len(thinned(rows, 0.25, 5)) == 75
    assert third.tolist() == thinned(rows, 1 / 3, 5, target).tolist() != thinned(rows, 1 / 3, 6, target).tolist()
