"""GitHub's own OpenAPI description as a judge of requests and responses, and what it demands of an object's fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

MANY_SEGMENTS = ("ref", "path", "basehead", "branch", "tag", "environment_name")
"""Parameters whose values may hold slashes."""
ANSWERED_ANYWAY = (401, 403, 404, 429)
"""Statuses that GitHub gives on every path, described there or not."""
METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path of the description; `arguments` are the path's parameters as they were called."""

    method: str
    pattern: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Request:
    """As openapi-core wants one."""

    method: str
    path_pattern: str
    body: bytes | None
    content_type: str
    parameters: Any
    host_url: str = "http://localhost"
    path: str = "/"


@dataclass(frozen=True, kw_only=True)
class _Response:
    status_code: int
    data: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Contract:
    """What GitHub describes: finds operations, finds faults, and fills up what an answer has to have."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._description = description
        self._paths = [(path, _expression(path)) for path in sorted(description["paths"], key=_rank)]

    @cached_property
    def _judge(self) -> Any:
        # takes seconds to import, and a test that fails before its first request should not wait for it
        from openapi_core import Config, OpenAPI

        return OpenAPI.from_dict(dict(self._description), config=Config(spec_validator_cls=None))

    def operation(self, method: str, path: str) -> Operation | None:
        """The described operation that the request is meant for; None where GitHub has none, or the cut left it out."""
        for pattern, expression in self._paths:
            found = expression.fullmatch(path)
            if found and method.lower() in self._description["paths"][pattern]:
                arguments = {name: unquote(value) for name, value in found.groupdict().items()}
                return Operation(method=method.lower(), pattern=pattern, arguments=arguments)
        return None

    def request_faults(self, operation: Operation, query: Mapping[str, str], body: bytes, kind: str) -> list[str]:
        """Why GitHub would not take the request as described; also names that it does not know, which are misspelt."""
        request = self._request(operation, query, body, kind)
        faults = [_wording(error) for error in self._judge.iter_request_errors(request)]
        known = {one["name"] for one in self._parameters(operation) if one["in"] == "query"}
        faults += [f"unknown query parameter {name!r}" for name in query if name not in known]
        return faults + [f"unknown field {name!r} in the body" for name in self._unknown(operation, body)]

    def response_faults(
        self, operation: Operation, query: Mapping[str, str], status: int, body: bytes, kind: str
    ) -> list[str]:
        """Why GitHub would not answer so."""
        if str(status) not in self._responses(operation):
            return [] if status in ANSWERED_ANYWAY else [f"GitHub describes no answer {status} here"]
        request = self._request(operation, query, b"", "")
        response = _Response(status_code=status, data=body, content_type=kind)
        return [_wording(error) for error in self._judge.iter_response_errors(request, response)]

    def completed(self, operation: Operation, status: int, value: Any) -> Any:
        """The value with what the description demands and the stand-in knows nothing of, as blank as it may be."""
        content = self._resolved(self._responses(operation).get(str(status), {})).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return value if schema is None else self._filled(schema, value)

    def _request(self, operation: Operation, query: Mapping[str, str], body: bytes, kind: str) -> _Request:
        from openapi_core.datatypes import RequestParameters
        from werkzeug.datastructures import Headers, ImmutableMultiDict

        return _Request(
            method=operation.method,
            path_pattern=operation.pattern,
            body=body or None,
            content_type=kind,
            parameters=RequestParameters(
                path=dict(operation.arguments), query=ImmutableMultiDict(query), header=Headers(), cookie=None
            ),
        )

    def _described(self, operation: Operation) -> Mapping[str, Any]:
        described: Mapping[str, Any] = self._description["paths"][operation.pattern][operation.method]
        return described

    def _responses(self, operation: Operation) -> Mapping[str, Any]:
        responses: Mapping[str, Any] = self._described(operation)["responses"]
        return responses

    def _parameters(self, operation: Operation) -> list[Mapping[str, Any]]:
        own = self._described(operation).get("parameters", [])
        shared = self._description["paths"][operation.pattern].get("parameters", [])
        return [self._resolved(one) for one in [*own, *shared]]

    def _unknown(self, operation: Operation, body: bytes) -> list[str]:
        described = self._resolved(self._described(operation).get("requestBody", {})).get("content", {})
        schema = self._resolved(described.get("application/json", {}).get("schema", {}))
        properties, value = schema.get("properties"), json.loads(body) if body else None
        branches = [self._resolved(one) for kind in ("oneOf", "anyOf", "allOf") for one in schema.get(kind, ())]
        if not properties or not isinstance(value, dict):
            return []
        known = set(properties).union(*(branch.get("properties", ()) for branch in branches))
        return [name for name in value if name not in known]

    def _resolved(self, schema: Any) -> Any:
        while "$ref" in schema:
            _, _, kind, name = schema["$ref"].split("/")
            schema = self._description["components"][kind][name]
        return schema

    def _filled(self, schema: Any, value: Any) -> Any:
        schema = self._resolved(schema)
        if isinstance(value, list):
            branches = [schema, *(self._resolved(one) for kind in ("anyOf", "oneOf") for one in schema.get(kind, ()))]
            items = next((one["items"] for one in branches if "items" in one), {})
            return [self._filled(items, entry) for entry in value]
        if not isinstance(value, dict):
            return value
        branch = self._branch(schema, value)
        if branch is not None:
            value = self._filled(branch, value)
        for part in schema.get("allOf", ()):
            value = self._filled(part, value)
        properties = schema.get("properties", {})
        filled = {
            name: self._filled(properties[name], entry) if name in properties else entry
            for name, entry in value.items()
        }
        missing = [name for name in schema.get("required", ()) if name not in filled]
        return filled | {name: self._blank(properties.get(name, {})) for name in missing}

    def _branch(self, schema: Any, value: dict[str, Any]) -> Any:
        """Of several alternatives the one that the value is meant to be; None where it has no choice."""
        meant = schema.get("discriminator", {})
        if value.get(meant.get("propertyName", "")) in meant.get("mapping", {}):
            return {"$ref": meant["mapping"][value[meant["propertyName"]]]}
        branches = [self._resolved(one) for kind in ("anyOf", "oneOf") for one in schema.get(kind, ())]
        objects = [one for one in branches if {"properties", "allOf", "additionalProperties"} & set(one)]
        return max(objects, key=lambda one: len(set(one.get("properties", ())) & set(value)), default=None)

    def _blank(self, schema: Any) -> Any:
        schema = self._resolved(schema)
        if schema.get("nullable"):
            return None
        for kind in ("anyOf", "oneOf"):
            if kind in schema and "properties" not in schema:
                return self._blank(schema[kind][0])
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "object")
        if kind == "string":
            return {"date-time": "2026-01-01T00:00:00Z", "uri": "https://github.invalid/"}.get(schema.get("format"), "")
        if kind == "object":
            return self._filled(schema, {})
        return {"integer": 0, "number": 0, "boolean": False, "array": []}[kind]


@cache
def github() -> Contract:
    """The contract of openapi.json, read once a process."""
    text = (Path(__file__).parent / "openapi.json").read_text(encoding="utf-8")
    return Contract(json.loads(text))


def _rank(path: str) -> tuple[bool, int, list[bool]]:
    """Sorts what says more before what would match it, too: `issues/comments/{id}`, then `issues/{number}/comments`."""
    parts = path.split("/")
    return any(part.strip("{}") in MANY_SEGMENTS for part in parts), -len(parts), [part[:1] == "{" for part in parts]


def _expression(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    names = parts[1::2]
    values = (f"(?P<{name}>{'.+?' if name in MANY_SEGMENTS else '[^/]+'})" for name in names)
    return re.compile("".join(re.escape(text) + value for text, value in zip(parts[::2], [*values, ""], strict=True)))


def _wording(error: BaseException) -> str:
    """The error with what the schema found, which openapi-core keeps in the innermost cause."""
    words, seen = str(error)[:300], error.__cause__
    while seen is not None:
        found = getattr(seen, "schema_errors", ())
        words = "; ".join(f"{one.message[:300]} at /{'/'.join(map(str, one.absolute_path))}" for one in found) or words
        if not found:
            words = f"{words}: {str(seen)[:300]}"
        seen = seen.__cause__
    return words
