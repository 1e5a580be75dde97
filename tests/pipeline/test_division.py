"""Training rows, holdout and validation sets: each row in exactly one, the same each time, each cut as declared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_ci.config.types import ValidationSetConfig
from mlops_ci.errors import ConfigurationError, DataGateError
from mlops_ci.pipeline.dataset import load_dataset, split_dataset
from mlops_ci.pipeline.division import Parts, divide
from mlops_ci.pipeline.locking import training_params
from tests.pipeline.team import Team, make_team, people


def one(name: str, strategy: Any, by: str | None = None, share: float = 0.1, seed: int = 7) -> ValidationSetConfig:
    return ValidationSetConfig(name=name, strategy=strategy, by=by, share=share, seed=seed)


def parts(team: Team, *sets: ValidationSetConfig) -> Parts:
    team.set(split__validation=sets)
    return divide(load_dataset(team.config, team.data, team.code), team.config)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path, people(1000))


def ids(found: Parts) -> Mapping[str, set[Any]]:
    sets = {"training": found.training, "holdout": found.holdout, **found.validation}
    return {name: set(rows.frame["id"]) for name, rows in sets.items()}


def test_every_row_is_in_exactly_one_part(team: Team) -> None:
    found = parts(
        team,
        one("far", "group", "city", 0.2), one("fresh", "time", "when"), one("mix", "stratified", "late", 0.05),
        one("any", "random", share=0.15),
    )  # fmt: skip
    by_part = ids(found)
    assert sum(map(len, by_part.values())) == 1000
    assert set().union(*by_part.values()) == set(range(1000))
    assert list(found.validation) == ["far", "fresh", "mix", "any"]
    assert [len(found.validation[name]) for name in ("fresh", "mix", "any")] == [100, 50, 150]
    assert len(found.holdout) == 200

    cities = set(found.validation["far"].frame["city"])
    assert not cities & (set(found.training.frame["city"]) | set(found.validation["fresh"].frame["city"]))
    rest = found.training.frame["when"]
    assert found.validation["fresh"].frame["when"].min() > rest.max()
    shares = found.validation["mix"].target.mean(), found.training.target.mean()
    assert abs(shares[0] - shares[1]) < 0.02


def test_the_same_each_time_and_another_seed_another_set(team: Team) -> None:
    first, again = (ids(parts(team, one("any", "random", seed=3))) for _ in range(2))
    assert first == again
    other = ids(parts(team, one("any", "random", seed=4)))
    assert other["any"] != first["any"]
    assert other["holdout"] == first["holdout"]


def test_a_set_leaves_the_holdout_as_it_was(team: Team) -> None:
    without = ids(parts(team))
    found = ids(parts(team, one("any", "random")))
    assert found["holdout"] == without["holdout"]
    assert found["training"] == without["training"] - found["any"]
    training, holdout = split_dataset(load_dataset(team.config, team.data, team.code), team.config)
    assert (len(training), len(holdout)) == (700, 200)


def test_a_set_by_a_column_that_is_no_feature(team: Team) -> None:
    team.write_data(people(1000).fillna({"colour": "none"}))
    team.set(data__features=("height", "age"))
    found = parts(team, one("far", "group", "colour", 0.3))
    assert len(found.validation["far"]) > 200
    assert not set(found.validation["far"].frame["colour"]) & set(found.training.frame["colour"])


def test_the_sets_are_part_of_the_lock(team: Team) -> None:
    before = training_params(team.config)
    team.set(split__validation=(one("any", "random"),))
    assert training_params(team.config) != before
    assert training_params(team.config)["split"]["validation"] == [
        {"name": "any", "strategy": "random", "by": None, "share": 0.1, "seed": 7}
    ]


@pytest.mark.parametrize(
    ("sets", "error", "where", "what"),
    [
        ([one("a", "group", "town")], DataGateError, "split.validation a", "no column town"),
        ([one("a", "random", share=0.5), one("b", "random", share=0.4)], ConfigurationError, "validation b", "300 are"),
        ([one("a", "group", "one", 0.1)], ConfigurationError, "split.validation a", "all rows are of one group"),
        ([one("a", "stratified", "id", 0.1)], ConfigurationError, "split.validation a", "single row"),
        ([one("a", "time", "colour", 0.1)], DataGateError, "time colour", "are missing"),
        ([one("a", "group", "colour", 0.1)], ConfigurationError, "split.validation a", "rows have no group"),
    ],
)
def test_what_cannot_be_cut_is_refused(
    team: Team, sets: list[ValidationSetConfig], error: type[Exception], where: str, what: str
) -> None:
    team.write_data(people(1000).assign(one="x"))
    with pytest.raises(error) as raised:
        parts(team, *sets)
    assert where in str(raised.value)
    assert what in str(raised.value)


def test_a_class_that_only_a_set_has_is_refused(team: Team) -> None:
    frame = people(1000)
    rare = np.where(frame.index >= 990, "rare", frame["late"].map({0: "no", 1: "yes"}))
    team.write_data(frame.assign(late=rare))
    team.set(task="multiclass-classification", split__strategy="random", split__holdout=0.01, split__seed=1)
    with pytest.raises(DataGateError, match="rare"):
        parts(team, one("fresh", "time", "when", 0.2))
