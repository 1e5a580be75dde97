"""The fast way and the careful way: where the fast one answers at all, it answers the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.core.signature import Column, ColumnKind, Signature
from mlops_ci.scoring.feeds import SLICE_ROWS, Feeds, Reader
from mlops_ci.scoring.protocol import read_request
from mlops_ci.scoring.rows import columns_from_records
from mlops_ci.scoring.tensors import BadRequest

NUMBERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) - 2, 2**53 + 2),
    st.sampled_from([2**53, 2**53 + 1, -(2**53), 2**63, 1e300, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
TEXTS = st.one_of(st.none(), st.text(max_size=3))
ANYTHING = st.one_of(NUMBERS, TEXTS, st.just([]), st.just({}), st.just("1.5"), st.just([1.0]))


def signature(*kinds: ColumnKind) -> Signature:
    inputs = tuple(Column(name=f"c{number}", kind=kind) for number, kind in enumerate(kinds))
    return Signature(task="regression", inputs=inputs)


SIGNATURES = [
    signature("number"),
    signature("text"),
    signature("number", "text"),
    signature("text", "number", "number", "text"),
]


def same(fast: Feeds, careful: dict[str, Any]) -> bool:
    return fast.keys() == careful.keys() and all(
        fast[name].shape == (len(careful[name]), 1)
        and fast[name].dtype == careful[name].dtype
        and fast[name].flags.c_contiguous
        and np.array_equal(fast[name][:, 0], careful[name], equal_nan=careful[name].dtype.kind == "f")
        for name in careful
    )


@st.composite
def rows(draw: st.DrawFn) -> tuple[Signature, list[Any]]:
    """Records that are mostly right."""
    of = draw(st.sampled_from(SIGNATURES))
    kinds = {"number": NUMBERS, "text": TEXTS}
    record = st.fixed_dictionaries({column.name: kinds[column.kind] for column in of.inputs})
    records = draw(st.lists(record, max_size=4))
    if records and draw(st.booleans()):
        broken = draw(st.sampled_from(records))
        name = draw(st.sampled_from([*broken, "other"]))
        if draw(st.booleans()):
            broken.pop(name, None)
        else:
            broken[name] = draw(ANYTHING)
    return of, [*records, *draw(st.lists(ANYTHING, max_size=1))] if draw(st.integers(0, 9)) == 0 else records


@given(rows())
def test_records_are_read_the_same(case: tuple[Signature, list[Any]]) -> None:
    of, records = case

    fast = Reader(of).records(records)

    if fast is not None:
        assert same(fast, columns_from_records(records, of))


@given(rows(), st.data())
def test_tensors_are_read_the_same(case: tuple[Signature, list[Any]], data: st.DataObject) -> None:
    of, records = case
    usable = [record for record in records if isinstance(record, dict)]
    inputs: list[Any] = [
        {
            "name": column.name,
            "shape": [len(usable), 1],
            "datatype": "FP64" if column.kind == "number" else "BYTES",
            "data": [record.get(column.name) for record in usable],
        }
        for column in of.inputs
    ]
    if data.draw(st.booleans()):
        changes = st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from(["c0", "c1", "other"]),
                "shape": st.sampled_from([[1], [1, 1], [2, 1], [1.0, 1], [True], [], None]),
                "datatype": st.sampled_from(["FP32", "INT64", "BYTES", "FP64", "BOOL", None]),
                "data": st.sampled_from([[], [1], ["a"], [[1]], None, "a"]),
                "parameters": st.sampled_from([{}, {"binary_data_size": 1}, None]),
            },
        )
        data.draw(st.sampled_from(inputs)).update(data.draw(changes))

    fast = Reader(of).tensors(inputs)

    if fast is not None:
        assert same(fast, dict(read_request({"inputs": inputs}, of).columns))


@pytest.mark.parametrize("of", SIGNATURES)
@pytest.mark.parametrize("count", [1, 3, SLICE_ROWS, SLICE_ROWS + 1])
def test_the_usual_is_read_fast(of: Signature, count: int) -> None:
    values = {"number": [1, 2.5, True, None], "text": ["a", "", None, "ä"]}
    records = [
        {column.name: values[column.kind][(row + place) % 4] for place, column in enumerate(of.inputs)}
        for row in range(count)
    ]
    records[0] = {column.name: 1.0 if column.kind == "number" else "a" for column in of.inputs}

    fast = Reader(of).records(records)

    assert fast is not None
    assert same(fast, columns_from_records(records, of))


def test_usual_tensors_are_read_fast() -> None:
    of = signature("number", "text")
    inputs = [
        {"name": "c1", "shape": [2], "datatype": "BYTES", "data": ["a", None]},
        {"name": "c0", "shape": [2, 1], "datatype": "FP64", "data": [1, None]},
    ]

    fast = Reader(of).tensors(inputs)

    assert fast is not None
    assert same(fast, dict(read_request({"inputs": inputs}, of).columns))


def test_a_boolean_is_no_float_by_the_protocol_however_it_is_read() -> None:
    of = signature("number")
    inputs = [{"name": "c0", "shape": [1], "datatype": "FP64", "data": [True]}]

    with pytest.raises(BadRequest, match="has to be a number or null, not a boolean"):
        read_request({"inputs": inputs}, of, reader=Reader(of))
