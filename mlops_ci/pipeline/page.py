"""The templates of reports: everything that they are given is shown as text, in Markdown as in HTML."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from mlops_ci.pipeline import figures, wording
from mlops_ci.pipeline.markdown import Markdown, escaped, visible

if TYPE_CHECKING:
    from jinja2 import Environment, Template

SHOWN = {"slices": 20, "changes": 15, "reasons": 10, "features": 10}
"""In a comment; a page has all of them."""
NAME_LENGTH = 80
LINE_LENGTH = 10_000


def template(name: str) -> Template:
    """A template of the package, which escapes all that it is given for its format (`*.html.jinja`, `*.md.jinja`)."""
    return _environment(name.removesuffix(".jinja").rpartition(".")[2]).get_template(name)


@cache
def _environment(kind: str) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mlops_ci", "resources"),
        autoescape=kind == "html",  # noqa: S701  (Markdown has an escape of its own, applied to every value as well)
        finalize=_readable if kind == "html" else escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"ours": Markdown, "code": _code, "name": _name, "short": _short, "lines": _lines}
    environment.globals |= {
        "wording": wording,
        "figures": figures,
        "limits": SHOWN,
    }
    return environment


def _readable(value: object) -> object:
    """What is escaped already is left alone; all else is text, and is escaped after this."""
    return value if hasattr(value, "__html__") else visible(value)


def _name(text: object) -> str:
    return visible(text, longest=NAME_LENGTH)


def _short(digest: object) -> str:
    return str(digest)[:12]


def _lines(text: object) -> Any:
    """Escaped for a page, with its line ends."""
    from jinja2.filters import do_mark_safe

    lines = (visible(line, longest=LINE_LENGTH, spaced=True) for line in str(text).splitlines())
    return do_mark_safe("\n".join(map(escape, lines)))


def _code(text: str) -> Any:
    """A sentence of the toolkit's own for a page: what is between backticks becomes code."""
    from jinja2.filters import do_mark_safe

    parts = map(escape, text.split("`"))
    return do_mark_safe("".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)))
