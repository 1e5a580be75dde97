"""The OpenAPI 3.1 description of one service, with its model's own columns and labels: `/openapi.json`.

It says what the service takes, which depends on the signature alone: what the card says of ranges and categories is in
descriptions and examples, not in rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci import __version__
from mlops_ci.core.signature import Signature
from mlops_ci.scoring.card import Card, ServedColumn
from mlops_ci.scoring.messages import BINARY, JSON
from mlops_ci.scoring.protocol import JSON_LENGTH, outputs
from mlops_ci.scoring.tensors import DATATYPES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
OBJECT: Schema = {"type": "object"}
COUNT: Schema = {"type": "integer", "minimum": 0}
HEADERS = {
    "x-request-id": {"description": "the client's own, or one made up for the request", "schema": TEXT},
    "x-mlops-release": {"description": "the release that answered", "schema": TEXT},
}
REFUSALS = {
    "400": "the body is not JSON, or breaks the protocol",
    "413": "more bytes or rows than are taken in one request",
    "415": "another media type, or a compressed body",
    "422": "JSON, but not rows of this model; or the model has no finite answer for them",
    "503": "more requests than can be answered in time, or the service is about to end: try again after a moment",
}


def description(card: Card, signature: Signature, about: Mapping[str, Any], *, max_rows: int) -> Schema:
    """The whole description; `about` has model, version and release."""
    words = card.facts.get("card") or {}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": about["model"],
            "version": str(about["version"]),
            "summary": f"The scoring service of {about['model']}, by mlops-ci {__version__}",
            "description": words.get("description") or f"Release {about['release']}.",
        },
        "servers": [{"url": "."}],
        "paths": _paths(card, about),
        "components": {"schemas": _schemas(card, signature, max_rows)},
    }


def _paths(card: Card, about: Mapping[str, Any]) -> Schema:
    ready = {"200": _ref("Ready", "it is"), "503": _ref("Ready", "the service is about to end")}
    page = {"text/html": {"schema": TEXT}}
    record = {column.name: _example(column) for column in card.columns}
    columns = {"columns": {name: [value] for name, value in record.items()}}
    paths: Schema = {
        "/": _get("page", "A form to try it by hand", {"200": _answer("the page", page)}),
        "/score": _post(
            "score",
            "Labels, probabilities or values for records",
            {JSON: {"schema": _of("Rows"), "examples": {"records": _value([record]), "columns": _value(columns)}}},
            {"200": _ref("Scores", "one prediction a record, in their order"), **_refusals("Problems")},
        ),
        "/model": _get(
            "model-card",
            "The model card",
            {"200": _answer("JSON, unless HTML is asked for", {JSON: {"schema": _of("Card")}, **page})},
        ),
        "/openapi.json": _get("openapi", "This", {"200": _answer("OpenAPI 3.1", {JSON: {"schema": OBJECT}})}),
        "/metrics": _get(
            "metrics", "Metrics for Prometheus", {"200": _answer("text", {"text/plain": {"schema": TEXT}})}
        ),
        "/v2": _get("server", "Open Inference Protocol: the server", {"200": _ref("Server", "what it speaks")}),
        "/v2/health/live": _get("live", "Is it alive?", {"200": _ref("Live", "it is")}),
        "/v2/health/ready": _get("ready", "Does it take requests?", ready),
    }
    example = _value({"inputs": [_tensor_example(column) for column in card.columns]})
    tensors = {JSON: {"schema": _of("InferenceRequest"), "examples": {"one row": example}}, BINARY: {"schema": {}}}
    for version in ("", f"/versions/{about['version']}"):
        at, named = f"/v2/models/{about['model']}{version}", "-of-version" if version else ""
        paths[at] = _get(f"model{named}", "Its inputs and outputs", {"200": _ref("Model", "as tensors")})
        paths[f"{at}/ready"] = _get(f"model-ready{named}", "Does it take requests?", ready)
        infer = _post(f"infer{named}", "Tensors in, tensors out", tensors, _inferred())
        paths[f"{at}/infer"] = {"post": infer["post"] | {"parameters": [_json_length()]}}
    return paths


def _inferred() -> Schema:
    found = _ref("InferenceResponse", "the tensors that were asked for; in octet-stream those in binary form follow")
    found["content"][BINARY] = {"schema": {}}
    return {"200": found, **_refusals("Problems")}


def _json_length() -> Schema:
    what = "how many bytes of the body are JSON; the binary tensors follow (binary tensor extension)"
    return {"name": JSON_LENGTH, "in": "header", "required": False, "description": what, "schema": COUNT}


def _schemas(card: Card, signature: Signature, max_rows: int) -> Schema:
    columns = {column.name: _column(column) for column in card.columns}
    record = _object(columns, description="every column that the model reads, and no other")
    lists = {name: {"type": "array", "items": schema, "maxItems": max_rows} for name, schema in columns.items()}
    records = {"type": "array", "items": _of("Record"), "maxItems": max_rows}
    wrapped = [_object({"records": records}), _object({"columns": _of("Columns")})]
    problem = _object({"row": {"type": ["integer", "null"], "minimum": 0}, "field": TEXT, "what": TEXT})
    return {
        "Record": record,
        "Columns": _object(lists, description="the same as lists of values, all of one length"),
        "Rows": {"anyOf": [records, *wrapped]},
        "Scores": _object(
            {
                **dict.fromkeys(("model", "release", "request_id"), TEXT),
                "version": COUNT,
                "predictions": {"type": "array", "items": _prediction(signature)},
            }
        ),
        "Error": _object({"error": TEXT}),
        "Problems": _object(
            {"error": TEXT, "problems": {"type": "array", "items": problem}, "problems_total": COUNT},
            required=["error"],
        ),
        "Card": _open({"model": TEXT, "version": COUNT, "release": TEXT, "task": TEXT, "columns": {"type": "array"}}),
        "Live": _object({"live": {"type": "boolean"}}),
        "Ready": _object({"name": TEXT, "ready": {"type": "boolean"}}, required=["ready"]),
        **_protocol_schemas(card, signature),
    }


def _protocol_schemas(card: Card, signature: Signature) -> Schema:
    shape = {"type": "array", "items": {"type": "integer", "minimum": -1}}
    tensor = {"name": TEXT, "datatype": TEXT, "shape": shape}
    described = {"type": "array", "items": _object(tensor)}
    texts = {"type": "array", "items": TEXT}
    names = [output["name"] for output in outputs(signature)]
    answered = {"parameters": {"type": "object"}, "data": {"type": "array"}}
    asked = {"name": {"enum": names}, "parameters": OBJECT}
    count = len(card.columns)
    return {
        "Server": _object({"name": TEXT, "version": TEXT, "extensions": texts}),
        "Model": _object(
            {
                **{"name": TEXT, "platform": TEXT, "versions": texts, "inputs": described, "outputs": described},
                "properties": {"type": "object", "additionalProperties": TEXT},
            }
        ),
        "InferenceRequest": _open(
            {
                "inputs": {
                    **{"type": "array", "minItems": count, "maxItems": count},
                    "items": {"anyOf": [_tensor(column) for column in card.columns]},
                },
                "outputs": {"type": "array", "items": _open(asked, required=["name"])},
                "parameters": {"type": "object"},
                "id": TEXT,
            },
            required=["inputs"],
        ),
        "InferenceResponse": _object(
            {
                **{"model_name": TEXT, "model_version": TEXT, "id": TEXT},
                "outputs": {"type": "array", "items": _object({**tensor, **answered}, required=list(tensor))},
            }
        ),
    }


def _column(column: ServedColumn) -> Schema:
    types = ["string", "null"] if column.kind == "text" else ["number", "boolean", "null"]
    return {"type": types, "description": column.hint, "examples": [_example(column)]}


def _example(column: ServedColumn) -> Any:
    if column.example is not None:
        return column.example
    return "text" if column.kind == "text" else 0


def _tensor(column: ServedColumn) -> Schema:
    shape = {"type": "array", "items": COUNT, "minItems": 1, "maxItems": 2}
    known = {"name": {"const": column.name}, "shape": shape, "datatype": {"enum": list(DATATYPES[column.kind])}}
    data = {"type": "array", "description": f"one value a row; null where it is missing. {column.hint}"}
    return _open({**known, "data": data, "parameters": OBJECT}, required=list(known))


def _tensor_example(column: ServedColumn) -> Any:
    value = _example(column)
    datatype = "BOOL" if type(value) is bool else DATATYPES[column.kind][-1]
    return {"name": column.name, "shape": [1, 1], "datatype": datatype, "data": [value]}


def _prediction(signature: Signature) -> Schema:
    number = {"type": "number"}
    if signature.task == "regression":
        return _object({"value": number})
    share = {**number, "minimum": 0, "maximum": 1}
    fields: Schema = {
        "label": {"enum": list(signature.classes)},
        "probabilities": _object({str(label): number for label in signature.classes}),
    }
    if signature.task == "binary-classification":
        what = f"of {signature.classes[1]}, which is the label from {signature.threshold!r} on"
        fields["probability"] = {**share, "description": what}
    return _object(fields)


def _object(properties: Schema, *, required: Sequence[str] | None = None, **more: Any) -> Schema:
    return {**_open(properties, required=required), "additionalProperties": False, **more}


def _open(properties: Schema, *, required: Sequence[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
    }


def _of(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}


def _value(example: Any) -> Schema:
    return {"value": example}


def _answer(what: str, content: Schema) -> Schema:
    return {"description": what, "headers": HEADERS, "content": content}


def _ref(schema: str, what: str) -> Schema:
    return _answer(what, {JSON: {"schema": _of(schema)}})


def _refusals(unprocessable: str) -> Schema:
    answers = {code: _ref(unprocessable if code == "422" else "Error", what) for code, what in REFUSALS.items()}
    answers["503"]["headers"] = {**HEADERS, "retry-after": {"description": "in seconds", "schema": COUNT}}
    return answers


def _get(identifier: str, summary: str, responses: Schema) -> Schema:
    return {"get": {"operationId": identifier, "summary": summary, "responses": responses}}


def _post(identifier: str, summary: str, content: Schema, responses: Schema) -> Schema:
    body = {"required": True, "content": content}
    return {"post": {"operationId": identifier, "summary": summary, "requestBody": body, "responses": responses}}
