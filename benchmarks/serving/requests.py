"""The same rows in the bodies that the different services take, and the probabilities found in their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pandas as pd

Body = Callable[[pd.DataFrame], bytes]
Answer = Callable[[Any], Sequence[float]]
"""The probability of the second class for each row of the request, from the JSON of its answer."""


def records(rows: pd.DataFrame) -> bytes:
    return orjson.dumps(rows.to_dict(orient="records"))


def named_records(name: str) -> Body:
    """Records under a name, as BentoML and MLflow take them."""
    return lambda rows: orjson.dumps({name: rows.to_dict(orient="records")})


def tensors(rows: pd.DataFrame) -> bytes:
    """The Open Inference Protocol, a tensor a column."""
    return orjson.dumps({"inputs": [_tensor(rows, name) for name in rows]})


def pandas_tensors(rows: pd.DataFrame) -> bytes:
    """As MLServer wants a data frame, and a classifier's probabilities for the answer."""
    inputs = [_tensor(rows, name) for name in rows]
    for tensor in inputs:
        if tensor["datatype"] == "BYTES":
            tensor["parameters"] = {"content_type": "str"}
    return orjson.dumps(
        {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": [{"name": "predict_proba"}]}
    )


def string_tensors(rows: pd.DataFrame) -> bytes:
    """A tensor a column, where texts say that they are texts, as the codecs of MLServer want it."""
    inputs = [_tensor(rows, name) for name in rows]
    for tensor in inputs:
        if tensor["datatype"] == "BYTES":
            tensor["parameters"] = {"content_type": "str"}
    return orjson.dumps({"inputs": inputs})


def matrix(rows: pd.DataFrame) -> bytes:
    """One tensor for all columns, which are numbers."""
    return orjson.dumps({"inputs": [_matrix(rows)], "outputs": [{"name": "predict_proba"}]})


def plain_matrix(rows: pd.DataFrame) -> bytes:
    return orjson.dumps({"inputs": [_matrix(rows)]})


def rows_of_matrix(rows: pd.DataFrame) -> bytes:
    """As MLflow takes the one input of a graph."""
    return orjson.dumps({"inputs": rows.to_numpy().tolist()})


def arrays(rows: pd.DataFrame) -> bytes:
    """As MLflow takes the inputs of a graph by name: each as many rows of one value."""
    return orjson.dumps({"inputs": {name: [[value] for value in rows[name].tolist()] for name in rows}})


def _matrix(rows: pd.DataFrame) -> dict[str, Any]:
    return {"name": "X", "datatype": "FP64", "shape": list(rows.shape), "data": rows.to_numpy().ravel().tolist()}


def _tensor(rows: pd.DataFrame, name: str) -> dict[str, Any]:
    datatype = "FP64" if rows[name].dtype.kind == "f" else "BYTES"
    return {"name": name, "datatype": datatype, "shape": [len(rows), 1], "data": rows[name].tolist()}


def from_predictions(answer: Any) -> Sequence[float]:
    return [each["probability"] for each in answer["predictions"]]


def from_pairs(answer: Any) -> Sequence[float]:
    """From a list of both probabilities for each row."""
    return [pair[1] for pair in answer]


def from_mlflow(answer: Any) -> Sequence[float]:
    """MLflow answers with what the model's function gave: pairs, or the outputs of a graph by name."""
    found = answer["predictions"]
    return from_pairs(found["probabilities"] if isinstance(found, dict) else found)


def from_tensors(answer: Any) -> Sequence[float]:
    """From the one output of two columns, flat."""
    found = next(each for each in answer["outputs"] if each["shape"][-1] == 2 and len(each["shape"]) == 2)
    flat: list[float] = found["data"]
    return flat[1::2]
