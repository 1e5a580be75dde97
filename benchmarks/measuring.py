"""Runs a command and says how long it took and how much memory it held at the most."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Run:
    seconds: float
    megabytes: float
    """Largest resident set of the process itself, as the kernel counts it."""


def measure(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Run:
    """One run, with `env` added to the environment; its output is shown when it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **(env or {})}, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        if os.waitstatus_to_exitcode(status) != 0:
            output.seek(0)
            sys.exit(f"{' '.join(map(str, command))} failed:\n{output.read().decode(errors='replace')}")
    return Run(seconds=seconds, megabytes=usage.ru_maxrss / 1024)


def alternate(rounds: int, contenders: Mapping[str, Callable[[], Run]]) -> dict[str, Run]:
    """Runs the contenders in turn, so that a slow spell of the machine meets all of them; medians of the rounds."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            runs[name].append(contender())
    return {
        name: Run(
            seconds=statistics.median(run.seconds for run in taken), megabytes=max(run.megabytes for run in taken)
        )
        for name, taken in runs.items()
    }
