"""A team's overlay: rendered for one release, with its own part of the route."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops_ci.adapters.kubectl import render
from mlops_ci.core.kubernetes_manifests import Manifest, release_kustomization, wrong_in_release
from mlops_ci.core.kubernetes_names import Names
from mlops_ci.core.kubernetes_route import FRAME, wrong_in_frame
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError

PORT_NAME = "http"


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """One release's manifests, as text and as values, and the port of its Service."""

    text: str
    manifests: Sequence[Manifest]
    port: int

    @property
    def deployment(self) -> Manifest:
        return next(each for each in self.manifests if each["kind"] == "Deployment")


class Overlay:
    """The folder of an overlay. `shown` is how people are told of it; a `namespace` goes before the overlay's own."""

    def __init__(self, folder: Path, *, shown: str, namespace: str = "") -> None:
        self._folder = folder
        self._shown = shown
        self._namespace = namespace

    @cached_property
    def namespace(self) -> str:
        """Raises ConfigurationError where nobody says in which namespace services are to run."""
        if self._namespace:
            return self._namespace
        manifests = _values(render(self._present, where=self._shown), where=self._shown)
        found = {
            (each.get("metadata") or {}).get("namespace") for each in manifests if each.get("kind") == "Deployment"
        }
        if len(found) != 1 or None in found:
            raise ConfigurationError(
                "the overlay does not say in which namespace its Deployment is to run", where=self._shown,
                fix="write `namespace:` into its kustomization.yaml, or kubernetes.namespace into mlops.yaml",
            )  # fmt: skip
        return str(found.pop())

    @cached_property
    def frame(self) -> Mapping[str, Any]:
        """The team's part of the HTTPRoute: to which Gateway it belongs, and under which host names."""
        path, where = self._present / FRAME, f"{self._shown}/{FRAME}"
        if not path.is_file():
            raise ConfigurationError(
                f"there is no {FRAME}, which says by which Gateway users come in", where=where,
                fix="copy the one of infra/kubernetes/overlays/production",
            )  # fmt: skip
        values = _values(path.read_bytes().decode(errors="replace"), where=where)
        frame: Mapping[str, Any] | None = values[0] if len(values) == 1 else None
        problems = list(wrong_in_frame(frame))
        if frame is None or problems:
            raise ConfigurationError("the route cannot be used", where=where, problems=problems)
        return frame

    def rendered(self, names: Names, release: Release, arguments: Sequence[str]) -> Rendered:
        """Raises ConfigurationError, with all that is wrong, where it is not one release's service."""
        if release.image is None:
            raise ConfigurationError(
                f"version {release.version} of {release.model} has no image, and a cluster runs images",
                fix="declare `image:` in mlops.yaml, commit it, and release a new version",
            )
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch).resolve()
            overlay = os.path.relpath(self._present.resolve(), folder)
            made = release_kustomization(
                overlay, names, release, release.image, arguments, namespace=self._namespace
            )  # fmt: skip
            (folder / "kustomization.yaml").write_text(json.dumps(made))
            text = render(folder, where=self._shown)
        manifests = _values(text, where=self._shown)
        problems = list(wrong_in_release(manifests, names, release, release.image, arguments))
        if problems:
            what = "the overlay does not make one release's service"
            raise ConfigurationError(what, where=self._shown, problems=problems)
        return Rendered(text=text, manifests=manifests, port=self._port(manifests))

    @property
    def _present(self) -> Path:
        if not self._folder.is_dir():
            raise ConfigurationError("there is no such folder", where=self._shown, fix="correct kubernetes.overlay")
        return self._folder

    def _port(self, manifests: Sequence[Manifest]) -> int:
        service = next(each for each in manifests if each["kind"] == "Service")
        ports = [each["port"] for each in service["spec"].get("ports") or [] if each.get("name") == PORT_NAME]
        if len(ports) != 1:
            raise ConfigurationError(f"the Service has no port called {PORT_NAME}", where=self._shown)
        return int(ports[0])


def _values(text: str, *, where: str) -> list[Any]:
    import yaml

    try:
        return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each is not None]
    except yaml.YAMLError as error:
        raise ConfigurationError(f"this is no YAML: {error}", where=where) from error
