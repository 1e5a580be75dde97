"""Starts contenders on a workload and makes sure that they answer it as scikit-learn does, before anything is timed."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.client import Client
from benchmarks.serving.contenders import ROOT, Contender, Dialect, Place
from benchmarks.serving.environments import python_of
from benchmarks.serving.servers import Server, Unavailable, free_port, started
from benchmarks.serving.workloads import Workload

TOLERANCE = 1e-5
SIZES = (1, 32)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A contender that serves, and its requests by their number of rows."""

    contender: Contender
    server: Server
    dialect: Dialect
    bodies: dict[int, list[bytes]]


@contextmanager
def running(contender: Contender, workload: Workload, folder: Path) -> Iterator[Running]:
    """Serves below `folder`. Raises Unavailable where it cannot, or where its answers are not those of the model."""
    folder.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix=f"{workload.name}-{contender.name}-", dir=folder))
    python = python_of(contender.pins) if contender.pins else Path(sys.executable)
    place = Place(python=python, workload=workload, folder=home / "own", port=free_port())
    contender.prepare(place)
    # this project is found where it lies; a peer finds nothing of it
    cwd, env = (home, contender.env(place)) if contender.pins else (ROOT, {})
    command = contender.command(place)
    with started(command, port=place.port, ready=contender.ready, log=home / "log", cwd=cwd, env=env) as server:
        dialect = contender.dialect(place)
        bodies = {size: [dialect.body(rows) for rows in workload.requests(size)] for size in SIZES}
        asyncio.run(_check(place.port, dialect, bodies, workload.expected))
        yield Running(contender=contender, server=server, dialect=dialect, bodies=bodies)


@contextmanager
def all_running(
    contenders: Sequence[Contender], workload: Workload, folder: Path, missing: dict[str, str]
) -> Iterator[list[Running]]:
    """All that can be had, at once and idle until they are asked; why the others are not there goes to `missing`."""
    with ExitStack() as stack:
        found = []
        for contender in contenders:
            try:
                found.append(stack.enter_context(running(contender, workload, folder)))
            except Unavailable as reason:
                missing[f"{contender.title} ({workload.name})"] = str(reason)
                print(f"{contender.title} ({workload.name}) {reason}", file=sys.stderr)
        yield found


async def _check(port: int, dialect: Dialect, bodies: dict[int, list[bytes]], expected: Sequence[float]) -> None:
    async with Client(port) as client:
        for size, requests in bodies.items():
            answered: list[float] = []
            for body in requests:
                status, _, answer = await client.post(dialect.path, body)
                if status != 200:
                    raise Unavailable(f"answered {status}: {answer[:200].decode(errors='replace')}")
                try:
                    answered += dialect.answer(json.loads(answer))
                except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
                    raise Unavailable(f"answered something else: {answer[:200]!r}") from error
            if not dialect.answers_rows:
                continue
            wanted = expected[: size * len(requests)]
            if (
                len(answered) != len(wanted)
                or max(abs(a - b) for a, b in zip(answered, wanted, strict=True)) > TOLERANCE
            ):
                raise Unavailable(f"does not answer {size} rows as the model does")
