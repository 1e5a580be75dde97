"""Whatever a file says, it is either used or complained of: nothing else is ever raised."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.config.completion import complete
from mlops_ci.config.data_schema import DATA_SCHEMA_RULES, complete_data_schema
from mlops_ci.config.reader import parse
from mlops_ci.config.rules import MODEL_RULES
from mlops_ci.config.types import ModelConfig
from mlops_ci.config.validation import DATA_SCHEMA, MODEL_SCHEMA, Checked, schema_of, validate
from mlops_ci.errors import ConfigurationError

FULL: dict[str, Any] = {
    "schema": 1,
    "model": "m",
    "task": "binary-classification",
    "data": {
        "source": "a.csv",
        "target": "y",
        "id": "i",
        "time": "t",
        "group": "g",
        "features": ["a"],
        "prepare": "p:f",
    },
    "split": {"strategy": "time", "holdout": 0.5, "seed": 3},
    "train": {"entrypoint": "t:b", "params": {"x": 1}, "search": {"space": {"x": [1]}, "method": "grid", "cv": 3}},
    "gate": {
        "primary": {"metric": "roc_auc", "margin": 0, "alpha": 0.1},
        "guardrails": [{"metric": "f1", "min": 0.5, "max": 1}],
        "slices": [{"by": "a", "max_drop": 0.1, "metric": "recall", "min_rows": 5}],
        "fairness": [{"by": "a", "metric": "equalized_odds_difference", "max": 0.1}],
        "waivers": [{"verdict": "leakage", "reason": "r", "approver": "a", "expires": "2026-01-31"}],
        "ships": ["first"],
    },
    "image": {"repository": "acme/x", "base": "b"},
    "risk": "high",
    "log": {"public_key": "log.pem"},
    "environments": {
        "q": {
            "target": "process",
            "approvals": {"required": 0, "high_risk": 0, "from": []},
            "rollout": {"steps": [100], "window": "1s", "min_requests": 0, "shadow": "0s"},
        },
        "p": {
            "target": "docker",
            "approvals": {"required": 1, "high_risk": 2, "from": ["ada", "@a/b"]},
            "rollout": {
                "steps": [50, 100],
                "window": "1s",
                "min_requests": 5,
                "deadline": "2s",
                "shadow": "1m",
                "ab": {"share": 20, "duration": "1d"},
                "false_aborts": 0.1,
            },
            "soak": "5m",
            "timezone": "Asia/Tokyo",
            "windows": [{"days": ["monday"], "from": "09:00", "to": "24:00", "timezone": "UTC"}],
            "freeze": [{"from": "2026-12-20", "to": "2027-01-02", "reason": "r"}],
            "limits": {"cpus": 0.5, "memory_mb": 256},
        },
    },
    "monitor": {"window": "1d", "false_alarms_per_month": 2, "min_rows": 9},
    "retrain": {"schedule": "daily", "on": ["data"], "cooldown": "2w"},
}
COLUMNS: dict[str, Any] = {
    "schema": 1,
    "rows": {"min": 1, "max": 9},
    "columns": {
        "a": {"type": "integer", "min": 1, "max": 2, "categories": [1, 2], "nullable": True},
        "b": {"type": "text", "categories": ["x"], "private": True, "unique": False},
    },
}
WORDS = ["", "on", "time", "regression", "random", "rmse", "0s", "9" * 400, "12", "true", "a:b", "@a/b", "2026-02-30"]
# What YAML cannot hold is the reader's business.
TEXTS = st.text(st.characters(exclude_categories=["C"]) | st.just("\n"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def model(text: str) -> Checked:
    return validate(parse(text.encode("utf-8", "replace"), "m.yaml"), schema=MODEL_SCHEMA, rules=MODEL_RULES)


def columns(text: str) -> Checked:
    return validate(parse(text.encode("utf-8", "replace"), "d.yaml"), schema=DATA_SCHEMA, rules=DATA_SCHEMA_RULES)


def paths(value: Any) -> list[tuple[str | int, ...]]:
    keyed = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, part in keyed for way in [(key,), *((key, *rest) for rest in paths(part))]]


@st.composite
def spoilt(draw: st.DrawFn, full: dict[str, Any]) -> str:
    """The full file as text, with up to three parts replaced, removed or misnamed. (JSON is YAML.)"""
    value = copy.deepcopy(full)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(paths(value) or [("schema",)]))
        inside: Any = value
        for part in way:
            inside = inside[part]
        kind = draw(st.sampled_from(["replace", "remove", "misname"]))
        old = inside.pop(last) if isinstance(inside, dict) else None
        if kind == "replace" or isinstance(inside, list):
            inside[last] = draw(VALUES)
        elif kind == "misname":
            inside[f"{last}e"] = old
    return json.dumps(value, ensure_ascii=False)


def completed(checked: Checked) -> ModelConfig | None:
    value = checked.document.value
    return None if checked.problems else complete(value, path=Path("m.yaml"), schema=None)


def test_the_full_files_are_fine() -> None:
    assert completed(model(json.dumps(FULL))) is not None
    assert columns(json.dumps(COLUMNS)).problems == ()


@settings(deadline=None)
@given(spoilt(FULL))
def test_any_mistake_is_complained_of_or_harmless(text: str) -> None:
    checked = model(text)
    assert all(problem.fix and problem.where == "m.yaml:1" for problem in checked.problems)
    assert (completed(checked) is None) == bool(checked.problems)


@given(spoilt(COLUMNS))
def test_any_mistake_in_a_data_schema_is_complained_of_or_harmless(text: str) -> None:
    checked = columns(text)
    if not checked.problems:
        assert complete_data_schema(checked.document.value, path="d.yaml").columns


@given(
    st.text() | st.lists(st.sampled_from(["model", "data", ": ", "\n", "  ", "- ", "{", "}", "1", "~"])).map("".join)
)
def test_any_text_is_used_or_refused_with_the_one_error(text: str) -> None:
    for read in (model, columns):
        refused = False
        try:
            refused = bool(read(text).problems)
        except ConfigurationError:
            refused = True
        assert refused, "no such text is a whole configuration"


def test_more_than_a_hundred_problems_are_counted() -> None:
    checked = model("".join(f"key{number}: 1\n" for number in range(200)))
    assert len(checked.problems) == 101
    assert checked.problems[0].where == "m.yaml:1"
    assert checked.problems[-1].what == "105 more problems are not shown"


def test_a_long_list_of_mixed_values_is_looked_through_in_one_go() -> None:
    """jsonschema compares each item with each where they cannot be sorted: longer than a test may take."""
    items = ", ".join(f"{number}, t{number}" for number in range(40_000))
    checked = columns(f"schema: 1\ncolumns: {{a: {{type: text, categories: [{items}]}}}}\n")
    assert checked.problems == ()
    assert checked.document.value["columns"]["a"]["categories"][:2] == ["0", "t0"]


def test_both_schemas_are_valid_json_schemas() -> None:
    from jsonschema import Draft202012Validator

    for name in (MODEL_SCHEMA, DATA_SCHEMA):
        Draft202012Validator.check_schema(schema_of(name))


def test_editors_find_a_description_of_every_key() -> None:
    def keys(schema: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
        if not isinstance(schema, dict):
            return []
        named = [(f"{where}.{key}", part) for key, part in schema.get("properties", {}).items()]
        inner = [*named, *((f"{where}.{key}", part) for key, part in schema.get("$defs", {}).items())]
        inner += [(f"{where}[]", schema[key]) for key in ("items", "additionalProperties") if key in schema]
        return named + [pair for way, part in inner for pair in keys(part, way)]

    for name in (MODEL_SCHEMA, DATA_SCHEMA):
        found = keys(schema_of(name), name)
        definitions = schema_of(name)["$defs"]
        assert len(found) > 10
        for where, part in found:
            referred = definitions.get(part.get("$ref", "").removeprefix("#/$defs/"), {})
            assert part.get("description") or referred.get("description"), where


def test_a_checked_document_is_the_same_without_problems(minimal: str) -> None:
    checked = model(minimal)
    assert checked.sound == checked.document.value


def test_what_is_wrong_is_kept_in_the_document_and_gone_from_what_is_sound(minimal: str) -> None:
    checked = model(f"{minimal}split: {{seed: -1, holdout: 0.3}}\n")
    assert checked.document.value["split"] == {"seed": -1, "holdout": 0.3}
    assert checked.sound["split"] == {"seed": None, "holdout": 0.3}
