"""Hands out a candidate's ONNX graph, once it is proved to answer as the native model did."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.digest import sha256
from mlops_ci.core.parity import Offender, Parity, compare
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Candidate
from mlops_ci.errors import ConfigurationError, OutsideError, ParityError, Problem
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.dataset import Dataset, private_columns, row_digest
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import LoadedModel, ModelRuntime

SHOWN_VALUES = 300
"""Characters of a row's own values that an offender's line may take."""


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """`onnx` is where the graph was written; None where no path was asked for."""

    onnx: Path | None
    digest: str
    parity: Parity

    def to_json(self) -> dict[str, Any]:
        return {
            "onnx": None if self.onnx is None else str(self.onnx),
            "digest": self.digest,
            "parity": self.parity.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class MeasuredParity:
    """The graph as stored and as loaded, its answers for the holdout rows, and how they compare with the native."""

    graph: bytes
    model: LoadedModel
    answers: Predictions
    parity: Parity


def export(
    candidate: Candidate,
    config: ModelConfig,
    *,
    registry: Registry,
    runtime: ModelRuntime,
    holdout: Dataset,
    path: Path | None = None,
) -> ExportResult:
    """Checks parity and writes the graph to `path`, whole or not at all.

    Raises ParityError with the reason where there is no graph, and with the offending rows where it answers otherwise.
    """
    measured = measure_parity(candidate, config, registry=registry, runtime=runtime, holdout=holdout)
    if not measured.parity.ok:
        raise _failed(measured.parity, config, holdout)
    if path is not None:
        _write(path, measured.graph)
    return ExportResult(onnx=path, digest=sha256(measured.graph), parity=measured.parity)


def measure_parity(
    candidate: Candidate, config: ModelConfig, *, registry: Registry, runtime: ModelRuntime, holdout: Dataset
) -> MeasuredParity:
    """Asks the graph about the holdout rows and compares with the native model's stored answers for them.

    Raises ParityError where there is no graph to compare or it cannot answer, and ConfigurationError where `holdout`
    is not the one that the candidate was trained beside.
    """
    if candidate.onnx is None:
        what, _, fix = candidate.refusal.partition("\nfix: ")
        raise ParityError(what or "the candidate has no ONNX graph", fix=fix)
    if row_digest(holdout) != candidate.holdout:
        raise ConfigurationError(
            "the holdout is not the one that this candidate was trained beside",
            where=config.data.source,
            fix=f"mlops-ci train {config.model}",
        )
    graph = registry.get_blob(candidate.onnx)
    native = reference.decode(registry.get_blob(candidate.reference))
    try:
        model = runtime.load(graph, candidate.signature)
        answers = model.predict(holdout.columns)
        parity = compare(native, answers, atol=config.parity.atol, max_flips=config.parity.max_flips)
    except ValueError as error:
        raise ParityError(str(error), where=config.model) from error
    return MeasuredParity(graph=graph, model=model, answers=answers, parity=parity)


def _failed(parity: Parity, config: ModelConfig, holdout: Dataset) -> ParityError:
    limit = f"{config.parity.atol:g} and {config.parity.max_flips} labels are allowed"
    what = (
        f"the ONNX graph does not answer as the native model: {parity.over} of {parity.rows} rows differ too much "
        f"(by up to {parity.max_abs_diff:.3g}), {parity.flips} labels are others; {limit}"
    )
    return ParityError(
        what,
        where=config.model,
        fix="docs/export.md says which estimators answer exactly, and what to use instead of the others",
        problems=[_offender(offender, holdout, private_columns(config)) for offender in parity.offenders],
    )


def _offender(offender: Offender, holdout: Dataset, private: frozenset[str]) -> Problem:
    native, onnx = (", ".join(f"{value:.9g}" for value in answer[:10]) for answer in (offender.native, offender.onnx))
    labels = f"; label {offender.native_label} became {offender.onnx_label}" if offender.flipped else ""
    values = ", ".join(
        f"{name}={'(private)' if name in private else repr(column[offender.row : offender.row + 1].tolist()[0])}"
        for name, column in holdout.columns.items()
    )
    shown = values if len(values) <= SHOWN_VALUES else f"{values[:SHOWN_VALUES]} ..."
    what = f"native {native}, ONNX {onnx}{labels}; {shown}"
    return Problem(where=f"holdout row {offender.row}", what=what)


def _write(path: Path, data: bytes) -> None:
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(data)
        os.replace(temporary, path)  # noqa: PTH105 - both names are texts
        temporary = ""
    except OSError as error:
        raise OutsideError(f"cannot write: {error.strerror or error}", where=str(path)) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
