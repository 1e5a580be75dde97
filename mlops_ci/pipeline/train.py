"""Trains the candidate of the present lock, once: the same lock is found and not trained again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

import numpy as np

from mlops_ci.config.types import ModelConfig
from mlops_ci.core import baseline, drift
from mlops_ci.core.digest import digest_of
from mlops_ci.core.layout import candidate_path
from mlops_ci.core.lock import Lock
from mlops_ci.core.metrics import compute, metrics_for
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import Probes
from mlops_ci.core.records import Candidate
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.check import CheckResult, check
from mlops_ci.pipeline.dataset import Dataset, row_digest
from mlops_ci.pipeline.diagnostics import diagnose
from mlops_ci.pipeline.division import Parts
from mlops_ci.pipeline.estimator import native_predictions
from mlops_ci.pipeline.fitting import Fitted, fit
from mlops_ci.pipeline.locking import compute_lock, require_unchanged
from mlops_ci.pipeline.probing import make_probes
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import (
    Clock,
    Conformal,
    Console,
    DataFiles,
    Engine,
    Explainer,
    Exporter,
    Installation,
    ModelRuntime,
    UserCode,
)

TRAINING_SAMPLE = 5_000
"""Training metrics only have to show overfitting, so a sample of the training rows is enough."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """`candidate` is the stored record, found at `path` of the store; `seconds` is what its training took.

    `best_params` are what the search found; None where there was none.
    """

    cached: bool
    candidate: Candidate
    best_params: Mapping[str, Any] | None = None

    @property
    def model(self) -> str:
        return self.candidate.model

    @property
    def lock(self) -> str:
        return self.candidate.lock

    @property
    def path(self) -> str:
        return candidate_path(self.model, self.lock)

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
            "search": self.candidate.search,
            "best_params": self.best_params,
        }


def train(
    config: ModelConfig,
    *,
    data: DataFiles,
    user_code: UserCode,
    installed: Installation,
    exporter: Exporter,
    runtime: ModelRuntime,
    engine: Engine,
    registry: Registry,
    console: Console,
    clock: Clock,
    commit: str = "",
    checked: Callable[[], CheckResult] | None = None,
    explainer: Explainer | None = None,
    conformal: Conformal | None = None,
) -> TrainResult:
    """Trains, exports and keeps the candidate of the present lock, unless there is one already.

    `checked` hands over what `check` says of these data, so that they are not read again. Raises DataGateError
    for bad data and ConfigurationError for code that does not work; then, and when it is interrupted, nothing is kept.
    An estimator that cannot be converted is no error here: the candidate says why, and `export` refuses it.
    """
    lock = compute_lock(config, data, user_code, installed)
    if found := registry.find_candidate(config.model, lock.digest):
        console.say(f"{config.model}: trained already, by lock {lock.digest[:12]}")
        return _result(found, registry, cached=True)
    started = clock.monotonic()
    gate = checked() if checked else None
    if gate is None or gate.data_digest != digest_of(dict(lock.data)):
        gate = check(config, data, user_code)
    parts = gate.divided()
    learned = _learn(
        config,
        parts,
        user_code=user_code,
        exporter=exporter,
        runtime=runtime,
        engine=engine,
        console=console,
        clock=clock,
        explainer=explainer,
        conformal=conformal,
    )
    require_unchanged(lock, config, data, user_code)
    candidate = _candidate(config, lock, parts, learned, registry, console)
    kept = registry.save_candidate(
        replace(
            candidate,
            commit=commit,
            trained_at=clock.now().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            seconds=round(clock.monotonic() - started, 3),
            machine=installed.machine(),
        )
    )
    return _result(kept, registry, cached=False)


def training_profile(config: ModelConfig, rows: Dataset) -> dict[str, Any]:
    """What later data are compared with, to see whether they have moved away from the training rows."""
    return drift.profile(rows.columns, rows.inputs, times=rows.times, window=config.monitor.window)


@dataclass(frozen=True, kw_only=True)
class _Learned:
    """All that was to be had from the native model, which is gone by now."""

    fitted: Fitted
    sample: Dataset
    sample_answers: Predictions
    probes: Probes | None
    diagnostics: Mapping[str, Any]


def _learn(
    config: ModelConfig,
    parts: Parts,
    *,
    user_code: UserCode,
    exporter: Exporter,
    runtime: ModelRuntime,
    engine: Engine,
    console: Console,
    clock: Clock,
    explainer: Explainer | None,
    conformal: Conformal | None,
) -> _Learned:
    """Fits the model and asks it everything: after this nobody can ask it any more."""
    rows, holdout = parts.training, parts.holdout
    sample = rows.take(_evenly(len(rows), TRAINING_SAMPLE))
    with user_code.session(config.root), engine.threads(config.train.threads):
        fitted = fit(
            config,
            rows,
            holdout,
            user_code=user_code,
            exporter=exporter,
            runtime=runtime,
            engine=engine,
            console=console,
            clock=clock,
        )
        sample_answers = native_predictions(fitted.estimator, sample, fitted.signature, config, user_code)
        probes = make_probes(fitted, rows, exporter=exporter, runtime=runtime, user_code=user_code, console=console)
        diagnostics = diagnose(
            fitted,
            rows=rows,
            holdout=holdout,
            sample=(sample, sample_answers),
            user_code=user_code,
            runtime=runtime,
            console=console,
            explainer=explainer,
            conformal=conformal,
        )
    return _Learned(fitted=fitted, sample=sample, sample_answers=sample_answers, probes=probes, diagnostics=diagnostics)


def _candidate(
    config: ModelConfig, lock: Lock, parts: Parts, learned: _Learned, registry: Registry, console: Console
) -> Candidate:
    """The record, but for when, where and from which commit it was trained. What it names is in the store then."""
    rows, holdout, fitted, probes = parts.training, parts.holdout, learned.fitted, learned.probes
    answered = (holdout, fitted.answers), (learned.sample, learned.sample_answers)
    return Candidate(
        model=config.model,
        lock=lock.digest,
        lock_record=registry.put_json(lock.to_json()),
        signature=fitted.signature,
        onnx=None if fitted.graph is None else registry.put_blob(fitted.graph),
        refusal=fitted.refusal,
        reference=registry.put_blob(reference.encode(fitted.answers)),
        probes=None if probes is None else registry.put_json(probes.to_json()),
        holdout=row_digest(holdout),
        profile=registry.put_json(training_profile(config, rows)),
        metrics=_metrics(fitted.signature, rows, *answered, console),
        rows={"train": len(rows), "holdout": len(holdout)},
        commit="",
        trained_at="",
        seconds=0.0,
        diagnostics=registry.put_json(learned.diagnostics),
        search=None if fitted.search is None else registry.put_json(fitted.search),
    )


def _result(candidate: Candidate, registry: Registry, *, cached: bool) -> TrainResult:
    search = None if candidate.search is None else registry.get_json(candidate.search)
    return TrainResult(candidate=candidate, cached=cached, best_params=search and search["best_params"])


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
