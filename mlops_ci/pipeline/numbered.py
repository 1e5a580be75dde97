"""Folders of objects numbered 1, 2, 3 ... whose numbers are taken by create-only puts: events and versions.

Whoever takes a number has seen every object before it, so a folder without a gap has one history, whatever raced.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_ci.core.layout import number_in, numbered_path
from mlops_ci.errors import NotFoundError

if TYPE_CHECKING:
    from mlops_ci.ports import ObjectStore

_WORKERS = 16
_WORTH_A_THREAD = 16


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a folder holds: bytes by number, and the paths that belong to no number (nothing of ours writes such)."""

    objects: dict[int, bytes]
    strays: tuple[str, ...]


def read_all(store: ObjectStore, folder: str) -> Reading:
    """Every numbered object. A number that is missing below the highest one is missing in the store."""
    paths = store.list(folder)
    numbers = {path: number for path in paths if (number := number_in(path)) and path == numbered_path(folder, number)}
    objects = get_all(store, folder, sorted(numbers.values()))
    _overtaken(store, folder, 1, objects)
    return Reading(objects=objects, strays=tuple(sorted(set(paths) - set(numbers))))


def read_after(store: ObjectStore, folder: str, number: int, *, size: int = 1) -> dict[int, bytes]:
    """The objects that follow `number`, up to the first number that is free; without a listing.

    `size` is how many are asked for at first. What lies beyond a gap is seen as far as was asked ahead.
    """
    objects: dict[int, bytes] = {}
    while True:
        found = get_all(store, folder, range(number + 1, number + 1 + size))
        _overtaken(store, folder, number + 1, found)
        objects |= found
        if len(found) < size:
            return objects
        number, size = number + size, min(size * 2, 256)


def _overtaken(store: ObjectStore, folder: str, first: int, objects: dict[int, bytes]) -> None:
    """Adds what was written while the others were being read.

    A reading takes a while. It may look for an object, find none, and then find a later one, both written in between:
    so what is missing before the last one is asked for again, up to the first that is truly missing.
    """
    for number in range(first, max(objects, default=0)):
        if number not in objects:
            found = get_all(store, folder, [number])
            if not found:
                return
            objects |= found


def get_all(store: ObjectStore, folder: str, numbers: Iterable[int]) -> dict[int, bytes]:
    """The bytes of those of the numbers that are taken."""

    def get(part: list[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for number in part:
            try:
                found[number] = store.get(numbered_path(folder, number))
            except NotFoundError:
                continue
        return found

    wanted = list(numbers)
    if len(wanted) < _WORTH_A_THREAD:
        return get(wanted)
    objects: dict[int, bytes] = {}
    with ThreadPoolExecutor(_WORKERS) as pool:
        for found in pool.map(get, (wanted[start::_WORKERS] for start in range(_WORKERS))):
            objects |= found
    return objects
