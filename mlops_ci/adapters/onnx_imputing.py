"""SimpleImputer as a graph for doubles and texts: the runtime has the standard operator in neither."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_nodes import Nodes


def convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    """A converter for `custom_conversion_functions`. A column that was empty in training is left out, as natively."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType

    model, features = operator.raw_operator, operator.inputs[0]
    graph = Nodes(scope, container)
    given, output = features.full_name, operator.outputs[0].full_name
    if isinstance(features.type, StringTensorType):
        if not isinstance(model.missing_values, str):
            # A text is never NaN or None here: a missing text is "".
            graph.add("Identity", [given], output)
            return
        fill = graph.constant(TensorProto.STRING, [1, len(model.statistics_)], [_bytes(v) for v in model.statistics_])
        mark = graph.constant(TensorProto.STRING, [1], [_bytes(model.missing_values)])
        graph.add("Where", [graph.add("Equal", [given, mark]), fill, given], output)
        return
    double = isinstance(features.type, DoubleTensorType)
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    if isinstance(features.type, Int64TensorType):
        given = graph.add("Cast", [given], to=kind)
    statistics = np.asarray(model.statistics_, dtype=np.float64)
    kept = np.flatnonzero(~np.isnan(statistics))
    if len(kept) < len(statistics):
        chosen = graph.constant(TensorProto.INT64, [len(kept)], kept.tolist())
        given = graph.add("Gather", [given, chosen], axis=1)
    fill = graph.constant(kind, [1, len(kept)], statistics[kept].tolist())
    graph.add("Where", [_missing(graph, given, model.missing_values, kind), fill, given], output)


def _missing(graph: Nodes, given: str, mark: Any, kind: int) -> str:
    if mark is None or np.isnan(mark):
        return graph.add("IsNaN", [given])
    return graph.add("Equal", [given, graph.constant(kind, [1], [float(mark)])])


def _bytes(value: Any) -> bytes:
    return str(value).encode()
