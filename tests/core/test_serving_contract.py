from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.core.serving_contract import Placed, Serving

NOTHING = Serving(environment="qa", model="tides")
ONE, TWO = (Placed(image=f"r/x@sha256:{n}", version=n, arguments=("--log=-",)) for n in (1, 2))


def test_a_release_starts_without_traffic_and_stays_as_it_was_started() -> None:
    serving = NOTHING.with_release("a", ONE).divided({"a": 100})
    assert serving.shares == {"a": 100}
    later = Placed(image=ONE.image, version=1, arguments=("--workers=9",))
    assert serving.with_release("a", later) == serving
    assert serving.with_release("b", TWO).shares == {"a": 100}
    other = serving.with_release("a", TWO)
    assert (other.releases["a"].image, other.shares) == (TWO.image, {"a": 100})


def test_traffic_is_divided_and_taken_away() -> None:
    both = NOTHING.with_release("a", ONE).with_release("b", TWO)
    assert both.divided({"a": 99, "b": 1}).shares == {"a": 99, "b": 1}
    assert both.divided({"a": 100}, "b").shadow == "b"
    assert both.divided({"a": 100}, "b").without("b") == both.divided({"a": 100}).without("b")
    assert both.divided({"a": 100}).divided({}).shares == {}
    assert both.divided({"a": 100}).without("b").shares == {"a": 100}
    # What is left is no division of the traffic, and nobody has said another one.
    assert both.divided({"a": 60, "b": 40}).without("b").shares == {}
    assert both.without("a").without("a").releases == {"b": TWO}


@pytest.mark.parametrize(
    ("shares", "shadow"), [({"a": 99}, None), ({"a": 101, "b": -1}, None), ({"a": 100}, "a"), ({}, "a")]
)
def test_what_is_no_division_is_refused(shares: dict[str, int], shadow: str | None) -> None:
    with pytest.raises(ValueError, match=r"shares|shadow"):
        NOTHING.with_release("a", ONE).with_release("b", TWO).divided(shares, shadow)


@pytest.mark.parametrize(("shares", "shadow"), [({"z": 100}, None), ({"a": 100}, "z")])
def test_what_has_no_service_gets_nothing(shares: dict[str, int], shadow: str | None) -> None:
    with pytest.raises(KeyError, match="z"):
        NOTHING.with_release("a", ONE).divided(shares, shadow)


def test_it_comes_back_as_it_was() -> None:
    serving = NOTHING.with_release("a", ONE).with_release("b", TWO).divided({"a": 100}, "b")
    assert Serving.from_json(serving.to_json()) == serving
    assert Serving.from_json({**serving.to_json(), "more": 1}) == serving
    without_shadow = {key: value for key, value in NOTHING.to_json().items() if key != "shadow"}
    assert Serving.from_json(without_shadow) == NOTHING


GOOD: dict[str, Any] = {"image": "x", "version": 1, "share": 0, "arguments": []}


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"environment": "qa", "model": "m"}, {"environment": "qa", "model": "m", "releases": []},
        {"environment": 1, "model": "m", "releases": {}},
        {"environment": "qa", "model": "m", "releases": {}, "shadow": 1},
        *({"environment": "qa", "model": "m", "releases": {"a": {**GOOD, **wrong}}} for wrong in (
            {"image": None}, {"share": 101}, {"share": -1}, {"share": 0.5}, {"share": "1"}, {"version": None},
            {"arguments": "x"}, {"arguments": [1]},
        )),
        {"environment": "qa", "model": "m", "releases": {"a": {"image": "x"}}},
    ],
)  # fmt: skip
def test_what_is_no_such_thing_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"it has|has to be|have to be|a release has"):
        Serving.from_json(value)
