"""Rules for filling in missing values, and for saying where they were. A missing text is "" and never NaN or None."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Block, Features, Graph, Unfaithful, numbers


def impute(graph: Graph, model: Any, features: Features) -> Features:
    """SimpleImputer. A column that was empty in training is left out, unless it is kept as it is natively."""
    statistics = np.asarray(model.statistics_, dtype=object)
    kept = [n for n, value in enumerate(statistics) if model.keep_empty_features or not _is_nan(value)]
    made: list[Block] = []
    start = 0
    for block in features:
        columns = [n for n in kept if start <= n < start + block.width]
        start += block.width
        if not columns:
            continue
        (chosen,) = graph.select((block,), [n - (start - block.width) for n in columns])
        fill = [statistics[n] for n in columns]
        name = chosen.name
        missing = _missing(graph, chosen, model.missing_values)
        if missing:
            name = graph.where(missing, np.array([fill], dtype=object if block.kind == "text" else float), name)
        made.append(replace(chosen, name=name))
    if model.indicator_ is not None:
        made += indicate(graph, model.indicator_, features)
    return tuple(made)


def indicate(graph: Graph, model: Any, features: Features) -> Features:
    """MissingIndicator: 1 where a value is missing, in all columns or in those that had missing ones in training."""
    made = []
    for block in graph.select(features, list(model.features_)):
        missing = _missing(graph, block, model.missing_values)
        if not missing:
            raise Unfaithful(
                f"{type(model).__name__} of texts with missing_values={model.missing_values!r}: a missing text is an "
                "empty one",
                "missing_values=''",
            )
        made.append(numbers(graph.cast(missing, "DOUBLE"), block.width, bounded=True))
    return tuple(made)


def _missing(graph: Graph, block: Block, mark: Any) -> str:
    """Where the mark for missing values is, or "" where it cannot be."""
    if block.kind == "text":
        return graph.add("Equal", block.name, np.array([mark], dtype=object)) if isinstance(mark, str) else ""
    if mark is None or isinstance(mark, str):
        return ""
    return graph.add("IsNaN", block.name) if _is_nan(mark) else graph.add("Equal", block.name, np.float64(mark))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)
