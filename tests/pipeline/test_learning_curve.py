from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.dataset import Dataset, load_dataset, split_dataset
from mlops_ci.pipeline.estimator import build_estimator, fit_estimator, fitted_classes
from mlops_ci.pipeline.learning_curve import CurvePoint, learning_curve, some
from tests.pipeline.team import Team, make_team, people

WATCHING = """\
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

SEEN, ASKED = [], []


class Watching(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        SEEN.append((X["age"].tolist(), list(y)))
        self.model_ = LogisticRegression().fit(X[["age"]], y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X[["age"]])

    def predict_proba(self, X):
        ASKED.append(X["age"].tolist())
        return self.model_.predict_proba(X[["age"]])


def build_model(params):
    return Watching()
"""


def numbered(rows: int) -> pd.DataFrame:
    """People whose age names the row, in the order of time."""
    frame = people(rows)
    frame["age"] = np.arange(rows)
    return frame


def curve(team: Team) -> tuple[list[CurvePoint], list[str], Any, tuple[Dataset, Dataset]]:
    """The curve, the notes, the module of the team's code, and training rows and holdout."""
    config, code, console = team.config, team.code, team.console
    split = split_dataset(load_dataset(config, team.data, code), config)
    rows = split[0]
    with code.session(team.root):
        import train as module  # the team's own

        estimator = fit_estimator(build_estimator(config, code, console), rows, config, code, console)
        signature = Signature(task=config.task, inputs=rows.inputs, classes=fitted_classes(estimator, config.task))
        del module.SEEN[:]
        points, notes = learning_curve(estimator, rows, config, signature, user_code=code)
    return points, notes, module, split


def test_each_fit_has_half_the_rows_of_the_next_and_no_more_than_a_tenth_all_together(tmp_path: Path) -> None:
    team = make_team(tmp_path, people(60_000), WATCHING)
    points, notes, *_ = curve(team)

    sizes = [point.rows for point in points]
    assert sizes == [150, 300, 600, 1_200, 2_400]  # of 48,000
    assert sum(sizes) <= 4_800
    assert notes == []


def test_few_rows_are_all_used(tmp_path: Path) -> None:
    points, notes, *_ = curve(make_team(tmp_path, source=WATCHING))

    assert [point.rows for point in points] == [48, 96, 192]  # of 240, of which 48 validate
    assert notes == []


@pytest.mark.parametrize("strategy", ["random", "stratified", "group", "time"])
def test_what_is_fitted_validates_nothing_and_the_holdout_has_no_part(tmp_path: Path, strategy: str) -> None:
    team = make_team(tmp_path, numbered(400), WATCHING)
    team.set(split__strategy=strategy)
    points, _, module, (rows, holdout) = curve(team)

    ages = [set(seen) for seen, _ in module.SEEN]
    validated = set(module.ASKED[-1])
    assert len(points) >= 2
    assert all(each.isdisjoint(validated) for each in ages)
    assert set(holdout.columns["age"].tolist()).isdisjoint(set().union(validated, *ages))
    assert set(rows.columns["age"].tolist()) >= set().union(validated, *ages)


def test_of_a_split_by_time_the_latest_rows_are_fitted_and_later_ones_validate(tmp_path: Path) -> None:
    team = make_team(tmp_path, numbered(400), WATCHING)
    team.set(split__strategy="time")
    _, _, module, (rows, _) = curve(team)

    latest = int(rows.columns["age"].max())
    validated = sorted(module.ASKED[-1])
    assert validated == list(range(256, 320))
    assert latest == 319
    for seen, _ in module.SEEN:
        assert sorted(seen) == list(range(256 - len(seen), 256))


def test_of_a_split_by_group_groups_stay_whole(tmp_path: Path) -> None:
    frame = numbered(400)
    frame["city"] = [f"city {number % 40}" for number in range(400)]
    team = make_team(tmp_path, frame, WATCHING)
    team.set(split__strategy="group")
    _, _, module, (rows, _) = curve(team)

    city = dict(zip(rows.columns["age"].tolist(), rows.groups, strict=True))
    validated = {city[age] for age in module.ASKED[-1]}
    for seen, _ in module.SEEN:
        cities = {city[age] for age in seen}
        assert cities.isdisjoint(validated)
        assert len(seen) == 10 * len(cities)


def test_classes_keep_their_shares(tmp_path: Path) -> None:
    frame = numbered(1_000)
    frame["late"] = np.arange(1_000) % 10 == 0
    _, _, module, _ = curve(make_team(tmp_path, frame, WATCHING))

    for _, target in module.SEEN:
        assert np.mean(target) == pytest.approx(0.1, abs=0.02)


def test_the_same_each_time_whatever_the_global_generator_did(tmp_path: Path) -> None:
    source = WATCHING.replace("LogisticRegression()", "__import__('sklearn.ensemble').ensemble.ExtraTreesClassifier(5)")
    team = make_team(tmp_path, source=source)
    first = curve(team)[0]
    np.random.random(5)

    assert curve(team)[0] == first


def test_a_fit_without_all_classes_is_left_out_with_a_note(tmp_path: Path) -> None:
    frame = numbered(800)
    frame["late"] = (np.arange(800) < 450).astype(int)  # the latest rows of the pool are of one class
    frame.loc[::80, "late"] = 1
    team = make_team(tmp_path, frame, WATCHING)
    team.set(split__strategy="time")
    frame.loc[470:511, "late"] = 0
    team.write_data(frame)
    points, notes, *_ = curve(team)

    assert notes == ["the fit on 32 rows was left out: ValueError"]
    assert [point.rows for point in points] == [64, 128, 256, 512]


def test_a_class_that_is_missing_is_named_as_the_reason(tmp_path: Path) -> None:
    frame = numbered(800)
    frame["late"] = np.where(np.arange(800) % 2 == 0, "a", "b")
    frame.loc[:100, "late"] = "c"
    frame.loc[560:, "late"] = np.where(np.arange(240) % 3 == 0, "c", frame.loc[560:, "late"])
    team = make_team(tmp_path, frame, WATCHING)
    team.set(split__strategy="time", task="multiclass-classification")
    team.set(gate__primary=team.config.gate.primary.__class__(metric="accuracy", margin=0.0, alpha=0.05))
    points, notes, *_ = curve(team)

    assert notes == [
        f"the fit on {rows} rows was left out: not every class is among them" for rows in (256, 128, 64, 32)
    ]
    assert [point.rows for point in points] == [512]


def test_groups_that_are_too_large_for_small_parts_are_said_so(tmp_path: Path) -> None:
    frame = numbered(20_000)
    frame["city"] = np.arange(20_000) % 5
    team = make_team(tmp_path, frame, WATCHING)
    team.set(split__strategy="group")
    points, notes, *_ = curve(team)

    assert points == []
    assert notes == ["no part of 2000 rows can be taken: what leaves groups whole has 4000"]


def test_one_group_leaves_nothing_to_validate_with(tmp_path: Path) -> None:
    frame = numbered(400)
    frame["city"] = np.arange(400) % 2
    team = make_team(tmp_path, frame, WATCHING)
    team.set(split__strategy="group")
    points, notes, *_ = curve(team)

    assert points == []
    assert notes == [
        "no rows can be set aside to validate the learning curve: "
        "all rows are of one group, so no group can be held out whole"
    ]


def test_some_rows_are_evenly_spread() -> None:
    assert some(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert some(np.arange(3), 4).tolist() == [0, 1, 2]
