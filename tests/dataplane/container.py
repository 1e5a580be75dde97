"""One container of the data plane, from its start to its end: whether it is well, and what it wrote."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.docker_engine import DockerEngine

HOST = "127.0.0.1"
CHECK_SECONDS = 5
END_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Service:
    """What is to run: an image by digest, and how.

    `writable` are folders that it may write to where its root is `read_only`; a `memory_mb` of 0 is no limit; `dropped`
    are capabilities that it does without. After `give_up_after` failures (0: never) before any container was healthy no
    more are started.
    """

    image: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = 8080
    health: str = "/v2/health/ready"
    user: str = ""
    read_only: bool = False
    memory_mb: int = 0
    writable: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    init: bool = False
    give_up_after: int = 0


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of what a container wrote."""

    at: datetime
    text: str


class Running:
    """A container that was started for a service. `lines` is what it wrote, as far as it was read."""

    def __init__(self, engine: DockerEngine, service: Service, credentials: dict[str, Any] | None) -> None:
        """Starts it. Raises the SDK's own errors where the registry does not have the image, or it cannot start."""
        from docker.errors import ImageNotFound

        client = engine.client
        # Where a cloud starts containers there are no images before: that the engine has it says nothing.
        client.images.get_registry_data(service.image, auth_config=credentials)
        try:
            client.images.get(service.image)
        except ImageNotFound:
            client.images.pull(service.image, auth_config=credentials)
        limit = {"mem_limit": f"{service.memory_mb}m"} if service.memory_mb else {}
        self.service = service
        self.lines: list[Line] = []
        self._last = ""
        self.container: Any = engine.run(
            service.image,
            *service.arguments,
            environment=dict(service.environment),
            ports={f"{service.port}/tcp": (HOST, None)},
            user=service.user or None,
            read_only=service.read_only,
            tmpfs=dict.fromkeys(service.writable, "mode=1777"),
            cap_drop=list(service.dropped),
            init=service.init,
            healthcheck={"test": ["NONE"]},  # neither ECS nor Kubernetes runs the image's own
            use_config_proxy=False,
            **limit,
        )
        self.id: str = self.container.id[:32]
        self._port = 0

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._port}"

    def exit_code(self) -> int | None:
        """None while it runs."""
        self.container.reload()
        bound = self.container.ports.get(f"{self.service.port}/tcp") or [{}]
        self._port = int(bound[0].get("HostPort", 0))
        state = self.container.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def is_healthy(self) -> bool:
        """Whether it answers 200 at its health path now."""
        if not self._port:
            return False
        connection = http.client.HTTPConnection(HOST, self._port, timeout=CHECK_SECONDS)
        try:
            connection.request("GET", self.service.health)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def read(self) -> None:
        """Brings `lines` up to date."""
        since = int(self.lines[-1].at.timestamp()) if self.lines else None
        told = self.container.logs(timestamps=True, **({"since": since} if since else {}))
        for line in told.decode(errors="replace").splitlines():
            stamp, _, text = line.partition(" ")
            if stamp > self._last:
                self._last = stamp
                self.lines.append(Line(at=datetime.fromisoformat(stamp[:26].rstrip("Z") + "+00:00"), text=text))

    def end(self) -> None:
        """Asks it to end and takes it away; what it wrote until then is kept."""
        from docker.errors import APIError

        with suppress(APIError):  # it may be on its way out already
            self.container.stop(timeout=END_SECONDS)
            self.read()
        with suppress(APIError):
            self.container.remove(force=True, v=True)
