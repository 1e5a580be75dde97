"""Which HTTP server the scoring service should stand on: the same handler behind each, on one core, in one run.

`python -m benchmarks.http_servers` takes about three minutes. `echo` gives the body back, `score` parses a record of
30 numbers, runs a logistic regression by onnxruntime and answers. `protocol` is httptools and asyncio by hand, with no
care taken of anything: it shows what an ASGI server costs, and is no choice. Then: memory, time to ready, what becomes
of requests at SIGTERM, and what each answers to requests that are not HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.serving import requests
from benchmarks.serving.contenders import PEERS, Contender, Dialect
from benchmarks.serving.ending import end_under_load
from benchmarks.serving.load import Load, generator
from benchmarks.serving.measures import percentile, ratio
from benchmarks.serving.racing import by_processor_time, drive_run
from benchmarks.serving.running import Running, all_running, running
from benchmarks.serving.servers import Unavailable, alone_at_home, resident_megabytes
from benchmarks.serving.tables import table, times
from benchmarks.serving.workloads import Workload, make

SERVERS = ("uvicorn", "granian_asgi", "granian_rsgi", "hypercorn", "blacksheep", "falcon", "robyn", "protocol")
BASE = "uvicorn"
RACES = (("/echo", 32), ("/score", 32), ("/score", 1))
SCORE = Dialect(
    path="/score", body=requests.records, answer=lambda answer: requests.from_pairs(answer["probabilities"])
)
HEAD = b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
MALFORMED = {
    "not HTTP at all": b"\x16\x03\x01 hello\r\n\r\n",
    "length that is no number": HEAD + b"content-length: abc\r\n\r\n[]",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n[]",
    "length and chunks": HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n",
    "blank before the colon": b"GET /ready HTTP/1.1\r\nhost: x\r\nevil : 1\r\n\r\n",
    "NUL in a header": b"GET /ready HTTP/1.1\r\nhost: x\r\nevil: a\x00b\r\n\r\n",
    "no host": b"GET /ready HTTP/1.1\r\n\r\n",
    "a header of 1 MiB": b"GET /ready HTTP/1.1\r\nhost: x\r\nlong: " + b"a" * 2**20 + b"\r\n\r\n",
}
NO_ANSWER_SECONDS = 1.0

Loads = dict[tuple[str, int], dict[str, list[Load]]]
"""The rounds by path and clients, and by server."""


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m benchmarks.http_servers", description=(__doc__ or "").split("\n")[0]
    )
    result.add_argument("--only", default=",".join(SERVERS), help=f"of {', '.join(SERVERS)}; {BASE} is always there")
    result.add_argument("--rounds", type=int, default=4, metavar="N")
    result.add_argument("--seconds", type=float, default=1, metavar="S", help="of one measurement")
    result.add_argument("--processor-time", action="store_true", help="rates by the servers' processor time")
    return result


def main(arguments: Sequence[str] = ()) -> None:
    options = parser().parse_args(arguments)
    take = by_processor_time if options.processor_time else drive_run
    names = [name for name in SERVERS if name in {BASE, *options.only.split(",")}]
    contenders = [_contender(name) for name in names]
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        workload = make("light", folder / "light")
        with alone_at_home():
            with all_running(contenders, workload, folder, missing) as runs:
                loads = _race(runs, options.rounds, options.seconds, take)
                told = {run.contender.name: _told(run) for run in runs}
            endings = {run.contender.name: _ending(run.contender, workload, folder) for run in runs}
    _print([run.contender.name for run in runs], loads, told, endings)
    for title, reason in missing.items():
        print(f"- not compared: {title} {reason}")


def _contender(name: str) -> Contender:
    return Contender(
        name=name, title=name, runtime="onnx", pins="http_servers", ready="/ready", dialect=lambda _: SCORE,
        command=lambda place: [
            *(str(place.python), str(PEERS / "http_server.py"), name),
            *(str(place.workload.folder), str(place.port)),
        ],
    )  # fmt: skip


def _race(runs: Sequence[Running], rounds: int, seconds: float, take: Callable[..., Load]) -> Loads:
    by = generator(seconds)
    loads: Loads = {race: {} for race in RACES}
    for number in range(-1, rounds):
        for race in RACES:
            path, clients = race
            # forwards and backwards in turn, so that nobody always comes after the same one
            for run in list(runs)[:: -1 if number % 2 else 1]:
                took = seconds if number >= 0 else 0.3
                load = take(run, path, rows=1, clients=clients, seconds=took, by=by)
                if number >= 0:
                    loads[race].setdefault(run.contender.name, []).append(load)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return loads


def _told(run: Running) -> dict[str, str]:
    """Memory and time to ready, and the answers to what is not HTTP, after all of which it still has to work."""
    found = {"ready s": f"{run.server.ready_seconds:.2f}", "MB": f"{resident_megabytes(run.server.process.pid):.0f}"}
    return found | {what: _answer(run.server.port, sent) for what, sent in MALFORMED.items()}


def _answer(port: int, sent: bytes) -> str:
    """The status, or what was done instead of an answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=NO_ANSWER_SECONDS) as connection:
            connection.sendall(sent)
            line = connection.recv(4096).split(b"\r\n")[0].split(b" ")
    except ConnectionRefusedError:
        return "has died"
    except TimeoutError:
        return "waits"
    except OSError:
        return "closed"
    return line[1].decode("latin-1") if len(line) > 1 else "closed"


def _ending(contender: Contender, workload: Workload, folder: Path) -> str:
    try:
        with running(contender, workload, folder / "ending") as run:
            counts = asyncio.run(end_under_load(run))
    except (Unavailable, OSError, EOFError) as reason:
        return str(reason)
    return f"{counts['lost']} of {counts['answered'] + counts['lost']}"


def _print(
    names: Sequence[str],
    loads: Loads,
    told: dict[str, dict[str, str]],
    endings: dict[str, str],
) -> None:
    head = [""]
    for path, clients in RACES:
        head += [f"{path[1:]}, {clients} client{'s' * (clients > 1)}: requests/s", "p99 ms", f"to {BASE}"]
    rows = [[*head, "ready s", "MB", "lost at SIGTERM"]]
    for name in names:
        row = [name]
        for race in RACES:
            mine = loads[race][name]
            rates = [load.rate for load in mine]
            to_base = ratio(rates, [load.rate for load in loads[race][BASE]])
            p99 = percentile([load.p99_ms for load in mine], 0.5)
            row += [f"{statistics.median(rates):,.0f}", f"{p99:.2f}", times(to_base) if name != BASE else ""]
        rows.append([*row, told[name]["ready s"], told[name]["MB"], endings[name]])
    print(table(rows), end="\n\n")
    print(table([["sent", *names], *([what, *(told[name][what] for name in names)] for what in MALFORMED)]))


if __name__ == "__main__":
    main(sys.argv[1:])
