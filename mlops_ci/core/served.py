"""A model's events by what they are about: which release, and which environment served what from when on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from mlops_ci.core.events import Event
from mlops_ci.core.state import SERVING_KINDS


class Served:
    """The events of a log without faults (see `core.chain`), in its order. Made once, each question is cheap."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.waived: list[Event] = []
        self.began: dict[str, list[Event]] = {}
        """For each environment the events that made it serve another release than before."""
        self._about: dict[str, list[Event]] = {}
        for event in events:
            release = event.subject.get("release")
            if isinstance(release, str):
                self._about.setdefault(release, []).append(event)
            if event.kind == "waived":
                self.waived.append(event)
            elif event.kind in SERVING_KINDS:
                served = self.began.setdefault(event.subject["environment"], [])
                if not served or served[-1].subject["release"] != release:
                    served.append(event)

    def about(self, release: str, up_to: Event | None = None) -> list[Event]:
        """The events about the release; up to that one, itself included."""
        events = self._about.get(release, [])
        return [event for event in events if up_to is None or event.number <= up_to.number]

    def serving(self, environment: str, moment: str) -> Event | None:
        """The event that began what the environment served at the moment."""
        served = self.began.get(environment, [])
        found = bisect_right(served, moment, key=lambda event: event.time)
        return served[found - 1] if found else None

    def beside(self, began: Event) -> tuple[Event | None, Event | None]:
        """The events that began what served before, and what served next."""
        served = self.began[began.subject["environment"]]
        place = bisect_left(served, began.number, key=lambda event: event.number)
        return served[place - 1] if place else None, served[place + 1] if place + 1 < len(served) else None
