"""The stand-in itself, asked by a second client that shares nothing with kubectl: lightkube."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod
from lightkube.types import CascadeType

from tests.kubernetes_api.cluster import Cluster
from tests.kubernetes_api.server import Fault

QA = "scoring-qa"


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    configuration = KubeConfig.from_file(cluster.kubeconfig)
    with Client(config=configuration, namespace=QA, field_manager="second") as client:
        yield client


def deployment(image: str = "registry.example/x@sha256:none", **labels: str) -> Any:
    chosen = {"app": "x"}
    container = {
        "name": "scoring", "image": image, "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
    }  # fmt: skip
    return Deployment.from_dict(
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "labels": labels},
            "spec": {
                "selector": {"matchLabels": chosen},
                "template": {"metadata": {"labels": chosen}, "spec": {"containers": [container]}},
            },
        }
    )  # fmt: skip


def test_a_second_client_sees_and_changes_what_the_first_does(client: Client, cluster: Cluster) -> None:
    assert QA in {each.metadata.name for each in client.list(Namespace) if each.metadata}
    made = client.apply(deployment(team="a"), field_manager="one")
    assert made.metadata.generation == 1
    again = client.apply(deployment(team="a"), field_manager="one")
    assert again.metadata.generation == 1

    with pytest.raises(ApiError) as conflict:
        client.apply(deployment(team="b"), field_manager="two")
    assert conflict.value.status.code == 409
    assert 'conflict with "one": .metadata.labels.team' in str(conflict.value)
    forced = client.apply(deployment(team="b"), field_manager="two", force=True)
    assert forced.metadata.labels["team"] == "b"
    assert client.apply(deployment(), field_manager="two").metadata.labels in (None, {})

    for event, pod in client.watch(Pod, labels={"app": "x"}, server_timeout=20):
        waiting = (pod.status.containerStatuses[0].state.waiting if pod.status else None) or None
        assert event in ("ADDED", "MODIFIED")
        if waiting and waiting.reason == "ImagePullBackOff":
            break
    assert [each.metadata.name for each in client.list(Deployment, labels={"app": "none"})] == []
    client.delete(Deployment, "x", cascade=CascadeType.FOREGROUND)
    for event, _ in client.watch(Deployment, server_timeout=20):
        if event == "DELETED":
            break
    assert cluster.names("Pod") == []


def test_what_a_cluster_refuses_the_stand_in_refuses(client: Client, cluster: Cluster) -> None:
    def code(request: Any) -> int:
        with pytest.raises(ApiError) as refused:
            request()
        return int(refused.value.status.code or 0)

    config = ConfigMap(metadata=ObjectMeta(name="c"), data={"a": "1"})
    assert code(lambda: client.get(ConfigMap, "c")) == 404
    client.create(config)
    assert code(lambda: client.create(config)) == 409
    assert code(lambda: client.create(ConfigMap(metadata=ObjectMeta(name="A_b")))) == 422
    assert code(lambda: client.create(ConfigMap(metadata=ObjectMeta(name="d", labels={"a": "x" * 64})))) == 422
    assert code(lambda: client.create(config, namespace="nowhere")) == 404
    stale = client.get(ConfigMap, "c")
    client.replace(ConfigMap(metadata=ObjectMeta(name="c"), data={"a": "2"}))
    assert code(lambda: client.replace(stale)) == 409
    wrong = json.loads(json.dumps(deployment().to_dict()))
    wrong["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    assert code(lambda: client.create(Deployment.from_dict(wrong))) == 422
    client.create(deployment())
    wrong["spec"]["selector"]["matchLabels"] = {"app": "other"}
    assert code(lambda: client.apply(Deployment.from_dict(wrong), field_manager="x", force=True)) == 422
    cluster.api.forbidden = {("list", "configmaps")}
    assert code(lambda: list(client.list(ConfigMap))) == 403
    cluster.api.faults = [Fault("/configmaps", 410, "Expired")]
    cluster.api.forbidden = set()
    assert code(lambda: list(client.list(ConfigMap))) == 410
    assert len(list(client.list(ConfigMap))) == 1
