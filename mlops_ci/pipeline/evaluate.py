"""Judges a challenger against the champion: both scored as ONNX on the same rows, here and now, and kept for later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mlops_ci.config.types import GateConfig, ModelConfig
from mlops_ci.core import baseline
from mlops_ci.core.curves import curves
from mlops_ci.core.digest import digest_of
from mlops_ci.core.events import timestamp
from mlops_ci.core.gate import GateEvidence, Judgement, judge
from mlops_ci.core.lock import Lock, differences
from mlops_ci.core.metric_intervals import TAIL, metric_intervals
from mlops_ci.core.metrics import metrics_for
from mlops_ci.core.records import Candidate, Release
from mlops_ci.core.verdicts import number
from mlops_ci.pipeline.answers import Answers, collect_answers
from mlops_ci.pipeline.answers_archive import encode
from mlops_ci.pipeline.contenders import performance, score_challenger, score_champion
from mlops_ci.pipeline.dataset import Dataset, private_columns
from mlops_ci.pipeline.diagnostics import read_diagnostics
from mlops_ci.pipeline.evidence import Circumstances, fairness_groups, gate_evidence
from mlops_ci.pipeline.model_card import model_card
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.shared_rows import shared_rows
from mlops_ci.ports import Clock, Console, ModelRuntime


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The judgement and all that a report shows of it; `digest` names it in the store."""

    judgement: Judgement
    value: Mapping[str, Any]
    digest: str

    @property
    def ships(self) -> bool:
        return self.judgement.ships


def evaluate(
    config: ModelConfig,
    candidate: Candidate,
    *,
    training: Dataset,
    holdout: Dataset,
    champion: Release | None,
    registry: Registry,
    runtime: ModelRuntime,
    clock: Clock,
    console: Console,
    validation: Mapping[str, Dataset] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Evaluation:
    """The verdict on the candidate, trained on `training` beside `holdout`; `champion` is what production serves.

    `validation` holds the rows of each validation set, `data` what the data gate found, for the report. A model that
    cannot be scored is a verdict; a store that fails, or whose bytes are not what they should be, is an error
    (OutsideError, IntegrityError), so that a bad model is never confused with a bad day of the infrastructure.
    """
    sets, now = validation or {}, clock.now()
    with console.working(f"judging {config.model} on {len(holdout)} rows"):
        ports: dict[str, Any] = {"registry": registry, "runtime": runtime, "clock": clock}
        new = score_challenger(config, candidate, holdout, sets, **ports)
        old = score_champion(champion, holdout, sets, config.task, **ports) if champion else None
        answers = collect_answers(config, candidate.signature, holdout=holdout, validation=sets, new=new, old=old)
        circumstances = Circumstances(
            day=now.date().isoformat(),
            champion=champion.id if champion else None,
            champion_problem=old.problem or "; ".join(old.schema_changes) if old else "",
            schema_changes=old.schema_changes if old else (),
            leaks=_leaks(config, training, holdout, sets),
            parity_problems=new.problems,
            looks_used=_count_look(config, candidate, registry, now) if champion else 0,
            operational=new.operational,
            dummy=baseline.parameters(candidate.metrics),
        )
        groups = fairness_groups(answers, config.gate)
        evidence = gate_evidence(answers, circumstances, config.gate, groups)
        judgement = judge(evidence, config.gate, on=now.date())
        value = {
            "model": config.model,
            "time": timestamp(now),
            **judgement.to_json(),
            **_about(config, candidate, champion, registry),
            **_measured(config, answers, evidence),
            "fairness_groups": [measured.to_json() for measured in groups.values()],
            "performance": performance(new, old),
            "parity": new.parity,
            "card": model_card(config, training=training, holdout=holdout),
            "data": data,
            # what `backtest` judges once more
            "gate": policy_json(config.gate),
            "circumstances": circumstances.to_json(),
            "answers": registry.put_blob(encode(answers)),
        }
    return _kept(judgement, json.loads(json.dumps(value)), registry)


def holdout_identity(config: ModelConfig, lock: Lock) -> str:
    """Names a holdout by what decides which rows are in it: another set of features does not make it a new one.

    Nor do other validation sets, since these are cut from what the holdout leaves.
    """
    split = {key: value for key, value in lock.params["split"].items() if key != "validation"}
    return digest_of({"data": lock.data, "split": split, "target": config.data.target})


def policy_json(gate: GateConfig) -> dict[str, Any]:
    """The policy as it is kept beside the verdict that it led to."""
    waivers = [{**asdict(waiver), "expires": waiver.expires.isoformat()} for waiver in gate.waivers]
    return {**asdict(gate), "waivers": waivers}


def _count_look(config: ModelConfig, candidate: Candidate, registry: Registry, now: datetime) -> int:
    """How many challengers this holdout has judged up to this one. Without a champion nobody is judged by it.

    Each is told its number when it comes first, so that it spends the same alpha whenever it is judged again. Of those
    that came at the same moment and so have the same number, each counts all.
    """
    identity = holdout_identity(config, Lock.from_json(registry.get_json(candidate.lock_record)))
    number_of = {"number": 1 + len(registry.looks(identity))}
    registry.add_look(identity, candidate.lock, {"model": config.model, "time": now.isoformat(), **number_of})
    numbers = {look["lock"]: look["number"] for look in registry.looks(identity)}
    return sum(one <= numbers[candidate.lock] for one in numbers.values())


def _leaks(
    config: ModelConfig, training: Dataset, holdout: Dataset, validation: Mapping[str, Dataset]
) -> tuple[str, ...]:
    """A sentence for each set of rows that shares some with the training."""
    judged = {"the holdout": holdout, **{f"the validation set {name}": rows for name, rows in validation.items()}}
    limit = config.data.schema.max_shared if config.data.schema else None
    shared = {what: shared_rows(training, rows, limit=limit) for what, rows in judged.items()}
    return tuple(
        f"{one.leaked} of the {one.holdout} rows of {what} are among the training rows: {one.text}"
        for what, one in shared.items()
        if one.leaked
    )


def _about(config: ModelConfig, candidate: Candidate, champion: Release | None, registry: Registry) -> dict[str, Any]:
    """Who was judged, and what is known of it already."""
    return {
        "lock": candidate.lock,
        "commit": candidate.commit,
        "task": candidate.signature.task,
        "rows": dict(candidate.rows),
        "seconds": candidate.seconds,
        "champion_release": champion.id if champion else None,
        "champion_version": champion.version if champion else None,
        "training_metrics": {name: item for name, item in candidate.metrics.items() if name.startswith("train.")},
        "changes": _changes(candidate, champion, registry),
        "diagnostics": read_diagnostics(candidate, registry),
        "private": sorted(private_columns(config)),
    }


def _changes(candidate: Candidate, champion: Release | None, registry: Registry) -> list[str]:
    """What differs between the locks of champion and challenger."""
    if champion is None or "lock" not in champion.evidence:
        return []
    before = Lock.from_json(registry.get_json(champion.evidence["lock"]))
    return differences(before, Lock.from_json(registry.get_json(candidate.lock_record)))


def _measured(config: ModelConfig, answers: Answers, evidence: GateEvidence) -> dict[str, Any]:
    """The numbers of both models on the holdout, and what is drawn of them."""
    return {
        "metrics": _metrics(config, answers, evidence),
        "measures": {name: number(item) for name, item in evidence.measures.items()},
        "curves": _curves(answers),
    }


def _metrics(config: ModelConfig, answers: Answers, evidence: GateEvidence) -> dict[str, dict[str, Any]]:
    """Every metric of the task, of both models on the holdout; the primary one's difference as the gate saw it."""
    rows, gate, names = answers.holdout, config.gate, metrics_for(config.task)
    found = metric_intervals(names, rows.truth, rows.champion, rows.challenger, answers.signature, units=rows.units)
    metrics = {name: one.to_json() for name, one in found.items()}
    primary = evidence.primary
    if primary is not None and gate.primary.metric in metrics:
        ends = number(primary.lower(TAIL)), number(primary.upper(TAIL))
        metrics[gate.primary.metric]["difference_interval"] = None if None in ends else ends
    return metrics


def _curves(answers: Answers) -> dict[str, Any]:
    """What is drawn of each model's answers."""
    models = {"challenger": answers.holdout.challenger, "champion": answers.holdout.champion}
    return {
        who: None if one is None else curves(answers.holdout.truth, one, answers.signature)
        for who, one in models.items()
    }


def _kept(judgement: Judgement, value: Mapping[str, Any], registry: Registry) -> Evaluation:
    """Keeps the evaluation and lists it for `backtest`; to judge the same once more adds nothing to the list."""
    digest = registry.put_json(value)
    judged = {name: value[name] for name in ("lock", "champion_release", "answers", "gate", "verdict")}
    record = {name: value[name] for name in ("time", "lock", "verdict", "ships")}
    registry.add_evaluation(value["model"], digest_of(judged), {**record, "evaluation": digest})
    return Evaluation(judgement=judgement, value=value, digest=digest)
