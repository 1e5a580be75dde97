"""Curves as SVG to be put into a page: its colours follow the page's, and it can be read without any colour."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mlops_ci.pipeline.wording import count, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins for the page's colours: matplotlib wants hexadecimal numbers, the page has variables that know dark mode.
INK, FAINT, SOFT = "#010101", "#020202", "#050505"
COLOURS = {
    INK: "var(--ink)",
    FAINT: "var(--line)",
    SOFT: "var(--soft)",
    "#030303": "var(--challenger)",
    "#040404": "var(--champion)",
}
STYLES: Mapping[str, Mapping[str, Any]] = {
    "challenger": {"color": "#030303", "linestyle": "-", "marker": "o", "linewidth": 1.8},
    "champion": {"color": "#040404", "linestyle": "--", "marker": "s", "linewidth": 1.4},
}
SETTINGS: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "svg.image_inline": True,
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.markersize": 4,
    "xtick.color": INK,
    "ytick.color": INK,
}

Curves = Mapping[str, Mapping[str, Any]]
"""The curves of `champion`, if there is one, and of `challenger`."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure with its `title`, a `text` for those who do not see it, and the `svg` element."""

    title: str
    text: str
    svg: str


def plots(curves: Curves, *, key: str) -> list[Plot]:
    """The plots of one evaluation's curves, the same bytes each time; `key` keeps their ids apart within one page."""
    known = {who: drawn for who, drawn in curves.items() if drawn and drawn["rows"]}
    drawn = []
    for name, (title, draw, describe) in PANELS.items():
        having: dict[str, Mapping[str, Any]] = {
            who: known[who] for who in ("champion", "challenger") if who in known and _holds(known[who], name)
        }
        if name == "scores":
            # four histograms in one plot can be read by nobody
            having = dict(list(having.items())[-1:])
        if having:
            text = f"{title}: {'; '.join(f'{who} {describe(curve[name])}' for who, curve in having.items())}."
            drawn.append(Plot(title=title, text=text, svg=_svg(having, draw, title, text, f"{key}-{name}")))
    return drawn


def _holds(curve: Mapping[str, Any], name: str) -> bool:
    value = curve.get(name)
    return bool(value["x"] if isinstance(value, Mapping) and "x" in value else value)


def _roc(axes: Axes, curves: Curves) -> None:
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=":")
    _lines(axes, curves, "roc")
    axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower right")


def _pr(axes: Axes, curves: Curves) -> None:
    _lines(axes, curves, "pr")
    axes.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="best")


def _lines(axes: Axes, curves: Curves, name: str) -> None:
    for who, curve in curves.items():
        points = curve[name]
        axes.plot(points["x"], points["y"], label=who, markevery=max(1, len(points["x"]) // 8), **STYLES[who])


def _calibration(axes: Axes, curves: Curves) -> None:
    ends = [0.0, 0.0]
    for who, curve in curves.items():
        bins = curve["calibration"]
        predicted, observed = [[one[key] for one in bins] for key in ("predicted", "observed")]
        below = [one["observed"] - one["lower"] for one in bins]
        above = [one["upper"] - one["observed"] for one in bins]
        axes.errorbar(predicted, observed, yerr=[below, above], label=who, capsize=2, elinewidth=0.8, **STYLES[who])
        ends = [min([*predicted, *observed, ends[0]]), max([*predicted, *observed, ends[1]])]
    axes.plot(ends, ends, color=SOFT, linewidth=1, linestyle=":", zorder=0)
    axes.set(xlabel="Predicted", ylabel="Observed")
    axes.legend(loc="upper left")


def _scores(axes: Axes, curves: Curves) -> None:
    (scores,) = (curve["scores"] for curve in curves.values())
    for kind, colour, hatch in (("negative", "#040404", "////"), ("positive", "#030303", "")):
        rows = sum(scores[kind]) or 1
        shares = [value / rows for value in scores[kind]]
        axes.stairs(shares, scores["edges"], label=f"{kind} rows", fill=not hatch, hatch=hatch, color=colour, alpha=0.7)
    axes.set(xlabel="Predicted probability", ylabel="Share of the rows", xlim=(0, 1))
    axes.legend(loc="best")


def _residuals(axes: Axes, curves: Curves) -> None:
    for who, curve in curves.items():
        edges, counts = curve["residuals"]["edges"], curve["residuals"]["counts"]
        rows = sum(counts) or 1
        widths = [after - before for before, after in pairwise(edges)]
        heights = [value / rows / width for value, width in zip(counts, widths, strict=True)]
        style = STYLES[who]
        axes.stairs(heights, edges, label=who, color=style["color"], linestyle=style["linestyle"], linewidth=1.6)
    axes.axvline(0, color=SOFT, linewidth=1, linestyle=":")
    axes.set(xlabel="Actual minus predicted", ylabel="Density")
    axes.legend(loc="best")


def _described_points(points: Mapping[str, Any]) -> str:
    """Where the curve is at a quarter, a half and three quarters of its width."""
    pairs = list(zip(points["x"], points["y"], strict=True))
    at = [min(pairs, key=lambda pair: abs(pair[0] - x)) for x in (0.25, 0.5, 0.75)]
    return ", ".join(f"{number(y, 2)} at {number(x, 2)}" for x, y in at)


def _described_bins(bins: list[Mapping[str, Any]]) -> str:
    return ", ".join(f"{number(one['predicted'])} predicted {number(one['observed'])} observed" for one in bins)


def _described_scores(scores: Mapping[str, Any]) -> str:
    return f"{count(sum(scores['positive']))} positive and {count(sum(scores['negative']))} negative rows"


def _described_residuals(residuals: Mapping[str, Any]) -> str:
    outside = residuals["below"] + residuals["above"]
    return f"from {number(residuals['edges'][0])} to {number(residuals['edges'][-1])}, {count(outside)} rows outside"


PANELS: Mapping[str, tuple[str, Callable[[Any, Curves], None], Callable[[Any], str]]] = {
    "roc": ("ROC curve", _roc, _described_points),
    "pr": ("Precision and recall", _pr, _described_points),
    "residuals": ("Residuals", _residuals, _described_residuals),
    "calibration": ("Calibration", _calibration, _described_bins),
    "scores": ("Scores by true class", _scores, _described_scores),
}


def _svg(curves: Curves, draw: Callable[[Any, Curves], None], title: str, text: str, key: str) -> str:
    # No pyplot: it keeps every figure, and wants to know which screen there is.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: Any = {**SETTINGS, "svg.hashsalt": key}
    with rc_context(settings):
        figure = Figure(figsize=(4.4, 3.3), layout="constrained")
        draw(figure.add_subplot(), curves)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _embedded(buffer.getvalue(), title, text, key)


def _embedded(document: str, title: str, text: str, key: str) -> str:
    """The svg element alone: ids of its own, the page's colours and font, no style sheet that would reach the page."""
    body = document[document.index(">", document.index("<svg")) + 1 : document.rindex("</svg>")]
    view = re.search(r'viewBox="([^"]+)"', document)
    body = re.sub(
        r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", body, flags=re.DOTALL
    )
    body = re.sub(r'\bid="', f'id="{key}-', body)
    body = re.sub(r'(url\(|href=")#', rf"\g<1>#{key}-", body)
    for stand_in, colour in COLOURS.items():
        body = body.replace(stand_in, colour)
    body = re.sub(r"'?DejaVu Sans'?", "var(--sans)", body)
    body = re.sub(r"\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", body)
    body = re.sub(r"\s*\n\s*", " ", body)
    return (
        f'<svg class="plot" viewBox="{view[1] if view else ""}" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(text)}</desc>{body.strip()}</svg>'
    )
