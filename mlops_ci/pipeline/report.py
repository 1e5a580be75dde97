"""What a person reads of one or many evaluations: a comment on a pull request, and a page that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mlops_ci.core.verdicts import BLOCKING
from mlops_ci.pipeline import wording
from mlops_ci.pipeline.markdown import Markdown, escaped, visible

if TYPE_CHECKING:
    from jinja2 import Environment, Template

COMMENT_LIMIT = 60_000
"""GitHub takes 65,536 characters; the rest is for what whoever posts the comment puts around it."""
SLICES_SHOWN = 20
CHANGES_SHOWN = 15
REASONS_SHOWN = 10
PLOTTED_MODELS = 30
"""Plots of more models would take minutes to draw and megabytes to open."""
NAME_LENGTH = 80
PAGE = "report.html"

Evaluation = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Report:
    """`markdown` fits into one GitHub comment; `html` is one self-contained page, which leaves nothing out."""

    markdown: str
    html: str


@dataclass(frozen=True, kw_only=True)
class View:
    """One evaluation as the templates show it, without private values."""

    number: int
    evaluation: Evaluation

    @classmethod
    def of(cls, evaluation: Evaluation, *, number: int) -> View:
        """`evaluation` is what `evaluate --json` answers; `number` keeps it apart from others on the same page."""
        return cls(number=number, evaluation=_without_private_values(evaluation))

    @property
    def key(self) -> str:
        return f"model-{self.number}"

    @property
    def decimals(self) -> int:
        return wording.decimals_for(self.evaluation["primary"])

    @property
    def slice_decimals(self) -> int:
        found = sorted(wording.decimals_for(one) for one in self.evaluation["slices"])
        return found[len(found) // 2] if found else 3

    @property
    def failing(self) -> list[Mapping[str, Any]]:
        return [one for one in self.evaluation["slices"] if not one["ok"]]

    @property
    def slices(self) -> list[Mapping[str, Any]]:
        """The worst first: those that block, then by the difference."""
        unknown = float("inf")
        return sorted(
            self.evaluation["slices"],
            key=lambda one: (one["ok"], unknown if one["difference"] is None else one["difference"]),
        )

    @property
    def limits(self) -> list[Mapping[str, Any]]:
        """Guardrails and fairness, what is broken first."""
        return sorted([*self.evaluation["guardrails"], *self.evaluation.get("fairness", ())], key=lambda one: one["ok"])

    @property
    def problems(self) -> list[Mapping[str, Any]]:
        return list((self.evaluation.get("data") or {}).get("problems", ()))

    def interval(self, *, width: float = 200) -> dict[str, float] | None:
        """Where the difference, its bounds, zero and the margin are on a line of this width."""
        primary = self.evaluation["primary"]
        return _positions(primary, margin=primary["margin"], reach=_reach([primary], primary["margin"]), width=width)

    def slice_intervals(self, *, width: float = 120) -> list[dict[str, float] | None]:
        reach = _reach(self.slices, 0.0)
        return [_positions(one, margin=0.0, reach=reach, width=width) for one in self.slices]


def render(evaluations: Iterable[Evaluation], *, title: str, limit: int = COMMENT_LIMIT) -> Report:
    """The report on what `evaluate` said of each model, those that need attention first.

    The Markdown has at most `limit` characters. What does not fit is left out a whole model at a time, with a sentence
    that says how much and that it is in the page. All text of others is shown as text, whatever it holds; values of
    columns that `private` lists are not shown.
    """
    ranked = enumerate(sorted(evaluations, key=_urgency), start=1)
    views = [View.of(evaluation, number=number) for number, evaluation in ranked]
    return Report(markdown=_fitting(views, title, limit), html=_page(views, title))


def sections(views: Sequence[View]) -> list[tuple[View, list[Any]]]:
    """Each view with its plots, for the page; none beyond the first PLOTTED_MODELS."""
    from mlops_ci.pipeline.plots import plots

    return [
        (view, plots(view.evaluation.get("curves") or {}, key=view.key) if place < PLOTTED_MODELS else [])
        for place, view in enumerate(views)
    ]


def template(name: str) -> Template:
    """A template of the package, which escapes all that it is given for its format (`*.html.jinja`, `*.md.jinja`)."""
    return _environment(name.removesuffix(".jinja").rpartition(".")[2]).get_template(name)


def _page(views: Sequence[View], title: str) -> str:
    return template("report.html.jinja").render(
        title=title, summary=_summary(views), sections=sections(views), plotted=PLOTTED_MODELS
    )


def _fitting(views: Sequence[View], title: str, limit: int) -> str:
    """As many models in detail as fit, and of the others as many lines of the table as fit."""
    page = template("report.md.jinja")

    def text(rows: int, details: int) -> str:
        return page.render(
            title=title,
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
    """The largest number up to `highest` that fits, by bisection; 0 where none does."""
    low, high = 0, highest
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
        "Blocked": ("is blocked", "are blocked"),
    }
    numbers = [(labels.count(name), words) for name, words in endings.items()]
    said = "; ".join(f"{many} {one if many == 1 else more}" for many, (one, more) in numbers if many)
    return (
        f"{len(views)} models were judged: {said}."
        if views
        else "No model was judged: nothing that concerns one changed."
    )


def _verdicts(views: Sequence[View]) -> str:
    names = [str(view.evaluation["verdict"]) for view in views]
    return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))


def _urgency(evaluation: Evaluation) -> tuple[int, str]:
    order = 0 if evaluation["verdict"] in BLOCKING else 1 if evaluation["ships"] else 2
    return order, str(evaluation["model"])


def _without_private_values(evaluation: Evaluation) -> Evaluation:
    """Slices of a private column are numbered instead of named, in the reasons too."""
    private = set(evaluation.get("private", ()))
    hidden = [one for one in evaluation["slices"] if one["by"] in private]
    if not hidden:
        return evaluation
    numbers = {(one["by"], one["value"]): f"(private {number})" for number, one in enumerate(hidden, start=1)}
    renamed = {f"{by} {value}: ": f"{by} {number}: " for (by, value), number in numbers.items()}

    def reworded(reason: str) -> str:
        verdict, _, text = reason.partition(": ")
        before = max((name for name in renamed if text.startswith(name)), key=len, default="")
        return f"{verdict}: {renamed[before]}{text[len(before) :]}" if before else reason

    slices = [{**one, "value": numbers.get((one["by"], one["value"]), one["value"])} for one in evaluation["slices"]]
    return {**evaluation, "slices": slices, "reasons": [reworded(reason) for reason in evaluation["reasons"]]}


def _reach(differences: Sequence[Mapping[str, Any]], margin: float) -> float:
    """The largest thing that has to be on the line, in either direction."""
    numbers = [one.get(key) for one in differences for key in ("difference", "lower", "upper")]
    return max(margin, *(abs(float(number)) for number in numbers if number is not None), 0.0)


def _positions(outcome: Mapping[str, Any], *, margin: float, reach: float, width: float) -> dict[str, float] | None:
    if outcome["difference"] is None or outcome["lower"] is None or not reach:
        return None

    def at(value: float) -> float:
        return round(width * (0.5 + 0.46 * max(-1.0, min(1.0, value / reach))), 1)

    upper = outcome.get("upper")
    return {
        "zero": at(0),
        "margin": at(-margin),
        "point": at(outcome["difference"]),
        "lower": at(outcome["lower"]),
        "upper": at(outcome["difference"] if upper is None else upper),
    }


@cache
def _environment(kind: str) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        return value if isinstance(value, Markup | Markdown) else visible(value)

    environment = Environment(
        loader=PackageLoader("mlops_ci", "resources"),
        autoescape=kind == "html",  # noqa: S701  (Markdown has an escape of its own, applied to every value as well)
        finalize=shown if kind == "html" else escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "svg": Markup,
        "ours": Markdown,
        "code": _code,
        "name": _name,
        "short": _short,
        "lines": _lines,
    }
    environment.globals |= {
        "wording": wording,
        "limits": {"slices": SLICES_SHOWN, "changes": CHANGES_SHOWN, "reasons": REASONS_SHOWN},
    }
    return environment


def _name(text: object) -> str:
    return visible(text, longest=NAME_LENGTH)


def _short(digest: object) -> str:
    return str(digest)[:12]


def _lines(text: object) -> Any:
    """Escaped for a page, with its line ends."""
    from markupsafe import Markup, escape

    return Markup("\n").join(escape(visible(line, longest=10_000, spaced=True)) for line in str(text).splitlines())


def _code(text: str) -> Any:
    """A sentence of the toolkit's own for a page: what is between backticks becomes code."""
    from markupsafe import Markup

    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
