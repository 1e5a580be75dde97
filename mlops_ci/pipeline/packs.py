"""Packs: a thousand events of a log in one object, so that a long log is read by a hundred requests and not 100,000.

`packs/<model>/<k>.jsonl` holds the bytes of the k-th thousand events one after another. A pack is a cache, which is
never believed: it counts only where its last event is, byte for byte, the true one, to which the hash chain ties all
events before it. Without the pack, or instead of a false one, the events themselves are read. To delete it is safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_ci.core.events import Event
from mlops_ci.core.layout import event_path, pack_path, packs_folder
from mlops_ci.errors import NotFoundError, OutsideError, Problem

if TYPE_CHECKING:
    from mlops_ci.ports import ObjectStore

SIZE = 1000
_WORKERS = 16


@dataclass(frozen=True, kw_only=True)
class Part:
    """The numbers of a thousand events that are in the store, and their bytes from a pack, if one seems to be right."""

    numbers: range
    packed: Mapping[int, bytes] | None


def pack_numbers(store: ObjectStore, model: str) -> list[int]:
    """The numbers of the packs in the store, in order."""
    paths = store.list(packs_folder(model))
    stems = {path: path.rpartition("/")[2].removesuffix(".jsonl") for path in paths}
    numbers = {path: int(stem) for path, stem in stems.items() if stem.isascii() and stem.isdecimal()}
    return sorted(number for path, number in numbers.items() if number and path == pack_path(model, number))


def packed_parts(store: ObjectStore, model: str, packs: Sequence[int]) -> Iterator[Part]:
    """The thousands from the first one up to the last that has a pack, as far as the log itself goes."""

    def part(number: int) -> Part | None:
        last = _get(store, event_path(model, number * SIZE))
        if last is None:
            return None
        lines = (_get(store, pack_path(model, number)) or b"").splitlines(keepends=True) if number in packs else []
        right = len(lines) == SIZE and lines[-1] == last
        numbers = _numbers(number)
        return Part(numbers=numbers, packed=dict(zip(numbers, lines, strict=True)) if right else None)

    end = max(packs, default=0) + 1
    with ThreadPoolExecutor(_WORKERS) as pool:
        for start in range(1, end, _WORKERS):  # in batches, so that never more than these are held in memory
            for found in pool.map(part, range(start, min(start + _WORKERS, end))):
                if found is None:
                    return
                yield found


def write_pack(store: ObjectStore, model: str, number: int, events: Sequence[Event]) -> None:
    """Puts the pack of that number, unless there is one; `events` are all of the log. A failure is none: see above."""
    numbers = _numbers(number)
    content = b"".join(event.raw for event in events[numbers[0] - 1 : numbers[-1]])
    try:
        store.create(pack_path(model, number), content)
    except OutsideError:
        return


def false_packs(store: ObjectStore, model: str, objects: Mapping[int, bytes]) -> list[Problem]:
    """What lies among the model's packs and is not made of these events, the bytes of the whole log by number."""
    right = {pack_path(model, number): _numbers(number) for number in range(1, len(objects) // SIZE + 1)}

    def is_false(path: str) -> bool:
        numbers = right.get(path)
        expected = numbers and b"".join(objects.get(number, b"") for number in numbers)
        return not expected or store.get(path) != expected

    paths = sorted(store.list(packs_folder(model)))
    with ThreadPoolExecutor(_WORKERS) as pool:
        false = [path for path, found in zip(paths, pool.map(is_false, paths), strict=True) if found]
    what = "is no copy of the events: commands leave it aside, but somebody put it there, or changed an event"
    return [
        Problem(where=path, what=what, fix="find out who, mend the events, and delete this object") for path in false
    ]


def _numbers(pack: int) -> range:
    return range((pack - 1) * SIZE + 1, pack * SIZE + 1)


def _get(store: ObjectStore, path: str) -> bytes | None:
    try:
        return store.get(path)
    except NotFoundError:
        return None
