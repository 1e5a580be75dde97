"""Environments on Kubernetes that follow a branch: what is to be is committed, and Argo CD or Flux brings it about.

The manifests are committed as they were rendered, so that what people see on the branch is what the cluster is given.
Nothing of the cluster is asked, and no credentials for it are needed: what is in force is what its addresses answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from mlops_ci.adapters.kubernetes_overlay import Overlay
from mlops_ci.adapters.local_environments import LocalEnvironments
from mlops_ci.adapters.prometheus import Prometheus
from mlops_ci.adapters.release_addresses import ReleaseAddresses
from mlops_ci.adapters.service_command import cluster_arguments
from mlops_ci.core.cluster_settings import KubernetesSettings
from mlops_ci.core.events import timestamp
from mlops_ci.core.kubernetes_names import Names, short
from mlops_ci.core.kubernetes_route import Serving, check_division, http_route, serving_of
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.records import Release
from mlops_ci.core.serving import ServingConfig
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import ConfigurationError, OutsideError, VerificationError
from mlops_ci.ports import Clock, Console, Instance, RecentRequests, Repository

BRANCH = "mlops-ci/deployed/{environment}"
FOLDER = "deployed/{environment}/{model}"
ROUTE = "route.yaml"
PATIENCE = 900.0
"""Seconds. Argo CD looks at a branch every three minutes unless it is told of changes, and pods need their time."""
ATTEMPTS = 20
NO_POD = "status 5"
"""How a gateway answers for a service without pods that are ready: the route is in force, so more than the follower is
at fault."""
NOT_HERE = "what pods have logged is not read with mode commit, which has no credentials for the cluster"


class KubernetesBranchTarget:
    """Implements `ports.Target` for one environment's section `kubernetes` with the mode `commit`.

    `run_dir` holds no more than the lock that keeps two commands on this machine apart.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        repository: Repository,
        overlay: Overlay,
        settings: KubernetesSettings,
        serving: ServingConfig,
        console: Console,
        clock: Clock,
        patience: float = PATIENCE,
    ) -> None:
        self._here = LocalEnvironments(run_dir)
        self._repository = repository
        self._overlay = overlay
        self._settings = settings
        self._serving = serving
        self._console = console
        self._clock = clock
        self._patience = patience

    def exclusive(self, environment: str, model: str) -> AbstractContextManager[None]:
        return self._here.exclusive(environment, model)

    def instances(self, environment: str, model: str) -> Sequence[Instance]:
        names = Names(environment=environment, model=model)
        addresses = self._addresses(names)
        return [addresses.instance(release) for release in sorted(self._declared(names).releases)]

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:  # noqa: ARG002
        names = Names(environment=environment, model=release.model)
        arguments = cluster_arguments(release.id, environment, release.model, self._serving)
        rendered = self._overlay.rendered(names, release, arguments)
        at = timestamp(self._clock.now())
        what = f"Start version {release.version} of {release.model} in {environment}"
        with self._console.working(f"starting {release.model} version {release.version} in {environment}"):
            self._commit(
                names, lambda now: now.started(release.id, at=at, port=rendered.port), what,
                {_file(release.id): rendered.text.encode()},
            )  # fmt: skip
            instance = self._addresses(names).until_ready(release.id, patience=self._patience)
        if instance.healthy:
            return instance
        if instance.trouble.startswith(NO_POD):
            if release.id not in self._declared(names).shares:  # what users are sent to stays
                self.stop(environment, release.model, release.id)
            service = f"the service of {release.model} version {release.version}"
            raise VerificationError(
                f"{service} did not become ready within {self._patience:g} s: {instance.trouble}", where=instance.url,
                fix="the cluster knows why: see the release's pods and their events",
            )  # fmt: skip
        raise OutsideError(
            f"branch {self._branch(names)} says it, and after {self._patience:g} s it is not in force: "
            f"{instance.trouble}", where=instance.url,
            fix="see whether Argo CD or Flux follows that branch, then run the command again",
        )  # fmt: skip

    def stop(self, environment: str, model: str, release: str) -> None:
        names = Names(environment=environment, model=model)
        what = f"End release {short(release)} of {model} in {environment}"
        self._commit(names, lambda now: now.stopped(release), what, {_file(release): None})

    def route(self, environment: str, model: str, shares: Mapping[str, int], *, shadow: str | None = None) -> None:
        names = Names(environment=environment, model=model)
        check_division(shares, shadow, runs=self._declared(names).releases, names=names)
        parts = ", ".join(f"{share} % to {short(release)}" for release, share in shares.items()) or "nothing"
        self._commit(names, lambda now: now.divided(shares, shadow), f"Route {model} in {environment}: {parts}", {})
        if shares:
            self._addresses(names).until_divided(shares, patience=self._patience)

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        if not self._settings.prometheus:
            return {}
        names = Names(environment=environment, model=model)
        return Prometheus(self._settings.prometheus, self._clock).counts(names, self._declared(names))

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        """What the branch says, as long as it is in force: what is only declared divides nothing yet."""
        names = Names(environment=environment, model=model)
        shares = self._declared(names).shares
        return shares if shares and self._addresses(names).agree(shares) else {}

    def url(self, environment: str, model: str) -> str:
        return self._addresses(Names(environment=environment, model=model)).stable

    def evidence(self) -> Sequence[str]:
        return ()

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> RecentRequests:  # noqa: ARG002
        self._console.warn(f"{environment}: {NOT_HERE}")
        return RecentRequests()

    def logged_requests(self, environment: str, model: str) -> Iterator[LogEntry]:  # noqa: ARG002
        self._console.warn(f"{environment}: {NOT_HERE}")
        return iter(())

    def _addresses(self, names: Names) -> ReleaseAddresses:
        return ReleaseAddresses(self._settings.url, names)

    def _branch(self, names: Names) -> str:
        return self._settings.branch or BRANCH.format(environment=names.environment)

    def _declared(self, names: Names) -> Serving:
        """What the branch says now."""
        commit = self._repository.commit(self._branch(names))
        return self._at(names, commit) if commit else Serving()

    def _at(self, names: Names, commit: str) -> Serving:
        path = f"{_folder(names)}/{ROUTE}"
        content = self._repository.read(path, ref=commit)
        if content is None:
            return Serving()
        import yaml

        try:
            return serving_of(yaml.load(content, Loader=yaml.CSafeLoader) or {})
        except (yaml.YAMLError, ValueError, AttributeError) as error:
            raise ConfigurationError(
                f"branch {self._branch(names)} does not say what serves: {error}", where=path,
                fix="restore the file from the branch's history: only mlops-ci writes there",
            ) from error  # fmt: skip

    def _commit(
        self, names: Names, change: Callable[[Serving], Serving], what: str, files: Mapping[str, bytes | None]
    ) -> None:
        """Commits the files with the route that the change makes; nothing where all is on the branch already.

        Where somebody else (another model) commits to the branch at the same moment it is done again on theirs.
        """
        branch, attempt = self._branch(names), 0
        while True:
            attempt += 1
            onto = self._repository.commit(branch) or self._repository.commit(self._repository.main)
            if onto is None:
                raise ConfigurationError("the repository has no commit yet", fix="commit your files first")
            after = change(self._at(names, onto))
            wanted = {
                f"{_folder(names)}/{name}": data for name, data in (*files.items(), (ROUTE, self._route(names, after)))
            }
            differ = {path: data for path, data in wanted.items() if self._repository.read(path, ref=onto) != data}
            if not differ:
                return
            try:
                self._repository.commit_files(differ, branch=branch, onto=onto, message=what)
                return
            except OutsideError:
                if attempt == ATTEMPTS or self._repository.commit(branch) == onto:
                    raise

    def _route(self, names: Names, serving: Serving) -> bytes | None:
        if not serving.releases:
            return None
        import yaml

        route = http_route(self._overlay.frame, names, serving, namespace=self._overlay.namespace)
        return yaml.dump(route, Dumper=yaml.CSafeDumper, sort_keys=False).encode()


def _folder(names: Names) -> str:
    return FOLDER.format(environment=names.environment, model=names.model)


def _file(release: str) -> str:
    return f"{short(release)}.yaml"
