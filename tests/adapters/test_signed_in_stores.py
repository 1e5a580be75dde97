"""Stores in a cloud that a job has signed in to by actions/identity: what that left behind is shown to the service."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import NotFoundError

TOKEN = "a-token-of-a-job-that-has-signed-in"


@pytest.fixture
def service() -> Iterator[tuple[str, list[str]]]:
    """Its address, and how each request was signed."""
    signed: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            signed.append(self.headers.get("Authorization", ""))
            self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", signed
        server.shutdown()
        thread.join()


def test_google_is_shown_the_token(service: tuple[str, list[str]]) -> None:
    url, signed = service
    store = open_store("gs://bucket/prefix", options={"GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN, "base_url": url})
    with pytest.raises(NotFoundError) as caught:
        store.get("events/rain/1.json")
    assert signed == [f"Bearer {TOKEN}"]
    assert TOKEN not in f"{caught.value} {store!r}"


def test_azure_is_shown_what_its_command_line_is_signed_in_with(
    service: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, signed = service
    program = tmp_path / "az"
    program.write_text(
        f'#!/bin/sh\necho \'{{"accessToken": "{TOKEN}", "expiresOn": "2999-01-01 00:00:00.000000", '
        '"expires_on": 32472144000, "tokenType": "Bearer"}\'\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("AZURE_USE_AZURE_CLI", "true")
    options = {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ENDPOINT": url}
    with pytest.raises(NotFoundError):
        open_store("az://container/prefix", options=options).get("events/rain/1.json")
    assert signed == [f"Bearer {TOKEN}"]
