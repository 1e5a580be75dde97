"""Validation sets and fairness of real small models, from the configuration to the verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_ci.config.types import FairnessConfig, SliceConfig, ValidationConfig, ValidationSetConfig
from tests.pipeline.judging import gate, judged, parts_of, released, verdict
from tests.pipeline.team import LOGISTIC, Team, make_team, people, schema

FAR = ValidationSetConfig(name="far", strategy="group", by="city", share=0.2, seed=3)
MIX = ValidationSetConfig(name="mix", strategy="stratified", by="late", share=0.15, seed=3)
RULE = ValidationConfig(name="far", metric="roc_auc", max_drop=0.05, min_rows=50)


def fair(**changes: Any) -> FairnessConfig:
    rule = FairnessConfig(by="colour", metric="equalized_odds_difference", min=None, max=0.9, min_rows=10)
    return replace(rule, **changes)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    made = make_team(tmp_path, people(2000))
    made.set(split__holdout=0.3, data__group=None, split__validation=(FAR, MIX))
    gate(made, validation=(RULE, replace(RULE, name="mix")))
    return made


def test_each_set_is_judged(team: Team) -> None:
    champion = released(team, team.train().candidate)
    team.set(train__params={"C": 0.5})
    candidate = team.train().candidate

    result = judged(team, candidate, champion)

    far, mix = result.value["validation"]
    assert (far["name"], far["strategy"], mix["name"], mix["strategy"]) == ("far", "group", "mix", "stratified")
    assert (far["ok"], mix["ok"], mix["rows"]) == (True, True, 300)
    assert far["champion"] == pytest.approx(far["challenger"], abs=0.01)
    assert 0 <= far["p_value"] <= 1
    assert not result.judgement.blocked
    assert candidate.rows["train"] + candidate.rows["holdout"] + far["rows"] + mix["rows"] == 2000


def test_a_set_on_which_the_challenger_is_worse_blocks(team: Team) -> None:
    """Cities that no training row is of: the challenger does not see the height there, and only there."""
    far = set(parts_of(team).validation["far"].frame["city"])
    frame = people(2000)
    frame["near"] = frame["height"].where(~frame["city"].isin(far))
    team.write_data(frame)
    champion = released(team, team.train().candidate)
    team.write("train.py", LOGISTIC.replace('["height", "age"]', '["near", "age"]'))

    result = judged(team, team.train().candidate, champion)

    assert verdict(result) == ("validation-regression", False)
    assert result.judgement.reasons[0].startswith("validation-regression: far: roc_auc goes from")
    assert [one["verdict"] for one in result.value["validation"]] == ["validation-regression", "ok"]


def test_a_set_that_is_too_small_blocks_by_its_own_name(team: Team) -> None:
    gate(team, validation=(RULE, replace(RULE, name="mix", min_rows=301)))
    result = judged(team, team.train().candidate)
    assert verdict(result) == ("validation-too-small", False)
    assert "mix: it has 300 rows, and 301 are asked for" in result.judgement.reasons[0]


def test_a_set_that_nobody_handed_over_is_missing(team: Team) -> None:
    result = judged(team, team.train().candidate, validation={})
    assert verdict(result) == ("metric-missing", False)
    assert "far: no answers of this set are known" in result.judgement.reasons[0]


def test_a_set_that_shares_rows_with_the_training_is_leakage(team: Team) -> None:
    candidate = team.train().candidate
    parts = parts_of(team)
    assert parts.training.ids is not None
    shared = replace(parts.validation["mix"], ids=parts.training.ids[:300])

    result = judged(team, candidate, validation={**parts.validation, "mix": shared})

    assert verdict(result) == ("leakage", False)
    assert "300 of the 300 rows of the validation set mix" in result.judgement.reasons[0]


def test_copied_rows_are_leakage_without_ids_too(team: Team) -> None:
    team.set(data__id=None, data__time=None, data__features=("height", "age", "colour"))
    candidate = team.train().candidate
    parts = parts_of(team)
    copied = replace(parts.training, columns=parts.holdout.columns, target=parts.holdout.target)

    result = judged(team, candidate, training=copied)

    assert verdict(result) == ("leakage", False)
    assert "600 of the 600 rows of the holdout" in result.judgement.reasons[0]


def test_other_validation_sets_are_no_new_holdout(team: Team) -> None:
    champion = released(team, team.train().candidate)
    first = judged(team, team.train().candidate, champion)
    team.set(split__validation=(FAR,))
    gate(team, validation=(RULE,))
    second = judged(team, team.train().candidate, champion)
    assert (first.value["lock"] == second.value["lock"], second.value["looks"]["used"]) == (False, 2)


def test_groups_that_are_treated_unlike_block(team: Team) -> None:
    """Red ones are late more often by far, and the model learns it: a column that need be no feature."""
    gate(team, fairness=(fair(by="city", max=0.5), fair(metric="demographic_parity_ratio", min=0.8, max=None)))

    result = judged(team, team.train().candidate)

    assert verdict(result) == ("fairness", False)
    city, colour = result.value["fairness"]
    assert (city["ok"], colour["verdict"], colour["min"], colour["max"]) == (True, "fairness", 0.8, None)
    assert colour["value"] < 0.8
    groups = {one["by"]: {group["value"]: group for group in one["groups"]} for one in result.value["fairness_groups"]}
    assert set(groups["city"]) == {"Rome", "Oslo", "Bern", "Graz", "Lyon"}
    assert sum(group["rows"] for group in groups["colour"].values()) == 600
    rates = [group["measures"]["selection_rate"] for group in groups["colour"].values()]
    assert min(rates) / max(rates) == pytest.approx(colour["value"])


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (lambda frame: "all", "all rows are of one group (all)"),
        (lambda frame: np.where(frame["id"] < 30, "few", "many"), "few has"),
    ],
)
def test_groups_that_cannot_be_told_apart_block_by_their_own_name(team: Team, column: Any, says: str) -> None:
    frame = people(2000)
    team.write_data(frame.assign(kind=column(frame)))
    team.set(data__features=("height", "age", "colour"))
    gate(team, fairness=(fair(by="kind", min_rows=30),))

    result = judged(team, team.train().candidate)

    assert verdict(result) == ("group-too-small", False)
    assert says in result.judgement.reasons[0]


def test_a_group_without_positive_rows_has_no_metric(team: Team) -> None:
    frame = people(2000)
    never = frame["id"] % 7 == 0
    team.write_data(frame.assign(kind=np.where(never, "never", "may"), late=frame["late"].where(~never, 0)))
    team.set(data__features=("height", "age", "colour"))
    gate(team, fairness=(fair(by="kind", metric="equal_opportunity_difference"),))

    result = judged(team, team.train().candidate)

    assert verdict(result) == ("metric-not-finite", False)
    assert (
        "kind: true_positive_rate is undefined in never: no row is of the positive class" in result.value["reasons"][0]
    )


def test_no_value_of_a_private_column_is_in_the_evaluation(team: Team) -> None:
    frame = people(2000)
    team.write_data(frame.assign(creed=np.where(frame["id"] % 3 == 0, "zoroastrian", "jedi")))
    team.set(
        data__features=("height", "age", "colour"),
        data__schema=schema({"creed": {"type": "text", "private": True}}),
    )
    strict = fair(by="creed", metric="accuracy_difference", max=0.0, min_rows=300)
    gate(team, fairness=(strict,), slices=(SliceConfig(by="creed", metric="roc_auc", max_drop=0.1, min_rows=300),))

    result = judged(team, team.train().candidate)

    assert verdict(result) == ("slice-too-small", False)
    text = json.dumps(result.value)
    assert "(private 1)" in text
    assert "zoroastrian" not in text
    assert "jedi" not in text
