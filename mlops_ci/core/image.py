"""What a scoring image is made of, as its release, its bill of materials and its provenance tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Package:
    """One thing that somebody else made and that is in the image; `sha256` is of the wheel, empty where unknown.

    `generic` is what no packager manages there: the interpreter (`python`) of an image that built its own.
    """

    name: str
    version: str
    kind: Literal["pypi", "deb", "generic"]
    sha256: str = ""
    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of ours; `digest` is of the uncompressed archive (the diff id), `sha256:` and 64 hex digits."""

    name: Literal["dependencies", "service", "model"]
    digest: str
    megabytes: float


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Who built: a machine of somebody's own, or a run of a CI service (`invocation` is then its address)."""

    id: str = "urn:mlops-ci:builder:own-machine"
    invocation: str = ""


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image that an engine holds.

    `reference` is `repository@sha256:...` once it is pushed, else the image id, by which only that engine knows it.
    `image_id` is the digest of the image's configuration; `base` the base image by digest; `build` the digest of the
    `build.json` in it (no prefix), by which a live service says which image it runs from.
    """

    reference: str
    image_id: str
    base: str
    platform: str
    layers: tuple[Layer, ...]
    packages: tuple[Package, ...]
    build: str
    megabytes: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "layers": [asdict(layer) for layer in self.layers],
            "packages": [asdict(package) for package in self.packages],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BuiltImage:
        parts = {
            "layers": tuple(Layer(**layer) for layer in value["layers"]),
            "packages": tuple(Package(**package) for package in value["packages"]),
        }
        return cls(**{**value, **parts})
