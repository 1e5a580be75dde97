"""Reads prediction logs, which scoring services may be writing at the same time.

A log is one file for each worker of the service (`predictions.jsonl`, `predictions-1.jsonl`, ...) with the older files
that each has put aside (`.1`, `.2`, ...). A line that is not complete (yet) is left out.
"""

from __future__ import annotations

import errno
import heapq
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from io import SEEK_END
from pathlib import Path
from typing import IO, Any

from mlops_ci.core.log_entry import LogEntry
from mlops_ci.errors import ConfigurationError, DataGateError
from mlops_ci.ports import PROBE, RecentRequests

BLOCK = 256 * 1024
LOG_NAME = re.compile(r"\.jsonl(\.[0-9*?\[\]-]+|\*)?$")
WILDCARDS = frozenset("*?[")


def latest_requests(log: Path, limit: int) -> RecentRequests:
    """The latest `limit` records that users asked for, of all workers, newest last; fewer where there are fewer.

    Requests of which a column was redacted are passed over: nobody can ask them again.
    """
    backwards = [_backwards(path) for path in _workers(log)] if limit > 0 else []
    return latest_records(heapq.merge(*backwards, key=lambda entry: entry.time, reverse=True), limit)


def latest_records(entries: Iterable[LogEntry], limit: int) -> RecentRequests:
    """As `latest_requests`, of entries that come newest first."""
    newest_first: list[Mapping[str, Any]] = []
    passed_over = 0
    redacted: set[str] = set()
    for entry in entries if limit > 0 else ():
        # Our own probes are in the log too, and say nothing of what users ask.
        if entry.request_id.startswith(PROBE):
            continue
        if entry.redacted:
            redacted |= set(entry.redacted)
            passed_over += len(entry.records)
        else:
            newest_first.extend(reversed(entry.records))
        # Not one line further than needed: the next one may begin far away.
        if max(len(newest_first), passed_over) >= limit:
            break
    return RecentRequests(records=newest_first[:limit][::-1], redacted=tuple(sorted(redacted)))


def logged_entries(logs: Iterable[Path]) -> Iterator[LogEntry]:
    """All entries of the logs, each worker's from the oldest to the newest."""
    for log in logs:
        for path in _workers(log):
            yield from _forwards(path)


def is_log(source: str) -> bool:
    """Whether a path, or a pattern of paths, is one of prediction logs by its name."""
    return LOG_NAME.search(source) is not None


def entries_at(source: str, root: Path) -> Iterator[LogEntry]:
    """All entries of the log at the path with all that belongs to it, or of just the files that match a pattern.

    One older file, `predictions.jsonl.1`, is just that file. Raises DataGateError where there is none.
    """
    path = root / source
    anchor = Path(source).anchor
    try:
        found = (
            (Path(anchor) if anchor else root).glob(source.removeprefix(anchor)) if WILDCARDS & set(source) else [path]
        )
        files = sorted(path for path in found if path.is_file())
    except ValueError as error:
        raise ConfigurationError(f"--input is no usable pattern: {error}", where=source) from error
    if not files:
        raise DataGateError("there is no such prediction log", where=source, fix="see docs/prediction-log.md")
    if files == [path] and path.suffix == ".jsonl":
        return logged_entries([path.resolve()])  # whoever names a link means where it leads
    return _entries_of(files)


def _entries_of(files: Iterable[Path]) -> Iterator[LogEntry]:
    for path in files:
        with path.open("rb") as file:
            yield from _entries(file)


def _workers(log: Path) -> list[Path]:
    """The current file of each worker, which need not be there (yet)."""
    own = re.compile(rf"{re.escape(log.stem)}-(\d+){re.escape(log.suffix)}(\.\d+)?")
    beside = log.parent.iterdir() if log.parent.is_dir() else ()
    numbers = {int(found[1]) for path in beside if (found := own.fullmatch(path.name))}
    return [log, *(log.with_name(f"{log.stem}-{number}{log.suffix}") for number in sorted(numbers))]


def _newest_first(path: Path) -> Iterator[IO[bytes]]:
    """The file and the older ones, each opened once: one may be put aside, and so renamed, meanwhile."""
    seen = set()
    number = 0
    while True:
        try:
            file = _opened(path.with_name(f"{path.name}.{number}") if number else path)
        except FileNotFoundError:
            if number:  # the newest may be missing: just put aside, or taken away
                return
        else:
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) in seen:
                file.close()
            else:
                seen.add((status.st_dev, status.st_ino))
                yield file
        number += 1


def _opened(path: Path) -> IO[bytes]:
    """The file itself. In the folder that a container writes to, a link would lead to any file of this machine, and a
    pipe would keep us waiting: both are as good as no file, which is FileNotFoundError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return os.fdopen(descriptor, "rb")


def _forwards(path: Path) -> Iterator[LogEntry]:
    with ExitStack() as stack:
        files = [stack.enter_context(file) for file in _newest_first(path)]
        for file in reversed(files):
            yield from _entries(file)


def _backwards(path: Path) -> Iterator[LogEntry]:
    for file in _newest_first(path):
        with file:
            yield from _entries(_lines_backwards(file))


def _entries(lines: Iterable[bytes]) -> Iterator[LogEntry]:
    for line in lines:
        entry = entry_of(line)
        if entry is not None:
            yield entry


def entry_of(line: bytes | str) -> LogEntry | None:
    """None where the line is no entry: cut off, or what a service said besides."""
    try:
        return LogEntry.from_json(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _lines_backwards(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file from its end, read in blocks, so that a long log costs no more than what is wanted of it."""
    position = file.seek(0, SEEK_END)
    pieces: list[bytes] = []  # of the line that the blocks so far began in, last piece first
    while position > 0:
        start = max(0, position - BLOCK)
        file.seek(start)
        first, *lines = file.read(position - start).split(b"\n")
        if lines:
            *lines, last = lines
            yield b"".join([last, *reversed(pieces)])
            yield from reversed(lines)
            pieces = []
        pieces.append(first)
        position = start
    yield b"".join(reversed(pieces))
