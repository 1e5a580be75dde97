"""Addresses of a service behind a load balancer that routes by path and takes nothing of the path away.

The environment's address of the model is `/<environment>/<model>`, and a release alone is asked below it, at
`/releases/<the first 12 of its id>`: a service knows its own release only, so what is sent to the wrong one is 404.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

SEGMENTS = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._~-]*)*")
OF_A_RELEASE = 12


def base_path(text: str) -> str:
    """The argument `--base-path`, which has no slash at its end."""
    bare = text.rstrip("/")
    if not SEGMENTS.fullmatch(bare):
        raise argparse.ArgumentTypeError(f"a path such as /production/flight-delay, not {text}")
    return bare


def below(base: str, release: str) -> tuple[str, ...]:
    """The prefixes below which a service of the release answers as it does without one, the longest first."""
    if not base:
        return ()
    return (f"{base}/releases/{release[:OF_A_RELEASE]}", base) if release else (base,)


def bare_path(path: str, prefixes: Sequence[str]) -> str:
    """The path without the prefix that it begins with, if any."""
    for prefix in prefixes:
        if path == prefix or path.startswith(f"{prefix}/"):
            return path[len(prefix) :] or "/"
    return path
