"""Trains the candidate of the present lock, once: the same lock is found and not trained again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np

from mlops_ci.config.supported import unsupported
from mlops_ci.config.types import ModelConfig
from mlops_ci.core import baseline, drift
from mlops_ci.core.digest import digest_of
from mlops_ci.core.layout import candidate_path
from mlops_ci.core.metrics import compute, metrics_for
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Candidate
from mlops_ci.core.signature import Signature
from mlops_ci.errors import ConfigurationError, ParityError
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.check import CheckResult, check
from mlops_ci.pipeline.dataset import Dataset, build_dataset, row_digest, split_dataset
from mlops_ci.pipeline.estimator import build_estimator, fit_estimator, fitted_classes, native_predictions
from mlops_ci.pipeline.locking import compute_lock, require_unchanged
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Clock, Console, DataFiles, Exporter, Installation, ModelRuntime, UserCode

TRAINING_SAMPLE = 5_000
"""Training metrics only have to show overfitting, so a sample of the training rows is enough."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """`candidate` is the stored record, found at `path` of the store; `seconds` is what its training took."""

    model: str
    lock: str
    cached: bool
    candidate: Candidate
    path: str

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.candidate.metrics

    @property
    def seconds(self) -> float:
        return self.candidate.seconds

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "lock": self.lock,
            "cached": self.cached,
            "candidate": self.path,
            "metrics": dict(self.metrics),
            "seconds": self.seconds,
            "rows": dict(self.candidate.rows),
            "onnx": self.candidate.onnx,
            "refusal": self.candidate.refusal,
        }


def train(
    config: ModelConfig,
    *,
    data: DataFiles,
    user_code: UserCode,
    installed: Installation,
    exporter: Exporter,
    runtime: ModelRuntime,
    registry: Registry,
    console: Console,
    clock: Clock,
    commit: str = "",
    checked: CheckResult | None = None,
) -> TrainResult:
    """Trains, exports and keeps the candidate of the present lock, unless there is one already.

    `checked` is what `check` said of these data a moment ago, so that they are not read again. Raises DataGateError
    for bad data and ConfigurationError for code that does not work; then, and when it is interrupted, nothing is kept.
    An estimator that cannot be converted is no error here: the candidate says why, and `export` refuses it.
    """
    if problems := unsupported(config, "train"):
        raise ConfigurationError("the configuration asks for what cannot be done yet", problems=problems)
    lock = compute_lock(config, data, user_code, installed)
    path = candidate_path(config.model, lock.digest)
    if found := registry.find_candidate(config.model, lock.digest):
        console.say(f"{config.model}: trained already, by lock {lock.digest[:12]}")
        return TrainResult(model=config.model, lock=lock.digest, cached=True, candidate=found, path=path)
    started = clock.monotonic()
    if checked is None or checked.data_digest != digest_of(dict(lock.data)):
        checked = check(config, data, user_code)
    rows, holdout = split_dataset(build_dataset(checked.passed(), config), config)
    sample = rows.take(_evenly(len(rows), TRAINING_SAMPLE))
    with user_code.session(config.root):
        estimator = fit_estimator(build_estimator(config, user_code, console), rows, config, user_code, console)
        signature = Signature(task=config.task, inputs=rows.inputs, classes=fitted_classes(estimator, config.task))
        answers = native_predictions(estimator, holdout, signature, config, user_code)
        sample_answers = native_predictions(estimator, sample, signature, config, user_code)
        with console.working(f"converting {config.model} to ONNX"):
            graph, refusal = _export(estimator, signature, exporter, runtime, console)
    require_unchanged(lock, config, data, user_code)
    candidate = Candidate(
        model=config.model,
        lock=lock.digest,
        lock_record=registry.put_json(lock.to_json()),
        signature=signature,
        onnx=None if graph is None else registry.put_blob(graph),
        refusal=refusal,
        reference=registry.put_blob(reference.encode(answers)),
        holdout=row_digest(holdout),
        profile=registry.put_json(
            drift.profile(rows.columns, rows.inputs, times=rows.times, window=config.monitor.window)
        ),
        metrics=_metrics(signature, rows, (holdout, answers), (sample, sample_answers), console),
        rows={"train": len(rows), "holdout": len(holdout)},
        commit=commit,
        trained_at=clock.now().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        seconds=round(clock.monotonic() - started, 3),
    )
    kept = registry.save_candidate(candidate)
    return TrainResult(model=config.model, lock=lock.digest, cached=False, candidate=kept, path=path)


def _export(
    estimator: Any, signature: Signature, exporter: Exporter, runtime: ModelRuntime, console: Console
) -> tuple[bytes | None, str]:
    """The graph, once the runtime has loaded it, or the reason why there is none."""
    try:
        graph = exporter.export(estimator, signature)
        runtime.load(graph, signature)
        return graph, ""
    except ParityError as error:
        refusal = f"{error.where}: {error.what}\nfix: {error.fix}"
    except ValueError as error:
        refusal = f"{type(estimator).__name__}: {error}"
    console.warn(refusal)
    return None, refusal


def _metrics(
    signature: Signature,
    rows: Dataset,
    holdout: tuple[Dataset, Predictions],
    sample: tuple[Dataset, Predictions],
    console: Console,
) -> dict[str, float]:
    """Each metric on the holdout, as `train.<metric>` on training rows, as `baseline.<metric>` of the dummy model.

    The dummy's own parameters (`core.baseline`) are kept beside them. What is not a finite number is left out.
    """
    dummy = baseline.fit(rows.target, signature)
    answers = [
        ("", *holdout),
        ("train.", *sample),
        ("baseline.", holdout[0], baseline.predict(dummy, signature, len(holdout[0]))),
    ]
    found = dict(dummy)
    for prefix, dataset, predictions in answers:
        for name in metrics_for(signature.task):
            found[f"{prefix}{name}"] = compute(name, dataset.target, predictions, signature)
    undefined = sorted(name for name, value in found.items() if not np.isfinite(value))
    if undefined:
        console.warn(f"not a finite number, so left out: {', '.join(undefined)}")
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _evenly(rows: int, wanted: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.unique(np.linspace(0, rows - 1, min(rows, wanted)).astype(np.int64))
