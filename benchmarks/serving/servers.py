"""Starts a server on a core of its own, waits until it is ready, weighs it, and ends it with all its children."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATIENCE, END_PATIENCE = 90.0, 4.0
PR_SET_CHILD_SUBREAPER = 36


class Unavailable(Exception):
    """A contender that cannot be had here, with the reason; the others go on."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """`ready_seconds` are from the start of the process to the first 200 of `ready`."""

    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float


@cache
def cores() -> tuple[int, int]:
    """The core of the servers and the core of whoever asks them; the same one where there is but one.

    Asked once: later this process has given all cores but its own up.
    """
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@contextmanager
def alone_at_home() -> Iterator[None]:
    """Keeps this process off the servers' core, adopts what its children leave behind, and ends it all at the end."""
    home = os.sched_getaffinity(0)
    # A supervisor that dies first would hand its workers to init, out of sight.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    _, generator = cores()
    os.sched_setaffinity(0, {generator})
    try:
        yield
    finally:
        end_tree(os.getpid(), also_root=False)
        signal.signal(signal.SIGTERM, before)
        os.sched_setaffinity(0, home)


@contextmanager
def started(
    command: Sequence[str], *, port: int, ready: str, log: Path, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Raises Unavailable with the end of its log where it ends or is not ready in time."""
    core, _ = cores()
    with log.open("wb") as output:
        begun = time.monotonic()
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],  # execs: its process is the server's
            cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # so that Ctrl-C reaches this process first, which then ends the servers
        )  # fmt: skip
    try:
        while not answers(port, ready):
            if process.poll() is not None or time.monotonic() - begun > PATIENCE:
                raise Unavailable(f"did not start: {_reason(log)}")
            time.sleep(0.005)
        yield Server(process=process, port=port, ready_seconds=time.monotonic() - begun)
    finally:
        end_tree(process.pid, also_root=True)
        process.wait()


def _reason(log: Path) -> str:
    """The last line that names an error, else the last one."""
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1])[-300:]


def answers(port: int, path: str) -> bool:
    """Whether GET of the path gives 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def resident_megabytes(root: int) -> float:
    """Of the whole tree: what each process has for itself, and once the largest part that a process shares.

    A sum of resident sets would count what forked workers share once for each of them.
    """
    private, shared = 0, 0
    for pid in tree(root):
        with suppress(OSError):
            rollup = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
            kilobytes = {name: int(value.split()[0]) for name, value in rollup.items()}
            own = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
            private += own
            shared = max(shared, kilobytes["Rss"] - own)
    return (private + shared) / 1024


def processor_seconds(root: int) -> float:
    """Processor time that the tree has used so far, to a hundredth of a second."""
    ticks = 0
    for pid in tree(root):
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """The process and all its descendants, parents first."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def end_tree(root: int, *, also_root: bool) -> None:
    """Asks the processes to end, and after a while makes them."""
    wanted = tree(root)[0 if also_root else 1 :]
    for each in wanted:
        _signal(each, signal.SIGTERM)
    deadline = time.monotonic() + END_PATIENCE
    while any(_runs(pid) for pid in wanted) and time.monotonic() < deadline:
        time.sleep(0.01)
    # in one go: a supervisor that still lives would start new workers for those that are ended
    for pid in wanted:
        if _runs(pid):
            _signal(pid, signal.SIGKILL)
    for pid in wanted:
        if pid != root:
            with suppress(ChildProcessError):  # an orphan that was adopted, or a child of somebody who lives
                os.waitpid(pid, 0)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
