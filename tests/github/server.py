"""The HTTP side: lets callers in, judges what they send and what they get, divides lists into pages, plays faults."""

from __future__ import annotations

import json
import math
import re
import socket
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event as Signal
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.github.accounts import Token
from tests.github.contract import Operation, github
from tests.github.replies import INTEGRATION, ROUTES, Answer, Call, Page, Refusal, missing
from tests.github.state import Request, State

if TYPE_CHECKING:
    from tests.github.hub import Hub

NOBODY = Token(login="", permissions={}, value="")
JSON = "application/json; charset=utf-8"
LIMITED = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
EXHAUSTED = "API rate limit exceeded for installation ID 1."


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next `times` requests whose "METHOD /path" `match` finds."""

    kind: Literal["answer", "lose", "drop", "silence"]
    times: int
    match: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def hits(self, line: str) -> bool:
        return self.times > 0 and re.search(self.match, line) is not None


class GitHubServer(ThreadingHTTPServer):
    """Serves one Hub."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: Hub, port: int) -> None:
        super().__init__(("127.0.0.1", port), GitHubHandler)
        self.hub = hub
        self.state: State = hub.state
        self.faults: list[Fault] = []
        self.over = Signal()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class GitHubHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body behind its headers would wait for the client's acknowledgement, 40 ms
    server: GitHubServer
    timeout = 60

    def log_message(self, *_: Any) -> None:
        """Says nothing: the hub remembers every request."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path.startswith("/-/"):
            self._send(*self.server.hub.administer(path.removeprefix("/-/"), body))
            return
        line = f"{self.command} {path}"
        with self.server.state.lock:
            fault = next((one for one in self.server.faults if one.hits(line)), None)
            if fault:
                fault.times -= 1
        if fault and fault.kind == "drop":
            self._hang_up()
        elif fault and fault.kind == "answer":
            self._remember(path, {}, body, "", fault.status)
            self._send(fault.status, fault.body, {"Content-Type": JSON, **fault.headers})
        else:
            reply = self._answer(path, body)
            if fault and fault.kind == "lose":
                self._hang_up()
            elif fault:
                self.server.over.wait()
                self._hang_up()
            else:
                self._send(*reply)

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers for the request, carried out."""
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        state = self.server.state
        token = NOBODY
        operation = github().operation(self.command, path)
        with state.turn():
            try:
                token = self._caller()
                status, value, headers = self._carried_out(operation, path, query, body, token)
            except Refusal as refusal:
                status, headers = refusal.status, dict(refusal.headers)
                value = {**refusal.body, "status": str(refusal.status)}
            except Exception:  # noqa: BLE001 - a defect of the stand-in, which the test has to see
                status, value, headers = self._defect(f"{self.command} {path} failed:\n{traceback.format_exc()}")
        if operation is not None and status != 500:
            value = github().completed(operation, status, value)
        data = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
        kind = headers.setdefault("Content-Type", JSON) if data else ""
        if operation is not None and status != 500 and not isinstance(value, bytes):  # only JSON is described
            faults = github().response_faults(operation, query, status, data, kind.split(";")[0])
            if faults:
                status, value, headers = self._defect(f"{self.command} {path} answered {status}: {'; '.join(faults)}")
                data = json.dumps(value).encode()
        self._remember(path, query, body, token.login, status)
        limits = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4999", "X-RateLimit-Resource": "core",
                  "X-RateLimit-Reset": str(int(time.time()) + 3600), "X-GitHub-Request-Id": "STAND:IN"}  # fmt: skip
        return status, data, {**limits, **headers}

    def _carried_out(
        self, operation: Operation | None, path: str, query: dict[str, str], body: bytes, token: Token
    ) -> tuple[int, Any, dict[str, str]]:
        state = self.server.state
        if (self.command, path) == ("POST", "/graphql"):  # the one question that REST does not answer to an App
            return self._viewer(body, token)
        route = ROUTES.get((operation.method, operation.pattern)) if operation else None
        if operation is None or route is None:
            return self._defect(f"{self.command} {path}: the stand-in has no such operation")
        faults = github().request_faults(operation, query, body, (self.headers.get("Content-Type") or "").split(";")[0])
        if faults:
            return self._defect(f"{self.command} {path} was sent what GitHub does not describe: {'; '.join(faults)}")
        self._admit(operation, token, route.needs)
        sent = json.loads(body) if body else {}
        call = Call(arguments=operation.arguments, query=query, body=sent, token=token,
                    accept=self.headers.get("Accept") or "")  # fmt: skip
        result = route.handler(state, call)
        if isinstance(result, Answer):
            return result.status, result.body, dict(result.headers)
        if isinstance(result, Page):
            return 200, *self._paged(result, path, query)
        return 200, result, {}

    def _viewer(self, body: bytes, token: Token) -> tuple[int, Any, dict[str, str]]:
        """Who asks. Of GraphQL, which its own schema describes, there is nothing else here."""
        if token is NOBODY:
            raise Refusal(401, "Requires authentication")
        if json.loads(body) != {"query": "query{viewer{login}}"}:
            return self._defect(f"GraphQL was asked {body!r}")
        return 200, {"data": {"viewer": {"login": token.login}}}, {}

    def _caller(self) -> Token:
        header = self.headers.get("Authorization") or ""
        kind, _, value = header.partition(" ")
        if not header:
            return NOBODY
        token = self.server.state.tokens.get(value.strip()) if kind.lower() in ("bearer", "token") else None
        if token is None:
            raise Refusal(401, "Bad credentials")
        return token

    def _admit(self, operation: Operation, token: Token, needs: str) -> None:
        """Raises Refusal as GitHub does: what one may not even see is not found."""
        state, called = self.server.state, operation.arguments
        if "owner" in called and f"{called['owner']}/{called['repo']}".lower() != state.repository.lower():
            raise missing()
        if "org" in called and called["org"].lower() != state.owner.lower():
            raise missing()
        if token is NOBODY:
            if operation.method != "get" or not needs:
                raise Refusal(401, "Requires authentication")
            public = ("metadata", "contents", "issues", "pull_requests", "checks", "statuses", "actions", "deployments")
            if state.private or not any(f"{name}:read" in needs for name in public):
                raise missing()
            return
        if token.permissions == {} and state.private:
            raise missing()
        if not token.may(needs):
            if token.of_person and operation.method == "get":
                raise missing()
            words = "Must have admin rights to Repository." if token.of_person else INTEGRATION
            raise Refusal(403, words, needs=needs)

    def _paged(self, page: Page, path: str, query: dict[str, str]) -> tuple[Any, dict[str, str]]:
        """The part asked for, and where the others are; GitHub never gives more than 100 at once."""
        size = min(int(query.get("per_page", 30)), 100)
        number = max(int(query.get("page", 1)), 1)
        last = max(math.ceil(len(page.rows) / size), 1)
        rows = [page.shape(row) for row in page.rows[(number - 1) * size : number * size]]
        links = {}
        if number > 1:
            links |= {"prev": min(number - 1, last), "first": 1}
        if number < last:
            links |= {"next": number + 1, "last": last}
        address = self.server.state.url + path
        text = ", ".join(
            f'<{address}?{urlencode({**query, "page": where})}>; rel="{name}"' for name, where in links.items()
        )
        value = {"total_count": len(page.rows), page.under: rows} if page.under else rows
        return value, {"Link": text} if text else {}

    def _defect(self, what: str) -> tuple[int, Any, dict[str, str]]:
        """What no client of GitHub would ever see: the test fails of it."""
        self.server.state.invalid.append(what)
        return 500, {"message": f"stand-in: {what}"}, {}

    def _remember(self, path: str, query: dict[str, str], body: bytes, login: str, status: int) -> None:
        try:
            sent = json.loads(body) if body else None
        except ValueError:
            sent = body.decode(errors="replace")
        with self.server.state.lock:
            self.server.state.requests.append(
                Request(method=self.command, path=path, query=query, body=sent, login=login, status=status)
            )
        self.server.hub.save()

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True
        # unsent bytes or not: the client sees an end where an answer should be
        self.connection.shutdown(socket.SHUT_RDWR)
