"""One set of names: in the JSON Schema, in the rules, in the code that computes, and in the reference for people."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.config.loading import load
from mlops_ci.config.validation import DATA_SCHEMA, MODEL_SCHEMA, schema_of
from mlops_ci.config.vocabulary import (
    BLOCKING_VERDICTS,
    DEFAULT_METRIC,
    FAIRNESS_METRICS,
    LIMITED_ONLY,
    METRICS,
    SHIPPABLE_VERDICTS,
)
from mlops_ci.core import metrics

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference" / "mlops-yaml.md"
ALL_METRICS = {name for names in METRICS.values() for name in names}
ALL_FAIRNESS = list(dict.fromkeys(name for names in FAIRNESS_METRICS.values() for name in names))


def test_the_metrics_are_those_that_can_be_computed() -> None:
    assert {task: set(names) for task, names in METRICS.items()} == {
        task: set(metrics.metrics_for(task)) for task in METRICS
    }
    assert set(LIMITED_ONLY) == set(metrics.LIMITED_ONLY)
    assert all(default in METRICS[task] for task, default in DEFAULT_METRIC.items())


def test_the_schema_has_the_same_names() -> None:
    definitions = schema_of(MODEL_SCHEMA)["$defs"]
    gate = definitions["gate"]["properties"]
    assert set(definitions["metric"]["enum"]) == ALL_METRICS
    assert set(definitions["guarded"]["enum"]) == ALL_METRICS | set(LIMITED_ONLY)
    assert schema_of(MODEL_SCHEMA)["properties"]["task"]["enum"] == list(METRICS)
    assert gate["fairness"]["items"]["properties"]["metric"]["enum"] == ALL_FAIRNESS
    assert gate["ships"]["items"]["enum"] == list(SHIPPABLE_VERDICTS)
    assert gate["waivers"]["items"]["properties"]["verdict"]["enum"] == list(BLOCKING_VERDICTS)


def keys(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(keys, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})) | set().union(*map(keys, schema.values()), set())


def test_the_reference_has_every_key_and_every_name() -> None:
    text = REFERENCE.read_text("utf-8")
    named = {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.split(r"[^\w-]+", code)}
    names = keys(schema_of(MODEL_SCHEMA)) | keys(schema_of(DATA_SCHEMA)) | ALL_METRICS | set(LIMITED_ONLY)
    assert names | {*ALL_FAIRNESS, *SHIPPABLE_VERDICTS, *BLOCKING_VERDICTS} <= named


def test_the_examples_of_the_configuration_are_valid(tmp_path: Path) -> None:
    text = (DOCS / "configuration.md").read_text("utf-8")
    model, columns = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "mlops.yaml").write_text(model)
    (tmp_path / "data.schema.yaml").write_text(columns)
    config = load(tmp_path / "mlops.yaml")
    assert config.data.schema is not None
    assert config.data.schema.columns


@pytest.mark.parametrize("module", ["scalars", "wording", "durations"])
def test_doctests(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"mlops_ci.config.{module}"))
    assert result.attempted
    assert not result.failed
