"""Puts together what `release` needs to make an image."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mlops_ci.adapters.git_origin import committed_at, origin
from mlops_ci.cli.context import Context
from mlops_ci.cli.signing import public_key_of, signer_of
from mlops_ci.config.types import ModelConfig

if TYPE_CHECKING:
    from mlops_ci.pipeline.packaging import Packaging


def packaging_of(context: Context, config: ModelConfig, signing_key: str | None) -> Packaging | None:
    """None where `mlops.yaml` declares no image. Raises ConfigurationError where a key cannot be used."""
    from mlops_ci import __version__
    from mlops_ci.pipeline.packaging import Packaging

    if config.image is None:
        return None
    return Packaging(
        image=config.image,
        gate=config.gate,
        engine=context.images,
        parts=context.image_parts,
        builder=context.environment.builder,
        source=origin(context.repository),
        committed_at=partial(committed_at, context.repository),
        signer=signer_of(context, signing_key),
        public_key=public_key_of(config),
        toolkit=__version__,
        today=context.clock.now().date(),
    )
