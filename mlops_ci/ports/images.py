"""Images as the pipeline sees them: the engine that holds them, and the parts that a scoring image is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlops_ci.core.image import Package


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """The image that ours is built on, as it was found by looking into it.

    `name` is how it was asked for. `reference` is `repository@sha256:...`, or the image id where no registry knows it;
    `digest` is the part of it that begins with `sha256:`. `layers` are the diff ids, `configuration` is what the image
    says of environment, labels and so on; `python` is the interpreter's path, `python_version` such as `3.11`.
    `runs_here` says whether the engine can run it.
    """

    name: str
    reference: str
    digest: str
    image_id: str
    platform: str
    layers: tuple[str, ...]
    configuration: Mapping[str, Any]
    python: str
    python_version: str
    packages: tuple[Package, ...]
    megabytes: float
    runs_here: bool


@dataclass(frozen=True, kw_only=True)
class LayerFile:
    """A layer as an uncompressed archive on this disk; `digest` is its diff id, `sha256:` and 64 hex digits."""

    path: Path
    digest: str
    size: int


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What an engine says of an image that it has; `digests` are `repository@sha256:...`, as registries know it."""

    image_id: str
    digests: tuple[str, ...]
    labels: Mapping[str, str]
    layers: tuple[str, ...]
    platform: str
    megabytes: float


class ImageEngine(Protocol):
    """Every method raises OutsideError where engine or registry fail; it never names a credential."""

    def require(self) -> None:
        """Raises OutsideError where no engine answers."""

    def base(self, name: str, platform: str | None) -> BaseImage:
        """Finds the base image, pulling it where it is missing, and looks into it without running it.

        Raises ConfigurationError where the service cannot be built on it: no Python, too old, not of this platform.
        """

    def load(self, configuration: bytes, layers: Sequence[LayerFile], *, base: BaseImage, name: str) -> str:
        """Puts an image made of the base's layers and ours into the engine under `name`, and returns its id.

        Raises IntegrityError where the engine holds something else afterwards.
        """

    def push(self, name: str) -> str:
        """Pushes the image of that name (`repository:tag`); returns `repository@sha256:...` as the registry says."""

    def pull(self, reference: str) -> str:
        """Sees to it that the engine has the image; returns its id there. NotFoundError: the registry has it not."""

    def require_published(self, reference: str) -> None:
        """Raises NotFoundError where the registry does not have `repository@sha256:...` (any more)."""

    def inspect(self, reference: str) -> ImageFacts | None:
        """What the engine knows of an image; None where it has no such image."""

    def files(self, reference: str, folder: str) -> Mapping[str, bytes]:
        """The files directly in a folder of an image that the engine has, by name; read without running it."""


class ImageParts(Protocol):
    """Makes the layers of a scoring image. The same inputs give the same bytes, whoever makes them, and when."""

    def dependencies(self, base: BaseImage) -> tuple[LayerFile, tuple[Package, ...]]:
        """Everything that is not ours, for this base, and what that is. Raises OutsideError, ConfigurationError."""

    def service(self, base: BaseImage, dependencies: LayerFile) -> LayerFile:
        """The scoring service, without anything else of the toolkit."""

    def model(self, files: Mapping[str, bytes]) -> LayerFile:
        """The model's files, in the folder that the service reads."""
