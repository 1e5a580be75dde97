"""The data plane's router: a real Traefik; its configuration is replaced as a whole, and its access log is counted."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from tests.docker_engine import free_port, missing

HOST = "127.0.0.1"
PATIENCE = 30.0
POLL_SECONDS = 0.01
NOT_ANSWERED = (502, 504)
"""What Traefik itself answers where a container hung up or was silent; our services never answer so."""
NOBODY = "nobody"


@dataclass(frozen=True)
class Route:
    """Which requests go where, by weight. As `prefix` the path stands for itself and all below it, in whole segments;
    as `pattern` for whole paths, with `*` for any characters and `?` for one, as a load balancer of AWS reads it.
    """

    path: str
    weights: Mapping[str, int]
    match: Literal["prefix", "pattern"] = "prefix"
    mirror: str = ""
    """The key of what gets a copy of every request; empty where nothing does."""

    @property
    def rule(self) -> str:
        """Traefik's words for it."""
        if self.match == "prefix":
            path = self.path.rstrip("/")
            return f"Path(`{path}`) || PathPrefix(`{path}/`)"
        expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in self.path)
        return f"PathRegexp(`^{expression}$`)"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request that the router sent to a service. `answered` is False where none came back, and the status is the
    router's own word.
    """

    at: datetime
    seconds: float
    status: int
    path: str
    answered: bool


class Router:
    """`with Router(folder) as router:`; it answers at `url` until the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._routes = folder / "routes"
        self._log = folder / "access.log"
        self._port = free_port()
        self._generation = 0
        self._changing, self._reading = Lock(), Lock()
        self._read = 0
        self._requests: dict[str, list[Request]] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def __enter__(self) -> Router:
        beside = Path(sys.executable).parent / "traefik"
        program = str(beside) if beside.is_file() else shutil.which("traefik")
        if program is None:
            missing("there is no program traefik")
        self._routes.mkdir(parents=True)
        self._log.touch()
        with (self._folder / "router.log").open("ab") as log:
            self._process = subprocess.Popen([program, *self._arguments()], stdout=log, stderr=log)
        self.become([], {})
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _arguments(self) -> list[str]:
        return [
            f"--entryPoints.web.address={HOST}:{self._port}",
            f"--providers.file.directory={self._routes}",
            "--providers.file.watch=true",
            "--providers.providersThrottleDuration=20ms",
            # Less than the services keep idle connections open.
            "--serversTransport.forwardingTimeouts.idleConnTimeout=30s",
            "--accessLog=true",
            f"--accessLog.filePath={self._log}",
            "--accessLog.format=json",
            "--global.sendAnonymousUsage=false",
            "--global.checkNewVersion=false",
            "--log.level=ERROR",
            "--log.noColor=true",
        ]

    def become(self, routes: Sequence[Route], addresses: Mapping[str, Sequence[str]]) -> None:
        """Puts the routes in force, the first that fits deciding; returns when new requests follow them."""
        with self._changing:
            self._generation += 1
            sign = f"/-generation/{self._generation}"
            text = json.dumps(configuration(routes, addresses, sign))
            draft = self._folder / "draft"
            draft.write_text(text)
            draft.replace(self._routes / "routes.yml")  # written in place it could be read half
            deadline = time.monotonic() + PATIENCE
            while not self._knows(sign):
                assert time.monotonic() < deadline, f"the router does not take this over: {text}\n{self._said()}"
                time.sleep(POLL_SECONDS)

    def _knows(self, sign: str) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=5)
        try:
            connection.request("GET", sign)
            return connection.getresponse().status == http.HTTPStatus.SERVICE_UNAVAILABLE
        except OSError:
            return False
        finally:
            connection.close()

    def _said(self) -> str:
        return (self._folder / "router.log").read_text()[-2000:]

    def requests(self, key: str) -> tuple[Request, ...]:
        """All requests that were sent to the service so far, in the order in which they ended."""
        with self._reading:
            with self._log.open("rb") as log:
                log.seek(self._read)
                told = log.read()
            whole = told[: told.rfind(b"\n") + 1]
            self._read += len(whole)
            for line in whole.splitlines():
                self._note(json.loads(line))
            return tuple(self._requests.get(name_of(key), ()))

    def _note(self, entry: Mapping[str, Any]) -> None:
        if "ServiceURL" not in entry and "ServiceAddr" not in entry:
            return  # nobody was there to be asked
        request = Request(
            at=datetime.fromisoformat(entry["StartUTC"][:26].rstrip("Z") + "+00:00"),
            seconds=entry["Duration"] / 1e9,
            status=entry["DownstreamStatus"],
            path=entry["RequestPath"],
            answered=entry["DownstreamStatus"] not in NOT_ANSWERED,
        )
        self._requests.setdefault(entry["ServiceName"].removesuffix("@file"), []).append(request)


def name_of(key: str) -> str:
    """What Traefik calls the service, whatever characters are in its key."""
    return f"service-{sha256(key.encode()).hexdigest()[:16]}"


def configuration(routes: Sequence[Route], addresses: Mapping[str, Sequence[str]], sign: str) -> dict[str, Any]:
    """Traefik's dynamic configuration. At the path `sign` the router says that this one is in force, by a 503."""
    services: dict[str, Any] = {NOBODY: _servers(())}
    routers = {NOBODY: {"rule": f"Path(`{sign}`)", "service": NOBODY, "priority": len(routes) + 1}}
    keys = {*addresses, *(key for route in routes for key in (*route.weights, route.mirror) if key)}
    services |= {name_of(key): _servers(addresses.get(key, ())) for key in keys}
    for number, route in enumerate(routes):
        shares = [{"name": name_of(key), "weight": weight} for key, weight in route.weights.items() if weight]
        mixed = f"mixed-{number}"
        services |= {mixed: {"weighted": {"services": shares}}} if shares else {}
        service = mixed if shares else NOBODY
        if route.mirror:
            copied = {"service": service, "mirrors": [{"name": name_of(route.mirror), "percent": 100}]}
            services[f"copied-{number}"], service = {"mirroring": copied}, f"copied-{number}"
        routers[f"route-{number}"] = {"rule": route.rule, "service": service, "priority": len(routes) - number}
    return {"http": {"routers": routers, "services": services}}


def _servers(addresses: Sequence[str]) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": address} for address in addresses]}}
