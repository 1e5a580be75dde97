"""The machine that the pipeline runs on: its store, its clock, and whoever looks on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class ObjectStore(Protocol):
    """A place for immutable objects. There is no overwrite, no delete and no lock."""

    @property
    def url(self) -> str: ...

    def get(self, path: str) -> bytes:
        """The object's bytes. Raises NotFoundError where there is none, OutsideError where the store fails."""

    def create(self, path: str, data: bytes) -> bool:
        """Puts the object if there is none at `path`, atomically; False where there is one already."""

    def list(self, prefix: str) -> list[str]:
        """All paths below the folder `prefix`, in no particular order."""

    def folders(self, prefix: str) -> Sequence[str]:
        """The names of the folders directly below the folder `prefix`, sorted."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An object as a listing shows it: its size in bytes, and when it was written by the store's own clock."""

    path: str
    size: int
    modified: datetime


class KeptStore(ObjectStore, Protocol):
    """A store as its keeper sees it, who copies, verifies and clears it. Nothing else may list sizes, or delete."""

    def entries(self, prefix: str) -> Iterator[Entry]:
        """All objects below the folder `prefix`, in no particular order, whatever their names are."""

    def delete(self, path: str) -> None:
        """Takes the object away; nothing to do where there is none."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present in UTC, with its time zone."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations."""

    def sleep(self, seconds: float) -> None: ...


class Console(Protocol):
    """Where a command tells a person what it does; never stdout, which belongs to the result."""

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def working(self, what: str) -> AbstractContextManager[None]:
        """Says `what` at once, then now and then how long it has been going on, until the block ends."""
