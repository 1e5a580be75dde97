"""Model cards as a release holds them, for `tiny_models`."""

from __future__ import annotations

import json
from typing import Any

from mlops_ci.scoring.card import Card, read_card
from tests.scoring.tiny_models import TinyModel

COLUMNS: list[dict[str, Any]] = [
    {"name": "distance", "type": "number", "nullable": True, "categories": [], "min": 80.0, "max": 4983.0},
    {"name": "hour", "type": "integer", "nullable": False, "categories": [], "min": 5.0, "max": 23.0},
    {"name": "carrier", "type": "category", "nullable": True, "categories": ["UA", "AA"], "min": None, "max": None},
]
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {name} &lt; \u202eevil"


def card_json(**changes: Any) -> dict[str, Any]:
    return {
        "model": "delay",
        "version": 3,
        "task": "binary-classification",
        "commit": "c0" * 20,
        "lock": "3f" * 32,
        "verdict": "superior",
        "rows": {"train": 39075, "holdout": 13025},
        "card": {"description": "Late or not.", "owners": ["ada", "@acme/ml"], "params": {"max_depth": 6}},
        "metrics": [
            {"name": "roc_auc", "value": 0.7613, "interval": [0.752, 0.771]},
            {"name": "log_loss", "value": 0.4312, "interval": None},
        ],
        "slices": [{"by": "carrier", "slice": "UA", "metric": "roc_auc", "value": 0.75, "rows": 400, "ok": True}],
        "fairness": [],
        "columns": COLUMNS,
        **changes,
    }


def card_of(model: TinyModel, **changes: Any) -> Card:
    return read_card(json.dumps(card_json(**changes)).encode(), model.signature)
