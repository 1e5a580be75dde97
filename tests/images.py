"""An engine and a registry for images that live in memory, for tests of what is made around an image.

The images are real as far as digests go: configuration, layers and files are what the pipeline made. A layer of the
model is a JSON object of its files here, and no archive.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlops_ci.adapters.atomic_file import write_atomically
from mlops_ci.core.image import Package
from mlops_ci.errors import NotFoundError, OutsideError
from mlops_ci.ports import BaseImage, ImageFacts, LayerFile

PACKAGES = (
    Package(name="numpy", version="2.3.5", kind="pypi", sha256="1" * 64, licence="BSD-3-Clause"),
    Package(name="onnxruntime", version="1.31.0", kind="pypi", sha256="2" * 64, licence="MIT License"),
)
SYSTEM = (
    Package(name="python", version="3.11.9", kind="generic"),
    Package(name="libc6", version="2.36-9+deb12u9", kind="deb"),
    Package(name="libgcc-s1", version="12:12.2.0-14", kind="deb", licence="GPL-3.0-or-later"),
)


@dataclass(frozen=True, kw_only=True)
class HeldImage:
    configuration: bytes
    files: Mapping[str, bytes]

    @property
    def id(self) -> str:
        return f"sha256:{sha256(self.configuration).hexdigest()}"

    @property
    def manifest(self) -> str:
        return f"sha256:{sha256(b'manifest ' + self.configuration).hexdigest()}"


@dataclass
class MemoryImages:
    """Implements `ports.ImageEngine`, with the registry that it pushes to. `runs` False is a machine without engine."""

    held: dict[str, HeldImage] = field(default_factory=dict)
    pushed: dict[str, HeldImage] = field(default_factory=dict)
    runs: bool = True
    megabytes: float = 150.0

    def require(self) -> None:
        if not self.runs:
            raise OutsideError("no Docker engine answers", fix="start it")

    def base(self, name: str, platform: str | None) -> BaseImage:
        self.require()
        digest = f"sha256:{sha256(name.encode()).hexdigest()}"
        return BaseImage(
            name=name, reference=f"{name.partition(':')[0]}@{digest}", digest=digest, image_id=digest,
            platform=platform or "linux/amd64", layers=(f"sha256:{'b' * 64}",), configuration={},
            python="/usr/local/bin/python3.11", python_version="3.11", packages=SYSTEM, megabytes=self.megabytes,
            runs_here=True,
        )  # fmt: skip

    def load(self, configuration: bytes, layers: Sequence[LayerFile], *, base: BaseImage, name: str) -> str:
        files = {key: base64.b64decode(data) for key, data in json.loads(layers[-1].path.read_bytes()).items()}
        image = HeldImage(configuration=configuration, files=files)
        self.held |= {image.id: image, name: image}
        return image.id

    def push(self, name: str) -> str:
        self.require()
        image = self.held[name]
        reference = f"{name.rpartition(':')[0]}@{image.manifest}"
        self.pushed[reference] = self.held[reference] = image
        return reference

    def require_published(self, reference: str) -> None:
        self.require()
        if reference not in self.pushed:
            raise NotFoundError(f"the registry does not have {reference}")

    def pull(self, reference: str) -> str:
        self.require_published(reference)
        self.held[reference] = self.pushed[reference]
        return self.pushed[reference].id

    def inspect(self, reference: str) -> ImageFacts | None:
        self.require()
        image = self.held.get(reference)
        if image is None:
            return None
        value: dict[str, Any] = json.loads(image.configuration)
        digests = tuple(name for name, other in self.held.items() if "@" in name and other.id == image.id)
        return ImageFacts(
            image_id=image.id, digests=digests, labels=value["config"]["Labels"],
            layers=tuple(value["rootfs"]["diff_ids"]), platform=f"{value['os']}/{value['architecture']}",
            megabytes=self.megabytes,
        )  # fmt: skip

    def files(self, reference: str, folder: str) -> Mapping[str, bytes]:
        assert folder == "/model"
        return dict(self.held[reference].files)


@dataclass
class MemoryParts:
    """Implements `ports.ImageParts`: small files below `folder` in the place of archives."""

    folder: Path
    packages: tuple[Package, ...] = PACKAGES

    def dependencies(self, base: BaseImage) -> tuple[LayerFile, tuple[Package, ...]]:
        return self._layer(b"dependencies"), self.packages

    def service(self, base: BaseImage, dependencies: LayerFile) -> LayerFile:
        return self._layer(b"service")

    def model(self, files: Mapping[str, bytes]) -> LayerFile:
        encoded = {name: base64.b64encode(data).decode() for name, data in sorted(files.items())}
        return self._layer(json.dumps(encoded).encode())

    def _layer(self, data: bytes) -> LayerFile:
        digest = sha256(data).hexdigest()
        path = self.folder / digest
        write_atomically(path, data)
        return LayerFile(path=path, digest=f"sha256:{digest}", size=len(data))
