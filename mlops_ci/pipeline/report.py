"""What a person reads of one or many evaluations: a comment on a pull request, and a page that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_ci.pipeline import wording
from mlops_ci.pipeline.evaluation_view import Evaluation, View
from mlops_ci.pipeline.page import template
from mlops_ci.pipeline.story import render_story

__all__ = ["COMMENT_LIMIT", "Report", "render", "render_comment", "render_story"]
COMMENT_LIMIT = 60_000
"""GitHub takes 65,536 characters; the rest is for what whoever posts the comment puts around it."""
PLOTTED_MODELS = 30
"""Plots of more models would take minutes to draw and megabytes to open."""
PAGE = "report.html"


@dataclass(frozen=True, kw_only=True)
class Report:
    """`markdown` fits into one GitHub comment; `html` is one self-contained page, which leaves nothing out."""

    markdown: str
    html: str


def render(evaluations: Iterable[Evaluation], *, title: str, limit: int = COMMENT_LIMIT) -> Report:
    """The report on what `evaluate` said of each model, those that need attention first.

    The Markdown has at most `limit` characters. What does not fit is left out a whole model at a time, with a sentence
    that says how much and that it is in the page. All text of others is shown as text, whatever it holds; values of
    columns that `private` lists are not shown.
    """
    views = _ranked(evaluations)
    return Report(markdown=_fitting(views, title, limit), html=_page(views, title))


def render_comment(evaluations: Iterable[Evaluation], *, title: str, limit: int = COMMENT_LIMIT) -> str:
    """The report's Markdown alone: no plot has to be drawn for it."""
    return _fitting(_ranked(evaluations), title, limit)


def _ranked(evaluations: Iterable[Evaluation]) -> list[View]:
    """Those that need attention first."""
    ranked = enumerate(sorted(evaluations, key=_urgency), start=1)
    return [View.of(evaluation, number=number) for number, evaluation in ranked]


def _caution(views: Sequence[View]) -> str:
    return wording.caution([view.evaluation for view in views])


def sections(views: Sequence[View]) -> list[tuple[View, list[Any]]]:
    """Each view with its plots, for the page; none beyond the first PLOTTED_MODELS."""
    from mlops_ci.pipeline.plots import plots

    return [
        (view, plots(view.evaluation, key=view.key) if place < PLOTTED_MODELS else [])
        for place, view in enumerate(views)
    ]


def _page(views: Sequence[View], title: str) -> str:
    return template("report.html.jinja").render(
        title=title,
        caution=_caution(views),
        summary=_summary(views),
        sections=sections(views),
        plotted=PLOTTED_MODELS,
    )


def _fitting(views: Sequence[View], title: str, limit: int) -> str:
    """As many models in detail as fit, and of the others as many lines of the table as fit."""
    page = template("report.md.jinja")

    def text(rows: int, details: int) -> str:
        return page.render(
            title=title,
            caution=_caution(views),
            summary=_summary(views),
            views=views,
            rows=rows,
            details=details,
            left_out=_verdicts(views[rows:]),
            page=PAGE,
        )

    rows = _most(len(views), lambda count: len(text(count, 0)) <= limit)
    details = _most(rows, lambda count: len(text(rows, count)) <= limit)
    return text(rows, details)


def _most(highest: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `highest` that fits, 0 where none does; tries small ones first, as large ones cost."""
    low, step = 0, 1
    while low + step <= highest and fits(low + step):
        low, step = low + step, step * 2
    high = min(highest, low + step - 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _summary(views: Sequence[View]) -> str:
    """One sentence over all models."""
    if len(views) == 1:
        return wording.sentence(views[0].evaluation)
    labels = [wording.label(view.evaluation) for view in views]
    endings = {
        "May ship": ("may ship", "may ship"),
        "Champion stays": ("keeps what serves in production", "keep what serves in production"),
        "Not compared": ("was not compared with what serves", "were not compared with what serves"),
        "Blocked": ("is blocked", "are blocked"),
        "Failed": ("could not be judged", "could not be judged"),
    }
    numbers = [(labels.count(name), words) for name, words in endings.items()]
    said = "; ".join(f"{many} {one if many == 1 else more}" for many, (one, more) in numbers if many)
    return (
        f"{len(views)} models were judged: {said}."
        if views
        else "No model was judged: nothing that concerns one changed."
    )


def _verdicts(views: Sequence[View]) -> str:
    names = [wording.verdict(view.evaluation) for view in views]
    return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))


def _urgency(evaluation: Evaluation) -> tuple[int, str]:
    order = {"Failed": 0, "Blocked": 1, "May ship": 2}.get(wording.label(evaluation), 3)
    return order, str(evaluation["model"])
