"""Asks services on this machine; no proxy of the environment comes between."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

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
