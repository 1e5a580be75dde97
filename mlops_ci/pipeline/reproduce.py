"""Trains a version again from its lock, and proves that the same model comes out or names what differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.digest import sha256
from mlops_ci.core.lock import Lock, differences
from mlops_ci.core.parity import compare
from mlops_ci.core.records import Candidate, Version
from mlops_ci.core.verdicts import number
from mlops_ci.errors import ConfigurationError, DataGateError, IntegrityError
from mlops_ci.pipeline.dataset import Dataset, load_dataset, split_dataset
from mlops_ci.pipeline.fitting import Fitted, fit
from mlops_ci.pipeline.locking import compute_lock
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Clock, Console, DataFiles, Engine, Exporter, Installation, ModelRuntime, UserCode

if TYPE_CHECKING:
    from pandas import DataFrame

DECISIVE = ("model", "code", "data", "params")
"""Parts of the lock without which nothing can be proved. Other packages or another toolkit may train the same model."""


@dataclass(frozen=True, kw_only=True)
class Apart:
    """How far the answers of the two graphs are apart on the holdout; None where they cannot be compared."""

    rows: int
    max_abs_diff: float | None
    flips: int


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """`onnx` is the digest on record, `again` that of the graph trained now: None where an input differs too much.

    `differences` are between the version's lock and what is here; `machine` those that are no part of a lock, looked
    at where the digests differ only.
    """

    version: Version
    onnx: str
    again: str | None
    differences: tuple[str, ...]
    machine: tuple[str, ...]
    apart: Apart | None
    seconds: float

    @property
    def reproduced(self) -> bool:
        return self.again == self.onnx

    @property
    def finding(self) -> str:
        """What came out, in a sentence."""
        name = f"version {self.version.version}"
        if self.reproduced:
            though = ", though not all inputs are the same" if self.differences else ""
            return f"{name} is reproduced: the same ONNX digest{though}"
        if self.again is None:
            return f"{name} is not reproduced: an input is not the one of its lock, so nothing was trained"
        if self.differences:
            return f"{name} is not reproduced: another ONNX digest, and not all inputs are the same"
        if self.machine:
            return f"{name} is not reproduced: all inputs are the same, but the machine is another one"
        return f"{name} is not reproduced, though all inputs are the same: training is not deterministic"

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.version.model,
            "version": self.version.version,
            "lock": self.version.lock,
            "commit": self.version.commit,
            "reproduced": self.reproduced,
            "finding": self.finding,
            "onnx": self.onnx,
            "again": self.again,
            "differences": list(self.differences),
            "machine": list(self.machine),
            "apart": None if self.apart is None else asdict(self.apart),
            "seconds": self.seconds,
        }


def reproduce(
    version: Version,
    config: ModelConfig,
    *,
    also_in: Path,
    data: DataFiles,
    user_code: UserCode,
    installed: Installation,
    exporter: Exporter,
    runtime: ModelRuntime,
    engine: Engine,
    registry: Registry,
    console: Console,
    clock: Clock,
) -> Reproduction:
    """Reads, and never writes, the store. `config` is that of the version's commit, in a folder as it was then.

    Data that are not in Git are looked for in the folder `also_in` too. Raises NotFoundError or IntegrityError where
    the store has no candidate for the version, ConfigurationError where that has no graph.
    """
    started = clock.monotonic()
    candidate, before = _on_record(version, registry)
    found = _nearest_data(data, config, before, (config.root, also_in))
    after = compute_lock(config, found, user_code, installed)
    said = tuple(differences(before, after))
    assert candidate.onnx is not None  # noqa: S101 - `_on_record` has seen to it
    fitted: Fitted | None = None
    if not any(getattr(before, part) != getattr(after, part) for part in DECISIVE):
        rows, holdout = split_dataset(load_dataset(config, found, user_code), config)
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
    again = None if fitted is None else sha256(fitted.graph) if fitted.graph else "none"
    apart: Apart | None = None
    machine: tuple[str, ...] = ()
    if fitted is not None and again != candidate.onnx:
        apart = _apart(candidate, fitted, holdout, registry, runtime)
        machine = tuple(_other(candidate.machine, installed.machine()))
    return Reproduction(
        version=version,
        onnx=candidate.onnx,
        again=again,
        differences=said,
        machine=machine,
        apart=apart,
        seconds=round(clock.monotonic() - started, 3),
    )


@dataclass(frozen=True)
class _DataIn:
    """The same data files, whose relative paths are looked for in another folder, or that are not there at all."""

    data: DataFiles
    folder: Path
    files: Mapping[str, str]

    def digests(self, _source: str, _root: Path) -> Mapping[str, str]:
        return self.files

    def read(self, source: str, _root: Path, *, texts: Collection[str] = ()) -> DataFrame:
        return self.data.read(source, self.folder, texts=texts)


def _nearest_data(data: DataFiles, config: ModelConfig, lock: Lock, folders: tuple[Path, ...]) -> DataFiles:
    """The data of the first of the folders that has those of the lock; else of the first that has any; else none."""
    there = []
    for folder in folders:
        try:
            there.append(_DataIn(data, folder, dict(data.digests(config.data.source, folder))))
        except DataGateError:
            continue
    exact = [found for found in there if found.files == dict(lock.data)]
    return (exact or there or [_DataIn(data, config.root, {})])[0]


def _on_record(version: Version, registry: Registry) -> tuple[Candidate, Lock]:
    candidate = registry.find_candidate(version.model, version.lock)
    if candidate is None:
        what = f"the store has version {version.version} of {version.model}, but not what its lock trained"
        raise IntegrityError(what, fix="restore candidates/ of the store from a backup")
    if candidate.onnx is None:
        what = f"version {version.version} of {version.model} has no ONNX graph that could be compared"
        raise ConfigurationError(what, where=candidate.refusal.splitlines()[0] if candidate.refusal else "")
    lock = Lock.from_json(registry.get_json(candidate.lock_record))
    if lock.digest != version.lock:
        what = f"the lock that the store keeps for version {version.version} is not the one of its digest"
        raise IntegrityError(what, where=candidate.lock_record, fix="restore the object from a backup")
    return candidate, lock


def _apart(
    candidate: Candidate, fitted: Fitted, holdout: Dataset, registry: Registry, runtime: ModelRuntime
) -> Apart | None:
    """What difference the difference makes: the answers of both graphs for the same rows."""
    if fitted.graph is None or candidate.onnx is None or fitted.signature != candidate.signature:
        return None
    one, other = (
        runtime.load(graph, candidate.signature).predict(holdout.columns)
        for graph in (registry.get_blob(candidate.onnx), fitted.graph)
    )
    parity = compare(one, other, atol=0.0, max_flips=0)
    return Apart(rows=parity.rows, max_abs_diff=number(parity.max_abs_diff), flips=parity.flips)


def _other(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [
        f"{key} {before.get(key, 'unknown')} -> {after.get(key, 'unknown')}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
