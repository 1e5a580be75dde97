"""Fitted scikit-learn estimators to ONNX graphs that answer the same, through skl2onnx."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci.adapters.onnx_boosting import convert_classifier, convert_regressor
from mlops_ci.adapters.onnx_forests import TREE_OPERATORS, keep_missing_directions
from mlops_ci.adapters.onnx_imputing import convert_imputer
from mlops_ci.adapters.onnx_refusals import parts, refusal
from mlops_ci.core.signature import Signature
from mlops_ci.errors import ParityError

OPSET = {"": 21, "ai.onnx.ml": 3}
"""Fixed, so that a newer converter does not change the bytes of a graph; onnxruntime has known both for years."""
FLOAT32 = frozenset(
    {
        *("AdaBoost", "Bagging", "DecisionTree", "ExtraTree", "ExtraTrees", "GradientBoosting"),
        *("LGBM", "RandomForest", "XGB", "XGBRF"),
    }
)
"""Trees: scikit-learn itself casts what they are given to float32, and the runtime has them in no other type."""
FLOAT32_CLASSES = frozenset(
    {f"{name}{kind}" for name in FLOAT32 for kind in ("Classifier", "Regressor")} | {"SVR", "NuSVR"}
)
ADVICE = "use scikit-learn's own transformers and estimators (docs/export.md), and do what they cannot in data.prepare"
REASON_LENGTH = 300


class SklearnExporter:
    """Implements `ports.Exporter`.

    Numbers enter as float64 and stay it up to the last step, as they do in scikit-learn: a scaler in single precision
    moves values across the thresholds of the trees behind it.
    """

    def export(self, estimator: Any, signature: Signature) -> bytes:
        estimator = _unwrapped(estimator)
        refused = refusal(estimator)
        if refused:
            what = f"cannot be converted to ONNX: {refused[0]}"
            raise ParityError(what, where=_name(estimator), fix=f"use {refused[1]}")
        outputs = ("prediction",) if signature.task == "regression" else ("label", "probabilities")
        taken = sorted({column.name for column in signature.inputs} & set(outputs))
        if taken:
            what = f"a feature is called {taken[0]}, as an output of the graph is"
            raise ParityError(what, where=_name(estimator), fix="rename the column in data.prepare")
        model, names = _convert(estimator, signature)
        keep_missing_directions(model.graph, _steps(estimator)[-1])
        _add_up_in_double(model.graph)
        _rename(model, _new_names(model.graph, names, outputs))
        _complete(model, signature, outputs)
        _check(model, estimator)
        graph: bytes = model.SerializeToString(deterministic=True)
        return graph


def _unwrapped(estimator: Any) -> Any:
    """The estimator that a finished search has chosen; it alone answers."""
    while hasattr(estimator, "cv_results_") and hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator


def _convert(estimator: Any, signature: Signature) -> tuple[Any, Mapping[str, str]]:
    """The graph, and the name that each of the signature's columns has in it."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

    types = {"number": DoubleTensorType, "text": StringTensorType}
    inputs = [(column.name, types[column.kind]([None, 1])) for column in signature.inputs]
    pipeline = _as_pipeline(estimator, signature)
    options = None if signature.task == "regression" else {id(pipeline): {"zipmap": False}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the converter's own dependencies; parity judges the result
            model, topology = convert_sklearn(
                pipeline,
                "model",
                inputs,
                options=options,
                target_opset=OPSET,
                custom_conversion_functions=_own_converters(),
                intermediate=True,
            )
    except Exception as error:
        unknown = re.search(r"<class '([^']+)'>", str(error)) if "Missing" in type(error).__name__ else None
        reason = f"{unknown[1]} has no converter" if unknown else f"{type(error).__name__}: {_reason(error)}"
        raise ParityError(f"cannot be converted to ONNX: {reason}", where=_name(estimator), fix=ADVICE) from error
    variables = [variable for scope in topology.scopes for variable in scope.input_variables]
    return model, {variable.raw_name: variable.onnx_name for variable in variables}


def _own_converters() -> dict[type, Any]:
    """In place of those of skl2onnx that are wrong, or not to be run, in double precision."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer

    return {
        HistGradientBoostingClassifier: convert_classifier,
        HistGradientBoostingRegressor: convert_regressor,
        SimpleImputer: convert_imputer,
    }


def _as_pipeline(estimator: Any, signature: Signature) -> Any:
    """The same fitted steps, with the columns put together in front and the cast that trees make before the last."""
    import numpy as np
    from skl2onnx.sklapi import CastTransformer
    from sklearn.pipeline import Pipeline

    *before, last = _steps(estimator)
    if any(type(part).__name__ in FLOAT32_CLASSES for part in parts(last)):
        before.append(CastTransformer(dtype=np.float32))
    steps = [*_columns_together([*before, last][0], signature), *before, last]
    return Pipeline([(f"step{number}", step) for number, step in enumerate(steps)])


def _steps(estimator: Any) -> list[Any]:
    """The steps of a pipeline, and of the pipelines in it, without those that do nothing."""
    from sklearn.pipeline import Pipeline

    if not isinstance(estimator, Pipeline):
        return [estimator]
    chosen = [step for _, step in estimator.steps if step is not None and not isinstance(step, str)]
    return [inner for step in chosen for inner in _steps(step)]


def _columns_together(first: Any, signature: Signature) -> list[Any]:
    """A step that makes one matrix of all columns, for a first step that takes a matrix.

    The converter's own way of doing so goes through float32. Columns of both kinds make no matrix; a first step that
    takes such columns one by one, such as an encoder, is left to the converter.
    """
    import pandas as pd
    from sklearn.compose import ColumnTransformer

    kinds = {column.kind for column in signature.inputs}
    if isinstance(first, ColumnTransformer) or len(kinds) > 1:
        return []
    names = [column.name for column in signature.inputs]
    row = pd.DataFrame([["" if "text" in kinds else 0.0] * len(names)], columns=names, dtype=object)
    together = ColumnTransformer([("columns", "passthrough", names)])
    return [together.fit(row if "text" in kinds else row.astype(float))]


def _add_up_in_double(graph: Any) -> None:
    """Casts what goes into trees to double, which makes the runtime add up their leaves in double.

    In float32 half of the votes of a forest are not always a half, and a label flips. The thresholds were rounded for
    float32 values, and these are the same as doubles.
    """
    from onnx import TensorProto, helper

    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type in TREE_OPERATORS:
            name = f"{node.input[0]}/double/{len(nodes)}"
            nodes.append(helper.make_node("Cast", [node.input[0]], [name], to=TensorProto.DOUBLE))
            node.input[0] = name
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _new_names(graph: Any, inputs: Mapping[str, str], outputs: Sequence[str]) -> dict[str, str]:
    """Old to new names of all tensors: columns and outputs as the signature says, the others numbered in order."""
    new = {onnx: raw for raw, onnx in inputs.items()}
    if "label" in outputs:  # the others still have to be made double
        new[graph.output[0].name] = "label"
    prefix = "/" * (1 + max((len(name) - len(name.lstrip("/")) for name in inputs), default=0))
    for name in _tensor_names(graph):
        if name and name not in new:
            new[name] = f"{prefix}{len(new)}"
    return new


def _tensor_names(graph: Any) -> list[str]:
    names = [tensor.name for tensor in (*graph.input, *graph.initializer, *graph.sparse_initializer)]
    for node in graph.node:
        names += [*node.input, *node.output]
        for inner in _inner_graphs(node):
            names += _tensor_names(inner)
    return [*names, *(output.name for output in graph.output), *(value.name for value in graph.value_info)]


def _inner_graphs(node: Any) -> list[Any]:
    found = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return found + [graph for attribute in node.attribute for graph in attribute.graphs]


def _rename(model: Any, names: Mapping[str, str]) -> None:
    """Gives each tensor its new name and each node a numbered one, in the graphs inside of nodes too."""
    waiting, count = [model.graph], 0
    while waiting:
        graph = waiting.pop(0)
        for tensor in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
            tensor.name = names[tensor.name]
        for node in graph.node:
            node.name = f"{node.op_type}_{count}"
            count += 1
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]
            waiting += _inner_graphs(node)


def _complete(model: Any, signature: Signature, outputs: Sequence[str]) -> None:
    """All columns become inputs in the signature's order, even what the estimator ignores; nothing says who made it."""
    import onnx
    from onnx import TensorProto, helper

    types = {"number": TensorProto.DOUBLE, "text": TensorProto.STRING}
    graph = model.graph
    del graph.input[:]
    graph.input.extend(
        helper.make_tensor_value_info(column.name, types[column.kind], [None, 1]) for column in signature.inputs
    )
    shapes: dict[str, list[int | str | None]] = {
        "label": [None],
        "probabilities": [None, len(signature.classes)],
        "prediction": [None, 1],
    }
    texts = bool(signature.classes) and isinstance(signature.classes[0], str)
    label = TensorProto.STRING if texts else TensorProto.INT64
    made = [output.name for output in graph.output]
    del graph.output[:]
    for name, origin in zip(outputs, made, strict=True):
        if name != "label":
            # Which of the two float types it has depends on the estimator, and is not always what the graph declares.
            graph.node.append(helper.make_node("Cast", [origin], [name], to=TensorProto.DOUBLE, name=f"Cast_{name}"))
        kind = TensorProto.DOUBLE if name != "label" else label
        graph.output.append(helper.make_tensor_value_info(name, kind, shapes[name]))
    del graph.value_info[:]
    graph.name, graph.doc_string = "model", ""
    model.producer_name, model.producer_version, model.domain, model.doc_string = "mlops-ci", "", "", ""
    domains = sorted((opset.domain, opset.version) for opset in model.opset_import)
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in domains)


def _check(model: Any, estimator: Any) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        what = f"the converter made an invalid graph: {_reason(error)}"
        raise ParityError(what, where=_name(estimator), fix=ADVICE) from error


def _name(estimator: Any) -> str:
    """The classes of its steps, such as `StandardScaler + LogisticRegression`."""
    return " + ".join(type(step).__name__ for step in _steps(estimator))


def _reason(error: BaseException) -> str:
    """The first lines of what can be 25,000."""
    text = " ".join(str(error)[: 4 * REASON_LENGTH].split())
    return text if len(text) <= REASON_LENGTH else f"{text[:REASON_LENGTH]} ..."
