"""When a release's pods are ready, when they are waited for, and when it is over with them."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.core.kubernetes_pods import is_available, judge


def deployment(*conditions: dict[str, Any], wanted: int = 2, generation: int = 3, **status: int) -> dict[str, Any]:
    told = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    return {
        "metadata": {"generation": generation}, "spec": {"replicas": wanted},
        "status": {**told, "conditions": list(conditions)},
    }  # fmt: skip


def pod(
    state: dict[str, Any], last: dict[str, Any] | None = None, *, ready: bool = False, **more: Any
) -> dict[str, Any]:
    told = {"name": "scoring", "ready": ready, "state": state, "lastState": last or {}}
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": [told], **more}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


KILLED = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
LATE = {"type": "Progressing", "status": "False", "message": "it is late"}
REFUSED = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}


@pytest.mark.parametrize(
    ("found", "pods", "outcome", "words"),
    [
        (deployment(), [], "ready", ""),
        (deployment(wanted=0, replicas=0, updatedReplicas=0, availableReplicas=0), [], "ready", ""),
        (deployment(generation=4), [], "waiting", "2 of 2"),  # of the one before
        (deployment(updatedReplicas=1), [], "waiting", "2 of 2"),
        (deployment(replicas=3), [], "waiting", ""),  # one of the old version is still there
        (deployment(availableReplicas=1), [], "waiting", "1 of 2 pods are ready"),
        (deployment(availableReplicas=1), [pod(waiting("ContainerCreating"))], "waiting", "1 of 2"),
        (deployment(availableReplicas=1), [pod(waiting("ErrImagePull", "not found"))], "waiting", "not found"),
        (deployment(availableReplicas=1), [pod(waiting("ImagePullBackOff", "no"))], "failed", "ImagePullBackOff: no"),
        (
            deployment(availableReplicas=1),
            [pod(waiting("CrashLoopBackOff"), KILLED)],
            "failed",
            "OOMKilled with exit code 137",
        ),
        (deployment(availableReplicas=1), [pod({"running": {}}, KILLED)], "waiting", "OOMKilled"),
        (deployment(availableReplicas=1), [pod({"running": {}}, KILLED, ready=True)], "waiting", "1 of 2"),
        (deployment(LATE, availableReplicas=1), [], "failed", "it is late"),
        (deployment(LATE, availableReplicas=1), [pod(waiting("ErrImagePull", "no"))], "failed", "ErrImagePull: no"),
        (deployment(LATE, availableReplicas=1, generation=4), [], "waiting", ""),
        (deployment(REFUSED, availableReplicas=1), [], "failed", "exceeded quota"),
        ({"metadata": {"generation": 1}, "spec": {}}, [], "waiting", "0 of 1"),
    ],
)
def test_judged(found: dict[str, Any], pods: list[dict[str, Any]], outcome: str, words: str) -> None:
    state = judge(found, pods)
    assert state.outcome == outcome
    assert words in state.words


def test_a_pod_that_no_node_takes_is_waited_for_and_told() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no cpu"}
    state = judge(
        deployment(availableReplicas=0), [{"metadata": {"name": "p"}, "status": {"conditions": [unscheduled]}}]
    )
    assert (state.outcome, state.words, state.crashed) == ("waiting", "Unschedulable: no cpu", "")


def test_the_pod_whose_words_are_worth_reading_is_named() -> None:
    assert judge(deployment(availableReplicas=0), [pod(waiting("CrashLoopBackOff"), KILLED)]).crashed == "p"
    ending = pod(waiting("CrashLoopBackOff"), KILLED)
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert judge(deployment(availableReplicas=0), [ending]).outcome == "waiting"


def test_an_older_version_serves_on_while_a_newer_one_does_not_start() -> None:
    assert is_available(deployment({"type": "Available", "status": "True"}))
    assert not is_available(deployment({"type": "Available", "status": "False"}))
    assert not is_available({"metadata": {}})


def test_what_ails_the_pods_that_are_being_replaced_says_nothing_of_the_new_ones() -> None:
    old, new = pod(waiting("CrashLoopBackOff"), KILLED), pod(waiting("ContainerCreating"))
    old["metadata"] |= {"labels": {"pod-template-hash": "1"}, "creationTimestamp": "2026-01-01T00:00:00Z"}
    new["metadata"] |= {"labels": {"pod-template-hash": "2"}, "creationTimestamp": "2026-01-01T00:00:09Z"}
    assert judge(deployment(availableReplicas=0, updatedReplicas=0), [old]).outcome == "waiting"
    assert judge(deployment(availableReplicas=0, updatedReplicas=1), [new, old]).outcome == "waiting"
    assert judge(deployment(availableReplicas=0, updatedReplicas=1), [old]).outcome == "failed"
