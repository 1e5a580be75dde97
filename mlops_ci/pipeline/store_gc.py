"""Removes what nothing names from a store, in two runs that lie apart; see `pipeline.condemned` for why two.

Records stay: versions, releases, events, evaluations, looks, and, unless it is asked for, candidates. So what any log,
any release, and any desired state on any branch has ever named stays, with everything that it rests on.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from mlops_ci.core.chain import Anchor
from mlops_ci.core.events import timestamp
from mlops_ci.core.layout import FOLDERS, condemned_path, place_of
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.bulk import work_through
from mlops_ci.pipeline.condemned import condemn, decide_to_remove, decision_on, is_kept, pardon, settle
from mlops_ci.pipeline.references import References

if TYPE_CHECKING:
    from mlops_ci.pipeline.event_log import EventLog
    from mlops_ci.ports import Clock, Console, Entry, KeptStore

SHORTEST = timedelta(hours=1)
"""No command takes longer between its look at an object that is there already and the record that names it."""
_ABANDONED = timedelta(hours=1)
"""When a decision to remove something is that old, the gc that made it is not going to act on it any more."""
_PROMPTLY = 600.0
"""Seconds within which a gc acts on its decisions, or withdraws them."""
_BATCH = 1_000

State = Literal["unnamed", "waiting", "due", "removed", "kept"]


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """An object that nothing names, and where it stands.

    unnamed: found, and nothing done. waiting: condemned, but not as long ago as the limit, or named by a candidate that
    may go and is still there. due: the next run with `delete` removes it. removed. kept: a command relies on it by now.
    """

    path: str
    bytes: int
    modified: str
    state: State
    why: str


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What a run found and did. `bytes` is the size of all that nothing names, `freed` that of what was removed.

    `named` counts the blobs that something names, `young` those that nothing names and that are too young to tell.
    """

    store: str
    deleted: bool
    older_than_seconds: float
    garbage: tuple[Garbage, ...]
    bytes: int
    freed: int
    removed: int
    named: int
    young: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"garbage": [asdict(one) for one in self.garbage]}


def collect(
    store: KeptStore,
    log: EventLog,
    *,
    limit: timedelta,
    delete: bool,
    candidates: bool,
    anchors: Mapping[str, Sequence[Anchor]],
    console: Console,
    clock: Clock,
) -> Collection:
    """Finds what nothing names and is older than the limit; with `delete` condemns it, and removes what was condemned
    longer than the limit ago and is still not named. With `candidates` also what was trained and never released.

    Raises IntegrityError where a log or a record is not what it should be: then nothing is removed. It can be killed
    at any moment and run again, and commands that write may run meanwhile. `anchors` by model are Git's.
    """
    started = clock.monotonic()
    _require_intact(log, anchors)
    now = _store_time(store) if delete else clock.now()
    with console.working(f"looking for what is named in {store.url}"):
        blobs = {entry.path.rpartition("/")[2]: entry for entry in _listed(store, "blob")}
        trained = list(_listed(store, "candidate")) if candidates else []
        references = References(store, log, blobs)
        references.update({entry.path for entry in trained})
        spared = [one for one in trained if now - one.modified > limit and _name(one) not in references.locks]
        references.update({entry.path for entry in spared})
    unnamed = [entry for digest, entry in blobs.items() if digest not in references.named]
    old = [entry for entry in unnamed if now - entry.modified > limit]
    run = _Run(store, references, clock, now=now, limit=limit)
    if delete:
        run.tidy({entry.path for entry in (*spared, *old)})
    run.look_at([*spared, *old])
    if delete:
        with console.working("condemning, and removing what is due"):
            run.condemn([*spared, *old])
            run.remove(spared, {entry.path for entry in spared}, references.locks)
            left = {entry.path for entry in spared if run.states[entry.path] not in {"removed", "kept"}}
            references.update(left)
            held = references.only_named_by(left)
            run.remove([entry for entry in old if _name(entry) not in held], left, references.named)
    found = [run.garbage(entry) for entry in (*spared, *old)]
    removed = [one for one in found if one.state == "removed"]
    return Collection(
        store=store.url, deleted=delete, older_than_seconds=limit.total_seconds(), garbage=tuple(found),
        bytes=sum(one.bytes for one in found), freed=sum(one.bytes for one in removed), removed=len(removed),
        named=len(blobs) - len(unnamed), young=len(unnamed) - len(old), seconds=round(clock.monotonic() - started, 3),
    )  # fmt: skip


class _Run:
    """The marks in the store, and where each object stands while this run goes on."""

    def __init__(
        self, store: KeptStore, references: References, clock: Clock, *, now: datetime, limit: timedelta
    ) -> None:
        self._store = store
        self._references = references
        self._clock = clock
        self._now = now
        self._limit = limit
        self.states: dict[str, State] = {}

    def tidy(self, garbage: Set[str]) -> None:
        """Clears the marks that have done their work, and decisions of runs that were killed: they are withdrawn."""
        decisions = self._marks("decided")
        for path, made in decisions.items():
            decision = decision_on(self._store, path)
            if decision is None:
                continue
            if is_kept(decision):
                if self._now - made > self._limit:
                    pardon(self._store, path)
            elif self._now - made > _ABANDONED:
                settle(self._store, path)
        for path in self._marks("condemned"):
            if path not in garbage and path not in decisions:
                pardon(self._store, path)

    def look_at(self, entries: Sequence[Entry]) -> None:
        condemned, decided = self._marks("condemned"), self._marks("decided")
        for entry in entries:
            if entry.path in decided:
                state: State = "kept"
            elif entry.path not in condemned:
                state = "unnamed"
            else:
                state = "due" if self._now - condemned[entry.path] > self._limit else "waiting"
            self.states[entry.path] = state

    def condemn(self, entries: Iterable[Entry]) -> None:
        new = [entry for entry in entries if self.states[entry.path] == "unnamed"]
        for entry, _ in work_through(new, lambda entry: condemn(self._store, entry.path)):
            self.states[entry.path] = "waiting"

    def remove(self, entries: Iterable[Entry], spared: Set[str], named: Set[str]) -> None:
        """Removes those that are due, unless a command is faster, or the store names them by now.

        `named` grows as the references are brought up to date, which leaves the candidates in `spared` aside.
        """
        due = [entry for entry in entries if self.states[entry.path] == "due"]
        for first in range(0, len(due), _BATCH):
            batch, started = due[first : first + _BATCH], self._clock.monotonic()
            decided = work_through(batch, lambda entry: decide_to_remove(self._store, entry.path))
            mine = [entry for entry, first in decided if first]
            self.states |= {entry.path: "kept" for entry in batch}
            self._references.update(spared)

            def act(entry: Entry, started: float = started) -> bool:
                stays = _name(entry) in named or self._clock.monotonic() - started > _PROMPTLY
                if not stays:
                    self._store.delete(entry.path)
                settle(self._store, entry.path)
                return not stays

            for entry, removed in work_through(mine, act):
                if removed:
                    self.states[entry.path] = "removed"

    def garbage(self, entry: Entry) -> Garbage:
        place = place_of(entry.path)
        candidate = place is not None and place.kind == "candidate"
        why = "no version, release or event names its lock" if candidate else "nothing names it"
        return Garbage(
            path=entry.path,
            bytes=entry.size,
            modified=timestamp(entry.modified),
            state=self.states[entry.path],
            why=why,
        )

    def _marks(self, folder: str) -> dict[str, datetime]:
        """When each object was condemned, or decided about."""
        return {entry.path.partition("/")[2]: entry.modified for entry in self._store.entries(folder)}


def _require_intact(log: EventLog, anchors: Mapping[str, Sequence[Anchor]]) -> None:
    problems = [
        problem for model in log.models() for problem in log.verify(model, anchors=anchors.get(model, ())).problems
    ]
    if problems:
        raise IntegrityError(
            "the logs are not as they were written, and nothing is removed from such a store",
            fix="see `mlops-ci verify-log`, and mend that first",
            problems=problems,
        )


def _listed(store: KeptStore, kind: str) -> Iterator[Entry]:
    for entry in store.entries(FOLDERS[kind]):
        place = place_of(entry.path)
        if place and place.kind == kind:
            yield entry


def _name(entry: Entry) -> str:
    """The digest of a blob, or the lock of a candidate."""
    return entry.path.rpartition("/")[2].removesuffix(".json")


def _store_time(store: KeptStore) -> datetime:
    """What the store's own clock says, by which it dates its objects; this machine's may be wrong by days."""
    path = condemned_path(f"clock/{secrets.token_hex(16)}")
    store.create(path, b"")
    try:
        return next(entry.modified for entry in store.entries("condemned/clock") if entry.path == path)
    finally:
        store.delete(path)
