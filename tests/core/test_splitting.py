from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.core.splitting import STRATEGIES, split

SHARES = st.floats(min_value=0.01, max_value=0.99)
SEEDS = st.integers(min_value=0, max_value=2**32)


def divided(
    strategy: str, rows: int, holdout: float, seed: int, **columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A split that has been checked for what holds whatever the strategy."""
    train, held = split(strategy, rows, holdout=holdout, seed=seed, **columns)
    assert len(train)
    assert len(held)
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(rows))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held) > 0).all()
    again = split(strategy, rows, holdout=holdout, seed=seed, **columns)
    assert train.tolist() == again[0].tolist()
    return train, held


@given(rows=st.integers(2, 500), holdout=SHARES, seed=SEEDS)
def test_random_meets_the_share_to_the_row(rows: int, holdout: float, seed: int) -> None:
    _, held = divided("random", rows, holdout, seed)
    assert len(held) == min(max(round(rows * holdout), 1), rows - 1)


def test_another_seed_holds_out_other_rows() -> None:
    held = {tuple(divided("random", 100, 0.2, seed)[1].tolist()) for seed in range(5)}
    assert len(held) == 5


@given(classes=st.lists(st.integers(0, 4), min_size=2, max_size=200), holdout=SHARES, seed=SEEDS)
def test_stratified_puts_each_class_of_two_rows_on_both_sides(classes: list[int], holdout: float, seed: int) -> None:
    counts = Counter(classes)
    if max(counts.values()) < 2:
        with pytest.raises(ValueError, match="single row"):
            split("stratified", len(classes), holdout=holdout, seed=seed, target=np.array(classes))
        return
    target = np.array(classes)
    train, held = divided("stratified", len(classes), holdout, seed, target=target)
    for name, count in counts.items():
        in_holdout = int((target[held] == name).sum())
        if count == 1:
            assert name in target[train]
        else:
            assert 1 <= in_holdout <= count - 1
            assert abs(in_holdout - count * holdout) <= 1


@given(
    counts=st.lists(st.integers(20, 60), min_size=2, max_size=5),
    holdout=st.floats(min_value=0.1, max_value=0.9),
    seed=SEEDS,
)
def test_stratified_meets_the_share_to_the_row_where_no_class_is_small(
    counts: list[int], holdout: float, seed: int
) -> None:
    target = np.repeat([f"class {name}" for name in range(len(counts))], counts).astype(object)
    _, held = divided("stratified", len(target), holdout, seed, target=target)
    assert len(held) == round(len(target) * holdout)


@given(groups=st.lists(st.integers(0, 30), min_size=2, max_size=300), holdout=SHARES, seed=SEEDS)
def test_no_group_is_on_both_sides_and_the_share_is_near(groups: list[int], holdout: float, seed: int) -> None:
    if len(set(groups)) == 1:
        with pytest.raises(ValueError, match="one group"):
            split("group", len(groups), holdout=holdout, seed=seed, groups=np.array(groups))
        return
    column = np.array([f"g{group}" for group in groups], dtype=object)
    train, held = divided("group", len(groups), holdout, seed, groups=column)
    assert not set(column[train]) & set(column[held])
    sizes = Counter(groups).values()
    wanted = len(groups) * holdout
    # Where even the smallest group is too much, or all but the smallest too little, nothing nearer is possible.
    extremes = min(abs(min(sizes) - wanted), abs(len(groups) - min(sizes) - wanted))
    assert abs(len(held) - wanted) <= max(max(sizes) / 2, extremes) + 1e-9


def test_a_group_larger_than_the_share_stays_in_training() -> None:
    groups = np.array(["big"] * 70 + ["a"] * 10 + ["b"] * 10 + ["c"] * 10, dtype=object)
    for seed in range(20):
        _, held = divided("group", 100, 0.2, seed, groups=groups)
        assert len(held) == 20
        assert "big" not in groups[held]


def test_where_every_group_is_too_large_the_smallest_is_held_out() -> None:
    groups = np.array([1] * 60 + [2] * 40)
    _, held = divided("group", 100, 0.01, 3, groups=groups)
    assert set(groups[held]) == {2}


@given(
    times=st.lists(st.integers(0, 50), min_size=2, max_size=300),
    holdout=SHARES,
    kind=st.sampled_from(["int64", "datetime64[s]", "float64", "text"]),
)
def test_time_holds_out_the_latest_and_never_parts_equal_times(times: list[int], holdout: float, kind: str) -> None:
    ranks = np.array(times)
    column = np.array([f"{time:03}" for time in times], dtype=object) if kind == "text" else ranks.astype(kind)
    if len(set(times)) == 1:
        with pytest.raises(ValueError, match="same time"):
            split("time", len(times), holdout=holdout, seed=0, times=column)
        return
    train, held = divided("time", len(times), holdout, 0, times=column)
    assert ranks[train].max() < ranks[held].min()
    possible = [int((ranks >= cut).sum()) for cut in sorted(set(times))[1:]]
    wanted = len(times) * holdout
    assert abs(len(held) - wanted) == min(abs(size - wanted) for size in possible)


@pytest.mark.parametrize(
    ("strategy", "rows", "columns", "says"),
    [
        ("random", 1, {}, "too few rows to split \\(1\\)"),
        ("random", 0, {}, "too few rows"),
        ("stratified", 3, {}, "needs a target"),
        ("stratified", 3, {"target": np.array(["a", "b", "c"])}, "single row"),
        ("group", 3, {}, "needs a group"),
        ("group", 3, {"groups": np.array([7, 7, 7])}, "one group"),
        ("group", 3, {"groups": np.array(["a", None, "b"], dtype=object)}, "1 rows have no group, the first is row 1"),
        ("group", 3, {"groups": np.array(["a", "b", ""], dtype=object)}, "row 2"),
        ("group", 3, {"groups": np.array(["a", 1, "b"], dtype=object)}, "mixes kinds"),
        ("group", 3, {"groups": np.array([1.0, 2.0, float("nan")])}, "no group"),
        ("group", 3, {"groups": np.array([1, 2])}, "one group for each of the 3 rows"),
        ("time", 3, {}, "needs a time"),
        ("time", 3, {"times": np.array([5, 5, 5])}, "same time"),
        ("time", 3, {"times": np.array(["2026-01-01", "NaT", "2026-01-02"], dtype="datetime64[D]")}, "no time"),
        ("weekly", 3, {}, "one of random, stratified, group, time"),
    ],
)
def test_says_in_a_sentence_why_the_rows_cannot_be_split(
    strategy: str, rows: int, columns: dict[str, np.ndarray], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        split(strategy, rows, holdout=0.2, seed=1, **columns)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_the_share_lies_inside_zero_and_one(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        split("random", 10, holdout=share, seed=1)


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(deadline=None, max_examples=10)
@given(rows=st.integers(2, 50), holdout=SHARES)
def test_two_rows_are_enough_for_every_strategy(strategy: str, rows: int, holdout: float) -> None:
    target = np.arange(rows) // 2
    divided(strategy, rows, holdout, 1, target=target, groups=np.arange(rows), times=np.arange(rows))
