"""The Kubernetes manifests: rendered by kubectl, valid for three versions of Kubernetes, and as closed as they say."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import ValidationError

INFRA = Path(__file__).parents[2] / "infra"
SCHEMAS = Path(__file__).parent / "kubernetes" / "crd-schemas.json"
# The current one and the two before it, which is as long as Kubernetes supports a version.
VERSIONS = ("1.37", "1.36", "1.35")
FOLDERS = sorted(
    str(path.parent.relative_to(INFRA))
    for place in ("kubernetes", "examples/kubernetes")
    for path in (INFRA / place).rglob("kustomization.yaml")
)
OVERLAYS = [folder for folder in FOLDERS if "/overlays/" in folder]

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

Manifest = dict[str, Any]


@cache
def rendered(folder: str) -> tuple[Manifest, ...]:
    done = subprocess.run(["kubectl", "kustomize", INFRA / folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def check(manifest: Manifest, version: str) -> None:
    """By Kubernetes' own schemas, or the published one of a custom resource; raises ValidationError."""
    schema = json.loads(SCHEMAS.read_text()).get(f"{manifest['apiVersion']}/{manifest['kind']}")
    if schema is not None:
        jsonschema.validate(manifest, schema)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


def of_kind(folder: str, kind: str) -> Iterator[Manifest]:
    return (manifest for manifest in rendered(folder) if manifest["kind"] == kind)


def test_there_is_something_to_look_at() -> None:
    assert {"kubernetes/base", "kubernetes/platform", "kubernetes/overlays/production"} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_renders_to_valid_manifests_of_every_version(folder: str) -> None:
    manifests = rendered(folder)

    assert manifests
    for manifest in manifests:
        for version in VERSIONS:
            check(manifest, version)


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0, "readinessProb")),
        ("HorizontalPodAutoscaler", ("spec", "maxReplica")),
        ("NetworkPolicy", ("spec", "policyType")),
        ("PodDisruptionBudget", ("spec", "unhealthyPodEviction")),
    ],
)
def test_a_misspelt_field_is_found(kind: str, where: tuple[str | int, ...]) -> None:
    manifest = json.loads(json.dumps(next(of_kind("kubernetes/overlays/production", kind))))
    place = manifest
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = 1

    with pytest.raises((ValidationError, jsonschema.ValidationError)):
        check(manifest, VERSIONS[0])


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_pod_is_as_closed_as_the_strictest_standard_asks(folder: str) -> None:
    """Pod Security Standards, level "restricted", and a read-only root file system besides."""
    (deployment,) = of_kind(folder, "Deployment")
    pod = deployment["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert all(set(volume) <= {"name", "emptyDir"} for volume in pod["volumes"])
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}
        assert all(container[probe]["httpGet"]["port"] == "http" for probe in ("startupProbe", "readinessProbe"))
        assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_everything_that_selects_pods_selects_those_of_the_deployment(folder: str) -> None:
    (deployment,) = of_kind(folder, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    (service,) = of_kind(folder, "Service")
    (budget,) = of_kind(folder, "PodDisruptionBudget")
    (policy,) = of_kind(folder, "NetworkPolicy")
    (autoscaler,) = of_kind(folder, "HorizontalPodAutoscaler")

    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        budget["spec"]["selector"]["matchLabels"],
        policy["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert selector
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "an apply would undo what the autoscaler decided"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_release_that_replaces_another_loses_no_request(folder: str) -> None:
    """Never fewer pods than before, and a pod goes on for a while after it was taken out of the Service."""
    (deployment,) = of_kind(folder, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    # STOP_GRACE, what the other targets wait for requests in flight, is 30 s
    assert pod["terminationGracePeriodSeconds"] >= pause + 30


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_service_is_asked_by_the_gateway_and_asks_nobody(folder: str) -> None:
    (policy,) = of_kind(folder, "NetworkPolicy")
    (rule,) = policy["spec"]["ingress"]

    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert not policy["spec"].get("egress")
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"mlops-ci.io/may-ask-scoring": "true"}}}]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]


def test_every_namespace_of_an_overlay_is_made_and_closed_by_default() -> None:
    platform = "kubernetes/platform"
    namespaces = {manifest["metadata"]["name"]: manifest["metadata"] for manifest in of_kind(platform, "Namespace")}
    closed = {
        manifest["metadata"]["namespace"]
        for manifest in of_kind(platform, "NetworkPolicy")
        if manifest["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    }

    for folder in OVERLAYS:
        name = namespace_of(folder)
        assert namespaces[name]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert name in closed


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_route_is_a_frame_that_a_listener_of_the_gateway_takes(folder: str) -> None:
    """A frame: valid with the names and rules that mlops-ci adds, and with none of its own."""
    frame = yaml.safe_load((INFRA / folder / "route.yaml").read_text())
    (gateway,) = of_kind("kubernetes/platform", "Gateway")
    (parent,) = frame["spec"]["parentRefs"]
    (host,) = frame["spec"]["hostnames"]

    assert "rules" not in frame["spec"]
    check({**frame, "metadata": {"name": "scoring"}}, VERSIONS[0])
    assert (parent["namespace"], parent["name"]) == (gateway["metadata"]["namespace"], gateway["metadata"]["name"])
    (listener,) = (one for one in gateway["spec"]["listeners"] if one["hostname"] == host)
    allowed = listener["allowedRoutes"]["namespaces"]["selector"]["matchLabels"]
    assert allowed == {"kubernetes.io/metadata.name": namespace_of(folder)}
    assert listener["protocol"] == "HTTPS"


def test_no_environment_may_be_changed_by_the_deployers_of_another() -> None:
    bound: dict[str, str] = {}
    for binding in of_kind("kubernetes/platform", "RoleBinding"):
        (subject,) = binding["subjects"]
        assert subject["kind"] == "Group"
        bound[binding["metadata"]["namespace"]] = subject["name"]

    assert set(bound) == {namespace_of(folder) for folder in OVERLAYS}
    assert len(set(bound.values())) == len(bound)


def test_deployers_and_argo_cd_may_do_what_a_service_is_made_of_and_no_more() -> None:
    made = {kind_of(manifest) for manifest in rendered("kubernetes/base")} | {
        ("gateway.networking.k8s.io", "HTTPRoute")
    }
    (project,) = plain("kubernetes/gitops/argo-cd/project.yaml")
    allowed = {(one["group"], one["kind"]) for one in project["spec"]["namespaceResourceWhitelist"]}
    role = next(of_kind("kubernetes/platform", "Role"))
    managed = {
        (group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if "patch" in rule["verbs"]
    }

    assert allowed == made
    assert project["spec"]["clusterResourceWhitelist"] == []
    assert managed == {(group, f"{kind.lower()}s".replace("policys", "policies")) for group, kind in made} | {
        ("", "configmaps")
    }
    assert not any("*" in word for rule in role["rules"] for words in rule.values() for word in words)
    assert not list(of_kind("kubernetes/platform", "ClusterRole"))


def test_argo_cd_and_flux_watch_the_branch_that_is_written() -> None:
    application, (repository, kustomization) = (
        plain("kubernetes/gitops/argo-cd/application.yaml")[0],
        plain("kubernetes/gitops/flux/scoring.yaml"),
    )
    branch, path = "mlops-ci/deployed/production", "deployed/production"

    for manifest in (application, repository, kustomization, *plain("kubernetes/gitops/argo-cd/project.yaml")):
        check(manifest, VERSIONS[0])
    assert (application["spec"]["source"]["targetRevision"], application["spec"]["source"]["path"]) == (branch, path)
    assert application["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert application["spec"]["destination"]["namespace"] == namespace_of("kubernetes/overlays/production")
    assert (repository["spec"]["ref"]["branch"], kustomization["spec"]["path"]) == (branch, f"./{path}")
    assert kustomization["spec"]["prune"] is True
    assert kustomization["spec"]["targetNamespace"] == namespace_of("kubernetes/overlays/production")


def plain(path: str) -> list[Manifest]:
    return list(yaml.safe_load_all((INFRA / path).read_text()))


def namespace_of(folder: str) -> str:
    (deployment,) = of_kind(folder, "Deployment")
    name: str = deployment["metadata"]["namespace"]
    return name


def kind_of(manifest: Manifest) -> tuple[str, str]:
    group, _, _ = manifest["apiVersion"].rpartition("/")
    return group, manifest["kind"]
