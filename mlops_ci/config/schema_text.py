"""Writes a data schema as the YAML that a person goes on with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci.config.scalars import meant, resolve
from mlops_ci.config.schema_types import ChangeLimits, ColumnSchema, DataSchema

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_. /+-]*[A-Za-z0-9_.+-])?")
_LONGEST_KEY = 500
"""YAML takes a longer key only where it is announced as one."""
_HEAD = """\
# What the data must look like; `mlops-ci check` stops at the first run that brings others, before anything is trained.
# Drafted by `mlops-ci infer-schema` from {rows} rows of {source}: it says how these data are, and you know how data
# may be. Go through it once: widen ranges and categories that are only habits of these rows, narrow those that are
# rules, remove what does not matter, and mark what must never be shown with `private: true`.
# type: integer | number | text | boolean | timestamp
# further keys of a column: nullable, max_missing, min, max, categories, unique, private, freshness (of a timestamp,
#   such as 7d), change ({{missing: 0.05, distribution: 0.2}} at most since the last accepted data), allow
"""


def schema_text(schema: DataSchema, *, source: str, rows: int, notes: Mapping[str, str]) -> str:
    """The file's text; `notes` says of each column that is left out why."""
    limits = {
        "min": schema.min_rows,
        "max": schema.max_rows,
        "max_duplicates": schema.max_duplicates,
        "max_shared": schema.max_shared,
    }
    lines = [_HEAD.format(rows=rows, source=_printable(source)) + "schema: 1", f"rows: {_flow(limits)}"]
    if schema.change != ChangeLimits():
        lines.append(f"change: {_flow(_change(schema.change))}")
    lines.append("columns:")
    for column in schema.columns:
        lines.append(f"  {_key(column.name)}{_flow(_column(column, schema.change))}")
    lines += [f"  # {_printable(name)}: {note}" for name, note in notes.items()]
    return "\n".join(lines) + "\n"


def _column(column: ColumnSchema, change: ChangeLimits) -> dict[str, Any]:
    """What the column says, in the order in which people write it; what goes without saying is None."""
    return {
        "type": column.type,
        "unique": column.unique or None,
        "nullable": column.nullable or None,
        "max_missing": column.max_missing,
        "min": column.min,
        "max": column.max,
        "categories": list(column.categories) or None,
        "private": column.private or None,
        "freshness": None if column.freshness is None else _duration(column.freshness.total_seconds()),
        "change": _change(column.change) if column.change != change else None,
        "allow": dict(column.allow) or None,
    }


def _change(limits: ChangeLimits) -> dict[str, Any]:
    return {"missing": limits.missing, "distribution": limits.distribution}


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return _scalar(value) if isinstance(value, str) else str(value)


def _key(name: str) -> str:
    return f"{_scalar(name)}: " if len(name) <= _LONGEST_KEY else f"? {_scalar(name)}\n  : "


def _scalar(text: str) -> str:
    """Without quotes where no reader of YAML could take the text for anything else."""
    if _PLAIN.fullmatch(text) and isinstance(resolve(text), str) and meant(text) is None and " #" not in text:
        return text
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return "".join(f"\\{each}" if each in '"\\' else _escaped_sign(each) for each in text)


def _escaped_sign(sign: str) -> str:
    if sign.isprintable():
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) <= 0xFFFF else f"\\U{ord(sign):08x}"


def _printable(text: str) -> str:
    return "".join(_escaped_sign(each) for each in text[:200])


def _duration(seconds: float) -> str:
    for unit, length in (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"
