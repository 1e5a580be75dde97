"""Puts together what `release` needs to make an image, and the keys that releases are signed with and checked by."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mlops_ci.adapters.git_origin import committed_at, origin
from mlops_ci.cli.context import Context
from mlops_ci.config.types import ModelConfig

if TYPE_CHECKING:
    from mlops_ci.pipeline.packaging import Packaging
    from mlops_ci.ports import PublicKey, Signer


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
        signer=_signer(context, signing_key),
        public_key=public_key_of(config),
        toolkit=__version__,
        today=context.clock.now().date(),
    )


def public_key_of(config: ModelConfig) -> PublicKey | None:
    """The key that deployments ask for; None where they ask for none. Raises ConfigurationError where it is no key."""
    from mlops_ci.adapters.signing_keys import read_public_key

    path = config.image.public_key if config.image else None
    where = f"{config.path.name}: image.public_key"
    return read_public_key(config.root / path, where=where) if path else None


def _signer(context: Context, given: str | None) -> Signer | None:
    from mlops_ci.adapters.signing_keys import read_signer

    environment = context.environment
    where = "--signing-key" if given else "MLOPS_SIGNING_KEY"
    key = given or environment.signing_key
    return read_signer(key, password=environment.signing_password, where=where) if key else None
