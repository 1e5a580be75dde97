"""Says in words what JSON Schema's errors mean for the person who wrote the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_ci.config.document import Complaint, KeyPath
from mlops_ci.config.scalars import meant, resolve
from mlops_ci.config.wording import choice, described, inside, near, shown, spelled_out

_WANTED = {
    "object": ("a mapping of keys", "write its keys on indented lines below, or inside { }"),
    "array": ("a list", "write the items inside [ ], or on lines that begin with -"),
    "string": ("a text", "write a text"),
    "integer": ("a whole number", "write a whole number such as 5"),
    "number": ("a number", "write a number such as 0.5"),
    "boolean": ("true or false", "write true or false"),
}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A value that breaks one keyword of its schema; `of_a_key` where the value is a key of the mapping at `path`."""

    keyword: str
    wanted: Any
    value: Any
    path: KeyPath
    schema: Mapping[str, Any]
    of_a_key: bool = False

    @property
    def spoils_the_value(self) -> bool:
        """Whether the value at `path` cannot be used for what it is meant; its parts may be right nevertheless."""
        return not self.of_a_key and self.keyword not in ("required", "additionalProperties", "uniqueItems")


def explained(violations: Iterable[Violation]) -> list[Complaint]:
    """One complaint for each mistake: a key that is missing because it is misspelt is complained of once, and so is a
    value of a wrong type, which is none of the choices either.
    """
    violations = list(violations)
    wrong_types = {violation.path for violation in violations if violation.keyword == "type"}
    misspelt = {
        (*violation.path, near(key, violation.schema["properties"]))
        for violation in violations
        if violation.keyword == "additionalProperties"
        for key in _unknown_keys(violation)
    }
    complaints: dict[Complaint, None] = {}
    for violation in violations:
        if violation.keyword == "required":
            missing = [key for key in _missing_keys(violation) if (*violation.path, key) not in misspelt]
            complaints |= dict.fromkeys(_key_missing(violation, key) for key in missing)
        elif violation.keyword == "additionalProperties":
            complaints |= dict.fromkeys(_key_unknown(violation, key) for key in _unknown_keys(violation))
        elif violation.of_a_key:
            complaints[_key_wrong(violation)] = None
        elif violation.keyword == "type" or violation.path not in wrong_types:
            complaints[_value_wrong(violation)] = None
    return list(complaints)


def _unknown_keys(violation: Violation) -> Iterator[str]:
    return (key for key in violation.value if key not in violation.schema["properties"])


def _missing_keys(violation: Violation) -> Iterator[str]:
    return (key for key in violation.schema["required"] if key not in violation.value)


def _key_unknown(violation: Violation, key: str) -> Complaint:
    path = violation.path
    what = f"unknown key {spelled_out(key)} {inside(path)}"
    return Complaint(path=(*path, key), what=what, fix=choice(key, violation.schema["properties"]))


def _key_missing(violation: Violation, key: str) -> Complaint:
    path = violation.path
    about = violation.schema["properties"].get(key, {}).get("description", "")
    return Complaint(path=path, what=f"key '{key}' is missing {inside(path)}", fix=f"add it: {about}".rstrip(": "))


def _key_wrong(violation: Violation) -> Complaint:
    path = violation.path
    what = f"{spelled_out(violation.value)} {inside(path)} is not a valid {violation.schema['title']}"
    return Complaint(path=(*path, violation.value), what=what, fix=_instruction(violation))


def _value_wrong(violation: Violation) -> Complaint:
    path = violation.path
    what, fix = _WORDS[violation.keyword](violation)
    return Complaint(path=path, what=f"{shown(path)} {what}", fix=fix)


def _type(violation: Violation) -> tuple[str, str]:
    if isinstance(violation.wanted, list):
        wanted = " or ".join(_WANTED[each][0] for each in violation.wanted)
        return f"must be {wanted}, but is {described(violation.value)}", _instruction(violation)
    wanted, example = _WANTED[violation.wanted]
    what = f"must be {wanted}, but is {described(violation.value)}"
    if violation.value is None:
        return what, f"{example}; an optional key may be left out"
    if isinstance(violation.value, str) and (better := _meant_as(violation.value, violation.wanted)):
        return what, f"write {better}, without quotes"
    return what, example


def _meant_as(text: str, wanted: str) -> str | None:
    """The spelling that a text should have had to be what is wanted, if it is nearly that."""
    spelling = meant(text) or text
    try:
        value = resolve(spelling)
    except ValueError:
        return None
    fits = {
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
    }
    return spelling if fits.get(wanted) else None


def _enum(violation: Violation) -> tuple[str, str]:
    return f"is {spelled_out(violation.value)}, which is not allowed", choice(violation.value, violation.wanted)


def _const(violation: Violation) -> tuple[str, str]:
    return (
        f"must be {violation.wanted}, but is {described(violation.value)}",
        f"write {violation.wanted}, {_instruction(violation)}",
    )


def _pattern(violation: Violation) -> tuple[str, str]:
    return f"is {spelled_out(violation.value)}, which is not a valid {violation.schema['title']}", _instruction(
        violation
    )


def _bound(violation: Violation) -> tuple[str, str]:
    limit = f"{_BOUNDS[violation.keyword]} {violation.wanted}"
    return f"must be {limit}, but is {violation.value}", f"write a number that is {limit}"


def _empty(_: Violation) -> tuple[str, str]:
    return "must not be empty", "write something into it, or remove the key"


def _twice(_: Violation) -> tuple[str, str]:
    return "has the same item twice", "list each item once"


def _instruction(violation: Violation) -> str:
    text = str(violation.schema.get("description", "")).rstrip(".")
    return text[:1].lower() + text[1:]


_WORDS: Mapping[str, Callable[[Violation], tuple[str, str]]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "maxLength": _pattern,
    "minLength": _empty,
    "minItems": _empty,
    "minProperties": _empty,
    "minimum": _bound,
    "exclusiveMinimum": _bound,
    "maximum": _bound,
    "exclusiveMaximum": _bound,
    "uniqueItems": _twice,
}
