from __future__ import annotations

import math
from itertools import pairwise

import pytest

from mlops_ci.core.search_space import LEAST_ROWS, Range, grid, rungs, sample, size


def test_a_grid_is_every_combination_once() -> None:
    assert grid({"a": (1, 2), "b": ("x", None)}) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": None},
        {"a": 2, "b": "x"},
        {"a": 2, "b": None},
    ]


def test_how_large_a_space_is() -> None:
    assert size({"a": (1, 2), "b": (1, 2, 3)}) == 6
    assert size({"a": (1, 2), "b": Range(min=0, max=1)}) == math.inf


def test_a_sample_is_fixed_by_its_seed_and_has_nothing_twice() -> None:
    space = {"rate": Range(min=0.001, max=1, log=True), "depth": Range(min=1, max=4, integer=True), "kind": ("a", "b")}
    first = sample(space, 50, 7)
    assert first == sample(space, 50, 7) != sample(space, 50, 8)
    assert len({tuple(each.items()) for each in first}) == 50
    assert all(list(each) == ["rate", "depth", "kind"] for each in first)


def test_a_space_of_few_candidates_is_taken_whole() -> None:
    space = {"a": (1, 2, 3), "b": (True, False)}
    assert sample(space, 6, 0) == grid(space)
    assert len(sample(space, 5, 0)) == 5
    assert sorted(each["n"] for each in sample({"n": Range(min=1, max=3, integer=True)}, 10, 0)) == [1, 2, 3]


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_include_both_ends_and_are_python_s_own(log: bool) -> None:
    drawn = [
        each["n"]
        for each in sample({"n": Range(min=1, max=8, integer=True, log=log), "x": Range(min=0, max=1)}, 400, 1)
    ]
    assert set(drawn) == set(range(1, 9))
    assert {type(value) for value in drawn} == {int}
    # each doubling is as likely as any other: 1 of [1, 9) has log(2) / log(9) = 32 %, instead of 12.5 %
    share = drawn.count(1) / len(drawn)
    assert (0.25 < share < 0.40) if log else (0.08 < share < 0.18)


def test_a_logarithmic_range_favours_no_power_of_ten() -> None:
    drawn = [each["c"] for each in sample({"c": Range(min=0.001, max=1000, log=True)}, 600, 3)]
    assert 0.001 <= min(drawn) < max(drawn) <= 1000
    by_power = [sum(1 for value in drawn if 10.0**low <= value < 10.0 ** (low + 1)) for low in range(-3, 3)]
    assert all(70 < count < 130 for count in by_power)
    assert all(len(f"{value:e}".partition("e")[0].rstrip("0")) <= 5 for value in drawn)  # such as 1.234


def test_rungs_end_with_no_more_than_the_factor_on_all_rows() -> None:
    for candidates in (1, 2, 3, 4, 10, 30, 100):
        for factor in (2, 3, 4):
            plan = rungs(candidates, factor, 10**9)
            assert plan[0][0] == candidates
            assert plan[-1][1] == 1.0
            assert plan[-1][0] <= factor
            assert all(after[1] == pytest.approx(before[1] * factor) for before, after in pairwise(plan))


def test_rungs_on_too_few_rows_are_left_out() -> None:
    assert rungs(27, 3, LEAST_ROWS * 9) == [(27, 1 / 9), (9, 1 / 3), (3, 1.0)]
    assert rungs(27, 3, LEAST_ROWS * 9 - 1) == [(27, 1 / 3), (9, 1.0)]
    assert rungs(27, 3, 10) == [(27, 1.0)]
