"""Judges a challenger against the champion: both scored as ONNX on the same holdout rows, here and now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_ci.config.supported import unsupported
from mlops_ci.config.types import ModelConfig
from mlops_ci.core import baseline
from mlops_ci.core.curves import curves
from mlops_ci.core.digest import digest_of
from mlops_ci.core.gate import GateEvidence, Judgement, judge
from mlops_ci.core.lock import Lock, differences
from mlops_ci.core.metrics import compute, metrics_for
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Candidate, Release
from mlops_ci.core.resampling import Difference, independent_units, paired_difference
from mlops_ci.core.signature import Signature, Task
from mlops_ci.core.slices import SliceEvidence, compare_slices
from mlops_ci.core.verdicts import number
from mlops_ci.errors import ConfigurationError, DataGateError, NotFoundError, ParityError
from mlops_ci.pipeline.canonical import canonical_columns
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.export import measure_parity
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Clock, Console, LoadedModel, ModelRuntime

LATENCY_ROWS = 300
MEGABYTE = 1e6
SEED = 20130101
"""Of the resampling. Fixed, so that the same challenger is never judged twice with different luck."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The judgement and all that a report shows of it; `digest` names it in the store."""

    judgement: Judgement
    value: Mapping[str, Any]
    digest: str

    @property
    def ships(self) -> bool:
        return self.judgement.ships


@dataclass(frozen=True, kw_only=True)
class _Champion:
    """What serves. `answers` is None where it cannot be scored, and then one of the two others says why."""

    release: Release
    answers: Predictions | None
    problem: str = ""
    schema_changes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Challenger:
    answers: Predictions | None
    measures: Mapping[str, float]
    parity: Mapping[str, Any] | None
    problems: tuple[str, ...]


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
) -> Evaluation:
    """The verdict on the candidate, trained on `training` beside `holdout`; `champion` is what production serves.

    A model that cannot be scored is a verdict; a store that fails, or whose bytes are not what they should be, is an
    error (OutsideError, IntegrityError), so that a bad model is never confused with a bad day of the infrastructure.
    """
    problems = unsupported(config, "evaluate")
    if problems:
        raise ConfigurationError("the gate is asked for what it cannot judge", problems=problems)
    with console.working(f"judging {config.model} on {len(holdout)} rows"):
        new = _challenger(config, candidate, holdout, registry, runtime, clock)
        old = _champion(champion, holdout, config.task, registry, runtime) if champion else None
        evidence = _evidence(
            config,
            candidate,
            training=training,
            holdout=holdout,
            new=new,
            old=old,
            registry=registry,
            clock=clock,
        )
        judgement = judge(evidence, config.gate, on=clock.now().date())
    value = {
        "model": config.model,
        **judgement.to_json(),
        "reasons": list(judgement.reasons),
        "lock": candidate.lock,
        "commit": candidate.commit,
        "task": config.task,
        "rows": dict(candidate.rows),
        "seconds": candidate.seconds,
        "champion_release": champion.id if champion else None,
        "champion_version": champion.version if champion else None,
        "metrics": _metrics(candidate.signature, holdout, new, old),
        "measures": {name: number(item) for name, item in new.measures.items()},
        "training_metrics": {name: item for name, item in candidate.metrics.items() if name.startswith("train.")},
        "parity": new.parity,
        "changes": _changes(candidate, champion, registry),
        "curves": {
            "challenger": _curves(candidate.signature, holdout, new.answers),
            "champion": _curves(candidate.signature, holdout, old.answers if old else None),
        },
        "private": [column.name for column in config.data.schema.columns if column.private]
        if config.data.schema
        else [],
    }
    value = json.loads(json.dumps(value))
    return Evaluation(judgement=judgement, value=value, digest=registry.put_json(value))


def holdout_identity(config: ModelConfig, lock: Lock) -> str:
    """Names a holdout by what decides which rows are in it: another set of features does not make it a new one."""
    return digest_of({"data": lock.data, "split": lock.params["split"], "target": config.data.target})


def _challenger(
    config: ModelConfig, candidate: Candidate, holdout: Dataset, registry: Registry, runtime: ModelRuntime, clock: Clock
) -> _Challenger:
    try:
        measured = measure_parity(candidate, config, registry=registry, runtime=runtime, holdout=holdout)
    except ParityError as error:
        return _Challenger(answers=None, measures={}, parity=None, problems=(error.what,))
    answers, parity = measured.answers, measured.parity
    names = metrics_for(config.task)
    measures = {name: compute(name, holdout.target, answers, candidate.signature) for name in names}
    measures["latency_p99_ms"] = _latency_p99(measured.model, holdout, clock)
    measures["model_mb"] = len(measured.graph) / MEGABYTE
    said = f"{parity.over} rows differ by up to {parity.max_abs_diff:.3g}, {parity.flips} labels are others"
    return _Challenger(
        answers=answers, measures=measures, parity=parity.to_json(), problems=() if parity.ok else (said,)
    )


def _champion(release: Release, holdout: Dataset, task: Task, registry: Registry, runtime: ModelRuntime) -> _Champion:
    try:
        signature = Signature.from_json(registry.get_json(release.files[SIGNATURE_FILE]))
        model = runtime.load(registry.get_blob(release.files[MODEL_FILE]), signature)
    except (NotFoundError, KeyError, ValueError) as error:
        return _Champion(release=release, answers=None, problem=str(error))
    changes = _schema_changes(signature, holdout, task)
    if changes:
        return _Champion(release=release, answers=None, schema_changes=changes)
    try:
        return _Champion(release=release, answers=model.predict(canonical_columns(holdout.frame, signature.inputs)))
    except DataGateError as error:
        return _Champion(release=release, answers=None, schema_changes=(str(error),))
    except ValueError as error:
        return _Champion(release=release, answers=None, problem=str(error))


def _schema_changes(champion: Signature, holdout: Dataset, task: Task) -> tuple[str, ...]:
    """Why the champion cannot be asked about these rows: columns that it reads are gone, task or classes are others."""
    gone = [column.name for column in champion.inputs if column.name not in holdout.frame.columns]
    changes = [f"the champion reads column {name}, which the data do not have any more" for name in gone]
    if champion.task != task:
        changes.append(f"the champion's task is {champion.task}, which the data are not for any more")
    elif champion.classes != holdout.classes:
        changes.append(
            f"the champion knows the classes {list(champion.classes)}, the data have {list(holdout.classes)}"
        )
    return tuple(changes)


def _evidence(
    config: ModelConfig,
    candidate: Candidate,
    *,
    training: Dataset,
    holdout: Dataset,
    new: _Challenger,
    old: _Champion | None,
    registry: Registry,
    clock: Clock,
) -> GateEvidence:
    metric = config.gate.primary.metric
    dummy = baseline.predict(candidate.metrics, candidate.signature, len(holdout))
    return GateEvidence(
        rows=len(holdout),
        measures=new.measures,
        baseline=compute(metric, holdout.target, dummy, candidate.signature),
        champion=old.release.id if old else None,
        champion_problem=old.problem or "; ".join(old.schema_changes) if old else "",
        primary=_primary(config, candidate.signature, holdout, new, old),
        slices=_slices(config, candidate.signature, holdout, new, old),
        fairness={},
        schema_changes=old.schema_changes if old else (),
        leaked_rows=_shared_rows(training, holdout),
        parity_problems=new.problems,
        looks_used=_count_look(config, candidate, old, registry, clock),
    )


def _units(config: ModelConfig, holdout: Dataset) -> Any:
    """Rows that belong together are drawn together: a group's, or, in a split by time, those of a stretch of time."""
    return independent_units(groups=holdout.groups, times=holdout.times if config.split.strategy == "time" else None)


def _primary(
    config: ModelConfig, signature: Signature, holdout: Dataset, new: _Challenger, old: _Champion | None
) -> Difference | None:
    if new.answers is None or old is None or old.answers is None:
        return None
    return paired_difference(
        config.gate.primary.metric, holdout.target, old.answers, new.answers, signature,
        units=_units(config, holdout), resamples=config.gate.resamples, seed=SEED,
    )  # fmt: skip


def _slices(
    config: ModelConfig, signature: Signature, holdout: Dataset, new: _Challenger, old: _Champion | None
) -> list[SliceEvidence]:
    if new.answers is None:
        return []
    return [
        evidence
        for rule in config.gate.slices
        for evidence in compare_slices(
            rule, holdout.frame[rule.by].to_numpy(dtype=object, na_value=None), holdout.target,
            old.answers if old else None, new.answers, signature,
            units=_units(config, holdout), resamples=config.gate.resamples, seed=SEED,
        )
    ]  # fmt: skip


def _shared_rows(training: Dataset, holdout: Dataset) -> int:
    """Rows of the holdout whose id is a training row's too; without ids nobody can tell, as equal rows may be two."""
    if training.ids is None or holdout.ids is None:
        return 0
    return int(np.isin(holdout.ids, training.ids).sum())


def _count_look(
    config: ModelConfig, candidate: Candidate, old: _Champion | None, registry: Registry, clock: Clock
) -> int:
    """How many challengers this holdout has judged, this one included. Without a champion nobody is judged by it."""
    if old is None:
        return 0
    identity = holdout_identity(config, Lock.from_json(registry.get_json(candidate.lock_record)))
    registry.add_look(identity, candidate.lock, {"model": config.model, "time": clock.now().isoformat()})
    return len(registry.looks(identity))


def _latency_p99(model: LoadedModel, holdout: Dataset, clock: Clock) -> float:
    """The 99th percentile of single rows, asked one after the other in this process, in milliseconds."""
    times = []
    for row in np.linspace(0, len(holdout) - 1, LATENCY_ROWS).astype(int):
        one = {name: column[row : row + 1] for name, column in holdout.columns.items()}
        started = clock.monotonic()
        model.predict(one)
        times.append(1000 * (clock.monotonic() - started))
    return float(np.quantile(times, 0.99))


def _metrics(
    signature: Signature, holdout: Dataset, new: _Challenger, old: _Champion | None
) -> dict[str, dict[str, float | None]]:
    """Every metric of the task, of both models on the same rows."""
    champion = old.answers if old else None
    return {
        name: {
            "champion": None if champion is None else number(compute(name, holdout.target, champion, signature)),
            "challenger": number(new.measures.get(name)),
        }
        for name in metrics_for(signature.task)
    }


def _curves(signature: Signature, holdout: Dataset, answers: Predictions | None) -> dict[str, Any] | None:
    return None if answers is None else curves(holdout.target, answers, signature)


def _changes(candidate: Candidate, champion: Release | None, registry: Registry) -> list[str]:
    """What differs between the locks of champion and challenger."""
    if champion is None or "lock" not in champion.evidence:
        return []
    before = Lock.from_json(registry.get_json(champion.evidence["lock"]))
    return differences(before, Lock.from_json(registry.get_json(candidate.lock_record)))
