"""A stand-in of the Kubernetes API, strict enough for the real kubectl, whose Deployments really run.

What it is: the endpoints that kubectl 1.32 and the client library lightkube use for a dozen kinds; objects validated by
Kubernetes' own schemas and Gateway API's; server-side apply with field managers and conflicts; a Deployment controller,
a node on which pods are processes of this machine, and a gateway, a real Traefik, that follows HTTPRoutes.
What it is not: a scheduler, a network between pods (NetworkPolicies are kept and not enforced), autoscaling beyond the
least number of replicas, admission beyond schemas and names, or any cloud's peculiarities.
"""

from __future__ import annotations

import json
import time
import uuid
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.dataplane.router import Route, Router
from tests.kubernetes_api.kinds import KINDS, Kind, Object, Refused
from tests.kubernetes_api.node import Container, Node, Registry
from tests.kubernetes_api.server import Api

POLL_SECONDS = 0.1
BY_NAME = {kind.name: kind for kind in KINDS}
DEPLOYMENT, POD, SERVICE, ROUTE = (BY_NAME[name] for name in ("Deployment", "Pod", "Service", "HTTPRoute"))


class Cluster:
    """`with Cluster(folder) as cluster:`; `api` is what kubectl talks to, `url` where users come in."""

    def __init__(self, folder: Path, *, namespaces: tuple[str, ...] = ("scoring-qa", "scoring-production")) -> None:
        self.registry = Registry(folder / "registry")
        self.node = Node(folder / "node", self.registry)
        self.api = Api(log=self.node.output)
        self.objects = self.api.objects
        self.gateway = Router(folder / "gateway")
        self.kubeconfig = folder / "kubeconfig"
        self.follows = True
        """Whether the gateway takes over what routes say."""
        self.folder = folder
        self._ended = Event()
        self._stack = ExitStack()
        self._routed: Any = None
        self._trouble: BaseException | None = None
        for name in namespaces:
            self.objects.create(
                BY_NAME["Namespace"], "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )

    def __enter__(self) -> Cluster:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(self.api)
        self._stack.enter_context(self.gateway)
        self._stack.callback(self.node.end_all)
        self.kubeconfig.write_text(self.api.kubeconfig())
        self.kubeconfig.chmod(0o600)
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._stack.close()
        if self._trouble is not None:
            raise self._trouble

    @property
    def url(self) -> str:
        return self.gateway.url

    def of_kind(self, name: str, namespace: str = "") -> list[Object]:
        return self.objects.list(BY_NAME[name], namespace)

    def names(self, kind: str, namespace: str = "") -> list[str]:
        return [each["metadata"]["name"] for each in self.of_kind(kind, namespace)]

    def empty(self) -> None:
        """Takes everything away but the namespaces, and mends what a test has broken."""
        self.api.forbidden.clear()
        self.api.faults.clear()
        self.registry.down, self.follows = "", True
        for kind in KINDS:
            if kind.namespaced and kind != POD:
                for each in self.objects.list(kind, ""):
                    self.objects.delete(
                        kind, each["metadata"]["namespace"], each["metadata"]["name"], propagation="Foreground"
                    )
        deadline = time.monotonic() + 30
        while self.of_kind("Pod"):
            assert time.monotonic() < deadline, self.names("Pod")
            time.sleep(POLL_SECONDS)

    def _work(self) -> None:
        try:
            while not self._ended.wait(POLL_SECONDS):
                self._once()
        except BaseException as error:  # noqa: BLE001 - told when the cluster ends
            self._trouble = error

    def _once(self) -> None:
        for deployment in self.of_kind("Deployment"):
            with suppress(Refused):  # it changed meanwhile: the next round sees to it
                self._control(deployment)
        owners = {each["metadata"]["uid"] for each in self.of_kind("Deployment")}
        for pod in self.of_kind("Pod"):
            if _owner(pod) not in owners:
                self._end(pod)
        self.node.look()
        for (namespace, name), container in list(self.node.containers.items()):
            with suppress(Refused):
                self._write(POD, self.objects.get(POD, namespace, name), self.node.status(container), "kubelet")
        if self.follows:
            self._route()

    def _control(self, deployment: Object) -> None:
        metadata, spec = deployment["metadata"], deployment["spec"]
        namespace, name = metadata["namespace"], metadata["name"]
        pods = [pod for pod in self.of_kind("Pod", namespace) if _owner(pod) == metadata["uid"]]
        if "deletionTimestamp" in metadata:
            for pod in pods:
                self._end(pod)
            self.objects.gone(DEPLOYMENT, namespace, name)
            return
        self._scale(deployment)
        template = sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
        new = [pod for pod in pods if pod["metadata"]["labels"]["pod-template-hash"] == template]
        old = [pod for pod in pods if pod not in new]
        for _ in range(spec["replicas"] - len(new)):
            self._make(deployment, template)
        for pod in new[spec["replicas"] :]:
            self._end(pod)
        ready = sum(self._is_ready(pod) for pod in new)
        if ready >= spec["replicas"]:
            for pod in old:
                self._end(pod)
        available = sum(self._is_ready(pod) for pod in (*new, *old))
        status = {
            "observedGeneration": metadata["generation"], "replicas": len(pods), "updatedReplicas": len(new),
            "readyReplicas": available, "availableReplicas": available,
            "conditions": [{"type": "Available", "status": str(available >= spec["replicas"])}],
        }  # fmt: skip
        self._write(DEPLOYMENT, deployment, status, "kube-controller-manager")

    def _scale(self, deployment: Object) -> None:
        """As a HorizontalPodAutoscaler does that never sees any load."""
        metadata = deployment["metadata"]
        for scaler in self.of_kind("HorizontalPodAutoscaler", metadata["namespace"]):
            least = scaler["spec"].get("minReplicas", 1)
            if scaler["spec"]["scaleTargetRef"]["name"] == metadata["name"] and deployment["spec"]["replicas"] < least:
                deployment["spec"]["replicas"] = least
                name = (metadata["namespace"], metadata["name"])
                deployment["metadata"] |= self.objects.replace(DEPLOYMENT, *name, deployment, manager="autoscaler")[
                    "metadata"
                ]

    def _make(self, deployment: Object, template: str) -> None:
        metadata, given = deployment["metadata"], deployment["spec"]["template"]
        labels = {**given["metadata"]["labels"], "pod-template-hash": template}
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
        pod = {
            "apiVersion": "v1", "kind": "Pod", "spec": given["spec"],
            "metadata": {
                "name": f"{metadata['name'][:47].rstrip('-')}-{uuid.uuid4().hex[:5]}", "labels": labels,
                "annotations": given["metadata"].get("annotations", {}), "ownerReferences": [owner],
            },
        }  # fmt: skip
        made = self.objects.create(POD, metadata["namespace"], pod, manager="kube-controller-manager")
        self.node.run(made)

    def _end(self, pod: Object) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self.objects.gone(POD, namespace, name)
        if self.follows:
            self._route()  # first out of the routes, then asked to end
        self.node.end(namespace, name)

    def _write(self, kind: Kind, value: Object, status: Object, manager: str) -> None:
        if value.get("status") != status:
            metadata = value["metadata"]
            changed = {**value, "status": status, "metadata": {"resourceVersion": metadata["resourceVersion"]}}
            self.objects.replace(kind, metadata["namespace"], metadata["name"], changed, manager=manager, status=True)

    def _container(self, pod: Object) -> Container | None:
        return self.node.containers.get((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def _is_ready(self, pod: Object) -> bool:
        container = self._container(pod)
        return container is not None and container.ready

    def _endpoints(self) -> dict[tuple[str, str, int], tuple[str, ...]]:
        """The addresses of the ready pods behind each port of each Service."""
        found = {}
        for service in self.of_kind("Service"):
            namespace, chosen = service["metadata"]["namespace"], service["spec"].get("selector") or {}
            pods = [
                pod for pod in self.of_kind("Pod", namespace) if chosen.items() <= pod["metadata"]["labels"].items()
            ]
            ready = [self._container(pod) for pod in pods if chosen and self._is_ready(pod)]
            addresses = tuple(container.address for container in ready if container is not None)
            for port in service["spec"]["ports"]:
                found[namespace, service["metadata"]["name"], port["port"]] = addresses
        return found

    def _route(self) -> None:
        """Puts all HTTPRoutes in force as Gateway API says: the longest path first."""
        endpoints = self._endpoints()
        routes, routed = self.of_kind("HTTPRoute"), []
        for route in routes:
            namespace = route["metadata"]["namespace"]
            for rule in route["spec"].get("rules", []):
                weights = {_key(namespace, each): each.get("weight", 1) for each in rule["backendRefs"]}
                mirrors = [each["requestMirror"]["backendRef"] for each in rule.get("filters", [])]
                mirror = _key(namespace, mirrors[0]) if mirrors else ""
                for match in rule["matches"]:
                    assert match["path"]["type"] == "PathPrefix"
                    routed.append(Route(match["path"]["value"], weights, mirror=mirror))
        routed.sort(key=lambda each: -len(each.path))
        addresses = {f"{namespace}/{name}:{port}": found for (namespace, name, port), found in endpoints.items()}
        if self._routed != (routed, addresses):
            self.gateway.become(routed, addresses)
            self._routed = (routed, addresses)
        for route in routes:
            generation = route["metadata"]["generation"]
            condition = {
                "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
                "observedGeneration": generation, "lastTransitionTime": "2026-11-21T00:00:00Z",
            }  # fmt: skip
            parents = [
                {"parentRef": parent, "controllerName": "example.com/stand-in", "conditions": [condition]}
                for parent in route["spec"]["parentRefs"]
            ]
            with suppress(Refused):
                self._write(ROUTE, route, {"parents": parents}, "gateway")


def _key(namespace: str, backend: Object) -> str:
    return f"{namespace}/{backend['name']}:{backend['port']}"


def _owner(pod: Object) -> str:
    owners = pod["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid", ""))
