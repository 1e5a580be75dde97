"""The append-only log of a model: read, append and verify, by many writers at once and without a lock."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_ci.core.chain import Anchor, read_chain
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.events import NO_EVENT, Event, EventKind, timestamp
from mlops_ci.core.layout import checked_digest, events_folder, numbered_path
from mlops_ci.core.state import ModelState, fold
from mlops_ci.core.subjects import subject_misfits
from mlops_ci.errors import IntegrityError, NotFoundError, OutsideError, Problem
from mlops_ci.pipeline.numbered import read_after, read_all

if TYPE_CHECKING:
    from mlops_ci.ports import Clock, ObjectStore

_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """What a writer wants to put on record; number, time and chain are the log's business."""

    kind: EventKind
    subject: Mapping[str, Any]
    actor: str
    evidence: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """How many events there are, the newest one's number and digest, and all that is not as it was written."""

    model: str
    events: int
    head: Anchor | None
    problems: tuple[Problem, ...]


class EventLog:
    """The logs of all models in one store. An instance remembers what it has read, since events never change."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[Event, ...]] = {}

    @property
    def clock(self) -> Clock:
        return self._clock

    def models(self) -> list[str]:
        """The models that have a log in the store."""
        return list(self._store.folders("events"))

    def read(self, model: str) -> tuple[Event, ...]:
        """All events in order. Raises IntegrityError where the log is not as it was written."""
        # A snapshot, once there is one, is a longer beginning than what this instance happens to know.
        known = self._known.get(model, ())
        folder = events_folder(model)
        if known:
            chain = read_chain(model, read_after(self._store, folder, known[-1].number), after=known[-1])
        else:
            chain = read_chain(model, read_all(self._store, folder).objects)
        if chain.problems:
            raise _not_intact(model, self._store.url, chain.problems)
        events = known + chain.events
        self._known[model] = events
        return events

    def state(self, model: str) -> ModelState:
        """What the log says now."""
        return fold(self.read(model))

    def append(self, model: str, build: Callable[[ModelState], NewEvent | None]) -> Event | None:
        """Appends what `build` makes of the present state; None where it decides that there is nothing to say.

        `build` is called again whenever another writer was faster, so the decision always rests on all events before
        the new one. It must do nothing but decide. What it raises ends the attempt. Raises OutsideError where the
        store fails; the event may have been written all the same, so let `build` look before it repeats itself.
        """
        while True:
            events = self.read(model)
            new = build(fold(events))
            if new is None:
                return None
            event = self._attempt(model, events, new)
            if event is not None:
                return event

    def record(
        self, model: str, kind: EventKind, subject: Mapping[str, Any], *, actor: str, evidence: Sequence[str] = ()
    ) -> Event:
        """Appends an event that is true whatever else has happened."""
        new = NewEvent(kind=kind, subject=subject, actor=actor, evidence=evidence)
        while True:
            event = self._attempt(model, self.read(model), new)
            if event is not None:
                return event

    def verify(self, model: str, *, anchors: Sequence[Anchor] = ()) -> Verification:
        """Reads the whole log afresh and finds what was edited, dropped, inserted, moved, forked or added beside it.

        `anchors` come from outside the store (Git commits); only they can show that the newest events were taken
        away or that the log was written anew.
        """
        reading = read_all(self._store, events_folder(model))
        chain = read_chain(model, reading.objects, anchors=anchors)
        strays = [Problem(where=path, what="is no event", fix="find out who put it there") for path in reading.strays]
        head = chain.head if chain.head.number else None
        return Verification(model=model, events=len(chain.events), head=head, problems=(*chain.problems, *strays))

    def _attempt(self, model: str, events: tuple[Event, ...], new: NewEvent) -> Event | None:
        """Writes the event that follows these; None where another writer has written one."""
        event = self._next(model, events, new)
        if not self._write(event):
            return None
        self._known[model] = (*events, event)
        return event

    def _next(self, model: str, events: Sequence[Event], new: NewEvent) -> Event:
        subject = dict(new.subject)
        misfits = subject_misfits(new.kind, subject)
        if misfits or not new.actor:
            raise ValueError(f"a {new.kind} event needs an actor and a subject as in docs/events.md: {misfits}")
        last = events[-1] if events else None
        now = timestamp(self._clock.now())
        return Event(
            model=model,
            number=len(events) + 1,
            kind=new.kind,
            time=max(now, last.time) if last else now,
            actor=new.actor,
            subject=subject,
            evidence=tuple(checked_digest(digest) for digest in new.evidence),
            previous=last.digest if last else NO_EVENT,
            nonce=secrets.token_hex(16),
        )

    def _write(self, event: Event) -> bool:
        """Puts the event under its number; False where somebody else's event is there."""
        path = numbered_path(events_folder(event.model), event.number)
        data = canonical_json(event.to_json())
        try:
            if self._store.create(path, data):
                return True
        except OutsideError:
            if not self._holds(path, data):
                raise
            return True
        # The library repeats a put whose reply was lost, and then meets its own event; the nonce tells it from others'.
        return self._holds(path, data)

    def _holds(self, path: str, data: bytes) -> bool:
        try:
            return self._store.get(path) == data
        except (NotFoundError, OutsideError):
            return False


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
