"""`card.json`, the file of a release from which its scoring service tells people what it serves.

It holds the model card's words and facts, the metrics of the holdout, and the model's columns as the data schema
describes them. No value of a data row is in it, and of private columns nothing but name and type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mlops_ci.config.schema_types import ColumnSchema
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.records import Candidate
from mlops_ci.core.signature import Column
from mlops_ci.pipeline.dataset import private_columns

TYPES = {"integer": "number", "number": "number", "boolean": "number", "text": "text"}
"""The kind of input that a column of each type of the data schema becomes."""

Evaluation = Mapping[str, Any]


def served_card(config: ModelConfig, candidate: Candidate, evaluation: Evaluation) -> dict[str, Any]:
    """The card of a candidate that was judged, but for `version` and `commit`, which its registration gives it.

    The same arguments give the same card: nothing in it was read from a clock.
    """
    private = private_columns(config)
    declared = {column.name: column for column in config.data.schema.columns} if config.data.schema else {}
    return {
        "model": candidate.model,
        "task": candidate.signature.task,
        "lock": candidate.lock,
        "verdict": evaluation["verdict"],
        "rows": dict(evaluation.get("rows") or candidate.rows),
        "card": dict(evaluation.get("card") or {}),
        "metrics": list(_metrics(evaluation)),
        "slices": list(_slices(evaluation, private)),
        "fairness": [
            {key: one[key] for key in ("by", "metric", "value", "min", "max", "ok")}
            for one in evaluation.get("fairness") or ()
        ],
        "columns": [_column(column, declared.get(column.name)) for column in candidate.signature.inputs],
    }


def _metrics(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    for name, measured in (evaluation.get("metrics") or {}).items():
        interval = measured.get("challenger_interval")
        yield {"name": name, "value": measured.get("challenger"), "interval": list(interval) if interval else None}


def _slices(evaluation: Evaluation, private: Collection[str]) -> Iterator[dict[str, Any]]:
    """What was measured of each slice; slices of a private column are numbered instead of named."""
    seen: dict[tuple[str, str], int] = {}
    for one in evaluation.get("slices") or ():
        by, value = one["by"], one["value"]
        if by in private:
            value = f"(private {seen.setdefault((by, value), len(seen) + 1)})"
        measured = {"metric": one["metric"], "value": one["challenger"], "rows": one["rows"], "ok": one["ok"]}
        yield {"by": by, "slice": value, **measured}


def _column(column: Column, schema: ColumnSchema | None) -> dict[str, Any]:
    """An input of the model as the data schema describes it, where it does so and the two agree what it is.

    `data.prepare` may have made something else of a column of the same name.
    """
    if schema is None or TYPES.get(schema.type) != column.kind:
        return _described(column.name, column.kind, nullable=True)
    if schema.private:
        return _described(column.name, schema.type, nullable=schema.nullable)
    kind = "category" if column.kind == "text" and schema.categories else schema.type
    described = _described(column.name, kind, nullable=schema.nullable)
    return described | {"categories": list(schema.categories), "min": schema.min, "max": schema.max}


def _described(name: str, kind: str, *, nullable: bool) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": nullable, "categories": [], "min": None, "max": None}
