from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.core.signature import ColumnKind
from mlops_ci.scoring.tensors import BadRequest, from_bytes, from_json, to_bytes

FORMATS = {
    "BOOL": "?",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}


def packed(datatype: str, values: list[Any]) -> memoryview:
    return memoryview(struct.pack(f"<{len(values)}{FORMATS[datatype]}", *values))


def elements(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def error_of(data: bytes | memoryview, datatype: str, rows: int) -> str:
    with pytest.raises(BadRequest) as caught:
        from_bytes(memoryview(data), datatype, rows, "input a")
    return str(caught.value)


@pytest.mark.parametrize(
    ("datatype", "values"),
    [
        ("BOOL", [True, False]),
        ("INT8", [-128, 127]),
        ("INT16", [-(2**15), 2**15 - 1]),
        ("INT32", [-(2**31), 2**31 - 1]),
        ("INT64", [-(2**53), 2**53]),
        ("UINT8", [0, 255]),
        ("UINT16", [0, 2**16 - 1]),
        ("UINT32", [0, 2**32 - 1]),
        ("UINT64", [0, 2**53]),
        ("FP16", [0.5, -65504.0]),
        ("FP32", [0.5, -3.0e38]),
        ("FP64", [0.1, 1e308]),
    ],
)
def test_bytes_and_json_say_the_same(datatype: str, values: list[Any]) -> None:
    column = from_bytes(packed(datatype, values), datatype, 2, "input a")

    assert column.dtype == np.float64
    assert column.flags.aligned
    assert column.tolist() == from_json(values, datatype, "number", "input a").tolist()


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_nan_says_in_bytes_what_null_says_in_json(datatype: str) -> None:
    assert math.isnan(from_bytes(packed(datatype, [math.nan]), datatype, 1, "input a")[0])
    assert math.isnan(from_json([None], datatype, "number", "input a")[0])


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), max_size=20))
def test_texts_survive_the_binary_form(texts: list[str]) -> None:
    data = to_bytes(np.array(texts, dtype=object), "BYTES")

    assert data == elements(*(text.encode() for text in texts))
    assert from_bytes(memoryview(data), "BYTES", len(texts), "input a").tolist() == texts


@pytest.mark.parametrize(
    ("data", "datatype", "rows", "error"),
    [
        (b"\0" * 15, "FP64", 2, "input a: 2 values of FP64 take 16 bytes, not 15"),
        (b"\0" * 16, "FP64", 2**60, "take"),
        (b"\2", "BOOL", 1, "input a, row 0: has to be 0 or 1"),
        (packed("FP32", [0.0, math.inf]), "FP32", 2, "input a, row 1: has to be a finite number, or NaN"),
        (packed("INT64", [0, 2**53 + 1]), "INT64", 2, "input a, row 1: is an integer beyond 2^53"),
        (packed("INT64", [-(2**63), 0]), "INT64", 2, "input a, row 0: is an integer beyond 2^53"),
        (packed("UINT64", [2**64 - 1]), "UINT64", 1, "input a, row 0: is an integer beyond 2^53"),
        (b"\0\0\0", "BYTES", 1, "input a, row 0: the data end within this element"),
        (elements(b"ab")[:-1], "BYTES", 1, "input a, row 0: the data end within this element"),
        (b"\xff\xff\xff\xff", "BYTES", 1, "input a, row 0: the data end within this element"),
        (elements(b"ab"), "BYTES", 2, "input a, row 1: the data end within this element"),
        (elements(b"a", b"b"), "BYTES", 1, "input a: 5 bytes are left over after 1 elements"),
        (elements(b"\xff"), "BYTES", 1, "input a, row 0: is not UTF-8"),
        (elements(b"\xed\xa0\x80"), "BYTES", 1, "input a, row 0: is not UTF-8"),
    ],
)
def test_bytes_that_are_not_a_tensor(data: bytes, datatype: str, rows: int, error: str) -> None:
    assert error in error_of(data, datatype, rows)


def test_only_the_first_of_many_problems_are_told() -> None:
    assert error_of(packed("FP64", [math.inf] * 1000), "FP64", 1000).count("row") == 5


JSON_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers())


@given(st.sampled_from([*FORMATS, "BYTES"]), st.lists(JSON_VALUES, max_size=5))
def test_any_json_values_are_a_column_or_a_bad_request(datatype: str, values: list[Any]) -> None:
    kind: ColumnKind = "text" if datatype == "BYTES" else "number"
    try:
        column = from_json(values, datatype, kind, "input a")
    except BadRequest:
        return
    assert len(column) == len(values)
    if kind == "number":
        assert not np.isinf(column).any()


@given(st.sampled_from([*FORMATS, "BYTES"]), st.binary(max_size=40), st.integers(0, 10))
def test_any_bytes_are_a_column_or_a_bad_request(datatype: str, data: bytes, rows: int) -> None:
    try:
        column = from_bytes(memoryview(data), datatype, rows, "input a")
    except BadRequest:
        return
    assert len(column) == rows
    if datatype != "BYTES":
        assert not np.isinf(column).any()
