"""Nothing that a client sends is answered by a 500, or otherwise than `/openapi.json` says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.core.records import CARD_FILE
from mlops_ci.scoring.feeds import Reader, columns_of
from mlops_ci.scoring.messages import Request
from mlops_ci.scoring.model import OnnxRuntime
from mlops_ci.scoring.protocol import read_request
from mlops_ci.scoring.rows import BadRows, read_rows
from mlops_ci.scoring.service import ScoringService
from mlops_ci.scoring.tensors import BadRequest
from tests.scoring.cards import card_json
from tests.scoring.serving import served
from tests.scoring.test_service import RECORD, binary_request, inputs
from tests.scoring.tiny_models import binary

INFER = "/v2/models/delay/infer"
EXPECTED = {"/score": {200, 400, 413, 415, 422}, INFER: {200, 400, 413, 415, 422}}

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["distance", "hour", "carrier", "FP64", "BYTES", 1, 0, -1, 2**53, 1e308, "UA"]),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(["application/json", "application/octet-stream", "text/plain", ";", ""])
        | st.text(max_size=10),
        "content-encoding": st.sampled_from(["identity", "gzip", ""]),
        "inference-header-content-length": st.integers(-2, 400).map(str) | st.text(max_size=5),
        "accept": st.text(max_size=10),
    },
)


@cache
def service() -> ScoringService:
    model = binary()
    loaded = OnnxRuntime().load(model.onnx, model.signature)
    return ScoringService(loaded, name="delay", version=3, release="abc", max_rows=50)


def answered(path: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Asks, and sees that the answer is one that a client can make sense of."""
    response = service().respond(Request(method="POST", path=path, headers=headers, id="r", body=body))
    assert response.status in EXPECTED[path], response.body
    length = response.headers.get("inference-header-content-length")
    content = json.loads(response.body[: int(length)] if length else response.body)
    if response.status != 200:
        assert isinstance(content["error"], str)
        assert content["error"]
    return response.status


@st.composite
def changed(draw: st.DrawFn, start: Any) -> Any:
    """A JSON value like `start` but for a place or two, where something else is, or more, or nothing."""
    root = [deepcopy(start)]
    for _ in range(draw(st.integers(1, 2))):
        holder: Any = root
        key: Any = 0
        while isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 3)):
            holder = holder[key]
            key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        match draw(st.sampled_from(["replace", "remove", "add", "double"])):
            case "remove" if holder is not root:
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=5))] = draw(JSON_VALUES)
            case "double" if isinstance(holder, list) and holder is not root:
                holder.append(deepcopy(holder[key]))
            case _:
                holder[key] = draw(JSON_VALUES)
    return root[0]


RECORDS = [RECORD, {"distance": None, "hour": True, "carrier": None}, {"distance": 2.5, "hour": -1, "carrier": "x"}]
COLUMNS = {"columns": {"distance": [1, None], "hour": [2.5, True], "carrier": ["UA", None]}}
TENSORS = {
    "inputs": inputs(binary(), 2),
    "outputs": [{"name": "label", "parameters": {"binary_data": True}}],
    "id": "1",
}


@given(st.sampled_from(list(EXPECTED)), st.binary(max_size=200), HEADERS)
def test_any_bytes(path: str, body: bytes, headers: dict[str, str]) -> None:
    answered(path, body, headers)


@given(st.sampled_from(list(EXPECTED)), JSON_VALUES, HEADERS)
def test_any_json(path: str, value: Any, headers: dict[str, str]) -> None:
    answered(path, json.dumps(value).encode(), headers)


@settings(max_examples=300)
@given(changed(RECORDS) | changed({"records": RECORDS}) | changed(COLUMNS))
def test_rows_that_are_almost_right(body: Any) -> None:
    answered("/score", json.dumps(body).encode(), {})


@settings(max_examples=300)
@given(changed(TENSORS))
def test_tensors_that_are_almost_right(body: Any) -> None:
    answered(INFER, json.dumps(body).encode(), {})


@settings(max_examples=300)
@given(st.data())
def test_binary_tensors_that_are_almost_right(data: st.DataObject) -> None:
    body, length = binary_request(binary(), 2, parameters={"binary_data_output": True})
    if data.draw(st.booleans()):
        head = json.dumps(data.draw(changed(json.loads(body[:length])))).encode()
        body, length = head + body[length:], len(head)
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 9))
    tail = damaged[: len(damaged) - cut] + data.draw(st.binary(max_size=5))

    answered(INFER, bytes(tail), {"inference-header-content-length": str(length + data.draw(st.integers(-1, 1)))})


@settings(max_examples=300)
@given(changed(RECORDS))
def test_the_fast_way_reads_records_as_the_careful_way_does(body: Any) -> None:
    signature = binary().signature
    fast = Reader(signature).records(body) if isinstance(body, list) else None
    try:
        careful = read_rows(body, signature)
    except BadRows:
        assert fast is None
        return
    assert fast is None or same(columns_of(fast), careful)


@settings(max_examples=300)
@given(changed({"inputs": inputs(binary(), 2)}))
def test_the_fast_way_reads_tensors_as_the_careful_way_does(body: Any) -> None:
    def outcome(reader: Reader | None) -> Mapping[str, Any] | str:
        try:
            return read_request(body, binary().signature, reader=reader).columns
        except BadRequest as error:
            return str(error)

    fast, careful = outcome(Reader(binary().signature)), outcome(None)
    assert fast == careful if isinstance(careful, str) or isinstance(fast, str) else same(fast, careful)


def same(some: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    for name, values in others.items():
        assert some[name].dtype == values.dtype
        np.testing.assert_array_equal(some[name], values)
    return some.keys() == others.keys()


CONFIGURATION = """
# What no JSON schema says: columns are of one length, shapes are those of the data, the header is the JSON's length.
[[operations]]
include-path = "/score"
checks = { positive_data_acceptance = { expected-statuses = ["2xx", 422] } }

[[operations]]
include-path-regex = "/infer$"
checks = { positive_data_acceptance = { expected-statuses = ["2xx", 400, 415, 422] } }
"""


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """All of its checks but those above: no 5xx, and statuses, headers, media types and bodies as described."""
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    program = Path(sys.executable).with_name("schemathesis")
    files = {CARD_FILE: json.dumps(card_json()).encode()}
    with served(binary(), tmp_path / "service", files=files) as running:
        found = subprocess.run(
            [
                *(program, "--config-file", configuration, "run", f"{running.url}/openapi.json"),
                *("--url", running.url, "--seed", "7", "--max-examples", "25", "--phases", "examples,coverage,fuzzing"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert found.returncode == 0, found.stdout
    assert "13 selected / 13 total" in found.stdout
