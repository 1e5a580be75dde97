"""The Open Inference Protocol v2 over JSON: metadata, and tensors to columns and back.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md. The binary tensor
extension is not spoken; a request that uses it is refused, never misread. Beyond the protocol, null in FP16, FP32,
FP64 and BYTES data says that a value is missing, because JSON has no NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.digest import canonical_json
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.rows import array, json_type, value_problems

FLOATS = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
INTEGERS = {
    name: np.iinfo(name.lower()) for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
}
NUMBERS = ("BOOL", *INTEGERS, *FLOATS)
REPORTED = 5


class BadRequest(ValueError):
    """A request that breaks the protocol or does not fit the model."""


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """`id` is empty where the client gave none; `outputs` are the names to answer with, in that order."""

    id: str
    outputs: tuple[str, ...]
    columns: Mapping[str, NDArray[Any]]
    rows: int


def server_metadata(version: str) -> dict[str, Any]:
    return {"name": "mlops-ci", "version": version, "extensions": []}


def model_metadata(model: str, version: int, release: str, signature: Signature) -> dict[str, Any]:
    """`properties` holds what the protocol has no field for, as texts: task, release, classes (JSON), threshold."""
    properties = {"task": signature.task, "release": release}
    if signature.classes:
        properties["classes"] = canonical_json(list(signature.classes)).decode().strip()
    if signature.task == "binary-classification":
        properties["threshold"] = repr(signature.threshold)
    return {
        "name": model,
        "versions": [str(version)],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": column.name, "datatype": _datatype(column), "shape": [-1, 1]} for column in signature.inputs
        ],
        "outputs": outputs(signature),
        "properties": properties,
    }


def outputs(signature: Signature) -> list[dict[str, Any]]:
    """The metadata of what the model answers with."""
    if signature.task == "regression":
        return [{"name": "prediction", "datatype": "FP64", "shape": [-1, 1]}]
    text = any(isinstance(label, str) for label in signature.classes)
    return [
        {"name": "label", "datatype": "BYTES" if text else "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP64", "shape": [-1, len(signature.classes)]},
    ]


def read_request(body: Any, signature: Signature) -> InferRequest:
    """Checks an inference request and takes its tensors apart. Raises BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest(f"the request has to be an object, not {json_type(body)}")
    identifier = body.get("id", "")
    if not isinstance(identifier, str):
        raise BadRequest(f"id has to be a text, not {json_type(identifier)}")
    if _parameters(body, "the request").get("binary_data_output"):
        raise BadRequest("the binary tensor extension is not supported: ask for outputs with binary_data false")
    tensors = {tensor["name"]: tensor for tensor in _named(body.get("inputs"), "inputs")}
    names = [column.name for column in signature.inputs]
    problems = [f"there is no input {name}" for name in names if name not in tensors]
    problems += [f"input {name} is not one of this model" for name in tensors if name not in names]
    if problems:
        raise BadRequest("; ".join(problems[:REPORTED]))
    columns = {column.name: _column(tensors[column.name], column) for column in signature.inputs}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadRequest(f"the inputs have different numbers of rows: {lengths}")
    return InferRequest(
        id=identifier,
        outputs=_requested(body, [output["name"] for output in outputs(signature)]),
        columns=columns,
        rows=next(iter(lengths.values()), 0),
    )


def response(
    request: InferRequest, predictions: Predictions, signature: Signature, *, model: str, version: int, request_id: str
) -> dict[str, Any]:
    """The inference response; the answers have to be finite numbers."""
    data = {
        "label": [] if predictions.labels is None else predictions.labels.tolist(),
        "probabilities": predictions.scores.reshape(-1).tolist(),
        "prediction": predictions.scores.reshape(-1).tolist(),
    }
    described = {output["name"]: output for output in outputs(signature)}
    tensors = [
        described[name] | {"shape": [request.rows, *described[name]["shape"][1:]], "data": data[name]}
        for name in request.outputs
    ]
    return {"model_name": model, "model_version": str(version), "id": request_id, "outputs": tensors}


def _datatype(column: Column) -> str:
    return "FP64" if column.kind == "number" else "BYTES"


def _parameters(holder: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    parameters = holder.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadRequest(f"the parameters of {where} have to be an object, not {json_type(parameters)}")
    return parameters


def _named(entries: Any, where: str) -> Sequence[dict[str, Any]]:
    """The entries of `inputs` or `outputs`, each an object with a name of its own."""
    if not isinstance(entries, list):
        raise BadRequest(f"{where} has to be a list of tensors")
    seen: set[str] = set()
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise BadRequest(f"every one of the {where} has to be an object with a name")
        if name in seen:
            raise BadRequest(f"{name} comes more than once in {where}")
        seen.add(name)
    return entries


def _requested(body: Mapping[str, Any], names: list[str]) -> tuple[str, ...]:
    entries = _named(body.get("outputs", []), "outputs")
    for entry in entries:
        name, parameters = entry["name"], _parameters(entry, f"output {entry['name']}")
        if name not in names:
            raise BadRequest(f"output {name} is not one of this model, which has {', '.join(names)}")
        if parameters.get("binary_data"):
            raise BadRequest(f"output {name}: the binary tensor extension is not supported; ask for binary_data false")
        if parameters.get("classification"):
            raise BadRequest(f"output {name}: the classification extension is not supported")
    return tuple(entry["name"] for entry in entries) or tuple(names)


def _column(tensor: Mapping[str, Any], column: Column) -> NDArray[Any]:
    where = f"input {column.name}"
    if "binary_data_size" in _parameters(tensor, where):
        raise BadRequest(f"{where}: the binary tensor extension is not supported; send the data as JSON")
    datatype, values = tensor.get("datatype"), _values(tensor, where)
    if datatype not in (NUMBERS if column.kind == "number" else ("BYTES",)):
        wanted = "BYTES" if column.kind == "text" else f"one of {', '.join(NUMBERS)}"
        raise BadRequest(f"{where}: the datatype has to be {wanted}, not {datatype}")
    problems = (
        [(row, _datatype_problem(value, datatype)) for row, value in enumerate(values)] if datatype != "BYTES" else []
    )
    problems = [problem for problem in problems if problem[1]] or value_problems(values, column.kind)
    if problems:
        raise BadRequest("; ".join(f"{where}, row {row}: {what}" for row, what in problems[:REPORTED]))
    result = array(values, column.kind)
    if datatype in ("FP16", "FP32"):
        # the value that the client means is the one that its datatype can hold
        with np.errstate(over="ignore"):
            rounded = result.astype(FLOATS[datatype]).astype(np.float64)
        if np.isinf(rounded).any():
            raise BadRequest(f"{where}, row {int(np.isinf(rounded).argmax())}: is beyond the range of {datatype}")
        return rounded
    return result


def _values(tensor: Mapping[str, Any], where: str) -> list[Any]:
    """The tensor's data, given flat or nested in row-major order, as one value a row."""
    shape, data = tensor.get("shape"), tensor.get("data")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadRequest(f"{where}: the shape has to be a list of sizes, not {shape}")
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise BadRequest(f"{where}: the shape has to be [rows] or [rows, 1], not {shape}")
    if not isinstance(data, list):
        raise BadRequest(f"{where}: the data have to be a list, not {json_type(data)}")
    nested = any(isinstance(value, list) for value in data)
    if nested and not all(isinstance(value, list) and len(value) == 1 for value in data):
        raise BadRequest(f"{where}: nested data have to hold one value a row")
    if len(data) != shape[0]:
        raise BadRequest(f"{where}: the shape {shape} says {shape[0]} values, the data hold {len(data)}")
    return [value[0] for value in data] if nested else data


def _datatype_problem(value: Any, datatype: str) -> str:
    """What keeps a JSON value from being of a numeric datatype."""
    if datatype == "BOOL":
        return "" if type(value) is bool else f"has to be true or false, not {json_type(value)}"
    if datatype in FLOATS:
        return "has to be a number or null, not a boolean" if type(value) is bool else ""
    limits = INTEGERS[datatype]
    if type(value) is not int:
        whole = type(value) is float and math.isfinite(value)
        return f"has to be an integer, not {value if whole else json_type(value)}"
    return "" if limits.min <= value <= limits.max else f"{value} is beyond the range of {datatype}"
