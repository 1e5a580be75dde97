"""The kinds that the stand-in knows, and what it refuses to take of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate

SCHEMAS = Path(__file__).parents[1] / "infra" / "kubernetes" / "crd-schemas.json"
VERSION = "1.32"
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def base(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


KINDS = (
    Kind("", "v1", "Namespace", "namespaces", namespaced=False),
    Kind("", "v1", "Pod", "pods"),
    Kind("", "v1", "Service", "services"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind("", "v1", "ConfigMap", "configmaps"),
    Kind("", "v1", "Secret", "secrets"),
    Kind("apps", "v1", "Deployment", "deployments"),
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Kind("coordination.k8s.io", "v1", "Lease", "leases"),
    Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
)


class Refused(Exception):
    """What the API server answers in the place of an object."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    @property
    def status(self) -> Object:
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
            "reason": self.reason, "code": self.code, "details": self.details,
        }  # fmt: skip


def not_found(kind: Kind, name: str) -> Refused:
    what = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    return Refused(404, "NotFound", f'{what} "{name}" not found', name=name, kind=kind.plural, group=kind.group)


def check(kind: Kind, value: Object, before: Object | None) -> None:
    """Raises Refused (422) with everything that is wrong."""
    problems = list(_problems(kind, value, before))
    if problems:
        name = value["metadata"].get("name", "")
        causes = [{"message": problem, "field": problem.partition(":")[0]} for problem in problems]
        raise Refused(
            422, "Invalid", f'{kind.name} "{name}" is invalid: {"; ".join(problems)}', name=name, kind=kind.name,
            group=kind.group, causes=causes,
        )  # fmt: skip


def _problems(kind: Kind, value: Object, before: Object | None) -> Iterator[str]:
    metadata = value["metadata"]
    name = metadata.get("name") or ""
    if len(name) > 253 or not SUBDOMAIN.fullmatch(name):
        yield f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain'
    if kind.name == "Service" and (len(name) > 63 or not LABEL.fullmatch(name)):
        yield f'metadata.name: Invalid value: "{name}": a DNS-1035 label of at most 63 characters'
    for where, labels in _labels(value):
        for key, text in labels.items():
            if len(text) > 63 or not VALUE.fullmatch(text):
                yield f'{where}: Invalid value: "{text}": a valid label value of {key}'
    stripped = {key: part for key, part in value.items() if key != "status"}
    try:
        schema = _schemas().get(f"{kind.api_version}/{kind.name}")
        if schema is not None:
            jsonschema.validate(stripped, schema)
        else:
            kubernetes_validate.validate(stripped, VERSION, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message[:300]}"
        return
    if kind.name == "Deployment":
        chosen, given = value["spec"]["selector"], value["spec"]["template"]["metadata"].get("labels", {})
        if not (chosen.get("matchLabels") or {}).items() <= given.items() or not chosen.get("matchLabels"):
            yield "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
        if before is not None and before["spec"]["selector"] != chosen:
            yield "spec.selector: Invalid value: field is immutable"


def _labels(value: Object) -> Iterator[tuple[str, dict[str, str]]]:
    yield "metadata.labels", value["metadata"].get("labels") or {}
    spec = value.get("spec") or {}
    if isinstance(spec.get("template"), dict):
        yield "spec.template.labels", (spec["template"].get("metadata") or {}).get("labels") or {}


@cache
def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = json.loads(SCHEMAS.read_text())
    return schemas
