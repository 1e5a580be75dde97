"""Copies a store to another one: resumable, verified, never overwriting, and whole at the destination at any moment.

What names something is copied after it: blobs, then records, then each log in the order of its numbers. What is to be
copied is listed the other way round, logs first: they rest only on what was there by then, so that what is written at
the source meanwhile is either copied with all that it rests on, or left for the next run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlops_ci.core.chain import read_chain
from mlops_ci.core.digest import sha256
from mlops_ci.core.layout import FOLDERS, Place, numbered_path, place_of
from mlops_ci.core.stored_record import read_record
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError, OutsideError, Problem
from mlops_ci.pipeline.bulk import work_through
from mlops_ci.pipeline.numbered import get_all

if TYPE_CHECKING:
    from mlops_ci.core.events import Event
    from mlops_ci.ports import Clock, Console, Entry, KeptStore

_UNORDERED = ("candidate", "release", "evaluation", "look")
_OF_ONE_STORE = ("packs", "condemned", "decided")
"""Folders that are not copied: a cache of the logs, and the marks of `store gc`."""
_WINDOW = 64
_SHOWN = 50
_DIFFERS = "is another object at the destination, which is never overwritten"
_DIFFERS_FIX = "find out which is right (mlops-ci store verify); copy to an empty place, or remove the wrong one"
_SPOILT_FIX = "restore the object at the source from a backup or an older version of the bucket"


@dataclass(frozen=True, kw_only=True)
class StoreCopy:
    """`objects` of the source are at the destination now; `bytes` is the size of those that were `copied`.

    `present` were there already: records with the same bytes, blobs by name and size. `left_out` are files and folders
    of the source that are no objects of ours.
    """

    source: str
    destination: str
    objects: int
    bytes: int
    copied: int
    present: int
    left_out: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"left_out": list(self.left_out)}


def copy_store(source: KeptStore, destination: KeptStore, *, console: Console, clock: Clock) -> StoreCopy:
    """Brings everything of the source to the destination that is not there yet.

    Raises IntegrityError naming each object that is spoilt at the source, or is another one at the destination;
    nothing that may rest on such an object is copied. Killed at any moment, it goes on where it was when run again.
    """
    if source.url == destination.url:
        raise ConfigurationError(f"both stores are {source.url}", fix="name two: mlops-ci store copy SRC DST")
    started = clock.monotonic()
    listing = _list(source)
    if not listing.ends["event"] and not any(listing.records.values()) and not source.folders("blobs"):
        raise NotFoundError("there is no store here, or nothing in it", where=source.url, fix="see that SRC is right")
    copying = _Copying(source, destination, console)
    for folder in source.folders("blobs/sha256"):
        copying.blobs(f"blobs/sha256/{folder}", listing)
    copying.finish("blobs")
    copying.records("candidate", listing.records["candidate"])
    copying.sequences("version", listing.ends["version"])
    for kind in ("release", "evaluation", "look"):
        copying.records(kind, listing.records[kind])
    copying.sequences("event", listing.ends["event"])
    for stray in listing.strays:
        console.warn(f"left out, as it is no object of a store: {stray!a}")
    done = copying.done
    return StoreCopy(
        source=source.url, destination=destination.url, objects=done.copied + done.present, bytes=done.bytes,
        copied=done.copied, present=done.present, left_out=tuple(listing.strays),
        seconds=round(clock.monotonic() - started, 3),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """The last number of each model's log and versions, the other records by kind, and what is neither."""

    ends: Mapping[str, dict[str, int]]
    records: dict[str, list[Entry]]
    strays: list[str]


def _list(source: KeptStore) -> _Listing:
    known = {*FOLDERS.values(), *_OF_ONE_STORE}
    listing = _Listing(
        ends={"event": {}, "version": {}},
        records={kind: [] for kind in _UNORDERED},
        strays=[f"{folder}/" for folder in source.folders("") if folder not in known],
    )
    for kind in ("event", "look", "evaluation", "release", "version", "candidate"):
        for entry, place in _placed(kind, source.entries(FOLDERS[kind]), listing.strays):
            if kind in listing.ends:
                ends = listing.ends[kind]
                ends[place.group] = max(ends.get(place.group, 0), int(place.name))
            else:
                listing.records[kind].append(entry)
    return listing


def _placed(kind: str, entries: Iterable[Entry], strays: list[str]) -> Iterator[tuple[Entry, Place]]:
    """The entries that are of this kind; the others are added to the strays."""
    for entry in entries:
        place = place_of(entry.path)
        if place and place.kind == kind:
            yield entry, place
        else:
            strays.append(entry.path)


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What became of one or more objects."""

    copied: int = 0
    present: int = 0
    bytes: int = 0
    problems: tuple[Problem, ...] = ()

    def __add__(self, other: _Done) -> _Done:
        return _Done(
            copied=self.copied + other.copied, present=self.present + other.present, bytes=self.bytes + other.bytes,
            problems=(*self.problems, *other.problems[: _SHOWN - len(self.problems)]),
        )  # fmt: skip


class _Copying:
    """One run: what was done so far."""

    def __init__(self, source: KeptStore, destination: KeptStore, console: Console) -> None:
        self._source = source
        self._destination = destination
        self._console = console
        self.done = _Done()

    def blobs(self, folder: str, listing: _Listing) -> None:
        """One folder of blobs. Those that are there are known by name and size: a store keeps nothing by halves."""
        there = {entry.path: entry.size for entry in self._destination.entries(folder)}
        entries = (entry for entry, _ in _placed("blob", self._source.entries(folder), listing.strays))
        for _, done in work_through(entries, lambda entry: self._blob(entry, there), size=lambda entry: entry.size):
            self.done += done

    def records(self, kind: str, entries: list[Entry]) -> None:
        there = {entry.path for entry in self._destination.entries(FOLDERS[kind])} if entries else set()
        for _, done in work_through(entries, lambda entry: self._record(entry, there)):
            self.done += done
        self.finish(f"{FOLDERS[kind]}")

    def sequences(self, kind: str, ends: Mapping[str, int]) -> None:
        """Versions or events: of each model one after the other, so that there is never a gap."""
        for _, done in work_through(sorted(ends.items()), lambda end: self._sequence(kind, *end)):
            self.done += done
        self.finish(FOLDERS[kind])

    def finish(self, what: str) -> None:
        """Raises IntegrityError where something of this kind is wrong: what comes next may rest on it."""
        if self.done.problems:
            raise IntegrityError(
                f"the copy stopped after the {what}: {len(self.done.problems)} objects are not what they should be"
                f"{' or more' if len(self.done.problems) >= _SHOWN else ''}; {self.done.copied} were copied",
                where=f"{self._source.url} -> {self._destination.url}",
                problems=self.done.problems,
            )
        self._console.say(f"{what}: up to here {self.done.copied} copied, {self.done.present} there already")

    def _blob(self, entry: Entry, there: Mapping[str, int]) -> _Done:
        if entry.path in there:
            return _Done(present=1) if there[entry.path] == entry.size else _wrong(entry.path, _DIFFERS, _DIFFERS_FIX)
        data = self._read(entry.path)
        digest = entry.path.rpartition("/")[2]
        if sha256(data) != digest:
            return _wrong(entry.path, f"has the digest {sha256(data)}, which is not its name", _SPOILT_FIX)
        return self._write(entry.path, data)

    def _record(self, entry: Entry, there: set[str]) -> _Done:
        data = self._read(entry.path)
        place = place_of(entry.path)
        assert place is not None  # noqa: S101 - as it was listed
        faults = read_record(place, data).faults
        if faults:
            return _wrong(entry.path, "; ".join(faults[:5]), _SPOILT_FIX)
        return self._compare(entry.path, data) if entry.path in there else self._write(entry.path, data)

    def _sequence(self, kind: str, model: str, last: int) -> _Done:
        """Stops before the first object that is not what it should be."""
        folder, done = f"{FOLDERS[kind]}/{model}", _Done()
        there = [place_of(path) for path in self._destination.list(folder)]
        end = max((int(place.name) for place in there if place and place.kind == kind), default=0)
        before: Event | None = None
        for first in range(1, last + 1, _WINDOW):
            numbers = range(first, min(first + _WINDOW, last + 1))
            objects = get_all(self._source, folder, numbers)
            written = get_all(self._destination, folder, [number for number in numbers if number <= end])
            if kind == "event":
                chain = read_chain(model, objects, after=before)
                before = chain.events[-1] if chain.events else before
                problems = chain.problems
            else:
                problems = tuple(_version_problems(model, numbers, objects))
            if problems:
                return done + _Done(problems=problems)
            for number in numbers:
                path = numbered_path(folder, number)
                if number not in written:
                    done += self._write(path, objects[number])
                elif written[number] == objects[number]:
                    done += _Done(present=1)
                else:
                    return done + _wrong(path, _DIFFERS, _DIFFERS_FIX)
        return done

    def _read(self, path: str) -> bytes:
        try:
            return self._source.get(path)
        except NotFoundError:
            what = f"{path} was there when it was listed, and is gone"
            fix = "is `store gc` running there? Let it finish, and run the copy again"
            raise OutsideError(what, where=self._source.url, fix=fix) from None

    def _write(self, path: str, data: bytes) -> _Done:
        if self._destination.create(path, data):
            return _Done(copied=1, bytes=len(data))
        return self._compare(path, data)  # another copy was faster, or this one's reply was lost

    def _compare(self, path: str, data: bytes) -> _Done:
        same = self._destination.get(path) == data
        return _Done(present=1) if same else _wrong(path, _DIFFERS, _DIFFERS_FIX)


def _version_problems(model: str, numbers: Iterable[int], objects: Mapping[int, bytes]) -> Iterator[Problem]:
    for number in numbers:
        path = f"{FOLDERS['version']}/{model}/{number}.json"
        if number not in objects:
            yield Problem(where=path, what="is missing, and later versions are there", fix=_SPOILT_FIX)
            continue
        place = Place(kind="version", group=model, name=str(number))
        for fault in read_record(place, objects[number]).faults:
            yield Problem(where=path, what=fault, fix=_SPOILT_FIX)


def _wrong(path: str, what: str, fix: str) -> _Done:
    return _Done(problems=(Problem(where=path, what=what, fix=fix),))
