"""Turns what the Docker SDK, the engine and a registry complain of into errors that tell people what to do."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlops_ci.errors import ConfigurationError, MlopsError, NotFoundError, OutsideError

CREDENTIALS = re.compile(r"://[^/@\s]+@")
LONGEST = 500
LOGIN = (
    "docker login {registry}, or put the credentials where Docker's configuration (~/.docker/config.json) finds them"
)
HINTS = (
    (r"unauthorized|no basic auth|authentication required|access.*denied|denied:|credentials store|credential", LOGIN),
    (r"no space left|disk quota|insufficient storage|\b507\b", "make room on that disk, and run the command again"),
    (r"connection refused|no such host|timeout|timed out|unreachable|EOF|reset by peer|dial tcp", "see to it that the "
     "Docker engine reaches {registry}, and run the command again"),
)  # fmt: skip
MISSING = re.compile(r"(?i)manifest unknown|not found|name unknown|no such image")
DENIED = re.compile(r"(?i)denied|unauthorized|authentication")
NO_PLATFORM = re.compile(r"(?i)no matching manifest|does not match the specified platform")


class Complaint(Exception):
    """What the engine said in the middle of an answer that had begun well."""


@contextmanager
def explained(what: str, *, registry: str = "") -> Iterator[None]:
    """Raises what goes wrong inside as OutsideError (or what it really is), saying that `what` failed, and why."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except MlopsError:
        raise
    except (DockerException, RequestException, Complaint, OSError, ValueError) as error:
        raise _translated(what, _words(error), registry) from error


def events(answer: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The events of a push, pull or load. Raises Complaint for the one that says that it failed."""
    rest = iter(answer)
    for event in rest:
        if "error" in event or "errorDetail" in event:
            detail = event.get("errorDetail") or {}
            deque(rest, maxlen=0)  # an answer that is not read to its end keeps its connection
            raise Complaint(str(detail.get("message") or event.get("error")))
        yield event


def _translated(what: str, why: str, registry: str) -> MlopsError:
    if NO_PLATFORM.search(why):
        return ConfigurationError(f"{what}: {why}", fix="set image.platform to one that the base image is made for")
    if MISSING.search(why) and not DENIED.search(why) and "no such host" not in why:
        return NotFoundError(f"{what}: {why}")
    hints = (hint for pattern, hint in HINTS if re.search(pattern, why, re.IGNORECASE))
    fix = next(hints, "run the command again; `docker info` tells how the engine is")
    return OutsideError(f"{what}: {why}", fix=fix.format(registry=registry or "the registry"))


def _words(error: Exception) -> str:
    """The engine's own words rather than the SDK's around them; without what a URL may hold of credentials."""
    text = str(getattr(error, "explanation", None) or error)
    text = CREDENTIALS.sub("://***@", " ".join(text.split()))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
