"""What a release's objects are called in a Kubernetes cluster, and by which labels they are known as ours.

Names and label values have at most 63 characters there. What is too long, or could be taken for another one, is cut and
gets a piece of its own digest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlops_ci.core.digest import sha256

SERVICE = "scoring"
"""What a team's overlay calls its Deployment, its Service, its container and its image."""
LONGEST, DIGEST, SHORT = 63, 8, 12
_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

MANAGED_BY, MANAGER = "app.kubernetes.io/managed-by", "mlops-ci"
ENVIRONMENT, MODEL, RELEASE = "mlops-ci.io/environment", "mlops-ci.io/model", "mlops-ci.io/release"
"""Labels; RELEASE is an annotation too, which holds the whole id."""
VERSION, KINDS, SERVING = "mlops-ci.io/version", "mlops-ci.io/kinds", "mlops-ci.io/serving"
"""Annotations."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one model in one environment."""

    environment: str
    model: str

    @property
    def route(self) -> str:
        return SERVICE + self._suffix("")

    def suffix(self, release: str) -> str:
        """What comes after the names that the team's overlay gives."""
        return self._suffix(f"-{short(release)}")

    def service(self, release: str) -> str:
        """The release's Deployment and its Service."""
        return SERVICE + self.suffix(release)

    @property
    def path(self) -> str:
        """Below which all addresses lie."""
        return f"/{self.environment}/{self.model}"

    def release_path(self, release: str) -> str:
        """Below which this release alone answers."""
        return f"{self.path}/releases/{short(release)}"

    @property
    def labels(self) -> dict[str, str]:
        """Of all that is ours here."""
        values = {ENVIRONMENT: label_value(self.environment), MODEL: label_value(self.model)}
        return {MANAGED_BY: MANAGER, **values}

    def release_labels(self, release: str) -> dict[str, str]:
        return {**self.labels, RELEASE: short(release)}

    def _suffix(self, end: str) -> str:
        text = f"-{self.environment}-{self.model}"
        room = LONGEST - len(SERVICE) - len(end)
        # `a-b` in `c` and `b` in `c-a` would have one name
        if len(text) > room or "-" in self.environment or not text[-1].isalnum():
            digest = sha256(f"{self.environment}/{self.model}".encode())[:DIGEST]
            text = f"{text[: room - DIGEST - 1].rstrip('-')}-{digest}"
        return text + end


def short(release: str) -> str:
    return release[:SHORT]


def label_value(text: str) -> str:
    """The text itself where it may be a label's value.

    >>> label_value("late"), label_value("a-")
    ('late', 'a-9baf4407')
    """
    if len(text) <= LONGEST and _VALUE.fullmatch(text):
        return text
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", text)[: LONGEST - DIGEST - 1].strip("._-")
    return f"{stem or 'x'}-{sha256(text.encode())[:DIGEST]}"


def selector(labels: dict[str, str]) -> str:
    """The labels as an argument of kubectl."""
    return ",".join(f"{name}={value}" for name, value in labels.items())
