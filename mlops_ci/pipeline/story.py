"""The life of a model as one page: each step, what came of it and why, with the evaluations as they were then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci.pipeline import wording
from mlops_ci.pipeline.plots import plots
from mlops_ci.pipeline.report import View, template

Step = Mapping[str, Any]


def render_story(title: str, steps: Sequence[Step], audit: Mapping[str, Any]) -> str:
    """One self-contained HTML page.

    A step has `name`, `ok` (whether it went as it should, which a refused model does), `seconds`, and where there is
    something to tell `text` (paragraphs), `result` (a text, or names and values), `markdown` (a comment on a pull
    request, shown as it was written) and `evaluation` (what `evaluate --json` answers). `audit` is what `why --json`
    answers. All text is shown as text, whatever it holds.
    """
    failed = [str(step["name"]) for step in steps if not step["ok"]]
    seconds = wording.number(sum(step["seconds"] for step in steps), 0)
    went = f"{len(failed)} did not go as they should: {', '.join(failed)}" if failed else "every one went as it should"
    return template("story.html.jinja").render(
        title=title,
        summary=f"{len(steps)} steps in {seconds} seconds; {went}.",
        steps=[_shown(step, number) for number, step in enumerate(steps, start=1)],
        audit=_facts(audit),
    )


def _shown(step: Step, number: int) -> dict[str, Any]:
    evaluation, result, text = step.get("evaluation"), step.get("result"), str(step.get("text") or "")
    view = View.of(evaluation, number=number) if evaluation else None
    said = [str(result)] if result is not None and not isinstance(result, Mapping) else []
    return {
        "name": step["name"],
        "ok": step["ok"],
        "seconds": step["seconds"],
        "paragraphs": [paragraph for paragraph in [*text.split("\n\n"), *said] if paragraph.strip()],
        "facts": _facts(result) if isinstance(result, Mapping) else [],
        "comment": step.get("markdown"),
        "view": view,
        "plots": plots(evaluation.get("curves") or {}, key=view.key) if evaluation and view else [],
    }


def _facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values for a person: lists in one line, anything deeper as JSON, nothing for null."""
    return [(str(name).replace("_", " "), _text(value)) for name, value in values.items() if value is not None]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value)) or "none"
    return str(value)
