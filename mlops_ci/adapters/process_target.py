"""Environments on this machine: each release a scoring service in a process of its own, behind the local router.

What runs is read from the system's process table, never from a record that could be out of date: a service carries the
path of its announcement on its command line, so a run that was killed at any point leaves nothing that the next one
does not recognise. The announcement, which the service itself writes, adds the port.
"""

from __future__ import annotations

import json
import re
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlops_ci
from mlops_ci.adapters import processes
from mlops_ci.adapters.environment import child_environment
from mlops_ci.adapters.file_lock import locked
from mlops_ci.adapters.loopback import HOST, get
from mlops_ci.adapters.release_files import materialise
from mlops_ci.adapters.request_log import latest_records
from mlops_ci.adapters.traefik import Traefik
from mlops_ci.adapters.traefik_configuration import Part
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError, OutsideError, VerificationError
from mlops_ci.ports import Console, Instance

READY_PATIENCE = 60.0
STOP_GRACE = 30.0
POLL_SECONDS = 0.01
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LAST_WORDS = 2_000


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where one release's service in one environment keeps its announcement and its logs."""

    folder: Path
    release: str

    @property
    def announcement(self) -> Path:
        return self.folder / "service.json"

    @property
    def log(self) -> Path:
        return self.folder / "service.log"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.jsonl"

    @property
    def marker(self) -> str:
        """The argument by which the service is recognised."""
        return f"--announce={self.announcement}"


class ProcessTarget:
    """Implements `ports.Target` with processes that outlive the command; everything is kept below `run_dir`."""

    def __init__(self, run_dir: Path, *, console: Console) -> None:
        self._run_dir = run_dir.resolve()
        self._console = console
        self._router = Traefik(self._run_dir / "router")

    def exclusive(self, environment: str, model: str) -> AbstractContextManager[None]:
        path = self._folder(environment, model) / "lock"
        return locked(path, what=f"another command is at work on {model} in {environment}")

    def instances(self, environment: str, model: str) -> Sequence[Instance]:
        folder = self._folder(environment, model)
        found = []
        for inner in sorted(folder.iterdir()) if folder.is_dir() else []:
            place = _Place(folder=inner, release=inner.name)
            port = self._port(place) if inner.is_dir() else None
            if port is not None:
                found.append(self._instance(place, port))
        return found

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:
        place = self._place(environment, release.model, release.id)
        place.folder.mkdir(parents=True, exist_ok=True)
        with self._console.working(f"starting {release.model} version {release.version} in {environment}"):
            instance = self._adopt(place) or self._spawn(place, release, materialise(self._files, release, files))
        # Where the release is to get traffic already, it died in service: the router has to learn its new address.
        parts = self._router.declared(environment, release.model)
        if release.id in parts:
            part = Part(percent=parts[release.id].percent, url=instance.url)
            self._router.divide(environment, release.model, {**parts, release.id: part})
        return instance

    def stop(self, environment: str, model: str, release: str) -> None:
        self._end(self._place(environment, model, release))

    def route(self, environment: str, model: str, shares: Mapping[str, int]) -> None:
        if shares and (sum(shares.values()) != 100 or min(shares.values()) < 0):
            raise ValueError(f"shares are whole per cent that add up to 100, not {dict(shares)}")
        parts = {}
        for release, share in shares.items():
            if share:
                port = self._port(self._place(environment, model, release))
                if port is None:
                    raise OutsideError(f"release {release[:12]} of {model} does not run in {environment}")
                parts[release] = Part(percent=share, url=_url(port))
        self._router.divide(environment, model, parts)

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        self._folder(environment, model)
        return {release: part.percent for release, part in self._router.in_force(environment, model).items()}

    def url(self, environment: str, model: str) -> str:
        self._folder(environment, model)
        return self._router.url(environment, model)

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return latest_records(self._place(environment, model, release).predictions, limit)

    def shut_down(self) -> None:
        """Ends the router and every service below this run folder; what was routed is not forgotten."""
        self._router.stop()
        folders = (self._run_dir / "services").glob("*/*/*/")
        with ThreadPoolExecutor() as together:
            list(together.map(self._end, [_Place(folder=folder, release=folder.name) for folder in folders]))

    @property
    def _files(self) -> Path:
        return self._run_dir / "files"

    def _folder(self, environment: str, model: str) -> Path:
        for name in (environment, model):
            if not NAME.fullmatch(name):
                raise ConfigurationError(f"{name!r} is no name for an environment or a model")
        return self._run_dir / "services" / environment / model

    def _place(self, environment: str, model: str, release: str) -> _Place:
        if not NAME.fullmatch(release):
            raise ConfigurationError(f"{release!r} is no release id")
        return _Place(folder=self._folder(environment, model) / release, release=release)

    def _port(self, place: _Place) -> int | None:
        """Where the release's service listens; None where it does not run or has not said yet."""
        announced = _announced(place)
        running = {identity.pid for identity in processes.find(place.marker)} if announced else set()
        return announced["port"] if announced and announced["pid"] in running else None

    def _instance(self, place: _Place, port: int) -> Instance:
        reply = get(port, "/v2/health/ready")
        healthy = reply is not None and reply.status == 200 and reply.headers.get("x-mlops-release") == place.release
        return Instance(release=place.release, url=_url(port), healthy=healthy)

    def _adopt(self, place: _Place) -> Instance | None:
        """The service that a run before this one has started, if it is or becomes ready; else it is ended."""
        found = processes.find(place.marker)
        if len(found) == 1:
            instance = self._wait_until_ready(place, found[0])
            if instance is not None:
                return instance
        self._end(place)
        return None

    def _spawn(self, place: _Place, release: Release, files: Path) -> Instance:
        begin = place.log.stat().st_size if place.log.exists() else 0
        identity = processes.start_service(
            _command(place, release, files), log_path=place.log, cwd=place.folder, env=_environment()
        )
        try:
            instance = self._wait_until_ready(place, identity)
        except BaseException:  # an interrupted start leaves nothing behind
            self._end(place)
            raise
        if instance is None:
            self._end(place)
            with place.log.open("rb") as log:
                log.seek(begin)
                words = log.read().decode(errors="replace").strip()[-LAST_WORDS:]
            service = f"the service of {release.model} version {release.version}"
            what = f"{service} did not become ready: {words or 'it said nothing'}"
            raise VerificationError(what, where=str(place.log))
        return instance

    def _wait_until_ready(self, place: _Place, identity: processes.Identity) -> Instance | None:
        deadline = time.monotonic() + READY_PATIENCE
        while processes.is_running(identity) and time.monotonic() < deadline:
            announced = _announced(place)
            if announced is not None and announced["pid"] == identity.pid:
                instance = self._instance(place, announced["port"])
                if instance.healthy:
                    return instance
            time.sleep(POLL_SECONDS)
        return None

    def _end(self, place: _Place) -> None:
        for identity in processes.find(place.marker):
            processes.terminate(identity, grace=STOP_GRACE)
        place.announcement.unlink(missing_ok=True)


def _announced(place: _Place) -> dict[str, int] | None:
    try:
        announced: dict[str, int] = json.loads(place.announcement.read_bytes())
    except FileNotFoundError:
        return None
    return announced


def _command(place: _Place, release: Release, files: Path) -> list[str]:
    options = {
        "files": files,
        "model": release.model,
        "version": release.version,
        "release": release.id,
        "host": HOST,
        "port": 0,
        "log": place.predictions,
    }
    # -P: the folder that it is started in must not shadow a library
    command = [sys.executable, "-P", "-m", "mlops_ci.scoring"]
    return [*command, *(f"--{name}={value}" for name, value in options.items()), place.marker]


def _environment() -> dict[str, str]:
    """What the service needs beyond the cleaned environment: this very package, and one thread for one service."""
    more = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    home = Path(mlops_ci.__file__).resolve().parents[1]
    if str(home) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        given = child_environment().get("PYTHONPATH")
        more["PYTHONPATH"] = f"{home}:{given}" if given else str(home)
    return more


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"
