"""What of an evaluation a comment shows: its shape, for evaluations that an untrusted job wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_ci.core.shape import known_part, misfits
from mlops_ci.core.verdicts import BLOCKING, DECISIONS
from mlops_ci.pipeline.reported_diagnostics import Diagnostics

Number = float | None
Texts = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Primary:
    metric: str
    champion: Number
    challenger: Number
    difference: Number
    lower: Number
    upper: Number
    alpha: float
    margin: float
    minimum_detectable_effect: Number
    rows: int
    rows_needed: int | None


@dataclass(frozen=True, kw_only=True)
class Limit:
    by: str
    metric: str
    value: Number
    min: Number
    max: Number
    ok: bool
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Slice:
    by: str
    value: str
    metric: str
    rows: int
    champion: Number
    challenger: Number
    difference: Number
    lower: Number
    ok: bool
    verdict: str


@dataclass(frozen=True, kw_only=True)
class ValidationSet:
    name: str
    strategy: str
    metric: str
    rows: int
    champion: Number
    challenger: Number
    difference: Number
    lower: Number
    ok: bool
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Group:
    value: str
    rows: int
    measures: Mapping[str, Number]


@dataclass(frozen=True, kw_only=True)
class Groups:
    by: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class Waiver:
    verdict: str
    reason: str
    approver: str
    expires: str
    findings: Texts


@dataclass(frozen=True, kw_only=True)
class Looks:
    used: int
    allowed: int


@dataclass(frozen=True, kw_only=True)
class Metric:
    champion: Number
    challenger: Number
    difference: Number = None
    champion_interval: tuple[Number, ...] | None = None
    challenger_interval: tuple[Number, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ProblemFound:
    where: str
    what: str
    fix: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class DataChange:
    column: str
    what: str
    before: str | Number
    after: str | Number
    distance: Number


@dataclass(frozen=True, kw_only=True)
class DataFound:
    problems: tuple[ProblemFound, ...] = ()
    warnings: tuple[ProblemFound, ...] = ()
    changes: tuple[DataChange, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ParityOfKind:
    kind: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class ParityFound:
    rows: int
    max_abs_diff: Number
    flips: int
    ok: bool
    kinds: tuple[ParityOfKind, ...] = ()
    columns: Texts = ()


@dataclass(frozen=True, kw_only=True)
class Rows:
    train: int
    holdout: int


@dataclass(frozen=True, kw_only=True)
class Card:
    description: str = ""
    owners: Texts = ()
    intended_use: str = ""
    out_of_scope: str = ""
    limitations: str = ""
    target: str = ""
    source: str = ""
    features: Texts = ()
    classes: Texts = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""
    training_period: str = ""
    holdout_period: str = ""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An evaluation with its verdict."""

    model: str
    verdict: str
    ships: bool
    reasons: Texts
    primary: Primary
    guardrails: tuple[Limit, ...]
    slices: tuple[Slice, ...]
    looks: Looks
    rows: Rows
    validation: tuple[ValidationSet, ...] = ()
    fairness: tuple[Limit, ...] = ()
    fairness_groups: tuple[Groups, ...] = ()
    waived: tuple[Waiver, ...] = ()
    lock: str = ""
    commit: str = ""
    task: str = ""
    seconds: Number = None
    champion_release: str | None = None
    champion_version: int | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    performance: Mapping[str, Number] = field(default_factory=dict)
    parity: ParityFound | None = None
    changes: Texts = ()
    diagnostics: Diagnostics | None = None
    card: Card | None = None
    data: DataFound | None = None
    private: Texts = ()
    notes: Texts = ()
    withheld: str = ""


@dataclass(frozen=True, kw_only=True)
class Unjudged:
    """What kept the evaluation from being made."""

    model: str
    failed: str
    data: DataFound


def reported(value: Any) -> Mapping[str, Any]:
    """The part of an evaluation that a comment shows; what else it holds is left out.

    Raises ValueError where it is of another shape, or its verdict is none.
    """
    kind = Judged if isinstance(value, dict) and "verdict" in value else Unjudged
    known = known_part(value, kind)
    if faults := misfits(known, kind):
        raise ValueError("; ".join(faults[:5]))
    if "verdict" in known and known["verdict"] not in (*DECISIONS, *BLOCKING):
        raise ValueError(f"there is no verdict {known['verdict'][:80]!r}")
    for metric in known.get("metrics", {}).values():
        ends = [metric.get(f"{who}_interval") for who in ("champion", "challenger")]
        if any(pair is not None and len(pair) != 2 for pair in ends):
            raise ValueError("an interval of a metric has not two ends")
    evaluation: Mapping[str, Any] = known
    return evaluation
