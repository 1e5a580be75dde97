"""Rules for LightGBM's estimators, written from the booster's own text.

LightGBM computes in float64: features are compared by `<=` with float64 thresholds, leaves added up tree after tree.
Each feature has a way of its own with missing values, learned from the training data: they are zeros, or zeros are
they, or they are missing. Categories are whole numbers; one that is missing, negative or not in the set goes right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Scores, Unfaithful
from mlops_ci.adapters.onnx_trees import LESS_OR_EQUAL, MEMBER, Trees, add_trees, constants, joined

CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_SHIFT = 2
ZERO, NAN = 1, 2
NEARLY_ZERO = float(np.float32(1e-35))
"""What is no larger is zero for LightGBM, on its way to the trees."""

IDENTITY = frozenset({"regression", "regression_l1", "huber", "fair", "quantile", "mape"})
LOGARITHM = frozenset({"poisson", "gamma", "tweedie"})

Fields = Mapping[str, str]


def predict_lightgbm(graph: Graph, model: Any, features: Features) -> str:
    objective, raw = _raw(graph, model, features)
    name, *options = objective.split()
    if name in LOGARITHM:
        return graph.add("Exp", raw)
    if name == "cross_entropy":
        return graph.add("Sigmoid", raw)
    if name not in IDENTITY:
        raise _unknown(name)
    return graph.add("Mul", graph.add("Abs", raw), raw) if "sqrt" in options else raw


def classify_lightgbm(graph: Graph, model: Any, features: Features) -> Scores:
    objective, raw = _raw(graph, model, features)
    name, *options = objective.split()
    slope = float(dict(option.split(":") for option in options if ":" in option).get("sigmoid", 1.0))
    if name == "multiclass":
        return Scores(probabilities=graph.add("Softmax", raw, axis=1))
    if name not in {"binary", "multiclassova", "cross_entropy"}:
        raise _unknown(name)
    scores = graph.add("Sigmoid", raw if slope == 1 else graph.add("Mul", np.float64(slope), raw))
    if name == "multiclassova":
        return Scores(probabilities=scores)
    return Scores(probabilities=graph.add("Concat", graph.add("Sub", np.float64(1), scores), scores, axis=1))


def decide_lightgbm(graph: Graph, model: Any, features: Features) -> str:
    """The sum of the leaves, which calibration begins with (LightGBM 4.7 and later)."""
    return _raw(graph, model, features)[1]


def _raw(graph: Graph, model: Any, features: Features) -> tuple[str, str]:
    """(the objective, the sum of the leaves [rows, trees of an iteration])."""
    if callable(model.objective):
        raise Unfaithful("an objective of your own, whose link function is not known", "one of LightGBM's objectives")
    head, *blocks = model.booster_.model_to_string().partition("\nend of trees")[0].split("\nTree=")
    about = _fields(head)
    if any(_fields(block).get("is_linear", "0") != "0" for block in blocks):
        raise Unfaithful("linear_tree=True", "linear_tree=False")
    count = int(about["num_tree_per_iteration"])
    described = [_fields(block) for block in blocks]
    trees = [_tree(fields, number % count) for number, fields in enumerate(described)]
    whole = joined(trees) if trees else constants(np.zeros(count))
    matrix = _prepared(graph, graph.matrix(features), described, 1 + int(about["max_feature_idx"]))
    raw = add_trees(graph, matrix, whole, targets=count)
    if "average_output" in head.splitlines():
        raw = graph.add("Div", raw, np.float64(max(1, len(trees) // count)))
    return about.get("objective", "custom"), raw


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def _tree(fields: Fields, target: int) -> Trees:
    """Comparisons come first, then the leaves; a negative child is the complement of a leaf's number."""
    values = _numbers(fields, "leaf_value")
    inner = len(values) - 1
    decision = _integers(fields, "decision_type") if inner else np.empty(0, dtype=np.int64)
    categorical = (decision & CATEGORICAL).astype(np.bool_)
    threshold = _numbers(fields, "threshold") if inner else np.empty(0)
    nothing = np.zeros(len(values), dtype=np.int64)

    def children(name: str) -> Any:
        child = _integers(fields, name) if inner else np.empty(0, dtype=np.int64)
        return np.concatenate([np.where(child < 0, inner + ~child, child), nothing])

    return Trees(
        roots=np.zeros(1, dtype=np.int64),
        leaf=np.arange(inner + len(values)) >= inner,
        mode=np.concatenate([np.where(categorical, MEMBER, LESS_OR_EQUAL), nothing]).astype(np.uint8),
        feature=np.concatenate([_integers(fields, "split_feature") if inner else nothing[:0], nothing]),
        threshold=np.concatenate([np.where(categorical, 0.0, threshold), nothing]),
        yes=children("left_child"),
        no=children("right_child"),
        missing_yes=np.concatenate([(decision & DEFAULT_LEFT).astype(np.bool_) & ~categorical, nothing != 0]),
        value=np.concatenate([np.zeros(inner), values]),
        target=np.full(inner + len(values), target),
        sets=_sets(fields, threshold[categorical].astype(np.int64)),
    )


def _sets(fields: Fields, wanted: Any) -> list[list[int]]:
    """Each set is a row of bits in 32-bit words; a threshold is its number."""
    if not len(wanted):
        return []
    bounds, words = _integers(fields, "cat_boundaries"), _integers(fields, "cat_threshold")
    rows = [words[bounds[number] : bounds[number + 1]] for number in wanted]
    return [[bit for bit in range(32 * len(row)) if int(row[bit // 32]) >> (bit % 32) & 1] for row in rows]


def _prepared(graph: Graph, matrix: str, trees: list[dict[str, str]], columns: int) -> str:
    """The features as their comparisons take them: NaN where a value counts as missing, and whole categories."""
    split = [fields for fields in trees if fields.get("split_feature")]
    feature = np.concatenate([np.empty(0, dtype=np.int64), *(_integers(fields, "split_feature") for fields in split)])
    decision = np.concatenate([np.empty(0, dtype=np.int64), *(_integers(fields, "decision_type") for fields in split)])
    categorical, missing = np.zeros(columns, dtype=np.bool_), np.full(columns, NAN)
    categorical[feature] = (decision & CATEGORICAL).astype(np.bool_)
    missing[feature] = np.where(categorical[feature], NAN, decision >> MISSING_SHIFT & 3)
    if (missing != NAN).any():
        zeros = graph.where(graph.add("IsNaN", matrix), np.float64(0), matrix)
        matrix = graph.add("Where", (missing != NAN).reshape(1, -1), zeros, matrix)
    near = any((abs(_numbers(fields, "threshold")) <= NEARLY_ZERO).any() for fields in split)
    if near or (missing == ZERO).any():
        zero = graph.add("LessOrEqual", graph.add("Abs", matrix), np.float64(NEARLY_ZERO))
        matrix = graph.where(zero, np.where(missing == ZERO, np.nan, 0.0).reshape(1, -1), matrix)
    if categorical.any():
        whole = graph.add("Mul", graph.add("Sign", matrix), graph.add("Floor", graph.add("Abs", matrix)))
        matrix = graph.add("Where", categorical.reshape(1, -1), whole, matrix)
    return matrix


def _numbers(fields: Fields, name: str) -> Any:
    return np.array(fields[name].split(), dtype=np.float64)


def _integers(fields: Fields, name: str) -> Any:
    return np.array(fields[name].split(), dtype=np.int64)


def _unknown(objective: str) -> Unfaithful:
    known = sorted(IDENTITY | LOGARITHM | {"binary", "multiclass", "multiclassova", "cross_entropy"})
    return Unfaithful(f"objective='{objective}'", f"one of {', '.join(known)}")
