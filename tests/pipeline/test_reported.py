"""An evaluation that an untrusted job wrote: of the shape that a comment shows, or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from mlops_ci.pipeline.report import render_comment
from mlops_ci.pipeline.reported import reported
from tests.pipeline import report_examples as examples

EXAMPLES = {
    "superior": examples.superior(),
    "complete": examples.complete(),
    "blocked": examples.blocked(),
    "closed": examples.gate_closed(),
    "loss": examples.loss(),
}
JUNK: tuple[Any, ...] = (None, "x", True, -1, 1e308, [], {"x": 1})


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("evaluation", EXAMPLES.values(), ids=EXAMPLES)
def test_the_comment_is_that_of_the_whole_evaluation(evaluation: dict[str, Any]) -> None:
    whole = as_json(evaluation)
    assert render_comment([reported(whole)], title="t") == render_comment([whole], title="t")


def test_what_no_comment_shows_is_left_out() -> None:
    value = as_json({**examples.superior(), "answers": "a" * 64, "evil": {"deep": [1]}})
    value["primary"]["evil"] = "x"
    shown = reported(value)
    assert "evil" not in shown
    assert "answers" not in shown
    assert "evil" not in shown["primary"]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each part; of a list to the first, as the others are alike."""
    yield way
    parts = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*way, key))


def changed(value: Any, way: tuple[Any, ...], junk: Any) -> Any:
    if not way:
        return junk
    whole = deepcopy(value)
    inner = whole
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = junk
    return whole


SMALL = reported(as_json(examples.complete(metrics=dict(list(examples.complete()["metrics"].items())[:1]))))


@pytest.mark.parametrize("part", sorted(SMALL))
def test_whatever_stands_in_a_place_it_is_refused_or_shown(part: str) -> None:
    """No shape that is let through may break the report of all the other models."""
    evaluation = dict(SMALL)
    for way in places(evaluation[part], (part,)):
        for junk in JUNK:
            value = changed(evaluation, way, junk)
            try:
                shown = reported(value)
            except ValueError:
                continue
            assert render_comment([shown], title="t")


@pytest.mark.parametrize("value", [None, [], "x", 1, {}, {"verdict": "superior"}, {"model": "m", "failed": "check"}])
def test_what_is_no_evaluation_at_all_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"missing|an object|is a|null"):
        reported(value)
