"""One comment for each key, however often, and by however many jobs at once, it is written.

What is ours is told by a mark that begins its text, and by who wrote it: anybody can copy a mark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, unquote

from mlops_ci.adapters.rest_api import RestApi
from mlops_ci.errors import OutsideError
from mlops_ci.ports import Order

_CUT = "\n\n… cut here by mlops-ci: the forge takes no more. The whole is in the run's artifacts."
_MARK = re.compile(r"<!-- mlops-ci (?P<key>\S+) run=(?P<run>\d{1,20}) attempt=(?P<attempt>\d{1,9}) -->")


@dataclass(frozen=True, kw_only=True)
class Comment:
    """One that is there; `id` is the forge's own."""

    id: str
    text: str
    url: str = ""


class Comments(Protocol):
    """Where comments are written, such as a merge request."""

    def ours(self) -> Sequence[Comment]:
        """All that our account wrote there, oldest first."""

    def add(self, text: str) -> Comment: ...

    def change(self, comment: Comment, text: str) -> Comment: ...

    def remove(self, comment: Comment) -> None: ...


def say_once(api: RestApi, place: Comments, *, key: str, body: str, order: Order, longest: int) -> Comment:
    """The one comment of that key, which says `body` from now on, unless a later writer said something else."""
    text = cut(f"{mark(key, order)}\n{body}", longest)

    def mine() -> list[Comment]:
        return [comment for comment in place.ours() if key_of(comment.text) == key]

    api.once(lambda: next(iter(mine()), None), lambda: place.add(text))
    # Several jobs may have found none and written one each: the oldest stays, and says what the latest has to say.
    found = mine()
    if not found:
        raise OutsideError("a comment that mlops-ci has just written is not there", fix="run the command again")
    first, *surplus = found
    latest = max(found, key=lambda comment: order_of(comment.text))
    last_word = text if order_of(latest.text) <= order else latest.text
    if first.text != last_word:
        first = place.change(first, last_word)
    for comment in surplus:
        place.remove(comment)
    return first


def cut(text: str, longest: int) -> str:
    """The text, as much as the forge takes of it; it says so where that is not all."""
    return text if len(text) <= longest else text[: longest - len(_CUT)] + _CUT


def line(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def mark(key: str, order: Order) -> str:
    """Begins a text of ours; nobody sees it.

    >>> mark("monitor/tides of qa/", Order(run=0))
    '<!-- mlops-ci monitor/tides%20of%20qa/ run=0 attempt=1 -->'
    """
    return f"<!-- mlops-ci {_quoted(key)} run={order.run} attempt={order.attempt} -->"


def key_of(text: str) -> str | None:
    """The key of a text that begins with a mark; None for any other."""
    found = _MARK.match(text)
    return unquote(found["key"]) if found else None


def order_of(text: str) -> Order:
    found = _MARK.match(text)
    return Order(run=int(found["run"]), attempt=int(found["attempt"])) if found else Order(run=0)


def _quoted(key: str) -> str:
    """Without a space, or what would end the mark."""
    return quote(key, safe="/")
