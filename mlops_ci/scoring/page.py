"""The pages for people: a form at `/` that scores one record, and the model card at `/model`.

Each page is one document without references to anything else, so that it works below any path. Every value is escaped
(column names, categories and the words of a card may hold anything), and the policy that goes with a page allows its
own style and script by their digests and nothing more.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import orjson

from mlops_ci.scoring.card import Card, ServedColumn

STYLE = Path(__file__).with_name("page.css").read_text("utf-8")
SCRIPT = Path(__file__).with_name("page.js").read_text("utf-8")
MOST_CHOICES = 100
"""With more categories than these a field is a text with suggestions."""
MOST_SUGGESTIONS = 1000

TASKS = {
    "binary-classification": "binary classification",
    "multiclass-classification": "multiclass classification",
    "regression": "regression",
}
WORDS = {
    "description": "What it does",
    "owners": "Who answers for it",
    "intended_use": "Meant for",
    "out_of_scope": "Not meant for",
    "limitations": "Known limitations",
    "target": "Target",
    "classes": "Classes",
    "source": "Data",
    "split": "Split",
    "training_period": "Training data",
    "holdout_period": "Holdout data",
    "params": "Parameters",
}
METRIC = {"metric": "metric", "value": "value", "interval": "interval"}
SLICE = {"by": "by", "slice": "slice", "metric": "metric", "value": "value", "rows": "rows", "ok": "passed"}
FAIRNESS = {"by": "by", "metric": "metric", "value": "value", "min": "at least", "max": "at most", "ok": "passed"}
COLUMN = {
    "name": "column", "type": "type", "range": "range", "categories": "categories", "missing": "missing values"
}  # fmt: skip
FACTS = {"verdict": "Verdict", "rows": "Rows", "commit": "Commit", "lock": "Lock", "release": "Release"}


class Html(str):
    """Text that is HTML already; all else is escaped."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """The template with its {names} replaced.

    >>> html("<b>{name}</b>{more}", name="<i>", more=Html("<br>"))
    '<b>&lt;i&gt;</b><br>'
    """
    shown = {name: value if isinstance(value, Html) else escape(str(value)) for name, value in values.items()}
    return Html(template.format_map(shown))


def joined(parts: Iterable[Html]) -> Html:
    return Html("".join(parts))


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


CONTENT_SECURITY = "; ".join(
    [
        "default-src 'none'",
        f"style-src {_digest(STYLE)}",
        f"script-src {_digest(SCRIPT)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header>
<h1><bdi>{model}</bdi></h1>
<p class="served">version {version} · {task}<span class="release" title="{release}">{short}</span></p>
<nav aria-label="Pages">{links}</nav>
</header>
{main}
<script>{script}</script>
</body>
</html>
"""
FORM = """<main class="sides">
<form id="form" novalidate aria-label="One record">
<div class="fields">{fields}</div>
<p class="buttons"><button type="submit">Score</button>
<button type="button" id="example">Example</button><button type="button" id="clear">Clear</button></p>
<noscript><p class="problem">This form needs JavaScript; POST /score takes the same as JSON.</p></noscript>
</form>
<section id="answer" aria-live="polite" aria-label="Answer"><p class="hint">The answer will be here.</p></section>
</main>"""
FIELD = """<div class="field">
<label for="f{number}"><bdi>{name}</bdi></label>
{control}
<small id="h{number}">{hint}</small>
<p class="problem" id="p{number}" hidden></p>
</div>
"""
INPUT = """<input id="f{number}" data-column="{name}" data-kind="{kind}" data-example="{example}" value="{example}" \
inputmode="{keyboard}" autocomplete="off" autocapitalize="off" spellcheck="false" \
{list}aria-describedby="h{number} p{number}">{suggestions}"""
SELECT = """<select id="f{number}" data-column="{name}" data-kind="json" data-example="{example}" \
aria-describedby="h{number} p{number}"><option value="">missing</option>{options}</select>"""
CARD = """<main>
<section><h2>Model card</h2><dl>{facts}</dl></section>
{tables}
</main>"""


def form_page(card: Card, about: Mapping[str, Any]) -> Html:
    """The page at `/`; `about` has model, version, release and task."""
    fields = joined(_field(number, column) for number, column in enumerate(card.columns))
    main = html(FORM, fields=fields)
    return _page(about, main, {"Model card": "model", "OpenAPI": "openapi.json", "Metrics": "metrics"})


def model_page(card: Mapping[str, Any]) -> Html:
    """The page at `/model`: what its JSON says, for reading."""
    words = card.get("card") or {}
    facts = [
        *((term, words.get(key)) for key, term in WORDS.items()),
        *((term, card.get(key)) for key, term in FACTS.items()),
    ]
    listed = joined(html("<dt>{term}</dt><dd>{text}</dd>", term=term, text=_text(said)) for term, said in facts if said)
    tables = [
        _table("Metrics on the holdout", METRIC, [_measured(one) for one in card.get("metrics") or ()]),
        _table("By slice", SLICE, [_measured(one) for one in card.get("slices") or ()]),
        _table("Fairness", FAIRNESS, [_measured(one) for one in card.get("fairness") or ()]),
        _table("Columns", COLUMN, [_column(one) for one in card["columns"]]),
    ]
    return _page(card, html(CARD, facts=listed, tables=joined(tables)), {"Try it": "./", "OpenAPI": "openapi.json"})


def _page(about: Mapping[str, Any], main: Html, links: Mapping[str, str]) -> Html:
    anchors = joined(html('<a href="{path}">{text}</a> ', path=path, text=text) for text, path in links.items())
    release = str(about["release"])
    return html(
        PAGE,
        title=f"{about['model']} {about['version']}",
        model=about["model"],
        version=about["version"],
        task=TASKS.get(about["task"], about["task"]),
        release=f"release {release}",
        short=f" · release {release[:12]}" if release else "",
        links=anchors,
        main=main,
        style=Html(STYLE),
        script=Html(SCRIPT),
    )


def _field(number: int, column: ServedColumn) -> Html:
    choices: tuple[Any, ...] = column.categories or ((True, False) if column.type == "boolean" else ())
    few = 0 < len(choices) <= MOST_CHOICES
    control = _select(number, column, choices) if few else _input(number, column)
    return html(FIELD, number=number, name=column.name, hint=column.hint, control=control)


def _select(number: int, column: ServedColumn, choices: Iterable[Any]) -> Html:
    example = _json(column.example)
    options = joined(
        html(
            '<option value="{value}"{selected}>{text}</option>',
            value=_json(choice),
            selected=Html(" selected" if _json(choice) == example else ""),
            text=_text(choice) or "(empty)",
        )
        for choice in choices
    )
    return html(SELECT, number=number, name=column.name, example=example, options=options)


def _input(number: int, column: ServedColumn) -> Html:
    texts = column.kind == "text"
    suggested = column.categories[:MOST_SUGGESTIONS]
    listed = html('list="l{number}" ', number=number) if suggested else Html("")
    options = joined(html('<option value="{text}">', text=_text(one)) for one in suggested)
    return html(
        INPUT,
        number=number,
        name=column.name,
        kind=column.kind,
        example="" if column.example is None else _text(column.example),
        keyboard="text" if texts else "decimal",
        list=listed,
        suggestions=html('<datalist id="l{number}">{options}</datalist>', number=number, options=options)
        if suggested
        else Html(""),
    )


def _table(title: str, names: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Html:
    """Nothing where there are no rows; columns in which nothing stands are left out."""
    if not rows:
        return Html("")
    filled = [name for name in names if any(_text(row.get(name)) for row in rows)]
    heads = joined(html('<th scope="col">{name}</th>', name=names[name]) for name in filled)
    lines = joined(
        html("<tr>{cells}</tr>", cells=joined(html("<td>{text}</td>", text=_text(row.get(name))) for name in filled))
        for row in rows
    )
    return html(
        '<section><h2>{title}</h2><div class="wide" tabindex="0" role="region" aria-label="{title}">'
        "<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div></section>",
        title=title,
        heads=heads,
        lines=lines,
    )


def _measured(one: Mapping[str, Any]) -> Mapping[str, Any]:
    interval = " to ".join(_figure(end) for end in one.get("interval") or ())
    return {
        **one,
        "metric": one.get("metric", one.get("name")),
        "value": _figure(one.get("value")),
        "interval": interval,
    }


def _column(one: Mapping[str, Any]) -> Mapping[str, Any]:
    limits = " to ".join(_text(end) for end in (one["min"], one["max"]) if end is not None)
    return {**one, "range": limits, "missing": "may be" if one["nullable"] else "none in training"}


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _text(value)


def _text(value: Any) -> str:
    """A JSON value as people read it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case list() | tuple():
            return ", ".join(_text(one) for one in value)
        case dict():
            return ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    return str(value)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
