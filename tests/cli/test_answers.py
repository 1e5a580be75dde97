"""The fields that the reference promises are in what the commands really answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.repository import Repository
from tools.reference.answers import answers

# In this order: each asks for what the one before has made.
ASKED = {
    "plan": ("plan", "--all"),
    "check": ("check",),
    "train": ("train",),
    "export": ("export",),
    "evaluate": ("evaluate",),
    "report": ("report",),
    "ci": ("ci",),
    "release": ("release",),
    "promote": ("promote", "--to", "production"),
    "reconcile": ("reconcile",),
    "status": ("status",),
    "history": ("history",),
    "why": ("why", "--environment", "production"),
    "verify-log": ("verify-log",),
    "verify": ("verify", "--environment", "qa"),
    "score": ("score", "--input", "data.csv", "--output", "scored.parquet"),
    "monitor": ("monitor",),
    "store verify": ("store", "verify"),
}
ELSEWHERE = {"admit", "demo", "doctor", "publish-report", "request-promotion", "rollback", "update"}
"""Their own tests ask for their fields."""


@pytest.fixture
def served(judged: Repository) -> Iterator[Repository]:
    """A repository of Git, from which releases can be made; their services are ended."""
    judged.commit("a model")
    yield judged
    judged.stop_services()


def lacks(value: Any, field: str) -> bool:
    """Whether `a.b` or `a[].b` is not there; an empty list has nothing to show."""
    name, _, rest = field.partition(".")
    many = name.endswith("[]")
    name = name.removesuffix("[]")
    if not isinstance(value, dict) or name not in value:
        return True
    inner = value[name]
    if many:
        return not isinstance(inner, list) or any(lacks(item, rest) for item in inner)
    return bool(rest) and lacks(inner, rest)


def test_what_is_promised_is_answered(served: Repository) -> None:
    missing = {}
    for command, arguments in ASKED.items():
        answer = served.run(*arguments)
        assert answer.code == 0, f"{command}: {answer.said}"
        missing[command] = [field for field, _ in answers()[command] if lacks(answer.value, field)]
    assert {command: fields for command, fields in missing.items() if fields} == {}


def test_every_promise_is_asked_for_here_or_elsewhere() -> None:
    assert set(answers()) == set(ASKED) | ELSEWHERE


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        ({"a": 1}, "a", False),
        ({"a": 1}, "b", True),
        ({"a": {"b": None}}, "a.b", False),
        ({"a": {"b": None}}, "a.c", True),
        ({"a": [{"b": 1}, {"c": 1}]}, "a[].b", True),
        ({"a": {}}, "a[].b", True),
    ],
)
def test_a_field_that_is_missing_is_seen(value: dict[str, Any], field: str, expected: bool) -> None:
    assert lacks(value, field) is expected
