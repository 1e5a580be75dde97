from __future__ import annotations

import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import mlops_ci
from mlops_ci.adapters.installed import InstalledPackages
from mlops_ci.core.lock import Lock, differences
from mlops_ci.errors import ConfigurationError, DataGateError
from mlops_ci.pipeline.locking import compute_lock, require_unchanged
from tests.pipeline.searching import declared
from tests.pipeline.team import LOGISTIC, Team, make_team, people, schema


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


def lock(team: Team) -> Lock:
    return compute_lock(team.config, team.data, team.code, InstalledPackages())


def test_the_lock_names_everything_that_training_reads(team: Team) -> None:
    made = lock(team)
    assert list(made.code) == ["train.py"]
    assert list(made.data) == ["data.csv"]
    assert made.params["train"] == {
        "entrypoint": "train:build_model",
        "params": {"C": 1.0},
        "search": None,
        "seed": 3,
        "threads": 1,
        "diagnostics": asdict(team.config.train.diagnostics),
    }
    assert made.params["data"]["target"] == "late"
    assert made.params["split"] == {"strategy": "random", "holdout": 0.2, "seed": 7, "validation": []}
    assert made.environment["python"] == platform.python_version()
    assert made.toolkit == mlops_ci.__version__
    assert Lock.from_json(made.to_json()) == made


def test_the_folder_s_place_is_no_part_of_it(team: Team, tmp_path: Path) -> None:
    before = lock(team)
    moved = team.root.rename(tmp_path / "elsewhere")
    team.set(root=moved, path=moved / "mlops.yaml")
    assert lock(team).digest == before.digest


SEARCHED = [
    "params train.search.candidates absent -> 5",
    "params train.search.cv.folds absent -> 3",
    "params train.search.cv.strategy absent -> stratified",
    "params train.search.factor absent -> 3",
    "params train.search.method absent -> random",
    "params train.search.metric absent -> roc_auc",
    "params train.search.space.C.integer absent -> False",
    "params train.search.space.C.log absent -> True",
    "params train.search.space.C.max absent -> 100.0",
    "params train.search.space.C.min absent -> 0.001",
]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda team: team.write("train.py", LOGISTIC + "\n"), ["code train.py changed"]),
        (lambda team: team.write("more.py", ""), ["code more.py added"]),
        (lambda team: team.write_data(people(10)), ["data data.csv changed"]),
        (lambda team: team.set(train__params={"C": 2.0}), ["params train.params.C 1.0 -> 2.0"]),
        (lambda team: team.set(train__seed=4), ["params train.seed 3 -> 4"]),
        (lambda team: team.set(train__threads=2), ["params train.threads 1 -> 2"]),
        (lambda team: team.set(train__search=declared()), SEARCHED),
        (lambda team: team.set(data__prepare="a:b"), ["params data.prepare None -> a:b"]),
        (lambda team: team.set(split__holdout=0.3), ["params split.holdout 0.2 -> 0.3"]),
    ],
)
def test_each_input_makes_another_lock_and_is_named(team: Team, change: Any, said: list[str]) -> None:
    before = lock(team)
    change(team)
    after = lock(team)
    assert after.digest != before.digest
    assert differences(before, after) == said


def test_what_judges_is_no_part_of_it(team: Team) -> None:
    before = lock(team)
    team.set(
        gate__looks=1,
        parity__atol=1.0,
        train__engine="tcp://host:8786",
        data__schema=schema({"age": {"type": "integer"}}),
        gate__primary=replace(team.config.gate.primary, metric="log_loss"),
    )
    team.write("mlops.yaml", "model: late\n")
    team.write("data.schema.yaml", "schema: 1\n")
    assert lock(team).digest == before.digest


def test_a_change_while_training_is_named(team: Team) -> None:
    before = lock(team)
    require_unchanged(before, team.config, team.data, team.code)
    team.write_data(people(299))
    team.write("helper.py", "")
    with pytest.raises(ConfigurationError) as raised:
        require_unchanged(before, team.config, team.data, team.code)
    assert [problem.what for problem in raised.value.problems] == ["code helper.py added", "data data.csv changed"]


def test_without_data_there_is_no_lock(team: Team) -> None:
    (team.root / "data.csv").unlink()
    with pytest.raises(DataGateError, match="there is no such file"):
        lock(team)
