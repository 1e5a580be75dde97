from __future__ import annotations

import numpy as np
import pytest

from mlops_ci.core.units import independent_units


def test_units_are_groups_else_blocks_of_time_else_rows() -> None:
    times = np.random.default_rng(1).permutation(np.arange(10_000)).astype("datetime64[m]")
    groups = np.array(["a", None, "b", "a"], dtype=object)
    assert independent_units() is None
    assert independent_units(groups=groups, times=np.arange(4)).tolist() == [1, 0, 2, 1]
    blocks = independent_units(times=times)
    assert blocks is not None
    assert np.bincount(blocks).tolist() == [100] * 100
    assert (np.diff(blocks[np.argsort(times)]) >= 0).all()


@pytest.mark.parametrize(("rows", "blocks"), [(1, 1), (15, 15), (100, 20), (399, 21), (70_000, 265)])
def test_a_small_holdout_has_shorter_blocks_rather_than_too_few(rows: int, blocks: int) -> None:
    units = independent_units(times=np.zeros(rows))
    assert units is not None
    counts = np.bincount(units)
    assert len(counts) == blocks
    assert counts.max() - counts.min() <= 1
