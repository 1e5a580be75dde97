"""Histogram gradient boosting as a graph in double precision: skl2onnx's own converter rounds thresholds to float32.

Scikit-learn compares these trees' thresholds with the features in float64. In float32 every two values of a feature
that differ by less than one part in 16 million become one, so whole numbers above 16,777,216, moments in seconds or
coordinates with six decimals would land on the wrong side. Only the sum of the leaves leaves the trees as float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_nodes import Nodes

ML_DOMAIN, ML_VERSION = "ai.onnx.ml", 3


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """A converter for `custom_conversion_functions`: labels and probabilities."""
    from onnx import TensorProto

    model = operator.raw_operator
    graph = Nodes(scope, container)
    raw = _raw_predictions(graph, operator, model)
    # Asked for by a converter around this one, such as that of CalibratedClassifierCV.
    only_raw = container.get_options(model, {"raw_scores": False})["raw_scores"]
    if model.n_trees_per_iteration_ == 1:
        second = raw if only_raw else graph.add("Sigmoid", [raw])
        whole = graph.constant(TensorProto.DOUBLE, [1], [0.0 if only_raw else 1.0])
        scores = graph.add("Concat", [graph.add("Sub", [whole, second]), second], axis=1)
    else:
        scores = raw if only_raw else graph.add("Softmax", [raw], axis=1)
    texts = model.classes_.dtype.kind in "OUT"
    values = [str(label).encode() for label in model.classes_] if texts else [int(label) for label in model.classes_]
    classes = graph.constant(TensorProto.STRING if texts else TensorProto.INT64, [len(values)], values)
    winner = graph.add("ArgMax", [scores], axis=1, keepdims=0)
    graph.add("Gather", [classes, winner], operator.outputs[0].full_name, axis=0)
    graph.add("Cast", [scores], operator.outputs[1].full_name, to=_declared_type(operator.outputs[1]))


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """A converter for `custom_conversion_functions`: predictions, [rows, 1]."""
    model = operator.raw_operator
    graph = Nodes(scope, container)
    raw = _raw_predictions(graph, operator, model)
    if model.loss in {"poisson", "gamma"}:  # their link is the logarithm; that of all others is the identity
        raw = graph.add("Exp", [raw])
    graph.add("Cast", [raw], operator.outputs[0].full_name, to=_declared_type(operator.outputs[0]))


def _raw_predictions(graph: Nodes, operator: Any, model: Any) -> str:
    """The sum of the leaves and the baseline, [rows, trees per iteration], as double."""
    from onnx import TensorProto

    features = graph.add("Cast", [operator.inputs[0].full_name], to=TensorProto.DOUBLE)
    raw = graph.add(
        "TreeEnsembleRegressor", [features], op_domain=ML_DOMAIN, op_version=ML_VERSION, **_tree_attributes(model)
    )
    return graph.add("Cast", [raw], to=TensorProto.DOUBLE)


def _tree_attributes(model: Any) -> dict[str, Any]:
    trees = [(target, tree.nodes) for iteration in model._predictors for target, tree in enumerate(iteration)]
    nodes = np.concatenate([tree for _, tree in trees])
    sizes = [len(tree) for _, tree in trees]
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    targets = np.repeat([target for target, _ in trees], sizes)
    leaf = nodes["is_leaf"].astype(bool)
    branch_only = np.where(leaf, 0, 1)
    return {
        "n_targets": int(model.n_trees_per_iteration_),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "base_values_as_tensor": _doubles("base", np.ravel(model._baseline_prediction)),
        "nodes_treeids": tree_ids.tolist(),
        "nodes_nodeids": node_ids.tolist(),
        "nodes_modes": ["LEAF" if is_leaf else "BRANCH_LEQ" for is_leaf in leaf],
        "nodes_featureids": (nodes["feature_idx"] * branch_only).tolist(),
        "nodes_values_as_tensor": _doubles("thresholds", np.where(leaf, 0.0, nodes["num_threshold"])),
        "nodes_truenodeids": (nodes["left"] * branch_only).tolist(),
        "nodes_falsenodeids": (nodes["right"] * branch_only).tolist(),
        "nodes_missing_value_tracks_true": (nodes["missing_go_to_left"] * branch_only).tolist(),
        "target_treeids": tree_ids[leaf].tolist(),
        "target_nodeids": node_ids[leaf].tolist(),
        "target_ids": targets[leaf].tolist(),
        "target_weights_as_tensor": _doubles("leaves", nodes["value"][leaf]),
    }


def _doubles(name: str, values: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(values, dtype=np.float64), name=name)


def _declared_type(variable: Any) -> int:
    """What the converters around expect: double where the features are, else float32."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType

    return int(TensorProto.DOUBLE if isinstance(variable.type, DoubleTensorType) else TensorProto.FLOAT)
