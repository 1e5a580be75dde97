"""The local router: one Traefik process that divides each environment's traffic over the releases that serve it."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from mlops_ci.adapters.loopback import HOST, get
from mlops_ci.adapters.traefik_configuration import (
    NOTHING,
    Division,
    Part,
    Shadow,
    configuration,
    division,
    name_of,
    prefix_of,
)
from mlops_ci.adapters.traefik_metrics import live_counts
from mlops_ci.adapters.traefik_process import Ports, TraefikProcess
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import OutsideError

PATIENCE = 15.0
NUDGE_AFTER = 1.0
POLL_SECONDS = 0.01


class Traefik:
    """The router of one folder. What is on disk is what should be; a router that has died is started again by the next
    call that needs it. `/<environment>/<model>` leads to the model's services.
    """

    def __init__(self, folder: Path) -> None:
        self._process = TraefikProcess(folder)
        self._routes = self._process.routes

    def url(self, environment: str, model: str) -> str:
        """The address of a model in an environment, the same before and after the router runs."""
        return f"http://{HOST}:{self._process.web_port()}{prefix_of(environment, model)}"

    def declared(self, environment: str, model: str) -> Division:
        """The division that should be in force; a file that nobody can read declares nothing."""
        try:
            written = json.loads(self._file(environment, model).read_bytes())
            return division(written["http"], environment, model, suffix="")
        except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
            return NOTHING

    def divide(
        self, environment: str, model: str, parts: Mapping[str, Part], *, shadow: tuple[str, str] | None = None
    ) -> None:
        """Declares a division, none for no parts, and returns when it is in force.

        `shadow` is the release that gets copies, and where it listens. Raises OutsideError where the router does not
        take the division over; then the one before is declared again.
        """
        before = self.declared(environment, model)
        if not parts and before == NOTHING and not self._process.running():
            self._declare(environment, model, NOTHING)
            return
        # Copies need the port of a router that runs; else it is better started with what it shall do.
        copied = (
            Shadow(release=shadow[0], url=shadow[1], entrance=self._process.ensure().api) if shadow and parts else None
        )
        wanted = before
        if not parts:
            wanted = NOTHING
        elif (before.parts, before.shadow) != (parts, copied) or not self._is_current(environment, model, before):
            wanted = Division(generation=uuid.uuid4().hex[:8], parts=parts, shadow=copied)
        try:
            if wanted != before or wanted == NOTHING:
                self._declare(environment, model, wanted)
            if parts or self._process.running():
                self._wait_for(environment, model, lambda: wanted)
        except OutsideError:
            if wanted != before and self.declared(environment, model) == wanted:
                self._declare(environment, model, before)
            raise

    def in_force(self, environment: str, model: str) -> Division:
        """The division that the router works by now, which is the one declared.

        Raises OutsideError where it does not work by what is declared.
        """
        if self.declared(environment, model) == NOTHING:
            return NOTHING
        # Another command may declare a new one at any moment.
        return self._wait_for(environment, model, lambda: self.declared(environment, model))

    def counts(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        """What the router has counted since it was started, of each release that it still knows."""
        if self.declared(environment, model) == NOTHING and not self._process.running():
            return {}
        self.in_force(environment, model)  # a router that is just being started does not know its services yet
        ports, deadline = self._process.ensure(), time.monotonic() + PATIENCE
        while (reply := get(ports.api, "/metrics")) is None or reply.status != 200:
            if time.monotonic() > deadline:
                what = f"the router does not say what it has counted{self._process.said()}"
                raise OutsideError(what, where=str(self._process.log))
            time.sleep(POLL_SECONDS)
        return live_counts(reply.body.decode(), environment, model)

    def stop(self) -> None:
        """Ends the router; what is declared stays and is in force again when it is started."""
        self._process.stop()

    def _declare(self, environment: str, model: str, wanted: Division) -> None:
        path = self._file(environment, model)
        if wanted != NOTHING:
            self._process.put(path, json.dumps(configuration(environment, model, wanted), indent=1))
            return
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutsideError(f"the router's {path.name} cannot be removed: {error}", where=str(path)) from error

    def _is_current(self, environment: str, model: str, declared: Division) -> bool:
        """Whether the division is written as it would be now, and not by an earlier version or by hand."""
        written = json.loads(self._file(environment, model).read_bytes())
        return bool(written == json.loads(json.dumps(configuration(environment, model, declared))))

    def _wait_for(self, environment: str, model: str, wanted: Callable[[], Division]) -> Division:
        ports = self._process.ensure()
        deadline = time.monotonic() + PATIENCE
        nudge = time.monotonic() + NUDGE_AFTER
        while self._observed(ports, environment, model) != (now := wanted()):
            if time.monotonic() > deadline:
                raise self._refused(environment, model)
            if time.monotonic() > nudge:
                self._nudge()
                nudge = time.monotonic() + NUDGE_AFTER
            time.sleep(POLL_SECONDS)
        return now

    def _nudge(self) -> None:
        """Makes the router read its folder again.

        It may have missed a change: when it starts it reads first, and watches a moment later.
        """
        nudge = self._routes / "nudge"  # no ending that the router would read
        with contextlib.suppress(OSError):
            nudge.touch()
            nudge.unlink(missing_ok=True)

    def _refused(self, environment: str, model: str) -> OutsideError:
        what = f"the router did not take over the division of {environment}/{model} in {PATIENCE:g} s"
        broken = [path for path in sorted(self._routes.glob("*.yml")) if not _is_readable(path)]
        if broken:  # one such file, and the router takes over none of them
            what += f": it cannot read {broken[0].name}"
            return OutsideError(what, where=str(broken[0]), fix="remove that file; reconcile writes it anew")
        return OutsideError(f"{what}{self._process.said()}", where=str(self._process.log))

    def _observed(self, ports: Ports, environment: str, model: str) -> Division | None:
        """The division as the router's API tells it, which changes with what it does; None where it is silent."""
        reply = get(ports.api, "/api/rawdata")
        if reply is None or reply.status != 200:
            return None
        try:
            return division(json.loads(reply.body), environment, model, suffix="@file")
        except LookupError:  # it has refused a part of the configuration
            return None

    def _file(self, environment: str, model: str) -> Path:
        return self._routes / f"{name_of(environment, model)}.yml"


def _is_readable(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes())["http"], dict)
    except (OSError, ValueError, LookupError, TypeError):
        return False
