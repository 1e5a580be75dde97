"""The trees in an ONNX graph, and the graph of what comes before them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.adapters.onnx_trees import LESS, LESS_OR_EQUAL, MEMBER
from mlops_ci.core.thresholds import Ensemble, TreesInGraph
from mlops_ci.core.trees import LEAF, Trees

OPERATOR = "TreeEnsemble"
DIRECTIONS = "nodes_missing_value_tracks_true"
MODES = {LESS_OR_EQUAL: "<=", LESS: "<", MEMBER: "=="}


def trees_in(graph: bytes) -> TreesInGraph | None:
    """None where there are no trees; the graphs inside of operators (loops) are not searched for any."""
    import onnx

    model = onnx.load_model_from_string(graph)
    operators = [node for node in model.graph.node if node.op_type == OPERATOR]
    if not operators:
        return None
    ensembles = [Ensemble(matrix=_output(node.input[0]), trees=_trees(node)) for node in operators]
    return TreesInGraph(ensembles=ensembles, preprocessing=_up_to({node.input[0] for node in operators}, model))


def _output(tensor: str) -> str:
    """What a tensor is called as an output: a column may go into the trees just as it comes, and have its own name."""
    return f"{tensor}/in trees"


def _up_to(tensors: set[str], model: Any) -> bytes:
    """The part of the model that makes these tensors, which become its outputs, as doubles. All inputs stay."""
    from onnx import TensorProto, helper

    needed, nodes = set(tensors), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed.update(node.input, *(_outer_names(attribute) for attribute in node.attribute))
    kept = nodes[::-1]
    constants = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    outputs = []
    for name in sorted(tensors):
        kept.append(helper.make_node("Cast", [name], [_output(name)], to=TensorProto.DOUBLE))
        outputs.append(helper.make_tensor_value_info(_output(name), TensorProto.DOUBLE, [None, None]))
    part = helper.make_graph(kept, "preprocessing", list(model.graph.input), outputs, initializer=constants)
    whole = helper.make_model(part, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    data: bytes = whole.SerializeToString()
    return data


def _outer_names(attribute: Any) -> set[str]:
    """All names that the graphs of an attribute may take from around it."""
    graphs = [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
    names: set[str] = set()
    for graph in graphs:
        for node in graph.node:
            names.update(node.input, *(_outer_names(inner) for inner in node.attribute))
        names.update(output.name for output in graph.output)
    return names


def _trees(node: Any) -> Trees:
    """The operator numbers comparisons and leaves apart; here leaves come last.

    A comparison with a set becomes one with each of its values, each of which leads to the same node.
    """
    found = {attribute.name: attribute for attribute in node.attribute}
    modes, leaves = _tensor(found, "nodes_modes"), len(found["leaf_targetids"].ints)
    sets = _sets(_tensor(found, "membership_values")) if "membership_values" in found else []
    sizes = np.ones(len(modes), dtype=np.int64)
    sizes[modes == MEMBER] = [len(members) for members in sets]
    start = np.cumsum(sizes) - sizes
    count = int(sizes.sum())

    def positions(side: str) -> NDArray[np.int64]:
        child, is_leaf = _integers(found, f"nodes_{side}nodeids"), _integers(found, f"nodes_{side}leafs")
        return np.where(is_leaf == 1, count + child, start[np.where(is_leaf == 1, 0, child)])

    def each(values: NDArray[Any], of_leaf: Any) -> NDArray[Any]:
        return np.concatenate([np.repeat(values, sizes), np.full(leaves, of_leaf, dtype=values.dtype)])

    threshold = each(_tensor(found, "nodes_splits").astype(np.float64), 0.0)
    threshold[:count][each(modes == MEMBER, False)[:count]] = np.concatenate([np.empty(0), *sets])
    last = np.zeros(count + leaves, dtype=np.bool_)
    last[start + sizes - 1] = True
    missing = _integers(found, DIRECTIONS) if DIRECTIONS in found else np.zeros(len(modes), dtype=np.int64)
    return Trees(
        feature=each(_integers(found, "nodes_featureids"), 0),
        threshold=threshold,
        mode=each(np.array([MODES[int(mode)] for mode in modes], dtype=object), LEAF).astype(np.str_),
        yes=each(positions("true"), 0),
        no=np.where(last, each(positions("false"), 0), np.arange(1, count + leaves + 1)),
        missing_yes=each(missing == 1, False),
        roots=start[_integers(found, "tree_roots")],
    )


def _sets(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The values of each set; NaN ends one."""
    ends = np.flatnonzero(np.isnan(values))
    return [values[first:end] for first, end in zip([0, *(ends[:-1] + 1)], ends, strict=True)]


def _integers(found: dict[str, Any], name: str) -> NDArray[np.int64]:
    return np.array(found[name].ints, dtype=np.int64)


def _tensor(found: dict[str, Any], name: str) -> NDArray[Any]:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(found[name].t))
