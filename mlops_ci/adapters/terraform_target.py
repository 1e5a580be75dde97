"""Environments that a team's own Terraform makes: a root module that is told what to serve, and says where it does.

What is true is in the state, never in a record of ours: a command that was killed is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.adapters.asked_division import is_ready, wait_until_divided, wait_until_ready, why_not_ready
from mlops_ci.adapters.cloudwatch import counts_of, last_words, latest_of, logged_of
from mlops_ci.adapters.disk import refusals_named
from mlops_ci.adapters.file_lock import locked
from mlops_ci.adapters.service_command import cluster_arguments
from mlops_ci.adapters.terraform_environment import Keep, TerraformEnvironment
from mlops_ci.adapters.terraform_module import TerraformModule
from mlops_ci.core.serving_contract import Placed
from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError, VerificationError
from mlops_ci.ports import Console, Instance, RecentRequests

if TYPE_CHECKING:
    from mlops_ci.core.cluster_settings import TerraformSettings
    from mlops_ci.core.log_entry import LogEntry
    from mlops_ci.core.records import Release
    from mlops_ci.core.serving import ServingConfig
    from mlops_ci.core.traffic import LiveCounts

READY_PATIENCE = 600.0
DIVISION_PATIENCE = 180.0


class TerraformTarget:
    """Implements `ports.Target` for one environment of one model.

    `root` is the model's folder; see TerraformEnvironment for `keep` and `releases`. `must_count` says that a rollout
    is going to need live counts.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        environment: str,
        model: str,
        root: Path,
        settings: TerraformSettings,
        serving: ServingConfig,
        console: Console,
        keep: Keep,
        releases: Callable[[], frozenset[str]],
        must_count: bool,
        ready_patience: float = READY_PATIENCE,
        division_patience: float = DIVISION_PATIENCE,
    ) -> None:
        self._folder = run_dir.resolve() / "terraform" / environment / model
        module = TerraformModule((root / settings.directory).resolve(), self._folder, settings, name=environment)
        self._here = TerraformEnvironment(environment, model, module, keep=keep, releases=releases)
        self._service = serving
        self._console = console
        self._must_count = must_count
        self._ready_patience, self._division_patience = ready_patience, division_patience

    @contextmanager
    def exclusive(self, environment: str, model: str) -> Iterator[None]:
        what = f"another command is at work on {model} in {environment}"
        with refusals_named(self._folder), locked(self._folder / "lock", what=what):
            self._here.module.require_quiet()
            self._here.forget()
            self._here.may_change, self._here.is_settled = True, False
            try:
                yield
            finally:
                self._here.may_change = False

    def instances(self, environment: str, model: str) -> Sequence[Instance]:  # noqa: ARG002
        """One for each release that the module was told of.

        A command that may change things is told of those, too, of which an apply that was killed has left something.
        """
        urls = self._here.outputs.urls if self._here.outputs else {}
        found = [_instance(release, url) for release, url in urls.items()]
        trouble = "a change that began to make or end it was not finished"
        left = (
            Instance(release=each, url="", healthy=False, trouble=trouble)
            for each in (self._here.unfinished if self._here.may_change else ())
        )
        return sorted([*found, *left], key=lambda one: one.release)

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:  # noqa: ARG002
        if release.image is None:
            raise ConfigurationError(
                f"release {release.id[:12]} of {release.model} has no image, and {environment} runs nothing else",
                fix="release it again with a section `image:` in mlops.yaml",
            )
        placed = Placed(
            image=release.image, version=release.version,
            arguments=tuple(cluster_arguments(release.id, environment, release.model, self._service)),
        )  # fmt: skip
        known = self._here.outputs.urls.get(release.id) if self._here.outputs else None
        if known and self._here.is_settled and is_ready(known, release.id):
            return Instance(release=release.id, url=known, healthy=True)
        with self._console.working(f"starting {release.model} version {release.version} in {environment}"):
            url = self._here.bring(self._here.serving.with_release(release.id, placed)).urls[release.id]
            trouble = wait_until_ready(url, release.id, patience=self._ready_patience)
        if trouble:
            raise VerificationError(
                f"the service of {release.model} version {release.version} did not become ready within "
                f"{self._ready_patience:g} s: {trouble}{self._last_words(release.id)}",
                where=url,
            )
        return Instance(release=release.id, url=url, healthy=True)

    def stop(self, environment: str, model: str, release: str) -> None:
        if release in self._here.serving.releases or release in self._here.unfinished:
            with self._console.working(f"ending release {release[:12]} of {model} in {environment}"):
                self._here.bring(self._here.serving.without(release))

    def route(self, environment: str, model: str, shares: Mapping[str, int], *, shadow: str | None = None) -> None:
        try:
            wanted = self._here.serving.divided(shares, shadow)
        except KeyError as missing:
            raise OutsideError(f"release {missing.args[0][:12]} of {model} does not run in {environment}") from None
        if not self._here.serving.releases:
            return
        with self._console.working(f"dividing the traffic of {model} in {environment}"):
            outputs = self._here.bring(wanted)
            if wanted.shares:
                wait_until_divided(outputs.url, wanted.shares, patience=self._division_patience)

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:  # noqa: ARG002
        where = self._here.outputs.traffic if self._here.outputs else None
        if where is None:
            if self._must_count and self._here.outputs is not None:
                raise ConfigurationError(
                    f"{environment}: nothing counts its requests, so no step of a rollout could be judged",
                    where=str(self._here.module.directory),
                    fix="give the module an output `traffic`, or write rollout: {steps: [100]} for the environment",
                )
            return {}
        return counts_of(where, tuple(self._here.serving.releases))

    def shares(self, environment: str, model: str) -> Mapping[str, int]:  # noqa: ARG002
        """What the module was told last. A command that may change things finishes first what one before it began."""
        if self._here.may_change and not self._here.is_settled and self._here.outputs is not None:
            self._here.bring(self._here.serving)
        return self._here.serving.shares

    def url(self, environment: str, model: str) -> str:  # noqa: ARG002
        if self._here.outputs is None:
            raise OutsideError(f"nothing was applied yet in {environment}", where=str(self._here.module.directory))
        return self._here.outputs.url

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> RecentRequests:  # noqa: ARG002
        where = self._here.outputs.logs if self._here.outputs else None
        return latest_of(where, release, limit) if where else RecentRequests()

    def logged_requests(self, environment: str, model: str) -> Iterator[LogEntry]:  # noqa: ARG002
        where = self._here.outputs.logs if self._here.outputs else None
        return logged_of(where) if where else iter(())

    def evidence(self) -> Sequence[str]:
        return self._here.taken_evidence()

    def _last_words(self, release: str) -> str:
        where = self._here.outputs.logs if self._here.outputs else None
        try:
            words = last_words(where, release) if where else ""
        except MlopsError as error:  # what is wrong with the service matters more
            words = f"its log cannot be read: {error.what}"
        return f": {words}" if words else ""


def _instance(release: str, url: str) -> Instance:
    trouble = why_not_ready(url, release)
    return Instance(release=release, url=url, healthy=not trouble, trouble=trouble)
