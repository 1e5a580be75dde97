"""What fails around a command: each fault ends in an error with a name, and the next command puts everything right."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.pipeline.hold import hold
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery.crash_walk import GOOD, Walk, beginning, promote, reconcile
from tests.delivery.killing import Ending, run
from tests.delivery.world import MODEL, Calendar, Line, World
from tests.s3 import S3Server

SMALL = 64  # megabytes; enough for Git, a store, the files of small models, and what users ask meanwhile


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """The folder, with what is in it, on a disk of its own."""
    kept = Path(tempfile.mkdtemp())
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}m", "none", kept], check=False).returncode
    ):
        pytest.skip("only root may mount a disk, and only where mounting is allowed")
    try:
        subprocess.run(["cp", "-a", f"{folder}/.", str(kept)], check=True)
        subprocess.run(["mount", "--bind", kept, folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    finally:
        subprocess.run(["umount", "-l", kept], check=True)
        kept.rmdir()


@contextmanager
def full(folder: Path) -> Iterator[None]:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:  # what users ask meanwhile is logged there, so nobody knows how much it takes
            file.write(bytes(100_000))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,bind,rw", folder], check=True)


@contextmanager
def there(path: Path, text: str = "", mode: int = 0o644) -> Iterator[None]:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    try:
        yield
    finally:
        path.unlink()


def promoted(begun: Walk) -> tuple[str, Ending]:
    """The release that was to be promoted, and how that ended."""
    waiting = begun.waiting()
    return waiting.id, run(partial(promote, begun.world.folder, begun.names, waiting.id))


def require_mended(begun: Walk, release: str) -> None:
    """The same command, once more, is all that it takes; meanwhile nobody was refused."""
    ending = run(partial(promote, begun.world.folder, begun.names, release))
    assert ending.code == 0, ending.message
    begun.world.require_settled()
    assert begun.world.serving() == release
    assert not begun.users.failures, begun.users.failures[:3]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [full, read_only])
def test_a_disk_that_takes_no_more(fault: Callable[[Path], Any], tmp_path: Path) -> None:
    folder = tmp_path / "world"
    for name in ("store", "run"):
        (folder / name).mkdir(parents=True)
    with small_disk(folder / "store"), small_disk(folder / "run"), beginning(folder) as begun:
        # what has files open for writing cannot be made read-only
        for disk in [folder / "store", folder / "run"] if fault is full else [folder / "store"]:
            serving = begun.world.serving()
            with fault(disk):
                release, ending = promoted(begun)
                assert ending.code == 20, (disk, ending)
                assert str(disk) in ending.message
                assert begun.world.serving() == serving
            require_mended(begun, release)
        with small_disk(folder / "repository" / ".git"):
            serving = begun.world.serving()
            with fault(folder / "repository" / ".git"):
                release, ending = promoted(begun)
                assert ending.code == 20, ending
                assert begun.world.serving() == serving
            require_mended(begun, release)


@pytest.mark.slow
def test_git_that_refuses(tmp_path: Path) -> None:
    with beginning(tmp_path / "world") as begun:
        git = begun.world.root / ".git"
        refusal = "#!/bin/sh\necho refused by a hook >&2\nexit 1\n"
        for fault in (
            there(git / "index.lock"),
            there(git / "refs" / "heads" / "main.lock"),
            there(git / "hooks" / "reference-transaction", refusal, 0o755),
        ):
            serving = begun.world.serving()
            with fault:
                release, ending = promoted(begun)
                assert ending.code == 20, ending
                assert "lock" in ending.message or "refused by a hook" in ending.message, ending.message
                assert begun.world.serving() == serving
            assert begun.world.git("status", "--porcelain") == ""
            require_mended(begun, release)


@pytest.mark.slow
def test_a_router_that_is_killed_in_the_middle(tmp_path: Path) -> None:
    with beginning(tmp_path / "world") as begun:
        for number in (9, 11, 13):
            release = begun.waiting().id
            (router,) = begun.world.routers()
            command = partial(promote, begun.world.folder, begun.names, release)
            ending = run(command, kill_before=number, victim=router.pid)
            assert ending.code in (0, 13, 15, 20), ending
            assert run(partial(reconcile, begun.world.folder, begun.names)).code in (0, 15)
            begun.world.require_settled()


class Jumping(Calendar):
    """The wall clock is set to and fro by somebody, a day at a time; the monotonic one knows nothing of it."""

    jump = timedelta(days=1)

    def now(self) -> Any:
        self.jump = -self.jump
        return self.time + self.jump

    def monotonic(self) -> float:
        return self.time.timestamp()


def test_a_clock_that_jumps_within_a_command_neither_hurries_it_nor_disorders_the_log(tmp_path: Path) -> None:
    world = World(tmp_path / "world", steps=(10, 50, 100), window=timedelta(minutes=10))
    world.deliver(GOOD, "one")
    world.clock = Jumping()
    made = world.release(Line(slope=1.001))
    before = world.clock.time
    change = world.promote(made)
    assert (change.outcome, change.release) == ("promoted", made.id)
    assert timedelta(minutes=30) <= world.clock.time - before < timedelta(hours=2)
    times = [event.time for event in world.log.read(MODEL)]
    assert times == sorted(times)
    world.require_settled()
    roll_back(world.site(), reason="once more")
    world.require_settled()


HOSTILE = {
    "a trailer": f"worse\n\nMlops-Log: {MODEL} 1 {'0' * 64}\nMlops-Log: 1 {'0' * 64}",
    "control characters": "worse\x00\x1b[2J\u202e\u2028",
    "no UTF-8": "worse \udcff",
    "very long": "worse " * 50_000,
    "markdown": "](javascript:x) <img src=x onerror=alert(1)> @acme/everybody #1 `",
    "an option": "--exec=touch pwned",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_reasons_and_names_are_words_and_nothing_else(text: str, world: World) -> None:
    first, second = world.deliver(GOOD, "one"), world.deliver(Line(slope=1.001))
    site = replace(world.site(), actor=text)
    if text.encode(errors="ignore").decode() == text:
        roll_back(site, reason=text)
        hold(world.site("qa"), second, reason=text)
    else:
        with pytest.raises(ConfigurationError, match="not written in UTF-8"):
            roll_back(site, reason=text)
        with pytest.raises(ConfigurationError, match="not written in UTF-8"):
            hold(world.site("qa"), second, reason=text)
        roll_back(world.site(), reason="worse")
    world.require_settled()
    assert world.serving() == first.id


class Gate:
    """A port before a server, which can be shut and opened again: then nobody listens, and connections are cut."""

    def __init__(self, endpoint: str) -> None:
        self._server = (urlsplit(endpoint).hostname or "", urlsplit(endpoint).port or 0)
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self.port = 0
        self.open()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        for each in [self._listener, *self._open]:
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


class Remote(World):
    """A world whose store is a bucket behind a gate, which shuts after so many more records."""

    gate: Gate
    url: str
    options: Mapping[str, str]
    left: int | None = None

    @property
    def store(self) -> Any:
        return Shutting(open_store(self.url, options=self.options), self)


class Shutting:
    """The store, until the gate shuts."""

    def __init__(self, inner: Any, world: Remote) -> None:
        self._inner, self._world = inner, world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create(self, path: str, data: bytes) -> bool:
        if self._world.left == 0:
            self._world.gate.shut()
        made: bool = self._inner.create(path, data)
        if self._world.left:
            self._world.left -= 1
        return made


@pytest.mark.slow
@pytest.mark.parametrize(("command", "records"), [("promote", 1), ("promote", 4), ("rollback", 0), ("deploy", 3)])
def test_a_store_that_is_lost_in_the_middle(command: str, records: int, tmp_path: Path, s3: S3Server) -> None:
    world = Remote(tmp_path / "world")
    world.gate, world.url = Gate(s3.endpoint), s3.new_bucket()
    world.options = {**s3.options, "AWS_ENDPOINT_URL": world.gate.endpoint}
    first = world.deliver(GOOD, "one")
    second = world.release(Line(slope=1.001)) if command == "promote" else world.deliver(Line(slope=1.001))
    commands: dict[str, Callable[[], Any]] = {
        "promote": lambda: world.promote(second),
        "rollback": lambda: roll_back(world.site(), reason="worse"),
        "deploy": lambda: world.release(Line(slope=1.002)),
    }
    world.left = records
    with pytest.raises(OutsideError) as caught:
        commands[command]()
    assert world.url in caught.value.where or world.url in str(caught.value)
    assert world.machine.shares["production"] == {(first if command == "promote" else second).id: 100}
    world.left = None
    world.gate.open()
    commands[command]()
    world.require_settled()
    assert world.serving() == (first if command == "rollback" else second).id
    world.gate.shut()
