"""A real S3 server for tests (moto's, as a process of its own), which can be told to fail as real ones do.

`serve()` starts it; running this file is the server. Requests are answered one after the other, because real S3 decides
a create-only put atomically, and moto does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal
from uuid import uuid4

KEY_ID, SECRET = "AKIATESTKEYOFNOBODY", "the/secret+of+nobody"
Fault = Literal["lose", "drop", "deny"]
DENIED = f"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match.</Message>
<AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256 {SECRET}</StringToSign></Error>"""


@dataclass(frozen=True, kw_only=True)
class S3Server:
    endpoint: str

    @property
    def options(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def new_bucket(self) -> str:
        """Makes an empty bucket; returns the URL of a store in it."""
        bucket = f"store-{uuid4()}"
        self._put(f"/{bucket}")
        return f"s3://{bucket}/team/store"

    def fail_next_put(self, how: Fault) -> None:
        """`lose`: write, then answer 500. `drop`: write, then hang up. `deny`: do not write, answer 403."""
        self._put(f"/-/{how}")

    def _put(self, path: str) -> None:
        request = urllib.request.Request(self.endpoint + path, method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


@contextmanager
def serve() -> Iterator[S3Server]:
    with subprocess.Popen(
        [sys.executable, __file__], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield S3Server(endpoint=server.stdout.readline().strip())
        server.terminate()


class Faulty:
    """A WSGI application around moto's: one request at a time, and the next put as it was told."""

    def __init__(self, inner: Callable[..., Iterable[bytes]]) -> None:
        self._inner = inner
        self._lock = Lock()
        self._next = ""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/-/exit":
            os._exit(0)
        if path.startswith("/-/"):
            self._next = path.removeprefix("/-/")
            start_response("200 OK", [])
            return [b""]
        with self._lock:
            fault = ""
            if environ["REQUEST_METHOD"] == "PUT" and path.count("/") > 1:
                fault, self._next = self._next, ""
            if fault == "deny":
                start_response("403 Forbidden", [("Content-Type", "application/xml")])
                return [DENIED.encode()]
            if fault:
                b"".join(self._inner(environ, lambda *_: None))
                if fault == "drop":
                    environ["werkzeug.socket"].close()
                start_response("500 Internal Server Error", [])
                return [b""]
            return list(self._inner(environ, start_response))


def main() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *_: object, **__: object) -> None:
            pass

    app = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
