"""Environments in containers: each release one container of its image on a Docker engine, behind the local router.

What runs is read from the engine, never from a record that could be out of date: a container carries what it is in its
labels, so a run that was killed at any point leaves nothing that the next one does not recognise.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.adapters.docker_connection import connect_here
from mlops_ci.adapters.docker_containers import (
    IMAGE_LABEL,
    LOG_FOLDER,
    RELEASE_LABEL,
    Container,
    Containers,
    PortTaken,
    Wanted,
)
from mlops_ci.adapters.local_environments import LocalEnvironments, Place
from mlops_ci.adapters.loopback import HOST, free_ports, get
from mlops_ci.adapters.release_image import image_of
from mlops_ci.adapters.request_log import latest_requests, logged_entries
from mlops_ci.adapters.service_command import service_arguments
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.records import Release
from mlops_ci.core.serving import ResourceLimits, ServingConfig
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.ports import Console, Instance, RecentRequests, Target

if TYPE_CHECKING:
    from docker import DockerClient

    from mlops_ci.ports.images import ImageEngine

READY_PATIENCE = 60.0
STOP_GRACE = 30
POLL_SECONDS = 0.02
PREDICTIONS = "predictions.jsonl"
# Below the ports of the router, and as those below the range of outgoing connections: a container that the engine
# restarts has to find its port free again.
FIRST_PORT, PORTS = 10_000, 10_000
ATTEMPTS = 5
PIDS, PIDS_OF_A_WORKER = 64, 64
MANAGED = {"io.mlops-ci.managed-by": "mlops-ci"}


class DockerTarget:
    """Implements `ports.Target`. The containers of a run folder are its own; the router and the logs are in it.

    `formerly` is what ran services there before the environment's target became docker: they are ended as soon as the
    traffic is with the containers.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        images: ImageEngine,
        limits: ResourceLimits,
        serving: ServingConfig,
        console: Console,
        connect: Callable[[], DockerClient] = connect_here,
        formerly: Target | None = None,
    ) -> None:
        self._formerly = formerly
        self._here = LocalEnvironments(run_dir)
        self._images = images
        self._containers = Containers(connect)
        self._limits = limits
        self._serving = serving
        self._console = console

    def exclusive(self, environment: str, model: str) -> AbstractContextManager[None]:
        return self._here.exclusive(environment, model)

    def instances(self, environment: str, model: str) -> Sequence[Instance]:
        """One for each release of which there is a container, running or not, so that none is forgotten."""
        by_release: dict[str, list[Container]] = {}
        for container in self._containers.find(self._labels(environment, model)):
            by_release.setdefault(container.release, []).append(container)
        return [self._instance(environment, model, found) for _, found in sorted(by_release.items())]

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:  # noqa: ARG002
        place = self._here.place(environment, release.model, release.id)
        with self._console.working(f"starting {release.model} version {release.version} in {environment}"):
            found = self._containers.find(self._labels(environment, release.model, release.id))
            image_id = image_of(release, self._images)
            instance = self._adopt(place, found, image_id) or self._spawn(place, release, image_id)
        self._here.follow(environment, release.model, instance)
        return instance

    def stop(self, environment: str, model: str, release: str) -> None:
        for container in self._containers.find(self._labels(environment, model, release)):
            self._containers.end(container, grace=STOP_GRACE)

    def route(self, environment: str, model: str, shares: Mapping[str, int], *, shadow: str | None = None) -> None:
        def address(release: str) -> str | None:
            found = self._containers.find(self._labels(environment, model, release))
            chosen = self._own_first(environment, model, found)
            listens = [one for one in chosen if one.status in ("running", "restarting") and one.port]
            return _url(listens[0]) if listens else None

        self._here.route(environment, model, shares, address, shadow=shadow)
        if self._formerly is not None:
            for instance in self._formerly.instances(environment, model):
                self._formerly.stop(environment, model, instance.release)

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        return self._here.traffic(environment, model)

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        return self._here.shares(environment, model)

    def url(self, environment: str, model: str) -> str:
        return self._here.url(environment, model)

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> RecentRequests:
        return latest_requests(_predictions(self._here.place(environment, model, release)), limit)

    def logged_requests(self, environment: str, model: str) -> Iterator[LogEntry]:
        return logged_entries(map(_predictions, self._here.places(environment, model)))

    def evidence(self) -> Sequence[str]:
        return ()

    def shut_down(self) -> None:
        """Ends the router and every container of this run folder; what was routed is not forgotten."""
        self._here.stop_router()
        with ThreadPoolExecutor() as together:
            found = self._containers.find(self._labels())
            list(together.map(lambda container: self._containers.end(container, grace=STOP_GRACE), found))

    def _labels(self, environment: str = "", model: str = "", release: str = "") -> dict[str, str]:
        """What the containers of this run folder are found by: all of them, or an environment's, or a release's."""
        if environment or model:
            self._here.folder(environment, model)
        known = {
            "io.mlops-ci.run": str(self._here.run_dir),
            "io.mlops-ci.environment": environment,
            "io.mlops-ci.model": model,
            RELEASE_LABEL: release,
        }
        return MANAGED | {name: value for name, value in known.items() if value}

    def _adopt(self, place: Place, found: Sequence[Container], image_id: str) -> Instance | None:
        """The container of these that a run before has made, if it is or becomes ready; all others are removed.

        Ours is the one with our name and the release's image: what somebody else has started under the same labels
        gets no traffic.
        """
        name = self._name(place.environment, place.model, place.release)
        alive = (one for one in found if one.status in ("created", "running", "paused"))
        own = next((one for one in alive if one.name == name and one.image_id == image_id), None)
        instance = self._wait_until_ready(place, own) if own is not None and self._revived(own) else None
        for one in found:
            if instance is not None and one is own:
                self._containers.keep(one, self._limits)
            else:
                self._containers.remove(one.id)
        return instance

    def _revived(self, container: Container) -> bool:
        try:
            if container.status == "created":
                self._containers.start(container.id)
            if container.status == "paused":
                self._containers.unpause(container)
        except PortTaken:
            return False
        return True

    def _spawn(self, place: Place, release: Release, image_id: str) -> Instance:
        container_id = self._run(place, release, image_id)
        try:
            container = self._containers.see(container_id)
            instance = self._wait_until_ready(place, container) if container else None
            if container is None or instance is None:
                raise self._failure(place, release, container_id)
            self._containers.keep(container, self._limits)
        except BaseException:  # an interrupted start leaves nothing behind
            self._containers.remove(container_id)
            raise
        return instance

    def _run(self, place: Place, release: Release, image_id: str) -> str:
        """Makes and starts the container at a port that nobody has, and returns its id."""
        place.make()
        folder = _predictions(place).parent
        folder.mkdir(exist_ok=True)
        # The service's user is none of this machine's, so everybody may write here; but only the owner of the folder
        # above gets here.
        folder.chmod(0o777)
        taken = {container.port for container in self._containers.find(self._labels())}
        free = (port for port in free_ports(str(place.folder), first=FIRST_PORT, count=PORTS) if port not in taken)
        for port in islice(free, ATTEMPTS):
            container_id = self._containers.create(self._wanted(place, release, image_id, port))
            try:
                self._containers.start(container_id)
                return container_id
            except BaseException as error:
                self._containers.remove(container_id)
                if not isinstance(error, PortTaken):
                    raise
        raise OutsideError(
            f"no port is free between {FIRST_PORT} and {FIRST_PORT + PORTS} for as long as a start takes"
        )

    def _wanted(self, place: Place, release: Release, image_id: str, port: int) -> Wanted:
        labels = self._labels(place.environment, place.model, place.release)
        return Wanted(
            name=self._name(place.environment, place.model, place.release),
            image_id=image_id,
            arguments=service_arguments(release.id, self._serving, log=LOG_FOLDER / PREDICTIONS),
            labels={**labels, IMAGE_LABEL: image_id, "io.mlops-ci.version": str(release.version)},
            port=port,
            log_folder=_predictions(place).parent,
            limits=self._limits,
            pids=PIDS + PIDS_OF_A_WORKER * self._serving.workers,
        )

    def _name(self, environment: str, model: str, release: str) -> str:
        """The only name that this project gives to a container of the release in the environment."""
        project = hashlib.sha256(str(self._here.run_dir).encode()).hexdigest()[:8]
        return f"mlops-ci.{environment}.{model}.{release[:12]}.{project}"

    def _wait_until_ready(self, place: Place, container: Container) -> Instance | None:
        """None where it ends, is restarted, or is not ready in time."""
        deadline = time.monotonic() + READY_PATIENCE
        while time.monotonic() < deadline:
            if _is_ready(container):
                return Instance(release=place.release, url=_url(container), healthy=True)
            now = self._containers.see(container.id)
            if now is None or now.status != "running" or now.restarts > container.restarts:
                return None
            time.sleep(POLL_SECONDS)
        return None

    def _failure(self, place: Place, release: Release, container_id: str) -> VerificationError:
        """Why a container that was just started is not ready, with its last words."""
        now = self._containers.see(container_id)
        words = self._containers.last_words(now) if now else ""
        how, fix = "its container is gone", ""
        if now is not None and (now.out_of_memory or self._containers.ran_out_of_memory(now)):
            how = f"it ran out of memory (it may use {self._limits.memory_mb} MB)"
            fix = f"raise environments.{place.environment}.limits.memory_mb in mlops.yaml"
        elif now is not None and now.status == "running":
            how = f"it was given {READY_PATIENCE:g} s"
        elif now is not None:
            how = f"it ended with exit code {now.exit_code}"
        service = f"the service of {release.model} version {release.version}"
        what = f"{service} did not become ready: {how}: {words or 'it said nothing'}"
        return VerificationError(what, where=release.image or "", fix=fix)

    def _own_first(self, environment: str, model: str, found: Sequence[Container]) -> list[Container]:
        """Of containers of one release the one with our name, then others that somebody else has started."""
        return sorted(found, key=lambda one: (one.name != self._name(environment, model, one.release), one.name))

    def _instance(self, environment: str, model: str, found: Sequence[Container]) -> Instance:
        first, *others = self._own_first(environment, model, found)
        ready = first.status == "running" and _is_ready(first)
        trouble = first.trouble
        if first.out_of_memory or self._containers.ran_out_of_memory(first):
            more = f"; {trouble}" if trouble else ""
            trouble = f"it ran out of memory (it may use {first.limits.memory_mb} MB){more}"
        if others:
            trouble = f"{len(found)} containers claim to be it: {', '.join(one.name for one in found)}"
        elif first.image_id != first.made_of:
            trouble = "somebody has put a container with another image in its place"
        elif first.status == "running" and not ready:
            trouble = trouble or "it does not answer that it is ready"
        healthy = ready and not others and first.image_id == first.made_of
        return Instance(release=first.release, url=_url(first) if first.port else "", healthy=healthy, trouble=trouble)


def _is_ready(container: Container) -> bool:
    reply = get(container.port, "/v2/health/ready") if container.port else None
    return reply is not None and reply.status == 200 and reply.headers.get("x-mlops-release") == container.release


def _predictions(place: Place) -> Path:
    """The prediction log, in the folder that the container sees."""
    return place.folder / "log" / PREDICTIONS


def _url(container: Container) -> str:
    return f"http://{HOST}:{container.port}"
