"""Ports of this machine: finds free ones, and asks the services there; no proxy of the environment comes between."""

from __future__ import annotations

import hashlib
import http.client
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlops_ci.errors import OutsideError

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


def get(port: int, path: str, *, timeout: float = 2.0) -> Reply | None:
    """The reply to GET, header names in lower case; None where nobody answers (in time)."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(status=response.status, headers=headers, body=response.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def free_ports(seed: str, *, first: int, count: int) -> Iterator[int]:
    """Free ones of these ports, beginning at one that the seed decides: the same seed gets the same where it can."""
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    for step in range(count):
        port = first + (start + step) % count
        if is_free(port):
            yield port
    raise OutsideError(f"no port is free between {first} and {first + count}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
