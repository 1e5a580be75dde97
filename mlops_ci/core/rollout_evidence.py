"""What live traffic and replayed requests say against a new release, gathered over all stages of its rollout.

Six tests share the risk of aborting a good release equally; each is valid however often it is looked at. See
docs/rollout.md for what each assumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from mlops_ci.core.answers import Replay
from mlops_ci.core.sequential import NO_STAKE, Fortunes, bet, e_value, stake, upper_limit
from mlops_ci.core.traffic import LiveCounts

BETS = ("errors", "errors-alone", "latency", "latency-alone", "answers")
TESTS = len(BETS) + 1
"""The sixth is that of answers that move to one side."""
FEWEST = 100
"""Requests or rows: fewer are too little to say that nothing was found."""
ALONE_SHARE = 0.01
"""What the new release may fail, or answer slowly, where stable gets no traffic to compare with."""
DISAGREEMENT = 0.1
"""How much more often answers may differ from stable's than the evaluation has shown."""
SLOW_LOOKS = 3
"""In so many looks of one stage the new release has to be slow: a process that pauses once is slow in one or two."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Live requests of one release: those that it failed, those whose time is known, and of these the slow ones."""

    requests: int = 0
    errors: int = 0
    timed: int = 0
    slow: int = 0

    @classmethod
    def of(cls, counts: LiveCounts, bound: float | None) -> Counted:
        """Counts that cannot be, of a router that was started anew meanwhile, are taken as far as they can be."""
        requests = max(counts.requests, 0)
        errors = min(max(counts.errors, 0), requests)
        if bound is None or bound not in counts.within:
            return cls(requests=requests, errors=errors)
        quick = min(max(counts.within[bound], 0), requests)
        return cls(requests=requests, errors=errors, timed=requests, slow=requests - quick)

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            timed=self.timed + other.timed,
            slow=self.slow + other.slow,
        )


@dataclass(frozen=True, kw_only=True)
class Standard:
    """What the new release is held against, fixed before its rollout; see `RolloutState` for the first three.

    `alpha` is the risk of one test. `differing` is the share of rows that may differ from stable's at the most.
    """

    expected: Replay
    bound: float | None
    classes: tuple[str, ...]
    alpha: float

    @property
    def differing(self) -> float:
        """The evaluated share is known from some rows only, so half the risk is spent on where it may truly be."""
        usual, rows = self.expected.differing, self.expected.rows
        return max(usual / rows + DISAGREEMENT, upper_limit(usual, rows, self.alpha / 2)) if rows else 1.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`bets` are the fortunes of the tests, and, with `new`, `stable` and `replay`, of the whole rollout.

    The others are of the present stage: counts, looks, looks at which the new release was slow, and whether the golden
    rows were asked.
    """

    bets: Mapping[str, Fortunes] = field(default_factory=lambda: dict.fromkeys(BETS, NO_STAKE))
    new: Counted = Counted()
    stable: Counted = Counted()
    replay: Replay = field(default_factory=Replay)
    new_here: Counted = Counted()
    stable_here: Counted = Counted()
    looks: int = 0
    slow_looks: int = 0
    golden: bool = False

    def at_next_stage(self, stages: int) -> Evidence:
        """Each of so many stages begins with an equal stake of its own beside what was won and lost before."""
        staked = {name: stake(fortunes, 1 / stages) for name, fortunes in self.bets.items()}
        return Evidence(bets=staked, new=self.new, stable=self.stable, replay=self.replay)

    def with_traffic(self, new: Counted, stable: Counted, *, exposure: float) -> Evidence:
        """`exposure` is the part of the requests that the new release was to get. Where it got more, that counts."""
        new_here, stable_here = self.new_here + new, self.stable_here + stable
        alone = exposure == 1 or not stable_here.requests
        # A router that finds stable unhealthy sends the new release what stable should have got.
        plenty = new.requests + stable.requests >= FEWEST
        part = _part(new, stable) if plenty else _part(new_here, stable_here)
        bets = dict(self.bets)
        for name, ours, theirs, requests in (
            ("errors", new.errors, stable.errors, new.requests),
            ("latency", new.slow, stable.slow, new.timed),
        ):
            if alone:
                test, misses, null = f"{name}-alone", requests - ours, self.allowed_alone(name)
            else:
                test, misses, null = name, theirs, max(exposure, part)
            bets[test] = bet(bets[test], hits=ours, misses=misses, null=null)
        return replace(
            self,
            bets=bets,
            new=self.new + new,
            stable=self.stable + stable,
            new_here=new_here,
            stable_here=stable_here,
            looks=self.looks + 1,
            slow_looks=self.slow_looks + (new.slow > ALONE_SHARE * new.timed),
        )

    def with_replay(self, replay: Replay, standard: Standard) -> Evidence:
        same = replay.rows - replay.failed - replay.differing
        fortunes = bet(self.bets["answers"], hits=replay.differing, misses=same, null=standard.differing)
        return replace(self, replay=self.replay + replay, bets={**self.bets, "answers": fortunes})

    def allowed_alone(self, name: str) -> float:
        """Where stable fails, or is slow, in more than half of ALONE_SHARE: twice as often as that."""
        hits, requests = (
            (self.stable.errors, self.stable.requests) if name == "errors" else (self.stable.slow, self.stable.timed)
        )
        return max(ALONE_SHARE, 2 * hits / requests) if requests else ALONE_SHARE

    @property
    def e_values(self) -> dict[str, float]:
        return {name: e_value(fortunes) for name, fortunes in self.bets.items()}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        sides = {name: Counted(**value[name]) for name in ("new", "stable", "new_here", "stable_here")}
        bets = {name: tuple(value["bets"][name]) for name in BETS}
        return cls(**{**value, **sides, "bets": bets, "replay": Replay.from_json(value["replay"])})


def _part(new: Counted, stable: Counted) -> float:
    """Of all requests, those that the new release got."""
    return new.requests / max(new.requests + stable.requests, 1)
