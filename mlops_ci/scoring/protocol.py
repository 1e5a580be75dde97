"""The Open Inference Protocol v2 over HTTP: metadata, and inference requests and responses with their tensors.

Sources: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md, and for the
binary tensor extension https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md: the
bytes of the tensors follow the JSON, in the order in which the JSON lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mlops_ci.core.digest import canonical_json
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.feeds import Feeds, Reader, columns_of, feeds_of
from mlops_ci.scoring.rows import json_type, require_rows, shown
from mlops_ci.scoring.tensors import DATATYPES, REPORTED, BadRequest, from_bytes, from_json, to_bytes

EXTENSIONS = ("binary_tensor_data",)
JSON_LENGTH = "inference-header-content-length"
"""The header that says how many bytes of a body are JSON; the tensors that are not in the JSON follow."""
LONGEST_LENGTH = 20
UNSUPPORTED = {
    "classification": "the classification extension",
    "shared_memory_region": "the shared memory extension",
}


@dataclass(frozen=True, kw_only=True)
class Output:
    """One tensor that is asked for, in the JSON or behind it."""

    name: str
    binary: bool


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """`id` is empty where the client gave none; `outputs` are in the order to answer in."""

    id: str
    outputs: tuple[Output, ...]
    feeds: Feeds
    rows: int

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        """The inputs as 1-D arrays."""
        return columns_of(self.feeds)


def server_metadata(version: str) -> dict[str, Any]:
    return {"name": "mlops-ci", "version": version, "extensions": list(EXTENSIONS)}


def model_metadata(
    model: str, version: int, release: str, signature: Signature, *, model_digest: str = "", build: str = ""
) -> dict[str, Any]:
    """`properties` holds what the protocol has no field for, as texts.

    These are task, release, classes (JSON), threshold, `model_digest` (of the graph as it was loaded) and `build` (of
    the `build.json` of the image, where there is one).
    """
    properties = {"task": signature.task, "release": release}
    if signature.classes:
        properties["classes"] = canonical_json(list(signature.classes)).decode().strip()
    if signature.task == "binary-classification":
        properties["threshold"] = repr(signature.threshold)
    properties |= {name: text for name, text in (("model_digest", model_digest), ("build", build)) if text}
    return {
        "name": model,
        "versions": [str(version)],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": column.name, "datatype": DATATYPES[column.kind][-1], "shape": [-1, 1]}
            for column in signature.inputs
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


def parted(body: bytes, json_length: str | None) -> tuple[bytes, memoryview | None]:
    """The JSON of a body and the bytes behind it; these are None where no JSON_LENGTH was given. Raises BadRequest."""
    if json_length is None:
        return body, None
    digits = json_length.isascii() and json_length.isdigit() and len(json_length) <= LONGEST_LENGTH
    length = int(json_length) if digits else -1
    if not 0 <= length <= len(body):
        raise BadRequest(f"{JSON_LENGTH} has to be a number of bytes of the body, which has {len(body)}")
    return body[:length], memoryview(body)[length:]


def read_request(
    body: Any,
    signature: Signature,
    *,
    binary: memoryview | None = None,
    max_rows: int | None = None,
    reader: Reader | None = None,
) -> InferRequest:
    """Checks an inference request and takes its tensors apart; `binary` is what followed the JSON.

    With a `reader` the usual requests are read the fast way, with the same outcome.

    Raises BadRequest, and TooManyRows before any data are looked at.
    """
    if not isinstance(body, dict):
        raise BadRequest(f"the request has to be an object, not {json_type(body)}")
    identifier = body.get("id", "")
    if not isinstance(identifier, str):
        raise BadRequest(f"id has to be a text, not {json_type(identifier)}")
    asked, entries = _requested(body, outputs(signature)), body.get("inputs")
    usual = reader.tensors(entries) if reader is not None and binary is None and type(entries) is list else None
    if usual is not None:
        rows = len(next(iter(usual.values())))
        require_rows(rows, max_rows)
        return InferRequest(id=identifier, outputs=asked, feeds=usual, rows=rows)
    tensors = _tensors(entries, signature)
    rows = _common_rows(tensors)
    require_rows(rows, max_rows)
    chunks = _chunks(tensors, binary)
    columns = {column.name: _column(tensors[column.name], column, rows, chunks) for column in signature.inputs}
    return InferRequest(id=identifier, outputs=asked, feeds=feeds_of(columns), rows=rows)


def response(
    request: InferRequest, predictions: Predictions, signature: Signature, *, model: str, version: int, request_id: str
) -> tuple[dict[str, Any], list[bytes]]:
    """The JSON of the inference response, and the bytes that follow it; the answers have to be finite numbers."""
    described = {output["name"]: output for output in outputs(signature)}
    tensors, chunks = [], []
    for asked in request.outputs:
        output = described[asked.name]
        labels = predictions.labels
        values = labels if asked.name == "label" and labels is not None else predictions.scores
        tensor = output | {"shape": [request.rows, *output["shape"][1:]]}
        if asked.binary:
            chunks.append(to_bytes(values, output["datatype"]))
            tensors.append(tensor | {"parameters": {"binary_data_size": len(chunks[-1])}})
        else:
            tensors.append(tensor | {"data": values.reshape(-1).tolist()})
    return {"model_name": model, "model_version": str(version), "id": request_id, "outputs": tensors}, chunks


def _parameters(holder: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Parameters that are not known are ignored, as the protocol leaves it to the server, but for a few."""
    parameters = holder.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadRequest(f"the parameters of {where} have to be an object, not {json_type(parameters)}")
    for name, what in UNSUPPORTED.items():
        if parameters.get(name):
            raise BadRequest(f"{where}: {what} is not supported")
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


def _requested(body: Mapping[str, Any], known: Sequence[Mapping[str, Any]]) -> tuple[Output, ...]:
    names = [output["name"] for output in known]
    default = _flag(_parameters(body, "the request"), "binary_data_output", False, "the request")
    asked = []
    for entry in _named(body.get("outputs", []), "outputs"):
        name, where = entry["name"], f"output {entry['name']}"
        if name not in names:
            raise BadRequest(f"{where} is not one of this model, which has {', '.join(names)}")
        asked.append(Output(name=name, binary=_flag(_parameters(entry, where), "binary_data", default, where)))
    return tuple(asked) or tuple(Output(name=name, binary=default) for name in names)


def _flag(parameters: Mapping[str, Any], name: str, default: bool, where: str) -> bool:
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise BadRequest(f"{where}: {name} has to be true or false, not {json_type(value)}")
    return value


def _tensors(entries: Any, signature: Signature) -> Mapping[str, Mapping[str, Any]]:
    """The tensors by name, in the order of the request: all inputs of the model and no other."""
    tensors = {tensor["name"]: tensor for tensor in _named(entries, "inputs")}
    names = {column.name for column in signature.inputs}
    problems = [f"there is no input {column.name}" for column in signature.inputs if column.name not in tensors]
    problems += [f"input {name} is not one of this model" for name in tensors if name not in names]
    if problems:
        raise BadRequest("; ".join(problems[:REPORTED]))
    return tensors


def _common_rows(tensors: Mapping[str, Mapping[str, Any]]) -> int:
    rows = {name: _rows(tensor, f"input {name}") for name, tensor in tensors.items()}
    first = next(iter(rows), "")
    for name, count in rows.items():
        if count != rows[first]:
            numbers = f"{first} has {rows[first]}, {name} has {count}"
            raise BadRequest(f"the inputs have different numbers of rows: {numbers}")
    return rows.get(first, 0)


def _rows(tensor: Mapping[str, Any], where: str) -> int:
    """How many rows a tensor says that it has."""
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadRequest(f"{where}: the shape has to be a list of sizes, not {shown(shape)}")
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise BadRequest(f"{where}: the shape has to be [rows] or [rows, 1], not {shown(shape)}")
    return int(shape[0])


def _chunks(tensors: Mapping[str, Mapping[str, Any]], binary: memoryview | None) -> Mapping[str, memoryview]:
    """The bytes of each tensor that says that it has some, in the order of the request."""
    chunks, start = {}, 0
    for name, tensor in tensors.items():
        where = f"input {name}"
        size = _parameters(tensor, where).get("binary_data_size")
        if size is None:
            continue
        if binary is None:
            raise BadRequest(f"{where}: has binary data, and the request has no header {JSON_LENGTH}")
        if type(size) is not int or size < 0:
            raise BadRequest(f"{where}: binary_data_size has to be a number of bytes, not {shown(size)}")
        if "data" in tensor:
            raise BadRequest(f"{where}: has data and binary_data_size; one of the two is meant")
        if start + size > len(binary):
            raise BadRequest(f"{where}: {size} bytes of binary data are announced, {len(binary) - start} are there")
        chunks[name] = binary[start : start + size]
        start += size
    if binary is not None and start != len(binary):
        raise BadRequest(f"{len(binary) - start} bytes of binary data belong to no input")
    return chunks


def _column(tensor: Mapping[str, Any], column: Column, rows: int, chunks: Mapping[str, memoryview]) -> NDArray[Any]:
    where, datatype, taken = f"input {column.name}", tensor.get("datatype"), DATATYPES[column.kind]
    if not isinstance(datatype, str) or datatype not in taken:
        wanted = f"one of {', '.join(taken)}" if len(taken) > 1 else taken[0]
        raise BadRequest(f"{where}: the datatype has to be {wanted}, not {shown(datatype)}")
    if column.name in chunks:
        return from_bytes(chunks[column.name], datatype, rows, where)
    return from_json(_values(tensor, rows, where), datatype, column.kind, where)


def _values(tensor: Mapping[str, Any], rows: int, where: str) -> list[Any]:
    """The tensor's data, given flat or nested in row-major order, as one value a row."""
    data = tensor.get("data")
    if not isinstance(data, list):
        raise BadRequest(f"{where}: the data have to be a list, not {json_type(data)}")
    nested = any(isinstance(value, list) for value in data)
    if nested and not all(isinstance(value, list) and len(value) == 1 for value in data):
        raise BadRequest(f"{where}: nested data have to hold one value a row")
    if len(data) != rows:
        raise BadRequest(f"{where}: the shape {tensor['shape']} says {rows} values, the data hold {len(data)}")
    return [value[0] for value in data] if nested else data
