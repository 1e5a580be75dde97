"""Writes the golden reports anew: `python -m tests.pipeline.regenerate_report`, then look at `git diff`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mlops_ci.pipeline.report import Report, render
from mlops_ci.pipeline.story import render_story
from tests.pipeline import report_examples as examples

GOLDEN = Path(__file__).parent / "golden" / "report"
COMMAND = "python -m tests.pipeline.regenerate_report"


def reports() -> Iterator[tuple[str, Report]]:
    """Every kind of verdict, one model and several."""
    yield "superior", render([examples.superior()], title="flight-delay")
    yield "first", render([examples.first()], title="flight-delay")
    yield "blocked", render([examples.blocked()], title="flight-delay")
    yield "loss", render([examples.loss()], title="house-prices")
    others = [
        examples.compared("inferior", -0.021, -0.031, -0.011, model="churn"),
        examples.compared("inconclusive", 0.001, -0.009, 0.012, model="fraud", rows_needed=83_412),
        examples.compared("non-inferior", 0.001, -0.003, 0.005, model="uplift"),
        examples.blocked(model="credit-risk"),
        examples.superior(),
    ]
    yield "several", render(others, title="Five models")
    yield "none", render([], title="Nothing to judge")


def pages() -> Iterator[tuple[str, str]]:
    """The pages, without the plots: these differ between versions of matplotlib."""
    for name, report in reports():
        if name in {"superior", "several"}:
            yield name, without_plots(report.html)
    steps = [
        {"name": "First release", "ok": True, "seconds": 4.21, "text": "Trained.\n\nReleased.", "result": {"version": 1}},
        {
            "name": "A worse one is refused",
            "ok": True,
            "seconds": 3.0,
            "result": "refused",
            "markdown": "## A comment\n\n| a | b |",
            "evaluation": examples.blocked(),
        },
        {"name": "A broken one", "ok": False, "seconds": 9.0, "result": {"steps": [10, 50], "hold": None}},
    ]
    audit = {"environment": "production", "version": 2, "approved_by": ["ada"], "evidence": ["ab" * 32], "healthy": True}
    yield "story", without_plots(render_story("The life of a model", steps, audit))


def without_plots(page: str) -> str:
    return re.sub(r'<svg class="plot".*?</svg>', "(plot)", page, flags=re.DOTALL)


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, report in reports():
        (GOLDEN / f"{name}.md").write_text(report.markdown, encoding="utf-8")
    for name, page in pages():
        (GOLDEN / f"{name}.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
