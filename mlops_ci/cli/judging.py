"""The steps of a pull request for one model, each run once and handed on to the next."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.cli.context import Context
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.data_change import AcceptedData
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Candidate, Release
from mlops_ci.errors import NotFoundError, OutsideError
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.check import CheckResult
from mlops_ci.pipeline.desired_state import read_desired
from mlops_ci.pipeline.evaluate import WITHHELD, Evaluation, evaluate
from mlops_ci.pipeline.export import ExportResult, export
from mlops_ci.pipeline.train import TrainResult, train

if TYPE_CHECKING:
    from mlops_ci.pipeline.dataset import Dataset
    from mlops_ci.pipeline.division import Parts
    from mlops_ci.ports import Repository


class ModelRun:
    """What the steps found for the present state of the files; nothing is read or trained twice."""

    def __init__(
        self, context: Context, config: ModelConfig, *, limits_only: bool = False, main: Repository | None = None
    ) -> None:
        """`limits_only`: nobody is to ask what serves, since whoever runs this may not read the store. `main` is where
        to read what production serves; the checkout, where it is left out.
        """
        self.context = context
        self.config = config
        self.limits_only = limits_only
        self.main = main

    @property
    def folder(self) -> Path:
        """Where this machine keeps what people look at: the graph and the reports of the present lock."""
        return self.context.work / "candidates" / self.config.model / self.trained.lock

    @cached_property
    def checked(self) -> CheckResult:
        from mlops_ci.pipeline.check import check

        context = self.context
        return check(self.config, context.data, context.user_code, clock=context.clock, accepted=self.accepted)

    @cached_property
    def accepted(self) -> AcceptedData | None:
        """The data of the champion, or of the newest version where there is none; None where there is neither.

        Without limits in the data schema a store that is out of reach keeps nobody from checking data.
        """
        if self.limits_only:
            return None
        context, schema = self.context, self.config.data.schema
        try:
            if self.champion is not None:
                digest: str | None = self.champion.evidence.get("profile")
                version = self.champion.version
            elif versions := context.registry.versions(self.config.model):
                candidate = context.registry.find_candidate(self.config.model, versions[-1].lock)
                digest, version = candidate.profile if candidate else None, versions[-1].version
            else:
                return None
            profile = context.registry.get_json(digest) if digest else None
        except (NotFoundError, OutsideError) as error:
            if schema is not None and schema.limits_change:
                raise
            context.console.warn(f"the data are not compared with those accepted last: {error.what}")
            return None
        return AcceptedData(name=f"version {version}", profile=profile) if profile else None

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
            engine=context.engine(self.config),
            registry=context.registry,
            console=context.console,
            clock=context.clock,
            commit=(repository.commit() or "") if repository else "",
            checked=lambda: self.checked,
            explainer=context.explainer(self.config),
            conformal=context.conformal(self.config),
        )

    @property
    def candidate(self) -> Candidate:
        return self.trained.candidate

    @property
    def parts(self) -> Parts:
        """Training rows, holdout and validation sets."""
        return self.checked.divided()

    @property
    def split(self) -> tuple[Dataset, Dataset]:
        """Training rows and holdout."""
        return self.parts.training, self.parts.holdout

    @cached_property
    def exported(self) -> ExportResult:
        """The graph, once its parity is proved; then it is also in the folder."""
        from mlops_ci.adapters.atomic_file import write_atomically

        context = self.context
        result = export(
            self.candidate,
            self.config,
            registry=context.registry,
            runtime=context.runtime,
            holdout=self.split[1],
        )
        write_atomically(self.graph, result.graph)
        return result

    @property
    def graph(self) -> Path:
        return self.folder / "model.onnx"

    @cached_property
    def native_answers(self) -> Predictions:
        """What the native model itself answered for the holdout."""
        return reference.decode(self.context.registry.get_blob(self.candidate.reference))

    @cached_property
    def champion(self) -> Release | None:
        """The release that production's file in Git names; None where there is none yet, or no Git.

        Raises NotFoundError where the store does not have it: that is another store than the one it was made in.
        """
        repository = self.main or self.context.repository_if_any
        if repository is None or self.limits_only:
            return None
        desired = read_desired(repository, self.config.environments[-1].name, self.config.model)
        try:
            return self.context.registry.release(desired.release) if desired else None
        except NotFoundError as error:
            raise NotFoundError(
                f"{error.what}, and Git says that it serves",
                where=error.where,
                fix="name the store that has it (MLOPS_STORE or --store), or judge the model by its declared limits "
                "alone: mlops-ci ci --limits-only",
            ) from error

    @cached_property
    def evaluated(self) -> Evaluation:
        context = self.context
        return evaluate(
            self.config,
            self.candidate,
            training=self.parts.training,
            holdout=self.parts.holdout,
            validation=self.parts.validation,
            data=self.checked.to_report_json(),
            champion=self.champion,
            withheld=WITHHELD if self.limits_only else "",
            registry=context.registry,
            runtime=context.runtime,
            clock=context.clock,
            console=context.console,
        )
