"""Holds a document against its JSON Schema and its rules, and finds everything that is wrong at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

from mlops_ci.config.document import Complaint, Document, KeyPath
from mlops_ci.config.explaining import Violation, explained
from mlops_ci.config.scalars import meant, resolve
from mlops_ci.config.wording import shown
from mlops_ci.errors import Problem

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

Rule = Callable[[Mapping[str, Any]], Iterable[Complaint]]
"""Looks at values that the schema allows: what it does not allow is None where it was."""
MODEL_SCHEMA = "mlops.schema.json"
DATA_SCHEMA = "data.schema.schema.json"
_MOST_PROBLEMS = 100


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A document as its schema reads it: `document.value` holds texts where texts are due.

    `sound` is that value with None in the place of each part that is wrong; without problems the two are equal.
    """

    document: Document
    sound: Mapping[str, Any]
    problems: tuple[Problem, ...]


def validate(document: Document, *, schema: str, rules: Iterable[Rule], free: tuple[KeyPath, ...] = ()) -> Checked:
    """All that is wrong with the document, in the order of its lines: by reader, schema and rules.

    `free` are the mappings whose content the schema does not know, and so cannot tell a text from a misspelt number.
    """
    validator = _validator(schema)
    value = _with_texts(document, validator)
    violations = [each for each in _violations(validator, value) if each.path not in document.broken]
    sound = _without(value, {each.path for each in violations if each.spoils_the_value})
    complaints = [*explained(violations), *_ambiguous(document, free)]
    for rule in rules:
        complaints += rule(sound)
    problems = document.problems([*document.findings, *document.found(complaints)])
    if (more := len(problems) - _MOST_PROBLEMS) > 0:
        what, fix = f"{more} more problems are not shown", "mend these first"
        problems = [*problems[:_MOST_PROBLEMS], Problem(where=document.name, what=what, fix=fix)]
    return Checked(document=replace(document, value=value), sound=sound, problems=tuple(problems))


@cache
def schema_of(name: str) -> Mapping[str, Any]:
    """The published JSON Schema of that file name."""
    text = resources.files("mlops_ci.resources").joinpath(name).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _validator(schema: str) -> Validator:
    from jsonschema import Draft202012Validator, validators

    keywords = {"pattern": _whole_pattern, "uniqueItems": _unique_items}
    strict = validators.extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]
    return cast("Validator", strict(schema_of(schema)))


def _violations(validator: Validator, value: Any) -> list[Violation]:
    return [
        Violation(
            keyword=str(error.validator),
            wanted=error.validator_value,
            value=error.instance,
            path=tuple(error.absolute_path),
            schema=cast(Mapping[str, Any], error.schema),
            of_a_key="propertyNames" in error.absolute_schema_path,
        )
        for error in validator.iter_errors(value)
    ]


def _whole_pattern(_: Validator, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """Python's `$` also matches in front of a line's end; a name must not end with one."""
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield ValidationError("pattern")


def _unique_items(_: Validator, wanted: bool, instance: Any, __: Any) -> Iterator[ValidationError]:
    """In linear time, for lists of scalars: jsonschema compares each with each where types are mixed."""
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(instance, list):
        scalars = [(type(item) is bool, item) for item in instance if isinstance(item, Hashable)]
        if len(set(scalars)) < len(scalars):
            yield ValidationError("uniqueItems")


def _ambiguous(document: Document, free: tuple[KeyPath, ...]) -> Iterator[Complaint]:
    """`bootstrap: False` in free content is the text False to this reader, and so true to Python: nobody means that."""
    for path, text in document.plain.items():
        inside = any(path[: len(above)] == above for above in free)
        if inside and path not in document.broken and isinstance(resolve(text), str) and (better := meant(text)):
            what = f"{shown(path)} is the unquoted text {text}, which other YAML readers take for {better}"
            yield Complaint(path=path, what=what, fix=f"write {better}, or '{text}' in quotes if the text is meant")


def _with_texts(document: Document, validator: Validator) -> dict[str, Any]:
    """The document's value, with what was written in every place where the schema wants a text.

    `python: 3.10` is the text 3.10 and `target: 2013` names a column, whatever YAML makes of them elsewhere.
    """
    value: dict[str, Any] = deepcopy(dict(document.value))
    for each in _violations(validator, value):
        is_text_due = each.keyword == "type" and each.wanted == "string" and each.value is not None
        if is_text_due and each.path in document.plain:
            _set(value, each.path, document.plain[each.path])
    return value


def _without(value: Mapping[str, Any], wrong: Iterable[KeyPath]) -> dict[str, Any]:
    sound: dict[str, Any] = deepcopy(dict(value))
    for path in sorted(wrong, key=len):
        _set(sound, path, None)
    return sound


def _set(value: Any, path: KeyPath, leaf: Any) -> None:
    """Sets the value at `path`, unless something above it is gone already."""
    for part in path[:-1]:
        value = None if value is None else value[part]
    if value is not None and path:
        value[path[-1]] = leaf
