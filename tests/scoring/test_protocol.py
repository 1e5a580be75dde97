from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.protocol import BadRequest, model_metadata, read_request, response

SIGNATURE = Signature(
    task="binary-classification",
    inputs=(Column(name="age", kind="number"), Column(name="city", kind="text")),
    classes=("no", "yes"),
    threshold=0.25,
)
CITY = {"name": "city", "shape": [2, 1], "datatype": "BYTES", "data": ["Rom", "Bonn"]}


def tensor(datatype: str, data: list[Any], **changes: Any) -> dict[str, Any]:
    return {"name": "age", "shape": [len(data), 1], "datatype": datatype, "data": data, **changes}


def ages(datatype: str, data: list[Any], **changes: Any) -> list[float]:
    body = {"inputs": [tensor(datatype, data, **changes), CITY]}
    values: list[float] = read_request(body, SIGNATURE).columns["age"].tolist()
    return values


def error_of(body: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        read_request(body, SIGNATURE)
    return str(caught.value)


def test_a_whole_request() -> None:
    request = read_request(
        {
            "id": "42",
            "parameters": {"anything": 1},
            "inputs": [CITY, tensor("FP64", [1, None])],
            "outputs": [{"name": "probabilities"}],
        },
        SIGNATURE,
    )

    assert (request.id, request.outputs, request.rows) == ("42", ("probabilities",), 2)
    assert list(request.columns) == ["age", "city"]
    np.testing.assert_array_equal(request.columns["age"], [1.0, math.nan])
    assert request.columns["city"].tolist() == ["Rom", "Bonn"]


def test_a_bare_request_asks_for_everything() -> None:
    request = read_request({"inputs": [CITY, tensor("FP64", [1, 2])]}, SIGNATURE)

    assert (request.id, request.outputs) == ("", ("label", "probabilities"))


@pytest.mark.parametrize(
    ("datatype", "data", "values"),
    [
        ("BOOL", [True, False], [1.0, 0.0]),
        ("INT8", [-128, 127], [-128.0, 127.0]),
        ("UINT64", [0, 2**53], [0.0, 2.0**53]),
        ("INT64", [-5, 5], [-5.0, 5.0]),
        ("FP64", [0.1, 1], [0.1, 1.0]),
        ("FP32", [0.1, 1], [float(np.float32(0.1)), 1.0]),
        ("FP16", [0.1, 1], [float(np.float16(0.1)), 1.0]),
    ],
)
def test_datatypes(datatype: str, data: list[Any], values: list[float]) -> None:
    assert ages(datatype, data) == values


def test_data_may_be_flat_or_nested_and_shaped_either_way() -> None:
    for shape in ([2], [2, 1]):
        for data in ([1, 2], [[1], [2]]):
            assert ages("FP64", data, shape=shape) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("datatype", "data", "error"),
    [
        ("INT8", [128, 0], "input age, row 0: 128 is beyond the range of INT8"),
        ("UINT8", [0, -1], "input age, row 1: -1 is beyond the range of UINT8"),
        ("INT64", [1.5, 0], "input age, row 0: has to be an integer, not 1.5"),
        ("INT64", [None, 0], "input age, row 0: has to be an integer, not null"),
        ("INT64", [True, 0], "input age, row 0: has to be an integer, not a boolean"),
        ("INT64", [2**53 + 1, 0], "input age, row 0: is an integer beyond 2^53"),
        ("BOOL", [1, 0], "input age, row 0: has to be true or false, not a number"),
        ("FP64", [0, True], "input age, row 1: has to be a number or null, not a boolean"),
        ("FP64", ["1", 0], "input age, row 0: has to be a number or null, not a text"),
        ("FP32", [0, 1e39], "input age, row 1: is beyond the range of FP32"),
        ("FP16", [1e5, 0], "input age, row 0: is beyond the range of FP16"),
        ("BYTES", ["1", "2"], "input age: the datatype has to be one of BOOL, INT8"),
        ("FP8", [1, 2], "input age: the datatype has to be one of"),
    ],
)
def test_data_that_do_not_fit_their_datatype(datatype: str, data: list[Any], error: str) -> None:
    assert error in error_of({"inputs": [tensor(datatype, data), CITY]})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"shape": [1, 2]}, "the shape has to be [rows] or [rows, 1], not [1, 2]"),
        ({"shape": [2, 1, 1]}, "the shape has to be [rows] or [rows, 1]"),
        ({"shape": []}, "the shape has to be [rows] or [rows, 1]"),
        ({"shape": [-1, 1]}, "the shape has to be a list of sizes"),
        ({"shape": [2.0, 1]}, "the shape has to be a list of sizes"),
        ({"shape": None}, "the shape has to be a list of sizes"),
        ({"shape": [3, 1]}, "the shape [3, 1] says 3 values, the data hold 2"),
        ({"data": 5}, "the data have to be a list, not a number"),
        ({"data": [[1, 2]]}, "nested data have to hold one value a row"),
        ({"data": [[1], 2]}, "nested data have to hold one value a row"),
        ({"data": [[[1]], [[2]]]}, "has to be a number or null, not a list"),
        ({"parameters": {"binary_data_size": 16}}, "the binary tensor extension is not supported"),
        ({"parameters": 3}, "the parameters of input age have to be an object"),
        ({"name": "aged"}, "there is no input age; input aged is not one of this model"),
        ({"name": None}, "every one of the inputs has to be an object with a name"),
        ({"name": "city"}, "city comes more than once in inputs"),
        ({"shape": [1], "data": [1]}, "the inputs have different numbers of rows: {'age': 1, 'city': 2}"),
    ],
)
def test_tensors_that_are_not_right(changes: dict[str, Any], error: str) -> None:
    assert error in error_of({"inputs": [tensor("FP64", [1, 2]) | changes, CITY]})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([], "the request has to be an object, not a list"),
        ({}, "inputs has to be a list of tensors"),
        ({"inputs": {}}, "inputs has to be a list of tensors"),
        ({"inputs": [3]}, "every one of the inputs has to be an object with a name"),
        ({"inputs": []}, "there is no input age; there is no input city"),
        ({"id": 3}, "id has to be a text, not a number"),
        ({"parameters": []}, "the parameters of the request have to be an object, not a list"),
        ({"parameters": {"binary_data_output": True}}, "the binary tensor extension is not supported"),
    ],
)
def test_requests_that_are_not_right(body: Any, error: str) -> None:
    assert error in error_of(body)


@pytest.mark.parametrize(
    ("outputs", "error"),
    [
        ([{"name": "label"}, {"name": "label"}], "label comes more than once in outputs"),
        ([{"name": "score"}], "output score is not one of this model, which has label, probabilities"),
        ([{"name": "label", "parameters": {"binary_data": True}}], "the binary tensor extension is not supported"),
        ([{"name": "label", "parameters": {"classification": 2}}], "the classification extension is not supported"),
        ("label", "outputs has to be a list"),
    ],
)
def test_outputs_that_cannot_be_given(outputs: Any, error: str) -> None:
    assert error in error_of({"inputs": [CITY, tensor("FP64", [1, 2])], "outputs": outputs})


def test_the_response_holds_what_was_asked_for_in_that_order() -> None:
    predictions = Predictions(
        labels=np.array(["yes", "no"], dtype=object), probabilities=np.array([[0.25, 0.75], [1.0, 0.0]])
    )
    asked = {"inputs": [CITY, tensor("FP64", [1, 2])], "outputs": [{"name": "probabilities"}, {"name": "label"}]}

    answer = response(
        read_request(asked, SIGNATURE), predictions, SIGNATURE, model="m", version=3, request_id="made up"
    )

    assert answer == {
        "model_name": "m",
        "model_version": "3",
        "id": "made up",
        "outputs": [
            {"name": "probabilities", "datatype": "FP64", "shape": [2, 2], "data": [0.25, 0.75, 1.0, 0.0]},
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["yes", "no"]},
        ],
    }


def test_the_metadata_tell_a_client_all_that_it_needs() -> None:
    assert model_metadata("m", 3, "abc", SIGNATURE) == {
        "name": "m",
        "versions": ["3"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "age", "datatype": "FP64", "shape": [-1, 1]},
            {"name": "city", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
        ],
        "properties": {
            "task": "binary-classification",
            "release": "abc",
            "classes": '["no","yes"]',
            "threshold": "0.25",
        },
    }


def test_the_metadata_of_other_tasks() -> None:
    integers = Signature(task="multiclass-classification", inputs=SIGNATURE.inputs, classes=(0, 1, 2))
    regression = Signature(task="regression", inputs=SIGNATURE.inputs)

    assert model_metadata("m", 3, "abc", integers)["outputs"][0]["datatype"] == "INT64"
    assert model_metadata("m", 3, "abc", regression)["outputs"] == [
        {"name": "prediction", "datatype": "FP64", "shape": [-1, 1]}
    ]
    assert model_metadata("m", 3, "abc", regression)["properties"] == {"task": "regression", "release": "abc"}
