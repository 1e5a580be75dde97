"""What a router counts of the live requests that a release gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LiveCounts:
    """Users' requests since the router began to count.

    `errors` are those that the release failed: a 5xx, or no answer. `within` maps a bound in milliseconds to how many
    requests took no longer; the bounds are the router's and the same for all releases. `counter` tells one start of a
    router from another.
    """

    requests: int = 0
    errors: int = 0
    within: Mapping[float, int] = field(default_factory=dict)
    counter: str = ""

    def since(self, before: LiveCounts) -> LiveCounts:
        """What came after `before`. A router that was started anew counts from nothing: then all that it has seen."""
        anew = self.counter != before.counter or self.requests < before.requests or self.errors < before.errors
        if anew:
            return self
        return LiveCounts(
            requests=self.requests - before.requests,
            errors=self.errors - before.errors,
            within={bound: count - before.within.get(bound, 0) for bound, count in self.within.items()},
        )

    def __add__(self, other: LiveCounts) -> LiveCounts:
        bounds = sorted({*self.within, *other.within})
        return LiveCounts(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            within={bound: self.within.get(bound, 0) + other.within.get(bound, 0) for bound in bounds},
        )

    def to_json(self) -> dict[str, Any]:
        within = {f"{bound:g}": count for bound, count in self.within.items()}
        counter = {"counter": self.counter} if self.counter else {}
        return {"requests": self.requests, "errors": self.errors, "within": within, **counter}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LiveCounts:
        within = {float(bound): count for bound, count in value["within"].items()}
        return cls(requests=value["requests"], errors=value["errors"], within=within, counter=value.get("counter", ""))
