"""Environments on this machine: each release a scoring service in a process of its own, behind the local router.

What runs is read from the system's process table, never from a record that could be out of date: a service carries the
path of its announcement on its command line, so a run that was killed at any point leaves nothing that the next one
does not recognise. The announcement, which the service itself writes, adds the port.
"""

from __future__ import annotations

import json
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import mlops_ci
from mlops_ci.adapters import processes
from mlops_ci.adapters.environment import child_environment
from mlops_ci.adapters.local_environments import LocalEnvironments, Place
from mlops_ci.adapters.loopback import HOST, get
from mlops_ci.adapters.release_files import materialise
from mlops_ci.adapters.request_log import latest_requests, logged_entries
from mlops_ci.adapters.service_command import MODULE, ModelFiles, service_arguments
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.records import Release
from mlops_ci.core.serving import ServingConfig
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import VerificationError
from mlops_ci.ports import Console, Instance, RecentRequests

READY_PATIENCE = 60.0
STOP_GRACE = 30.0
POLL_SECONDS = 0.01
LAST_WORDS = 2_000


class _Place(Place):
    """Where a process keeps its announcement and its logs."""

    @classmethod
    def of(cls, place: Place) -> _Place:
        return cls(**vars(place))

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

    def __init__(self, run_dir: Path, *, console: Console, serving: ServingConfig | None = None) -> None:
        self._serving = serving or ServingConfig()
        self._here = LocalEnvironments(run_dir)
        self._console = console

    def exclusive(self, environment: str, model: str) -> AbstractContextManager[None]:
        return self._here.exclusive(environment, model)

    def instances(self, environment: str, model: str) -> Sequence[Instance]:
        found = []
        for place in map(_Place.of, self._here.places(environment, model)):
            port = self._port(place)
            if port is not None:
                found.append(self._instance(place, port))
        return found

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:
        shared = self._here.place(environment, release.model, release.id)
        shared.make()
        place = _Place.of(shared)
        with self._console.working(f"starting {release.model} version {release.version} in {environment}"):
            instance = self._adopt(place) or self._spawn(place, release, materialise(self._files, release, files))
        self._here.follow(environment, release.model, instance)
        return instance

    def stop(self, environment: str, model: str, release: str) -> None:
        self._end(self._place(environment, model, release))

    def route(self, environment: str, model: str, shares: Mapping[str, int], *, shadow: str | None = None) -> None:
        def address(release: str) -> str | None:
            port = self._port(self._place(environment, model, release))
            return None if port is None else _url(port)

        self._here.route(environment, model, shares, address, shadow=shadow)

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        return self._here.traffic(environment, model)

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        return self._here.shares(environment, model)

    def url(self, environment: str, model: str) -> str:
        return self._here.url(environment, model)

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> RecentRequests:
        return latest_requests(self._place(environment, model, release).predictions, limit)

    def logged_requests(self, environment: str, model: str) -> Iterator[LogEntry]:
        return logged_entries(_Place.of(place).predictions for place in self._here.places(environment, model))

    def evidence(self) -> Sequence[str]:
        return ()

    def shut_down(self) -> None:
        """Ends the router and every service below this run folder; what was routed is not forgotten."""
        self._here.stop_router()
        with ThreadPoolExecutor() as together:
            list(together.map(self._end, map(_Place.of, self._here.all_places())))

    @property
    def _files(self) -> Path:
        return self._here.run_dir / "files"

    def _place(self, environment: str, model: str, release: str) -> _Place:
        return _Place.of(self._here.place(environment, model, release))

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
        found = [identity for identity in processes.find(place.marker) if processes.is_service(identity)]
        if len(found) == 1:
            instance = self._wait_until_ready(place, found[0])
            if instance is not None:
                return instance
        self._end(place)
        return None

    def _spawn(self, place: _Place, release: Release, files: Path) -> Instance:
        begin = place.log.stat().st_size if place.log.exists() else 0
        identity = processes.start_service(
            _command(place, release, files, self._serving), log_path=place.log, cwd=place.folder, env=_environment()
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


def _command(place: _Place, release: Release, files: Path, serving: ServingConfig) -> list[str]:
    # -P: the folder that it is started in must not shadow a library
    command = [sys.executable, "-P", "-m", MODULE]
    return command + service_arguments(
        release.id,
        serving,
        files=ModelFiles(folder=files, model=release.model, version=release.version),
        host=HOST,
        port=0,
        log=place.predictions,
        announce=place.announcement,
    )


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
