from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.core.bisection import neighbours

FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-9e299, max_value=9e299)


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_the_last_float_that_is_not_above(limits: list[float]) -> None:
    limit = np.array(limits)
    inside, outside, found = neighbours(lambda values: values <= limit, len(limit))
    assert found.all()
    np.testing.assert_array_equal(inside, limit)
    np.testing.assert_array_equal(outside, np.nextafter(limit, np.inf))


@given(FLOATS)
def test_either_direction(limit: float) -> None:
    inside, outside, _ = neighbours(lambda values: values > limit, 1)
    assert (inside[0], outside[0]) == (np.nextafter(limit, np.inf), limit)


def test_where_the_outcome_is_the_same_at_both_ends_there_is_none() -> None:
    _, _, found = neighbours(lambda values: np.abs(values) < 1, 3)
    assert not found.any()


def test_one_of_several_places() -> None:
    inside, outside, found = neighbours(lambda values: np.sin(np.clip(values, -7, 2)) > 0, 1)
    assert found.all()
    assert np.sin(inside[0]) > 0 >= np.sin(outside[0])
    assert abs(inside[0] - outside[0]) < 1e-15
