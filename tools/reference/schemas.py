"""docs/reference/mlops-yaml.md, from the JSON Schemas by which `mlops.yaml` and `data.schema.yaml` are checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops_ci.config.validation import DATA_SCHEMA, MODEL_SCHEMA, schema_of
from tools.reference.markdown import code, page, table

Schema = Mapping[str, Any]

INTRODUCTION = """\
Every key, as the JSON Schemas have it by which the files are checked (`mlops_ci/resources/mlops.schema.json` and
`data.schema.schema.json`; an editor that knows YAML schemas completes and checks a file with them). How a file is read,
an example, and what a schema cannot say is in [configuration.md](../configuration.md).

A key that has others below it is a section; `[]` marks the items of a list, `*` a name of your own."""
_MOST_SHOWN = 8  # names in a cell; longer lists stand at the end of the page
_DEFAULT = re.compile(r"\s*Default: (?P<default>.+?)\.?$", re.DOTALL)


def schemas_page() -> str:
    model, data = schema_of(MODEL_SCHEMA), schema_of(DATA_SCHEMA)
    return page(
        "mlops.yaml and data.schema.yaml",
        INTRODUCTION,
        "## `mlops.yaml`",
        *_tables(model, "###"),
        "## `data.schema.yaml`",
        "The file that `data.schema` names.",
        *_tables(data, "###"),
        "## Names",
        *_names(model),
    )


def _names(root: Schema) -> Iterator[str]:
    """The lists that are too long for a cell, each once."""
    seen: set[str] = set()
    for schema in _within(root):
        title = str(schema.get("title", ""))
        if len(schema.get("enum", ())) > _MOST_SHOWN and title not in seen:
            seen.add(title)
            yield f"### {title[:1].upper()}{title[1:]}"
            yield str(schema.get("description", ""))
            yield ", ".join(code(_shown(value)) for value in schema["enum"])


def _within(value: object) -> Iterator[Schema]:
    """Every part of a schema that is an object itself."""
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _within(part)


def _anchor(schema: Schema) -> str:
    return str(schema["title"]).replace(" ", "-")


def _tables(root: Schema, level: str) -> Iterator[str]:
    """One table for the keys of the top that are no sections, and one for each section."""
    top, sections = [], []
    for key, value in root["properties"].items():
        schema = _resolved(value, root)
        about = "" if key not in root.get("required", ()) else "**required**"
        rows = list(_rows(schema, root, key))
        if not rows:
            top.append(_row(key, schema, root, required=bool(about)))
            continue
        sections += [f"{level} {code(key)}", " ".join(part for part in (schema.get("description", ""), about) if part)]
        sections += [_listing(rows)]
    yield _listing(top)
    yield from sections


def _listing(rows: Sequence[Sequence[str]]) -> str:
    return table(["key", "type", "default", "meaning"], rows)


def _rows(schema: Schema, root: Schema, path: str) -> Iterator[list[str]]:
    """The keys below `path`, each followed by those below it."""
    for key, value in schema.get("properties", {}).items():
        below = _resolved(value, root)
        yield _row(f"{path}.{key}", below, root, required=key in schema.get("required", ()))
        yield from _rows(below, root, f"{path}.{key}")
    for mark, inner in (("[]", schema.get("items")), (".*", schema.get("additionalProperties"))):
        if isinstance(inner, Mapping):
            yield from _rows(_resolved(inner, root), root, path + mark)


def _row(path: str, schema: Schema, root: Schema, *, required: bool) -> list[str]:
    meaning, default = _meaning(schema)
    return [code(path), _type(schema, root), "**required**" if required else default, meaning]


def _meaning(schema: Schema) -> tuple[str, str]:
    """What the key means, and its default: the schema's, or where that depends on others the one its words give."""
    text = str(schema.get("description", ""))
    written = _DEFAULT.search(text)
    if written is not None:
        return text[: written.start()], written["default"]
    return text, code(_shown(schema["default"])) if "default" in schema else ""


def _type(schema: Schema, root: Schema) -> str:
    if "const" in schema:
        return code(_shown(schema["const"]))
    if len(schema.get("enum", ())) > _MOST_SHOWN:
        return f"one of [these](#{_anchor(schema)})"
    if "enum" in schema:
        return ", ".join(code(_shown(value)) for value in schema["enum"])
    if schema.get("title") not in (None, "text"):
        return str(schema["title"])
    kinds = schema.get("type", "any")
    named = " or ".join(_kind(kind, schema, root) for kind in ([kinds] if isinstance(kinds, str) else kinds))
    return f"{named}{_bounds(schema)}"


def _kind(kind: str, schema: Schema, root: Schema) -> str:
    if kind == "array":
        item = _type(_resolved(schema.get("items", {}), root), root)
        return "list" if item == "any" else f"list of: {item}"
    return {"object": "section" if schema.get("properties") else "mapping", "string": "text"}.get(kind, kind)


def _bounds(schema: Schema) -> str:
    """The limits of a number, as people write them.

    >>> _bounds({"minimum": 0, "maximum": 100}), _bounds({"exclusiveMinimum": 0}), _bounds({})
    (', 0 to 100', ', above 0', '')
    """
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    words = []
    if low is not None and high is not None:
        words = [f"{_shown(low)} to {_shown(high)}"]
    else:
        words += [f"from {_shown(low)}"] if low is not None else []
        words += [f"above {_shown(above)}"] if above is not None else []
        words += [f"below {_shown(below)}"] if below is not None else []
        words += [f"to {_shown(high)}"] if high is not None else []
    return f", {' '.join(words)}" if words else ""


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with what `$ref` names; its own words go before those of the definition."""
    if "$ref" not in schema:
        return schema
    named = root["$defs"][str(schema["$ref"]).rsplit("/", 1)[-1]]
    return {**_resolved(named, root), **{key: value for key, value in schema.items() if key != "$ref"}}
