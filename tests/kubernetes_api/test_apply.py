"""From a release to production on a cluster to which we apply, by the real kubectl, and what comes in between."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError, OutsideError, VerificationError
from tests.delivery import killing
from tests.delivery.real_world import Users
from tests.delivery.world import MODEL, Line
from tests.kubernetes_api.cluster import Cluster
from tests.kubernetes_api.kinds import KINDS
from tests.kubernetes_api.server import Fault
from tests.kubernetes_api.world import KubernetesWorld, command

OLD, NEW = Line(slope=1.0), Line(slope=1.001)
SHIFTED = Line(slope=1.001, live=5.0)
ROWS = [round(0.3 * n % 2, 2) + n / 1000 for n in range(200)]
"""What users ask: half of it beyond 1, where no golden row is."""
PRODUCTION = "scoring-production"
BY_NAME = {kind.name: kind for kind in KINDS}
STRANGER = {
    "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"},
    "metadata": {
        "name": "somebody-elses",
        "labels": {
            "app.kubernetes.io/managed-by": "mlops-ci", "mlops-ci.io/environment": "production",
            "mlops-ci.io/model": MODEL,
        },
    },
}  # fmt: skip


def test_to_production_and_back_however_often_it_is_killed(world: KubernetesWorld, cluster: Cluster) -> None:
    """First release, rollout by steps, rollback, and the abort of a worse one; users see nothing of all that."""
    cluster.objects.create(BY_NAME["ConfigMap"], PRODUCTION, json.loads(json.dumps(STRANGER)))
    rest = (KubernetesWorld, world.folder, cluster.folder, cluster.url)
    first = world.deliver(OLD)
    with Users().asking(world) as users:
        second = world.release(NEW)
        for number in (5, 14):
            assert killing.run(partial(command, *rest, "promote", second.id), kill_before=number).killed
        assert killing.run(partial(command, *rest, "promote", second.id)).code == 0
        world.require_settled()
        require_objects(cluster, second)

        assert killing.run(partial(command, *rest, "roll back", ""), kill_before=7).killed
        assert world.reconcile().release == first.id
        world.require_settled()
        assert world.reconcile().outcome == "unchanged"

    bad = world.release(SHIFTED)
    world.change(window=timedelta(seconds=10))
    with Users(rows=ROWS).asking(world) as more:
        change = world.promote(bad)
    assert change.outcome == "aborted"
    assert "answers differ" in change.reasons[0]
    assert users.asked > 100
    assert (users.failures, more.failures) == ((), ())
    world.require_settled()
    assert world.serving() == first.id
    require_objects(cluster, first)
    recent = world.target.recent_requests("production", MODEL, first.id, 10)
    assert len(recent.records) == 10
    assert {record["x"] for record in recent.records} <= set(ROWS)
    assert {entry.release for entry in world.target.logged_requests("production", MODEL)} == {first.id}
    (kept,) = cluster.of_kind("ConfigMap", PRODUCTION)
    assert kept["data"] == {"a": "1"}


def require_objects(cluster: Cluster, release: Release) -> None:
    """The release's objects and no others, made by us, of the very image."""
    name = f"scoring-production-{MODEL}-{release.id[:12]}"
    (deployment,) = cluster.of_kind("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert (deployment["metadata"]["name"], container["image"]) == (name, release.image)
    assert {f"--release={release.id}", f"--base-path=/production/{MODEL}"} <= set(container["args"])
    assert deployment["metadata"]["annotations"]["mlops-ci.io/release"] == release.id
    fields = deployment["metadata"]["managedFields"]
    assert {each["manager"] for each in fields if each["operation"] == "Apply"} == {"mlops-ci"}
    for kind in ("Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"):
        assert cluster.names(kind) == [name], kind
    assert cluster.names("HTTPRoute") == [f"scoring-production-{MODEL}"]


def test_what_is_wrong_in_the_cluster_is_named(world: KubernetesWorld, cluster: Cluster) -> None:
    made = world.register(OLD)
    target = world.target

    def refused(kind: type[Exception], words: str) -> None:
        with pytest.raises(kind, match=words):
            target.start("production", made, {})
        assert cluster.names("Deployment") == []

    cluster.api.forbidden = {("patch", "networkpolicies")}
    refused(ConfigurationError, "does not let us")
    cluster.api.forbidden = {("list", "deployments")}
    refused(ConfigurationError, "does not let us")
    cluster.api.forbidden = set()

    cluster.registry.down = "unauthorized: authentication required"
    refused(VerificationError, "ImagePullBackOff.*unauthorized: authentication required")
    cluster.registry.down = ""

    cluster.api.faults = [Fault("/deployments", 500, "InternalError", times=2), Fault("/services", 0, times=1)]
    cluster.api.faults += [Fault("/httproutes", 429, "TooManyRequests", times=1)]
    assert target.start("production", made, {}).healthy
    target.stop("production", MODEL, made.id)
    assert cluster.names("Deployment") == []
    assert cluster.names("HTTPRoute") == []
    assert cluster.names("Service") == []


def test_a_service_that_does_not_start_says_its_last_words(world: KubernetesWorld, cluster: Cluster) -> None:
    broken = world.register(Line(starts=False))
    with pytest.raises(VerificationError, match=r"CrashLoopBackOff(.|\n)*exit code(.|\n)*(ONNX|onnx|protobuf)"):
        world.target.start("production", broken, {})
    assert cluster.names("Deployment") == []


def test_what_is_not_ours_is_not_taken_over(world: KubernetesWorld, cluster: Cluster) -> None:
    made = world.register(OLD)
    name = f"scoring-production-{MODEL}-{made.id[:12]}"
    theirs: dict[str, Any] = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    cluster.objects.create(BY_NAME["ServiceAccount"], PRODUCTION, theirs, manager="somebody")
    with pytest.raises(ConfigurationError, match="not ours") as caught:
        world.target.start("production", made, {})
    assert name in str(caught.value)
    assert cluster.names("ServiceAccount") == [name]
    assert cluster.names("Service") == []


def test_what_was_changed_by_hand_is_put_right_and_said(world: KubernetesWorld, cluster: Cluster) -> None:
    made = world.register(OLD)
    world.target.start("production", made, {})
    world.target.route("production", MODEL, {made.id: 100})
    (route,) = cluster.of_kind("HTTPRoute", PRODUCTION)
    route["spec"]["rules"] = route["spec"]["rules"][:1]
    route["metadata"].pop("managedFields")
    name = (PRODUCTION, route["metadata"]["name"])
    cluster.objects.replace(BY_NAME["HTTPRoute"], *name, route, manager="kubectl-edit")
    assert world.target.shares("production", MODEL) == {}
    world.target.route("production", MODEL, {made.id: 100})
    assert world.target.shares("production", MODEL) == {made.id: 100}
    assert any("kubectl-edit" in words for words in world.console.said)


def test_a_cluster_that_is_not_there(world: KubernetesWorld, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_ci.adapters.kubectl.FIRST_PAUSE", 0.01)
    away = cluster.folder / "away"
    away.write_text(cluster.api.kubeconfig(url="https://127.0.0.1:9"))
    away.chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(away))
    with pytest.raises(OutsideError, match="refused"):
        world.target.shares("production", MODEL)
    away.write_text(cluster.api.kubeconfig(token="another"))
    with pytest.raises(ConfigurationError, match="credentials") as caught:
        world.target.shares("production", MODEL)
    assert "another" not in str(caught.value)


def test_a_namespace_that_is_missing(world: KubernetesWorld, cluster: Cluster) -> None:
    overlay = world.root / "infra" / "overlays" / "production" / "kustomization.yaml"
    overlay.write_text(overlay.read_text().replace(PRODUCTION, "nowhere"))
    with pytest.raises(ConfigurationError, match="no namespace nowhere"):
        world.target.start("production", world.register(OLD), {})
    assert cluster.names("Deployment") == []
