"""The completed configuration of one model: every default filled in, nothing left to guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from mlops_ci.config.diagnostics import DiagnosticsConfig
from mlops_ci.config.schema_types import DataSchema
from mlops_ci.config.search_types import SearchConfig
from mlops_ci.core.calendar import Freeze, Window
from mlops_ci.core.cluster_settings import KubernetesSettings, TerraformSettings
from mlops_ci.core.serving import ResourceLimits, ServingConfig
from mlops_ci.core.signature import Task
from mlops_ci.core.spending import Spending

SplitStrategy = Literal["random", "stratified", "group", "time"]
Risk = Literal["normal", "high"]
TargetKind = Literal["process", "docker", "kubernetes", "terraform"]


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where the data are and which columns play which part.

    `features` empty means all columns but target, id, time and group. `schema` is None where none is declared.
    """

    source: str
    target: str
    id: str | None
    time: str | None
    group: str | None
    features: tuple[str, ...]
    schema: DataSchema | None
    prepare: str | None


@dataclass(frozen=True, kw_only=True)
class ValidationSetConfig:
    """A named set of rows that judge; `share` is of all rows, `by` the column of the groups, classes or times."""

    name: str
    strategy: SplitStrategy
    by: str | None
    share: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    strategy: SplitStrategy
    holdout: float
    seed: int
    validation: tuple[ValidationSetConfig, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """`engine` says where a search runs, and is no part of the lock: all engines find the same model."""

    entrypoint: str
    params: Mapping[str, Any]
    search: SearchConfig | None
    engine: str
    seed: int
    threads: int
    diagnostics: DiagnosticsConfig


@dataclass(frozen=True, kw_only=True)
class PrimaryConfig:
    metric: str
    margin: float
    alpha: float


@dataclass(frozen=True, kw_only=True)
class GuardrailConfig:
    """A declared limit for the challenger alone; inclusive."""

    metric: str
    min: float | None
    max: float | None


@dataclass(frozen=True, kw_only=True)
class SliceConfig:
    by: str
    metric: str
    max_drop: float
    min_rows: int


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    name: str
    metric: str
    max_drop: float
    min_rows: int


@dataclass(frozen=True, kw_only=True)
class FairnessConfig:
    by: str
    metric: str
    min: float | None
    max: float | None
    min_rows: int


@dataclass(frozen=True, kw_only=True)
class WaiverConfig:
    """Lets one named blocking verdict pass until (and including) the day `expires`."""

    verdict: str
    reason: str
    approver: str
    expires: date


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    primary: PrimaryConfig
    guardrails: tuple[GuardrailConfig, ...]
    slices: tuple[SliceConfig, ...]
    fairness: tuple[FairnessConfig, ...]
    looks: int
    waivers: tuple[WaiverConfig, ...]
    ships: tuple[str, ...]
    resamples: int
    validation: tuple[ValidationConfig, ...] = ()
    spending: Spending = "front"


@dataclass(frozen=True, kw_only=True)
class ParityConfig:
    atol: float
    max_flips: int


@dataclass(frozen=True, kw_only=True)
class CardConfig:
    """What people are told of the model, in the words of those who answer for it; empty where nothing was written."""

    description: str
    owners: tuple[str, ...]
    intended_use: str
    out_of_scope: str
    limitations: str


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """`platform` None is the Docker engine's own; without `push` the image stays in this machine's engine.

    `public_key` is a path relative to the model's root: where there is one, only what its key signed is deployed.
    """

    repository: str
    base: str = "python:3.11-slim"
    platform: str | None = None
    push: bool = True
    public_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class VerificationConfig:
    """The load that a deployed service gets, and its limits: inclusive; memory in millions of bytes."""

    rate: int = 20
    duration: timedelta = timedelta(seconds=2)
    latency_p99_ms: float = 250.0
    error_rate: float = 0.0
    memory_mb: float = 1024.0


@dataclass(frozen=True, kw_only=True)
class ApprovalsConfig:
    """How many people have to agree: `required`, and `high_risk` where the model is marked as such."""

    required: int
    people: tuple[str, ...]
    """`from` in the file: users (`ada`) and teams (`@acme/ml-owners`); empty: the owners, or anybody but the author."""
    high_risk: int = 2

    def needed(self, risk: Risk) -> int:
        return self.high_risk if risk == "high" else self.required


@dataclass(frozen=True, kw_only=True)
class AbConfig:
    """The new release keeps `share` per cent of the traffic for `duration`, to be compared with the other."""

    share: int
    duration: timedelta


@dataclass(frozen=True, kw_only=True)
class RolloutConfig:
    """`steps` are the new release's shares of traffic in per cent; the last is 100.

    A step lasts for `window`, and on until the release has had `min_requests` live ones, but not beyond `deadline`
    (one that is shorter than the window counts as the window). `shadow` is how long it gets copies only before that.
    """

    steps: tuple[int, ...]
    window: timedelta
    min_requests: int = 0
    deadline: timedelta = timedelta(0)
    shadow: timedelta = timedelta(0)
    ab: AbConfig | None = None
    false_aborts: float = 0.01


@dataclass(frozen=True, kw_only=True)
class EnvironmentConfig:
    name: str
    target: TargetKind
    approvals: ApprovalsConfig
    rollout: RolloutConfig
    soak: timedelta
    windows: tuple[Window, ...] = ()
    """When releases may come in; empty means at any time."""
    freezes: tuple[Freeze, ...] = ()
    limits: ResourceLimits | None = None
    """None where another target than docker says itself what a service may use, or cannot say it."""
    terraform: TerraformSettings | None = None
    kubernetes: KubernetesSettings | None = None


@dataclass(frozen=True, kw_only=True)
class EventLogConfig:
    """`public_key` is a path relative to the model's root: where there is one, events have to be signed by its key."""

    public_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class MonitorConfig:
    """`window` is the calendar length of one comparison; a feature's alarm needs two of the last five windows."""

    window: timedelta
    false_alarms_per_month: float
    min_rows: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RetrainConfig:
    schedule: str | None
    on: tuple[str, ...]
    cooldown: timedelta


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """One model. `root` is the folder of its `mlops.yaml`; all paths in the file are relative to it.

    `environments` are in the order of the file: a release moves through them from the first to the last, and the
    last one's release is the champion.
    """

    root: Path
    path: Path
    model: str
    task: Task
    data: DataConfig
    split: SplitConfig
    train: TrainConfig
    gate: GateConfig
    parity: ParityConfig
    card: CardConfig
    image: ImageConfig | None
    verification: VerificationConfig
    serving: ServingConfig
    environments: tuple[EnvironmentConfig, ...]
    monitor: MonitorConfig
    retrain: RetrainConfig
    risk: Risk = "normal"
    shared: tuple[str, ...] = ()
    """Files, folders and patterns, relative to `root`, that the model is made from besides its own folder and data."""
    log: EventLogConfig = EventLogConfig()

    def environment(self, name: str) -> EnvironmentConfig | None:
        return next((environment for environment in self.environments if environment.name == name), None)
