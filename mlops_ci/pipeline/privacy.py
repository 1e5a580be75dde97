"""Keeps values of private columns out of what the team's own code says when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlops_ci.config.types import ModelConfig
from mlops_ci.errors import ConfigurationError


@contextmanager
def discreet(config: ModelConfig) -> Iterator[None]:
    """Around guarded code that sees the data: where columns are private its error is named, and its words are not.

    "could not convert string to float: 'Jane Doe'" is how libraries speak.
    """
    try:
        yield
    except ConfigurationError as error:
        schema = config.data.schema
        cause = error.__cause__
        if cause is None or schema is None or not any(column.private for column in schema.columns):
            raise
        doing, _, _ = error.what.partition(f": {type(cause).__name__}")
        what = f"{doing}: {type(cause).__name__} (its words are left out, since columns are private)"
        raise ConfigurationError(what, where=error.where, fix=error.fix) from None
