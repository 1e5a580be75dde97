"""A load of requests that are due at fixed times, and what it says of the service that got it, and of the prober.

The load is open: a request is sent when it is due, whether or not the one before is answered, and its latency counts
from when it was due. In a closed loop a service that stalls is asked less just while it stalls, and the stall counts as
one slow request ("coordinated omission", G. Tene, How NOT to Measure Latency, 2013).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEWEST_REQUESTS = 20
IN_FLIGHT = 64
"""Requests that wait for an answer at the same time, at most."""
BEHIND_SECONDS, BEHIND_SHARE = 0.25, 0.05
"""By how much, or by which share of the whole load, the last requests may leave late: later, and the rate was not kept.
"""
SATURATED = 0.9
"""The share of one core from which on the prober, not the service, may be what is slow."""


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """`rate` requests a second for `seconds`, and however short that is, at least `FEWEST_REQUESTS`."""

    rate: int
    seconds: float

    @property
    def requests(self) -> int:
        return max(FEWEST_REQUESTS, round(self.rate * self.seconds))

    @property
    def ends(self) -> float:
        return self.requests / self.rate

    def due(self, number: int) -> float:
        return number / self.rate


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One request, in seconds since the load began; `error` says by name what was wrong, empty where nothing was.

    `free` is when the prober could have sent it: later than `due` where all that it may have in flight waited for
    the service. `answered` says whether an answer came that may be right or wrong: only then it has a latency.
    """

    due: float
    free: float
    sent: float
    done: float
    error: str = ""
    answered: bool = True

    @property
    def lateness(self) -> float:
        """By how much the prober itself was late."""
        return self.sent - max(self.due, self.free)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What a prober brings back: the requests, the share of one core that it used, and how many it never sent.

    Those were due, and everything that may be in flight waited for the service until the prober gave up.
    """

    sent: Sequence[Sent]
    core_share: float
    unsent: int = 0


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load measured: latencies are of the requests that were answered, NaN where there was none.

    `behind_s` is by how much the last requests left late. `..._without_lateness` leaves out what the prober itself was
    late by.
    """

    requests: int
    rate: float
    behind_s: float
    behind_without_lateness_s: float
    p50_ms: float
    p99_ms: float
    p99_without_lateness_ms: float
    max_ms: float
    lateness_p99_ms: float
    core_share: float
    errors: Mapping[str, int]

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def error_rate(self) -> float:
        return self.failed / self.requests

    def to_json(self) -> dict[str, Any]:
        """What people ask for, rounded to what was measured; null for a latency of no request."""
        measured = {
            "rate": self.rate,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "max_ms": self.max_ms,
            "lateness_p99_ms": self.lateness_p99_ms,
        }
        rounded = {name: round(value, 3) if math.isfinite(value) else None for name, value in measured.items()}
        return {"requests": self.requests, "failed": self.failed, "errors": dict(self.errors), **rounded}


NEVER_SENT = "never sent, since all that may be in flight waited for an answer"


def measured(traffic: Traffic) -> Load:
    """What the traffic comes to."""
    sent = sorted(traffic.sent, key=lambda each: each.due)
    answered = [each for each in sent if each.answered]
    errors = Counter(each.error for each in sent if each.error)
    if traffic.unsent:
        errors[NEVER_SENT] += traffic.unsent
    latencies = [each.done - each.due for each in answered]
    return Load(
        requests=len(sent) + traffic.unsent,
        rate=_rate([each.sent for each in sent]),
        behind_s=_behind([each.sent - each.due for each in sent], traffic.unsent),
        behind_without_lateness_s=_behind([each.sent - each.lateness - each.due for each in sent], traffic.unsent),
        p50_ms=percentile(latencies, 0.5) * 1000,
        p99_ms=percentile(latencies, 0.99) * 1000,
        p99_without_lateness_ms=percentile([each.done - each.due - each.lateness for each in answered], 0.99) * 1000,
        max_ms=percentile(latencies, 1.0) * 1000,
        lateness_p99_ms=percentile([each.lateness for each in sent], 0.99) * 1000,
        core_share=traffic.core_share,
        errors=dict(errors.most_common()),
    )


def kept_rate(behind_s: float, plan: LoadPlan) -> bool:
    return behind_s <= max(BEHIND_SECONDS, BEHIND_SHARE * plan.ends)


def slow_prober(load: Load, plan: LoadPlan, limit_ms: float) -> str:
    """What keeps the load from saying anything of the service: the prober itself was too slow. Empty where it was not.

    Its slowness matters only where the service would otherwise be blamed for it: the rate was not kept, or the limit of
    latency was not.
    """
    behind, late = not kept_rate(load.behind_s, plan), load.p99_ms > limit_ms
    if not behind and not late:
        return ""
    if load.core_share > SATURATED:
        return f"the prober used {load.core_share:.0%} of a core, which is all that it can"
    excused = late and load.p99_without_lateness_ms <= limit_ms
    if excused or (behind and kept_rate(load.behind_without_lateness_s, plan)):
        return f"the prober itself sent requests up to {load.lateness_p99_ms:.0f} ms late (99th percentile)"
    return ""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed (nearest rank); NaN for no value.

    Of fewer than a hundred values the 99th percentile is the largest, so that none is explained away.

    >>> percentile([3.0, 1.0, 2.0], 0.5), percentile([1.0, 2.0], 0.99)
    (2.0, 2.0)
    """
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]


def _behind(delays: Sequence[float], unsent: int) -> float:
    """The least delay among the last tenth of the requests: a backlog delays all of them, an accident one."""
    return math.inf if unsent else min(delays[-max(1, len(delays) // 10) :], default=math.inf)


def _rate(times: Sequence[float]) -> float:
    """Requests a second, from the first to the last of them; 0 where there are none, infinite in no time."""
    if len(times) < 2:
        return 0.0
    length = max(times) - min(times)
    return (len(times) - 1) / length if length > 0 else math.inf
