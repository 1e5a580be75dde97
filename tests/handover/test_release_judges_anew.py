"""A candidate of a hostile job can be of the right shape and a lie all the same: `release` believes none of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.predictions import Predictions
from mlops_ci.pipeline import reference
from tests.handover.handing import Handed


def coin() -> bytes:
    """A graph that answers one half to everything."""
    kinds = {"height": TensorProto.DOUBLE, "age": TensorProto.DOUBLE, "colour": TensorProto.STRING}
    half = helper.make_tensor("half", TensorProto.DOUBLE, [1], [0.5])
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("Shape", ["age"], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "two"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["probabilities"], value=half),
        helper.make_node("ConstantOfShape", ["rows"], ["label"], value=one),
    ]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, 2]),
    ]
    two = helper.make_tensor("two", TensorProto.INT64, [1], [2])
    inputs = [helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in kinds.items()]
    graph = helper.make_graph(nodes, "coin", inputs, outputs, initializer=[two])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(made.SerializeToString())


def answers_of_the_coin(rows: int) -> bytes:
    return reference.encode(
        Predictions(labels=np.ones(rows, dtype=np.int64), probabilities=np.full((rows, 2), 0.5)),
    )


@pytest.fixture
def lying(handed: Handed) -> Handed:
    """A worthless model with splendid numbers, whose answers are its own, beside the worst of all dummy models."""
    metrics = {"log_loss": 0.01, "roc_auc": 0.999, "baseline.prior.0": 1e-9, "baseline.prior.1": 1e-9}
    rows = handed.candidate["rows"]["holdout"]
    handed.change(
        onnx=handed.put(coin()),
        reference=handed.put(answers_of_the_coin(rows)),
        probes=None,
        metrics={**handed.candidate["metrics"], **metrics},
    )
    handed.team.edit("mlops.yaml", "metric: roc_auc", "metric: log_loss")  # no part of the lock
    handed.team.git("commit", "-qam", "a loss")
    handed.change(commit=handed.team.git("rev-parse", "HEAD"))
    assert handed.admit().value["admitted"], "it is of the right shape, so it is admitted"
    return handed


def test_numbers_that_are_made_up_ship_nothing(lying: Handed) -> None:
    answer = lying.team.run("release")
    assert (answer.code, answer.value["verdict"]) == (11, "worse-than-baseline"), answer.said
    assert answer.value["release"] is None
    assert not any(path.startswith(("releases/", "versions/", "events/")) for path in lying.stored())


def test_classes_that_are_called_by_each_others_names_are_found(handed: Handed) -> None:
    """Else the champion would look as bad as the challenger good."""
    said, answers = handed.candidate["signature"], reference.decode(handed.blob(handed.candidate["reference"]))
    assert answers.labels is not None
    swapped = Predictions(labels=1 - answers.labels, probabilities=answers.probabilities)
    handed.change(
        signature={**said, "classes": said["classes"][::-1]},
        reference=handed.put(reference.encode(swapped)),
        probes=None,
    )
    assert handed.admit().value["admitted"]
    answer = handed.team.run("release")
    assert answer.code == 16
    assert "another signature than its data" in answer.error["what"]


def profile_of(handed: Handed, release: dict[str, Any]) -> Any:
    store = handed.team.store
    digest = json.loads((store / "releases" / f"{release['release']}.json").read_bytes())["evidence"]["profile"]
    return json.loads((store / "blobs" / "sha256" / digest[:2] / digest).read_bytes())


def test_the_profile_that_later_data_are_compared_with_is_made_at_release(handed: Handed) -> None:
    """One that is made up would raise alarms for nothing, or keep silent."""
    honest = handed.json("profile")
    made_up = {**honest, "rows": 7}
    handed.change(profile=handed.put(canonical_json(made_up)))
    assert handed.admit().value["admitted"]
    try:
        released = handed.team.run("release")
        assert released.code == 0, released.said
        assert profile_of(handed, released.value) == honest
        assert sha256(canonical_json(made_up)) not in json.dumps(released.value)
    finally:
        handed.team.stop_services()
