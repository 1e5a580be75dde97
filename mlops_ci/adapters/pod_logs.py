"""Prediction logs that a platform has collected from what its containers wrote, among other lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from mlops_ci.core.log_entry import LogEntry
from mlops_ci.ports import PROBE, RecentRequests


def entries_in(text: str) -> Iterator[LogEntry]:
    """The entries among the lines; what is none of a prediction log's, or cut, is passed over."""
    for line in text.splitlines():
        try:
            yield LogEntry.from_json(json.loads(line))
        except (ValueError, RecursionError):
            continue


def latest_in(entries: Iterable[LogEntry], limit: int) -> RecentRequests:
    """As `request_log.latest_requests`, of entries in any order."""
    asked = [entry for entry in entries if not entry.request_id.startswith(PROBE)]
    redacted = {column for entry in asked for column in entry.redacted}
    whole = sorted((entry for entry in asked if not entry.redacted), key=lambda entry: entry.time)
    records = [record for entry in whole for record in entry.records]
    return RecentRequests(records=records[-limit:] if limit > 0 else [], redacted=tuple(sorted(redacted)))
