"""Commands in processes of their own, killed with SIGKILL right before a change of one's choosing.

What a process does to the world outside is told by Python's audit events, so no change escapes, whoever makes it: files
that are opened for writing, linked, renamed, removed; processes that are started or signalled. Processes are forked
from one that has loaded everything, which takes milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

from mlops_ci.errors import MlopsError

CHANGING = {"update-ref", "checkout", "rm", "mktree", "commit-tree", "worktree", "switch", "merge"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FILE_EVENTS = {"os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "os.symlink"}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a command ended: its exit code (0: well), or that it was killed; and what it changed until then."""

    killed: bool
    code: int = 0
    message: str = ""
    changes: tuple[str, ...] = ()


def run(
    command: Callable[[], Any], *, kill_before: int | None = None, every: bool = False, victim: int | None = None
) -> Ending:
    """Runs the command (it has to be one that can be pickled) and kills it before its change of this number, from 1;
    or, where there is one, the process `victim` in its place.

    With `every` each file that is touched and each program that is run is a change; without, only what a later command
    could see: records of the store, commits, processes, the router's files.
    """
    here, there = _forkserver().Pipe(duplex=False)
    process = _forkserver().Process(target=_child, args=(command, kill_before, every, victim, there))
    process.start()
    there.close()
    try:
        ending: Ending | None = here.recv()
    except EOFError:
        ending = None
    process.join()
    here.close()
    if ending is None:
        assert process.exitcode == -signal.SIGKILL, f"the command died by itself: {process.exitcode}"
        return Ending(killed=True)
    return ending


@cache
def _forkserver() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.delivery.real_world", "scipy.special", "onnx"])
    return context


def _child(
    command: Callable[[], Any], kill_before: int | None, every: bool, victim: int | None, pipe: Connection
) -> None:
    changes: list[str] = []
    watching = True

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal watching
        what = _change(event, arguments, every) if watching else ""
        if what:
            changes.append(what)
            if len(changes) == kill_before:
                watching = False
                os.kill(victim or os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    code, message = 0, ""
    try:
        command()
    except MlopsError as error:
        code, message = error.exit_code, str(error)
    watching = False
    pipe.send(Ending(killed=False, code=code, message=message, changes=tuple(changes)))
    pipe.close()


def _change(event: str, arguments: tuple[Any, ...], every: bool) -> str:
    """What the event changes; empty where that is nothing, or nothing that counts."""
    if event == "subprocess.Popen":
        words = [str(word) for word in arguments[1]]
        program = os.path.basename(words[0])  # noqa: PTH119  # no path is made, which would be an event itself
        verbs = CHANGING & set(words)
        return f"{program} {' '.join(verbs)}" if every or program != "git" or verbs else ""
    if event == "os.kill":
        return f"kill {arguments[1]}"
    if event == "open" and every:
        path, _, flags = arguments
        return f"open {path}" if isinstance(path, str) and flags & WRITING else ""
    if event in FILE_EVENTS:
        paths = [str(argument) for argument in arguments if isinstance(argument, str | os.PathLike)]
        last = paths[-1] if paths else ""
        counts = event in ("os.link", "os.rename") and "/blobs/" not in last
        return f"{event} {last}" if every or counts else ""
    return ""
