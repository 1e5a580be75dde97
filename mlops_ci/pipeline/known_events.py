"""What a process has read of a model's log: its events, and the state that they fold to, kept up as more come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlops_ci.core.events import Event
from mlops_ci.core.state import Folding, ModelState


@dataclass
class KnownEvents:
    """The beginning of a log; it only ever grows."""

    events: list[Event] = field(default_factory=list)
    folding: Folding = field(default_factory=Folding)
    packs: set[int] | None = None
    """The packs in the store, or tried to be put there; None before the first reading."""
    _all: tuple[Event, ...] = ()
    _state: ModelState | None = None

    @property
    def last(self) -> Event | None:
        return self.events[-1] if self.events else None

    def add(self, events: Sequence[Event]) -> None:
        for event in events:
            self.events.append(event)
            self.folding.add(event)
        self._state = None if events else self._state

    def all(self) -> tuple[Event, ...]:
        if len(self._all) != len(self.events):
            self._all = tuple(self.events)
        return self._all

    def state(self) -> ModelState:
        if self._state is None:
            self._state = self.folding.state()
        return self._state
