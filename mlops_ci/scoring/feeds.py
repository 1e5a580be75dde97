"""The fast way from JSON values to the inputs of a graph: all columns of one kind are converted and checked together.

A column at a time would cost more than running the model does. What is unusual here is left to the careful way, of
`rows` for records and of `protocol` for tensors, which decides whether it is wrong and says what is wrong with it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.signature import ColumnKind, Signature
from mlops_ci.scoring.rows import LARGEST_EXACT, TEXT_TYPES

Feeds = dict[str, NDArray[Any]]
"""A graph's inputs by name: one [rows, 1] array a column, of float64 or of texts."""

USUAL: Mapping[ColumnKind, str] = {"number": "FP64", "text": "BYTES"}
FLOAT_TYPES = frozenset({float, int, type(None)})
FIELDS = ("name", "shape", "datatype", "data")
FEW = 500
SLICE_ROWS = 4_096
"""Each of the conversions holds all other threads up: so many rows take it less than two milliseconds."""


def feeds_of(columns: Mapping[str, NDArray[Any]]) -> Feeds:
    """The inputs for columns that were read with care, each a 1-D array."""
    return {name: values.reshape(-1, 1) for name, values in columns.items()}


def columns_of(feeds: Feeds) -> dict[str, NDArray[Any]]:
    """The other way round."""
    return {name: values.reshape(-1) for name, values in feeds.items()}


class Reader:
    """Reads the usual requests for one signature."""

    def __init__(self, signature: Signature) -> None:
        self._count = len(signature.inputs)
        self._numbers = [column.name for column in signature.inputs if column.kind == "number"]
        self._texts = [column.name for column in signature.inputs if column.kind == "text"]
        self._numbers_of, self._texts_of = _values_of(self._numbers), _values_of(self._texts)
        self._kinds = {column.name: USUAL[column.kind] for column in signature.inputs}

    def records(self, records: list[Any]) -> Feeds | None:
        """The inputs for records by column name; None where they have to be looked at with care."""
        if len(records) <= SLICE_ROWS:
            return self._slice(records)
        parts = []
        for start in range(0, len(records), SLICE_ROWS):
            part = self._slice(records[start : start + SLICE_ROWS])
            if part is None:
                return None
            parts.append(part)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _slice(self, records: list[Any]) -> Feeds | None:
        try:
            # with as many fields as there are columns, and each column among them, there are no unknown ones
            if set(map(len, records)) != {self._count}:
                return None
            numbers = list(chain.from_iterable(map(self._numbers_of, records)))
            texts = list(chain.from_iterable(map(self._texts_of, records)))
        except (KeyError, TypeError):
            return None
        return self._feeds(_floats(numbers), _texts(texts), by_row=len(records))

    def tensors(self, tensors: list[Any]) -> Feeds | None:
        """The inputs for the tensors of an inference request; None where they have to be looked at with care."""
        try:
            rows = len(tensors[0]["data"])
            kinds, shapes, named = self._kinds, ([rows, 1], [rows]), {}
            for tensor in tensors:
                name, shape, data = tensor["name"], tensor["shape"], tensor["data"]
                if (
                    len(tensor) != len(FIELDS)
                    or tensor["datatype"] != kinds[name]
                    or shape not in shapes
                    or type(shape[0]) is not int
                    or type(shape[-1]) is not int
                    or type(data) is not list
                    or len(data) != rows
                ):
                    return None
                named[name] = data
            if not rows or not len(named) == len(tensors) == self._count:
                return None
            numbers = list(chain.from_iterable([named[name] for name in self._numbers]))
            texts = list(chain.from_iterable([named[name] for name in self._texts]))
        except (AttributeError, IndexError, KeyError, TypeError):
            return None
        if not FLOAT_TYPES.issuperset(map(type, numbers)):  # the protocol, unlike records, takes no boolean for FP64
            return None
        return self._feeds(_floats(numbers), _texts(texts), by_row=0)

    def _feeds(self, numbers: NDArray[Any] | None, texts: NDArray[Any] | None, *, by_row: int) -> Feeds | None:
        """Values that came column after column, or of `by_row` rows one after the other, as columns."""
        if numbers is None or texts is None:
            return None
        feeds: Feeds = {}
        for names, values in ((self._numbers, numbers), (self._texts, texts)):
            if names:
                columns = np.ascontiguousarray(values.reshape(by_row, -1).T) if by_row > 1 else values
                feeds.update(zip(names, columns.reshape(len(names), -1, 1), strict=True))
        return feeds


def _values_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """A function to the values of these columns in a record."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda record: tuple(record[name] for name in names)


def _floats(values: list[Any]) -> NDArray[np.float64] | None:
    if not values:
        return np.empty(0)
    try:
        # `array` refuses what is not a number, `np.array` would take the text "1.5"; it is the fastest conversion, too
        floats = np.frombuffer(array("d", values))
        # no number is larger than the root of the sum of squares, which is the cheaper for a few
        largest = math.hypot(*values) if len(values) <= FEW else np.abs(floats).max()
    except (TypeError, OverflowError):
        if None not in values:
            return None
        try:
            floats = np.frombuffer(array("d", [math.nan if value is None else value for value in values]))
        except (TypeError, OverflowError):
            return None
        largest = np.fmax.reduce(np.abs(floats))
    return floats if largest < LARGEST_EXACT else None  # NaN, where all are missing, is not less


def _texts(values: list[Any]) -> NDArray[Any] | None:
    if not TEXT_TYPES.issuperset(map(type, values)):
        return None
    return np.array([value or "" for value in values] if None in values else values, dtype=object)
