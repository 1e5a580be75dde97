"""Containers of scoring services on a Docker engine: made, found, watched and ended, and nothing decided about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlops_ci.adapters.docker_errors import explained
from mlops_ci.adapters.loopback import HOST
from mlops_ci.core.serving import ResourceLimits
from mlops_ci.errors import OutsideError

if TYPE_CHECKING:
    from docker import DockerClient

USER = "10001:10001"
PORT = 8080
LOG_FOLDER = PurePosixPath("/log")
RELEASE_LABEL, IMAGE_LABEL = "io.mlops-ci.release", "io.mlops-ci.image"
CPU_PERIOD = 100_000
OUTPUT = {"max-size": "10m", "max-file": "3"}
LAST_LINES, LAST_WORDS = 30, 2_000
REMOVAL_PATIENCE = 60.0
POLL_SECONDS = 0.05


class PortTaken(Exception):
    """Another program has taken the port since it was found free."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A container to be made.

    `log_folder` is the folder of this machine that it sees as `LOG_FOLDER`; it may have `pids` processes and threads.
    """

    name: str
    image_id: str
    arguments: Sequence[str]
    labels: Mapping[str, str]
    port: int
    log_folder: Path
    limits: ResourceLimits
    pids: int


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container as the engine tells it at one moment. `port` is this machine's, None where it has none.

    `status` is one of created, running, paused, restarting, removing, exited and dead; `restarts` how often the engine
    has brought it back; `made_of` the image that its labels name.
    """

    id: str
    name: str
    release: str
    image_id: str
    made_of: str
    port: int | None
    status: str
    exit_code: int
    out_of_memory: bool
    restarts: int
    limits: ResourceLimits

    @property
    def trouble(self) -> str:
        """What the engine knows against it; empty where it knows nothing."""
        if self.status in ("exited", "dead"):
            return f"its container has ended with exit code {self.exit_code}"
        if self.status != "running":
            return f"its container is {self.status}"
        if self.restarts:
            return f"its container has crashed and was restarted (how often by now: {self.restarts})"
        return ""


class Containers:
    """The containers of one engine. `connect` is called when they are first needed.

    Every method raises OutsideError where the engine fails; a container that is gone is nobody's failure.
    """

    def __init__(self, connect: Callable[[], DockerClient]) -> None:
        self._connect = connect

    def find(self, labels: Mapping[str, str]) -> list[Container]:
        """Those with all these labels, whatever state they are in."""
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with explained("the Docker engine does not tell its containers"):
            found = self._client.api.containers(all=True, filters={"label": wanted})
        seen = (self.see(each["Id"]) for each in found)
        return [container for container in seen if container is not None]

    def see(self, container_id: str) -> Container | None:
        """None where there is none any more."""
        from docker.errors import NotFound

        with explained("the Docker engine does not tell of a container"):
            try:
                return _container(self._client.api.inspect_container(container_id))
            except NotFound:
                return None

    def create(self, wanted: Wanted) -> str:
        """Makes a container, which does not run yet, and returns its id.

        It may write to nothing but its log folder and a small /tmp, gains no privilege, and sees none of our
        environment, nor the proxies that the client's configuration would add (they may hold passwords). It is not
        restarted before `keep` says so: until it has been ready once, its first end is its last.
        """
        from docker.types import LogConfig, Mount

        api = self._client.api
        mount = Mount(target=str(LOG_FOLDER), source=str(wanted.log_folder), type="bind")
        with explained(f"the container {wanted.name} cannot be made"):
            made = api.create_container(
                wanted.image_id,
                list(wanted.arguments),
                name=wanted.name,
                user=USER,
                labels=dict(wanted.labels),
                ports=[(PORT, "tcp")],
                environment={},
                use_config_proxy=False,
                host_config=api.create_host_config(
                    port_bindings={PORT: (HOST, wanted.port)},
                    mounts=[mount],
                    tmpfs={"/tmp": "size=64m,mode=1777,noexec,nosuid,nodev"},  # noqa: S108 - the container's own
                    read_only=True,
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    pids_limit=wanted.pids,
                    log_config=LogConfig(type=LogConfig.types.JSON, config=OUTPUT),
                    **_limiting(wanted.limits),
                ),
            )
        return str(made["Id"])

    def start(self, container_id: str) -> None:
        """Lets it run. Raises PortTaken."""
        from docker.errors import APIError

        with explained("a container cannot be started"):
            try:
                self._client.api.start(container_id)
            except APIError as error:
                said = str(error.explanation)
                if "port is already allocated" in said or "address already in use" in said:
                    raise PortTaken(said) from error
                raise

    def keep(self, container: Container, limits: ResourceLimits) -> None:
        """From now on the engine brings it back when it ends by itself or the engine is restarted, within the limits.

        Running containers take new limits without being stopped.
        """
        with explained(f"the container {container.name} cannot be updated"):
            policy: Any = {"Name": "unless-stopped", "MaximumRetryCount": 0}
            self._client.api.update_container(container.id, restart_policy=policy, **_limiting(limits))

    def unpause(self, container: Container) -> None:
        with explained(f"the container {container.name} cannot be resumed"):
            self._client.api.unpause(container.id)

    def last_words(self, container: Container) -> str:
        """The end of what it wrote to its standard output and error."""
        from docker.errors import NotFound

        with explained(f"the container {container.name} does not tell what it wrote"):
            try:
                output = self._client.api.logs(container.id, tail=LAST_LINES)
            except NotFound:
                return ""
        return str(output.decode(errors="replace").strip()[-LAST_WORDS:])

    def ran_out_of_memory(self, container: Container) -> bool:
        """Whether one of its processes was killed for that, as far back as the engine remembers: its last 256 events.

        The container's own state says so only while it is at its end, not after it was brought back.
        """
        with explained("the Docker engine does not tell what happened"):
            only = {"container": container.id, "event": "oom"}
            events = self._client.api.events(since=1, until=int(time.time()), filters=only, decode=True)
            return any(True for _ in events)

    def end(self, container: Container, *, grace: int) -> None:
        """Asks it to end, kills it where it has not after `grace` seconds, and removes it."""
        from docker.errors import NotFound

        if container.status == "paused":
            self.unpause(container)  # it could not hear the signal
        if container.status in ("running", "paused", "restarting"):
            with explained(f"the container {container.name} cannot be stopped"):
                try:
                    self._client.api.stop(container.id, timeout=grace)
                except NotFound:
                    return
        self.remove(container.id)

    def remove(self, container_id: str) -> None:
        """Takes it away at once, running or not, and returns when it is gone."""
        from docker.errors import APIError, NotFound

        with explained("a container cannot be removed"):
            try:
                self._client.api.remove_container(container_id, force=True, v=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:  # else somebody is removing it already
                    raise
        deadline = time.monotonic() + REMOVAL_PATIENCE
        while self.see(container_id) is not None:
            if time.monotonic() > deadline:
                raise OutsideError(f"the Docker engine does not get rid of the container {container_id[:12]}")
            time.sleep(POLL_SECONDS)

    @cached_property
    def _client(self) -> DockerClient:
        return self._connect()


def _limiting(limits: ResourceLimits) -> dict[str, Any]:
    """The limits in the engine's words. Quota and period, since an engine cannot change `nano_cpus` later."""
    memory = limits.memory_mb * 2**20
    quota = {"cpu_period": CPU_PERIOD, "cpu_quota": round(limits.cpus * CPU_PERIOD)}
    return {"mem_limit": memory, "memswap_limit": memory, **quota}


def _container(told: Mapping[str, Any]) -> Container:
    state, host = told["State"], told["HostConfig"]
    bound = (host.get("PortBindings") or {}).get(f"{PORT}/tcp") or [{}]
    port = bound[0].get("HostPort")
    labels = told["Config"].get("Labels") or {}
    return Container(
        id=told["Id"],
        name=told["Name"].removeprefix("/"),
        release=labels.get(RELEASE_LABEL, ""),
        made_of=labels.get(IMAGE_LABEL, ""),
        image_id=told["Image"],
        port=int(port) if port else None,
        status=state["Status"],
        exit_code=state.get("ExitCode", 0),
        out_of_memory=bool(state.get("OOMKilled")),
        restarts=told.get("RestartCount", 0),
        limits=ResourceLimits(
            cpus=host.get("CpuQuota", 0) / CPU_PERIOD, memory_mb=round(host.get("Memory", 0) / 2**20)
        ),
    )
