from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.digest import sha256
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Candidate
from mlops_ci.errors import ConfigurationError, IntegrityError, OutsideError, ParityError
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.dataset import Dataset, load_dataset, split_dataset
from mlops_ci.pipeline.export import ExportResult, export, measure_parity
from mlops_ci.scoring.model import OnnxRuntime
from tests.pipeline.team import LOGISTIC, Team, make_team, people, schema


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


def holdout_of(team: Team) -> Dataset:
    return split_dataset(load_dataset(team.config, team.data, team.code), team.config)[1]


def exported(team: Team, candidate: Candidate, **changes: Any) -> ExportResult:
    ports = {"registry": team.registry, "runtime": OnnxRuntime(), "holdout": holdout_of(team)}
    return export(candidate, team.config, **{**ports, **changes})


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


def test_the_graph_is_written_whole_and_named_by_its_digest(team: Team, tmp_path: Path) -> None:
    candidate = team.train().candidate
    path = tmp_path / "out" / "model.onnx"
    result = exported(team, candidate, path=path)
    assert result.parity.ok
    assert result.parity.rows == 60
    assert result.parity.max_abs_diff < 1e-6
    assert result.digest == candidate.onnx == sha256(path.read_bytes())
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    value = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert value["onnx"] == str(path)
    assert value["parity"] == {**value["parity"], "rows": 60, "flips": 0, "ok": True, "offenders": []}


def test_a_row_that_differs_is_named_with_both_answers_and_its_values(team: Team, tmp_path: Path) -> None:
    candidate = team.train().candidate
    with pytest.raises(ParityError) as raised:
        exported(team, shifted(team, candidate, 17, 0.001), path=tmp_path / "model.onnx")
    error = raised.value
    assert error.exit_code == 12
    assert "1 of 60 rows differ too much (by up to 0.001), 0 labels are others" in error.what
    assert [problem.where for problem in error.problems] == ["holdout row 17"]
    row = holdout_of(team).columns
    assert f"age={float(row['age'][17])!r}" in error.problems[0].what
    assert not (tmp_path / "model.onnx").exists()


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
    team.write("train.py", LOGISTIC.replace("SimpleImputer()", "SimpleImputer(add_indicator=True)"))
    candidate = team.train().candidate
    with pytest.raises(ParityError) as raised:
        exported(team, candidate)
    assert "SimpleImputer: add_indicator is not converted" in raised.value.what
    assert "data.prepare" in raised.value.fix


def test_another_holdout_is_not_taken_for_the_candidate_s(team: Team) -> None:
    candidate = team.train().candidate
    team.write_data(people(300, seed=1))
    with pytest.raises(ConfigurationError, match="the holdout is not the one"):
        exported(team, candidate)


def test_a_reference_of_other_rows_is_no_parity(team: Team) -> None:
    candidate = team.train().candidate
    short = Predictions(labels=np.array([1]), probabilities=np.array([[0.2, 0.8]]))
    other = replace(candidate, reference=team.registry.put_blob(reference.encode(short)))
    with pytest.raises(ParityError, match="the native model answers 1 rows of 2, the graph 60 rows of 2"):
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


def test_a_place_that_cannot_be_written_leaves_nothing(team: Team, tmp_path: Path) -> None:
    candidate = team.train().candidate
    folder = tmp_path / "model.onnx"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OutsideError, match="cannot write"):
        exported(team, candidate, path=folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.onnx", "store"]
