"""The socket of the service, and how many connections the system lets it have."""

from __future__ import annotations

import resource
import socket


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the port, or to a free one for 0. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def allow_connections(number: int) -> None:
    """Raises the limit of open files, which is often lower than the system would let it be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
