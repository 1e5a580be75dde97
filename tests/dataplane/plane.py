"""A small cloud for tests: real containers of the local Docker engine behind a real router, which become what they are
told to be, in the way in which ECS and Kubernetes both do.

Only what answers at its health path gets traffic. A changed service is started beside the one that serves and takes
over when it is healthy. What ends by itself is started again, each time later. What is not wanted any more is taken out
of the routes before it is asked to end.

Not modelled: more than one container for a service, several machines, networks between services, limits of processors,
secrets that are fetched, how long a cloud takes for anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from tests.dataplane.container import Line, Service
from tests.dataplane.group import Credentials, Group, Status
from tests.dataplane.router import Request, Route, Router
from tests.docker_engine import DockerEngine

__all__ = ["Counts", "DataPlane", "Division", "Line", "Request", "Route", "Service", "Status"]

POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Of all requests that were ever sent to a service; `errors` are answers of its own from 500 on."""

    requests: int
    errors: int
    seconds: tuple[float, ...]

    def within(self, seconds: float) -> int:
        return sum(each <= seconds for each in self.seconds)


@dataclass(frozen=True, kw_only=True)
class Division:
    """Since when requests were divided how."""

    at: datetime
    routes: Sequence[Route]

    def weights(self, path: str) -> Mapping[str, int]:
        """Those of the first route with exactly this path or pattern."""
        return next((route.weights for route in self.routes if route.path == path), {})


class DataPlane:
    """Used as a context manager; in the end nothing of it is left. Every method may be called from any thread."""

    def __init__(self, folder: Path, engine: DockerEngine, credentials: Credentials = lambda _: None) -> None:
        """`credentials` are what an image's registry asks for, as the SDK's `auth_config`.

        The list `divisions` grows with each change of the routes.
        """
        self._engine = engine
        self._credentials = credentials
        self._router = Router(folder)
        self._routes: Sequence[Route] = ()
        self.divisions: list[Division] = []
        self._groups: dict[str, Group] = {}
        self._published: object = None
        self._changing, self._publishing = Lock(), Lock()
        self._open = ExitStack()

    def __enter__(self) -> DataPlane:
        self._open.enter_context(self._router)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for group in self._groups.values():
                group.close()
        finally:
            self._open.close()

    @property
    def url(self) -> str:
        return self._router.url

    def become(self, services: Mapping[str, Service], routes: Sequence[Route]) -> None:
        """Says what shall be. Routes are in force when this returns; containers follow by themselves."""
        with self._changing:
            before, self._routes = self._routes, tuple(routes)
            for key in {*services, *self._groups}:
                group = self._groups.get(key)
                if group is None:
                    group = self._groups[key] = Group(self._engine, self._credentials, self._publish)
                group.want(services.get(key))
            self._publish()
            if self._routes != before:
                self.divisions.append(Division(at=datetime.now(UTC), routes=self._routes))

    def status(self, key: str) -> Status:
        group = self._groups.get(key)
        return group.status() if group else Status()

    def requests(self, key: str) -> tuple[Request, ...]:
        """All that the router ever sent to the service, health checks not among them."""
        return self._router.requests(key)

    def counts(self, key: str) -> Counts:
        requests = self.requests(key)
        return Counts(
            requests=len(requests),
            errors=sum(request.answered and request.status >= 500 for request in requests),
            seconds=tuple(request.seconds for request in requests),
        )

    def output(self, key: str) -> Mapping[str, tuple[Line, ...]]:
        """What the service's containers wrote, ended ones too, by the container's id."""
        group = self._groups.get(key)
        return group.output() if group else {}

    def containers(self, key: str) -> Sequence[Any]:
        """Those that are there now, as the Docker SDK has them."""
        group = self._groups.get(key)
        return [running.container for running in group.alive()] if group else []

    @property
    def problems(self) -> Mapping[str, str]:
        """What keeps services from being as they are wanted."""
        told = {key: group.status().trouble for key, group in self._groups.items()}
        return {key: trouble for key, trouble in told.items() if trouble}

    def wait(self, reached: Callable[[], bool], *, seconds: float = 90.0) -> None:
        """Waits until something holds; AssertionError with the state of everything where it does not."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, {key: group.status() for key, group in self._groups.items()}
            time.sleep(POLL_SECONDS)

    def settle(self, *, seconds: float = 90.0) -> None:
        """Waits until all that is wanted serves and nothing else is there."""
        self.wait(lambda: all(group.status().settled for group in list(self._groups.values())), seconds=seconds)

    def _publish(self) -> None:
        """Tells the router who is there to be asked; after it nothing new goes to anybody else."""
        with self._publishing:
            addresses = {key: group.addresses() for key, group in list(self._groups.items())}
            wanted = (self._routes, addresses)
            if wanted != self._published:  # or the router would begin its turns anew
                self._router.become(*wanted)
                self._published = wanted
