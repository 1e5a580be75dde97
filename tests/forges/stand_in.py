"""What the stand-ins of GitLab and of Azure DevOps have in common: HTTP, faults, tokens, strictness, and Git over HTTP.

What is sent that the forge does not know (a path, a field, a parameter) is remembered as invalid and fails the test.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.github.git_store import GitStore

NO_COMMIT = "0" * 40
HOOK = """#!/bin/sh
while read old new ref; do
  case " $STAND_IN_PROTECTED " in *" $ref "*) echo "$STAND_IN_WORDS" >&2; exit 1;; esac
done
"""


class Refusal(Exception):
    """An answer other than success."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.status, self.body, self.headers = status, body, dict(headers or {})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A success with a status or headers of its own."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Account:
    id: Any
    name: str
    bot: bool = False
    level: int = 0
    """What it may in the repository, in GitLab's access levels (30 may write, 40 maintains)."""


@dataclass(frozen=True, kw_only=True)
class Token:
    account: Account
    scopes: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that was let in."""

    method: str
    path: str
    arguments: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    token: Token

    @property
    def account(self) -> Account:
        return self.token.account


@dataclass(frozen=True, kw_only=True)
class Route:
    """`fields` are those that a body may have; those with a `!` it has to have."""

    method: str
    pattern: re.Pattern[str]
    handler: Callable[[Any, Call], Any]
    query: frozenset[str]
    fields: frozenset[str]
    required: frozenset[str]
    scope: str
    level: int


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next `times` requests whose "METHOD /path" `match` finds."""

    kind: str
    match: str
    times: int = 1
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def routes_of(routes: list[Route]) -> Callable[..., Callable[[Callable[[Any, Call], Any]], Callable[[Any, Call], Any]]]:
    """A decorator that declares who answers, and what may be sent."""

    def answers(
        method: str, pattern: str, *, query: str = "", fields: str = "", scope: str = "api", level: int = 10
    ) -> Callable[[Callable[[Any, Call], Any]], Callable[[Any, Call], Any]]:
        def keep(handler: Callable[[Any, Call], Any]) -> Callable[[Any, Call], Any]:
            names = fields.split()
            route = Route(
                method=method, pattern=re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + r"/?"),
                handler=handler, query=frozenset(query.split()), fields=frozenset(name.rstrip("!") for name in names),
                required=frozenset(name[:-1] for name in names if name.endswith("!")), scope=scope, level=level,
            )  # fmt: skip
            routes.append(route)
            return handler

        return keep

    return answers


class StandIn:
    """One forge with one repository of a team and maybe forks of it."""

    ROUTES: ClassVar[list[Route]] = []
    ALWAYS: ClassVar[frozenset[str]] = frozenset()
    """Parameters that every request may have."""
    PROTECTED_WORDS = "protected"
    MIXES = False
    """Whether a field may come as a parameter, too."""

    def __init__(self, bare: Path, folder: Path) -> None:
        self.store = GitStore(bare)
        self.folder = folder
        self.url = ""
        self.lock = RLock()
        self.accounts: dict[str, Account] = {}
        self.tokens: dict[str, Token] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, Any, int]] = []
        self.invalid: list[str] = []
        self.protected: set[str] = set()
        self.pusher = "dana"
        self.offset = timedelta(0)
        self.known: dict[str, str] = {}
        self.pushes: list[dict[str, Any]] = []
        subprocess.run(["git", "config", "http.receivepack", "true"], cwd=bare, check=True)
        subprocess.run(["git", "config", "uploadpack.allowAnySHA1InWant", "true"], cwd=bare, check=True)
        hook = bare / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o755)

    # What a test does to it.

    def later(self, seconds: float) -> None:
        """Time passes on the forge."""
        self.offset += timedelta(seconds=seconds)

    def fail_next(
        self, status: int, *, body: bytes = b'{"message": "no"}', match: str = ".*", times: int = 1, **headers: str
    ) -> None:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        self.faults.append(Fault(kind="answer", match=match, times=times, status=status, body=body, headers=named))

    def lose_reply(self, match: str, times: int = 1) -> None:
        """What is asked is done, and its answer is lost."""
        self.faults.append(Fault(kind="lose", match=match, times=times))

    def token_of(self, name: str, *scopes: str) -> str:
        value = f"token-of-{name}-{len(self.tokens)}-{'x' * 20}"
        self.tokens[value] = Token(account=self.accounts[name], scopes=frozenset(scopes or ("api",)))
        return value

    def asked(self, method: str = "") -> list[str]:
        return [f"{one[0]} {one[1]}" for one in self.requests if method in ("", one[0])]

    # What the forges differ in.

    def account_of(self, header: str) -> Token | None:
        raise NotImplementedError

    def refuse(self, status: int, words: str) -> Refusal:
        raise NotImplementedError

    def moved(self, ref: str, before: str, after: str, by: Account) -> None:
        """A branch was pushed to."""
        raise NotImplementedError

    def git_path(self, path: str) -> tuple[Path, str] | None:
        """The bare repository that an address of Git means, and the rest of the address."""
        raise NotImplementedError

    # How it works.

    def now(self) -> str:
        return (datetime.now(UTC) + self.offset).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One request, or one deed of a person, after the other; each sees what was pushed before it."""
        with self.lock:
            self.sync(self.accounts[self.pusher])
            yield

    def sync(self, by: Account) -> None:
        now = self.store.refs("refs/heads")
        for ref in [*now, *(set(self.known) - set(now))]:
            before, after = self.known.get(ref, NO_COMMIT), now.get(ref, NO_COMMIT)
            if before != after:
                self.known[ref] = after
                if after == NO_COMMIT:
                    del self.known[ref]
                self.moved(ref, before, after, by)

    def move(self, ref: str, commit: str | None, by: Account) -> None:
        if commit is None:
            self.store.delete_ref(ref)
        else:
            self.store.set_ref(ref, commit)
        self.sync(by)

    def defect(self, what: str) -> Refusal:
        """What no client of the forge would ever see: the test fails of it."""
        self.invalid.append(what)
        return Refusal(500, {"message": f"stand-in: {what}"})

    def answer(self, method: str, path: str, query: Mapping[str, str], data: bytes, header: str) -> Answer:
        token = self.account_of(header)
        if token is None:
            raise self.refuse(401, "401 Unauthorized")
        route, found = self._route(method, path)
        if route is None or found is None:
            raise self.defect(f"{method} {path}: the stand-in has no such operation")
        body = json.loads(data) if data else {}
        if self.MIXES and method != "GET":
            body, query = {**query, **body}, {}
        unknown = set(query) - route.query - self.ALWAYS
        if unknown:
            raise self.defect(f"{method} {path}: unknown parameters {sorted(unknown)}")
        wrong = set(body) - route.fields if isinstance(body, dict) else set()
        lacking = route.required - set(body) if isinstance(body, dict) else set()
        if wrong or lacking:
            raise self.defect(f"{method} {path}: unknown fields {sorted(wrong)}, missing {sorted(lacking)}")
        self.admit(route, token, method)
        arguments = {name: unquote(text) for name, text in found.groupdict().items()}
        call = Call(method=method, path=path, arguments=arguments, query=query, body=body, token=token)
        done = route.handler(self, call)
        return done if isinstance(done, Answer) else Answer(body=done, status=201 if method == "POST" else 200)

    def admit(self, route: Route, token: Token, method: str) -> None:
        raise NotImplementedError

    def _route(self, method: str, path: str) -> tuple[Route | None, re.Match[str] | None]:
        for route in self.ROUTES:
            found = route.pattern.fullmatch(path) if route.method == method else None
            if found:
                return route, found
        return None, None

    def git(
        self, method: str, path: str, query: str, headers: Mapping[str, str], data: bytes
    ) -> tuple[int, Any, bytes]:
        """Git's own server behind the forge's rules; who pushes is who the token is of."""
        place = self.git_path(path)
        if place is None:
            return 404, [], b"repository not found"
        token = self.account_of(headers.get("Authorization", ""))
        writes = "git-receive-pack" in path + query
        if token is None:
            return 401, [("WWW-Authenticate", 'Basic realm="Git"')], b"HTTP Basic: Access denied"
        if (writes and token.account.level < 30) or not token.scopes & {"api", "write_repository"}:
            return 403, [], b"You are not allowed to push code to this project."
        bare, rest = place
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "GIT_PROJECT_ROOT": str(bare), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": rest, "REQUEST_METHOD": method,
            "QUERY_STRING": query, "CONTENT_TYPE": headers.get("Content-Type", ""), "REMOTE_USER": token.account.name,
            "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(data)),
            "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
            "STAND_IN_PROTECTED": " ".join(f"refs/heads/{name}" for name in self.protected),
            "STAND_IN_WORDS": self.PROTECTED_WORDS,
        }  # fmt: skip
        with self.turn():
            done = subprocess.run(
                ["git", "http-backend"], input=data, env=environment, capture_output=True, check=False
            )
            if writes:
                self.sync(token.account)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        pairs = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(text.split()[0]) for name, text in pairs if name == "Status"), 200)
        return status, [(name, text) for name, text in pairs if name != "Status"], body


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *_: Any) -> None:
        """Says nothing: the stand-in remembers every request."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815

    def _serve(self) -> None:
        forge: StandIn = self.server.stand_in  # type: ignore[attr-defined]
        data = self._body()
        parts = urlsplit(self.path)
        line = f"{self.command} {parts.path}"
        with forge.lock:
            fault = next((one for one in forge.faults if one.times > 0 and re.search(one.match, line)), None)
            if fault:
                fault.times -= 1
        if fault and fault.kind == "answer":
            self._send(fault.status, {"Content-Type": "application/json", **fault.headers}, fault.body)
            return
        if forge.git_path(parts.path) is not None:
            status, pairs, body = forge.git(self.command, parts.path, parts.query, dict(self.headers), data)
            headers: Mapping[str, str] = dict(pairs)
        else:
            status, headers, body = self._answered(forge, parts.path, parts.query, data)
        if fault:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(status, headers, body)

    def _answered(self, forge: StandIn, path: str, query: str, data: bytes) -> tuple[int, Mapping[str, str], bytes]:
        asked = dict(parse_qsl(query, keep_blank_values=True))
        header = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or ""
        with forge.turn():
            try:
                done = forge.answer(self.command, path, asked, data, header)
                status, value, headers = done.status, done.body, dict(done.headers)
            except Refusal as refusal:
                status, value, headers = refusal.status, refusal.body, refusal.headers
            except Exception:  # noqa: BLE001 - a defect of the stand-in, which the test has to see
                refusal = forge.defect(f"{self.command} {path} failed:\n{traceback.format_exc()}")
                status, value, headers = refusal.status, refusal.body, {}
            forge.requests.append((self.command, path, data.decode(errors="replace"), status))
        body = b"" if value is None else json.dumps(value).encode()
        return status, {"Content-Type": "application/json", **headers}, body

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if status != 204 else 0))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    stand_in: StandIn

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


@contextmanager
def serving(made: Callable[[Path], StandIn]) -> Iterator[Any]:
    """Serves what `made` makes, given a folder that is gone when the block ends.

    Raises AssertionError at the end where anything was asked that the forge does not know.
    """
    with tempfile.TemporaryDirectory() as folder, Server(("127.0.0.1", 0), Handler) as server:
        stand_in = made(Path(folder))
        server.stand_in = stand_in
        stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()
    assert not stand_in.invalid, "the forge would not have this:\n" + "\n".join(stand_in.invalid)


def password_of(header: str) -> str:
    """What stands behind `Basic` or `Bearer`, or alone."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "basic":
        return base64.b64decode(value).decode().partition(":")[2]
    return value if kind.lower() == "bearer" else header


def page_of(rows: Sequence[Any], query: Mapping[str, str]) -> tuple[Sequence[Any], int, int]:
    """The rows of the page, its number and that of the last one, as GitLab counts them."""
    size = min(max(int(query.get("per_page", 20)), 1), 100)
    number = max(int(query.get("page", 1)), 1)
    return rows[(number - 1) * size : number * size], number, max(-(-len(rows) // size), 1)
