"""The outside systems as the pipeline sees them. Adapters implement these; tests may bring small fakes of their own."""

from mlops_ci.ports.data import BatchFiles, BatchOutput, BatchRows, DataFiles, Installation, UserCode
from mlops_ci.ports.delivery import PROBE, Answer, Forge, Instance, PullRequest, Repository, ScoringClient, Target
from mlops_ci.ports.machine import Clock, Console, ObjectStore
from mlops_ci.ports.training import (
    Conformal,
    Coverage,
    Engine,
    Explainer,
    Exporter,
    Item,
    LoadedModel,
    ModelRuntime,
    Result,
    Shared,
    Tracker,
)

__all__ = [
    "PROBE",
    "Answer",
    "BatchFiles",
    "BatchOutput",
    "BatchRows",
    "Clock",
    "Conformal",
    "Console",
    "Coverage",
    "DataFiles",
    "Engine",
    "Explainer",
    "Exporter",
    "Forge",
    "Installation",
    "Instance",
    "Item",
    "LoadedModel",
    "ModelRuntime",
    "ObjectStore",
    "PullRequest",
    "Repository",
    "Result",
    "ScoringClient",
    "Shared",
    "Target",
    "Tracker",
    "UserCode",
]
