"""Builds the adapters that a command needs, once each, from its arguments and its environment."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.environment import Environment, GitHub
from mlops_ci.adapters.git import GitRepository
from mlops_ci.cli import forges
from mlops_ci.config.types import EnvironmentConfig, ModelConfig
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import (
    BatchFiles,
    Clock,
    Conformal,
    Console,
    DataFiles,
    Engine,
    Explainer,
    Exporter,
    Forge,
    Installation,
    KeptStore,
    ModelRuntime,
    ObjectStore,
    Publisher,
    Repository,
    Target,
    Tracker,
    UserCode,
)

if TYPE_CHECKING:
    from mlops_ci.adapters.docker_engine import DockerImages
    from mlops_ci.adapters.github_api import GitHubApi
    from mlops_ci.adapters.local_forge import LocalForge
    from mlops_ci.adapters.scoring_client import HttpScoringClient
    from mlops_ci.ports.images import ImageParts

WORK_FOLDER = ".mlops"


class Context:
    """What is around a command. Nothing is opened, and no heavy library imported, before it is asked for."""

    def __init__(self, *, directory: Path, store_url: str | None, environment: Environment, console: Console) -> None:
        if not directory.is_dir():
            raise ConfigurationError(f"there is no folder {directory}", fix="name the repository's folder with -C")
        self.directory = directory.resolve()
        self.environment = environment
        self.console = console
        self.clock: Clock = SystemClock()
        self._store_url = store_url or environment.store

    @cached_property
    def work(self) -> Path:
        """The folder for what is local to this machine; Git is told to ignore it."""
        folder = self.directory / WORK_FOLDER
        ignore = folder / ".gitignore"
        if not ignore.exists():
            try:
                folder.mkdir(exist_ok=True)
                ignore.write_text("*\n", encoding="utf-8")
            except OSError as error:
                raise ConfigurationError(
                    f"cannot write to {folder}: {error.strerror}", fix="make it writable"
                ) from error
        return folder

    @property
    def run_folder(self) -> Path:
        """Where the services of this machine keep their files; MLOPS_RUN names one that outlives the checkout."""
        return self.directory / (self.environment.run or self.work / "run")

    @cached_property
    def store(self) -> ObjectStore:
        """Raises ConfigurationError where an outbox is asked for and the command has none: it would write past it."""
        if self.environment.outbox:
            raise ConfigurationError(
                "MLOPS_OUTBOX is set, and this command has no outbox",
                fix="unset it: it is for check, train, export, evaluate, report and ci",
            )
        return self.open_store()

    def use_store(self, store: ObjectStore) -> None:
        """Has the command read and write there; to be called before anything has been read."""
        self.__dict__["store"] = store

    @property
    def store_named(self) -> bool:
        """Whether somebody said which store; else it is a folder of the checkout."""
        return bool(self._store_url)

    def open_store(self, url: str | None = None) -> KeptStore:
        """The store at the URL, or the one of this command."""
        from mlops_ci.adapters.object_store import open_store

        url = url or self._store_url or str(self.work / "store")
        if url.strip() and "://" not in url:
            url = str(self.directory / url)  # relative to -C, as all paths of a command are
        return open_store(url, options=self.environment.store_options)

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.store)

    @cached_property
    def log(self) -> EventLog:
        from mlops_ci.cli.signing import signing_of

        return EventLog(self.store, self.clock, signing_of(self))

    @cached_property
    def repository(self) -> GitRepository:
        """Raises ConfigurationError where the folder is no Git repository with a commit."""
        repository = self.repository_if_any
        if repository is None:
            raise ConfigurationError(
                f"{self.directory} is no Git repository with a commit",
                fix="git init -b main && git add . && git commit -m 'first commit'",
            )
        return repository

    @cached_property
    def repository_if_any(self) -> GitRepository | None:
        repository = GitRepository(self.directory)
        return repository if repository.exists else None

    @property
    def on_forge(self) -> bool:
        """Whether people propose, review and merge on a forge. Raises ConfigurationError for an unknown MLOPS_FORGE."""
        return forges.kind_of(self) != "local"

    @property
    def on_github(self) -> bool:
        """Whether that is GitHub."""
        return forges.kind_of(self) == "github"

    @cached_property
    def github(self) -> GitHub:
        """Raises ConfigurationError where the forge is not GitHub, or the token or the repository's name is missing."""
        return forges.github_of(self)

    @cached_property
    def github_api(self) -> GitHubApi:
        """The one connection to GitHub of this command; raises what `github` raises."""
        return forges.github_api_of(self)

    @cached_property
    def other_forges(self) -> forges.OtherForges:
        return forges.OtherForges(self)

    @cached_property
    def forge(self) -> Forge:
        """Where people review what this command proposes. Raises ConfigurationError, as `github` does."""
        return forges.forge_of(self)

    @cached_property
    def local_forge(self) -> LocalForge:
        """Raises ConfigurationError where people review on a forge, and no command does it for them."""
        return forges.local_forge_of(self)

    @cached_property
    def shared_repository(self) -> Repository:
        """The repository as everybody sees it, which says what should be: the forge's, or else the checkout.

        What is checked out here is `repository`: with a forge any commit, often alone and on no branch.
        """
        return forges.shared_repository_of(self)

    @cached_property
    def publisher(self) -> Publisher | None:
        """Shows people results on the forge; None where that is this machine's."""
        return forges.publisher_of(self)

    @property
    def actor(self) -> str:
        """Who acts, as the log will name them."""
        if self.environment.actor:
            return self.environment.actor
        repository = self.repository_if_any
        return (repository.user if repository else "") or "unknown"

    @cached_property
    def data(self) -> DataFiles:
        from mlops_ci.adapters.data_files import LocalDataFiles

        return LocalDataFiles(self.environment.store_options)

    @cached_property
    def user_code(self) -> UserCode:
        from mlops_ci.adapters.user_code import PythonUserCode

        return PythonUserCode()

    @cached_property
    def installed(self) -> Installation:
        from mlops_ci.adapters.installed import InstalledPackages

        return InstalledPackages()

    def engine(self, config: ModelConfig) -> Engine:
        """Where the model's search runs: as `mlops.yaml` says, unless this machine's environment says otherwise."""
        from mlops_ci.adapters.engines import choose_engine

        return choose_engine(self.environment.engine or config.train.engine, self.environment.jobs)

    @cached_property
    def batch_files(self) -> BatchFiles:
        from mlops_ci.adapters.batch_files import LocalBatchFiles

        return LocalBatchFiles()

    @cached_property
    def exporter(self) -> Exporter:
        from mlops_ci.adapters.onnx_export import SklearnExporter

        return SklearnExporter()

    @cached_property
    def runtime(self) -> ModelRuntime:
        from mlops_ci.scoring.model import OnnxRuntime

        return OnnxRuntime()

    def explainer(self, config: ModelConfig) -> Explainer | None:
        """Raises ConfigurationError where the model asks for SHAP values and the extra is not installed."""
        from mlops_ci.adapters.shap_values import ShapExplainer

        return ShapExplainer() if config.train.diagnostics.shap else None

    def conformal(self, config: ModelConfig) -> Conformal | None:
        """Raises ConfigurationError where the model asks for prediction intervals and the extra is not installed."""
        from mlops_ci.adapters.conformal import MapieConformal

        return None if config.train.diagnostics.prediction_intervals is None else MapieConformal()

    @cached_property
    def tracker(self) -> Tracker | None:
        """Where the environment names a tracking server, and only there."""
        from mlops_ci.cli.tracking import tracker_of

        return tracker_of(self.environment.tracking, self.console)

    @cached_property
    def client(self) -> HttpScoringClient:
        from mlops_ci.adapters.scoring_client import HttpScoringClient

        return HttpScoringClient()

    @cached_property
    def images(self) -> DockerImages:
        from mlops_ci.adapters.docker_engine import DockerImages

        return DockerImages()

    @cached_property
    def image_parts(self) -> ImageParts:
        from mlops_ci.adapters.bytecode import compile_in
        from mlops_ci.adapters.environment import cache_folder
        from mlops_ci.adapters.image_parts import CachedParts

        return CachedParts(cache_folder() / "mlops-ci", compile_in(self.images))

    def config(self, model: str | None) -> ModelConfig:
        """The configuration of the model, or of the only one there is."""
        from mlops_ci.config.loading import select

        return select(self.directory, model)

    def models(self) -> list[str]:
        """The names of all models of the repository."""
        from mlops_ci.config.loading import declared

        return list(declared(self.directory))

    def target(self, config: ModelConfig, environment: EnvironmentConfig) -> Target:
        """Where the model's services of that environment run."""
        from mlops_ci.cli.targets import target_of

        return target_of(self, config, environment)

    def close(self) -> None:
        """Lets go of the connections to services that were kept."""
        if "client" in self.__dict__:
            self.client.close()

    def in_directory(self, directory: Path) -> Context:
        """The same surroundings and the same store, for the same repository checked out elsewhere."""
        other = Context(
            directory=directory, store_url=self.store.url, environment=self.environment, console=self.console
        )
        other.__dict__ |= {"store": self.store, "registry": self.registry, "log": self.log}
        return other
