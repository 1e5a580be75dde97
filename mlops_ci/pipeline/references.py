"""What the records and logs of a store name, with all that is named there in turn: what `store gc` must not touch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING

from mlops_ci.core.digest import sha256
from mlops_ci.core.layout import FOLDERS, blob_path, place_of
from mlops_ci.core.records import MODEL_FILE
from mlops_ci.core.stored_record import digests_in, needed_by, read_record
from mlops_ci.errors import IntegrityError, NotFoundError, OutsideError
from mlops_ci.pipeline.bulk import work_through

if TYPE_CHECKING:
    from mlops_ci.pipeline.event_log import EventLog
    from mlops_ci.ports import Entry, KeptStore

_FIX = "see `mlops-ci store verify`; nothing is removed from a store that is not whole"


class References:
    """The digests that are named, by a record, an event, or a blob that is named itself.

    Anything there that looks like a digest and is that of a blob counts as a reference, whatever it is called. `blobs`
    are those there are. What was read once is not read again: records, events and blobs never change.
    """

    def __init__(self, store: KeptStore, log: EventLog, blobs: Mapping[str, Entry]) -> None:
        self._store = store
        self._log = log
        self._blobs = blobs
        self._read: set[str] = set()
        self._events: dict[str, int] = {}
        self._names: dict[str, set[str]] = {}
        self.named: set[str] = set()
        """Every digest that was found; not all are those of blobs."""
        self.locks: set[str] = set()
        """The digests that versions, releases and events name themselves: candidates of these locks have to stay."""

    def update(self, spared: Set[str] = frozenset()) -> None:
        """Reads what is new since the last time, but for the candidates in `spared`, which are asked for nothing.

        Raises IntegrityError where something is not what it should be: what it names is not known then.
        """
        found: set[str] = set()
        for kind in ("version", "release", "evaluation", "look", "candidate"):
            paths = [path for path in self._store.list(FOLDERS[kind]) if path not in self._read and path not in spared]
            for path, digests in work_through(paths, self._named_by_record):
                self._read.add(path)
                self.locks |= digests if kind in {"version", "release"} else set()
                found |= digests
        for model in self._log.models():
            events = self._log.read(model)
            for event in events[self._events.get(model, 0) :]:
                digests = digests_in(event.raw)
                self.locks |= digests
                found |= digests
            self._events[model] = len(events)
        self._follow(found, self.named)

    def only_named_by(self, candidates: Iterable[str]) -> set[str]:
        """What these candidates name, and nothing that is named otherwise."""
        found: set[str] = set()
        for _, digests in work_through(candidates, self._named_by_record):
            found |= digests
        also = set(self.named)
        self._follow(found, also)
        return also - self.named

    def _named_by_record(self, path: str) -> set[str]:
        data = self._get(path)
        if data is None:  # a candidate that another gc has removed
            return set()
        place = place_of(path)
        if place is None:
            raise _not_whole(self._store, f"{path} has a name that no record has")
        record = read_record(place, data)
        if record.faults:
            raise _not_whole(self._store, f"{path} {record.faults[0]}")
        for needed in needed_by(place, record.value):
            missing = needed.startswith("blobs/") and needed.rpartition("/")[2] not in self._blobs
            if missing and self._get(needed) is None:  # not even written since the blobs were listed
                raise _not_whole(self._store, f"{needed} is missing, and {path} names it")
        self._names |= {graph: set() for graph in _graphs(place.kind, record.value)}
        return digests_in(data)

    def _follow(self, found: Iterable[str], named: set[str]) -> None:
        """Adds to `named` what was found, what the blobs among that name, and so on."""
        waiting = set(found) - named
        while waiting:
            named |= waiting
            blobs = [digest for digest in waiting if digest in self._blobs]
            unread = [digest for digest in blobs if digest not in self._names]
            for digest, digests in work_through(unread, self._named_by_blob, size=lambda one: self._blobs[one].size):
                self._names[digest] = digests
            waiting = {name for digest in blobs for name in self._names[digest]} - named

    def _named_by_blob(self, digest: str) -> set[str]:
        data = self._get(blob_path(digest))
        if data is None:
            raise OutsideError(
                f"{blob_path(digest)} was there when it was listed, and is gone", where=self._store.url,
                fix="is another gc running? Let it finish, and run this again",
            )  # fmt: skip
        if sha256(data) != digest:
            raise _not_whole(self._store, f"{blob_path(digest)} is not what its name says")
        return digests_in(data)

    def _get(self, path: str) -> bytes | None:
        try:
            return self._store.get(path)
        except NotFoundError:
            return None


def _graphs(kind: str, value: Mapping[str, object]) -> Iterator[str]:
    """The ONNX graphs, which are large and name nothing."""
    files = value.get("files")
    graph = value.get("onnx") if kind == "candidate" else files.get(MODEL_FILE) if isinstance(files, dict) else None
    if isinstance(graph, str):
        yield graph


def _not_whole(store: KeptStore, what: str) -> IntegrityError:
    return IntegrityError(what, where=store.url, fix=_FIX)
