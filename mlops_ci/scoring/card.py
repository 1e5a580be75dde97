"""The model card of a release (`card.json`), and the model's columns as it describes them.

What it says of the columns are hints for people: the service takes what the signature takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from mlops_ci.core.records import CARD_FILE
from mlops_ci.core.signature import Column, ColumnKind, Signature

ColumnType = Literal["integer", "number", "boolean", "text", "category"]
TYPES: Mapping[ColumnKind, tuple[ColumnType, ...]] = {
    "number": ("number", "integer", "boolean"),
    "text": ("text", "category"),
}
"""What a column of each kind may be called, the plainest first."""
LISTS = ("metrics", "slices", "fairness")
MEANING: Mapping[ColumnType, str] = {
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "text": "text",
    "category": "category",
}


@dataclass(frozen=True, kw_only=True)
class ServedColumn:
    """One column as people are told of it; `nullable` says whether the training data may hold missing values."""

    name: str
    type: ColumnType
    nullable: bool = True
    categories: tuple[str | float | bool, ...] = ()
    min: float | None = None
    max: float | None = None

    @property
    def kind(self) -> ColumnKind:
        return "text" if self.type in TYPES["text"] else "number"

    @property
    def hint(self) -> str:
        """What to enter, in a few words."""
        said = [MEANING[self.type]]
        if self.min is not None or self.max is not None:
            low, high = ("" if end is None else f"{end:.6g}" for end in (self.min, self.max))
            said.append(f"{low} to {high}" if low and high else f"from {low}" if low else f"up to {high}")
        elif self.categories:
            said.append(f"{len(self.categories)} known")
        said.append("may be missing" if self.nullable else "never missing in training")
        return ", ".join(said)

    @property
    def example(self) -> str | float | bool | None:
        """A value that may well occur, for a number the one nearest to zero; None where nothing is known."""
        if self.categories:
            return self.categories[0]
        if self.type == "boolean":
            return True
        if self.min is None and self.max is None:
            return None
        low, high = float("-inf" if self.min is None else self.min), float("inf" if self.max is None else self.max)
        nearest = max(low, min(0.0, high))
        return int(nearest) if nearest.is_integer() else nearest


@dataclass(frozen=True, kw_only=True)
class Card:
    """The columns in the order of the signature, and all else that the card says (nothing where there is none)."""

    columns: tuple[ServedColumn, ...]
    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {**self.facts, "columns": [asdict(column) for column in self.columns]}


def read_card(data: bytes | None, signature: Signature) -> Card:
    """The card in the bytes of `card.json`; None says that there is no such file. Raises ValueError."""
    if data is None:
        columns = tuple(ServedColumn(name=column.name, type=TYPES[column.kind][0]) for column in signature.inputs)
        return Card(columns=columns, facts={})
    try:
        facts = orjson.loads(data)
        named = {column["name"]: column for column in facts.pop("columns")}
        columns = tuple(_column(named[column.name], column) for column in signature.inputs)
        for part in LISTS:
            if not all(isinstance(one, dict) for one in facts.get(part) or ()):
                raise TypeError(f"{part} has to be a list of objects")
        if not isinstance(facts.get("card") or {}, dict):
            raise TypeError("card has to be an object")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{CARD_FILE} is not a card of this model: {error!r}") from error
    return Card(columns=columns, facts=facts)


def _column(described: Mapping[str, Any], column: Column) -> ServedColumn:
    served = ServedColumn(**{**described, "categories": tuple(described["categories"])})
    if served.type not in TYPES[column.kind]:
        raise ValueError(f"column {column.name} is a {column.kind}, not {served.type}")
    for limit in (served.min, served.max):
        if limit is not None and type(limit) not in (int, float):
            raise TypeError(f"column {column.name} has the limit {limit!r}")
    return served
