"""The keys that releases and events are signed with and checked by."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mlops_ci.pipeline.event_log import Signing

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.config.types import ModelConfig
    from mlops_ci.ports import PublicKey, Signer


def public_key_of(config: ModelConfig) -> PublicKey | None:
    """The key that deployments ask for; None where they ask for none. Raises ConfigurationError where it is no key."""
    return _public_key(config, config.image.public_key if config.image else None, "image.public_key")


def signer_of(context: Context, given: str | None = None) -> Signer | None:
    """The private key that was given to the command or to its environment. Raises ConfigurationError if it is none."""
    from mlops_ci.adapters.signing_keys import read_signer

    environment = context.environment
    where = "--signing-key" if given else "MLOPS_SIGNING_KEY"
    key = given or environment.signing_key
    return read_signer(key, password=environment.signing_password, where=where) if key else None


def signing_of(context: Context) -> Signing:
    """Events are signed where the environment gives a key, and checked for the models that declare one."""

    @cache
    def signer() -> Signer | None:
        return signer_of(context)

    @cache
    def public_key(model: str) -> PublicKey | None:
        from mlops_ci.config.loading import declared

        if model not in declared(context.directory):  # a log in the store of a model that is another repository's
            return None
        config = context.config(model)
        return _public_key(config, config.log.public_key, "log.public_key")

    return Signing(signer=signer, public_key=public_key)


def _public_key(config: ModelConfig, path: str | None, name: str) -> PublicKey | None:
    from mlops_ci.adapters.signing_keys import read_public_key

    return read_public_key(config.root / path, where=f"{config.path.name}: {name}") if path else None
