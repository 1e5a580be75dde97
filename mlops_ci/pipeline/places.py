"""Where a row of the data comes from, and a few of the rows that something is wrong with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pandas import DataFrame, Series

Locate = Callable[[int], str]
"""Says where a row of the frame comes from, such as `data/a.csv line 17`."""
EXAMPLES = 3
LONGEST_VALUE = 80


def locator(frame: DataFrame) -> Locate:
    """Where row i of the frame comes from: file and line where that is certain, else the row."""
    files = frame.attrs.get("files", [])
    starts = np.cumsum([0, *(rows for _, rows, _ in files)])

    def locate(row: int) -> str:
        which = int(np.searchsorted(starts, row, side="right")) - 1
        if which >= len(files):
            return f"row {row + 1}"
        name, _, is_line = files[which]
        inside = row - int(starts[which])
        return f"{name} line {inside + 2}" if is_line else f"{name} row {inside + 1}"

    return locate


def such_as(rows: NDArray[Any], locate: Locate, *, values: Series | None = None) -> str:
    """The first of the rows, given as a mask or as positions, in words.

    With `values` each row's value is shown too, which must not be done for a private column.
    """
    first = (np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)[:EXAMPLES].tolist()
    shown = ["" if values is None else f"{str(values.iloc[row])[:LONGEST_VALUE]!r} in " for row in first]
    return f", such as {', '.join(f'{value}{locate(row)}' for value, row in zip(shown, first, strict=True))}"
