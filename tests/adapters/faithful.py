"""One fitted estimator as a graph of its own, and whether it answers as the native one, to the last digits."""

from __future__ import annotations

import functools
import warnings
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import onnxruntime
import pandas as pd
from onnx import TensorProto, helper

from mlops_ci.adapters.onnx_export import IR_VERSION, ML_OPSET, OPSET
from mlops_ci.adapters.onnx_graph import Block, Graph
from mlops_ci.adapters.onnx_rules import find
from tests.estimators.data import Rows, flights

Asked = Literal["transform", "predict", "classify", "decide"]
TRAINING, HOLDOUT = 600, 300
CLOSE = 1e-9
"""Of the larger of 1 and the value: what double precision leaves after some sums."""


@functools.cache
def rows() -> Rows:
    """Flights, with missing values, and texts and numbers in the holdout that were not seen in training."""
    whole = flights()
    targets = {name: values[:TRAINING] for name, values in whole.targets.items()}
    return replace(whole, training=whole.training[:TRAINING], holdout=whole.holdout[:HOLDOUT], targets=targets)


def fitted(estimator: Any, columns: list[str], target: Any = "two classes") -> Any:
    """Fitted to columns of the flights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target = rows().targets[target] if isinstance(target, str) else target
        return estimator.fit(rows().training[columns], target)


def asked(columns: list[str]) -> pd.DataFrame:
    """The holdout, and rows that are far from all others: ten times as large, 0, empty, never seen."""
    real = rows().holdout[columns]
    made = real[:60].reset_index(drop=True)
    for name in columns:
        if made[name].dtype.kind == "f":
            made.loc[:20, name] = made[name][:21] * 10
            made.loc[21:30, name] = 0.0
        else:
            made.loc[:20, name] = "never seen"
            made.loc[21:30, name] = ""
    return pd.concat([real, made], ignore_index=True)


def assert_same(what: Asked, estimator: Any, frame: pd.DataFrame, *, close: float = CLOSE) -> None:
    """Missing and infinite answers have to be the same ones; so have the winners among classes."""
    found, expected = answers(what, estimator, frame), native(what, estimator, frame)
    assert found[0].shape == expected.shape
    if found[0].dtype == object:
        assert (found[0] == expected).all()
        return
    np.testing.assert_allclose(found[0] / _size(expected), expected / _size(expected), rtol=0, atol=close)
    if what == "classify":
        np.testing.assert_array_equal(estimator.classes_[found[1]], estimator.predict(frame))


def answers(what: Asked, estimator: Any, frame: pd.DataFrame) -> list[Any]:
    """The graph's answers: one matrix, and of a classifier the winners' positions too."""
    graph = Graph(find)
    features = tuple(
        Block(name=name, kind="number" if frame[name].dtype.kind == "f" else "text", width=1) for name in frame
    )
    kinds = [TensorProto.DOUBLE]
    if what == "classify":
        scores = graph.classify(estimator, features)
        names = [scores.probabilities, scores.winners or graph.add("ArgMax", scores.probabilities, axis=1, keepdims=0)]
        kinds.append(TensorProto.INT64)
    elif what == "transform":
        made = graph.transform(estimator, features)
        names = [graph.add("Concat", *(block.name for block in made), axis=1)]
        kinds = [TensorProto.STRING if made[0].kind == "text" else TensorProto.DOUBLE]
    else:
        names = [getattr(graph, what)(estimator, features)]
    types = {"number": TensorProto.DOUBLE, "text": TensorProto.STRING}
    outputs = [
        helper.make_tensor_value_info(name, kind, [None] if kind == TensorProto.INT64 else [None, None])
        for name, kind in zip(names, kinds, strict=True)
    ]
    inputs = [helper.make_tensor_value_info(block.name, types[block.kind], [None, 1]) for block in features]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "one", inputs, outputs, graph.initializers),
        opset_imports=opsets,
        ir_version=IR_VERSION,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(names, {name: frame[name].to_numpy().reshape(-1, 1) for name in frame})
    return found


def native(what: Asked, estimator: Any, frame: pd.DataFrame) -> Any:
    method = {"classify": "predict_proba", "decide": "decision_function"}.get(what, what)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = getattr(estimator, method)(frame)
    answer = np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)
    return answer.reshape(len(frame), -1) if answer.dtype == object else answer.reshape(len(frame), -1).astype(float)


def _size(values: Any) -> Any:
    return np.where(np.isfinite(values), np.maximum(1.0, np.abs(values)), 1.0)
