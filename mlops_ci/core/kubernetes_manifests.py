"""What is made of a team's overlay for one release, and whether what came out is that: values in, values out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops_ci.core.kubernetes_names import RELEASE, SERVICE, VERSION, Names
from mlops_ci.core.records import Release
from mlops_ci.errors import Problem

Manifest = Mapping[str, Any]

# Where a label tells whose pod it is. Kustomize's own list (`includeSelectors`) has the peers of a NetworkPolicy in it,
# so that nobody but the service itself might ask the service.
SELECTORS = (
    {"path": "spec/selector/matchLabels", "create": False},
    {"path": "spec/selector", "version": "v1", "kind": "Service", "create": True},
    {"path": "spec/podSelector/matchLabels", "kind": "NetworkPolicy", "create": True},
    {"path": "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels", "create": False},
    *(
        {"path": f"spec/template/spec/affinity/{kind}/{where}/labelSelector/matchLabels", "create": False}
        for kind in ("podAffinity", "podAntiAffinity")
        for where in (
            "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm",
            "requiredDuringSchedulingIgnoredDuringExecution",
        )
    ),
)


def release_kustomization(
    overlay: str, names: Names, release: Release, image: str, arguments: Sequence[str], *, namespace: str
) -> dict[str, Any]:
    """A kustomization that takes the overlay, a relative path, for one release; `image` is its reference by digest."""
    repository, _, digest = image.partition("@")
    labels = {"app.kubernetes.io/name": SERVICE, **names.release_labels(release.id)}
    container = {"name": SERVICE, "args": list(arguments)}
    patch = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": SERVICE},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }  # fmt: skip
    made: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [overlay],
        "nameSuffix": names.suffix(release.id),
        "labels": [{"pairs": labels, "includeTemplates": True, "fields": list(SELECTORS)}],
        "commonAnnotations": {RELEASE: release.id, VERSION: str(release.version)},
        "images": [{"name": SERVICE, "newName": repository, "digest": digest}],
        "patches": [{"patch": json.dumps(patch)}],
    }
    return made | ({"namespace": namespace} if namespace else {})


def wrong_in_release(
    manifests: Sequence[Manifest], names: Names, release: Release, image: str, arguments: Sequence[str]
) -> Iterator[Problem]:
    """Why the rendered overlay is not one release's service; nothing where it is."""
    for manifest in manifests:
        metadata = manifest.get("metadata") or {}
        where = f"{manifest.get('kind')} {metadata.get('name')}"
        if not metadata.get("namespace"):
            yield Problem(
                where=where, what="is in no namespace, or is of a kind that belongs to no namespace",
                fix="write `namespace:` into the overlay; what belongs to the cluster, the platform team applies",
            )  # fmt: skip
        elif not str(metadata["name"]).endswith(names.suffix(release.id)):
            yield Problem(where=where, what="keeps its own name, which all releases would share")
    for kind in ("Deployment", "Service"):
        found = [str(each["metadata"]["name"]) for each in manifests if each.get("kind") == kind]
        if found != [names.service(release.id)]:
            yield Problem(
                where=kind, what=f"a release needs exactly one, called {SERVICE}; there are {found or 'none'}",
            )  # fmt: skip
    if len({(each.get("metadata") or {}).get("namespace") for each in manifests}) > 1:
        yield Problem(where="namespace", what="a release's objects are in one namespace, not in several")
    deployment = next((each for each in manifests if each.get("kind") == "Deployment"), None)
    if deployment is not None:
        yield from _wrong_in_container(deployment, image, arguments)


def _wrong_in_container(deployment: Manifest, image: str, arguments: Sequence[str]) -> Iterator[Problem]:
    containers = deployment["spec"]["template"]["spec"].get("containers") or []
    own: Manifest = next((each for each in containers if each.get("name") == SERVICE), {})
    expected = {"image": image, "args": list(arguments)}
    for key, value in expected.items():
        if own.get(key) != value:
            yield Problem(
                where=f"Deployment, container {SERVICE}, {key}", what=f"is {own.get(key)!r}, not {value!r}",
                fix=f"the overlay's Deployment needs a container {SERVICE} with the image {SERVICE}, and no args",
            )  # fmt: skip


def kind_of(manifest: Manifest) -> str:
    """The kind as kubectl is asked for it.

    >>> kind_of({"apiVersion": "apps/v1", "kind": "Deployment"}), kind_of({"apiVersion": "v1", "kind": "Service"})
    ('Deployment.v1.apps', 'Service')
    """
    group, slash, version = str(manifest["apiVersion"]).rpartition("/")
    return f"{manifest['kind']}.{version}.{group}" if slash else str(manifest["kind"])


def is_of(manifest: Manifest, labels: Mapping[str, str]) -> bool:
    has = (manifest.get("metadata") or {}).get("labels") or {}
    return all(has.get(name) == value for name, value in labels.items())


def is_made_by(manifest: Manifest, manager: str) -> bool:
    """Whether this field manager has applied it. Labels alone may have been copied."""
    entries = (manifest.get("metadata") or {}).get("managedFields") or []
    return any(entry.get("manager") == manager and entry.get("operation") == "Apply" for entry in entries)
