"""Champion and challenger: each loaded as the graph that serves, and asked about the same rows, here and now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Candidate, Release
from mlops_ci.core.signature import Signature, Task
from mlops_ci.errors import DataGateError, NotFoundError, ParityError
from mlops_ci.pipeline.canonical import canonical_columns
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.export import measure_parity
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Clock, LoadedModel, ModelRuntime

LATENCY_ROWS, LATENCY_PASSES = 300, 3
MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True)
class Challenger:
    """The candidate. `answers` is None where there is no graph to ask, and then `problems` says why.

    `validation` holds its answers by validation set, `operational` what was measured of the graph itself.
    """

    answers: Predictions | None
    validation: Mapping[str, Predictions] = field(default_factory=dict)
    operational: Mapping[str, float] = field(default_factory=dict)
    parity: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Champion:
    """What serves. `answers` is None where it cannot be scored, and then `problem` or `schema_changes` says why."""

    release: Release
    answers: Predictions | None
    validation: Mapping[str, Predictions] = field(default_factory=dict)
    operational: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    schema_changes: tuple[str, ...] = ()


def score_challenger(
    config: ModelConfig,
    candidate: Candidate,
    holdout: Dataset,
    validation: Mapping[str, Dataset],
    *,
    registry: Registry,
    runtime: ModelRuntime,
    clock: Clock,
) -> Challenger:
    """The candidate's answers. A model that cannot be asked is no error here: it is what `parity` blocks."""
    try:
        measured = measure_parity(candidate, config, registry=registry, runtime=runtime, holdout=holdout)
        sets = {name: measured.model.predict(rows.columns) for name, rows in validation.items()}
    except ParityError as error:
        return Challenger(answers=None, problems=(error.what,))
    except ValueError as error:
        return Challenger(answers=None, problems=(str(error),))
    parity = measured.parity
    return Challenger(
        answers=measured.answers,
        validation=sets,
        operational=_operational(measured.model, holdout.columns, len(holdout), size=len(measured.graph), clock=clock),
        parity=parity.to_json(),
        problems=() if parity.ok else (parity.text,),
    )


def score_champion(
    release: Release,
    holdout: Dataset,
    validation: Mapping[str, Dataset],
    task: Task,
    *,
    registry: Registry,
    runtime: ModelRuntime,
    clock: Clock,
) -> Champion:
    """The release's answers, or why there are none; what the store does wrong is raised (see `evaluate`)."""
    try:
        signature = Signature.from_json(registry.get_json(release.files[SIGNATURE_FILE]))
        graph = registry.get_blob(release.files[MODEL_FILE])
        model = runtime.load(graph, signature)
    except (NotFoundError, KeyError, ValueError) as error:
        return Champion(release=release, answers=None, problem=str(error))
    changes = schema_changes(signature, holdout, task)
    if changes:
        return Champion(release=release, answers=None, schema_changes=changes)
    try:
        columns = canonical_columns(holdout.frame, signature.inputs)
        return Champion(
            release=release,
            answers=model.predict(columns),
            validation={
                name: model.predict(canonical_columns(rows.frame, signature.inputs))
                for name, rows in validation.items()
            },
            operational=_operational(model, columns, len(holdout), size=len(graph), clock=clock),
        )
    except DataGateError as error:
        return Champion(release=release, answers=None, schema_changes=(str(error),))
    except ValueError as error:
        return Champion(release=release, answers=None, problem=str(error))


def schema_changes(champion: Signature, holdout: Dataset, task: Task) -> tuple[str, ...]:
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


def performance(challenger: Challenger, champion: Champion | None) -> dict[str, float | None]:
    """Latency of single rows and size of the graphs, as the evaluation shows them."""
    old = champion.operational if champion else {}
    return {
        "latency_p50_ms": challenger.operational.get("latency_p50_ms"),
        "latency_p99_ms": challenger.operational.get("latency_p99_ms"),
        "model_mb": challenger.operational.get("model_mb"),
        "champion_latency_p50_ms": old.get("latency_p50_ms"),
        "champion_latency_p99_ms": old.get("latency_p99_ms"),
        "champion_model_mb": old.get("model_mb"),
    }


def _operational(
    model: LoadedModel, columns: Mapping[str, Any], rows: int, *, size: int, clock: Clock
) -> dict[str, float]:
    """Single rows asked one after the other in this process, in milliseconds; the size of the graph in megabytes.

    Each row is asked in several passes and its least time counts: what else is at work on the machine only adds to it,
    and is no property of the model.
    """
    times = np.full((LATENCY_PASSES, LATENCY_ROWS), np.nan)
    asked = np.linspace(0, rows - 1, LATENCY_ROWS).astype(int)
    for number, each in np.ndindex(times.shape):
        one = {name: column[asked[each] : asked[each] + 1] for name, column in columns.items()}
        started = clock.monotonic()
        model.predict(one)
        times[number, each] = 1000 * (clock.monotonic() - started)
    times = times.min(axis=0)
    return {
        "latency_p50_ms": float(np.quantile(times, 0.5)),
        "latency_p99_ms": float(np.quantile(times, 0.99)),
        "model_mb": size / MEGABYTE,
    }
