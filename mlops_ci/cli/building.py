"""The command that builds a scoring image by itself; `release` builds the same one on its way."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, model_argument, option, release_arguments
from mlops_ci.errors import ConfigurationError, NotFoundError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.config.types import ModelConfig
    from mlops_ci.pipeline.image import ImageInputs


def build_image(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.config.types import ImageConfig
    from mlops_ci.pipeline.image import build_image as build
    from mlops_ci.pipeline.image import publish_image

    config = context.config(arguments.model)
    image = config.image or ImageConfig(repository=f"mlops-ci/{config.model.lower()}", push=False)
    if arguments.push and config.image is None:
        raise ConfigurationError(
            "there is nowhere to push the image to",
            where=config.path.name,
            fix="add a section `image:` with a repository",
        )
    inputs = _inputs(context, config, arguments)
    started = time.monotonic()
    with closing(context.images) as engine:
        built = build(inputs, image, engine=engine, parts=context.image_parts, platform=arguments.platform)
        if arguments.push:
            built = publish_image(built, replace(image, push=True), version=inputs.version, engine=engine)
    seconds = time.monotonic() - started
    what = f"version {inputs.version}" if inputs.version else f"the candidate of lock {inputs.lock[:12]}"
    layers = ", ".join(f"{layer.name} {layer.megabytes:.1f} MB" for layer in built.layers)
    text = (
        f"{config.model}: {what} is in {built.reference}\n"
        f"  {built.platform}, {built.megabytes:.0f} MB on {built.base}: {layers} ({seconds:.1f} s)"
    )
    value = {"model": config.model, "version": inputs.version, "seconds": round(seconds, 3), **asdict(built)}
    return Outcome(value=value, text=text)


def _inputs(context: Context, config: ModelConfig, arguments: argparse.Namespace) -> ImageInputs:
    """The release that the arguments name, as for `serve`: where nothing is released yet, the candidate."""
    from mlops_ci.adapters.git_origin import committed_at, origin
    from mlops_ci.cli.delivery import chosen_release
    from mlops_ci.cli.serving import servable
    from mlops_ci.pipeline.image import ImageInputs

    repository = context.repository
    try:
        release = chosen_release(context, config, arguments)
        files = {name: context.registry.get_blob(digest) for name, digest in release.files.items()}
        version, lock, commit = release.version, release.lock, release.commit
    except NotFoundError:
        if arguments.release or arguments.model_version is not None:
            raise
        candidate = servable(context, config, arguments)
        version, lock, commit = 0, candidate.release, repository.commit() or ""
        files = dict(candidate.files)
    return ImageInputs(
        model=config.model,
        version=version,
        lock=lock,
        commit=commit,
        created=committed_at(repository, commit),
        files=files,
        source=origin(repository),
    )


COMMANDS = (
    Command(
        name="build-image",
        help="build the scoring image of a release in this machine's Docker engine",
        run=build_image,
        arguments=(
            model_argument,
            release_arguments,
            option("--platform", metavar="OS/ARCH", help="linux/amd64 or linux/arm64 (default: image.platform)"),
            option("--push", action="store_true", help="push it to image.repository, as `release` does"),
        ),
    ),
)
