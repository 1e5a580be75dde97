"""How keys, values and near names are put to people."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from mlops_ci.config.document import KeyPath

_LONGEST_TEXT = 60


def shown(path: KeyPath) -> str:
    """
    >>> shown(("gate", "guardrails", 2, "metric"))
    'gate.guardrails[2].metric'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return _cut(text.removeprefix(".")) or "the top level"


def inside(path: KeyPath) -> str:
    """Where a key of the mapping at `path` is."""
    return f"in {shown(path)}" if path else "at the top level"


def spelled_out(text: str) -> str:
    """A text in quotes, on one line, of bounded length."""
    return _cut(repr(text))


def described(value: Any) -> str:
    """
    >>> [described(value) for value in (None, True, 3, "a", [], {})]
    ['empty', 'true', 'the number 3', "the text 'a'", 'a list', 'a mapping']
    """
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {spelled_out(value)}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def near(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that somebody who wrote `name` most likely meant.

    >>> near("holdot", ["strategy", "holdout"])
    'holdout'
    """
    by_lower = {each.lower().replace("-", "_"): each for each in names}
    # The comparison is quadratic in the lengths, and nobody misspells a name into hundreds of letters.
    close = get_close_matches(name[:_LONGEST_TEXT].lower().replace("-", "_"), by_lower, n=1)
    return by_lower[close[0]] if close else None


def choice(name: str, names: Iterable[str]) -> str:
    """The advice to somebody who wrote a `name` that is none of `names`."""
    names = list(names)
    listed = f"one of: {', '.join(names)}"
    meant = near(name, names)
    return f"did you mean '{meant}'? ({listed})" if meant else f"use {listed}"


def _cut(text: str) -> str:
    return text if len(text) <= 2 * _LONGEST_TEXT else f"{text[: 2 * _LONGEST_TEXT]}…"
