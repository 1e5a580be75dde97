"""Every verdict that the evaluation of real small models can end in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_ci.config.types import GuardrailConfig, SliceConfig, WaiverConfig
from mlops_ci.core.digest import digest_of
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE
from mlops_ci.core.signature import Signature
from mlops_ci.errors import IntegrityError, OutsideError
from mlops_ci.pipeline.contenders import LATENCY_PASSES, LATENCY_ROWS
from mlops_ci.pipeline.dataset import load_dataset, split_dataset
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import LoadedModel
from mlops_ci.scoring.model import OnnxRuntime
from tests.pipeline.judging import gate, judged, released, verdict
from tests.pipeline.team import LOGISTIC, Team, make_team, people

WEAK = LOGISTIC.replace('(numbers, ["height", "age"])', '(numbers, ["age"])')
"""Knows nothing of the height, which decides nearly everything."""
HAND_MADE = """\
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def build_model(params):
    columns = make_column_transformer(("passthrough", ["age"]), remainder="drop")
    return make_pipeline(columns, LogisticRegression(C=1e-9))
"""


@pytest.fixture
def team(tmp_path: Path) -> Team:
    made = make_team(tmp_path, people(1200))
    made.set(split__holdout=0.4, data__group=None)
    return made


def test_without_a_champion_it_is_the_first(team: Team) -> None:
    result = judged(team, team.train().candidate)

    assert verdict(result) == ("first", True)
    assert result.value["champion_release"] is None
    assert result.value["looks"] == {"used": 0, "allowed": 20}
    assert result.value["metrics"]["roc_auc"]["challenger"] > 0.85
    assert result.value["metrics"]["roc_auc"]["champion"] is None


def test_the_evidence_is_kept_and_is_json(team: Team) -> None:
    result = judged(team, team.train().candidate)

    assert team.registry.get_json(result.digest) == result.value == json.loads(json.dumps(result.value))
    assert digest_of(result.value) == result.digest


def test_better_and_worse_are_told_apart(team: Team) -> None:
    good = team.train().candidate
    team.write("train.py", WEAK)
    weak = team.train().candidate

    better = judged(team, good, released(team, weak))
    assert verdict(better) == ("superior", True)
    assert better.value["primary"]["lower"] > 0
    assert any(change.startswith("code train.py changed") for change in better.value["changes"])
    worse = judged(team, weak, released(team, good))
    assert verdict(worse) == ("inferior", False)
    assert not worse.judgement.blocked
    assert worse.value["primary"]["difference"] == pytest.approx(-better.value["primary"]["difference"])


def test_the_same_challenger_is_always_judged_alike(team: Team) -> None:
    gate(team, primary=replace(team.config.gate.primary, metric="log_loss"))
    good = team.train().candidate
    team.write("train.py", WEAK)
    weak = team.train().candidate

    first, second = (judged(team, good, released(team, weak)).value for _ in range(2))

    assert first["primary"] == second["primary"]
    assert first["looks"]["used"] == second["looks"]["used"] == 1


def test_too_few_independent_groups_are_said_to_be_too_few(team: Team) -> None:
    champion = released(team, team.train().candidate)
    team.set(data__group="city")

    result = judged(team, team.train().candidate, champion)

    assert verdict(result) == ("metric-not-finite", False)
    assert "5 independent units" in result.judgement.reasons[0]


def test_a_champion_whose_graph_is_none_blocks(team: Team) -> None:
    candidate = team.train().candidate
    champion = released(team, candidate)
    broken = replace(champion, files={**champion.files, MODEL_FILE: team.registry.put_blob(b"no graph")})

    result = judged(team, candidate, broken)

    assert verdict(result) == ("champion-unloadable", False)
    assert result.value["primary"]["champion"] is None


@pytest.mark.parametrize("name", [MODEL_FILE, SIGNATURE_FILE])
@pytest.mark.parametrize("how", ["not named", "not there"])
def test_a_champion_whose_files_are_gone_blocks(team: Team, name: str, how: str) -> None:
    candidate = team.train().candidate
    champion = released(team, candidate)
    files = {key: value for key, value in champion.files.items() if key != name}
    lost = replace(champion, files=files if how == "not named" else {**files, name: "0" * 64})

    assert verdict(judged(team, candidate, lost)) == ("champion-unloadable", False)


def test_a_column_that_the_champion_reads_and_the_data_lost(team: Team) -> None:
    champion = released(team, team.train().candidate)
    team.write("train.py", LOGISTIC.replace(', (OneHotEncoder(handle_unknown="ignore"), ["colour"])', ""))
    team.write_data(people(1200).drop(columns="colour"))

    result = judged(team, team.train().candidate, champion)

    assert verdict(result) == ("schema-changed", False)
    assert "column colour" in result.judgement.reasons[0]


def test_a_column_that_is_of_another_kind_now(team: Team) -> None:
    champion = released(team, team.train().candidate)
    frame = people(1200)
    frame["age"] = "about " + frame["age"].astype(str)
    team.write_data(frame)
    team.write("train.py", LOGISTIC.replace('["height", "age"]', '["height"]'))

    result = judged(team, team.train().candidate, champion)

    assert verdict(result) == ("schema-changed", False)
    assert "age" in result.judgement.reasons[0]


def test_other_classes_and_another_task_are_a_changed_schema(team: Team) -> None:
    champion = released(team, team.train().candidate)
    frame = people(1200)
    team.write_data(frame.assign(late=frame["late"].map({0: "no", 1: "yes"})))
    renamed = judged(team, team.train().candidate, champion)
    assert verdict(renamed) == ("schema-changed", False)
    assert "knows the classes [0, 1]" in renamed.judgement.reasons[0]

    team.write_data(frame)
    ridge = LOGISTIC.replace("LogisticRegression(**params)", "Ridge()").replace("LogisticRegression", "Ridge")
    team.write("train.py", ridge)
    team.set(task="regression")
    gate(team, primary=replace(team.config.gate.primary, metric="rmse"))
    regression = team.train().candidate
    other = judged(team, regression, champion)
    assert verdict(other) == ("schema-changed", False)
    assert "task is binary-classification" in other.judgement.reasons[0]

    team.write("train.py", LOGISTIC)
    team.set(task="binary-classification")
    gate(team, primary=replace(team.config.gate.primary, metric="roc_auc"))
    back = judged(team, team.train().candidate, released(team, regression))
    assert verdict(back) == ("schema-changed", False)
    assert "task is regression" in back.judgement.reasons[0]


def test_new_columns_are_no_reason_to_block(team: Team) -> None:
    champion = released(team, team.train().candidate)
    team.write_data(people(1200).assign(shoe=np.arange(1200) % 7))

    result = judged(team, team.train().candidate, champion)

    assert not result.judgement.blocked
    assert result.value["metrics"]["roc_auc"]["champion"] is not None


def test_a_model_without_a_graph_is_parity(team: Team) -> None:
    champion = released(team, team.train().candidate)
    own = "from sklearn.preprocessing import FunctionTransformer\n\n\ndef same(x):\n    return x\n\n\n"
    team.write("train.py", own + LOGISTIC.replace("SimpleImputer()", "SimpleImputer(), FunctionTransformer(same)"))

    result = judged(team, team.train().candidate, champion)

    assert verdict(result) == ("parity", False)
    assert "FunctionTransformer" in result.judgement.reasons[0]
    # Nothing was measured, and that is said too: never a pass by what is not known.
    assert any(reason.startswith("metric-missing") for reason in result.judgement.reasons)


def test_a_graph_that_answers_otherwise_is_parity(team: Team) -> None:
    from mlops_ci.pipeline import reference

    candidate = team.train().candidate
    answers = reference.decode(team.registry.get_blob(candidate.reference))
    assert answers.probabilities is not None
    moved = Predictions(labels=answers.labels, probabilities=answers.probabilities + np.array([0.001, -0.001]))
    other = replace(candidate, reference=team.registry.put_blob(reference.encode(moved)))

    result = judged(team, other)

    assert verdict(result) == ("parity", False)
    assert "holdout 480" in result.judgement.reasons[0]
    assert result.value["parity"]["ok"] is False


def test_a_guardrail_that_nobody_measured(team: Team) -> None:
    gate(team, guardrails=(GuardrailConfig(metric="rmse", min=None, max=1.0),))

    result = judged(team, team.train().candidate)

    assert verdict(result) == ("metric-missing", False)
    assert "rmse was not measured" in result.judgement.reasons[0]


@pytest.mark.parametrize(
    ("metric", "limit"),
    [("log_loss", 0.0001), ("latency_p99_ms", 500.0), ("model_mb", 0.000001), ("calibration_error", 0.0)],
)
def test_a_guardrail_that_is_broken(team: Team, metric: str, limit: float) -> None:
    """On this clock every look takes a second, so that a single row takes at least one."""
    gate(team, guardrails=(GuardrailConfig(metric=metric, min=None, max=limit),))
    candidate = team.train().candidate

    result = judged(team, candidate)
    assert verdict(result) == ("guardrail", False)
    assert result.value["measures"][metric] > limit
    assert f"{metric} is " in result.judgement.reasons[0]

    gate(team, guardrails=(GuardrailConfig(metric=metric, min=None, max=1e6),))
    assert verdict(judged(team, candidate)) == ("first", True)


def test_latency_is_that_of_single_rows(team: Team) -> None:
    asked: list[int] = []

    class Counting:
        def load(self, onnx: bytes, signature: Signature) -> LoadedModel:
            model = OnnxRuntime().load(onnx, signature)

            class Model:
                def predict(self, columns: Mapping[str, Any]) -> Predictions:
                    asked.append(len(next(iter(columns.values()))))
                    return model.predict(columns)

            return Model()

    judged(team, team.train().candidate, runtime=Counting())

    assert asked.count(1) == LATENCY_PASSES * LATENCY_ROWS


def test_a_slice_that_is_too_small_to_tell(team: Team) -> None:
    champion = released(team, team.train().candidate)
    gate(team, slices=(SliceConfig(by="city", metric="roc_auc", max_drop=0.05, min_rows=400),))

    result = judged(team, team.train().candidate, champion)

    assert verdict(result) == ("slice-too-small", False)
    assert {one["by"] for one in result.value["slices"]} == {"city"}


def test_a_slice_that_pays_for_the_others(team: Team) -> None:
    """The challenger is blind in Oslo, and only there."""
    frame = people(3000)
    frame["near"] = frame["height"].where(frame["city"] != "Oslo")
    team.write_data(frame)
    champion = released(team, team.train().candidate)
    team.write("train.py", LOGISTIC.replace('["height", "age"]', '["near", "age"]'))
    gate(team, slices=(SliceConfig(by="city", metric="roc_auc", max_drop=0.05, min_rows=50),))

    result = judged(team, team.train().candidate, champion)

    assert verdict(result) == ("slice-regression", False)
    bad = {one["value"] for one in result.value["slices"] if one["verdict"] == "slice-regression"}
    assert bad == {"Oslo"}


def test_a_model_that_knows_nothing_is_worse_than_a_dummy(team: Team) -> None:
    frame = people(1200)
    frame["age"] = np.random.default_rng(5).integers(18, 80, len(frame))
    team.write_data(frame)
    team.write("train.py", HAND_MADE)
    gate(team, primary=replace(team.config.gate.primary, metric="accuracy"))

    result = judged(team, team.train().candidate)

    assert verdict(result) == ("worse-than-baseline", False)


def test_a_holdout_that_has_judged_enough(team: Team) -> None:
    champion = released(team, team.train().candidate)
    gate(team, looks=2)
    verdicts = []
    for strength in (0.5, 0.4, 0.3):
        team.set(train__params={"C": strength})
        candidate = team.train().candidate
        verdicts.append(judged(team, candidate, champion).judgement.verdict)
    assert verdicts[:2].count("holdout-exhausted") == 0
    assert verdicts[2] == "holdout-exhausted"

    # To be judged once more is no new look, other features are no other holdout, and fresh rows are one.
    assert judged(team, candidate, champion).value["looks"] == {"used": 3, "allowed": 2}
    team.set(data__features=("height", "age", "colour"))
    team.set(train__params={"C": 0.2})
    assert judged(team, team.train().candidate, champion).value["looks"]["used"] == 4
    team.write_data(people(1300, seed=9))
    assert judged(team, team.train().candidate, champion).value["looks"]["used"] == 1


def test_a_challenger_keeps_the_number_of_its_look_and_so_its_alpha(team: Team) -> None:
    champion = released(team, team.train().candidate)
    candidates, alphas = [], []
    for strength in (0.5, 0.4):
        team.set(train__params={"C": strength})
        candidates.append(team.train().candidate)
        alphas.append(judged(team, candidates[-1], champion).value["primary"]["alpha"])
    assert alphas[0] == pytest.approx(4 * alphas[1])
    again = [judged(team, candidate, champion).value for candidate in candidates]
    assert [one["looks"]["used"] for one in again] == [1, 2]
    assert [one["primary"]["alpha"] for one in again] == alphas


def test_training_rows_in_the_holdout_are_leakage(team: Team) -> None:
    candidate = team.train().candidate
    training, holdout = split_dataset(load_dataset(team.config, team.data, team.code), team.config)
    assert training.ids is not None
    assert holdout.ids is not None
    shared = replace(training, ids=np.concatenate([holdout.ids[:5], training.ids[5:]]))

    result = judged(team, candidate, training=shared)

    assert verdict(result) == ("leakage", False)
    assert "5 of the 480 rows" in result.judgement.reasons[0]


def test_a_waiver_lets_one_named_verdict_pass_until_its_day(team: Team) -> None:
    gate(
        team,
        guardrails=(GuardrailConfig(metric="log_loss", min=None, max=0.0001),),
        waivers=(WaiverConfig(verdict="guardrail", reason="agreed", approver="ada", expires=date(2026, 11, 21)),),
    )
    candidate = team.train().candidate
    result = judged(team, candidate)
    assert verdict(result) == ("first", True)
    assert [waived["approver"] for waived in result.value["waived"]] == ["ada"]

    gate(team, waivers=(replace(team.config.gate.waivers[0], expires=date(2026, 11, 20)),))
    assert verdict(judged(team, candidate)) == ("guardrail", False)


def test_a_limit_for_the_image_is_left_to_the_release_and_says_so(team: Team) -> None:
    candidate = team.train().candidate
    gate(team, guardrails=(GuardrailConfig(metric="image_mb", min=None, max=1.0),))

    result = judged(team, candidate)

    assert verdict(result) == ("first", True)
    (one,) = result.value["guardrails"]
    assert (one["metric"], one["value"], one["max"], one["verdict"]) == ("image_mb", None, 1.0, "at-release")
    assert "judged by `mlops-ci release`" in one["reason"]


class Failing(Registry):
    """A store that has a bad day when it is asked for one digest."""

    def __init__(self, registry: Registry, digest: str, error: Exception) -> None:
        self.__dict__ |= registry.__dict__
        self._failing, self._error = digest, error

    def get_blob(self, digest: str) -> bytes:
        if digest == self._failing:
            raise self._error
        return super().get_blob(digest)


@pytest.mark.parametrize(
    "error", [OutsideError("the network is down"), IntegrityError("spoilt"), RuntimeError("a bug")]
)
@pytest.mark.parametrize("which", ["champion's graph", "champion's signature", "challenger's graph"])
def test_a_bad_day_of_the_store_is_no_verdict(team: Team, error: Exception, which: str) -> None:
    candidate = team.train().candidate
    team.write("train.py", WEAK)
    weak = team.train().candidate
    champion = released(team, weak)
    digest = {
        "champion's graph": champion.files[MODEL_FILE],
        "champion's signature": champion.files[SIGNATURE_FILE],
        "challenger's graph": candidate.onnx,
    }[which]
    assert digest is not None
    before = {path.name for path in team.stored}

    with pytest.raises(type(error)):
        judged(team, candidate, champion, registry=Failing(team.registry, digest, error))
    assert {path.name for path in team.stored} == before


def test_private_columns_are_named_so_that_the_report_keeps_their_values(team: Team) -> None:
    from tests.pipeline.team import schema

    team.set(data__schema=schema({"colour": {"type": "text", "private": True, "nullable": True}}))

    assert judged(team, team.train().candidate).value["private"] == ["colour"]


def test_rows_of_a_slice_are_those_of_its_value(team: Team) -> None:
    gate(team, slices=(SliceConfig(by="city", metric="roc_auc", max_drop=0.05, min_rows=1),))
    result = judged(team, team.train().candidate)
    _, holdout = split_dataset(load_dataset(team.config, team.data, team.code), team.config)

    counted = {one["value"]: one["rows"] for one in result.value["slices"]}
    assert counted == {str(city): int(count) for city, count in holdout.frame["city"].value_counts().items()}
    assert isinstance(holdout.frame, pd.DataFrame)
