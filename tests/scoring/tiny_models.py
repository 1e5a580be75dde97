"""Small fitted models of every task, with their ONNX graphs in the shape that the signature promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from skl2onnx.sklapi import CastTransformer
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_ci.core.signature import Column, Signature, Task

ROWS = 200


@dataclass(frozen=True, kw_only=True)
class TinyModel:
    """`frame` holds rows to ask it about, missing values and unseen categories among them."""

    estimator: Any
    onnx: bytes
    signature: Signature
    frame: pd.DataFrame

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        return {name: self.frame[name].to_numpy() for name in self.frame}

    @property
    def records(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.frame.to_dict(orient="records")
        return [{name: None if value == "" or pd.isna(value) else value for name, value in row.items()} for row in rows]


@cache
def binary(*, shift: float = 0.0, threshold: float = 0.5) -> TinyModel:
    """Is the flight late? With a text column, and a `shift` of the target that gives different models."""
    frame, signal = _data()
    target = (signal + shift > 0).astype(np.int64)
    return _fit(_trees(HistGradientBoostingClassifier), frame, target, "binary-classification", (0, 1), threshold)


@cache
def multiclass() -> TinyModel:
    """Three classes with texts for labels; a missing number makes its probabilities NaN."""
    frame, signal = _data()
    target = np.array(["early", "late", "on time"], dtype=object)[np.digitize(signal, [-0.5, 0.5])]
    return _fit(LogisticRegression(), frame, target, "multiclass-classification", ("early", "late", "on time"))


@cache
def regression() -> TinyModel:
    frame, signal = _data()
    return _fit(_trees(HistGradientBoostingRegressor), frame, signal, "regression", ())


def _trees(kind: type[Any]) -> Any:
    """A model that takes missing values; its trees compare in float32, as onnxruntime's do."""
    return make_pipeline(CastTransformer(), kind(max_iter=5, max_depth=3, early_stopping=False))


def _data() -> tuple[pd.DataFrame, NDArray[np.float64]]:
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "distance": random.normal(1000, 300, ROWS),
            "hour": random.integers(5, 23, ROWS).astype(np.float64),
            "carrier": pd.Series(random.choice(["AA", "UA", "Çelebi"], ROWS), dtype=object),
        }
    )
    signal = (frame["distance"].to_numpy() - 1000) / 300 + (frame["carrier"] == "UA").to_numpy() * 0.7
    return frame, signal


def _fit(
    estimator: Any, frame: pd.DataFrame, target: Any, task: Task, classes: tuple[str | int, ...], threshold: float = 0.5
) -> TinyModel:
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer((StandardScaler(), ["distance", "hour"]), (encoder, ["carrier"]))
    pipeline = make_pipeline(prepare, estimator).fit(frame, target)
    types = {"number": DoubleTensorType([None, 1]), "text": StringTensorType([None, 1])}
    columns = (
        Column(name="distance", kind="number"),
        Column(name="hour", kind="number"),
        Column(name="carrier", kind="text"),
    )
    options = {id(pipeline): {"zipmap": False}} if classes else None
    names = ["label", "probabilities"] if classes else ["prediction"]
    inputs = [(column.name, types[column.kind]) for column in columns]
    graph = to_onnx(pipeline, initial_types=inputs, options=options)
    asked = frame.head(40).copy()
    if not isinstance(estimator, LogisticRegression):
        asked.loc[0, "distance"] = np.nan
    asked.loc[1, "carrier"] = "never seen"
    asked.loc[2, "carrier"] = ""
    return TinyModel(
        estimator=pipeline,
        onnx=_named(graph, names).SerializeToString(),
        signature=Signature(task=task, inputs=columns, classes=classes, threshold=threshold),
        frame=asked,
    )


def _named(graph: Any, names: list[str]) -> Any:
    """The graph with these names for its outputs."""
    for output, name in zip(graph.graph.output, names, strict=True):
        for node in graph.graph.node:
            node.output[:] = [name if given == output.name else given for given in node.output]
        output.name = name
    return graph
