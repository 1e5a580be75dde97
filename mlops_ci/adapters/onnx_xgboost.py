"""Rules for XGBoost's estimators, written from the booster's own JSON.

XGBoost computes in float32 from end to end: features are cast to it, compared by `<`, the leaves added up in it to the
base score, and so are the link functions. The graph does the same; an exponential is rounded to float32 from float64,
where the library's own may be off by the last digit.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Scores, Unfaithful
from mlops_ci.adapters.onnx_trees import LESS, Trees, add_trees, constants, joined, reachable

IDENTITY = frozenset(
    {
        *("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror"),
        *("reg:quantileerror", "reg:linear"),
    }
)
LOGISTIC = frozenset({"binary:logistic", "reg:logistic"})
LOGARITHM = frozenset({"count:poisson", "reg:gamma", "reg:tweedie"})
SOFTMAX = frozenset({"multi:softprob", "multi:softmax"})
LARGEST_EXPONENT = 88.7
"""Where the library's own sigmoid stops, before float32 does."""
SCIKIT_LEARN = "HistGradientBoosting of scikit-learn"


def predict_xgboost(graph: Graph, model: Any, features: Features) -> str:
    objective, margin = _margin(graph, model, features)
    if objective in IDENTITY:
        answer = margin
    elif objective in LOGISTIC:
        answer = _sigmoid(graph, margin)
    elif objective in LOGARITHM:
        answer = _exponential(graph, margin)
    else:
        raise _unknown(objective)
    return graph.cast(answer, "DOUBLE")


def classify_xgboost(graph: Graph, model: Any, features: Features) -> Scores:
    objective, margin = _margin(graph, model, features)
    if objective in LOGISTIC:
        second = _sigmoid(graph, margin)
        both = graph.add("Concat", graph.add("Sub", _float(graph, 1.0), second), second, axis=1)
        return Scores(probabilities=graph.cast(both, "DOUBLE"))
    if objective in SOFTMAX:
        # Rounded, so that a tie in float32 is one here; the first of equals wins in both.
        scores = graph.cast(graph.add("Softmax", graph.cast(margin, "DOUBLE"), axis=1), "FLOAT")
        return Scores(probabilities=graph.cast(scores, "DOUBLE"))
    raise _unknown(objective)


def _margin(graph: Graph, model: Any, features: Features) -> tuple[str, str]:
    """(the objective, the base score and the sum of the leaves [rows, groups] in float32)."""
    if callable(model.objective):
        raise Unfaithful("an objective of your own, whose link function is not known", "one of XGBoost's objectives")
    learner = json.loads(model.get_booster().save_raw("json"))["learner"]
    name = learner["gradient_booster"]["name"]
    if name == "gblinear":
        raise Unfaithful("booster='gblinear'", "booster='gbtree', or a linear model of scikit-learn")
    if int(learner["learner_model_param"]["num_target"]) > 1:
        raise Unfaithful("it has several outputs", "one estimator for each of them")
    groups = max(1, int(learner["learner_model_param"]["num_class"]))
    start = _base_margin(learner, groups)
    trees = joined([constants(start), *_trees(learner, start)])
    matrix = add_trees(graph, _prepared(graph, model, features), trees, targets=groups, single=True)
    return learner["objective"]["name"], matrix


def _base_margin(learner: dict[str, Any], groups: int) -> Any:
    """What the sums begin with: the base score, one for all groups or one for each, through the inverse of the link."""
    scores = np.array(learner["learner_model_param"]["base_score"].strip("[]").split(","), dtype=np.float32)
    objective = learner["objective"]["name"]
    if objective in LOGISTIC:
        odds = np.float32(1) / scores - np.float32(1)
        scores = -np.log(odds.astype(np.float64))
    elif objective in LOGARITHM:
        scores = np.log(scores.astype(np.float64))
    return np.broadcast_to(scores.astype(np.float32), groups)


def _trees(learner: dict[str, Any], start: Any) -> list[Trees]:
    """Up to the best iteration of early stopping, if there was any."""
    booster = learner["gradient_booster"]
    dart = booster["name"] == "dart"
    part = booster["gbtree"]["model"] if dart else booster["model"]
    ends = part["iteration_indptr"]
    best = learner["attributes"].get("best_iteration")
    count = ends[-1] if best is None else ends[int(best) + 1]
    trees = [_tree(tree, group) for tree, group in zip(part["trees"][:count], part["tree_info"], strict=False)]
    if not dart:
        return trees
    weights = np.array(booster["weight_drop"], dtype=np.float32)
    return [_weighed(tree, weight, start) for tree, weight in zip(trees, weights, strict=False)]


def _weighed(tree: Trees, weight: Any, start: Any) -> Trees:
    """The library adds each tree to the base score alone, and subtracts this again, before it weighs the tree."""
    base = start[tree.target]
    return replace(tree, value=((base + tree.value.astype(np.float32) - base) * weight).astype(np.float64))


def _tree(tree: dict[str, Any], group: int) -> Trees:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise Unfaithful("multi_strategy='multi_output_tree'", "multi_strategy='one_output_per_tree'")
    if any(tree["split_type"]):
        raise Unfaithful(
            "categorical features of XGBoost", f"OneHotEncoder or OrdinalEncoder in front, or {SCIKIT_LEARN}"
        )
    left = np.array(tree["left_children"], dtype=np.int64)
    leaf = left < 0
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    return reachable(
        Trees(
            roots=np.zeros(1, dtype=np.int64),
            leaf=leaf,
            mode=np.full(len(leaf), LESS, dtype=np.uint8),
            feature=np.where(leaf, 0, np.array(tree["split_indices"], dtype=np.int64)),
            threshold=np.where(leaf, 0.0, conditions.astype(np.float64)),
            yes=np.where(leaf, 0, left),
            no=np.where(leaf, 0, np.array(tree["right_children"], dtype=np.int64)),
            missing_yes=np.array(tree["default_left"], dtype=np.bool_),
            value=conditions.astype(np.float64),
            target=np.full(len(leaf), group),
        )
    )


def _prepared(graph: Graph, model: Any, features: Features) -> str:
    """The features in float32, with NaN for the value that stands for a missing one."""
    matrix = graph.cast(graph.matrix(features), "FLOAT")
    if model.missing is None or np.isnan(model.missing):
        return matrix
    return graph.where(graph.add("Equal", matrix, _float(graph, model.missing)), _float(graph, np.nan), matrix)


def _sigmoid(graph: Graph, margin: str) -> str:
    exponent = graph.add("Min", graph.add("Neg", margin), _float(graph, LARGEST_EXPONENT))
    return graph.add("Div", _float(graph, 1.0), graph.add("Add", _exponential(graph, exponent), _float(graph, 1.0)))


def _exponential(graph: Graph, value: str) -> str:
    return graph.cast(graph.add("Exp", graph.cast(value, "DOUBLE")), "FLOAT")


def _float(graph: Graph, value: float) -> str:
    return graph.cast(graph.constant(np.float64(value)), "FLOAT")


def _unknown(objective: str) -> Unfaithful:
    known = sorted(IDENTITY | LOGISTIC | LOGARITHM | SOFTMAX)
    return Unfaithful(f"objective='{objective}'", f"one of {', '.join(known)}")
