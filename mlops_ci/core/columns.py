"""Columns of a model as the records by column name that people send."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray


def records_from_columns(columns: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """One JSON object a row, of 1-D arrays (float64, or object for texts); null stands for a missing value."""
    lists = [
        [value or None for value in values.tolist()]
        if values.dtype == object
        else [None if math.isnan(value) else value for value in values.tolist()]
        for values in columns.values()
    ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]
