"""The stages that a rollout passes through, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Any, Literal, Self

DRILL_SHARE = 1
"""Per cent: enough for the router to show that it moves traffic and takes it back."""
LOOKS = 20
"""How often a stage is looked at: a bad release is found within a part of it, and a window shows what is no passing
cloud."""
FASTEST, SLOWEST = 1.0, 30.0
"""Seconds between two looks, at the least and at the most."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`share` is what the new release has of the live traffic, in per cent.

    It lasts `seconds`, and longer where the new release has not had `requests` live requests by then; but no longer
    than until its `deadline`.
    """

    kind: Literal["shadow", "drill", "comparison", "step"]
    share: int
    seconds: float = 0.0
    deadline: float = 0.0
    requests: int = 0

    @property
    def interval(self) -> float:
        """Seconds between two looks; 0 where one look is all."""
        return min(max(self.seconds / LOOKS, FASTEST), SLOWEST) if self.deadline else 0.0

    @property
    def exposure(self) -> float:
        """Of the requests that either release is asked, the new one's part: shadowed, it gets a copy of each."""
        return 0.5 if self.kind == "shadow" else self.share / 100


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Shares in per cent, times in seconds. `comparison` is an A/B: a share, and for how long.

    `false_aborts` is the probability with which, at most, a release that is as good as stable is aborted by chance.
    Raises ValueError for what is no plan.
    """

    steps: tuple[int, ...]
    window: float
    deadline: float
    min_requests: int = 0
    shadow: float = 0.0
    comparison: tuple[int, float] | None = None
    false_aborts: float = 0.01

    def __post_init__(self) -> None:
        shares = self.steps + ((self.comparison[0],) if self.comparison else ())
        rising = all(before < after for before, after in pairwise(self.steps))
        if not self.steps or not rising or self.steps[-1] != 100 or not all(1 <= share <= 100 for share in shares):
            raise ValueError(f"steps {self.steps}, comparison {self.comparison}: no rising shares that end with 100")
        times = (self.window, self.shadow, *(self.comparison or ())[1:])
        if not all(0 <= time < inf for time in times) or not self.window <= self.deadline < inf:
            raise ValueError(f"times {times} and deadline {self.deadline}: not finite, or the deadline is too early")
        if not 0 < self.false_aborts < 1 or self.min_requests < 0:
            raise ValueError(f"false_aborts {self.false_aborts}, min_requests {self.min_requests}")

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """No user is answered by the new release before it was shadowed; no step before the way back has worked."""
        stages = [Stage(kind="drill", share=DRILL_SHARE)]
        if self.shadow:
            stages.insert(0, Stage(kind="shadow", share=0, seconds=self.shadow, deadline=self.shadow))
        reached = 0
        if self.comparison:
            reached, seconds = self.comparison
            last = max(seconds, self.deadline)
            stages.append(self._stage("comparison", reached, seconds, last))
        stages += [self._stage("step", share, self.window, self.deadline) for share in self.steps if share > reached]
        return tuple(stages)

    def _stage(self, kind: Literal["comparison", "step"], share: int, seconds: float, deadline: float) -> Stage:
        return Stage(kind=kind, share=share, seconds=seconds, deadline=deadline, requests=self.min_requests)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        comparison = value["comparison"]
        lists = {"steps": tuple(value["steps"]), "comparison": tuple(comparison) if comparison else None}
        return cls(**{**value, **lists})
