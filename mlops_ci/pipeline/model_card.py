"""The model card: what the model is for, what it was made of, and where it fails (Mitchell et al. 2019).

The words are those of whoever wrote `card` in mlops.yaml; every figure is measured. A report shows it beside the
metrics, slices and fairness of the same evaluation, which are the other half of a card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ci.config.types import ModelConfig
from mlops_ci.pipeline import figures
from mlops_ci.pipeline.dataset import private_columns

if TYPE_CHECKING:
    from mlops_ci.pipeline.dataset import Dataset

TASKS = {
    "binary-classification": "binary classification",
    "multiclass-classification": "multiclass classification",
    "regression": "regression",
}


def model_card(config: ModelConfig, *, training: Dataset, holdout: Dataset) -> dict[str, Any]:
    """The card's words and the facts of the data, as the evaluation keeps them; values of private columns stay out."""
    split = config.split
    return {
        **asdict(config.card),
        "target": config.data.target,
        "source": config.data.source,
        "features": [column.name for column in training.inputs],
        "classes": [] if config.data.target in private_columns(config) else [str(label) for label in training.classes],
        "params": {str(key): value for key, value in config.train.params.items()},
        "split": f"{split.strategy}, {100 * split.holdout:.3g} % held out",
        "training_period": _period(training, config),
        "holdout_period": _period(holdout, config),
    }


def card_facts(evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of the card in a report, each a term and what is to be said of it; empty where there is no card."""
    card = evaluation.get("card")
    if not card:
        return []
    rows = evaluation.get("rows") or {}
    owners = ", ".join(card.get("owners") or ())
    facts = [
        ("What it does", card.get("description") or "nobody has written it down yet (`card.description`)"),
        ("Who answers for it", owners or "nobody has written it down yet (`card.owners`)"),
        ("Meant for", card.get("intended_use")),
        ("Not meant for", card.get("out_of_scope")),
        ("Known limitations", card.get("limitations")),
        ("Kind", _kind(evaluation, card)),
        ("Trained on", _rows(rows.get("train"), card.get("training_period"), card.get("source"))),
        ("Judged on", _rows(rows.get("holdout"), card.get("holdout_period"), card.get("split"))),
        ("Features", _list(card.get("features") or ())),
        ("Parameters", _list([f"{key} {value}" for key, value in (card.get("params") or {}).items()])),
        ("Size and speed", performance(evaluation)),
    ]
    return [(term, text) for term, text in facts if text]


def performance(evaluation: Mapping[str, Any]) -> str:
    """How long one row takes and how large the graph is, beside the champion's; empty where it was not measured."""
    measured = evaluation.get("performance") or {}
    if measured.get("latency_p99_ms") is None:
        return ""
    middle, highest, size, champion, champion_size = (
        f"{measured.get(key) or 0.0:.3g}"
        for key in ("latency_p50_ms", "latency_p99_ms", "model_mb", "champion_latency_p99_ms", "champion_model_mb")
    )
    beside = (
        "" if measured.get("champion_latency_p99_ms") is None else f" (champion: {champion} ms, {champion_size} MB)"
    )
    return f"one row takes {middle} ms in the middle, {highest} ms at the 99th percentile; {size} MB{beside}"


def _kind(evaluation: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    task = TASKS.get(str(evaluation.get("task")), "")
    classes = _list(card.get("classes") or ())
    said = f"{task} of {card['target']}" if card.get("target") else task
    return f"{said} ({classes})" if classes else said


def _rows(rows: int | None, period: str | None, source: str | None) -> str:
    parts = [f"{figures.count(rows)} rows" if rows is not None else "", period or "", source or ""]
    return ", ".join(part for part in parts if part)


def _list(texts: Any) -> str:
    shown = [str(text) for text in texts]
    more = f" and {len(shown) - 30} more" if len(shown) > 30 else ""
    return ", ".join(shown[:30]) + more


def _period(dataset: Dataset, config: ModelConfig) -> str:
    times = dataset.times
    if times is None or not len(times) or config.data.time in private_columns(config):
        return ""
    first, last = times.min(), times.max()
    if times.dtype.kind != "M":
        return f"{config.data.time} from {first:g} to {last:g}"
    day = "datetime64[D]"
    return f"from {np.datetime_as_string(first.astype(day))} to {np.datetime_as_string(last.astype(day))}"
