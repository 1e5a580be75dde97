"""Rules for scikit-learn's two kinds of gradient boosting.

The older one compares float32 values, as its trees do. Histogram gradient boosting compares in float64; in float32
every two values of a feature that differ by less than one part in 16 million become one, so whole numbers above
16,777,216, moments in seconds or coordinates with six decimals would land on the wrong side. Both start from a constant
and add tree after tree in float64.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_forests import single_precision, sklearn_tree
from mlops_ci.adapters.onnx_graph import Features, Graph, Scores
from mlops_ci.adapters.onnx_trees import LESS_OR_EQUAL, MEMBER, Trees, add_trees, constants, joined

DIGITS = 16
"""By so many steps of a float64 a sum or a logarithm may differ from the native one."""


def predict_boosting(graph: Graph, model: Any, features: Features) -> str:
    return decide_boosting(graph, model, features)


def classify_boosting(graph: Graph, model: Any, features: Features) -> Scores:
    raw = decide_boosting(graph, model, features)
    return _scores(graph, model, graph.add("Add", raw, raw) if model.loss == "exponential" else raw)


def decide_boosting(graph: Graph, model: Any, features: Features) -> str:
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))
    trees = [
        sklearn_tree(member.tree_, model.learning_rate * member.tree_.value[:, 0, 0], target)
        for stage in model.estimators_
        for target, member in enumerate(stage)
    ]
    return add_trees(
        graph, single_precision(graph, features), joined([constants(start), *trees]), targets=start.shape[1]
    )


def predict_histogram(graph: Graph, model: Any, features: Features) -> str:
    raw = decide_histogram(graph, model, features)
    # Their link is the logarithm; that of all other losses is the identity.
    return graph.add("Exp", raw) if model.loss in {"poisson", "gamma"} else raw


def classify_histogram(graph: Graph, model: Any, features: Features) -> Scores:
    return _scores(graph, model, decide_histogram(graph, model, features))


def decide_histogram(graph: Graph, model: Any, features: Features) -> str:
    trees = [_histogram_tree(tree, target) for stage in model._predictors for target, tree in enumerate(stage)]
    whole = joined([constants(model._baseline_prediction), *trees])
    features = _categories_first(graph, model, features)
    return add_trees(graph, graph.matrix(features), _lenient(whole, features), targets=model.n_trees_per_iteration_)


def _lenient(trees: Trees, features: Features) -> Trees:
    """Thresholds a little higher for columns whose last digits are not the native ones.

    A threshold may be a value of the training data, which then is on its left. The next larger value is further away.
    """
    rounded = np.repeat([block.rounded for block in features], [block.width for block in features])
    largest = np.zeros(len(rounded))
    finite = np.where(np.isfinite(trees.threshold), np.abs(trees.threshold), 0.0)  # an infinite one parts missing ones
    np.maximum.at(largest, trees.feature, finite)
    moved = trees.threshold + DIGITS * np.finfo(np.float64).eps * largest[trees.feature]
    chosen = rounded[trees.feature] & ~trees.leaf & (trees.mode != MEMBER)
    return replace(trees, threshold=np.where(chosen, moved, trees.threshold))


def _categories_first(graph: Graph, model: Any, features: Features) -> Features:
    """As the trees were given them: the categorical features first, numbered by the model's own encoder.

    A category that it has not seen is missing, and goes where missing values go.
    """
    if model.is_categorical_ is None:
        return features
    columns = model._preprocessor._transformer_to_input_indices
    categories = graph.select(features, list(columns["encoder"]))
    encoded = graph.transform(model._preprocessor.named_transformers_["encoder"], categories)
    return (*encoded, *graph.select(features, list(columns["numerical"])))


def _histogram_tree(tree: Any, target: int) -> Trees:
    nodes = tree.nodes
    leaf, categorical = nodes["is_leaf"].astype(np.bool_), nodes["is_categorical"].astype(np.bool_)
    sets = tree.raw_left_cat_bitsets[nodes["bitset_idx"][categorical & ~leaf]]
    return Trees(
        roots=np.zeros(1, dtype=np.int64),
        leaf=leaf,
        mode=np.where(categorical & ~leaf, MEMBER, LESS_OR_EQUAL).astype(np.uint8),
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(leaf | categorical, 0.0, nodes["num_threshold"]),
        yes=np.where(leaf, 0, nodes["left"]).astype(np.int64),
        no=np.where(leaf, 0, nodes["right"]).astype(np.int64),
        missing_yes=nodes["missing_go_to_left"].astype(np.bool_),
        value=nodes["value"].astype(np.float64),
        target=np.full(len(nodes), target),
        sets=[[category for category in range(256) if words[category // 32] >> (category % 32) & 1] for words in sets],
    )


def _scores(graph: Graph, model: Any, raw: str) -> Scores:
    if len(model.classes_) > 2:
        winners = graph.add("ArgMax", raw, axis=1, keepdims=0)
        return Scores(probabilities=graph.add("Softmax", raw, axis=1), winners=winners)
    second = graph.add("Sigmoid", raw)
    return Scores(probabilities=graph.add("Concat", graph.add("Sub", np.float64(1), second), second, axis=1))
