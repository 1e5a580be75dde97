"""The life of a model as one page: each step, what came of it and why, with the evaluations as they were then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci.pipeline import figures
from mlops_ci.pipeline.evaluation_view import Evaluation, View
from mlops_ci.pipeline.page import template

Step = Mapping[str, Any]
LONGEST_ANSWER = 20_000


def render_story(title: str, steps: Sequence[Step], audit: Mapping[str, Any]) -> str:
    """One self-contained HTML page.

    A step has `name`, `ok` (whether it went as it should, which a refused model does), `seconds`, and where there is
    something to tell `text` (paragraphs), `result` (a text, or what a command answered with `--json`), `markdown` (a
    comment on a pull request, shown as it was written) and `evaluation` (what `evaluate --json` answers; it is found
    in `result` too). `audit` is what `why --json` answers. All text is shown as text, whatever it holds.
    """
    failed = [str(step["name"]) for step in steps if not step["ok"]]
    seconds = figures.number(sum(step["seconds"] for step in steps), 0)
    went = f"{len(failed)} did not go as they should: {', '.join(failed)}" if failed else "every one went as it should"
    return template("story.html.jinja").render(
        title=title,
        summary=f"{len(steps)} steps in {seconds} seconds; {went}.",
        steps=[_shown(step, number) for number, step in enumerate(steps, start=1)],
        audit=_facts(audit),
    )


def _shown(step: Step, number: int) -> dict[str, Any]:
    from mlops_ci.pipeline.plots import plots

    result, text, evaluation = step.get("result"), str(step.get("text") or ""), _evaluation(step)
    view = View.of(evaluation, number=number) if evaluation else None
    values = result if isinstance(result, Mapping) and result is not evaluation else {}
    said = [str(result)] if result is not None and not isinstance(result, Mapping) else []
    return {
        "name": step["name"],
        "ok": step["ok"],
        "seconds": step["seconds"],
        "paragraphs": [paragraph for paragraph in [*text.split("\n\n"), *said] if paragraph.strip()],
        "facts": _facts(values),
        "answer": _answer(values) if any(map(_is_nested, values.values())) else "",
        "comment": step.get("markdown"),
        "view": view,
        "plots": plots(view.evaluation, key=view.key) if view else [],
    }


def _evaluation(step: Step) -> Evaluation | None:
    result = step.get("result")
    inside = result.get("evaluation") if isinstance(result, Mapping) else None
    candidates = (step.get("evaluation"), result, inside)
    return next((one for one in candidates if isinstance(one, Mapping) and {"verdict", "primary"} <= one.keys()), None)


def _facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values for a person; nothing for null, and of what is nested how much there is."""
    return [(str(name).replace("_", " "), _text(value)) for name, value in values.items() if value is not None]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if _is_nested(value):
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value)) or "none"
    return str(value)


def _is_nested(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value)


def _answer(values: Mapping[str, Any]) -> str:
    """The whole of it as JSON, but for an evaluation, which the page shows in full."""
    kept = {name: value for name, value in values.items() if name != "evaluation"}
    text = json.dumps(kept, ensure_ascii=False, indent=2, default=str)
    if len(text) <= LONGEST_ANSWER:
        return text
    more = len(text) - LONGEST_ANSWER
    return f"{text[:LONGEST_ANSWER]}\n… and {more:,} more characters; the command answers them with --json"
