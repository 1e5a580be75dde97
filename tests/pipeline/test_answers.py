"""The answers that are kept: what goes in comes out, without pickles, and without a value of a private column."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_ci.config.types import FairnessConfig, SliceConfig, ValidationSetConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.answers import Answers, JudgedRows, collect_answers
from mlops_ci.pipeline.answers_archive import DESCRIPTION, decode, encode
from mlops_ci.pipeline.contenders import Challenger
from mlops_ci.pipeline.dataset import load_dataset
from mlops_ci.pipeline.division import divide
from tests.pipeline.team import Team, make_team, people, schema

ROWS = 50


def answers_of(task: str) -> Answers:
    rng = np.random.default_rng(0)
    if task == "regression":
        signature = Signature(task="regression", inputs=())
        truth: Any = rng.normal(size=ROWS)
        old, new = Predictions(values=truth + 1e-9), Predictions(values=(truth * 2).astype(np.float32).astype(float))
    else:
        classes: Any = ("no", "perhaps", "yes") if task == "multiclass-classification" else (-1, 7)
        signature = Signature(task=task, inputs=(), classes=classes, threshold=0.3)  # type: ignore[arg-type]
        table = np.array(classes, dtype=object if isinstance(classes[0], str) else np.int64)
        truth = table[rng.integers(0, len(classes), ROWS)]
        old, new = (
            Predictions(
                labels=table[rng.integers(0, len(classes), ROWS)],
                probabilities=rng.dirichlet(np.ones(len(classes)), ROWS),
            )
            for _ in range(2)
        )
    holdout = JudgedRows(
        truth=truth, champion=old, challenger=new, units=rng.integers(0, 300, ROWS),
        columns={"carrier": np.array(["AA", "größer, €"])[rng.integers(0, 2, ROWS)], "no": np.array(["x"] * ROWS)},
    )  # fmt: skip
    late = JudgedRows(
        name="late", strategy="time", truth=truth[:9], champion=None, challenger=new.take(slice(9)), units=None
    )
    return Answers(signature=signature, holdout=holdout, validation=(late, replace(late, name="x", challenger=None)))


def same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, Predictions):
        return all(same(getattr(one, part), getattr(other, part)) for part in ("labels", "probabilities", "values"))
    return one.dtype.kind == other.dtype.kind and np.array_equal(one, other)


@pytest.mark.parametrize("task", ["binary-classification", "multiclass-classification", "regression"])
def test_what_goes_in_comes_out(task: str) -> None:
    before = answers_of(task)
    after = decode(encode(before))

    assert after.signature == before.signature
    for one, other in zip((before.holdout, *before.validation), (after.holdout, *after.validation), strict=True):
        assert (one.name, one.strategy, list(one.columns)) == (other.name, other.strategy, list(other.columns))
        assert all(same(getattr(one, part), getattr(other, part)) for part in ("truth", "champion", "challenger"))
        assert same(one.units, other.units)
        assert all(same(values, other.columns[name]) for name, values in one.columns.items())


def test_the_same_answers_are_the_same_bytes_and_hold_no_pickle() -> None:
    data = encode(answers_of("multiclass-classification"))
    assert data == encode(answers_of("multiclass-classification"))
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "uif" for name in archive.files)


def test_single_precision_takes_half_the_room_and_loses_nothing() -> None:
    rng = np.random.default_rng(0)
    fine = rng.normal(size=20_000)
    coarse = fine.astype(np.float32).astype(np.float64)
    sizes = []
    for values in (coarse, fine):
        rows = JudgedRows(truth=values, champion=None, challenger=Predictions(values=values), units=None)
        answers = Answers(signature=Signature(task="regression", inputs=()), holdout=rows, validation=())
        sizes.append(len(encode(answers)))
        assert same(decode(encode(answers)).holdout.truth, values)
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize("spoilt", [b"", b"no archive", encode(answers_of("regression"))[:-200]])
def test_spoilt_bytes_are_named(spoilt: bytes) -> None:
    with pytest.raises(IntegrityError, match="stored answers"):
        decode(spoilt)


def test_an_archive_of_something_else_is_named() -> None:
    data = io.BytesIO()
    np.savez(data, labels=np.arange(3))
    with pytest.raises(IntegrityError):
        decode(data.getvalue())


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path, people(600))


def collected(team: Team) -> Answers:
    found = divide(load_dataset(team.config, team.data, team.code), team.config)
    signature = Signature(task="binary-classification", inputs=(), classes=(0, 1))
    return collect_answers(
        team.config,
        signature,
        holdout=found.holdout,
        validation=found.validation,
        new=Challenger(answers=None),
        old=None,
    )


def judge_by(team: Team, *columns: str) -> None:
    slices = tuple(SliceConfig(by=by, metric="roc_auc", max_drop=0.1, min_rows=1) for by in columns[:1])
    fairness = tuple(
        FairnessConfig(by=by, metric="accuracy_difference", min=None, max=0.1, min_rows=1) for by in columns[1:]
    )
    team.set(gate__slices=slices, gate__fairness=fairness)


def test_the_columns_are_those_that_the_gate_goes_by(team: Team) -> None:
    judge_by(team, "city", "colour", "colour", "shoe size")
    columns = collected(team).holdout.columns
    assert list(columns) == ["city", "colour"]
    assert set(columns["colour"]) == {"red", "green", "blue", "(missing)"}


def test_no_value_of_a_private_column_is_kept(team: Team) -> None:
    judge_by(team, "city", "colour")
    team.set(data__schema=schema({"colour": {"type": "text", "private": True, "nullable": True}}))
    answers = collected(team)
    plain = pd.Series(answers.holdout.columns["colour"])
    assert plain.value_counts().index.tolist()[:2] == ["(private 1)", "(private 2)"]
    assert set(plain) == {"(private 1)", "(private 2)", "(private 3)", "(missing)"}
    with np.load(io.BytesIO(encode(answers)), allow_pickle=False) as archive:
        kept = archive[DESCRIPTION].tobytes()
    assert b"(private 1)" in kept
    assert not any(colour in kept for colour in (b"red", b"green", b"blue"))
    described = decode(encode(answers)).holdout.columns["colour"]
    assert same(described, answers.holdout.columns["colour"])


def test_units_are_groups_else_stretches_of_time_else_rows(team: Team) -> None:
    late = ValidationSetConfig(name="fresh", strategy="time", by="when", share=0.2, seed=0)
    team.set(split__validation=(late,))
    grouped = collected(team)
    assert grouped.holdout.units is not None
    assert len(np.unique(grouped.holdout.units)) == 5

    team.set(data__group=None)
    rows = collected(team)
    assert rows.holdout.units is None
    assert rows.validation[0].units is not None
    assert len(np.unique(rows.validation[0].units)) < len(rows.validation[0])

    team.set(split__strategy="time")
    assert collected(team).holdout.units is not None
