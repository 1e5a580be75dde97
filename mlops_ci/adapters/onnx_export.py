"""Fitted scikit-learn estimators to ONNX graphs that answer the same.

`onnx_rules` says how each estimator becomes operators; what has no rule there is refused. Numbers enter as float64 and
stay it, as they do in scikit-learn, and are cast to float32 where the estimator itself does it: a scaler in single
precision moves values across the thresholds of the trees behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import (
    ADVICE,
    IR_VERSION,
    ML,
    ML_OPSET,
    OPSET,
    Block,
    Features,
    Graph,
    Unfaithful,
    shortened,
)
from mlops_ci.adapters.onnx_rules import find, refusal
from mlops_ci.adapters.tree_thresholds import trees_in
from mlops_ci.core.signature import Signature
from mlops_ci.core.thresholds import TreesInGraph
from mlops_ci.errors import ParityError


class SklearnExporter:
    """Implements `ports.Exporter`."""

    def export(self, estimator: Any, signature: Signature) -> bytes:
        refused = refusal(estimator)
        if refused:
            raise _cannot(estimator, *refused)
        outputs = ("prediction",) if signature.task == "regression" else ("label", "probabilities")
        taken = sorted({column.name for column in signature.inputs} & set(outputs))
        if taken:
            what = f"a feature is called {taken[0]}, as an output of the graph is"
            raise ParityError(what, where=_name(estimator), fix="rename the column in data.prepare")
        model = _model(estimator, signature)
        _check(model, estimator)
        graph: bytes = model.SerializeToString(deterministic=True)
        return graph

    def trees(self, graph: bytes) -> TreesInGraph | None:
        return trees_in(graph)


def _model(estimator: Any, signature: Signature) -> Any:
    """All columns are inputs, even what the estimator ignores; nothing in the model says who made it, or when."""
    from onnx import TensorProto, helper

    longest = max((len(column.name) - len(column.name.lstrip("/")) for column in signature.inputs), default=0)
    graph = Graph(find, prefix="/" * (1 + longest))
    features = tuple(Block(name=column.name, kind=column.kind, width=1) for column in signature.inputs)
    try:
        if signature.task == "regression":
            answers = _regression(graph, estimator, features)
        else:
            answers = _classification(graph, estimator, features, signature)
    except Unfaithful as error:
        raise _cannot(estimator, str(error), error.instead) from error
    types = {"number": TensorProto.DOUBLE, "text": TensorProto.STRING}
    made = helper.make_graph(
        graph.nodes,
        "model",
        [helper.make_tensor_value_info(column.name, types[column.kind], [None, 1]) for column in signature.inputs],
        answers,
        initializer=graph.initializers,
    )
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
    return helper.make_model(made, producer_name="mlops-ci", opset_imports=domains, ir_version=IR_VERSION)


def _regression(graph: Graph, estimator: Any, features: Features) -> list[Any]:
    from onnx import TensorProto, helper

    graph.name(graph.predict(estimator, features), "prediction")
    return [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, 1])]


def _classification(graph: Graph, estimator: Any, features: Features, signature: Signature) -> list[Any]:
    """The label of two classes follows from the probability, as the signature says; of more it is the estimator's."""
    from onnx import TensorProto, helper

    scores = graph.classify(estimator, features)
    winners = scores.winners or graph.add("ArgMax", scores.probabilities, axis=1, keepdims=0)
    if signature.task == "binary-classification":
        second = graph.add("Gather", scores.probabilities, np.int64(1), axis=1)
        winners = graph.cast(graph.add("GreaterOrEqual", second, np.float64(signature.threshold)), "INT64")
    texts = isinstance(signature.classes[0], str)
    classes = np.array(signature.classes, dtype=object if texts else np.int64)
    graph.name(graph.add("Gather", classes, winners, axis=0), "label")
    graph.name(scores.probabilities, "probabilities")
    kind = TensorProto.STRING if texts else TensorProto.INT64
    shape = [None, len(signature.classes)]
    return [
        helper.make_tensor_value_info("label", kind, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, shape),
    ]


def _check(model: Any, estimator: Any) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:  # the latter where it is larger than 2 GB
        raise _cannot(estimator, f"the graph is invalid: {shortened(error)}", ADVICE) from error


def _cannot(estimator: Any, what: str, instead: str) -> ParityError:
    return ParityError(f"cannot be converted to ONNX: {what}", where=_name(estimator), fix=f"use {instead}")


def _name(estimator: Any) -> str:
    """The classes of its steps, such as `StandardScaler + LogisticRegression`."""
    steps = getattr(estimator, "steps", None)
    if steps is None:
        return type(estimator).__name__
    return " + ".join(_name(step) for _, step in steps if step is not None and not isinstance(step, str))
