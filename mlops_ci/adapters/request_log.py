"""Reads the end of a prediction log, which a scoring service may be writing at the same time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import SEEK_END
from pathlib import Path
from typing import Any

from mlops_ci.ports import PROBE

BLOCK = 256 * 1024


def latest_records(log: Path, limit: int) -> list[Mapping[str, Any]]:
    """The latest `limit` records that users asked for, newest last; fewer where there are fewer.

    The file that was rotated away is read too. A line that is not complete (yet) is left out.
    """
    newest_first: list[Mapping[str, Any]] = []
    for path in (log, log.with_name(f"{log.name}.1")):
        lines = _lines_backwards(path)
        # not one line further than needed: the next one may begin far away
        while len(newest_first) < limit and (line := next(lines, None)) is not None:
            newest_first.extend(reversed(_records(line)))
    return newest_first[:limit][::-1]


def _records(line: bytes) -> list[Mapping[str, Any]]:
    try:
        entry = json.loads(line)
    except ValueError:
        return []
    # Our own probes are in the log too, and say nothing of what users ask.
    if not isinstance(entry, dict) or str(entry.get("request_id", "")).startswith(PROBE):
        return []
    records: list[Mapping[str, Any]] = entry.get("records", [])
    return records


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file from its end, read in blocks, so that a long log costs no more than what is wanted of it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
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
