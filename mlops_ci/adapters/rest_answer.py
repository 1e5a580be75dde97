"""A part of an answer of a forge's API, which is believed only as far as it has the shape that it should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mlops_ci.adapters.rest_connection import Service
from mlops_ci.core.naming import one_line
from mlops_ci.errors import OutsideError

Kind = TypeVar("Kind", str, int, bool)
_NAMES = {str: "text", int: "number", bool: "yes or no", dict: "object", list: "list"}
_LONGEST = 500


@dataclass(frozen=True, kw_only=True)
class Node:
    """A JSON value, and where it stands. Each question names the way to a value below this one.

    What is asked for and not there, or is of another kind, is an OutsideError that names the place.
    """

    value: Any
    asked: str
    status: int = 200
    place: tuple[str, ...] = ()
    service: Service

    def text(self, *way: str) -> str:
        return self._require(str, way)

    def number(self, *way: str) -> int:
        return self._require(int, way)

    def flag(self, *way: str) -> bool:
        return self._require(bool, way)

    def optional_text(self, *way: str) -> str:
        """Empty where the value, or one above it, is missing or null."""
        return self.text(*way) if self.has(*way) else ""

    def has(self, *way: str) -> bool:
        """Whether there is anything but null."""
        return self._at(way) is not None

    def at(self, *way: str) -> Node:
        """The object there."""
        self._expect(self._at(way), dict, way)
        return replace(self, value=self._at(way), place=(*self.place, *way))

    def items(self, *way: str) -> Iterator[Node]:
        """The objects of the list there."""
        values = self._at(way)
        self._expect(values, list, way)
        for number, value in enumerate(values):
            node = replace(self, value=value, status=200, place=(*self.place, *way, str(number)))
            node.at()
            yield node

    @property
    def said(self) -> str:
        """What the forge says of an error, on one line of bounded length."""
        value = self.value if isinstance(self.value, dict) else {}
        parts = [_words(value.get("message")) or _words(value.get("error")) or "no reason given"]
        errors = value.get("errors")
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, dict):
                words = [error.get("message") or f"{error.get('field', '')} {error.get('code', '')}".strip()]
            else:
                words = [error]
            parts += [str(word) for word in words if word]
        return one_line("; ".join(parts))[:_LONGEST]

    def _at(self, way: tuple[str, ...]) -> Any:
        value = self.value
        for step in way:
            if value is None:
                return None
            if not isinstance(value, dict):
                raise self._misfit(way, dict, value)
            value = value.get(step)
        return value

    def _require(self, kind: type[Kind], way: tuple[str, ...]) -> Kind:
        value = self._at(way)
        self._expect(value, kind, way)
        return value  # type: ignore[no-any-return]  # that is what was expected

    def _expect(self, value: Any, kind: type, way: tuple[str, ...]) -> None:
        # A bool is an int to Python, and no number to JSON.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._misfit(way, kind, value)

    def _misfit(self, way: tuple[str, ...], kind: type, value: Any) -> OutsideError:
        place = ".".join((*self.place, *way)) or "its top"
        found = "nothing" if value is None else _NAMES.get(type(value), "number")
        return OutsideError(
            f"{self.service.name}'s answer to {self.asked} has no {_NAMES[kind]} at {place}, but {found}",
            fix="try again; if it stays so, the address of the API may be that of something else "
            f"({self.service.variable})",
        )


def _words(value: Any) -> str:
    """GitLab says what is wrong as text, as a list, or by field."""
    if isinstance(value, dict):
        return "; ".join(f"{name} {_words(each)}" for name, each in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value or "")
