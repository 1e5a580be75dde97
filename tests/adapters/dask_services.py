"""A real Dask scheduler and real workers on the loopback, each a process of its own; all are gone in the end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def scheduler(env: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """The address and the pid of a scheduler that listens."""
    options = ("--host", "127.0.0.1", "--port", "0")
    with _started("scheduler", *options, says=r"Scheduler at:\s+(tcp://\S+)", env=env) as found:
        yield found


@contextmanager
def worker(address: str, folder: Path, *, path: str = str(ROOT)) -> Iterator[int]:
    """The pid of a worker that is registered; it runs in `folder`, and imports the toolkit from `path`."""
    folder.mkdir(exist_ok=True)
    options = ("--nthreads", "2", "--nworkers", "1", "--no-nanny", "--local-directory", str(folder))
    with _started(
        "worker", address, *options, says=r"Registered to:\s+(\S+)", cwd=folder, env={"PYTHONPATH": path}
    ) as (_, pid):
        yield pid


@contextmanager
def _started(
    *arguments: str, says: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments, "--no-dashboard"],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.search(says, line):
                break
        else:
            raise AssertionError(f"it did not start:\n{''.join(lines)}")
        # nobody else reads what it says from now on, and a full pipe would stop it
        reader = threading.Thread(target=process.stderr.read, daemon=True)
        reader.start()
        yield found[1], process.pid
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()
