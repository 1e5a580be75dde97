from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from mlops_ci.core.signature import Task
from mlops_ci.pipeline.dataset import Dataset, build_dataset
from mlops_ci.pipeline.shared_rows import shared_rows
from tests.pipeline.team import make_config


def dataset(frame: pd.DataFrame, target: str, task: Task, **roles: str) -> Dataset:
    from dataclasses import replace

    config = make_config(Path())
    given = {"id": None, "time": None, "group": None} | roles
    return build_dataset(frame, replace(config, task=task, data=replace(config.data, target=target, **given)))


def halves(frame: pd.DataFrame, target: str, task: Task, seed: int = 0, **roles: str) -> tuple[Dataset, Dataset]:
    """Four fifths and a fifth, by chance."""
    whole = dataset(frame.reset_index(drop=True), target, task, **roles)
    order = np.random.default_rng(seed).permutation(len(whole))
    return whole.take(order[len(order) // 5 :]), whole.take(order[: len(order) // 5])


TOYS = {
    "iris": load_iris,
    "wine": load_wine,
    "cancer": load_breast_cancer,
    "digits": load_digits,
    "sugar": load_diabetes,
}


def toy(name: str) -> tuple[pd.DataFrame, Task]:
    frame = TOYS[name](as_frame=True).frame
    classes = frame["target"].nunique()
    many: Task = "binary-classification" if classes == 2 else "multiclass-classification"
    return frame, "regression" if name == "sugar" else many


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("seed", range(6))
def test_real_data_share_nothing_but_accidents(name: str, seed: int) -> None:
    frame, task = toy(name)
    shared = shared_rows(*halves(frame, "target", task, seed))
    assert shared.leaked == 0
    assert shared.rows <= 1


@pytest.mark.parametrize("name", ["cancer", "digits", "sugar"])
def test_two_percent_of_copied_rows_are_found(name: str) -> None:
    frame, task = toy(name)
    training, holdout = halves(frame, "target", task)
    copies = round(0.02 * len(holdout))
    joined = pd.concat([holdout.frame, training.frame.head(copies)])
    shared = shared_rows(training, dataset(joined, "target", task))
    assert (shared.leaked, shared.rows) == (copies, copies)
    assert np.flatnonzero(shared.chosen).tolist() == list(range(len(holdout), len(joined)))
    assert "equal a training row but for the id; chance would make about 0" in shared.text


def coarse(rows: int, seed: int = 0) -> pd.DataFrame:
    """A questionnaire: few answers each, so that many people answer alike."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"q{number}": rng.integers(1, 6, rows) for number in range(4)})
    return frame.assign(happy=(frame["q0"] + rng.normal(0, 1.5, rows) > 3).astype(int), id=np.arange(rows))


@pytest.mark.parametrize("seed", range(4))
def test_twins_of_coarse_data_are_accidents(seed: int) -> None:
    shared = shared_rows(*halves(coarse(2000, seed), "happy", "binary-classification", id="id"))
    assert shared.rows > 200
    assert shared.leaked == 0
    assert shared.expected > shared.rows / 2


def test_a_limit_takes_the_place_of_chance() -> None:
    training, holdout = halves(coarse(2000), "happy", "binary-classification", id="id")
    strict, loose = (shared_rows(training, holdout, limit=limit) for limit in (0.0, 1.0))
    assert (strict.leaked, loose.leaked) == (strict.rows, 0)
    assert "0.00% may" in strict.text


def test_a_table_that_was_appended_to_itself_is_found_by_its_contents() -> None:
    frame, task = toy("cancer")
    doubled = pd.concat([frame, frame])
    shared = shared_rows(*halves(doubled, "target", task))
    assert shared.leaked == shared.rows > 0.7 * shared.holdout


def test_ids_are_enough() -> None:
    frame = coarse(500).assign(noise=np.random.default_rng(1).normal(size=500))
    training, holdout = halves(frame, "happy", "binary-classification", id="id")
    again = pd.concat([holdout.frame, training.frame.head(3).assign(noise=0.0)])
    shared = shared_rows(training, dataset(again, "happy", "binary-classification", id="id"))
    assert (shared.ids, shared.rows, shared.leaked) == (3, 0, 3)
    assert shared.text == f"of {len(again)} rows, 3 have the id of a training row"


@pytest.mark.parametrize("column", ["moment", "group", "text", "number", "happy"])
def test_rows_that_differ_in_any_one_column_are_no_twins(column: str) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=400),
            "text": rng.choice(["a", "b", None], 400),
            "group": rng.choice(["x", "y"], 400),
            "moment": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 10**6, 400), unit="s"),
            "happy": rng.integers(0, 2, 400),
        }
    )
    roles = {"time": "moment", "group": "group"}
    training, holdout = halves(frame, "happy", "binary-classification", **roles)
    copied = training.frame.head(20)
    changed: dict[str, Any] = {
        "moment": copied["moment"] + pd.Timedelta("1s"),
        "group": "z",
        "text": "c",
        "number": copied["number"] + 1e-9,
        "happy": 1 - copied["happy"],
    }
    same, other = copied, copied.assign(**{column: changed[column]})
    found = [
        shared_rows(training, dataset(pd.concat([holdout.frame, rows]), "happy", "binary-classification", **roles)).rows
        for rows in (same, other)
    ]
    assert found == [20, 0]


def test_missing_values_are_equal_to_each_other() -> None:
    frame = pd.DataFrame({"x": [np.nan, 1.5, 2.5, 3.5] * 50, "t": [None, "a", "b", "c"] * 50})
    frame["y"] = [0, 1, 0, 1] * 50
    training, holdout = halves(frame, "y", "binary-classification")
    assert shared_rows(training, holdout).rows == len(holdout)
