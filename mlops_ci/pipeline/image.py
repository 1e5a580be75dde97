"""Builds a scoring image from a release's files, the service and what that needs, on a base; and publishes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlops_ci.config.types import ImageConfig
from mlops_ci.core import image_format
from mlops_ci.core.digest import sha256
from mlops_ci.core.image import BuiltImage, Layer
from mlops_ci.core.records import BUILD_FILE, MODEL_FILE
from mlops_ci.ports.images import BaseImage, ImageEngine, ImageParts

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ImageInputs:
    """What goes into an image besides the base, the dependencies and the service; it depends on nothing else.

    `created` is the time of the commit (RFC 3339), `source` the repository's address without credentials, or empty;
    `files` are the release's, by name.
    """

    model: str
    version: int
    lock: str
    commit: str
    created: str
    files: Mapping[str, bytes]
    source: str = ""


def build_image(
    inputs: ImageInputs, image: ImageConfig, *, engine: ImageEngine, parts: ImageParts, platform: str | None = None
) -> BuiltImage:
    """Puts the image into the engine; `reference` is its id. The same inputs give the same id, however often.

    `platform` overrules the configuration's. Raises OutsideError and ConfigurationError, see `ports.images`.
    """
    base = engine.base(image.base, platform or image.platform)
    dependencies, packages = parts.dependencies(base)
    service = parts.service(base, dependencies)
    identity, foundation = _identity(inputs), _foundation(base)
    record = image_format.build_record(
        identity,
        foundation,
        files={name: sha256(data) for name, data in inputs.files.items()},
        dependencies=dependencies.digest,
        service=service.digest,
    )
    model = parts.model({**inputs.files, BUILD_FILE: record})
    layers = {"dependencies": dependencies, "service": service, "model": model}
    configuration = image_format.configuration(
        identity,
        foundation,
        model_digest=sha256(inputs.files[MODEL_FILE]),
        layers={name: layer.digest for name, layer in layers.items()},
        bytecode=base.runs_here,
    )
    image_id = image_format.image_id(configuration)
    engine.load(configuration, list(layers.values()), base=base, name=_name(image, inputs.version, image_id))
    return BuiltImage(
        reference=image_id,
        image_id=image_id,
        base=base.reference,
        platform=base.platform,
        layers=(
            Layer(name="dependencies", digest=dependencies.digest, megabytes=dependencies.size / MEGABYTE),
            Layer(name="service", digest=service.digest, megabytes=service.size / MEGABYTE),
            Layer(name="model", digest=model.digest, megabytes=model.size / MEGABYTE),
        ),
        packages=(*packages, *base.packages),
        build=sha256(record),
        megabytes=base.megabytes + sum(layer.size for layer in layers.values()) / MEGABYTE,
    )


def publish_image(built: BuiltImage, image: ImageConfig, *, version: int, engine: ImageEngine) -> BuiltImage:
    """Pushes the image, and refers to it by the digest that the registry gave; unchanged where nothing is pushed."""
    if not image.push:
        return built
    return replace(built, reference=engine.push(_name(image, version, built.image_id)))


def build_record(inputs: ImageInputs, built: BuiltImage) -> bytes:
    """The `build.json` that lies in the image: `built.build` is its digest."""
    digests = {layer.name: layer.digest for layer in built.layers}
    foundation = image_format.Foundation(
        name="", reference=built.base, digest="", platform=built.platform, layers=(), configuration={}, python=""
    )
    return image_format.build_record(
        _identity(inputs),
        foundation,
        files={name: sha256(data) for name, data in inputs.files.items()},
        dependencies=digests["dependencies"],
        service=digests["service"],
    )


def _identity(inputs: ImageInputs) -> image_format.Identity:
    return image_format.Identity(
        model=inputs.model,
        version=inputs.version,
        lock=inputs.lock,
        commit=inputs.commit,
        created=inputs.created,
        source=inputs.source,
    )


def _foundation(base: BaseImage) -> image_format.Foundation:
    return image_format.Foundation(
        name=base.name,
        reference=base.reference,
        digest=base.digest,
        platform=base.platform,
        layers=base.layers,
        configuration=base.configuration,
        python=base.python,
    )


def _name(image: ImageConfig, version: int, image_id: str) -> str:
    """A tag that never moves: another image gets another one, and a registry may forbid to overwrite tags."""
    return f"{image.repository}:{version}-{image_id.removeprefix('sha256:')[:12]}"
