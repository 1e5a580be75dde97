"""Ensembles of decision trees as one operator, `TreeEnsemble` of ai.onnx.ml 5, made of whole arrays at a time.

The operator of older opsets answers in float32 whatever it is given. This one adds up doubles as doubles, tree after
tree from the first to the last, which makes the sums equal to the last bit to those of a library that does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.adapters.onnx_graph import ML, Graph

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

LESS_OR_EQUAL, LESS, MEMBER = 0, 1, 6
"""How a node compares, as the operator numbers it. `MEMBER`: whether the value is one of a set of whole numbers."""
SUM = 1
MANY_NODES = 50_000
"""From here on each target has an operator of its own: the time for loading one grows with trees times nodes."""
NO_NUMBER = 0.5
"""Stands in a set of no numbers, which the runtime does not take: no whole number is equal to it."""


@dataclass(frozen=True, kw_only=True)
class Trees:
    """The nodes of all trees, one entry each; `yes` and `no` are positions among them, and mean nothing for a leaf.

    `value` is what a leaf adds to column `target` of the result. A missing value goes to `yes` where `missing_yes`.
    `sets` has the whole numbers of each `MEMBER` node, in the order of these nodes; their values must be whole too.
    """

    roots: Integers
    leaf: Mask
    mode: NDArray[np.uint8]
    feature: Integers
    threshold: NDArray[np.float64]
    yes: Integers
    no: Integers
    missing_yes: Mask
    value: NDArray[np.float64]
    target: Integers
    sets: Sequence[Sequence[float]] = ()


def joined(trees: Sequence[Trees]) -> Trees:
    """All the trees of several ensembles, in this order."""
    starts = np.cumsum([0, *(len(part.leaf) for part in trees)])[:-1]
    moved = {
        name: np.concatenate([getattr(part, name) + start for part, start in zip(trees, starts, strict=True)])
        for name in ("roots", "yes", "no")
    }
    names = ("leaf", "mode", "feature", "threshold", "missing_yes", "value", "target")
    same = {name: np.concatenate([getattr(part, name) for part in trees]) for name in names}
    return Trees(**moved, **same, sets=[members for part in trees for members in part.sets])


def constants(values: Any) -> Trees:
    """A tree of one leaf for each column: put in front, it makes the sum begin with this value."""
    values = np.ravel(np.asarray(values, dtype=np.float64))
    count = len(values)
    nothing = np.zeros(count, dtype=np.int64)
    return Trees(
        roots=np.arange(count),
        leaf=np.ones(count, dtype=np.bool_),
        mode=np.zeros(count, dtype=np.uint8),
        feature=nothing,
        threshold=np.zeros(count),
        yes=nothing,
        no=nothing,
        missing_yes=np.zeros(count, dtype=np.bool_),
        value=values,
        target=np.arange(count),
    )


def add_trees(graph: Graph, matrix: str, trees: Trees, *, targets: int, single: bool = False) -> str:
    """The sum of the leaves that each row reaches, [rows, targets]; `single` compares and adds up in float32.

    `matrix` has to be of that type, and so is what comes out.
    """
    if targets == 1 or len(trees.leaf) < MANY_NODES:
        return _add(graph, matrix, trees, targets, single)
    owner = trees.target[_any_leaf(trees)]
    answers = []
    for target in range(targets):
        own = reachable(replace(trees, roots=trees.roots[owner == target]))
        answers.append(_add(graph, matrix, replace(own, target=np.zeros_like(own.target)), 1, single))
    return graph.beside(answers)


def _any_leaf(trees: Trees) -> Integers:
    """A leaf of each tree."""
    at = trees.roots
    while not trees.leaf[at].all():
        at = np.where(trees.leaf[at], at, trees.yes[at])
    return at


def _add(graph: Graph, matrix: str, trees: Trees, targets: int, single: bool) -> str:
    from onnx import AttributeProto, helper

    output = graph.add("TreeEnsemble", matrix, domain=ML, n_targets=targets, aggregate_function=SUM, post_transform=0)
    # Directly: the function that makes nodes looks at every number of a list by itself.
    attributes = graph.nodes[-1].attribute
    for name, values in _arrays(trees).items():
        if values.dtype == np.int64:
            attributes.add(name=name, type=AttributeProto.INTS).ints.extend(values.tolist())
        else:
            numbers = values.astype(np.float32) if single and values.dtype == np.float64 else values
            attributes.append(helper.make_attribute(name, _tensor(name, numbers)))
    return output


def _arrays(trees: Trees) -> dict[str, Any]:
    """The operator's attributes: it numbers leaves and comparisons apart, and a tree has to begin with a comparison."""
    trees = _rooted(trees)
    inner = ~trees.leaf
    number = np.where(inner, np.cumsum(inner), np.cumsum(trees.leaf)) - 1
    yes, no = trees.yes[inner], trees.no[inner]
    arrays = {
        "tree_roots": number[trees.roots],
        "nodes_featureids": trees.feature[inner],
        "nodes_modes": trees.mode[inner],
        "nodes_splits": trees.threshold[inner],
        "nodes_truenodeids": number[yes],
        "nodes_falsenodeids": number[no],
        "nodes_trueleafs": trees.leaf[yes].astype(np.int64),
        "nodes_falseleafs": trees.leaf[no].astype(np.int64),
        "nodes_missing_value_tracks_true": trees.missing_yes[inner].astype(np.int64),
        "leaf_targetids": trees.target[trees.leaf],
        "leaf_weights": trees.value[trees.leaf],
    }
    if trees.sets:
        ended = [np.array([*(members or (NO_NUMBER,)), np.nan], dtype=np.float64) for members in trees.sets]
        arrays["membership_values"] = np.concatenate(ended)
    return {name: values.astype(np.int64) if values.dtype.kind == "i" else values for name, values in arrays.items()}


def _rooted(trees: Trees) -> Trees:
    """A tree of one leaf becomes a comparison with the same leaf on both sides."""
    lonely = np.flatnonzero(trees.leaf[trees.roots])
    if not len(lonely):
        return trees
    leaves = trees.roots[lonely]
    stumps = constants(np.zeros(len(lonely)))
    added = replace(stumps, leaf=~stumps.leaf, yes=leaves - len(trees.leaf), no=leaves - len(trees.leaf))
    whole = joined([trees, added])
    roots = trees.roots.copy()
    roots[lonely] = len(trees.leaf) + np.arange(len(lonely))
    return replace(whole, roots=roots)


def without_equal_branches(trees: Trees) -> Trees:
    """The same function in fewer nodes: a comparison between two leaves of one value becomes that leaf.

    Trees are made one for each class of a forest; where a class does not occur any more, its tree need not go on.
    """
    leaf, value = trees.leaf.copy(), trees.value.copy()
    while True:
        same = ~leaf & leaf[trees.yes] & leaf[trees.no] & (value[trees.yes] == value[trees.no])
        if not same.any():
            break
        leaf |= same
        value[same] = value[trees.yes[same]]
    return reachable(replace(trees, leaf=leaf, value=value, sets=_kept(trees, ~leaf)))


def reachable(trees: Trees) -> Trees:
    """The same trees without nodes that no row comes to."""
    kept = np.zeros(len(trees.leaf), dtype=np.bool_)
    level = trees.roots
    while len(level):
        kept[level] = True
        inner = level[~trees.leaf[level]]
        level = np.concatenate([trees.yes[inner], trees.no[inner]])
    if kept.all():
        return trees
    number = np.cumsum(kept) - 1
    names = ("leaf", "mode", "feature", "threshold", "missing_yes", "value", "target")
    same = {name: getattr(trees, name)[kept] for name in names}
    moved = {name: np.where(trees.leaf, 0, number[getattr(trees, name)])[kept] for name in ("yes", "no")}
    return Trees(roots=number[trees.roots], **same, **moved, sets=_kept(trees, kept & ~trees.leaf))


def _kept(trees: Trees, inner: Mask) -> list[Sequence[float]]:
    """The sets of the comparisons that stay."""
    owners = np.flatnonzero((trees.mode == MEMBER) & ~trees.leaf)
    return [members for members, owner in zip(trees.sets, owners, strict=True) if inner[owner]]


def _tensor(name: str, values: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ascontiguousarray(values), name=name)
