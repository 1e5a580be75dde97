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
from mlops_ci.core.signature import Signature
from mlops_ci.core.verdicts import number
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.answers import Answers, collect_answers
from mlops_ci.pipeline.answers_archive import encode
from mlops_ci.pipeline.contenders import Champion, performance, score_challenger, score_champion
from mlops_ci.pipeline.dataset import Dataset, private_columns
from mlops_ci.pipeline.diagnostics import read_diagnostics
from mlops_ci.pipeline.evidence import Circumstances, fairness_groups, gate_evidence
from mlops_ci.pipeline.fairness import GroupMeasures
from mlops_ci.pipeline.model_card import model_card
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.shared_rows import shared_rows
from mlops_ci.ports import Clock, Console, ModelRuntime

WITHHELD = (
    "the store was not read (--limits-only), so nobody knows whether it is better than what serves in production; the "
    "declared limits alone were judged"
)
"""Why there is no comparison in a run that may not read the store, such as that of a fork's pull request."""


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
    withheld: str = "",
) -> Evaluation:
    """The verdict on the candidate, trained on `training` beside `holdout`; `champion` is what production serves.

    `validation` holds the rows of each validation set, `data` what the data gate found, for the report; `withheld` says
    why nobody was to ask for a champion. Of the candidate only the graph counts, and what it answers here and now: what
    the job that trained it says of itself may be made up.

    A model that cannot be scored is a verdict; a store that fails, or whose bytes are not what they should be, is an
    error (OutsideError, IntegrityError), so that a bad model is never confused with a bad day of the infrastructure.
    """
    require_signature(config, candidate, holdout)
    sets, now = validation or {}, clock.now()
    with console.working(f"judging {config.model} on {len(holdout)} rows"):
        ports: dict[str, Any] = {"registry": registry, "runtime": runtime, "clock": clock}
        new = score_challenger(config, candidate, holdout, sets, **ports)
        old = score_champion(champion, holdout, sets, config.task, **ports) if champion else None
        answers = collect_answers(config, candidate.signature, holdout=holdout, validation=sets, new=new, old=old)
        circumstances = Circumstances(
            day=now.date().isoformat(),
            **_of_champion(old),
            leaks=_leaks(config, training, holdout, sets),
            parity_problems=new.problems,
            looks_used=count_look(config, candidate, registry, now) if champion else 0,
            operational=new.operational,
            dummy=baseline.fit(training.target, candidate.signature),
            withheld=withheld,
        )
        groups = fairness_groups(answers, config.gate)
        evidence = gate_evidence(answers, circumstances, config.gate, groups)
        judgement = judge(evidence, config.gate, on=now.date())
        value = {
            "model": config.model,
            "time": timestamp(now),
            **judgement.to_json(),
            **_about(candidate, champion, registry, withheld),
            **_rows(config, training, holdout),
            **_measured(config, answers, evidence, groups),
            "performance": performance(new, old),
            "parity": new.parity,
            "data": data,
            # what `backtest` judges once more
            "gate": policy_json(config.gate),
            "circumstances": circumstances.to_json(),
            "answers": registry.put_blob(encode(answers)),
        }
    return _kept(judgement, json.loads(json.dumps(value)), registry)


def _of_champion(old: Champion | None) -> dict[str, Any]:
    """What the gate has to know of what serves, besides its answers."""
    if old is None:
        return {"champion": None, "champion_problem": "", "schema_changes": ()}
    problem = old.problem or "; ".join(old.schema_changes)
    return {"champion": old.release.id, "champion_problem": problem, "schema_changes": old.schema_changes}


def _rows(config: ModelConfig, training: Dataset, holdout: Dataset) -> dict[str, Any]:
    """What is said of the rows themselves, counted here."""
    return {
        "rows": {"train": len(training), "holdout": len(holdout)},
        "private": sorted(private_columns(config)),
        "card": model_card(config, training=training, holdout=holdout),
    }


def require_signature(config: ModelConfig, candidate: Candidate, rows: Dataset) -> None:
    """Raises IntegrityError where the candidate's signature is not that of these rows.

    The graph is measured as its signature says. One that calls the classes by each other's names would make a bad model
    look good, and the champion bad.
    """
    said = candidate.signature
    known = tuple(label for label in rows.classes if label in said.classes)
    due = Signature(task=config.task, inputs=rows.inputs, classes=known)
    if said != due:
        raise IntegrityError(
            f"the candidate of lock {candidate.lock[:12]} has another signature than its data: {said.task} of "
            f"{len(said.inputs)} columns, classes {list(said.classes)[:10]}, threshold {said.threshold:g}",
            where=config.model,
            fix="find out which job made it, and change something that the lock holds so that it is trained anew",
        )


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


def count_look(config: ModelConfig, candidate: Candidate, registry: Registry, now: datetime) -> int:
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


def _about(candidate: Candidate, champion: Release | None, registry: Registry, withheld: str) -> dict[str, Any]:
    """Who was judged, and what is known of it already."""
    return {
        "lock": candidate.lock,
        "commit": candidate.commit,
        "task": candidate.signature.task,
        "seconds": candidate.seconds,
        "withheld": withheld,
        "champion_release": champion.id if champion else None,
        "champion_version": champion.version if champion else None,
        "training_metrics": {name: item for name, item in candidate.metrics.items() if name.startswith("train.")},
        "changes": _changes(candidate, champion, registry),
        "diagnostics": read_diagnostics(candidate, registry),
    }


def _changes(candidate: Candidate, champion: Release | None, registry: Registry) -> list[str]:
    """What differs between the locks of champion and challenger."""
    if champion is None or "lock" not in champion.evidence:
        return []
    before = Lock.from_json(registry.get_json(champion.evidence["lock"]))
    return differences(before, Lock.from_json(registry.get_json(candidate.lock_record)))


def _measured(
    config: ModelConfig, answers: Answers, evidence: GateEvidence, groups: Mapping[str, GroupMeasures]
) -> dict[str, Any]:
    """The numbers of both models on the holdout, and what is drawn of them."""
    return {
        "metrics": _metrics(config, answers, evidence),
        "measures": {name: number(item) for name, item in evidence.measures.items()},
        "curves": _curves(answers),
        "fairness_groups": [measured.to_json() for measured in groups.values()],
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
