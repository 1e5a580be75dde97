"""Rules for encoders of categories.

What each category, and one never seen, becomes is asked of the fitted encoder itself, so that every option of it
(rare categories grouped, one dropped, missing ones, unknown ones) is kept without being written a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import ML, Features, Graph, numbers

UNSEEN = "\N{REPLACEMENT CHARACTER} never seen"


def one_hot(graph: Graph, model: Any, features: Features) -> Features:
    """A column for each category that is kept: 1 where the row has it."""
    made = []
    for number, table in enumerate(_tables(model, model._n_features_outs)):
        width = table.shape[1]
        if not width:
            continue
        hot = np.where(table.any(axis=1), table.argmax(axis=1), -1)
        position = graph.add("Gather", hot, _category(graph, model, features, number))
        hit = graph.add("Equal", position, np.arange(width).reshape(1, -1))
        made.append(numbers(graph.cast(hit, "DOUBLE"), width, bounded=True))
    return tuple(made)


def ordinal(graph: Graph, model: Any, features: Features) -> Features:
    return _by_table(graph, model, features, [1] * len(model.categories_))


def target(graph: Graph, model: Any, features: Features) -> Features:
    """The mean of the target for each category: one column, or one for each class."""
    width = len(model.classes_) if model.target_type_ == "multiclass" else 1
    return _by_table(graph, model, features, [width] * len(model.categories_))


def _by_table(graph: Graph, model: Any, features: Features, widths: Sequence[int]) -> Features:
    made = []
    for number, table in enumerate(_tables(model, widths)):
        category = _category(graph, model, features, number)
        rows = graph.add("Gather", table, graph.add("Reshape", category, np.array([-1])), axis=0)
        made.append(numbers(rows, table.shape[1], bounded=True))
    return tuple(made)


def _tables(model: Any, widths: Sequence[int]) -> list[Any]:
    """For each column: what the encoder makes of each of its categories, and in the last row of one never seen.

    Where the encoder does not take such a category there is no last row, and the graph refuses the rows too.
    """
    import warnings

    import pandas as pd

    strict = getattr(model, "handle_unknown", "ignore") == "error"
    rows = max(len(categories) for categories in model.categories_) + 1
    frame = {
        number: [*categories, *[categories[0] if strict else _unseen(categories)] * (rows - len(categories))]
        for number, categories in enumerate(model.categories_)
    }
    types = [object if _texts(categories) else float for categories in model.categories_]
    asked = pd.DataFrame({number: pd.Series(column, dtype=types[number]) for number, column in frame.items()})
    asked.columns = getattr(model, "feature_names_in_", asked.columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the categories never seen, which are the point
        answers = model.transform(asked)
    matrix = np.asarray(answers.toarray() if hasattr(answers, "toarray") else answers, dtype=np.float64)
    starts = np.cumsum([0, *widths])
    return [
        matrix[: len(categories) + (not strict), starts[number] : starts[number + 1]]
        for number, categories in enumerate(model.categories_)
    ]


def _category(graph: Graph, model: Any, features: Features, number: int) -> str:
    """The position of each row's category among the known ones, [rows, 1]; their number where it is not known."""

    (block,) = graph.select(features, [number])
    categories = model.categories_[number]
    if block.kind == "text":
        texts = [str(category).encode() for category in categories]
        attributes = {"keys_strings": texts, "values_int64s": list(range(len(texts))), "default_int64": len(texts)}
        return graph.add("LabelEncoder", block.name, domain=ML, **attributes)
    # The operator for this has float32 keys, in which some large whole numbers are the same. Of what is equal to
    # nothing the last column is: the index of the first True.
    numbers = np.asarray(categories, dtype=np.float64)
    hit = graph.add("Equal", block.name, numbers.reshape(1, -1))
    if np.isnan(numbers[-1]):
        last = np.arange(len(numbers)).reshape(1, -1) == len(numbers) - 1
        hit = graph.add("Or", hit, graph.add("And", graph.add("IsNaN", block.name), last))
    missed = graph.add("Not", graph.cast(graph.total(graph.cast(hit, "INT64"), operation="ReduceMax"), "BOOL"))
    every = graph.cast(graph.beside([hit, missed]), "INT64")
    return graph.add("ArgMax", every, axis=1, keepdims=1)


def _texts(categories: Any) -> bool:
    return any(isinstance(category, str) for category in categories)


def _unseen(categories: Any) -> Any:
    if _texts(categories):
        return UNSEEN
    finite = np.asarray(categories, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return float(np.nextafter(finite.max(), np.inf)) if len(finite) else 0.0
