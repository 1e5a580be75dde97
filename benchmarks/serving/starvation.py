"""What slow requests do to those who ask something quick of the same service at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.serving.client import Client
from benchmarks.serving.running import Running

SLOW_CLIENTS = 4
PAUSE = 0.01
"""Seconds between two quick requests, so that they come at any moment of a slow one."""


async def quick_requests(run: Running, slow: bytes, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of health checks and of single rows: alone, and while clients ask for `slow` without a pause."""
    found = await _quick(run, seconds / 2, "alone")
    stop = asyncio.Event()
    took: list[float] = []
    crowd = [asyncio.create_task(_slow(run, slow, stop, took)) for _ in range(SLOW_CLIENTS)]
    await asyncio.sleep(0.2)
    found |= await _quick(run, seconds, "among slow requests")
    stop.set()
    await asyncio.gather(*crowd)
    return found | {"slow requests": took}


async def _slow(run: Running, body: bytes, stop: asyncio.Event, took: list[float]) -> None:
    async with Client(run.server.port) as client:
        while not stop.is_set():
            took.append(await _timed(lambda: client.post(run.dialect.path, body)))


async def _quick(run: Running, seconds: float, when: str) -> dict[str, list[float]]:
    health: list[float] = []
    rows: list[float] = []
    small = run.bodies[1]
    async with Client(run.server.port) as client, Client(run.server.port) as other:

        async def ask(to: list[float], call: Callable[[], Awaitable[Any]]) -> None:
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                to.append(await _timed(call))
                await asyncio.sleep(PAUSE)

        await asyncio.gather(
            ask(health, lambda: client.get(run.contender.ready)),
            ask(rows, lambda: other.post(run.dialect.path, small[0])),
        )
    return {f"health, {when}": health, f"one row, {when}": rows}


async def _timed(call: Callable[[], Awaitable[Any]]) -> float:
    begun = time.perf_counter()
    await call()
    return (time.perf_counter() - begun) * 1000
