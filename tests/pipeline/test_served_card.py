"""`card.json`: the same for the same candidate, no more than people may know, and what the service takes as a card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.config.schema_types import ColumnSchema, DataSchema
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.records import Candidate
from mlops_ci.core.signature import Column, Signature
from mlops_ci.pipeline.served_card import served_card
from mlops_ci.scoring.card import read_card
from tests.pipeline import report_examples as examples
from tests.pipeline.team import make_team, people

SIGNATURE = Signature(
    task="binary-classification",
    inputs=(
        Column(name="height", kind="number"),
        Column(name="age", kind="number"),
        Column(name="member", kind="number"),
        Column(name="colour", kind="text"),
        Column(name="city", kind="text"),
        Column(name="made", kind="number"),
    ),
    classes=(0, 1),
)
SCHEMA = DataSchema(
    path="data.schema.yaml",
    columns=(
        ColumnSchema(name="height", type="number", nullable=True, min=0.5, max=2.5),
        ColumnSchema(name="age", type="integer", min=0, max=120, private=True),
        ColumnSchema(name="member", type="boolean"),
        ColumnSchema(name="colour", type="text", categories=("red", "blue")),
        ColumnSchema(name="city", type="text", nullable=True, categories=("Rom", "Bonn"), private=True),
        ColumnSchema(name="made", type="text", categories=("raw",)),  # as read; `data.prepare` makes a number of it
        ColumnSchema(name="name", type="text"),
    ),
)
CANDIDATE = Candidate(
    model="flight-delay",
    lock="3f" * 32,
    lock_record="a" * 64,
    signature=SIGNATURE,
    onnx="b" * 64,
    refusal="",
    reference="c" * 64,
    holdout="d" * 64,
    profile="e" * 64,
    metrics={},
    rows={"train": 39075, "holdout": 13025},
    commit="c0" * 20,
    trained_at="2026-11-21T09:00:00Z",
    seconds=12.3,
)


@pytest.fixture
def config(tmp_path: Path) -> ModelConfig:
    config = make_team(tmp_path, people(30)).config
    return replace(config, data=replace(config.data, schema=SCHEMA))


def described(config: ModelConfig, **evaluation: Any) -> dict[str, Any]:
    return served_card(config, CANDIDATE, examples.complete(**evaluation))


def test_the_columns_are_what_the_schema_says_of_the_model_s_inputs(config: ModelConfig) -> None:
    columns = {column.pop("name"): column for column in described(config)["columns"]}
    nothing = {"categories": [], "min": None, "max": None}

    assert list(columns) == [column.name for column in SIGNATURE.inputs]
    assert columns["height"] == {"type": "number", "nullable": True, "categories": [], "min": 0.5, "max": 2.5}
    assert columns["member"] == {"type": "boolean", "nullable": False, **nothing}
    assert columns["colour"] == {**nothing, "type": "category", "nullable": False, "categories": ["red", "blue"]}
    assert columns["made"] == {"type": "number", "nullable": True, **nothing}


def test_of_a_private_column_nothing_but_its_type_is_said(config: ModelConfig) -> None:
    by_city = [examples.one_slice("Rom", -0.2, by="city"), examples.one_slice("Bonn", 0.1, by="city")]

    card = described(config, slices=[*by_city, examples.one_slice("UA", 0.0)], private=["age", "city"])

    columns = {column["name"]: column for column in card["columns"]}
    nothing = {"categories": [], "min": None, "max": None}
    assert columns["age"] == {"name": "age", "type": "integer", "nullable": False, **nothing}
    assert columns["city"] == {"name": "city", "type": "text", "nullable": True, **nothing}
    assert [one["slice"] for one in card["slices"]] == ["(private 1)", "(private 2)", "UA"]
    text = canonical_json(card).decode()
    assert not [word for word in ("Rom", "Bonn", "120") if word in text]


def test_without_a_schema_the_kinds_are_the_types(config: ModelConfig) -> None:
    card = described(replace(config, data=replace(config.data, schema=None)))

    assert {column["type"] for column in card["columns"]} == {"number", "text"}
    assert all(column["nullable"] for column in card["columns"])


def test_the_card_holds_words_and_figures_and_no_timings(config: ModelConfig) -> None:
    card = described(config)

    assert (card["model"], card["task"], card["verdict"]) == ("flight-delay", "binary-classification", "superior")
    assert card["card"]["owners"] == ["@acme/flights", "ada@acme.example"]
    assert card["metrics"][0]["name"] == "roc_auc"
    assert card["metrics"][0]["value"] == 0.7613
    low, high = card["metrics"][0]["interval"]
    assert low < 0.7613 < high
    assert card["fairness"][0] == {
        "by": "sex", "metric": "equalized_odds_difference", "value": 0.061, "min": None, "max": 0.1, "ok": True
    }  # fmt: skip
    later = served_card(
        config,
        replace(CANDIDATE, trained_at="2027-01-01T00:00:00Z", seconds=99.0),
        examples.complete(time="2027-01-01T00:00:00Z", performance={"latency_p99_ms": 9.9}),
    )
    assert canonical_json(later) == canonical_json(card)


def test_an_evaluation_that_measured_little_has_a_card(config: ModelConfig) -> None:
    card = served_card(config, CANDIDATE, {"verdict": "first"})

    assert (card["card"], card["metrics"], card["slices"], card["fairness"]) == ({}, [], [], [])


def test_the_service_takes_it(config: ModelConfig) -> None:
    data = canonical_json({**described(config), "version": 3, "commit": "c0" * 20})

    card = read_card(data, SIGNATURE)

    assert [column.type for column in card.columns] == ["number", "integer", "boolean", "category", "text", "number"]
