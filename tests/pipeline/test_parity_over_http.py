"""The real service over real HTTP: adversarial rows, doubles to the last bit, and wrong models behind the address."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.config.types import ParityConfig
from mlops_ci.core.digest import sha256
from mlops_ci.core.parity import compare
from mlops_ci.core.predictions import joined
from mlops_ci.core.probes import Probes
from mlops_ci.core.records import MODEL_FILE, Release
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import VerificationError
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.checks import Verification
from mlops_ci.pipeline.dataset import load_dataset, split_dataset
from mlops_ci.pipeline.export import stored_probes
from mlops_ci.pipeline.golden import GoldenRows, choose_golden
from mlops_ci.pipeline.verify import verify
from mlops_ci.scoring.model import OnnxRuntime
from tests.pipeline.team import make_team, people
from tests.scoring.serving import RELEASE, Served, served
from tests.scoring.tiny_models import TinyModel

LIMITS = ParityConfig(atol=1e-5, max_flips=0)
BOOSTING = """\
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def build_model(params):
    columns = make_column_transformer(
        (StandardScaler(), ["height", "age"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["colour"]),
    )
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=6, **params))
"""
LOGISTIC = """\
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def build_model(params):
    return make_pipeline(OneHotEncoder(), LogisticRegression())
"""


class NamedRelease(Release):
    """A release that goes by the id that the served process was given."""

    @property
    def id(self) -> str:  # type: ignore[override]
        return RELEASE


@dataclass(frozen=True, kw_only=True)
class Made:
    graph: bytes
    signature: Signature
    golden: GoldenRows
    probes: Probes

    def model(self, graph: bytes | None = None, signature: Signature | None = None) -> TinyModel:
        graph, signature = graph or self.graph, signature or self.signature
        return TinyModel(estimator=None, onnx=graph, signature=signature, frame=pd.DataFrame())


def make(folder: Path, source: str, frame: pd.DataFrame | None = None, **changes: Any) -> Made:
    """A team's model, trained as the command does."""
    folder.mkdir(exist_ok=True)
    team = make_team(folder, frame, source=source)
    team.set(train__params={}, **changes)
    candidate = team.train().candidate
    assert candidate.onnx is not None, candidate.refusal
    probes = stored_probes(candidate, team.registry)
    assert probes is not None
    holdout = split_dataset(load_dataset(team.config, team.data, team.code), team.config)[1]
    answers = reference.decode(team.registry.get_blob(candidate.reference))
    golden = replace(choose_golden(holdout.columns, answers), probes=probes)
    return Made(
        graph=team.registry.get_blob(candidate.onnx), signature=candidate.signature, golden=golden, probes=probes
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("boosting"), BOOSTING)


@pytest.fixture(scope="module")
def service(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(made.model(), tmp_path_factory.mktemp("service")) as running:
        yield running


def asked(url: str, made: Made, *, release: type[Release] = NamedRelease) -> Verification:
    files = {MODEL_FILE: sha256(made.graph)}
    record = release(model="delay", version=3, lock="l", commit="c", files=files, image=None, evidence={})
    with HttpScoringClient() as client:
        return verify(client, url, release=record, signature=made.signature, golden=made.golden, limits=LIMITS)


def test_the_service_answers_all_golden_rows_as_the_native_model_did(made: Made, service: Served) -> None:
    found = asked(service.url, made)
    assert found.ok, found.failed
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    (parity,) = [check["parity"] for check in value["checks"] if "parity" in check]
    kinds = {kind["kind"]: kind["rows"] for kind in parity["kinds"]}
    assert kinds.keys() == {"holdout", "threshold", "missing", "unseen", "extreme", "empty"}
    assert kinds["holdout"] == 60
    assert kinds["threshold"] > 50
    assert parity["rows"] == sum(kinds.values()) == 60 + len(made.probes)


def moved(graph: bytes, node: int, by: float) -> bytes:
    """The graph with one threshold of one tree moved by this part of its size."""
    model = onnx.load_model_from_string(graph)
    (trees,) = [found for found in model.graph.node if found.op_type.startswith("TreeEnsemble")]
    (splits,) = [attribute.t for attribute in trees.attribute if attribute.name == "nodes_splits"]
    values = numpy_helper.to_array(splits).copy()
    values[node] += by * max(abs(values[node]), 1e-3)
    splits.CopyFrom(numpy_helper.from_array(values, splits.name))
    data: bytes = model.SerializeToString()
    return data


def other_mapping(graph: bytes) -> bytes:
    """The graph in which two categories have changed places."""
    model = onnx.load_model_from_string(graph)
    changed = 0
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.STRING and b"red" in tensor.string_data:
            swapped = {b"red": b"blue", b"blue": b"red"}
            tensor.string_data[:] = [swapped.get(text, text) for text in tensor.string_data]
            changed += 1
    for node in model.graph.node:
        for attribute in node.attribute:
            if b"red" in attribute.strings:
                swapped = {b"red": b"blue", b"blue": b"red"}
                attribute.strings[:] = [swapped.get(text, text) for text in attribute.strings]
                changed += 1
    assert changed, "there is no mapping to change"
    data: bytes = model.SerializeToString()
    return data


WRONG: dict[str, Callable[[Made, Path], TinyModel]] = {
    "another version": lambda made, folder: made.model(make(folder, BOOSTING, split__seed=8).graph),
    "a threshold moved": lambda made, _: made.model(moved(made.graph, 3, 1e-12)),
    "labels swapped": lambda made, _: made.model(signature=replace(made.signature, classes=(1, 0))),
    "categories mixed up": lambda made, _: made.model(other_mapping(made.graph)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_model_behind_the_address_is_caught(made: Made, wrong: str, tmp_path: Path) -> None:
    """By its answers alone, whatever it says of itself."""
    with served(WRONG[wrong](made, tmp_path / "team"), tmp_path / "service") as running:
        found = asked(running.url, made)
    said_by_itself = "metadata" if wrong == "labels swapped" else "wrong-model"
    assert [check.name for check in found.failed] == [said_by_itself, "golden-rows"]
    with pytest.raises(VerificationError, match=r"golden-rows: .*rows differ too much") as caught:
        found.require()
    assert caught.value.exit_code == 13


def test_another_release_that_says_so_is_caught_by_that_name(made: Made, service: Served) -> None:
    assert [check.name for check in asked(service.url, made, release=Release).failed] == ["wrong-release"]


def test_whichever_threshold_of_a_number_is_moved_by_a_hair_is_noticed(tmp_path: Path) -> None:
    """The holdout alone notices few. No value is missing here: such have comparisons that decide no number."""
    whole = make(tmp_path, BOOSTING, frame=people().fillna({"height": 170.0}))
    splits = numpy_helper.to_array(_splits(whole.graph))
    # those of encoded categories, and one that is always true, decide no number either
    numbers = np.flatnonzero(~np.isin(splits, [0.0, 0.5]))
    columns = _columns(whole.golden.records)
    noticed = {"holdout": 0, "all": 0}
    for node in numbers:
        model = OnnxRuntime().load(moved(whole.graph, int(node), 1e-9), whole.signature)
        real, adversarial = model.predict(columns), model.predict(whole.probes.columns)
        native = joined([whole.golden.answers, whole.probes.answers])
        both = compare(native, joined([real, adversarial]), atol=1e-5, max_flips=0, probes=whole.probes)
        noticed["all"] += not both.ok
        noticed["holdout"] += not compare(whole.golden.answers, real, atol=1e-5, max_flips=0).ok
    assert len(numbers) >= 20
    assert noticed["all"] == len(numbers)
    assert noticed["holdout"] <= 0.5 * len(numbers)


def _splits(graph: bytes) -> Any:
    model = onnx.load_model_from_string(graph)
    return next(
        attribute.t for node in model.graph.node for attribute in node.attribute if attribute.name == "nodes_splits"
    )


def _columns(records: Any) -> Mapping[str, Any]:
    return {
        "height": np.array([math.nan if record["height"] is None else record["height"] for record in records]),
        "age": np.array([record["age"] for record in records]),
        "colour": np.array([record["colour"] or "" for record in records], dtype=object),
    }


def test_no_adversarial_row_makes_the_service_fail(made: Made, service: Served) -> None:
    with HttpScoringClient() as client:
        for row, record in enumerate(made.probes.records):
            answer = client.score(service.url, [record], made.signature)
            assert answer.error == "", (made.probes.kinds[row], made.probes.changes[row], answer.error)


def test_rows_that_the_native_model_refuses_are_refused_or_answered_and_never_a_failure(tmp_path: Path) -> None:
    """This model was not taught about unseen categories: natively, it raises."""
    strict = make(tmp_path, LOGISTIC, data__features=("colour", "city"))
    assert 0 < strict.probes.refused.sum() < len(strict.probes)
    assert {kind for kind, gone in zip(strict.probes.kinds, strict.probes.refused, strict=True) if gone} >= {"unseen"}
    with served(strict.model(), tmp_path / "service") as running, HttpScoringClient() as client:
        found = asked(running.url, strict)
        replies = [
            client.score(running.url, [record], strict.signature).error
            for record in strict.probes.take(strict.probes.refused).records
        ]
    assert found.ok, found.failed
    assert all(not reply or reply.startswith("status 422") for reply in replies)


IDENTITY = Signature(task="regression", inputs=(Column(name="x", kind="number"),))
DOUBLES = [-0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1e300, 1.7976931348623157e308, 2.0**53, 2.0**53 + 2]
DOUBLES += [0.1 + 0.2, 1 / 3, 1e22, 1e23, 123456789012345680.0, float(np.float32(0.1)), math.pi * 1e-200]


def identity() -> TinyModel:
    """A graph that answers what it is given."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["prediction"])], "identity",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, 1])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return TinyModel(estimator=None, onnx=model.SerializeToString(), signature=IDENTITY, frame=pd.DataFrame())


def test_doubles_go_there_and_back_to_the_last_bit(tmp_path: Path) -> None:
    values = [*DOUBLES, *np.random.default_rng(1).integers(0, 2**62, 500).view(np.float64).tolist()]
    values = [value for value in values if math.isfinite(value)]
    with served(identity(), tmp_path) as running, HttpScoringClient() as client:
        answer = client.score(running.url, [{"x": value} for value in values], IDENTITY)
        missing = client.score(running.url, [{"x": math.nan}], IDENTITY)
        infinite = client.score(running.url, [{"x": math.inf}], IDENTITY)
        surrogate = client.score(running.url, [{"x": "\ud800"}], IDENTITY)
        whole = client.score(running.url, [{"x": 2**53 + 1}], IDENTITY)
    assert answer.predictions is not None, answer.error
    assert [value.hex() for value in answer.predictions.scores[:, 0].tolist()] == [value.hex() for value in values]
    assert missing.error.startswith("status 422"), "null goes in as NaN, and JSON has no NaN to come out"
    assert "JSON cannot say the rows" in infinite.error
    assert "JSON cannot say the rows" in surrogate.error
    assert whole.error.startswith("status 422")


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    records = [{"x": "1"}, {"x": True, "y": 1}, {}, {"x": [1]}, {"x": {}}, {"y": 1.0}, {"x": 10**400}, {"x": "NaN"}]
    with served(identity(), tmp_path) as running:
        found = [running.post("/score", [record]).status for record in records]
    assert all(400 <= status < 500 for status in found), found
