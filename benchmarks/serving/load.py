"""Drives a server by wrk: so many connections, each asking again as soon as it has its answer."""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.client import Client
from benchmarks.serving.servers import Unavailable

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, kw_only=True)
class Load:
    """`busy` is the share of its core that the generator used: near 1 it has measured itself."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float
    failed: int
    busy: float


def generator(seconds: float) -> str:
    """`wrk`, from Debian where it is missing and can be had; else `python`, which is too slow for the fastest.

    wrk counts whole seconds: for less than one it is not asked for.
    """
    if seconds < 1:
        return "python"
    if not shutil.which("wrk") and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], capture_output=True, check=False)
    return "wrk" if shutil.which("wrk") else "python"


def drive(port: int, path: str, bodies: Sequence[bytes], *, clients: int, seconds: float, by: str) -> Load:
    """Raises Unavailable where there is no answer at all."""
    if by == "wrk" and seconds >= 1:
        return _wrk(port, path, bodies, clients, math.ceil(seconds))
    try:
        return asyncio.run(_python(port, path, bodies, clients, seconds))
    except (OSError, EOFError) as reason:
        raise Unavailable(f"does not answer any more: {reason!r}") from reason


def _wrk(port: int, path: str, bodies: Sequence[bytes], clients: int, seconds: int) -> Load:
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b"\n".join(bodies) + b"\n")
        file.flush()
        options = [f"-t1 -c{clients} -d{seconds}s --timeout 60s -s", str(SCRIPT)]
        command = ["wrk", *options[0].split(), options[1], f"http://127.0.0.1:{port}{path}", "--", file.name]
        before, begun = os.times(), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        after, ended = os.times(), time.monotonic()
    found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"requests": 0}
    if not found["requests"]:
        raise Unavailable(f"does not answer any more: {' '.join((done.stderr or done.stdout).split())[-200:]}")
    used = (after.children_user + after.children_system) - (before.children_user + before.children_system)
    return Load(
        requests=found["requests"],
        rate=found["requests"] / found["microseconds"] * 1e6,
        p50_ms=found["p50"] / 1000,
        p99_ms=found["p99"] / 1000,
        failed=found["failed"],
        busy=used / (ended - begun),
    )


async def _python(port: int, path: str, bodies: Sequence[bytes], clients: int, seconds: float) -> Load:
    waited: list[float] = []
    failed = 0
    begun, used = time.perf_counter(), time.process_time()

    async def ask(first: int) -> None:
        nonlocal failed
        at = first
        async with Client(port) as client:
            while time.perf_counter() - begun < seconds:
                asked = time.perf_counter()
                status, _, _ = await client.post(path, bodies[at % len(bodies)])
                waited.append(time.perf_counter() - asked)
                failed += status != 200
                at += 1

    await asyncio.gather(*(ask(number) for number in range(clients)))
    taken = time.perf_counter() - begun
    ordered = sorted(waited)
    return Load(
        requests=len(ordered),
        rate=len(ordered) / taken,
        p50_ms=ordered[len(ordered) // 2] * 1000,
        p99_ms=ordered[int(len(ordered) * 0.99)] * 1000,
        failed=failed,
        busy=(time.process_time() - used) / taken,
    )
