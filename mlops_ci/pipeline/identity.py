"""Is it the release that it is said to be? Its interface, id, graph and image, as the service names them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci.core.records import MODEL_FILE, Release
from mlops_ci.core.signature import Signature
from mlops_ci.errors import OutsideError
from mlops_ci.pipeline.checks import Check
from mlops_ci.ports import ScoringClient

SHORT = 12
"""Digits of a digest in a sentence."""


def ask_health(client: ScoringClient, url: str) -> Check:
    """Alive, and ready. Outside only where nobody can be reached at all."""
    for path in ("/v2/health/live", "/v2/health/ready"):
        reply = client.ask(url, path)
        if reply.status != 200 or reply.is_html:
            detail = f"{path}: {reply.summary}"
            return Check(name="health", ok=False, detail=detail, outside=not reply.reached)
    return Check(name="health", ok=True, detail="live and ready")


def ask_identity(
    client: ScoringClient, url: str, *, release: Release, signature: Signature, in_image: bool
) -> list[Check]:
    """The checks `metadata`, `wrong-release`, `wrong-model`, and `wrong-image` where it has to run from an image."""
    try:
        metadata = client.metadata(url, release.model)
    except OutsideError as error:
        return [Check(name="metadata", ok=False, detail=error.what)]
    properties = metadata.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    wrong = [*_interface(metadata, signature), *_meaning(properties, metadata, release, signature)]
    detail = f"{len(signature.inputs)} inputs, outputs, task and version as in the release"
    checks = [
        Check(name="metadata", ok=not wrong, detail="; ".join(wrong) or detail),
        _same("wrong-release", "release", properties.get("release"), release.id),
        _same("wrong-model", "graph", properties.get("model_digest"), release.files.get(MODEL_FILE)),
    ]
    if in_image:
        checks.append(_same("wrong-image", "image's build", properties.get("build"), release.evidence.get("build")))
    return checks


def expected_outputs(signature: Signature) -> list[tuple[str, str]]:
    """Names and datatypes of what the model answers with, in the Open Inference Protocol."""
    if signature.task == "regression":
        return [("prediction", "FP64")]
    text = any(isinstance(label, str) for label in signature.classes)
    return [("label", "BYTES" if text else "INT64"), ("probabilities", "FP64")]


def _interface(metadata: Mapping[str, Any], signature: Signature) -> list[str]:
    inputs = [(column.name, "FP64" if column.kind == "number" else "BYTES") for column in signature.inputs]
    wrong = []
    for key, expected in (("inputs", inputs), ("outputs", expected_outputs(signature))):
        found = _named(metadata.get(key))
        if found is None:
            wrong.append(f"there are no {key} of a name and a datatype each")
        elif found != expected:
            wrong.append(f"{key} are {_listed(found)}, the release has {_listed(expected)}")
    return wrong


def _meaning(
    properties: Mapping[str, Any], metadata: Mapping[str, Any], release: Release, signature: Signature
) -> list[str]:
    wrong = []
    versions = metadata.get("versions")
    if versions != [str(release.version)]:
        wrong.append(f"versions are {str(versions)[:60]}, the release is {release.version}")
    if properties.get("task") != signature.task:
        wrong.append(f"the task is {str(properties.get('task'))[:60]}, the release's is {signature.task}")
    if signature.classes and _read(properties.get("classes")) != list(signature.classes):
        wrong.append("the classes are not the release's")
    if signature.task == "binary-classification" and _read(properties.get("threshold")) != signature.threshold:
        found = str(properties.get("threshold"))[:30]
        wrong.append(f"the threshold is {found}, the release's is {signature.threshold}")
    return wrong


def _same(name: str, what: str, found: Any, expected: str | None) -> Check:
    """Fails where either is unknown, too: a service that does not say what it is may be anything."""
    if not expected:
        return Check(name=name, ok=False, detail=f"the release's record names no {what} to compare with")
    if not isinstance(found, str) or not found:
        return Check(name=name, ok=False, detail=f"the service does not say which {what} it has")
    detail = f"{what} {found[:SHORT]}" + ("" if found == expected else f" instead of {expected[:SHORT]}")
    return Check(name=name, ok=found == expected, detail=detail)


def _named(tensors: Any) -> list[tuple[str, str]] | None:
    try:
        return [(str(tensor["name"]), str(tensor["datatype"])) for tensor in tensors]
    except (KeyError, TypeError):
        return None


def _listed(tensors: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({datatype})" for name, datatype in tensors)[:300] or "none"


def _read(text: Any) -> Any:
    """The value of a property that is JSON; None where it is not."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
