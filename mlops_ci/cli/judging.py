"""The steps of a pull request for one model, each run once and handed on to the next."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.cli.context import Context
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Candidate, Release
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.check import CheckResult
from mlops_ci.pipeline.desired_state import read_desired
from mlops_ci.pipeline.evaluate import Evaluation, evaluate
from mlops_ci.pipeline.export import ExportResult, export
from mlops_ci.pipeline.train import TrainResult, train

if TYPE_CHECKING:
    from mlops_ci.pipeline.dataset import Dataset


class ModelRun:
    """What the steps found for the present state of the files; nothing is read or trained twice."""

    def __init__(self, context: Context, config: ModelConfig) -> None:
        self.context = context
        self.config = config

    @property
    def folder(self) -> Path:
        """Where this machine keeps what people look at: the graph and the reports of the present lock."""
        return self.context.work / "candidates" / self.config.model / self.trained.lock

    @cached_property
    def checked(self) -> CheckResult:
        from mlops_ci.pipeline.check import check

        return check(self.config, self.context.data, self.context.user_code)

    @cached_property
    def trained(self) -> TrainResult:
        context = self.context
        repository = context.repository_if_any
        return train(
            self.config,
            data=context.data,
            user_code=context.user_code,
            installed=context.installed,
            exporter=context.exporter,
            runtime=context.runtime,
            registry=context.registry,
            console=context.console,
            clock=context.clock,
            commit=(repository.commit() or "") if repository else "",
            checked=self.__dict__.get("checked"),
        )

    @property
    def candidate(self) -> Candidate:
        return self.trained.candidate

    @cached_property
    def split(self) -> tuple[Dataset, Dataset]:
        """Training rows and holdout."""
        from mlops_ci.pipeline.dataset import build_dataset, split_dataset

        return split_dataset(build_dataset(self.checked.passed(), self.config), self.config)

    @cached_property
    def exported(self) -> ExportResult:
        context = self.context
        return export(
            self.candidate,
            self.config,
            registry=context.registry,
            runtime=context.runtime,
            holdout=self.split[1],
            path=self.folder / "model.onnx",
        )

    @cached_property
    def native_answers(self) -> Predictions:
        """What the native model itself answered for the holdout."""
        return reference.decode(self.context.registry.get_blob(self.candidate.reference))

    @cached_property
    def champion(self) -> Release | None:
        """The release that production's file in Git names; None where there is none yet, or no Git."""
        repository = self.context.repository_if_any
        if repository is None:
            return None
        desired = read_desired(repository, self.config.environments[-1].name, self.config.model)
        return self.context.registry.release(desired.release) if desired else None

    @cached_property
    def evaluated(self) -> Evaluation:
        context = self.context
        training, holdout = self.split
        return evaluate(
            self.config,
            self.candidate,
            training=training,
            holdout=holdout,
            champion=self.champion,
            registry=context.registry,
            runtime=context.runtime,
            clock=context.clock,
            console=context.console,
        )
