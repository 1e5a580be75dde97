"""The statement about a release: what it says, and that it fits no other release."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlops_ci.core.digest import canonical_json
from mlops_ci.core.image import Builder
from mlops_ci.core.lock import Lock
from mlops_ci.core.provenance import BUILD_TYPE, KEY, contradictions, provenance, toolkit_of
from mlops_ci.core.records import Release
from tests.core.test_bill_of_materials import DIGEST, FILES, IMAGE

LOCK = Lock(
    model="late", code={"train.py": "a" * 64}, data={"data/a.csv": "b" * 64}, params={}, environment={}, toolkit="0.0.9"
)
DRAFT = Release(
    model="late",
    version=3,
    lock=LOCK.digest,
    commit="c" * 40,
    files=FILES,
    image=IMAGE.reference,
    evidence={"evaluation": "1" * 64, "golden": "2" * 64, "sbom": "3" * 64, "lock": LOCK.digest},
)
RELEASE = replace(DRAFT, evidence={**DRAFT.evidence, KEY: "9" * 64})


def statement(release: Release = DRAFT, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "image": IMAGE,
        "repository": "127.0.0.1:5000/acme/late",
        "lock": LOCK,
        "source": "https://git.example/acme/late",
        "builder": Builder(),
        "toolkit": "0.1.0",
    }
    value: dict[str, Any] = json.loads(provenance(release, **(given | changes)).payload)
    return value


def test_the_statement_names_what_was_built_from_what_and_by_whom() -> None:
    value = statement(builder=Builder(id="https://forge.example/acme/late/release.yml@main", invocation="run 7"))
    assert value["_type"] == "https://in-toto.io/Statement/v1"
    assert value["predicateType"] == "https://slsa.dev/provenance/v1"
    assert value["subject"] == [
        {"name": "card.json", "digest": {"sha256": "0" * 64}},
        {"name": "image", "digest": {"sha256": DIGEST.removeprefix("sha256:")}},
        {"name": "model.onnx", "digest": {"sha256": "e" * 64}},
        {"name": "signature.json", "digest": {"sha256": "f" * 64}},
    ]
    build, run = value["predicate"]["buildDefinition"], value["predicate"]["runDetails"]
    assert build["buildType"] == BUILD_TYPE
    assert build["externalParameters"] == {
        "model": "late", "version": 3, "platform": "linux/amd64", "repository": "127.0.0.1:5000/acme/late",
    }  # fmt: skip
    assert build["resolvedDependencies"] == [
        {
            "name": "source", "digest": {"gitCommit": "c" * 40},
            "uri": f"git+https://git.example/acme/late@{'c' * 40}",
        },
        {"name": "base-image", "uri": f"docker://{IMAGE.base}", "digest": {"sha256": "b" * 64}},
        {"name": "lock", "digest": {"sha256": LOCK.digest}},
        {"name": "data:data/a.csv", "digest": {"sha256": "b" * 64}},
        {"uri": "pkg:pypi/numpy@2.3.5", "digest": {"sha256": "1" * 64}},
        {"uri": "pkg:pypi/onnxruntime@1.31.0", "digest": {"sha256": "2" * 64}},
    ]  # fmt: skip
    assert run["builder"]["id"].endswith("release.yml@main")
    assert run["metadata"] == {"invocationId": "run 7"}
    assert [one["name"] for one in run["byproducts"]] == ["evaluation", "golden", "lock", "sbom"]
    assert toolkit_of(value) == "0.1.0"


def test_the_same_release_has_the_same_statement_and_nothing_of_a_clock() -> None:
    assert statement() == statement()
    assert "metadata" not in statement()["predicate"]["runDetails"]
    source = statement(source="")["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    assert source == {"name": "source", "digest": {"gitCommit": "c" * 40}}


def test_an_image_that_was_not_pushed_is_named_by_its_id() -> None:
    alone = replace(IMAGE, reference=IMAGE.image_id, base=IMAGE.base.partition("@")[2])
    value = statement(replace(DRAFT, image=alone.reference), image=alone)
    assert value["subject"][1]["digest"]["sha256"] == "c" * 64
    assert value["predicate"]["buildDefinition"]["resolvedDependencies"][1]["digest"] == {"sha256": "b" * 64}
    assert contradictions(value, replace(RELEASE, image=alone.reference)) == []


def test_it_is_of_this_release_and_the_provenance_itself_is_no_part_of_it() -> None:
    assert contradictions(statement(), RELEASE) == []
    assert contradictions(statement(), DRAFT) == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(RELEASE, version=4), "externalParameters.version is '3', not 4"),
        (replace(RELEASE, model="early"), "externalParameters.model is 'late', not 'early'"),
        (replace(RELEASE, lock="7" * 64), "internalParameters.lock"),
        (replace(RELEASE, commit="d" * 40), "it was not built from commit dddddddddddd"),
        (replace(RELEASE, image="a/b@sha256:" + "8" * 64), "no subject is image with digest 888888888888"),
        (replace(RELEASE, image=None), "no subject is image"),
        (
            replace(RELEASE, files={**FILES, "model.onnx": "8" * 64}),
            "no subject is model.onnx with digest 888888888888",
        ),
        (replace(RELEASE, files={"model.onnx": "e" * 64}), "subject card.json with digest 000000000000 is not of this"),
        (
            replace(RELEASE, evidence={**RELEASE.evidence, "golden": "8" * 64}),
            "no by-product is golden with digest 8888",
        ),
        (replace(RELEASE, evidence={KEY: "9" * 64}), "by-product evaluation with digest 111111111111 is not of this"),
    ],
)
def test_it_is_of_no_other_release(other: Release, said: str) -> None:
    assert said in "; ".join(contradictions(statement(), other))


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def edit(value: dict[str, Any]) -> None:
        *parents, last = path
        for key in parents:
            value = value[key]
        del value[last]

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        without("_type"),
        without("predicateType"),
        without("subject"),
        without("predicate"),
        without("predicate", "buildDefinition"),
        without("predicate", "buildDefinition", "buildType"),
        without("predicate", "buildDefinition", "resolvedDependencies"),
        without("predicate", "runDetails", "byproducts"),
        lambda value: value.update(subject="model.onnx"),
        lambda value: value.update(subject=["model.onnx", 7, None]),
        lambda value: value["subject"].append({"name": "model.onnx", "digest": {"sha256": "8" * 64}}),
        lambda value: value["subject"].append({"name": {}, "digest": []}),
        lambda value: value.update(_type="https://in-toto.io/Statement/v0.1"),
    ],
)
def test_a_statement_that_was_changed_is_not_of_it_any_more(edit: Callable[[dict[str, Any]], Any]) -> None:
    value = copy.deepcopy(statement())
    edit(value)
    assert contradictions(value, RELEASE)


@pytest.mark.parametrize("value", [None, [], "statement", 7, {}])
def test_what_is_no_statement_is_of_nothing(value: Any) -> None:
    assert contradictions(value, RELEASE)
    assert toolkit_of(value) == ""


def test_the_payload_is_canonical() -> None:
    envelope = provenance(
        DRAFT, image=IMAGE, repository="a/b", lock=LOCK, source="", builder=Builder(), toolkit="0.1.0"
    )
    assert envelope.payload == canonical_json(json.loads(envelope.payload))
    assert envelope.signatures == ()
