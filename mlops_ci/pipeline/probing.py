"""Asks the native model, as long as there is one, about rows that are made to be answered wrongly by a graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.adversarial import ROWS, Change, Columns, changes, threshold_changes
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import Probes, probe
from mlops_ci.core.thresholds import edges, evenly
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.estimator import native_predictions
from mlops_ci.pipeline.fitting import Fitted
from mlops_ci.ports import Console, Exporter, ModelRuntime, UserCode

SAMPLE = 5_000
"""Training rows of which the adversarial ones are made."""


def make_probes(
    fitted: Fitted,
    training: Dataset,
    *,
    exporter: Exporter,
    runtime: ModelRuntime,
    user_code: UserCode,
    console: Console,
) -> Probes | None:
    """Adversarial rows for the model's graph, with the native model's answers; None where there is no graph.

    They are made of training rows, as each comparison in a tree was once made for some of these. The same rows for the
    same model.
    """
    if fitted.graph is None:
        return None
    chosen = _sendable(training)
    rows = training.take(chosen[evenly(len(chosen), SAMPLE)])
    with console.working(f"making adversarial rows for {fitted.config.model}"):
        made = changes(rows.columns, rows.inputs)
        made += _at_thresholds(fitted.graph, rows.columns, ROWS - len(made), exporter, runtime, console)

        def ask(columns: Columns) -> Predictions:
            size = len(next(iter(columns.values())))
            # Nothing but the columns is looked at.
            asked = replace(rows.take(np.zeros(size, dtype=np.int64)), columns=columns)
            try:
                return native_predictions(fitted.estimator, asked, fitted.signature, fitted.config, user_code)
            except ConfigurationError as error:
                raise ValueError(error.what) from error

        return probe(rows.columns, made, ask, fitted.signature)


def _sendable(training: Dataset) -> NDArray[np.int64]:
    """The rows that a client could send: JSON has no infinity. All, where there is none of these."""
    infinite = np.zeros(len(training), dtype=np.bool_)
    for values in training.columns.values():
        if values.dtype.kind == "f":
            infinite |= np.isinf(values)
    return np.flatnonzero(~infinite if not infinite.all() else infinite)


def _at_thresholds(
    graph: bytes, columns: Columns, limit: int, exporter: Exporter, runtime: ModelRuntime, console: Console
) -> list[Change]:
    """None where the graph has no trees, or what comes before them cannot be run by itself, which is told."""
    try:
        found = exporter.trees(graph)
        if found is None:
            return []
        return threshold_changes(edges(runtime.function(found.preprocessing), found.ensembles, columns, rows=limit))
    except ValueError as error:
        console.warn(f"no adversarial rows are made at thresholds: {error}")
        return []
