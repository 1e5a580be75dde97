"""Reads a whole store and finds everything that is not as it was written, or that names what is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlops_ci.core.chain import Anchor, read_chain
from mlops_ci.core.digest import sha256
from mlops_ci.core.events import Event
from mlops_ci.core.layout import Place, event_path, events_folder, place_of, release_path
from mlops_ci.core.records import Release
from mlops_ci.core.stored_record import needed_by, needed_by_evaluation, needed_by_event, read_record
from mlops_ci.errors import IntegrityError, NotFoundError, Problem
from mlops_ci.pipeline.bulk import work_through
from mlops_ci.pipeline.numbered import read_all

if TYPE_CHECKING:
    from mlops_ci.pipeline.event_log import EventLog
    from mlops_ci.ports import Clock, Console, Entry, KeptStore

_RESTORE = "remove it and bring it back from a backup: mlops-ci store copy BACKUP STORE"
_BRING_BACK = "bring it back from a backup: mlops-ci store copy BACKUP STORE"
_STRAY = "find out who put it there, and remove it; nothing of ours has such a name"


@dataclass(frozen=True, kw_only=True)
class DesiredFile:
    """A file of Git that says which release an environment is to serve of a model; "" for none yet.

    `fault` is what keeps it from being such a file.
    """

    where: str
    model: str
    release: str
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class StoreVerification:
    """What was looked at, and each thing that is wrong, with its path and how to mend it."""

    store: str
    objects: int
    bytes: int
    blobs: int
    records: int
    events: int
    models: tuple[str, ...]
    problems: tuple[Problem, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        problems = [problem.to_json() for problem in self.problems]
        return {"ok": not self.problems, **asdict(self), "models": list(self.models), "problems": problems}


def verify_store(
    store: KeptStore,
    log: EventLog,
    *,
    anchors: Mapping[str, Sequence[Anchor]],
    desired: Iterable[DesiredFile],
    console: Console,
    clock: Clock,
) -> StoreVerification:
    """Reads every object of the store. `anchors` by model, and `desired`, are what Git knows of it.

    Raises IntegrityError for nothing: what is wrong is in the answer. What is written meanwhile does no harm.
    """
    started = clock.monotonic()
    reading = _Reading(store)
    with console.working(f"reading all of {store.url}"):
        reading.objects()
        reading.evaluations()
        models = log.models()
        events = sum(reading.log(log, model, anchors.get(model, ())) for model in models)
        reading.versions()
        reading.desired(desired)
        reading.missing()
    return StoreVerification(
        store=store.url, objects=reading.seen, bytes=reading.bytes, blobs=len(reading.blobs),
        records=len(reading.records), events=events, models=tuple(models), problems=tuple(reading.problems),
        seconds=round(clock.monotonic() - started, 3),
    )  # fmt: skip


class _Reading:
    """What was found so far; paths are kept, contents are not, but for releases and versions."""

    def __init__(self, store: KeptStore) -> None:
        self._store = store
        self.problems: list[Problem] = []
        self.seen = 0
        self.bytes = 0
        self.blobs: set[str] = set()
        self.records: set[str] = set()
        self._needed: dict[str, str] = {}
        self._releases: dict[str, Release] = {}
        self._versions: dict[str, set[int]] = {}
        self._evaluations: set[str] = set()

    def objects(self) -> None:
        """Blobs by their digests, records by what they are."""
        for (entry, place), data in work_through(self._placed(), self._read, size=lambda one: one[0].size):
            if data is None:  # removed by `store gc` since it was listed; missed below if anything names it
                continue
            self.seen += 1
            self.bytes += entry.size
            if place.kind == "blob":
                self.blobs.add(entry.path)
                if data:
                    self._wrong(entry.path, f"has the digest {data.decode()}, which is not its name", _RESTORE)
            elif place.kind in {"event", "pack", "mark"}:
                continue
            else:
                self.records.add(entry.path)
                self._record(entry.path, place, data)

    def _placed(self) -> Iterator[tuple[Entry, Place]]:
        for entry in self._store.entries(""):
            place = place_of(entry.path)
            if place is None:
                self._wrong(entry.path, "is no object of a store", _STRAY)
            else:
                yield entry, place

    def _read(self, one: tuple[Entry, Place]) -> bytes | None:
        """The bytes of a record; of a blob nothing, or its digest where that is not its name."""
        entry, place = one
        if place.kind in {"event", "pack", "mark"}:  # read with the logs
            return b""
        try:
            data = self._store.get(entry.path)
        except NotFoundError:
            return None
        if place.kind != "blob":
            return data
        digest = sha256(data)
        return b"" if digest == place.name else digest.encode()

    def _record(self, path: str, place: Place, data: bytes) -> None:
        if place.kind == "version":
            self._versions.setdefault(place.group, set()).add(int(place.name))
        record = read_record(place, data)
        for fault in record.faults:
            self._wrong(path, fault, _RESTORE)
        if record.faults:
            return
        for needed in needed_by(place, record.value):
            self.need(needed, path)
        if place.kind == "release":
            self._releases[place.name] = Release.from_json(record.value)
        elif place.kind == "evaluation":
            self._evaluations |= set(needed_by(place, record.value))

    def evaluations(self) -> None:
        """What the evaluations that are there rest on."""
        there = sorted(self._evaluations & self.blobs)
        for path, data in work_through(there, self._store.get):
            for needed in needed_by_evaluation(data):
                self.need(needed, path)

    def log(self, log: EventLog, model: str, anchors: Sequence[Anchor]) -> int:
        """The model's log by its chain, and each event by what it names; the number of events."""
        verification = log.verify(model, anchors=anchors)
        strays = {problem.where for problem in self.problems}  # files beside the events, which the log finds as well
        self.problems += [problem for problem in verification.problems if problem.where not in strays]
        try:
            events: Iterable[Event] = log.read(model)
        except IntegrityError:
            events = read_chain(model, read_all(self._store, events_folder(model)).objects).events
        for event in events:
            path = event_path(model, event.number)
            for needed in needed_by_event(event):
                self.need(needed, path)
            if event.kind == "registered":
                self._registered(event, path)
        return verification.events

    def _registered(self, event: Event, path: str) -> None:
        """The log and the record of a release have to say the same."""
        release = self._releases.get(event.subject["release"])
        if release is None:  # missing or spoilt, which is said elsewhere
            return
        said = {key: event.subject[key] for key in ("version", "lock", "commit")} | {"model": event.model}
        wrong = [key for key, value in said.items() if getattr(release, key) != value]
        if wrong:
            what = f"says another {' and '.join(wrong)} of release {release.id[:12]} than the release's own record"
            self._wrong(path, what, "one of the two was written by something else than mlops-ci; find out which")

    def versions(self) -> None:
        """No version number is left out."""
        for model, numbers in self._versions.items():
            for number in sorted(set(range(1, max(numbers))) - numbers):
                self._wrong(f"versions/{model}/{number}.json", "is missing, and later versions are there", _BRING_BACK)

    def desired(self, files: Iterable[DesiredFile]) -> None:
        for file in files:
            if file.fault:
                self._wrong(f"{file.where} in Git", file.fault, "restore the file from Git's history")
            elif file.release:
                self.need(release_path(file.release), f"{file.where} in Git")

    def need(self, path: str, by: str) -> None:
        self._needed.setdefault(path, by)

    def missing(self) -> None:
        """What is named and was not seen; what was written since the listing is looked for once more."""
        for path, by in sorted(self._needed.items()):
            if path not in self.blobs and path not in self.records and not self._is_there(path):
                self._wrong(path, f"is missing, and {by} names it", _BRING_BACK)

    def _is_there(self, path: str) -> bool:
        try:
            self._store.get(path)
        except NotFoundError:
            return False
        return True

    def _wrong(self, path: str, what: str, fix: str) -> None:
        self.problems.append(Problem(where=path, what=what, fix=fix))
