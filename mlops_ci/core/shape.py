"""Does a JSON value have the shape of a record? Asked of everything that comes out of the store before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_NAMES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a whole number"} | {
    float: "a number",
    NoneType: "null",
}


def misfits(value: Any, hint: Any, where: str = "") -> list[str]:
    """What keeps a JSON value from being a `hint`: a record (dataclass), a scalar, `X | None`, Mapping, tuple, Literal.

    >>> misfits({"rows": [1, "2"]}, Mapping[str, tuple[int, ...]])
    ['[rows][1] is a text, not a whole number']
    """
    if type(value) is hint or hint is Any:
        return []
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        tried = [misfits(value, option, where) for option in get_args(hint)]
        return [] if [] in tried else [f"{where or 'it'} is {_named(value)}"]
    if origin is Literal:
        return [] if value in get_args(hint) and isinstance(value, str) else [f"{where or 'it'} is {str(value)[:80]!r}"]
    wanted = _plain(origin or hint)
    if not _is(value, wanted):
        return [f"{where or 'it'} is {_named(value)}, not {_NAMES[wanted]}"]
    if is_dataclass(hint):
        return _of_record(value, hint, where)
    if wanted is dict or wanted is list:
        parts = value.items() if wanted is dict else enumerate(value)
        item = get_args(hint)[wanted is dict]
        return [] if item is Any else [text for key, part in parts for text in misfits(part, item, f"{where}[{key}]")]
    return []


def known_part(value: Any, hint: Any) -> Any:
    """The value without the fields that its records do not know, however deep; what does not fit stays as it is.

    Records are found where they are declared by themselves, with None, in a list or in an object.
    """
    options = [part for part in get_args(hint) if part is not NoneType] if _is_union(hint) else [hint]
    if len(options) != 1:
        return value
    record: Any = options[0]
    parts = get_args(record)
    if is_dataclass(record) and isinstance(value, dict):
        hints = _hints(options[0])
        return {name: known_part(item, hints[name][0]) for name, item in value.items() if name in hints}
    if get_origin(record) is tuple and isinstance(value, list):
        return [known_part(item, parts[0]) for item in value]
    if get_origin(record) is Mapping and isinstance(value, dict):
        return {name: known_part(item, parts[1]) for name, item in value.items()}
    return value


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


@cache
def fits_plainly(hint: Any) -> Callable[[Any], bool]:
    """A cheap question whose yes means that a value fits the hint, and whose no means nothing.

    Nearly everything that is asked gets a yes, and a long log is read through here.

    >>> fits_plainly(str | None)("x"), fits_plainly(tuple[str, ...])(["x"]), fits_plainly(tuple[str, ...])([1])
    (True, True, False)
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        options = frozenset(parts)
        return lambda value: type(value) is str and value in options
    if origin is tuple and parts[0] is not Any:
        items = _fitting_types(parts[0])
        return lambda value: type(value) is list and items.issuperset(map(type, value))
    types = _fitting_types(hint)
    return lambda value: type(value) in types


def _fitting_types(hint: Any) -> frozenset[type]:
    """The types all of whose values fit the hint; may be empty."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return frozenset[type]().union(*(_fitting_types(part) for part in parts))
    if origin is None:
        return frozenset({hint}) if hint in _NAMES else frozenset()
    whole = (origin is Mapping and parts[1] is Any) or (origin is tuple and parts[0] is Any)
    return frozenset({_plain(origin)}) if whole else frozenset()


def _plain(hint: Any) -> type:
    """The JSON type behind a hint: a record and a mapping are objects, a tuple is a list."""
    if is_dataclass(hint) or hint is Mapping:
        return dict
    return list if hint is tuple else hint


def _is(value: Any, wanted: type) -> bool:
    if isinstance(value, bool):  # Python counts True as an integer, JSON does not
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def _named(value: Any) -> str:
    return _NAMES[type(value)]


def _of_record(value: Mapping[str, Any], record: Any, where: str) -> list[str]:
    found: list[str] = []
    hints = _hints(record)
    for name, (hint, required, fits) in hints.items():
        if name in value:
            if fits(value[name]):
                continue
            found += misfits(value[name], hint, f"{where}.{name}" if where else name)
        elif required:
            found.append(f"{where}.{name} is missing" if where else f"{name} is missing")
    return found + [f"{str(key)[:80]!r} is unknown" for key in value if key not in hints]


@cache
def _hints(record: Any) -> dict[str, tuple[Any, bool, Callable[[Any], bool]]]:
    """Each field's hint, whether it is required, and the cheap question."""
    hints = get_type_hints(record)
    return {
        field.name: (
            hints[field.name],
            field.default is MISSING and field.default_factory is MISSING,
            fits_plainly(hints[field.name]),
        )
        for field in fields(record)
    }
