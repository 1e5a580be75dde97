"""What has no rule here: converted alone by skl2onnx, in double precision, and made a part of our graph.

So a team's own transformer or estimator comes in, for which its code has registered a converter with skl2onnx
(`skl2onnx.update_registered_converter`), and a few of scikit-learn's. Parity judges what comes out. The functions are
called as rules are (`onnx_rules`). skl2onnx is imported when the first such estimator is met, and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import (
    IR_VERSION,
    ML,
    ML_OPSET,
    OPSET,
    Block,
    Features,
    Graph,
    Scores,
    Unfaithful,
    shortened,
)

CONVERTERS_ML_OPSET = 3
"""The newest that skl2onnx 1.20 writes. Of its operators only `OLD_TREES` are not valid in ours any more."""
OLD_TREES = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}
EXACT = {
    *("Abs", "Add", "And", "ArrayFeatureExtractor", "Cast", "Ceil", "Clip", "Concat", "Constant", "ConstantOfShape"),
    *("Div", "Equal", "Expand", "Flatten", "Floor", "Gather", "Greater", "GreaterOrEqual", "Identity", "IsInf"),
    *("IsNaN", "LabelEncoder", "Less", "LessOrEqual", "Max", "Min", "Mul", "Neg", "Not", "Or", "Reshape", "Round"),
    *("Shape", "Sign", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze", "Where", "Xor"),
}
"""Operators that give the last digit natively too; sums and functions do not."""
REGISTER = "another one of docs/export.md, register a converter for it with skl2onnx, or do it in data.prepare"
REPAIR = "a converter that works (docs/export.md), or do it in data.prepare"


def transform(graph: Graph, transformer: Any, features: Features) -> Features:
    """All that its converter gives, side by side; of a clustering the distances, and not the cluster."""
    from sklearn.base import ClusterMixin

    before = len(graph.nodes)
    outputs = _converted(graph, transformer, features)
    made = {node.op_type for node in graph.nodes[before:]}
    rounded = not made <= EXACT or any(block.rounded for block in features)
    given = outputs[-1:] if isinstance(transformer, ClusterMixin) else outputs
    return tuple(replace(_block(graph, transformer, output), rounded=rounded) for output in given)


def predict(graph: Graph, regressor: Any, features: Features) -> str:
    """The first that its converter gives."""
    numbers = _block(graph, regressor, _converted(graph, regressor, features)[0], width=1)
    return graph.add("Reshape", graph.matrix((numbers,)), np.array([-1, 1]))


def classify(graph: Graph, classifier: Any, features: Features) -> Scores:
    """Its converter gives labels, which become positions in `classes_`, and probabilities."""
    outputs = _converted(graph, classifier, features)
    if len(outputs) != 2:
        what = f"the converter of {_name(classifier)} gives no probabilities beside the labels"
        raise Unfaithful(what, "a class that inherits from ClassifierMixin, and a converter that gives both")
    known = list(classifier.classes_)
    labels = _block(graph, classifier, outputs[0], width=1)
    if labels.kind == "text":
        keys: dict[str, Any] = {"keys_strings": [str(label).encode() for label in known]}
        names = labels.name
    else:
        keys, names = {"keys_int64s": [int(label) for label in known]}, graph.cast(labels.name, "INT64")
    positions = graph.add("LabelEncoder", names, domain=ML, values_int64s=list(range(len(known))), **keys)
    probabilities = _block(graph, classifier, outputs[1], width=len(known))
    return Scores(probabilities=graph.matrix((probabilities,)), winners=graph.add("Reshape", positions, np.array([-1])))


def decide(_graph: Graph, classifier: Any, _features: Features) -> str:
    what = f"calibration and stacking ask {_name(classifier)} for its decision function, which has no converter"
    raise Unfaithful(what, "a classifier with predict_proba and without decision_function")


def _converted(graph: Graph, estimator: Any, features: Features) -> Sequence[Any]:
    """Makes the converter's operators a part of the graph; gives its outputs as ONNX describes them."""
    inputs = _inputs(graph, features)
    model = _checked(_convert(estimator, inputs), estimator)
    prefix = graph.part()
    _rename(model.graph, prefix)
    for block, entry in zip(inputs, model.graph.input, strict=True):
        graph.name(block.name, entry.name)
    graph.initializers.extend(model.graph.initializer)
    graph.nodes.extend(model.graph.node)
    return list(model.graph.output)


def _inputs(graph: Graph, features: Features) -> Features:
    """One matrix of numbers, or of texts; where there are both, a matrix for each column."""
    kinds = {block.kind for block in features}
    width = sum(block.width for block in features)
    if len(kinds) > 1:
        return tuple(block for column in range(width) for block in graph.select(features, [column]))
    return (Block(name=graph.beside([block.name for block in features]), kind=kinds.pop(), width=width),)


def _convert(estimator: Any, inputs: Features) -> Any:
    """What skl2onnx makes of it. The converter knows its inputs as `X0`, `X1`, ..."""
    from skl2onnx import convert_sklearn
    from skl2onnx._parse import sklearn_parsers_map
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    types = {"number": DoubleTensorType, "text": StringTensorType}
    # Probabilities as a matrix, not as dictionaries. The option may be given only where it is registered.
    parser = getattr(sklearn_parsers_map.get(type(estimator)), "__name__", "")
    options = {id(estimator): {"zipmap": False}} if parser == "_parse_sklearn_classifier" else None
    try:
        return convert_sklearn(
            estimator,
            name="part",
            initial_types=[(f"X{i}", types[block.kind]([None, block.width])) for i, block in enumerate(inputs)],
            options=options,
            target_opset={"": OPSET, ML: CONVERTERS_ML_OPSET},
        )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise Unfaithful(f"{_name(estimator)} has no converter", REGISTER) from error
    except Exception as error:
        what = f"the converter of {_name(estimator)} raised {type(error).__name__}: {shortened(error)}"
        raise Unfaithful(what, REPAIR) from error


def _checked(model: Any, estimator: Any) -> Any:
    """The same model in our versions of the operators.

    Its outputs have the types and shapes that follow from the operators; those declared where nothing follows.
    """
    import onnx

    old = sorted({node.op_type for node in model.graph.node} & OLD_TREES)
    if old:
        what = f"the converter of {_name(estimator)} makes {old[0]}, which adds up in float32"
        raise Unfaithful(
            what, "trees of scikit-learn, LightGBM or XGBoost that are no part of an estimator of your own"
        )
    del model.opset_import[:]
    model.opset_import.extend([onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid(ML, ML_OPSET)])
    model.ir_version = IR_VERSION
    try:
        onnx.checker.check_model(model)
        declared = [onnx.TypeProto.FromString(output.type.SerializeToString()) for output in model.graph.output]
        for output in model.graph.output:
            output.ClearField("type")
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception as error:
        what = f"what the converter of {_name(estimator)} makes is not valid in ONNX {OPSET} and {ML} {ML_OPSET}"
        raise Unfaithful(f"{what}: {shortened(error)}", REPAIR) from error
    for output, kind in zip(model.graph.output, declared, strict=True):
        if not _width(output):
            output.type.CopyFrom(kind)
    _without_products(model.graph)
    return model


def _without_products(graph: Any) -> None:
    """Products of two matrices in the form that the runtime leaves alone; see `Graph.product`."""
    from onnx import TensorProto

    tensors = [(value.name, value.type.tensor_type) for value in (*graph.input, *graph.value_info, *graph.output)]
    matrices = {name for name, kind in tensors if kind.elem_type == TensorProto.DOUBLE and len(kind.shape.dim) == 2}
    matrices |= {one.name for one in graph.initializer if one.data_type == TensorProto.DOUBLE and len(one.dims) == 2}
    for node in graph.node:
        if node.op_type == "MatMul" and matrices.issuperset(node.input):
            node.op_type = "Gemm"


def _rename(graph: Any, prefix: str) -> None:
    """Every tensor, also in the graphs inside of loops and branches; operators need no names."""
    for named in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        named.name = prefix + named.name
    for node in graph.node:
        node.name = node.doc_string = ""
        for names in (node.input, node.output):
            names[:] = [name and prefix + name for name in names]
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                _rename(inner, prefix)


def _block(graph: Graph, estimator: Any, output: Any, *, width: int | None = None) -> Block:
    """An output as doubles or texts; its `width` is said where it is known otherwise."""
    from onnx import TensorProto

    kind, width = output.type.tensor_type.elem_type, width or _width(output)
    if not kind:
        raise Unfaithful(f"the converter of {_name(estimator)} gives something else than a tensor", REPAIR)
    if not width:
        what = f"the converter of {_name(estimator)} does not say how many columns it gives"
        raise Unfaithful(what, "a shape calculator that does: operator.outputs[0].type = DoubleTensorType([None, 3])")
    if kind == TensorProto.STRING:
        return Block(name=output.name, kind="text", width=width)
    name = output.name if kind == TensorProto.DOUBLE else graph.cast(output.name, "DOUBLE")
    return Block(name=name, kind="number", width=width)


def _width(output: Any) -> int | None:
    """The number of columns of a matrix; None where it is unknown."""
    dimensions = output.type.tensor_type.shape.dim
    return dimensions[1].dim_value or None if len(dimensions) == 2 else None


def _name(estimator: Any) -> str:
    return f"{type(estimator).__module__.partition('.')[0]}.{type(estimator).__name__}"
