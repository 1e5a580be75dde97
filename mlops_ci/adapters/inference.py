"""Records as requests to a scoring service, and its answers as predictions: `/score`, and infer as JSON and binary.

Written from the protocol's description and independent of the service's own code, so that neither hides the other's
mistakes (Open Inference Protocol v2; binary: Triton's binary tensor data extension).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.ports import PROBE, Reply

OUR_ID = f"{PROBE}infer"
"""By which the prediction log, too, tells these requests from those of users."""
JSON_LENGTH = "inference-header-content-length"
NUMBERS = {"FP64": "<f8", "FP32": "<f4", "INT64": "<i8", "INT32": "<i4"}
"""The datatypes in which a service answers, as numpy reads them."""


class Senseless(ValueError):
    """An answer that is none, in words that repeat nothing of it."""


def predictions_of_score(reply: Reply, rows: int, signature: Signature) -> Predictions:
    """Raises Senseless, or what Python raises for an answer of another shape."""
    answers = json.loads(reply.body)["predictions"]
    if len(answers) != rows:
        raise Senseless(f"{len(answers)} answers for {rows} records")
    if signature.task == "regression":
        return Predictions(values=_floats([answer["value"] for answer in answers], rows, 1)[:, 0])
    names = [str(name) for name in signature.classes]
    probabilities = [[answer["probabilities"][name] for name in names] for answer in answers]
    return _classified([answer["label"] for answer in answers], _floats(probabilities, rows, len(names)), signature)


def infer_body(
    records: Sequence[Mapping[str, Any]], signature: Signature, *, binary: bool
) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of an inference request, one tensor a column. Raises ValueError for what JSON cannot
    say.
    """
    tensors: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for column in signature.inputs:
        values = [record[column.name] for record in records]
        datatype = "FP64" if column.kind == "number" else "BYTES"
        tensor: dict[str, Any] = {"name": column.name, "shape": [len(records), 1], "datatype": datatype}
        if binary:
            parts.append(_packed(values, datatype))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = values
        tensors.append(tensor)
    request: dict[str, Any] = {"id": OUR_ID, "inputs": tensors}
    if binary:
        request["parameters"] = {"binary_data_output": True}
    head = json.dumps(request, allow_nan=False, ensure_ascii=False).encode()
    if not binary:
        return head, {"content-type": "application/json"}
    return head + b"".join(parts), {"content-type": "application/octet-stream", JSON_LENGTH: str(len(head))}


def predictions_of_infer(reply: Reply, rows: int, signature: Signature, *, binary: bool) -> Predictions:
    """Raises Senseless, or what Python raises for an answer of another shape."""
    length = int(reply.headers[JSON_LENGTH]) if JSON_LENGTH in reply.headers else len(reply.body)
    head, rest = json.loads(reply.body[:length]), reply.body[length:]
    if head.get("id") != OUR_ID:
        raise Senseless("the id of another request")
    outputs = {}
    for tensor in head["outputs"]:
        size = tensor.get("parameters", {}).get("binary_data_size")
        if binary and size is None:
            raise Senseless("an output as JSON, and it was asked for in binary")
        if size is not None and not (type(size) is int and 0 <= size <= len(rest)):
            raise Senseless("a binary tensor that is cut off")
        data = tensor["data"] if size is None else _unpacked(rest[:size], tensor["datatype"])
        rest = rest if size is None else rest[size:]
        if tensor["shape"][0] != rows or math.prod(tensor["shape"]) != len(data):
            raise Senseless("an output has another number of values than its shape says, or of rows than were sent")
        outputs[tensor["name"]] = data
    if rest:
        raise Senseless("bytes after the last tensor")
    if signature.task == "regression":
        return Predictions(values=_floats(outputs["prediction"], rows, 1)[:, 0])
    return _classified(outputs["label"], _floats(outputs["probabilities"], rows, len(signature.classes)), signature)


def _classified(labels: Sequence[Any], probabilities: NDArray[np.float64], signature: Signature) -> Predictions:
    unknown = sum(1 for label in labels if label not in signature.classes)
    if unknown:
        raise Senseless(f"{unknown} labels that are not among the classes")
    kind = object if isinstance(signature.classes[0], str) else np.int64
    return Predictions(labels=np.array(labels, dtype=kind), probabilities=probabilities)


def _floats(values: Sequence[Any], rows: int, width: int) -> NDArray[np.float64]:
    """Numbers as [rows, width]; a text that spells one is none. Raises ValueError for another number of them."""
    array = np.array(values, dtype=object).reshape(rows, width)
    if any(isinstance(value, str | bool) for value in array.flat):
        raise Senseless("a text or a boolean where a number is due")
    return array.astype(np.float64)


def _packed(values: Sequence[Any], datatype: str) -> bytes:
    if datatype == "FP64":
        return np.array([math.nan if value is None else value for value in values], dtype="<f8").tobytes()
    texts = [(value or "").encode() for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _unpacked(data: bytes, datatype: str) -> list[Any]:
    if datatype in NUMBERS:
        return list(np.frombuffer(data, dtype=NUMBERS[datatype]).tolist())
    if datatype != "BYTES":
        raise Senseless("a datatype that no model answers in")
    texts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4 + size
        if at > len(data):
            raise Senseless("a text that is longer than its tensor")
        texts.append(data[at - size : at].decode())
    return texts
