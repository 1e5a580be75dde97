"""Whether a release's pods are ready, will be, or will not: decided from what the cluster says of them.

Sources: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ and, for what makes a rollout complete,
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Object = Mapping[str, Any]

# What does not mend itself; ErrImagePull alone may be a registry's short weakness, and BackOff is what follows it.
HOPELESS = frozenset(
    {
        *("CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"),
    }
)


@dataclass(frozen=True, kw_only=True)
class PodsState:
    """`words` is what is known against it: of what failed, or of what it waits for."""

    outcome: Literal["ready", "waiting", "failed"]
    words: str = ""
    crashed: str = ""
    """The pod whose container ended by itself, whose last words are worth reading; empty where there is none."""


def judge(deployment: Object, pods: Sequence[Object]) -> PodsState:
    """`pods` are those of the Deployment, of older versions of it too."""
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    wanted = spec.get("replicas", 1)
    observed = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if observed and updated >= wanted and available >= wanted and status.get("replicas", 0) <= updated:
        return PodsState(outcome="ready")
    troubles = list(_troubles(_latest(pods))) if updated else []
    words = "; ".join(dict.fromkeys(one.words for one in troubles))
    crashed = next((one.pod for one in troubles if one.crashed), "")
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    refused = conditions.get("ReplicaFailure", {})
    late = conditions.get("Progressing", {})
    if observed and refused.get("status") == "True":
        return PodsState(outcome="failed", words=refused.get("message", "the cluster refuses its pods"))
    if any(one.hopeless for one in troubles):
        return PodsState(outcome="failed", words=words, crashed=crashed)
    if observed and late.get("status") == "False":
        return PodsState(outcome="failed", words=words or late.get("message", "it makes no progress"), crashed=crashed)
    return PodsState(outcome="waiting", words=words or f"{available} of {wanted} pods are ready", crashed=crashed)


def is_available(deployment: Object) -> bool:
    """Whether enough of its pods serve, be it an older version of it."""
    conditions = (deployment.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Available" and each["status"] == "True" for each in conditions)


@dataclass(frozen=True, kw_only=True)
class _Trouble:
    pod: str
    words: str
    hopeless: bool = False
    crashed: bool = False


def _latest(pods: Sequence[Object]) -> list[Object]:
    """Those of the Deployment's present version: what ails the ones that they replace says nothing of it."""

    def version(pod: Object) -> str:
        return str((pod["metadata"].get("labels") or {}).get("pod-template-hash", ""))

    newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None)
    return [] if newest is None else [pod for pod in pods if version(pod) == version(newest)]


def _troubles(pods: Sequence[Object]) -> Iterator[_Trouble]:
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        if pod["metadata"].get("deletionTimestamp"):
            continue
        for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            yield from _of_container(name, each)
        for condition in status.get("conditions") or []:
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                yield _Trouble(pod=name, words=f"{condition.get('reason', '')}: {condition.get('message', '')}")


def _of_container(pod: str, container: Object) -> Iterator[_Trouble]:
    waiting = (container.get("state") or {}).get("waiting") or {}
    ended = (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated")
    reason = waiting.get("reason", "")
    if reason in ("", "ContainerCreating", "PodInitializing") and (container.get("ready") or not ended):
        return
    words = [f"{reason}: {waiting.get('message', '')}".rstrip(": ")] if reason else []
    if ended:
        words.append(f"{ended.get('reason', 'ended')} with exit code {ended.get('exitCode')}")
    yield _Trouble(pod=pod, words=", ".join(words), hopeless=reason in HOPELESS, crashed=bool(ended))
