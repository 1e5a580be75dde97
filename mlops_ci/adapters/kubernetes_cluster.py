"""What one model has in one environment of a Kubernetes cluster: seen, applied and taken away through kubectl."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_ci.adapters.kubectl import Kubectl
from mlops_ci.core.kubernetes_manifests import Manifest, is_made_by, is_of, kind_of
from mlops_ci.core.kubernetes_names import KINDS, MANAGER, RELEASE, SERVICE, Names, selector, short
from mlops_ci.core.kubernetes_pods import PodsState, judge
from mlops_ci.core.kubernetes_route import is_taken_over
from mlops_ci.errors import ConfigurationError, Problem
from mlops_ci.ports import Console

DEPLOYMENTS, PODS, ROUTES = "Deployment.v1.apps", "Pod", "HTTPRoute.v1.gateway.networking.k8s.io"
OURS = (
    *(DEPLOYMENTS, "Service", "ServiceAccount", "ConfigMap", "HorizontalPodAutoscaler.v2.autoscaling"),
    *("PodDisruptionBudget.v1.policy", "NetworkPolicy.v1.networking.k8s.io"),
)
"""The kinds of an ordinary overlay. Of what else, a release's Deployment says in an annotation."""
POLL_SECONDS = 1.0
LAST_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Service:
    """A release's Deployment and its pods, those of older versions of it too."""

    deployment: Manifest
    pods: Sequence[Manifest]


class KubernetesCluster:
    """`kubectl` is that of the namespace. What is not ours, by labels and field manager, is not seen or touched."""

    def __init__(self, kubectl: Kubectl, names: Names, console: Console, *, poll: float = POLL_SECONDS) -> None:
        self._kubectl = kubectl
        self._names = names
        self._console = console
        self._poll = poll

    def services(self) -> Mapping[str, Service]:
        """What runs, by release id."""
        found = self._kubectl.list([DEPLOYMENTS, PODS], selector(self._names.labels))
        pods = [each for each in found if each["kind"] == "Pod"]
        services = {}
        for each in found:
            if each["kind"] == "Deployment" and self._is_ours(each):
                metadata = each["metadata"]
                labels = {RELEASE: metadata["labels"][RELEASE]}
                own = [pod for pod in pods if is_of(pod, labels)]
                services[metadata["annotations"][RELEASE]] = Service(deployment=each, pods=own)
        return services

    def route(self) -> Manifest | None:
        found = self._kubectl.list([ROUTES], selector(self._names.labels))
        return next((each for each in found if self._is_ours(each)), None)

    def until_taken_over(self, *, patience: float) -> Manifest:
        """The route as soon as its gateways have taken it over, or as it is when the patience is at its end."""
        deadline = time.monotonic() + patience
        while True:
            route = self.route() or {}
            if is_taken_over(route) or time.monotonic() >= deadline:
                return route
            time.sleep(self._poll)

    def apply_release(self, manifests: Sequence[Manifest]) -> None:
        """Applies a release's objects, and takes away those that it had and has no more.

        Raises ConfigurationError where somebody else has an object of such a name.
        """
        kinds = sorted({kind_of(each) for each in manifests})
        release = next(each["metadata"]["labels"][RELEASE] for each in manifests)
        before = self._of(release, kinds)
        wanted = [_annotated(each, ",".join(kinds)) if each["kind"] == "Deployment" else each for each in manifests]
        self._apply(wanted, before)
        names = {_key(each) for each in wanted}
        self._kubectl.delete([_named(each) for each in before if _key(each) not in names])

    def apply_route(self, route: Manifest | None, *, before: Manifest | None) -> None:
        """None: there is to be none."""
        known = [] if before is None else [before]
        if route is not None:
            self._apply([route], known)
        else:
            self._kubectl.delete([_named(each) for each in known])

    def remove(self, release: str) -> None:
        """Takes all objects of the release away, and waits for its pods to end."""
        self._kubectl.delete([_named(each) for each in self._of(short(release), ())])

    def until_ready(self, release: str, *, patience: float) -> PodsState:
        """What became of the release's pods; still waiting where the patience came to its end first."""
        deadline = time.monotonic() + patience
        while True:
            service = self.services().get(release)
            if service is None:
                return PodsState(outcome="failed", words="somebody has taken its Deployment away")
            state = judge(service.deployment, service.pods)
            if state.outcome != "waiting" or time.monotonic() >= deadline:
                return state
            time.sleep(self._poll)

    def last_words(self, pod: str) -> str:
        """What the pod's service wrote before it ended."""
        words = self._kubectl.logs(pod, SERVICE, lines=LAST_LINES, previous=True)
        return words or self._kubectl.logs(pod, SERVICE, lines=LAST_LINES)

    def log(self, pod: str, *, lines: int) -> str:
        return self._kubectl.logs(pod, SERVICE, lines=lines)

    def _apply(self, manifests: Sequence[Manifest], ours: Sequence[Manifest]) -> None:
        """Of these objects `ours` are there already."""
        known = {_key(each) for each in ours}
        unknown = [each for each in manifests if _key(each) not in known]
        strangers = [each for each in self._kubectl.existing(unknown) if not self._is_ours(each)] if unknown else []
        if strangers:
            raise ConfigurationError(
                "the cluster has objects of our names that are not ours",
                problems=[Problem(where=_called(each), what="somebody else has made it") for each in strangers],
                fix="give it another name, or the environment another namespace",
            )
        taken_back = self._kubectl.apply(manifests)
        if taken_back:
            self._console.warn(f"what others have changed by hand was put right: {taken_back}")

    def _of(self, release: str, kinds: Sequence[str]) -> Sequence[Manifest]:
        """All of ours that belongs to the release, of which the short id is given."""
        labels = selector({**self._names.labels, RELEASE: release})
        asked = list(dict.fromkeys([*OURS, *kinds]))
        found = [each for each in self._kubectl.list(asked, labels) if self._is_ours(each)]
        said = [(each["metadata"].get("annotations") or {}).get(KINDS, "") for each in found]
        more = {kind for kinds in said for kind in kinds.split(",") if kind}.difference(asked)
        return [*found, *self._more(sorted(more), labels)] if more else found

    def _more(self, kinds: Sequence[str], labels: str) -> Sequence[Manifest]:
        return [each for each in self._kubectl.list(kinds, labels) if self._is_ours(each)]

    def _is_ours(self, manifest: Manifest) -> bool:
        return is_of(manifest, self._names.labels) and is_made_by(manifest, MANAGER)


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _annotated(deployment: Manifest, kinds: str) -> Manifest:
    metadata = deployment["metadata"]
    return {**deployment, "metadata": {**metadata, "annotations": {**metadata["annotations"], KINDS: kinds}}}


def _named(manifest: Manifest) -> Manifest:
    """Enough of the object to delete it."""
    metadata = {key: manifest["metadata"][key] for key in ("name", "namespace") if key in manifest["metadata"]}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}


def _called(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata['name']} in namespace {metadata.get('namespace', '')}"
