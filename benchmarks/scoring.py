"""The scoring service beside other services, the same models and rows on one core each, in one run.

`python -m benchmarks.scoring` takes about twelve minutes once the peers are installed (by uv, below build/, from the
pins in scoring_peers/). `--only ours,floor --workloads pipeline --rounds 2` and the like take what is named.

All answers are compared with scikit-learn's before anything is timed. Servers stay up, idle, while the rounds ask all
of them in an order by chance, on a core that nobody else has; wrk asks from another one over connections that stay
open. Tables go to the screen and, with all single measurements, to build/benchmarks/scoring.{md,json}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.serving.contenders import OURS, PEERS, ROOT, Contender
from benchmarks.serving.ending import end_under_load
from benchmarks.serving.environments import CACHE
from benchmarks.serving.load import drive, generator
from benchmarks.serving.measures import Cell, Results
from benchmarks.serving.peers import THEM
from benchmarks.serving.racing import race
from benchmarks.serving.running import SIZES, running
from benchmarks.serving.servers import Unavailable, alone_at_home, cores, free_port, started
from benchmarks.serving.starvation import quick_requests
from benchmarks.serving.tables import markdown
from benchmarks.serving.workloads import Workload, make

CONTENDERS = {contender.name: contender for contender in (*OURS, *THEM)}
RACES = ("pipeline", "light")
CLIENTS = (1, 32)
PARTS = ("race", "ready", "starvation", "ending")
STARTS, STOPS = 5, 3
STARTED = ("ours", "floor")
STARVED = ("ours", "floor", "fastapi-onnx", "mlserver-onnx")
ENDED = ("ours", "floor", "fastapi-sklearn", "mlserver", "bentoml", "mlflow")


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=(__doc__ or "").split("\n")[0])
    add = result.add_argument
    add("--only", type=_among(CONTENDERS), default=list(CONTENDERS), help=f"of {', '.join(CONTENDERS)}")
    add("--workloads", type=_among(RACES), default=list(RACES), help=f"of {', '.join(RACES)}")
    add("--parts", type=_among(PARTS), default=list(PARTS), help=f"of {', '.join(PARTS)}")
    add("--rows", type=_among(map(str, SIZES)), default=list(map(str, SIZES)), help="rows in a request: 1, 32 or both")
    add("--clients", type=_among(map(str, CLIENTS)), default=list(map(str, CLIENTS)), help="1, 32 or both")
    add("--rounds", type=int, default=4, metavar="N")
    add("--seconds", type=float, default=1, metavar="S", help="of one measurement; wrk counts whole ones")
    add("--processor-time", action="store_true", help="rates by the servers' processor time, for a busy machine")
    add("--out", type=Path, default=CACHE, metavar="DIR", help="takes scoring.md and scoring.json")
    return result


def _among(known: Sequence[str] | dict[str, Contender] | map[str]) -> Callable[[str], list[str]]:
    """Reads names with commas between them."""
    names = list(known)

    def names_of(text: str) -> list[str]:
        found = text.split(",")
        unknown = [name for name in found if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(names)}")
        return found

    return names_of


def main(arguments: Sequence[str] = ()) -> None:
    options = parser().parse_args(arguments)
    contenders = [CONTENDERS[name] for name in options.only]
    by = generator(options.seconds)
    results = Results(
        machine=_machine(), generator=by, seconds=options.seconds, rounds=options.rounds,
        processor_time=options.processor_time,
    )  # fmt: skip
    results.titles = {contender.name: contender.title for contender in contenders}
    results.runtimes = {contender.name: contender.runtime for contender in contenders}
    if by != "wrk" and options.seconds >= 1:
        print("wrk is missing (Debian: apt-get install wrk): fast services are measured too low", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        try:
            # before this process keeps to one core
            workloads = {each: make(each, scratch / each) for each in _needed(options)}
            with alone_at_home():
                _measure(options, contenders, workloads, results, scratch)
        except KeyboardInterrupt:
            print("interrupted; all servers have ended", file=sys.stderr)
            sys.exit(130)
    _tell(results, options.out)


def _needed(options: argparse.Namespace) -> list[str]:
    raced = {"race", "ready", "ending"} & set(options.parts)
    return [*(options.workloads if raced else []), *(["forest"] if "starvation" in options.parts else [])]


def _measure(
    options: argparse.Namespace,
    contenders: Sequence[Contender],
    workloads: dict[str, Workload],
    results: Results,
    scratch: Path,
) -> None:
    first = workloads.get(options.workloads[0])
    if "race" in options.parts:
        for workload in (workloads[name] for name in options.workloads):
            cells = [Cell(workload.name, int(n), int(c)) for n in options.rows for c in options.clients]
            race(contenders, workload, cells, results, scratch)
            results.run_alone[workload.name] = _run_alone(workload)
        _ceiling(results, scratch, list(map(int, options.clients)))
    if "ready" in options.parts and first:
        for contender in (each for each in contenders if each.name in STARTED):
            with _if_it_can(contender, results):
                for _ in range(STARTS):
                    with running(contender, first, scratch / "ready") as run:
                        results.ready.setdefault(contender.name, []).append(run.server.ready_seconds)
    if "starvation" in options.parts:
        for contender in (each for each in contenders if each.name in STARVED):
            with _if_it_can(contender, results), running(contender, workloads["forest"], scratch) as run:
                found = quick_requests(run, run.bodies[32][0], 4 * options.seconds)
                results.starvation[contender.name] = asyncio.run(found)
    if "ending" in options.parts and first:
        for contender in (each for each in contenders if each.name in ENDED):
            ended: Counter[str] = Counter()
            with _if_it_can(contender, results):
                for _ in range(1 if contender.pins else STOPS):
                    with running(contender, first, scratch / "ending") as run:
                        ended.update(asyncio.run(end_under_load(run)))
                results.ending[contender.name] = dict(ended)


@contextmanager
def _if_it_can(contender: Contender, results: Results) -> Iterator[None]:
    """A contender that cannot be had is named, and the rest goes on."""
    try:
        yield
    except (Unavailable, OSError, EOFError) as reason:
        results.missing[contender.title] = str(reason) or repr(reason)


def _run_alone(workload: Workload) -> dict[int, float]:
    """`session.run` alone, on the servers' core."""
    core, _ = cores()
    command = ["taskset", "-c", str(core), sys.executable, str(PEERS / "floor.py"), str(workload.folder), "0", "run"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {int(rows): microseconds for rows, microseconds in json.loads(output).items()}


def _ceiling(results: Results, scratch: Path, clients: Sequence[int]) -> None:
    port = free_port()
    command = [sys.executable, str(PEERS / "socket_echo.py"), str(port)]
    with started(command, port=port, ready="/", log=scratch / "echo.log", cwd=ROOT):
        for each in clients:
            results.ceiling[each] = drive(
                port, "/", [b"{}"], clients=each, seconds=results.seconds, by=results.generator
            )


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    busy = f", but with a load of {load:.1f} from elsewhere at the start" if load > 0.5 else ""
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}{busy}"


def _tell(results: Results, folder: Path) -> None:
    text = markdown(results)
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scoring.md").write_text(text)
    found = asdict(results) | {
        "loads": [
            {**cell._asdict(), "contender": name, "rounds": [asdict(load) for load in loads]}
            for cell, raced in results.loads.items()
            for name, loads in raced.items()
        ],
        "megabytes": [
            {"workload": workload, "contender": name, "megabytes": megabytes}
            for (workload, name), megabytes in results.megabytes.items()
        ],
    }
    (folder / "scoring.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
