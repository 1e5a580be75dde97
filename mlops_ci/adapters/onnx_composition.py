"""Rules for what is made of other estimators: pipelines, column transformers, unions, wrappers around one estimator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Scores, Unfaithful, numbers


def pipeline(graph: Graph, model: Any, features: Features) -> Features:
    return _through(graph, [step for _, step in model.steps], features)


def predict_pipeline(graph: Graph, model: Any, features: Features) -> str:
    return graph.predict(model.steps[-1][1], _through(graph, [step for _, step in model.steps[:-1]], features))


def classify_pipeline(graph: Graph, model: Any, features: Features) -> Scores:
    return graph.classify(model.steps[-1][1], _through(graph, [step for _, step in model.steps[:-1]], features))


def decide_pipeline(graph: Graph, model: Any, features: Features) -> str:
    return graph.decide(model.steps[-1][1], _through(graph, [step for _, step in model.steps[:-1]], features))


def column_transformer(graph: Graph, model: Any, features: Features) -> Features:
    parts = []
    for name, transformer, _ in model.transformers_:
        indices = model._transformer_to_input_indices[name]
        if _dropped(transformer) or not len(indices):
            continue
        chosen = graph.select(features, list(indices))
        parts.append(_weighted(graph, model, name, _through(graph, [transformer], chosen)))
    return tuple(block for part in parts for block in part)


def feature_union(graph: Graph, model: Any, features: Features) -> Features:
    parts = [
        _weighted(graph, model, name, _through(graph, [transformer], features))
        for name, transformer in model.transformer_list
        if not _dropped(transformer)
    ]
    return tuple(block for part in parts for block in part)


def selected(graph: Graph, model: Any, features: Features) -> Features:
    """Every kind of feature selection."""
    return graph.select(features, np.flatnonzero(model.get_support()).tolist())


def cast(graph: Graph, model: Any, features: Features) -> Features:
    """skl2onnx's `CastTransformer`, which a team may put in front of its trees."""
    if np.dtype(model.dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise Unfaithful(f"a cast to {np.dtype(model.dtype)}", "a cast to float32 or float64")
    matrix = graph.matrix(features)
    width = sum(block.width for block in features)
    if np.dtype(model.dtype) == np.float32:
        matrix = graph.cast(graph.cast(matrix, "FLOAT"), "DOUBLE")
    return (numbers(matrix, width, of=features),)


def _inner(model: Any) -> Any:
    """The fitted estimator that answers for the one around it."""
    for name in ("best_estimator_", "estimator_", "estimator"):
        if hasattr(model, name):
            return getattr(model, name)
    raise Unfaithful(f"{type(model).__name__} is not fitted", "an estimator that is")


def transform_inner(graph: Graph, model: Any, features: Features) -> Features:
    return graph.transform(_inner(model), features)


def predict_inner(graph: Graph, model: Any, features: Features) -> str:
    return graph.predict(_inner(model), features)


def classify_inner(graph: Graph, model: Any, features: Features) -> Scores:
    return graph.classify(_inner(model), features)


def decide_inner(graph: Graph, model: Any, features: Features) -> str:
    return graph.decide(_inner(model), features)


def transformed_target(graph: Graph, model: Any, features: Features) -> str:
    """The inner prediction, transformed back by the inverse of a known function or of a scaler."""
    from mlops_ci.adapters.onnx_functions import apply_function
    from mlops_ci.adapters.onnx_scaling import inverse

    answer = graph.predict(model.regressor_, features)
    if type(model.transformer_).__name__ == "FunctionTransformer":
        return apply_function(graph, model.transformer_.inverse_func, model.transformer_.inv_kw_args, answer)
    return inverse(graph, model.transformer_, answer)


def _through(graph: Graph, steps: list[Any], features: Features) -> Features:
    for step in steps:
        if step is not None and not (isinstance(step, str) and step == "passthrough"):
            features = graph.transform(step, features)
    return features


def _dropped(transformer: Any) -> bool:
    return isinstance(transformer, str) and transformer == "drop"


def _weighted(graph: Graph, model: Any, name: str, features: Features) -> Features:
    weight = (model.transformer_weights or {}).get(name)
    if weight is None:
        return features
    return tuple(
        replace(block, name=graph.add("Mul", graph.matrix((block,)), np.float64(weight))) for block in features
    )
