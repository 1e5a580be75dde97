"""Curves as SVG to be put into a page: its colours follow the page's, and it can be read without any colour."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from mlops_ci.pipeline.panels import CHALLENGER, CHAMPION, FAINT, INK, SOFT, Panel, panels

COLOURS = {
    INK: "var(--ink)",
    FAINT: "var(--line)",
    SOFT: "var(--soft)",
    CHALLENGER: "var(--challenger)",
    CHAMPION: "var(--champion)",
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


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure with its `title`, a `text` for those who do not see it, and the `svg` element."""

    title: str
    text: str
    svg: str


def plots(evaluation: Mapping[str, Any], *, key: str) -> list[Plot]:
    """The plots of one evaluation, the same bytes each time; `key` keeps their ids apart within one page."""
    return [
        Plot(title=panel.title, text=panel.text, svg=_svg(panel, f"{key}-{panel.name}")) for panel in panels(evaluation)
    ]


def _svg(panel: Panel, key: str) -> str:
    # No pyplot: it keeps every figure, and wants to know which screen there is.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: Any = {**SETTINGS, "svg.hashsalt": key}
    with rc_context(settings):
        figure = Figure(figsize=(4.4, 3.3), layout="constrained")
        panel.draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _embedded(buffer.getvalue(), panel.title, panel.text, key)


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
