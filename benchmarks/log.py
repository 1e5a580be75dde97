"""What the event log costs as it grows, beside a SQLite table and one file of lines, in one run on the same events.

- The state of one model, by a reader that knows nothing yet: from this disk with packs and without, from a local S3
  server with packs; a table and a file whose rows are parsed and folded the same way, but prove nothing: the floor.
- An append to a log that is known, against a writer that reads and folds all of it first, and against an insert.
- The state of each of many models with ten events.

The page cache is warm. Of the logs on the S3 server only what a reading asks for is there: the packs, their last
events, and the events behind them. Logs are written without flushing, appends are flushed as they always are.
"""

from __future__ import annotations

import gc
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.events import NO_EVENT, Event
from mlops_ci.core.layout import event_path
from mlops_ci.core.state import ModelState, fold
from mlops_ci.pipeline import packs
from mlops_ci.pipeline.event_log import EventLog, NewEvent
from mlops_ci.ports import ObjectStore
from tests import logs, s3

EVENTS = (100, 1_000, 10_000, 100_000)
MODELS = (10, 100, 1_000, 10_000)
EVENTS_EACH = 10
ROUNDS = 3
APPENDS = 20


def main(events: Sequence[int] = EVENTS, models: Sequence[int] = MODELS) -> None:
    longest = life(max(events))
    with tempfile.TemporaryDirectory() as scratch, s3.serve() as server:
        folders = {count: Path(scratch) / f"events-{count}" for count in events}
        print(f"state of one model: seconds, medians of {ROUNDS}; in brackets to the SQLite table\n")
        header("events", "table", "file of lines", "log, packs", "log, no packs", "log on S3, packs")
        for count, folder in folders.items():
            state(folder, longest[:count], server)
        print("\nappend: milliseconds, medians; in brackets to the insert into the table\n")
        header("events", "insert into the table", "log, known", "read, fold and put")
        for count, folder in folders.items():
            append(folder, longest[:count])
        print(f"\nstates of many models, {EVENTS_EACH} events each: seconds, medians of {ROUNDS}\n")
        header("models", "table", "log")
        for count in models:
            many_models(Path(scratch) / f"models-{count}", count)


def life(count: int) -> list[Event]:
    """A model's log: one release after the other comes, is verified, promoted, and put on hold again."""
    entries: list[logs.Entry] = []
    for version in range(1, count // EVENTS_EACH + 1):
        release = sha256(str(version).encode()).hexdigest()
        entries += [logs.registered(release, version), logs.deployed(release), logs.verified(release)]
        entries += [logs.opened(release, version), logs.approved(release, ["ada", "bob"], version)]
        entries += [logs.step(release, 10), logs.step(release, 50), logs.promoted(release)]
        entries += [logs.held(release), logs.hold_released(release)]
    return logs.log_of(*entries)


def state(folder: Path, events: Sequence[Event], server: s3.S3Server) -> None:
    """Leaves the log and the table in the folder."""
    with_packs, without, table, lines = (folder / name for name in ("log", "no-packs", "table", "lines"))
    write_events(with_packs, events)
    write_packs(LocalStore(with_packs), events)
    without.mkdir()
    (without / "events").symlink_to(with_packs / "events")
    write_table(table, {"m": events})
    lines.write_bytes(b"".join(event.raw for event in events))
    bucket = server.new_bucket()
    write_what_is_asked_for(open_store(bucket, options=server.options), events)
    readers: list[Callable[[], ModelState]] = [
        lambda: of_table(table, "m"),
        lambda: of_lines(lines),
        lambda: log_in(LocalStore(with_packs)).state("m"),
        lambda: log_in(LocalStore(without)).state("m"),
        lambda: log_in(open_store(bucket, options=server.options)).state("m"),
    ]
    expected = fold(events)
    assert all(reader() == expected for reader in readers)
    show(len(events), *(median(reader, ROUNDS) for reader in readers))


def append(folder: Path, events: Sequence[Event]) -> None:
    """To the log and the table that `state` has left."""
    log = log_in(LocalStore(folder / "log"))
    log.state("m")
    new = NewEvent(kind="held", subject=dict(events[0].subject) | {"environment": "qa", "reason": "x"}, actor="ada")
    with closing(sqlite3.connect(folder / "table")) as table:

        def insert() -> None:
            with table:
                number = table.execute("SELECT max(number) + 1 FROM events WHERE model = 'm'").fetchone()[0]
                table.execute("INSERT INTO events VALUES ('m', ?, ?)", [number, events[-1].raw])

        show(
            len(events),
            1000 * median(insert, APPENDS),
            1000 * median(lambda: log.append("m", lambda _: new), APPENDS),
            1000 * median(lambda: read_and_append(LocalStore(folder / "log")), ROUNDS),
        )


def read_and_append(store: ObjectStore) -> None:
    """The straightforward way: reads every event, folds all of them, and puts the next."""
    paths = sorted(store.list("events/m"), key=lambda path: int(Path(path).stem))
    events = [Event.from_json(json.loads(store.get(path))) for path in paths]
    fold(events)
    following = replace(events[-1], number=len(events) + 1, previous=events[-1].digest)
    assert store.create(event_path("m", following.number), following.raw)


def many_models(folder: Path, count: int) -> None:
    events = life(EVENTS_EACH)
    names = [f"model-{number}" for number in range(count)]
    for name in names:
        write_events(folder / "log", events, model=name)
    write_table(folder / "table", dict.fromkeys(names, events))

    def ours() -> None:
        log = log_in(LocalStore(folder / "log"))
        for name in log.models():
            assert log.state(name).events == EVENTS_EACH

    def table() -> None:
        for name in names:
            assert of_table(folder / "table", name).events == EVENTS_EACH

    show(count, median(table, ROUNDS), median(ours, ROUNDS))


def log_in(store: ObjectStore) -> EventLog:
    return EventLog(store, SystemClock())


def of_table(path: Path, model: str) -> ModelState:
    with closing(sqlite3.connect(path)) as table:
        rows = table.execute("SELECT event FROM events WHERE model = ? ORDER BY number", [model])
        return fold(Event.from_json(json.loads(row[0])) for row in rows)


def of_lines(path: Path) -> ModelState:
    with path.open("rb") as lines:
        return fold(Event.from_json(json.loads(line)) for line in lines)


def write_events(folder: Path, events: Sequence[Event], *, model: str = "m") -> None:
    (folder / "events" / model).mkdir(parents=True)
    previous = NO_EVENT
    for event in events:
        own = event if model == event.model else replace(event, model=model, previous=previous)
        (folder / event_path(model, own.number)).write_bytes(own.raw)
        previous = own.digest


def write_packs(store: ObjectStore, events: Sequence[Event]) -> None:
    for number in range(1, len(events) // packs.SIZE + 1):
        packs.write_pack(store, "m", number, events)


def write_table(path: Path, events: Mapping[str, Sequence[Event]]) -> None:
    with closing(sqlite3.connect(path)) as table, table:
        table.execute("CREATE TABLE events (model TEXT, number INTEGER, event BLOB, PRIMARY KEY (model, number))")
        for model, own in events.items():
            table.executemany("INSERT INTO events VALUES (?, ?, ?)", [(model, one.number, one.raw) for one in own])


def write_what_is_asked_for(store: ObjectStore, events: Sequence[Event]) -> None:
    """The packs, the last event of each, and all behind them."""
    write_packs(store, events)
    for event in events:
        if event.number % packs.SIZE == 0 or event.number > len(events) // packs.SIZE * packs.SIZE:
            store.create(event_path("m", event.number), event.raw)


def median(run: Callable[[], object], rounds: int) -> float:
    """Seconds."""
    seconds = []
    for _ in range(rounds):
        gc.collect()
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def header(first: str, *names: str) -> None:
    print(f"| {first} | {' | '.join(names)} |")
    print(f"| ---: |{' ---: |' * len(names)}")


def show(count: int, base: float, *others: float) -> None:
    cells = [spelled(base), *(f"{spelled(other)} ({spelled(other / base)})" for other in others)]
    print(f"| {count:,} | {' | '.join(cells)} |", flush=True)


def spelled(number: float) -> str:
    """Three digits, more where there are more before the point."""
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


if __name__ == "__main__":
    main()
