"""Writes the golden reports anew: `python -m tests.pipeline.regenerate_report`, then look at `git diff`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlops_ci.pipeline.report import render, render_story
from tests.pipeline import report_examples as examples

GOLDEN = Path(__file__).parent / "golden" / "report"
COMMAND = "python -m tests.pipeline.regenerate_report"


def several() -> list[dict[str, Any]]:
    return [
        examples.compared("inferior", -0.021, -0.031, -0.011, model="churn"),
        examples.compared("inconclusive", 0.001, -0.009, 0.012, model="fraud", rows_needed=83_412),
        examples.compared("non-inferior", 0.001, -0.003, 0.005, model="uplift"),
        examples.blocked(model="credit-risk"),
        examples.superior(),
        examples.gate_closed(model="no-data"),
    ]


def story() -> str:
    steps = [
        {
            "name": "First release",
            "ok": True,
            "seconds": 4.21,
            "text": "Trained.\n\nReleased.",
            "result": {"version": 1},
        },
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
    audit = {
        "environment": "production",
        "version": 2,
        "approved_by": ["ada"],
        "evidence": ["ab" * 32],
        "healthy": True,
    }
    return render_story("The life of a model", steps, audit)


def without_plots(page: str) -> str:
    """These differ between versions of matplotlib."""
    return re.sub(r'<svg class="plot".*?</svg>', "(plot)", page, flags=re.DOTALL)


FILES: Mapping[str, Callable[[], str]] = {
    "superior.md": lambda: render([examples.superior()], title="flight-delay").markdown,
    "complete.md": lambda: render([examples.complete()], title="flight-delay").markdown,
    "closed.md": lambda: render([examples.gate_closed()], title="flight-delay").markdown,
    "first.md": lambda: render([examples.first()], title="flight-delay").markdown,
    "blocked.md": lambda: render([examples.blocked()], title="flight-delay").markdown,
    "loss.md": lambda: render([examples.loss()], title="house-prices").markdown,
    "several.md": lambda: render(several(), title="Six models").markdown,
    "none.md": lambda: render([], title="Nothing to judge").markdown,
    "superior.html": lambda: without_plots(render([examples.superior()], title="flight-delay").html),
    "complete.html": lambda: without_plots(render([examples.complete()], title="flight-delay").html),
    "closed.html": lambda: without_plots(render([examples.gate_closed()], title="flight-delay").html),
    "story.html": lambda: without_plots(story()),
}


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        (GOLDEN / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
