from __future__ import annotations

import json
from typing import Any

import pytest

from mlops_ci.scoring.card import ServedColumn, read_card
from tests.scoring.cards import COLUMNS, card_json, card_of
from tests.scoring.tiny_models import binary


def test_a_card_describes_the_columns_in_the_order_of_the_signature() -> None:
    card = card_of(binary(), columns=COLUMNS[::-1])

    assert [column.name for column in card.columns] == ["distance", "hour", "carrier"]
    assert card.columns[2].categories == ("UA", "AA")
    assert json.loads(json.dumps(card.to_json())) == card_json()


def test_without_a_card_the_signature_says_what_there_is() -> None:
    card = read_card(None, binary().signature)

    assert [(column.type, column.nullable, column.categories) for column in card.columns] == [
        ("number", True, ()),
        ("number", True, ()),
        ("text", True, ()),
    ]
    assert list(card.to_json()) == ["columns"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"columns": 3}',
        json.dumps(card_json(columns=COLUMNS[:2])).encode(),
        json.dumps(card_json(columns=[{**column, "type": "text"} for column in COLUMNS])).encode(),
        json.dumps(card_json(columns=[{**column, "more": 1} for column in COLUMNS])).encode(),
        json.dumps(card_json(columns=[{**column, "min": "0"} for column in COLUMNS])).encode(),
        json.dumps(card_json(metrics=["roc_auc"])).encode(),
        json.dumps(card_json(card=["words"])).encode(),
    ],
)
def test_what_is_no_card_of_this_model_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"card\.json is not a card of this model"):
        read_card(data, binary().signature)


@pytest.mark.parametrize(
    ("column", "hint", "example"),
    [
        ({"type": "integer", "min": 0.0, "max": 23.0}, "whole number, 0 to 23, may be missing", 0),
        ({"type": "number", "min": 0.5}, "number, from 0.5, may be missing", 0.5),
        ({"type": "number", "min": -9.0, "max": -2.0}, "number, -9 to -2, may be missing", -2),
        ({"type": "number", "max": 2.0, "nullable": False}, "number, up to 2, never missing in training", 0),
        ({"type": "integer", "min": 5, "max": 9}, "whole number, 5 to 9, may be missing", 5),
        ({"type": "number", "max": -0.5}, "number, up to -0.5, may be missing", -0.5),
        ({"type": "number"}, "number, may be missing", None),
        ({"type": "boolean"}, "yes or no, may be missing", True),
        ({"type": "category", "categories": ("a", "b")}, "category, 2 known, may be missing", "a"),
        ({"type": "text"}, "text, may be missing", None),
    ],
)
def test_people_are_told_what_to_enter(column: dict[str, Any], hint: str, example: Any) -> None:
    served = ServedColumn(name="a", **column)

    assert (served.hint, served.example) == (hint, example)
