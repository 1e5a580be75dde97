"""A team's overlay, rendered by the real kubectl: as it should be, and as it should not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_ci.adapters.kubernetes_overlay import Overlay, Rendered
from mlops_ci.core.kubernetes_names import Names
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError
from tests.infra.test_kubernetes import VERSIONS, check

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
INFRA = Path(__file__).parents[2] / "infra" / "kubernetes"
IMAGE = f"registry.example:5000/a/late@sha256:{'a' * 64}"
RELEASE = Release(model="late", version=3, lock="l", commit="c", files={}, image=IMAGE, evidence={})
NAMES = Names(environment="production", model="late")
ARGUMENTS = ("--release=x", "--log-redact=a: [b]\n\"c\" # 'd'", "--log=-")
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {a: '1'}\n"
CLUSTER_ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\nrules: []\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(INFRA, tmp_path / "a folder" / "kubernetes")
    return tmp_path / "a folder" / "kubernetes" / "overlays" / "production"


def rendered(folder: Path, namespace: str = "") -> Rendered:
    overlay = Overlay(folder, shown="infra", namespace=namespace)
    assert overlay.frame["kind"] == "HTTPRoute"
    assert overlay.namespace == (namespace or "scoring-production")
    return overlay.rendered(NAMES, RELEASE, ARGUMENTS)


def also(folder: Path, manifest: str) -> None:
    (folder / "more.yaml").write_text(manifest)
    path = folder / "kustomization.yaml"
    path.write_text(path.read_text().replace("- ../../base", "- ../../base\n  - more.yaml"))


def test_an_overlay_is_taken_once_for_a_release(folder: Path) -> None:
    also(folder, CONFIG_MAP)
    made = rendered(folder)
    assert made.port == 8080
    name = f"scoring-production-late-{RELEASE.id[:12]}"
    for manifest in made.manifests:
        for version in VERSIONS:
            check(dict(manifest), version)
        labels = manifest["metadata"]["labels"]
        assert labels.items() >= NAMES.release_labels(RELEASE.id).items()
        assert manifest["metadata"]["annotations"]["mlops-ci.io/release"] == RELEASE.id
    by_kind = {each["kind"]: each for each in made.manifests}
    spec = by_kind["Deployment"]["spec"]
    chosen = spec["selector"]["matchLabels"]
    assert chosen["mlops-ci.io/release"] == RELEASE.id[:12]
    assert by_kind["Service"]["spec"]["selector"] == chosen
    assert by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == chosen
    assert by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == chosen
    assert spec["template"]["metadata"]["labels"].items() >= chosen.items()
    assert all(
        each["labelSelector"]["matchLabels"] == chosen for each in spec["template"]["spec"]["topologySpreadConstraints"]
    )
    # who may ask is not us alone
    assert "mlops-ci.io/release" not in str(by_kind["NetworkPolicy"]["spec"]["ingress"])
    assert by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == name
    assert by_kind["ConfigMap"]["metadata"]["name"] == f"more-production-late-{RELEASE.id[:12]}"
    assert {each["metadata"]["namespace"] for each in made.manifests} == {"scoring-production"}


def test_a_namespace_of_the_settings_goes_before_that_of_the_overlay(folder: Path) -> None:
    assert {each["metadata"]["namespace"] for each in rendered(folder, "other").manifests} == {"other"}


def _with_two_deployments(folder: Path) -> None:
    also(folder, base(folder, "deployment").read_text().replace("name: scoring\nspec", "name: two\nspec"))


def base(folder: Path, name: str) -> Path:
    return folder.parents[1] / "base" / f"{name}.yaml"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "there is no such folder"),
        (lambda folder: (folder / "route.yaml").unlink(), "there is no route.yaml"),
        (lambda folder: (folder / "route.yaml").write_text("kind: [}"), "this is no YAML"),
        (lambda folder: (folder / "route.yaml").write_text("kind: HTTPRoute\n"), "apiVersion, kind"),
        (lambda folder: (folder / "kustomization.yaml").unlink(), "does not render"),
        (lambda folder: (folder / "kustomization.yaml").write_text("resources: [nowhere.yaml]"), "nowhere.yaml"),
        (lambda folder: also(folder, CLUSTER_ROLE), "no namespace"),
        (lambda folder: also(folder, CONFIG_MAP.replace("more", "x, namespace: y")), ""),
        (_with_two_deployments, "exactly one"),
        (lambda folder: _edit(base(folder, "deployment"), "image: scoring", "image: other"), "image"),
        (lambda folder: _edit(base(folder, "service"), "name: http", "name: web"), "no port called http"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_overlay_is_said(folder: Path, spoil: Callable[[Path], object], words: str) -> None:
    spoil(folder)
    if not words:  # kustomize puts it where the rest is
        assert rendered(folder)
        return
    with pytest.raises(ConfigurationError) as caught:
        rendered(folder)
    assert words in str(caught.value)


def test_an_overlay_that_names_no_namespace_is_refused(folder: Path) -> None:
    _edit(folder / "kustomization.yaml", "namespace: scoring-production", "")
    with pytest.raises(ConfigurationError, match="in which namespace"):
        assert Overlay(folder, shown="infra").namespace


def _edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
