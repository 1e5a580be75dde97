"""Environments on Kubernetes to which we apply: each release the team's overlay, behind one HTTPRoute.

What runs is read from the cluster, and all that is ours there is known by its labels and by our field manager, so a run
that was killed at any point leaves nothing that the next one does not recognise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from mlops_ci.adapters.kubectl import Kubectl
from mlops_ci.adapters.kubernetes_cluster import KubernetesCluster, Service
from mlops_ci.adapters.kubernetes_overlay import Overlay
from mlops_ci.adapters.local_environments import LocalEnvironments
from mlops_ci.adapters.pod_logs import entries_in, latest_in
from mlops_ci.adapters.prometheus import Prometheus
from mlops_ci.adapters.release_addresses import ReleaseAddresses
from mlops_ci.adapters.service_command import cluster_arguments
from mlops_ci.core.cluster_settings import KubernetesSettings
from mlops_ci.core.events import timestamp
from mlops_ci.core.kubernetes_names import Names
from mlops_ci.core.kubernetes_pods import PodsState, is_available, judge
from mlops_ci.core.kubernetes_route import (
    Serving,
    check_division,
    http_route,
    is_taken_over,
    refusals,
    serving_of,
    shares_of,
)
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.records import Release
from mlops_ci.core.serving import ServingConfig
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import MlopsError, OutsideError, VerificationError
from mlops_ci.ports import Clock, Console, Instance, RecentRequests

LOG_LINES = 10_000
"""Of each pod, at most: what a cluster keeps of its containers' output is not endless either."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds: until pods are ready, until the gateway has taken a route over, and between two looks."""

    ready: float = 600.0
    route: float = 180.0
    poll: float = 1.0


class KubernetesTarget:
    """Implements `ports.Target` for one environment's section `kubernetes` with the mode `apply`.

    `run_dir` holds no more than the lock that keeps two commands on this machine apart.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        overlay: Overlay,
        settings: KubernetesSettings,
        serving: ServingConfig,
        console: Console,
        clock: Clock,
        patience: Patience = Patience(),
    ) -> None:
        self._here = LocalEnvironments(run_dir)
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
        cluster = self._cluster(names)
        return [self._instance(names, release, service) for release, service in sorted(cluster.services().items())]

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:  # noqa: ARG002
        names = Names(environment=environment, model=release.model)
        cluster, addresses = self._cluster(names), self._addresses(names)
        arguments = cluster_arguments(release.id, environment, release.model, self._serving)
        rendered = self._overlay.rendered(names, release, arguments)
        with self._console.working(f"starting {release.model} version {release.version} in {environment}"):
            try:
                cluster.apply_release(rendered.manifests)
                state = cluster.until_ready(release.id, patience=self._patience.ready)
                if state.outcome != "ready":
                    raise self._failure(cluster, release, state)
                at = timestamp(self._clock.now())
                self._reroute(cluster, names, lambda now: now.started(release.id, at=at, port=rendered.port))
                instance = addresses.until_ready(release.id, patience=self._patience.route)
                if not instance.healthy:
                    raise OutsideError(
                        f"version {release.version} runs, and is not reached: {instance.trouble}", where=instance.url,
                        fix="see what the gateway says of the HTTPRoute, then run the command again",
                    )  # fmt: skip
            except BaseException:
                # A start that fails or is interrupted leaves nothing behind; what users are sent to stays.
                with suppress(MlopsError):
                    if release.id not in self.shares(environment, release.model):
                        self._end(cluster, names, release.id)
                raise
        return instance

    def stop(self, environment: str, model: str, release: str) -> None:
        names = Names(environment=environment, model=model)
        self._end(self._cluster(names), names, release)

    def route(self, environment: str, model: str, shares: Mapping[str, int], *, shadow: str | None = None) -> None:
        names = Names(environment=environment, model=model)
        cluster, addresses = self._cluster(names), self._addresses(names)

        def division(now: Serving) -> Serving:
            check_division(shares, shadow, runs=now.releases, names=names)
            return now.divided(shares, shadow)

        self._reroute(cluster, names, division)
        if shares:
            self._until_divided(cluster, addresses, shares)

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        if not self._settings.prometheus:
            return {}
        names = Names(environment=environment, model=model)
        route = self._cluster(names).route()
        serving = Serving() if route is None else serving_of(route)
        return Prometheus(self._settings.prometheus, self._clock).counts(names, serving)

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        names = Names(environment=environment, model=model)
        route = self._cluster(names).route()
        return {} if route is None else shares_of(route, names)

    def url(self, environment: str, model: str) -> str:
        return self._addresses(Names(environment=environment, model=model)).stable

    def evidence(self) -> Sequence[str]:
        return ()

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> RecentRequests:
        cluster = self._cluster(Names(environment=environment, model=model))
        service = cluster.services().get(release)
        return RecentRequests() if service is None else latest_in(_logged(cluster, service), limit)

    def logged_requests(self, environment: str, model: str) -> Iterator[LogEntry]:
        """Of the releases that run, as far back as the cluster keeps what their pods have written."""
        cluster = self._cluster(Names(environment=environment, model=model))
        for _, service in sorted(cluster.services().items()):
            yield from _logged(cluster, service)

    def _cluster(self, names: Names) -> KubernetesCluster:
        kubectl = Kubectl(context=self._settings.context, namespace=self._overlay.namespace)
        return KubernetesCluster(kubectl, names, self._console, poll=self._patience.poll)

    def _addresses(self, names: Names) -> ReleaseAddresses:
        return ReleaseAddresses(self._settings.url, names)

    def _reroute(self, cluster: KubernetesCluster, names: Names, change: Callable[[Serving], Serving]) -> None:
        """Brings the route to what the change makes of the present one; nothing to do where it is that already."""
        route = cluster.route()
        before = Serving() if route is None else serving_of(route)
        after = change(before)
        if after.releases:
            wanted = http_route(self._overlay.frame, names, after, namespace=self._overlay.namespace)
            cluster.apply_route(wanted, before=route)
        else:
            cluster.apply_route(None, before=route)

    def _until_divided(
        self, cluster: KubernetesCluster, addresses: ReleaseAddresses, shares: Mapping[str, int]
    ) -> None:
        """Returns when the gateway says that it has taken the route, and users are answered so. Copies nobody sees."""
        route = cluster.until_taken_over(patience=self._patience.route)
        if not is_taken_over(route):
            told = "; ".join(refusals(route)) or "its controller says nothing of this state of it"
            raise OutsideError(
                f"the gateway has not taken the route over: {told}", where=addresses.stable,
                fix="see `kubectl describe httproute`; the Gateway has to let this namespace's routes in",
            )  # fmt: skip
        addresses.until_divided(shares, patience=self._patience.route)

    def _end(self, cluster: KubernetesCluster, names: Names, release: str) -> None:
        self._reroute(cluster, names, lambda now: now.stopped(release))
        cluster.remove(release)

    def _instance(self, names: Names, release: str, service: Service) -> Instance:
        state = judge(service.deployment, service.pods)
        trouble = "" if state.outcome == "ready" else state.words
        url = self._addresses(names).of(release)
        return Instance(release=release, url=url, healthy=is_available(service.deployment), trouble=trouble)

    def _failure(self, cluster: KubernetesCluster, release: Release, state: PodsState) -> VerificationError:
        """Why it is not ready, with the last words of the pod that ended."""
        words = state.words
        if state.crashed:
            with suppress(MlopsError):
                words = f"{words}: {cluster.last_words(state.crashed)}"
        how = "" if state.outcome == "failed" else f" within {self._patience.ready:g} s"
        service = f"the service of {release.model} version {release.version}"
        return VerificationError(f"{service} did not become ready{how}: {words}", where=release.image or "")


def _logged(cluster: KubernetesCluster, service: Service) -> Iterator[LogEntry]:
    for pod in service.pods:
        yield from entries_in(cluster.log(pod["metadata"]["name"], lines=LOG_LINES))
