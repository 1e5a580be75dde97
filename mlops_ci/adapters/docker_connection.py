"""The way to the Docker engine: where `DOCKER_HOST` points, or else the usual socket of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlops_ci.adapters.environment import child_environment
from mlops_ci.errors import ConfigurationError, OutsideError

if TYPE_CHECKING:
    from docker import DockerClient

PATIENCE = 60
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def connect(*, patience: int = PATIENCE) -> DockerClient:
    """A client of the engine, which has answered. Raises OutsideError where none does."""
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    variables = child_environment()
    try:
        client = docker.DockerClient.from_env(timeout=patience, environment=variables)
        client.ping()
    except (DockerException, RequestException, OSError, ValueError) as error:
        where = variables.get("DOCKER_HOST") or "the usual socket"
        raise OutsideError(
            f"no Docker engine answers at {where}: {error}",
            fix="start it, or let DOCKER_HOST point to one; `docker info` tells whether it may be used",
        ) from error
    return client


def connect_here(*, patience: int = PATIENCE) -> DockerClient:
    """As `connect`, to an engine whose ports and folders are this machine's.

    Raises ConfigurationError where `DOCKER_HOST` points to another machine: the router could not reach a container that
    is published on that machine's loopback, nor could its prediction log be read.
    """
    host = child_environment().get("DOCKER_HOST", "").strip()
    scheme, _, _ = host.partition("://")
    if host and scheme not in ("unix", "npipe") and urlsplit(host).hostname not in THIS_MACHINE:
        raise ConfigurationError(
            "the target docker needs the Docker engine of this machine, and DOCKER_HOST points to another",
            fix="unset DOCKER_HOST, or run the command on the machine of that engine",
        )
    return connect(patience=patience)
