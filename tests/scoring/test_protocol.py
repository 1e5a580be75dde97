from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.protocol import Output, model_metadata, parted, read_request, response
from mlops_ci.scoring.tensors import BadRequest

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

    assert (request.id, request.outputs, request.rows) == ("42", (Output(name="probabilities", binary=False),), 2)
    assert list(request.columns) == ["age", "city"]
    np.testing.assert_array_equal(request.columns["age"], [1.0, math.nan])
    assert request.columns["city"].tolist() == ["Rom", "Bonn"]


def test_a_bare_request_asks_for_everything() -> None:
    request = read_request({"inputs": [CITY, tensor("FP64", [1, 2])]}, SIGNATURE)

    assert (request.id, [output.name for output in request.outputs]) == ("", ["label", "probabilities"])
    assert not any(output.binary for output in request.outputs)


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
        ({"shape": [3, 1]}, "the inputs have different numbers of rows: age has 3, city has 2"),
        ({"data": [1]}, "the shape [2, 1] says 2 values, the data hold 1"),
        ({"data": 5}, "the data have to be a list, not a number"),
        ({"data": [[1, 2]]}, "nested data have to hold one value a row"),
        ({"data": [[1], 2]}, "nested data have to hold one value a row"),
        ({"data": [[[1]], [[2]]]}, "has to be a number or null, not a list"),
        ({"parameters": {"binary_data_size": 16}}, "has binary data, and the request has no header"),
        ({"parameters": {"shared_memory_region": "a"}}, "the shared memory extension is not supported"),
        ({"datatype": "BF16"}, "the datatype has to be one of BOOL, INT8"),
        ({"datatype": ["FP64"]}, "the datatype has to be one of BOOL, INT8"),
        ({"shape": [1] * 1000}, "not [1, 1, 1"),
        ({"parameters": 3}, "the parameters of input age have to be an object"),
        ({"name": "aged"}, "there is no input age; input aged is not one of this model"),
        ({"name": None}, "every one of the inputs has to be an object with a name"),
        ({"name": "city"}, "city comes more than once in inputs"),
        ({"shape": [1], "data": [1]}, "the inputs have different numbers of rows: age has 1, city has 2"),
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
        ({"parameters": {"binary_data_output": 1}}, "binary_data_output has to be true or false, not a number"),
    ],
)
def test_requests_that_are_not_right(body: Any, error: str) -> None:
    assert error in error_of(body)


@pytest.mark.parametrize(
    ("outputs", "error"),
    [
        ([{"name": "label"}, {"name": "label"}], "label comes more than once in outputs"),
        ([{"name": "score"}], "output score is not one of this model, which has label, probabilities"),
        ([{"name": "label", "parameters": {"binary_data": "yes"}}], "binary_data has to be true or false, not a text"),
        ([{"name": "label", "parameters": {"shared_memory_region": "a"}}], "the shared memory extension"),
        ([{"name": "label", "parameters": []}], "the parameters of output label have to be an object"),
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

    answer, chunks = response(
        read_request(asked, SIGNATURE), predictions, SIGNATURE, model="m", version=3, request_id="made up"
    )

    assert not chunks
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


def binary_error(tensors: list[dict[str, Any]], binary: bytes) -> str:
    with pytest.raises(BadRequest) as caught:
        read_request({"inputs": tensors}, SIGNATURE, binary=memoryview(binary))
    return str(caught.value)


def sized(size: Any, **changes: Any) -> dict[str, Any]:
    return {"name": "age", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": size}} | changes


def test_the_bytes_follow_in_the_order_of_the_request() -> None:
    city = {"name": "city", "shape": [2, 1], "datatype": "BYTES", "parameters": {"binary_data_size": 13}}
    texts = b"\x03\0\0\0Rom\x02\0\0\0\xc3\xa9"
    ages = np.array([1.5, math.nan], "<f4").tobytes()

    for tensors, binary in (([sized(8), city], ages + texts), ([city, sized(8)], texts + ages)):
        request = read_request({"inputs": tensors}, SIGNATURE, binary=memoryview(binary))
        assert request.columns["city"].tolist() == ["Rom", "é"]
        np.testing.assert_array_equal(request.columns["age"], [1.5, math.nan])


def test_json_and_binary_tensors_may_be_mixed() -> None:
    request = read_request(
        {"inputs": [CITY, sized(8)]}, SIGNATURE, binary=memoryview(np.array([1, 2], "<f4").tobytes())
    )

    assert request.columns["age"].tolist() == [1.0, 2.0]
    assert request.columns["city"].tolist() == ["Rom", "Bonn"]


@pytest.mark.parametrize(
    ("tensor", "binary", "error"),
    [
        (sized(8), b"\0" * 7, "input age: 8 bytes of binary data are announced, 7 are there"),
        (sized(8), b"\0" * 9, "1 bytes of binary data belong to no input"),
        (sized(4), b"\0" * 4, "input age: 2 values of FP32 take 8 bytes, not 4"),
        (sized(-1), b"", "binary_data_size has to be a number of bytes, not -1"),
        (sized(8.0), b"\0" * 8, "binary_data_size has to be a number of bytes, not 8.0"),
        (sized(True), b"\0", "binary_data_size has to be a number of bytes, not True"),
        (sized("8" * 1000), b"\0" * 8, "binary_data_size has to be a number of bytes, not 888"),
        (sized(8, data=[1, 2]), b"\0" * 8, "has data and binary_data_size; one of the two is meant"),
        (sized(8, datatype="BYTES"), b"\0" * 8, "the datatype has to be one of BOOL"),
        (tensor("FP32", [1, 2]), b"\0", "1 bytes of binary data belong to no input"),
    ],
)
def test_binary_tensors_that_are_not_right(tensor: dict[str, Any], binary: bytes, error: str) -> None:
    assert error in binary_error([tensor, CITY], binary)


@pytest.mark.parametrize(("header", "parts"), [("0", (b"", b"{}..")), ("2", (b"{}", b"..")), ("4", (b"{}..", b""))])
def test_the_header_parts_the_body(header: str, parts: tuple[bytes, bytes]) -> None:
    text, binary = parted(b"{}..", header)

    assert (text, bytes(binary or b"")) == parts


@pytest.mark.parametrize("header", ["5", "-1", "", "2.0", "x", "²", "1" * 5000, "0" * 5000])
def test_a_header_that_is_no_length_of_the_body(header: str) -> None:
    with pytest.raises(BadRequest, match="inference-header-content-length has to be a number of bytes of the body"):
        parted(b"{}..", header)


def test_the_metadata_say_what_exactly_is_served() -> None:
    properties = model_metadata("m", 3, "abc", SIGNATURE, model_digest="d", build="b")["properties"]

    assert (properties["model_digest"], properties["build"]) == ("d", "b")
    assert not {"model_digest", "build"} & model_metadata("m", 3, "abc", SIGNATURE)["properties"].keys()
