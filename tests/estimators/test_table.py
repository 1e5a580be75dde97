"""A part of the table with every run of the tests; `nox -s estimators -- --check` is the whole of it."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.estimators.cell import Bench, Cell
from tests.estimators.data import flights, from_file
from tests.estimators.estimators import ESTIMATORS
from tests.estimators.page import page, verdicts
from tests.estimators.preprocessing import PREPROCESSING

PAGE = Path(__file__).parents[2] / "docs" / "export-table.md"
SOME = [
    *("LogisticRegression", "CalibratedClassifierCV(HistGradientBoosting, isotonic)", "RandomForestClassifier"),
    *("XGBClassifier", "LGBMRegressor", "Ridge", "KNeighborsClassifier"),
]
BEFORE = ["StandardScaler", "Quantile-Transformer", "SimpleImputer (add_indicator)", "TargetEncoder"]


@functools.cache
def bench() -> Bench:
    return Bench(flights())


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("name", SOME)
def test_a_run_gives_what_the_page_says(name: str, before: str) -> None:
    title, kind = next((title, kinds[before]) for title, kinds in PREPROCESSING.items() if before in kinds)
    found = bench().cell(name, kind)
    said = verdicts(PAGE.read_text())[title, name, before]
    assert said == {"exact": "exact", "within": "within tolerance", "refused": "refused"}.get(found.verdict), found


def test_the_page_has_every_combination_and_none_is_wrong() -> None:
    said = verdicts(PAGE.read_text())
    whole = {(title, name, head) for title, kinds in PREPROCESSING.items() for head in kinds for name in ESTIMATORS}
    assert said.keys() == whole, "run `nox -s estimators`"
    assert set(said.values()) <= {"exact", "within tolerance", "refused"}
    assert len(ESTIMATORS) >= 25
    assert sum(map(len, PREPROCESSING.values())) >= 15


def test_what_a_page_says_is_read_back_from_it() -> None:
    cells = {
        (title, name, head): Cell(verdict="exact", difference=1e-9)
        for title, kinds in PREPROCESSING.items()
        for head in kinds
        for name in ESTIMATORS
    }
    key = next(iter(cells))
    cells[key] = Cell(verdict="refused", reason="it is not converted", instead="use another")
    made = page(cells, flights(), 10)
    assert verdicts(made)[key] == "refused"
    assert sum(word == "exact" for word in verdicts(made).values()) == len(cells) - 1
    assert "1. it is not converted. Use another.\n" in made


def test_other_data_are_taken_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=300),
            "kind": rng.choice(["a", "b", None], 300),
            "sold": rng.choice(["yes", "no"], 300),
            "day": pd.date_range("2026-01-01", periods=300),
        }
    )
    frame.loc[:9, "size"] = np.nan
    frame.to_parquet(tmp_path / "sales.parquet")
    rows = from_file(tmp_path / "sales.parquet", "sold")
    assert (rows.numbers, rows.texts) == (["size"], ["kind"])
    assert set(rows.targets["two classes"]) == {0, 1}
    cell = Bench(rows).cell(
        "DecisionTreeClassifier", PREPROCESSING["Texts; numbers as they are, or scaled"]["TargetEncoder"]
    )
    assert cell.verdict == "exact", cell
