"""Whatever a service answers, reading it gives predictions of the right shape or an error with a name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.adapters.inference import JSON_LENGTH, infer_body, predictions_of_infer, predictions_of_score
from mlops_ci.core.signature import Column, Signature
from mlops_ci.ports import Reply

BINARY = Signature(task="binary-classification", inputs=(Column(name="x", kind="number"),), classes=(0, 1))
TEXTS = Signature(
    task="multiclass-classification", inputs=(Column(name="x", kind="number"), Column(name="city", kind="text")),
    classes=("a", "b", "c"),
)  # fmt: skip
NUMBER = Signature(task="regression", inputs=(Column(name="x", kind="number"),))
NAMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What the client takes for an answer that makes no sense."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0", "1", "x"]), inner, max_size=3),
    max_leaves=8,
)
scores = st.fixed_dictionaries(
    {"predictions": st.lists(st.dictionaries(st.sampled_from(["label", "probabilities", "value"]), values), max_size=2)}
)
tensor = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["label", "probabilities", "prediction"]),
        "datatype": st.sampled_from(["INT64", "FP64", "BYTES", "BOOL"]),
        "shape": st.lists(st.integers(-1, 3), max_size=2) | values,
    },
    optional={
        "data": st.lists(values, max_size=4) | values,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-2, 40)}) | values,
    },
)
inferences = st.fixed_dictionaries({"id": st.just("verification"), "outputs": st.lists(tensor, max_size=3)}) | values


@pytest.mark.parametrize("signature", [BINARY, TEXTS, NUMBER], ids=["binary", "texts", "number"])
@settings(max_examples=150, deadline=None)
@given(body=scores | values, rows=st.integers(0, 2))
def test_any_answer_to_score(signature: Signature, body: Any, rows: int) -> None:
    try:
        found = predictions_of_score(Reply(status=200, body=json.dumps(body).encode()), rows, signature)
    except NAMED:
        return
    assert found.scores.shape == (rows, len(signature.classes) or 1)
    assert found.scores.dtype == np.float64


@pytest.mark.parametrize("signature", [BINARY, TEXTS, NUMBER], ids=["binary", "texts", "number"])
@settings(max_examples=150, deadline=None)
@given(
    head=inferences, tail=st.binary(max_size=40), rows=st.integers(0, 2), binary=st.booleans(), off=st.integers(-3, 3)
)
def test_any_answer_to_infer(signature: Signature, head: Any, tail: bytes, rows: int, binary: bool, off: int) -> None:
    data = json.dumps(head).encode()
    headers = {JSON_LENGTH: str(len(data) + off)} if binary else {}
    try:
        found = predictions_of_infer(
            Reply(status=200, headers=headers, body=data + tail), rows, signature, binary=binary
        )
    except NAMED:
        return
    assert found.scores.shape == (rows, len(signature.classes) or 1)
    assert len(found) == rows


def test_missing_values_and_texts_in_both_ways() -> None:
    records = [{"x": 1.5, "city": "Ōsaka"}, {"x": None, "city": None}]
    body, headers = infer_body(records, TEXTS, binary=False)
    assert headers == {"content-type": "application/json"}
    assert [tensor["data"] for tensor in json.loads(body)["inputs"]] == [[1.5, None], ["Ōsaka", None]]

    body, headers = infer_body(records, TEXTS, binary=True)
    length = int(headers[JSON_LENGTH])
    head, tail = json.loads(body[:length]), body[length:]
    assert [tensor["parameters"]["binary_data_size"] for tensor in head["inputs"]] == [16, 4 + 6 + 4]
    numbers = np.frombuffer(tail[:16], dtype="<f8")
    assert numbers[0] == 1.5
    assert np.isnan(numbers[1])
    assert tail[16:] == b"\x06\x00\x00\x00" + "Ōsaka".encode() + b"\x00\x00\x00\x00"
    assert head["parameters"] == {"binary_data_output": True}
