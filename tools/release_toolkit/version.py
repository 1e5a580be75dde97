"""Versions `X.Y.Z` and their tags."""

from __future__ import annotations

import re
from typing import NamedTuple

from mlops_ci.errors import ConfigurationError

_TAG = re.compile(r"v(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")


class Version(NamedTuple):
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """The tag that never moves."""
        return f"v{self}"

    @property
    def moving(self) -> str:
        """The tag that names the newest release of the major version."""
        return f"v{self.major}"


def parse(text: str) -> Version:
    """Raises ConfigurationError for anything but three numbers.

    >>> parse("1.20.3").tag, parse("1.20.3").moving
    ('v1.20.3', 'v1')
    """
    version = of_tag(f"v{text}")
    if version is None:
        raise ConfigurationError(f"{text!r} is no version", fix="write three numbers, such as 1.2.0, without a v")
    return version


def of_tag(name: str) -> Version | None:
    """The version that a tag names; None for other tags, the moving ones among them.

    >>> of_tag("v2.0.10") > of_tag("v2.0.9"), of_tag("v2"), of_tag("v1.2.0-rc1"), of_tag("v01.2.0")
    (True, None, None, None)
    """
    found = _TAG.fullmatch(name)
    return Version(*map(int, found.groups())) if found else None
