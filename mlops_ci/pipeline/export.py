"""Hands out a candidate's ONNX graph, once it is proved to answer as the native model did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.digest import sha256
from mlops_ci.core.parity import Offender, Parity, compare
from mlops_ci.core.predictions import Predictions, joined
from mlops_ci.core.probes import Probes, answer_apart
from mlops_ci.core.records import Candidate
from mlops_ci.errors import ConfigurationError, ParityError, Problem
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.dataset import Dataset, private_columns, row_digest
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import LoadedModel, ModelRuntime

SHOWN_VALUES = 300
"""Characters of a row's own values that an offender's line may take."""


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    graph: bytes
    parity: Parity

    @property
    def digest(self) -> str:
        return sha256(self.graph)

    def to_json(self) -> dict[str, Any]:
        return {"digest": self.digest, "parity": self.parity.to_json()}


class AnswersDiffer(ParityError):
    """There is a graph, and it answers otherwise than the native model: `parity` says how."""

    def __init__(self, what: str, *, parity: Parity, **more: Any) -> None:
        super().__init__(what, **more)
        self.parity = parity


@dataclass(frozen=True, kw_only=True)
class MeasuredParity:
    """The graph as stored and as loaded, its answers for the holdout rows, and how it compares with the native model.

    `probes` are the adversarial rows that were compared too.
    """

    graph: bytes
    model: LoadedModel
    answers: Predictions
    parity: Parity
    probes: Probes | None


def export(
    candidate: Candidate, config: ModelConfig, *, registry: Registry, runtime: ModelRuntime, holdout: Dataset
) -> ExportResult:
    """The graph, whose parity is checked.

    Raises ParityError with the reason where there is no graph, AnswersDiffer with the offending rows where it answers
    otherwise.
    """
    measured = measure_parity(candidate, config, registry=registry, runtime=runtime, holdout=holdout)
    if not measured.parity.ok:
        raise _failed(measured, config, holdout)
    return ExportResult(graph=measured.graph, parity=measured.parity)


def measure_parity(
    candidate: Candidate, config: ModelConfig, *, registry: Registry, runtime: ModelRuntime, holdout: Dataset
) -> MeasuredParity:
    """Asks the graph about holdout and adversarial rows, and compares with the native model's answers, as stored.

    Raises ParityError where there is no graph to compare or it cannot answer the holdout, and ConfigurationError where
    `holdout` is not the one that the candidate was trained beside.
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
    probes = stored_probes(candidate, registry)
    try:
        model = runtime.load(graph, candidate.signature)
        answers = model.predict(holdout.columns)
        if len(answers) != len(native):
            raise ValueError(f"the native model answered {len(native)} rows, and the holdout has {len(answers)}")
        ours, theirs, refused = native, answers, 0
        if probes is not None:
            refused, probes = int(probes.refused.sum()), probes.take(~probes.refused)
            said, _ = answer_apart(model.predict, probes.columns, candidate.signature)
            ours, theirs = joined([native, probes.answers]), joined([answers, said])
        parity = compare(
            ours, theirs, atol=config.parity.atol, max_flips=config.parity.max_flips,
            probes=probes, columns=holdout.columns,
        )  # fmt: skip
    except ValueError as error:
        raise ParityError(str(error), where=config.model) from error
    return MeasuredParity(
        graph=graph, model=model, answers=answers, parity=replace(parity, refused=refused), probes=probes
    )


def stored_probes(candidate: Candidate, registry: Registry) -> Probes | None:
    """The candidate's adversarial rows; None where it has none."""
    if candidate.probes is None:
        return None
    return Probes.from_json(registry.get_json(candidate.probes), candidate.signature)


def _failed(measured: MeasuredParity, config: ModelConfig, holdout: Dataset) -> AnswersDiffer:
    limit = f"{config.parity.atol:g} and {config.parity.max_flips} labels are allowed"
    private = private_columns(config)
    return AnswersDiffer(
        f"the ONNX graph does not answer as the native model: {measured.parity.text}; {limit}",
        parity=measured.parity,
        where=config.model,
        fix="docs/export.md says which estimators answer exactly, and what to use instead of the others",
        problems=[_offender(offender, measured, holdout, private) for offender in measured.parity.offenders],
    )


def _offender(offender: Offender, measured: MeasuredParity, holdout: Dataset, private: frozenset[str]) -> Problem:
    native, onnx = (", ".join(f"{value:.9g}" for value in answer[:10]) for answer in (offender.native, offender.onnx))
    labels = f"; label {offender.native_label} became {offender.onnx_label}" if offender.flipped else ""
    columns, where = holdout.columns, f"holdout row {offender.row}"
    first: tuple[str, ...] = ()
    if offender.kind != "holdout" and measured.probes is not None:
        columns, first = measured.probes.columns, measured.probes.changes[offender.row]
        where = f"adversarial row {offender.row} ({offender.kind}: {', '.join(first[:3])})"
    values = ", ".join(
        f"{name}={'(private)' if name in private else repr(columns[name][offender.row : offender.row + 1].tolist()[0])}"
        for name in dict.fromkeys([*first, *columns])
    )
    shown = values if len(values) <= SHOWN_VALUES else f"{values[:SHOWN_VALUES]} ..."
    return Problem(where=where, what=f"native {native}, ONNX {onnx}{labels}; {shown}")
