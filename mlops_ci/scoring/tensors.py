"""The data of one tensor, as JSON or as bytes, to a column of the model and back.

Sources: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md for JSON;
https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md for bytes: row-major,
little-endian, BOOL as one byte, a BYTES element behind its length in four bytes.

A missing value is null in JSON (FP16, FP32, FP64 and BYTES), which goes beyond the protocol because JSON has no NaN;
in bytes it is NaN. A missing text is also the empty one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.signature import ColumnKind
from mlops_ci.scoring.rows import LARGEST_EXACT, array, json_type, value_problems

FLOATS: Mapping[str, np.dtype[Any]] = {"FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")}
INTEGERS: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(name.lower()).newbyteorder("<")
    for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
}
LIMITS = {name: np.iinfo(dtype) for name, dtype in INTEGERS.items()}
DTYPES: Mapping[str, np.dtype[Any]] = {"BOOL": np.dtype("u1"), **INTEGERS, **FLOATS}
DATATYPES: Mapping[ColumnKind, tuple[str, ...]] = {"number": tuple(DTYPES), "text": ("BYTES",)}
"""What a column of each kind may be sent as."""
LENGTH_BYTES = 4
REPORTED = 5

JSON_TYPES: Mapping[str, frozenset[type]] = {
    "BOOL": frozenset({bool}),
    **dict.fromkeys(INTEGERS, frozenset({int})),
    **dict.fromkeys(FLOATS, frozenset({float, int, type(None)})),
}


class BadRequest(ValueError):
    """A request that breaks the protocol or does not fit the model."""


def from_json(values: Sequence[Any], datatype: str, kind: ColumnKind, where: str) -> NDArray[Any]:
    """One JSON value a row as a column. Raises BadRequest naming the rows whose value is not of the datatype."""
    if datatype != "BYTES" and not _all_of(values, datatype):
        _raise([(row, _json_problem(value, datatype)) for row, value in enumerate(values)], where)
    _raise(value_problems(values, kind), where)
    column = array(values, kind)
    if datatype in ("FP16", "FP32"):
        # the value that the client means is the one that its datatype can hold
        with np.errstate(over="ignore"):
            column = column.astype(FLOATS[datatype]).astype(np.float64)
        _raise([(int(row), f"is beyond the range of {datatype}") for row in np.flatnonzero(np.isinf(column))], where)
    return column


def from_bytes(data: memoryview, datatype: str, rows: int, where: str) -> NDArray[Any]:
    """All bytes of a tensor of `rows` values as a column. Raises BadRequest."""
    if datatype == "BYTES":
        return np.array(_texts(data, rows, where), dtype=object)
    dtype = DTYPES[datatype]
    if len(data) != rows * dtype.itemsize:
        raise BadRequest(f"{where}: {rows} values of {datatype} take {rows * dtype.itemsize} bytes, not {len(data)}")
    values = np.frombuffer(data, dtype)
    if datatype == "BOOL":
        _refuse(values > 1, "has to be 0 or 1", where)
    elif datatype in FLOATS:
        _refuse(np.isinf(values), "has to be a finite number, or NaN for a missing one", where)
    elif dtype.itemsize == 8:
        beyond = (values > LARGEST_EXACT) | (values < -LARGEST_EXACT) if dtype.kind == "i" else values > LARGEST_EXACT
        _refuse(beyond, "is an integer beyond 2^53, which a float64 does not hold exactly", where)
    return values.astype(np.float64)  # a copy, which the runtime finds aligned


def to_bytes(values: NDArray[Any], datatype: str) -> bytes:
    """The data of an output (BYTES, INT64 or FP64) in the binary form."""
    if datatype != "BYTES":
        return np.ascontiguousarray(values, dtype=DTYPES[datatype]).tobytes()
    texts = [str(value).encode() for value in values.reshape(-1)]
    return b"".join(part for text in texts for part in (len(text).to_bytes(LENGTH_BYTES, "little"), text))


def _all_of(values: Sequence[Any], datatype: str) -> bool:
    """Whether JSON values are of a numeric datatype: one pass for the usual case."""
    if not JSON_TYPES[datatype].issuperset(map(type, values)):
        return False
    limits = LIMITS.get(datatype)
    return limits is None or not values or (limits.min <= min(values) and max(values) <= limits.max)


def _json_problem(value: Any, datatype: str) -> str:
    """What keeps a JSON value from being of a numeric datatype."""
    if datatype == "BOOL":
        return "" if type(value) is bool else f"has to be true or false, not {json_type(value)}"
    if datatype in FLOATS:
        return "" if type(value) in JSON_TYPES[datatype] else f"has to be a number or null, not {json_type(value)}"
    if type(value) is not int:
        whole = type(value) is float and math.isfinite(value)
        return f"has to be an integer, not {value if whole else json_type(value)}"
    limits = LIMITS[datatype]
    return "" if limits.min <= value <= limits.max else f"{value} is beyond the range of {datatype}"


def _texts(data: memoryview, rows: int, where: str) -> list[str]:
    texts: list[str] = []
    start = 0
    for row in range(rows):
        begin = start + LENGTH_BYTES
        end = begin + int.from_bytes(data[start:begin], "little")
        if end > len(data) or begin > len(data):
            raise BadRequest(f"{where}, row {row}: the data end within this element")
        try:
            texts.append(str(data[begin:end], "utf-8"))
        except UnicodeDecodeError as error:
            raise BadRequest(f"{where}, row {row}: is not UTF-8: {error.reason}") from error
        start = end
    if start != len(data):
        raise BadRequest(f"{where}: {len(data) - start} bytes are left over after {rows} elements")
    return texts


def _refuse(wrong: NDArray[np.bool_], what: str, where: str) -> None:
    if wrong.any():
        _raise([(row, what) for row in np.flatnonzero(wrong)[:REPORTED].tolist()], where)


def _raise(problems: Sequence[tuple[int, str]], where: str) -> None:
    found = [f"{where}, row {row}: {what}" for row, what in problems if what]
    if found:
        raise BadRequest("; ".join(found[:REPORTED]))
