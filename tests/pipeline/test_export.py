from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.digest import sha256
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import Probes
from mlops_ci.core.records import Candidate
from mlops_ci.core.signature import Signature
from mlops_ci.errors import ConfigurationError, IntegrityError, ParityError
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.dataset import Dataset, load_dataset, split_dataset
from mlops_ci.pipeline.export import AnswersDiffer, ExportResult, export, measure_parity, stored_probes
from mlops_ci.scoring.model import OnnxModel, OnnxRuntime
from tests.pipeline.team import Team, make_team, people, schema


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


def holdout_of(team: Team) -> Dataset:
    return split_dataset(load_dataset(team.config, team.data, team.code), team.config)[1]


def exported(team: Team, candidate: Candidate, **changes: Any) -> ExportResult:
    ports = {"registry": team.registry, "runtime": OnnxRuntime(), "holdout": holdout_of(team)}
    return export(candidate, team.config, **{**ports, **changes})


def probes_of(team: Team, candidate: Candidate) -> Probes:
    probes = stored_probes(candidate, team.registry)
    assert probes is not None
    return probes


def shifted(team: Team, candidate: Candidate, row: int, by: float) -> Candidate:
    """The candidate as if its native model had answered one holdout row otherwise."""
    answers = reference.decode(team.registry.get_blob(candidate.reference))
    assert answers.probabilities is not None
    assert answers.labels is not None
    probabilities, labels = answers.probabilities.copy(), answers.labels.copy()
    probabilities[row] += [-by, by]
    labels[row] = int(probabilities[row, 1] >= 0.5)
    other = Predictions(labels=labels, probabilities=probabilities)
    return replace(candidate, reference=team.registry.put_blob(reference.encode(other)))


def test_the_graph_is_handed_out_once_it_answers_as_the_native_model(team: Team) -> None:
    candidate = team.train().candidate
    result = exported(team, candidate)
    assert result.digest == candidate.onnx == sha256(result.graph)
    assert result.parity.ok
    assert result.parity.max_abs_diff < 1e-6
    value = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert value["digest"] == candidate.onnx
    assert value["parity"] == {
        **value["parity"], "rows": result.parity.rows, "flips": 0, "ok": True, "offenders": [], "columns": [],
    }  # fmt: skip
    kinds = {kind["kind"]: kind["rows"] for kind in value["parity"]["kinds"]}
    assert kinds["holdout"] == 60
    assert kinds.keys() == {"holdout", "missing", "unseen", "extreme", "empty"}
    assert sum(kinds.values()) + value["parity"]["refused"] == 60 + len(probes_of(team, candidate))


def test_a_graph_without_adversarial_rows_is_compared_on_the_holdout_alone(team: Team) -> None:
    result = exported(team, replace(team.train().candidate, probes=None))
    assert (result.parity.rows, [kind.kind for kind in result.parity.kinds]) == (60, ["holdout"])


def test_an_adversarial_row_that_differs_is_named_by_what_was_done_to_it(team: Team) -> None:
    candidate = team.train().candidate
    probes = probes_of(team, candidate)
    row = next(row for row, kind in enumerate(probes.kinds) if kind == "unseen")
    assert probes.answers.probabilities is not None
    probes.answers.probabilities[row] += [-0.001, 0.001]
    other = replace(candidate, probes=team.registry.put_json(probes.to_json()))
    with pytest.raises(AnswersDiffer) as raised:
        exported(team, other)
    assert "by kind of row: unseen 1 and 0; columns that matter: colour" in raised.value.what
    (problem,) = raised.value.problems
    assert problem.where == f"adversarial row {row} (unseen: colour)"
    assert problem.what.index("colour=") < problem.what.index("height=")
    assert (raised.value.parity.columns, raised.value.parity.over) == (("colour",), 1)
    team.set(data__schema=schema({"colour": {"type": "text", "private": True, "nullable": True}}))
    with pytest.raises(AnswersDiffer) as raised:
        exported(team, other)
    assert "colour=(private)" in str(raised.value)
    assert str(probes.columns["colour"][row]) not in str(raised.value)


def test_a_row_that_the_graph_fails_on_is_one_that_differs(team: Team) -> None:
    """And the rows beside it are compared all the same."""
    candidate = team.train().candidate

    class Fails(OnnxModel):
        def predict(self, columns: Mapping[str, Any]) -> Predictions:
            if (columns["colour"] == " ").any():
                raise ValueError("a runtime error about the value ' '")
            return super().predict(columns)

    class Runtime(OnnxRuntime):
        def load(self, onnx: bytes, signature: Signature) -> OnnxModel:
            model = super().load(onnx, signature)
            model.__class__ = Fails
            return model

    with pytest.raises(AnswersDiffer) as raised:
        exported(team, candidate, runtime=Runtime())
    found = raised.value.parity
    assert (found.over, found.columns) == (1, ("colour",))
    assert {kind.kind: kind.over for kind in found.kinds}["empty"] == 1


def test_a_row_that_differs_is_named_with_both_answers_and_its_values(team: Team) -> None:
    candidate = team.train().candidate
    with pytest.raises(ParityError) as raised:
        exported(team, shifted(team, candidate, 17, 0.001))
    error = raised.value
    assert error.exit_code == 12
    assert re.search(r"1 of \d+ rows differ too much \(by up to 0.001\), 0 labels are others", error.what)
    assert [problem.where for problem in error.problems] == ["holdout row 17"]
    row = holdout_of(team).columns
    assert f"age={float(row['age'][17])!r}" in error.problems[0].what


def test_a_label_that_flips_is_enough(team: Team) -> None:
    candidate = team.train().candidate
    answers = reference.decode(team.registry.get_blob(candidate.reference))
    assert answers.probabilities is not None
    row = int(np.abs(answers.probabilities[:, 1] - 0.5).argmin())
    other = shifted(team, candidate, row, 1.1 * (0.5 - float(answers.probabilities[row, 1])))
    team.set(parity__atol=1.0)
    with pytest.raises(ParityError, match="1 labels are others"):
        exported(team, other)
    team.set(parity__max_flips=1)
    assert exported(team, other).parity.flips == 1


def test_values_of_private_columns_are_not_shown(team: Team) -> None:
    candidate = team.train().candidate
    team.set(data__schema=schema({"colour": {"type": "text", "private": True, "nullable": True}}))
    with pytest.raises(ParityError) as raised:
        exported(team, shifted(team, candidate, 0, 0.2))
    told = str(raised.value)
    assert "colour=(private)" in told
    assert not {"red", "green", "blue"} & set(told.replace("'", " ").split())


def test_without_a_graph_the_refusal_is_the_answer(team: Team) -> None:
    candidate = replace(
        team.train().candidate, onnx=None, probes=None, refusal="Odd: has no converter\nfix: use another"
    )
    with pytest.raises(ParityError) as raised:
        exported(team, candidate)
    assert (raised.value.what, raised.value.fix) == ("Odd: has no converter", "use another")


def test_another_holdout_is_not_taken_for_the_candidate_s(team: Team) -> None:
    candidate = team.train().candidate
    team.write_data(people(300, seed=1))
    with pytest.raises(ConfigurationError, match="the holdout is not the one"):
        exported(team, candidate)


def test_a_reference_of_other_rows_is_no_parity(team: Team) -> None:
    candidate = team.train().candidate
    short = Predictions(labels=np.array([1]), probabilities=np.array([[0.2, 0.8]]))
    other = replace(candidate, reference=team.registry.put_blob(reference.encode(short)))
    with pytest.raises(ParityError, match="the native model answered 1 rows, and the holdout has 60"):
        exported(team, other)


def test_a_spoilt_graph_is_found(team: Team) -> None:
    candidate = team.train().candidate
    assert candidate.onnx is not None
    (blob,) = (path for path in team.stored if path.name == candidate.onnx)
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError):
        exported(team, candidate)


def test_bytes_that_are_no_graph_are_a_parity_failure(team: Team) -> None:
    candidate = team.train().candidate
    other = replace(candidate, onnx=team.registry.put_blob(b"no graph"))
    with pytest.raises(ParityError, match="cannot be loaded"):
        exported(team, other)


def test_parity_can_be_asked_without_writing(team: Team) -> None:
    candidate = shifted(team, team.train().candidate, 3, 0.01)
    measured = measure_parity(
        candidate, team.config, registry=team.registry, runtime=OnnxRuntime(), holdout=holdout_of(team)
    )
    parity = measured.parity
    assert sha256(measured.graph) == candidate.onnx
    assert (parity.ok, parity.over, parity.offenders[0].row) == (False, 1, 3)
