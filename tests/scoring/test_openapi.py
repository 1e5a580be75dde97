"""`/openapi.json` is valid OpenAPI, its examples are answered, and it says what the service takes and answers."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.card import read_card
from mlops_ci.scoring.messages import Request
from mlops_ci.scoring.openapi import description
from tests.scoring.cards import HOSTILE, card_of
from tests.scoring.test_service import RECORD, ask, serving
from tests.scoring.tiny_models import TinyModel, binary, multiclass, regression

MODELS = {"binary": binary(), "multiclass": multiclass(), "regression": regression()}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def described(model: TinyModel, **options: Any) -> Any:
    return ask(serving(model, **options), "GET", "/openapi.json")[1]


def validator(document: Any, schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **document})


@each_model
def test_it_is_valid_with_a_card_and_without(model: TinyModel) -> None:
    validate(described(model))
    validate(described(model, card=card_of(model)))


def test_whatever_columns_are_called_it_is_valid() -> None:
    signature = Signature(
        task="multiclass-classification",
        inputs=(Column(name=HOSTILE, kind="text"), Column(name="", kind="number"), Column(name="$ref", kind="number")),
        classes=(HOSTILE, "b", "c"),
    )
    about = {"model": HOSTILE, "version": 1, "release": ""}
    document = json.loads(json.dumps(description(read_card(None, signature), signature, about, max_rows=5)))
    record = {HOSTILE: "a", "": 1, "$ref": None}

    assert validator(document, "Record").is_valid(record)
    assert not validator(document, "Record").is_valid({**record, "more": 1})


def test_every_path_of_the_service_is_there_and_no_other() -> None:
    service = serving(binary())
    document = ask(service, "GET", "/openapi.json")[1]

    assert set(document["paths"]) == {*service.routes, "/metrics"}  # which the application adds
    for path in service.routes:
        operations = document["paths"][path]
        for method in ("get", "post"):
            request = Request(method=method.upper(), path=path, headers={}, id="r1", body=b"{}")
            assert (service.respond(request).status == 405) == (method not in operations), (path, method)


@each_model
def test_its_examples_are_answered_as_it_says(model: TinyModel) -> None:
    service = serving(model, card=card_of(model))
    document = ask(service, "GET", "/openapi.json")[1]

    for path, answer in (("/score", "Scores"), ("/v2/models/delay/infer", "InferenceResponse")):
        examples = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
        assert examples
        for example in examples.values():
            status, content = ask(service, "POST", path, example["value"])
            assert status == 200, content
            validator(document, answer).validate(content)


@each_model
def test_answers_are_as_it_says(model: TinyModel) -> None:
    service = serving(model, card=card_of(model))
    document = ask(service, "GET", "/openapi.json")[1]

    for path, schema in (
        ("/v2", "Server"), ("/v2/models/delay", "Model"), ("/model", "Card"), ("/v2/health/live", "Live"),
        ("/v2/health/ready", "Ready"), ("/v2/models/delay/ready", "Ready"),
    ):  # fmt: skip
        validator(document, schema).validate(ask(service, "GET", path)[1])
    validator(document, "Problems").validate(ask(service, "POST", "/score", [{}])[1])
    validator(document, "Problems").validate(ask(service, "POST", "/score", {"columns": {}})[1])
    validator(document, "Error").validate(ask(service, "POST", "/score", b"{")[1])


@pytest.mark.parametrize(
    ("rows", "taken"),
    [
        ([RECORD], True),
        ([], True),
        ({"records": [RECORD]}, True),
        ({"columns": {name: [value] for name, value in RECORD.items()}}, True),
        ([{**RECORD, "hour": None, "distance": True, "carrier": "never seen"}], True),
        ([{**RECORD, "hour": "8"}], False),
        ([{**RECORD, "carrier": 5}], False),
        ([{**RECORD, "more": 5}], False),
        ([{"hour": 8}], False),
        ({"records": [RECORD], "more": 1}, False),
        (RECORD, False),
    ],
)
def test_what_it_says_of_rows_is_what_is_taken(rows: Any, taken: bool) -> None:
    service = serving(binary(), card=card_of(binary()))

    assert validator(ask(service, "GET", "/openapi.json")[1], "Rows").is_valid(rows) == taken
    assert (ask(service, "POST", "/score", rows)[0] == 200) == taken
