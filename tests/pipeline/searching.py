"""A team whose `mlops.yaml` declares a search, and a search of its training rows without the rest of a training."""

from __future__ import annotations

import json
from typing import Any

from mlops_ci.adapters.local_engine import LocalEngine
from mlops_ci.config.search_types import CrossValidationConfig, SearchConfig
from mlops_ci.core.search_space import Range
from mlops_ci.pipeline.dataset import load_dataset, split_dataset
from mlops_ci.pipeline.search import search
from mlops_ci.ports import Engine
from tests.pipeline.team import Team, Ticking

RANGE = {"C": Range(min=0.001, max=100.0, log=True)}


def declared(**changes: Any) -> SearchConfig:
    """A random search of five candidates by three stratified folds, but for the changes."""
    cv = CrossValidationConfig(folds=changes.pop("folds", 3), strategy=changes.pop("strategy", "stratified"))
    settings: dict[str, Any] = {"method": "random", "metric": "roc_auc", "candidates": 5, "factor": 3}
    return SearchConfig(**{**settings, "space": RANGE, "cv": cv, **changes})


def searched(team: Team, engine: Engine | None = None, **changes: Any) -> dict[str, Any]:
    """The record of a search, which must be JSON, without what it took."""
    rows, _ = split_dataset(load_dataset(team.config, team.data, team.code), team.config)
    with team.code.session(team.root):
        record = search(
            team.config,
            declared(**changes),
            rows,
            user_code=team.code,
            engine=engine or LocalEngine(1),
            console=team.console,
            clock=Ticking(),
        )
    del record["seconds"]
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    return record
