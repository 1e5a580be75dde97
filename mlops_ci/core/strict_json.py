"""JSON that somebody wrote whom nobody trusts: read within bounds, or refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

DEEPEST = 30
LARGEST_INTEGER = 2**63
LONGEST_INTEGER = len(str(-LARGEST_INTEGER))


def parse(data: bytes) -> Any:
    """The value. Raises ValueError for what is not JSON in UTF-8, and for what JSON or Python leave open.

    Refused are a name that an object has twice (readers differ in which one counts), NaN and numbers too large for
    float64 or int64, half a surrogate pair (it cannot be written again), and more than `DEEPEST` levels.

    >>> parse(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON (line {error.lineno}: {error.msg})") from None
    for depth, text in _texts(value):
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("a text in it has half a surrogate pair")
    return value


def _texts(value: Any) -> Iterator[tuple[int, str]]:
    """Every text with its depth, and an empty one for every other value."""
    waiting = [(0, value)]
    while waiting:
        depth, item = waiting.pop()
        if isinstance(item, dict):
            waiting += [(depth + 1, part) for pair in item.items() for part in pair]
        elif isinstance(item, list):
            waiting += [(depth + 1, part) for part in item]
        yield depth, item if isinstance(item, str) else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"an object in it has the name {twice[:80]!r} twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    if not isfinite(value := float(text)):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _bounded(text: str) -> int:
    if len(text) > LONGEST_INTEGER or not -LARGEST_INTEGER <= (value := int(text)) < LARGEST_INTEGER:
        raise ValueError(f"the number {text[:40]} is too large")
    return value
