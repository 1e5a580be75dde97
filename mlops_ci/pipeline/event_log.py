"""The append-only log of a model: read, append and verify, by many writers at once and without a lock."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from mlops_ci.core.chain import Anchor, Chain, read_chain
from mlops_ci.core.event_signatures import signed
from mlops_ci.core.events import NO_EVENT, Event, EventKind, timestamp
from mlops_ci.core.layout import checked_digest, event_path, events_folder
from mlops_ci.core.state import ModelState
from mlops_ci.core.subjects import subject_misfits
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError, OutsideError, Problem
from mlops_ci.pipeline import packs
from mlops_ci.pipeline.known_events import KnownEvents
from mlops_ci.pipeline.numbered import get_all, read_after, read_all

if TYPE_CHECKING:
    from mlops_ci.ports import Clock, ObjectStore, PublicKey, Signer

_SHOWN = 20
_AHEAD = 64
"""How many events are asked for at once behind the last pack: a gap narrower than that is seen."""
_WAITS = (0.1, 0.3, 1.0, 3.0, 0.0)
"""Seconds between looks for the event of a rival that is said to be there."""
_FAST = timedelta(minutes=5)
"""By how much clocks of machines may differ before `verify-log` mentions it."""


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """What a writer wants to put on record; number, time and chain are the log's business."""

    kind: EventKind
    subject: Mapping[str, Any]
    actor: str
    evidence: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """How many events there are, the newest one's number and digest, and all that is not as it was written.

    `signed` counts the events that carry a signature, and `public_key` is the id of the key that these were checked by;
    None where there was none. `warnings` are what a person should know though nothing was tampered with.
    """

    model: str
    events: int
    signed: int
    public_key: str | None
    head: Anchor | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Signing:
    """Who signs new events, and by whose key the events of a model have to be signed; None: nobody, anybody.

    Both are asked for when they are needed and not before, and may raise ConfigurationError.
    """

    signer: Callable[[], Signer | None] = lambda: None
    public_key: Callable[[str], PublicKey | None] = lambda _model: None


class EventLog:
    """The logs of all models in one store. An instance remembers what it has read, since events never change."""

    def __init__(self, store: ObjectStore, clock: Clock, signing: Signing | None = None) -> None:
        self._store = store
        self._clock = clock
        self._signing = signing or Signing()
        self._known: dict[str, KnownEvents] = {}
        self._lock = Lock()

    @property
    def clock(self) -> Clock:
        return self._clock

    def models(self) -> list[str]:
        """The models that have a log in the store."""
        return list(self._store.folders("events"))

    def read(self, model: str) -> tuple[Event, ...]:
        """All events in order. Raises IntegrityError where the log is not as it was written."""
        with self._lock:
            return self._read(model).all()

    def state(self, model: str) -> ModelState:
        """What the log says now."""
        with self._lock:
            return self._read(model).state()

    def append(self, model: str, build: Callable[[ModelState], NewEvent | None]) -> Event | None:
        """Appends what `build` makes of the present state; None where it decides that there is nothing to say.

        `build` is called again whenever another writer was faster, so the decision always rests on all events before
        the new one. It must do nothing but decide. What it raises ends the attempt. Raises OutsideError where the
        store fails; the event may have been written all the same, so let `build` look before it repeats itself.
        """
        while True:
            with self._lock:
                known = self._read(model)
                last, state = known.last, known.state()
            new = build(state)
            if new is None:
                return None
            event = self._attempt(model, last, new)
            if event is not None:
                return event

    def record(
        self, model: str, kind: EventKind, subject: Mapping[str, Any], *, actor: str, evidence: Sequence[str] = ()
    ) -> Event:
        """Appends an event that is true whatever else has happened."""
        new = NewEvent(kind=kind, subject=subject, actor=actor, evidence=evidence)
        while True:
            with self._lock:
                last = self._read(model).last
            event = self._attempt(model, last, new)
            if event is not None:
                return event

    def require_signer(self, model: str) -> Signer | None:
        """Who signs new events. Raises ConfigurationError where they have to be signed and cannot be here.

        To be asked before anything is changed that has to be logged afterwards.
        """
        signer, key = self._signing.signer(), self._signing.public_key(model)
        if key is None or (signer is not None and signer.public_key.id == key.id):
            return signer
        given = f"the key given is {signer.public_key.id[:12]}" if signer else "there is no signing key"
        raise ConfigurationError(
            f"the events of {model} have to be signed by {key.id[:12]} (log.public_key), and {given}",
            fix="give the private key that belongs to it: MLOPS_SIGNING_KEY; nothing was changed",
        )

    def verify(
        self, model: str, *, anchors: Sequence[Anchor] = (), public_key: PublicKey | None = None
    ) -> Verification:
        """Reads the whole log afresh and finds what was edited, dropped, inserted, moved, forked or added beside it.

        `anchors` come from outside the store (Git commits); only they can show that the newest events were taken
        away or that the log was written anew. `public_key` takes the place of the one that is declared.
        """
        reading = read_all(self._store, events_folder(model))
        key = public_key or self._signing.public_key(model)
        chain = read_chain(model, reading.objects, anchors=anchors, key=key)
        strays = [Problem(where=path, what="is no event", fix="find out who put it there") for path in reading.strays]
        false = packs.false_packs(self._store, model, reading.objects)
        return Verification(
            model=model,
            events=len(chain.events),
            signed=sum(event.signature is not None for event in chain.events),
            public_key=key.id if key else None,
            head=chain.head if chain.head.number else None,
            problems=(*chain.problems, *strays, *false),
            warnings=_from_the_future(chain.events, self._clock.now()),
        )

    def _read(self, model: str) -> KnownEvents:
        """Reads on where the last reading ended."""
        known = self._known.setdefault(model, KnownEvents())
        if known.packs is None:
            known.packs = set(packs.pack_numbers(self._store, model))
        key = self._signing.public_key(model)
        folder = events_folder(model)
        if known.events:
            objects = read_after(self._store, folder, len(known.events))
        elif not known.packs:
            objects = read_all(self._store, folder).objects
        else:
            for part in packs.packed_parts(self._store, model, sorted(known.packs)):
                chain = read_chain(model, part.packed or {}, after=known.last, key=key)
                if part.packed is None or chain.problems:
                    objects = get_all(self._store, folder, part.numbers)
                    chain = read_chain(model, objects, after=known.last, key=key)
                self._take(known, model, chain)
            objects = read_after(self._store, folder, len(known.events), size=_AHEAD)
        self._take(known, model, read_chain(model, objects, after=known.last, key=key))
        return known

    def _take(self, known: KnownEvents, model: str, chain: Chain) -> None:
        if chain.problems:
            raise _not_intact(model, self._store.url, chain.problems)
        known.add(chain.events)

    def _attempt(self, model: str, last: Event | None, new: NewEvent) -> Event | None:
        """Writes the event that follows `last`; None where another writer has written one."""
        event = self._next(model, last, new)
        if not self._write(event):
            return None
        self._written(event)
        return event

    def _next(self, model: str, last: Event | None, new: NewEvent) -> Event:
        """The event that follows `last`. Raises ConfigurationError where it has to be signed and cannot be."""
        subject = dict(new.subject)
        misfits = subject_misfits(new.kind, subject)
        if misfits or not new.actor:
            raise ValueError(f"a {new.kind} event needs an actor and a subject as in docs/events.md: {misfits}")
        now = timestamp(self._clock.now())
        event = Event(
            model=model,
            number=last.number + 1 if last else 1,
            kind=new.kind,
            time=max(now, last.time) if last else now,
            actor=new.actor,
            subject=subject,
            evidence=tuple(checked_digest(digest) for digest in new.evidence),
            previous=last.digest if last else NO_EVENT,
            nonce=secrets.token_hex(16),
        )
        _require_text(event)
        signer = self.require_signer(model)
        return signed(event, signer) if signer else event

    def _write(self, event: Event) -> bool:
        """Puts the event under its number; False where somebody else's event is there."""
        path, data = event_path(event.model, event.number), event.raw
        try:
            if self._store.create(path, data):
                return True
        except OutsideError:
            if not self._holds(path, data):
                raise
            return True
        # The library repeats a put whose reply was lost, and then meets its own event; the nonce tells it from others'.
        return self._taken(path) == data

    def _holds(self, path: str, data: bytes) -> bool:
        try:
            return self._store.get(path) == data
        except (NotFoundError, OutsideError):
            return False

    def _taken(self, path: str) -> bytes:
        """What lies there, as the store has just said. S3 may say so of a put that is still on its way."""
        for wait in _WAITS:
            try:
                return self._store.get(path)
            except NotFoundError:
                self._clock.sleep(wait)
        what = f"the store says that {path} is there, and gives nothing under that name"
        raise OutsideError(what, where=self._store.url, fix="see what lies there, remove it, and try again")

    def _written(self, event: Event) -> None:
        """Takes the event to what is known, and puts the packs that are due: of this writer's thousand, and of others'
        that were killed, or came before there were packs.
        """
        with self._lock:
            known = self._known[event.model]
            if event.number == len(known.events) + 1:  # else another thread has read it by now
                known.add([event])
            there = known.packs or set()
            due = [number for number in range(1, len(known.events) // packs.SIZE + 1) if number not in there]
            for number in due:
                packs.write_pack(self._store, event.model, number, known.events)
            known.packs = there.union(due)


def _from_the_future(events: Sequence[Event], now: datetime) -> tuple[Problem, ...]:
    """Says so where a clock ran ahead: events after it are not earlier, so that they carry its time until it comes."""
    limit = timestamp(now + _FAST)
    early = next((event for event in events if event.time > limit), None)
    if early is None:
        return ()
    what = f"has the time {early.time}, and here it is {timestamp(now)}: the clock of who wrote it, or of this machine"
    fix = "set the clock; until that time comes, all later events carry it, and waiting times count from it"
    return (Problem(where=event_path(early.model, early.number), what=f"{what}, is wrong", fix=fix, name="clock"),)


def _require_text(event: Event) -> None:
    """A reason or a name comes from a command line, and need not be text."""
    try:
        _ = event.raw
    except UnicodeEncodeError as error:
        what = f"a name or a reason is not written in UTF-8: {error.object[error.start : error.start + 20]!r}"
        raise ConfigurationError(what, fix="write it in UTF-8") from error


def _not_intact(model: str, where: str, problems: Sequence[Problem]) -> IntegrityError:
    shown = list(problems[:_SHOWN])
    if len(problems) > _SHOWN:
        shown.append(Problem(where="", what=f"and {len(problems) - _SHOWN} more"))
    return IntegrityError(
        f"the event log of {model} is not as it was written",
        where=where,
        fix=f"do not release or promote; see `mlops-ci verify-log {model}` and restore the objects named there",
        problems=shown,
    )
