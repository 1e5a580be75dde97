"""The containers of one service of the data plane: which of them serves, which is to follow it, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Event, Lock, Thread
from typing import Any

from tests.dataplane.container import Line, Running, Service
from tests.docker_engine import DockerEngine

POLL_SECONDS = 0.1
CHECKED_SECONDS = 1.0
UNHEALTHY_CHECKS = 3
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
BECOMES_HEALTHY_SECONDS = 60.0
Credentials = Callable[[str], dict[str, Any] | None]


@dataclass(frozen=True, kw_only=True)
class Status:
    """`wanted` is what was asked for, `serving` what gets traffic. `starts` counts the containers of what is wanted
    now, `failures` those of them that ended, could not start or never became healthy; `trouble` tells the latest one.
    """

    wanted: Service | None = None
    serving: Service | None = None
    starts: int = 0
    failures: int = 0
    trouble: str = ""
    given_up: bool = False

    @property
    def settled(self) -> bool:
        return self.wanted == self.serving


class Group:
    """The containers of one service: one that serves, maybe one that is to follow it. A thread looks after them."""

    def __init__(self, engine: DockerEngine, credentials: Credentials, publish: Callable[[], None]) -> None:
        self._engine, self._credentials, self._publish = engine, credentials, publish
        self._wanted: Service | None = None
        self._serving: Running | None = None
        self._coming: Running | None = None
        self._routed: Service | None = None
        self._all: list[Running] = []
        self._starts = self._failures = 0
        self._trouble = ""
        self._was_healthy = False
        self._next_start = self._give_up = self._next_check = 0.0
        self._missed = 0
        self._state, self._ended = Condition(), Event()
        self._reading = Lock()
        self._thread = Thread(target=self._look_after, daemon=True)
        self._thread.start()

    def want(self, service: Service | None) -> None:
        with self._state:
            if service != self._wanted:
                self._wanted = service
                self._starts = self._failures = 0
                self._trouble, self._next_start, self._was_healthy = "", 0.0, False
                self._state.notify()

    @property
    def _gave_up(self) -> bool:
        allowed = self._wanted.give_up_after if self._wanted else 0
        return bool(allowed) and not self._was_healthy and self._failures >= allowed

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for running in self.alive():
            running.container.kill()

    def status(self) -> Status:
        with self._state:
            return Status(
                wanted=self._wanted,
                serving=self._routed,
                starts=self._starts,
                failures=self._failures,
                trouble=self._trouble,
                given_up=self._gave_up,
            )

    def addresses(self) -> Sequence[str]:
        serving = self._serving
        return [serving.address] if serving else []

    def alive(self) -> list[Running]:
        return [running for running in (self._serving, self._coming) if running is not None]

    def output(self) -> Mapping[str, tuple[Line, ...]]:
        with self._reading:
            for running in self.alive():
                running.read()
            return {running.id: tuple(running.lines) for running in self._all}

    def _look_after(self) -> None:
        while not self._ended.is_set():
            with self._state:
                self._state.wait(POLL_SECONDS)
                wanted = self._wanted
            self._step(wanted)

    def _step(self, wanted: Service | None) -> None:
        now = time.monotonic()
        self._check_serving(now)
        if self._coming and self._coming.service != wanted:
            self._retire(self._coming)
        if wanted is None and self._serving:
            self._replace(None)
        serves_it = self._serving is not None and self._serving.service == wanted and self._missed < UNHEALTHY_CHECKS
        if wanted is None or serves_it:
            return
        if self._coming is None:
            if now >= self._next_start and not self._gave_up:
                self._start(wanted, now)
        else:
            self._check_coming(self._coming, now)

    def _start(self, wanted: Service, now: float) -> None:
        from docker.errors import DockerException

        self._starts += 1
        self._give_up = now + BECOMES_HEALTHY_SECONDS
        try:
            self._coming = Running(self._engine, wanted, self._credentials(wanted.image))
        except DockerException as error:
            self._failed(f"cannot be started: {error}")
            return
        self._all.append(self._coming)

    def _check_coming(self, coming: Running, now: float) -> None:
        code = coming.exit_code()
        if code is not None:
            self._retire(coming)
            self._failed(f"its container ended with exit code {code}")
        elif coming.is_healthy():
            self._replace(coming)
        elif now > self._give_up:
            self._retire(coming)
            self._failed(f"its container was not healthy within {BECOMES_HEALTHY_SECONDS:g} s")

    def _check_serving(self, now: float) -> None:
        serving = self._serving
        if serving is None or now < self._next_check:
            return
        code = serving.exit_code()
        if code is not None:
            self._replace(None)
            self._failed(f"its container ended with exit code {code}")
            return
        self._missed = 0 if serving.is_healthy() else self._missed + 1
        self._next_check = now + (CHECKED_SECONDS if not self._missed else POLL_SECONDS)

    def _replace(self, running: Running | None) -> None:
        before = self._serving
        with self._state:
            self._serving = running
            if running:
                self._coming, self._trouble, self._missed, self._was_healthy = None, "", 0, True
        self._publish()
        with self._state:
            self._routed = running.service if running else None
        if before:
            self._retire(before)

    def _retire(self, running: Running) -> None:
        with self._reading:
            if running is self._coming:
                self._coming = None
            running.end()

    def _failed(self, trouble: str) -> None:
        with self._state:
            self._failures += 1
            self._trouble = trouble
            pause = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
            self._next_start = time.monotonic() + pause
