"""What becomes of requests when a server is told to end while many clients ask it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter

from benchmarks.serving.client import Client
from benchmarks.serving.running import Running

CLIENTS = 16
PATIENCE = 5.0


async def end_under_load(run: Running) -> dict[str, int]:
    """Sends SIGTERM into a load; the counts of `answered` and `lost` requests in the seconds after it.

    Clients behave as a good proxy: they keep their connection until an answer says that it is the last, then connect
    again, and leave when nobody listens any more. Lost is a request that was sent and got no answer, or an error.
    """
    counts: Counter[str] = Counter({"answered": 0, "lost": 0})
    told = asyncio.Event()
    clients = [asyncio.create_task(_client(run, told, counts)) for _ in range(CLIENTS)]
    await asyncio.sleep(0.5)
    told.set()
    os.kill(run.server.process.pid, signal.SIGTERM)
    await asyncio.wait(clients, timeout=PATIENCE)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    return dict(counts)


async def _client(run: Running, told: asyncio.Event, counts: Counter[str]) -> None:
    body = run.bodies[1][0]
    while True:
        try:
            client = await Client(run.server.port).__aenter__()
        except OSError:
            return  # nobody listens: a proxy goes elsewhere, and nothing was lost
        try:
            last = False
            while not last:
                # a connection that was closed in between is seen before the next request goes out
                await asyncio.sleep(0)
                if client.closed:
                    break
                status, headers, _ = await client.post(run.dialect.path, body)
                last = headers.get("connection", "").lower() == "close"
                if told.is_set():
                    counts["answered" if status == 200 else "lost"] += 1
        except (OSError, EOFError):
            counts["lost"] += told.is_set()
        finally:
            client.close()
