"""Asks a data plane as its users do."""

from __future__ import annotations

import http.client

from tests.dataplane.plane import DataPlane


def get(plane: DataPlane, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(plane.url.removeprefix("http://"), timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
