"""A store that other processes can open, too: a folder, or a bucket of a local S3 server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Clock, ObjectStore


@dataclass(frozen=True, kw_only=True)
class Place:
    """Opened anew each time, as another process would: what is opened knows nothing yet."""

    url: str
    options: Mapping[str, str]

    def open(self) -> ObjectStore:
        return open_store(self.url, options=self.options)

    def log(self, clock: Clock | None = None) -> EventLog:
        return EventLog(self.open(), clock or SystemClock())

    def registry(self) -> Registry:
        return Registry(self.open())
