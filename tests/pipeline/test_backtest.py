"""Past verdicts under another policy: the same policy says the same, and what cannot be said again is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_ci.config.types import (
    FairnessConfig,
    GuardrailConfig,
    SliceConfig,
    ValidationConfig,
    ValidationSetConfig,
    WaiverConfig,
)
from mlops_ci.core.layout import blob_path
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.backtest import Replay, backtest, judge_again
from mlops_ci.pipeline.evaluate import Evaluation
from tests.pipeline.judging import judged, released
from tests.pipeline.team import LOGISTIC, Team, make_team, people

WEAK = LOGISTIC.replace('(numbers, ["height", "age"])', '(numbers, ["age"])')
SLICE = SliceConfig(by="city", metric="roc_auc", max_drop=0.1, min_rows=10)
FAIR = FairnessConfig(by="colour", metric="accuracy_difference", min=None, max=0.9, min_rows=10)
FRESH = ValidationConfig(name="fresh", metric="roc_auc", max_drop=0.1, min_rows=10)
LIMIT = GuardrailConfig(metric="log_loss", min=None, max=5.0)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Team, list[Evaluation]]:
    """A first model, a weak challenger of it, and the first again as a challenger of the weak one."""
    team = make_team(tmp_path_factory.mktemp("past"), people(1500))
    fresh = ValidationSetConfig(name="fresh", strategy="time", by="when", share=0.2, seed=0)
    team.set(split__holdout=0.3, data__group=None, split__validation=(fresh,))
    team.set(gate__slices=(SLICE,), gate__fairness=(FAIR,), gate__validation=(FRESH,), gate__guardrails=(LIMIT,))
    good = team.train().candidate
    team.write("train.py", WEAK)
    weak = team.train().candidate
    past = [judged(team, good), judged(team, weak, released(team, good)), judged(team, good, released(team, weak))]
    assert [one.judgement.verdict for one in past] == ["first", "validation-regression", "superior"]
    team.registry.claim_version("late", lock=good.lock, commit="c" * 40)
    return team, past


def replays(once: tuple[Team, list[Evaluation]], **changes: Any) -> list[Replay]:
    team, _ = once
    return backtest("late", replace(team.config.gate, **changes), team.registry)


def now(found: list[Replay]) -> list[tuple[str | None, bool | None]]:
    return [(one.verdict_now, one.ships_now) for one in found]


def test_the_same_policy_says_the_same_again(once: tuple[Team, list[Evaluation]]) -> None:
    team, past = once
    found = replays(once)

    assert now(found) == [(one.judgement.verdict, one.ships) for one in past]
    assert not any(one.changed or one.why for one in found)
    assert [one.evaluation for one in found] == [one.digest for one in past]
    assert [one.version for one in found] == [1, None, 1]
    for one in past:
        again = judge_again(one.value, team.config.gate, team.registry)
        assert again == one.judgement


@pytest.mark.parametrize(
    ("changes", "verdicts", "says"),
    [
        (
            {"guardrails": (replace(LIMIT, max=0.001),)},
            ["guardrail", "guardrail", "guardrail"],
            "guardrail: log_loss is",
        ),
        ({"guardrails": (replace(LIMIT, metric="latency_p99_ms", max=1.0),)}, ["guardrail"] * 3, "latency_p99_ms is"),
        ({"slices": (replace(SLICE, min_rows=10_000),)}, ["slice-too-small"] * 3, "it has"),
        ({"fairness": (replace(FAIR, max=0.0),)}, ["fairness"] * 3, "accuracy_difference is"),
        ({"fairness": (replace(FAIR, min_rows=10_000),)}, ["group-too-small"] * 3, "rows, and 10000 are asked for"),
        ({"validation": (replace(FRESH, min_rows=10_000),)}, ["validation-too-small"] * 3, "fresh: it has 300 rows"),
        ({"slices": (replace(SLICE, by="height"),)}, ["metric-missing"] * 3, "no slice of this column was evaluated"),
        ({"fairness": (replace(FAIR, by="age"),)}, ["metric-missing"] * 3, "age: accuracy_difference was not measured"),
        (
            {"validation": (replace(FRESH, name="far"),)},
            ["metric-missing"] * 3,
            "far: no answers of this set are known",
        ),
        ({"guardrails": (replace(LIMIT, metric="rmse"),)}, ["metric-missing"] * 3, "rmse was not measured"),
    ],
)
def test_another_policy_says_something_else(
    once: tuple[Team, list[Evaluation]], changes: Mapping[str, Any], verdicts: list[str], says: str
) -> None:
    found = replays(once, **changes)
    # The second one regresses as before, and that is a graver verdict than an unfair model only.
    expected = [
        "validation-regression" if place == 1 and verdict == "fairness" else verdict
        for place, verdict in enumerate(verdicts)
    ]
    assert [one.verdict_now for one in found] == expected
    assert all(says in one.why for one in found if one.changed)
    assert all(one.changed for one in found if one.verdict_then != one.verdict_now)


def test_a_metric_of_another_task_is_missing(once: tuple[Team, list[Evaluation]]) -> None:
    team, _ = once
    found = replays(once, primary=replace(team.config.gate.primary, metric="rmse"))
    assert [one.verdict_now for one in found] == ["metric-missing"] * 3
    assert "rmse of the challenger was not measured" in found[0].why


def test_a_policy_that_lets_pass_says_what_it_did_not_block(once: tuple[Team, list[Evaluation]]) -> None:
    found = replays(once, validation=(replace(FRESH, max_drop=1.0),), slices=(replace(SLICE, max_drop=1.0),))
    assert now(found) == [("first", True), ("inferior", False), ("superior", True)]
    assert found[1].why.startswith("not blocked by validation-regression: fresh: roc_auc goes from")
    assert "; inferior: roc_auc" in found[1].why


def test_what_ships_is_the_policys_business(once: tuple[Team, list[Evaluation]]) -> None:
    found = replays(once, ships=("superior",))
    assert now(found) == [("first", False), ("validation-regression", False), ("superior", True)]
    assert [one.why for one in found] == ["this policy does not let first ship", "", ""]
    assert [one.changed for one in found] == [True, False, False]


def test_waivers_are_those_of_the_day_of_the_verdict(once: tuple[Team, list[Evaluation]]) -> None:
    """The clock of the past says 21 November 2026."""
    waived = [
        WaiverConfig(verdict=verdict, reason="agreed", approver="ada", expires=date(2026, 11, 21))
        for verdict in ("validation-regression", "slice-regression")
    ]
    assert replays(once, waivers=tuple(waived))[1].verdict_now == "inferior"
    expired = tuple(replace(one, expires=date(2026, 11, 20)) for one in waived)
    assert replays(once, waivers=expired)[1].verdict_now == "validation-regression"


def test_looks_are_those_of_the_past(once: tuple[Team, list[Evaluation]]) -> None:
    found = replays(once, looks=1)
    assert [one.verdict_now for one in found] == ["first", "validation-regression", "holdout-exhausted"]
    assert "has judged 2 challengers of 1 allowed" in found[2].why


def test_to_judge_once_more_adds_nothing_and_a_new_verdict_is_added(tmp_path: Path) -> None:
    team = make_team(tmp_path, people(600))
    candidate = team.train().candidate
    for _ in range(2):
        judged(team, candidate)
    assert len(team.registry.evaluations("late")) == 1
    team.set(gate__guardrails=(replace(LIMIT, max=0.001),))
    assert judged(team, candidate).judgement.verdict == "guardrail"
    listed = team.registry.evaluations("late")
    assert [(one["verdict"], one["ships"]) for one in listed] == [("first", True), ("guardrail", False)]


def test_what_the_store_lost_is_named_and_the_rest_replayed(tmp_path: Path) -> None:
    team = make_team(tmp_path, people(600))
    candidate = team.train().candidate
    first = judged(team, candidate)
    team.set(gate__guardrails=(replace(LIMIT, max=0.001),))
    second = judged(team, candidate)
    store = tmp_path / "store"

    (store / blob_path(second.digest)).unlink()
    kept, lost = backtest("late", team.config.gate, team.registry)
    assert (kept.verdict_then, kept.verdict_now, kept.why[:19]) == ("first", "guardrail", "guardrail: log_loss")
    assert (lost.verdict_then, lost.verdict_now, lost.replayed, lost.changed) == ("guardrail", None, False, False)
    assert lost.why == "the store does not hold it any more"

    answers = store / blob_path(first.value["answers"])
    data = answers.read_bytes()
    answers.unlink()
    assert backtest("late", team.config.gate, team.registry)[0].why == "the store does not hold its answers any more"
    answers.write_bytes(data[:-1])
    with pytest.raises(IntegrityError):
        backtest("late", team.config.gate, team.registry)


def test_a_regression_is_replayed_too(tmp_path: Path) -> None:
    frame = people(600)
    team = make_team(tmp_path, frame.assign(late=frame["age"] * 1.0 + np.random.default_rng(1).normal(0, 9, 600)))
    team.write(
        "train.py", LOGISTIC.replace("LogisticRegression(**params)", "Ridge()").replace("LogisticRegression", "Ridge")
    )
    primary = replace(team.config.gate.primary, metric="rmse")
    team.set(task="regression", gate__primary=primary, data__group=None)
    candidate = team.train().candidate
    result = judged(team, candidate, released(team, candidate))
    (found,) = backtest("late", team.config.gate, team.registry)
    assert (found.verdict_now, found.changed) == (result.judgement.verdict, False)
    assert judge_again(result.value, team.config.gate, team.registry) == result.judgement
