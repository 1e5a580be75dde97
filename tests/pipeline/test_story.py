"""The life of a model as a page (its whole text is compared in `test_report`)."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.pipeline.report import render_story
from tests.pipeline import report_examples as examples
from tests.pipeline.test_report import Page


def step(**changes: Any) -> dict[str, Any]:
    return {"name": "A step", "ok": True, "seconds": 1.0, "result": None, "text": "", **changes}


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_hostile_text_is_only_text(text: str) -> None:
    def story(text: str) -> Page:
        steps = [
            step(
                name=text,
                result=text,
                text=" ".join(text.split()),
                markdown=text.replace("\n", " "),
                evaluation=examples.hostile(text),
            ),
            step(name=text, result={"key": text, "list": [text]}),
        ]
        return Page(render_story(text, steps, {"approved_by": [text], "nested": {"a": text}}))

    page, innocent = story(text), story("x")
    assert page.elements == innocent.elements
    assert page.values("href") == innocent.values("href")


def test_a_step_that_failed_is_named_in_words() -> None:
    page = render_story("x", [step(), step(name="Broken", ok=False)], {})
    assert "2 steps in 2 seconds; 1 did not go as they should: Broken." in page
    assert 'class="failed"' in page
    assert "✗ failed" in page


def test_comments_keep_their_lines() -> None:
    page = render_story("x", [step(markdown="## A\n\n- b  c")], {})
    assert "<pre>## A\n\n- b  c</pre>" in page


def test_two_evaluations_on_one_page_have_ids_of_their_own() -> None:
    steps = [step(evaluation=examples.superior()), step(evaluation=examples.superior())]
    ids = Page(render_story("x", steps, {"version": 1})).values("id")
    assert len(ids) == len(set(ids))
    assert {"step-1", "step-2", "audit", "model-1", "model-2"} <= set(ids)


def test_what_a_command_answered_is_shown_with_what_is_nested_folded_away() -> None:
    result = {
        "windows": [{"rows": 5}, {"rows": 6}],
        "alarm": True,
        "nothing": None,
        "steps": [10, 50],
        "performance": {},
    }
    page = render_story("x", [step(result=result)], {})
    assert "<dt>windows</dt><dd>2 entries</dd>" in page
    assert "<dt>alarm</dt><dd>yes</dd>" in page
    assert "<dt>steps</dt><dd>10, 50</dd>" in page
    assert "<dt>nothing</dt>" not in page
    assert "The whole answer" in page
    assert "&quot;rows&quot;: 6" in page


def test_an_evaluation_is_found_in_the_answer_of_a_command() -> None:
    alone = render_story("x", [step(result=examples.superior())], {})
    inside = render_story("x", [step(result={"outcome": "proposed", "evaluation": examples.superior()})], {})
    for page in (alone, inside):
        assert page.count('<section class="card" id="model-1">') == 1
        assert page.count('<svg class="plot"') == 4
        assert "&quot;curves&quot;" not in page
    assert "<dt>outcome</dt><dd>proposed</dd>" in inside
    assert "<dt>lock</dt>" not in alone


def test_a_huge_answer_is_cut_and_says_so() -> None:
    page = render_story("x", [step(result={"list": [{"value": number} for number in range(10_000)]})], {})
    assert "more characters; the command answers them with --json" in page
    assert len(page) < 60_000
