"""From answers to evidence: what the gate is told under a policy, whether it judges now or once more (`backtest`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlops_ci.config.types import GateConfig
from mlops_ci.config.vocabulary import FAIRNESS_METRICS
from mlops_ci.core import baseline
from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.curves import calibration, calibration_error
from mlops_ci.core.difference import Difference
from mlops_ci.core.fairness import FairnessEvidence
from mlops_ci.core.gate import GateEvidence
from mlops_ci.core.metrics import compute, metrics_for
from mlops_ci.core.signature import Signature
from mlops_ci.core.slices import SliceEvidence, compare_slices
from mlops_ci.core.validation_sets import ValidationEvidence, compare_validation_set
from mlops_ci.pipeline.answers import Answers, JudgedRows
from mlops_ci.pipeline.fairness import GroupMeasures, fairness_evidence, measure_groups

SEED = 20130101
"""Of the resampling. Fixed, so that the same challenger is never judged twice with different luck."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What the gate has to know besides the answers, as it was found on the day (`day`, ISO 8601) of the judgement.

    `operational` holds latency and size of the challenger's graph, `dummy` the parameters of the dummy model; the
    others are as in `core.gate.GateEvidence`.
    """

    day: str
    champion: str | None
    champion_problem: str
    schema_changes: tuple[str, ...]
    leaks: tuple[str, ...]
    parity_problems: tuple[str, ...]
    looks_used: int
    operational: Mapping[str, float]
    dummy: Mapping[str, float]
    withheld: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Circumstances:
        texts = {key: tuple(value[key]) for key in ("schema_changes", "leaks", "parity_problems")}
        return cls(**{**value, **texts})


def gate_evidence(
    answers: Answers, circumstances: Circumstances, gate: GateConfig, groups: Mapping[str, GroupMeasures]
) -> GateEvidence:
    """All that `gate` asks for and the answers can tell; the rest is left out, and so `metric-missing`.

    `groups` are the measures by column for fairness (see `fairness_groups`).
    """
    signature, holdout = answers.signature, answers.holdout
    dummy = baseline.predict(circumstances.dummy, signature, len(holdout))
    known = metrics_for(signature.task)
    measures = dict(circumstances.operational)
    if holdout.challenger is not None:
        measures |= {name: compute(name, holdout.truth, holdout.challenger, signature) for name in known}
        if signature.task != "regression" and (bins := calibration(holdout.truth, holdout.challenger, signature)):
            measures["calibration_error"] = calibration_error(bins)
    metric = gate.primary.metric
    return GateEvidence(
        rows=len(holdout),
        measures=measures,
        baseline=compute(metric, holdout.truth, dummy, signature) if metric in known else None,
        champion=circumstances.champion,
        champion_problem=circumstances.champion_problem,
        withheld=circumstances.withheld,
        primary=_primary(holdout, gate, signature),
        slices=_slices(holdout, gate, signature),
        validation=_validation(answers, gate),
        fairness=_fairness(gate, signature, groups),
        schema_changes=circumstances.schema_changes,
        leaks=circumstances.leaks,
        parity_problems=circumstances.parity_problems,
        looks_used=circumstances.looks_used,
    )


def fairness_groups(answers: Answers, gate: GateConfig) -> dict[str, GroupMeasures]:
    """The measures of each group of each column that the gate's fairness goes by and the answers know."""
    holdout = answers.holdout
    columns = [rule.by for rule in gate.fairness if rule.by in holdout.columns]
    if holdout.challenger is None:
        return {}
    return {
        by: measure_groups(by, holdout.columns[by], holdout.truth, holdout.challenger, answers.signature)
        for by in dict.fromkeys(columns)
    }


def _primary(holdout: JudgedRows, gate: GateConfig, signature: Signature) -> Difference | None:
    metric = gate.primary.metric
    if holdout.champion is None or holdout.challenger is None or metric not in metrics_for(signature.task):
        return None
    return paired_difference(
        metric, holdout.truth, holdout.champion, holdout.challenger, signature,
        units=holdout.units, resamples=gate.resamples, seed=SEED,
    )  # fmt: skip


def _slices(holdout: JudgedRows, gate: GateConfig, signature: Signature) -> list[SliceEvidence]:
    if holdout.challenger is None:
        return []
    return [
        evidence
        for rule in gate.slices
        if rule.by in holdout.columns and rule.metric in metrics_for(signature.task)
        for evidence in compare_slices(
            rule, holdout.columns[rule.by], holdout.truth, holdout.champion, holdout.challenger, signature,
            units=holdout.units, resamples=gate.resamples, seed=SEED,
        )
    ]  # fmt: skip


def _validation(answers: Answers, gate: GateConfig) -> list[ValidationEvidence]:
    found = []
    for place, rule in enumerate(gate.validation):
        rows = answers.validation_set(rule.name)
        if rows is None or rows.challenger is None or rule.metric not in metrics_for(answers.signature.task):
            continue
        evidence = compare_validation_set(
            rule, rows.strategy, rows.truth, rows.champion, rows.challenger, answers.signature,
            units=rows.units, resamples=gate.resamples, seed=SEED + place,
        )  # fmt: skip
        found.append(evidence)
    return found


def _fairness(gate: GateConfig, signature: Signature, groups: Mapping[str, GroupMeasures]) -> list[FairnessEvidence]:
    known = FAIRNESS_METRICS[signature.task]
    return [
        evidence
        for by, measured in groups.items()
        for evidence in fairness_evidence(
            measured, [rule.metric for rule in gate.fairness if rule.by == by and rule.metric in known]
        )
    ]
