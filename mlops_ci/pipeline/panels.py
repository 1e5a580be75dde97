"""What the plots of a report show: one drawing for each panel, and the words for those who do not see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import nan
from typing import TYPE_CHECKING, Any

from mlops_ci.pipeline.figures import count, number
from mlops_ci.pipeline.markdown import visible
from mlops_ci.pipeline.wording import metric_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins for the page's colours: matplotlib wants hexadecimal numbers, the page has variables that know dark mode.
INK, FAINT, SOFT = "#010101", "#020202", "#050505"
CHALLENGER, CHAMPION = "#030303", "#040404"
STYLES: Mapping[str, Mapping[str, Any]] = {
    "challenger": {"color": CHALLENGER, "linestyle": "-", "marker": "o", "linewidth": 1.8},
    "champion": {"color": CHAMPION, "linestyle": "--", "marker": "s", "linewidth": 1.4},
}

FEATURES_DRAWN = 15
"""The most important ones; a table has all of them."""

Curves = Mapping[str, Mapping[str, Any]]
"""The curves of `champion`, if there is one, and of `challenger`."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What is drawn under `title`, and `text`, which says the same in words."""

    name: str
    title: str
    text: str
    draw: Callable[[Axes], None]


def panels(evaluation: Mapping[str, Any]) -> list[Panel]:
    """What there is to draw of an evaluation: its curves, the learning curve and the importance of features."""
    diagnostics = evaluation.get("diagnostics") or {}
    return [
        *_curve_panels(evaluation.get("curves") or {}),
        *_learning_panel(diagnostics.get("learning_curve")),
        *_importance_panel(diagnostics.get("importance")),
    ]


def _curve_panels(curves: Curves) -> Iterator[Panel]:
    known = {who: drawn for who, drawn in curves.items() if drawn and drawn["rows"]}
    for name, (title, draw, describe) in CURVES.items():
        having: dict[str, Mapping[str, Any]] = {
            who: known[who] for who in ("champion", "challenger") if who in known and _holds(known[who], name)
        }
        if name == "scores":
            # four histograms in one plot can be read by nobody
            having = dict(list(having.items())[-1:])
        if having:
            text = f"{title}: {'; '.join(f'{who} {describe(curve[name])}' for who, curve in having.items())}."
            yield Panel(name=name, title=title, text=text, draw=partial(_draw, draw, having))


def _draw(drawing: Callable[[Axes, Curves], None], curves: Curves, axes: Axes) -> None:
    drawing(axes, curves)


def _holds(curve: Mapping[str, Any], name: str) -> bool:
    value = curve.get(name)
    return bool(value["x"] if isinstance(value, Mapping) and "x" in value else value)


def _learning_panel(curve: Mapping[str, Any] | None) -> Iterator[Panel]:
    points = [] if curve is None else curve["points"]
    if curve is None or len(points) < 2:
        return
    said = ", ".join(
        f"{number(point['train'])} and {number(point['validation'])} with {count(point['rows'])} rows"
        for point in points
    )
    yield Panel(
        name="learning",
        title="Learning curve",
        text=f"{metric_name(curve['metric'])} on the rows trained on and on others: {said}.",
        draw=partial(_learning, curve=curve),
    )


def _learning(axes: Axes, curve: Mapping[str, Any]) -> None:
    rows = [point["rows"] for point in curve["points"]]
    for name, label, style in (
        ("train", "rows trained on", STYLES["champion"]),
        ("validation", "rows not trained on", STYLES["challenger"]),
    ):
        values = [nan if point[name] is None else point[name] for point in curve["points"]]
        axes.plot(rows, values, label=label, **style)
    axes.set_xscale("log")
    axes.set(xlabel="Rows trained on", ylabel=metric_name(curve["metric"]))
    axes.set_xticks(rows, [count(many) for many in rows])
    axes.minorticks_off()
    axes.legend(loc="best")


def _importance_panel(importance: Mapping[str, Any] | None) -> Iterator[Panel]:
    features = [] if importance is None else importance["features"]
    if importance is None or not features:
        return
    drawn = sorted(features, key=lambda feature: -feature["mean"])[:FEATURES_DRAWN]
    metric = metric_name(importance["metric"])
    said = ", ".join(f"{visible(feature['name'], longest=40)} {number(feature['mean'])}" for feature in drawn)
    left_out = f" {len(features) - len(drawn)} less important ones are not drawn." if len(drawn) < len(features) else ""
    yield Panel(
        name="importance",
        title=f"What {metric} loses without a feature",
        text=f"{metric} lost when the values of a feature are shuffled: {said}.{left_out}",
        draw=partial(_importance, features=drawn[::-1], metric=metric),
    )


def _importance(axes: Axes, features: Sequence[Mapping[str, Any]], metric: str) -> None:
    places = range(len(features))
    means = [feature["mean"] for feature in features]
    below = [max(feature["mean"] - feature["lower"], 0.0) for feature in features]
    above = [max(feature["upper"] - feature["mean"], 0.0) for feature in features]
    style = {"color": CHALLENGER, "alpha": 0.75, "xerr": [below, above], "ecolor": INK, "capsize": 2}
    axes.barh(places, means, 0.62, **style)  # type: ignore[arg-type]  # the stub knows no keywords of error bars
    axes.axvline(0, color=SOFT, linewidth=1, linestyle=":")
    axes.set_yticks(places, [visible(feature["name"], longest=22) for feature in features])
    axes.set(xlabel=f"Loss of {metric}")
    axes.grid(visible=False, axis="y")


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
    for kind, colour, hatch in (("negative", CHAMPION, "////"), ("positive", CHALLENGER, "")):
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


CURVES: Mapping[str, tuple[str, Callable[[Any, Curves], None], Callable[[Any], str]]] = {
    "roc": ("ROC curve", _roc, _described_points),
    "pr": ("Precision and recall", _pr, _described_points),
    "residuals": ("Residuals", _residuals, _described_residuals),
    "calibration": ("Calibration", _calibration, _described_bins),
    "scores": ("Scores by true class", _scores, _described_scores),
}
