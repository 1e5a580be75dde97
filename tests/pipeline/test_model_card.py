"""The card says what people wrote and what was measured, and nothing of a private column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.config.schema_types import ColumnSchema, DataSchema
from mlops_ci.config.types import CardConfig, ModelConfig
from mlops_ci.pipeline.dataset import build_dataset, split_dataset
from mlops_ci.pipeline.model_card import card_facts, model_card, performance
from tests.pipeline import report_examples as examples
from tests.pipeline.team import make_team, people

WORDS = CardConfig(
    description="Late or not.", owners=("ada", "@acme/ml"), intended_use="Offers.", out_of_scope="", limitations=""
)


@pytest.fixture
def config(tmp_path: Path) -> ModelConfig:
    team = make_team(tmp_path, people(300))
    team.set(data__group=None)
    return replace(team.config, card=WORDS)


def made(config: ModelConfig) -> dict[str, Any]:
    training, holdout = split_dataset(build_dataset(people(300), config), config)[:2]
    return model_card(config, training=training, holdout=holdout)


def test_the_card_holds_the_words_and_the_facts_of_the_data(config: ModelConfig) -> None:
    card = made(config)
    assert card["description"] == "Late or not."
    assert card["owners"] == ("ada", "@acme/ml")
    assert card["features"] == [column for column in ("city", "height", "age", "colour") if column in card["features"]]
    assert card["classes"] == ["0", "1"]
    assert card["training_period"].startswith("from 2026-01-0")


def test_a_private_target_and_a_private_time_stay_out(config: ModelConfig) -> None:
    hidden = DataSchema(
        path="data.schema.yaml",
        columns=(
            ColumnSchema(name="late", type="integer", private=True),
            ColumnSchema(name="when", type="timestamp", private=True),
        ),
    )
    card = made(replace(config, data=replace(config.data, schema=hidden)))
    assert card["classes"] == []
    assert card["training_period"] == card["holdout_period"] == ""


def test_the_facts_leave_out_what_nobody_wrote_and_ask_for_what_everybody_needs() -> None:
    facts = dict(card_facts(examples.complete()))
    assert facts["Who answers for it"] == "@acme/flights, ada@acme.example"
    assert facts["Trained on"] == "39,075 rows, from 2013-01-01 to 2013-10-19, data/flights.parquet"

    silent = examples.complete()
    silent["card"] |= {"description": "", "owners": [], "out_of_scope": "", "limitations": ""}
    facts = dict(card_facts(silent))
    assert "card.owners" in facts["Who answers for it"]
    assert "card.description" in facts["What it does"]
    assert "Not meant for" not in facts
    assert card_facts(examples.superior()) == []


def test_speed_and_size_stand_beside_the_champion_s() -> None:
    assert performance(examples.superior()) == ""
    alone = examples.complete()
    alone["performance"] |= {"champion_latency_p99_ms": None, "champion_model_mb": None}
    assert "champion" not in performance(alone)
    assert "(champion: 0.19 ms, 0.31 MB)" in performance(examples.complete())
