"""A record that came out of the store is what its type says, or the reasons why not are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from mlops_ci.core.shape import misfits


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    kind: Literal["one", "two"]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Whole:
    parts: tuple[Part, ...]
    counts: Mapping[str, float]
    either: str | int | None
    anything: Mapping[str, Any]


FITTING: dict[str, Any] = {
    "parts": [{"name": "a", "kind": "one"}, {"name": "b", "kind": "two", "note": "n"}],
    "counts": {"a": 1, "b": 2.5},
    "either": None,
    "anything": {"x": [None, {"y": True}]},
}


def test_what_fits_has_nothing_to_be_said_about() -> None:
    assert misfits(FITTING, Whole) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"parts": None}, "parts is null, not a list"),
        ({"parts": {}}, "parts is an object, not a list"),
        ({"parts": [{"name": "a"}]}, "parts[0].kind is missing"),
        ({"parts": [{"name": 1, "kind": "one"}]}, "parts[0].name is a whole number, not a text"),
        ({"parts": [{"name": "a", "kind": "three"}]}, "parts[0].kind is 'three'"),
        ({"parts": [{"name": "a", "kind": ["one"]}]}, "parts[0].kind is \"['one']\""),
        ({"parts": [{"name": "a", "kind": "one", "x": 1}]}, "'x' is unknown"),
        ({"counts": {"a": "1"}}, "counts[a] is a text, not a number"),
        ({"counts": {"a": True}}, "counts[a] is true or false, not a number"),
        ({"counts": {"a": None}}, "counts[a] is null, not a number"),
        ({"either": 1.5}, "either is a number"),
        ({"either": True}, "either is true or false"),
        ({"anything": []}, "anything is a list, not an object"),
        ({"extra": 1}, "'extra' is unknown"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(change: dict[str, Any], finding: str) -> None:
    assert misfits(FITTING | change, Whole) == [finding]


def test_everything_is_said_at_once() -> None:
    assert len(misfits({"parts": 1, "counts": 2, "extra": 3}, Whole)) == 5


@pytest.mark.parametrize(
    ("value", "hint", "fits"),
    [
        *((1, int, True), (True, int, False), (1.0, int, False), (True, bool, True), (1, bool, False)),
        *((1, float, True), (1.5, float, True), (True, float, False), ("1", float, False), (None, str | None, True)),
        *(([1, 2], tuple[int, ...], True), ([1, "2"], tuple[int, ...], False), ("12", tuple[str, ...], False)),
        *(({}, Mapping[str, int], True), ({"a": 1}, Mapping[str, int], True), ({"a": "1"}, Mapping[str, int], False)),
        *((["x", None], tuple[Any, ...], True), (None, Any, True), ([], Part, False), (None, Part, False)),
    ],
)
def test_json_values_and_types(value: object, hint: object, fits: bool) -> None:
    assert (misfits(value, hint) == []) is fits
