"""Rollouts made by chance, of which the truth is known, decided by the real state machine look by look.

Requests come at random; the router takes turns or draws lots. What the driver of a rollout would count and replay is
drawn here, and nothing else is made up: stages, looks and decisions are `mlops_ci.core.rollout`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, log
from statistics import NormalDist
from typing import Literal

import numpy as np

from mlops_ci.adapters.traefik_metrics import BOUNDS_MS as BOUNDS
from mlops_ci.core.answers import Moments, Replay
from mlops_ci.core.predictions import FloatArray
from mlops_ci.core.rollout import Seen, begin, look
from mlops_ci.core.rollout_plan import Plan
from mlops_ci.core.traffic import LiveCounts

PLAN = Plan(steps=(10, 50, 100), window=60.0, deadline=60.0)
PATIENT = Plan(steps=(10, 100), window=36_000.0, deadline=36_000.0)
"""Stays at 10 % until something is decided: how many requests does that take?"""
EVALUATED, AT_ONCE, IN_ALL = 500, 300, 5000
"""Golden rows; and as many requests are asked again at one look, and in one rollout, as `pipeline.replay` does."""
FAR = BOUNDS.index(2000.0)
"""The first bound within which a request is answered that has waited for a pause."""
INCIDENT_SECONDS, INCIDENT_ERRORS, INCIDENT_SLOWER = 45.0, 0.3, 8.0
Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class World:
    """Stable's traffic, and how the new release's is another one; by default it is the same.

    `rate` is of requests a second, `median` (milliseconds) and `sigma` those of a lognormal latency, `differing` the
    share of rows answered otherwise by design. In an `incident` both fail and are slow for a while; in `storms` the
    rate of errors of both is another one at each look. A `burst` of so many errors hits one side alone, and so do
    `pauses` (two seconds, each process by itself). `promised`: no more than `false_aborts` of these may be aborted.
    """

    name: str
    rate: float = 100.0
    errors: float = 0.001
    median: float = 12.0
    sigma: float = 0.5
    differing: float = 0.05
    noise: float = 0.3
    heavy: bool = False
    lots: bool = False
    incident: Literal["none", "before the last step", "at the last step"] = "none"
    storms: bool = False
    burst: int = 0
    pauses: float = 0.0
    more_errors: float = 0.0
    times_slower: float = 1.0
    more_differing: float = 0.0
    moved: float = 0.0
    promised: bool = True

    @cached_property
    def buckets(self) -> dict[float, FloatArray]:
        """By how much slower a request is than stable's are: the probabilities to lie between the router's bounds."""
        found = {}
        for slower in {1.0, self.times_slower, INCIDENT_SLOWER, self.times_slower * INCIDENT_SLOWER}:
            logs = [log(bound / (self.median * slower)) / self.sigma for bound in BOUNDS]
            found[slower] = np.diff([0.0, *(NormalDist().cdf(one) for one in logs), 1.0])
        return found


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a rollout ended, at which share, and after how many of the new release's live requests and replayed rows."""

    aborted: bool
    share: int
    requests: int
    rows: int


def roll_out(world: World, plan: Plan, seed: list[int]) -> Ended:
    """One rollout, looked at as often as its stages say."""
    rng = np.random.default_rng(seed)
    hour = _counts(rng, world, int(world.rate * 3600), failing=world.errors, slower=1.0, paused=False)
    state = begin(plan, expected=_answers(rng, replace(world, more_differing=0, moved=0), EVALUATED), stable=hour)
    begins = _incident(rng, world, plan)
    passed = here = 0.0
    while state.outcome not in ("finish", "abort"):
        stage = state.stage
        here, passed = here + stage.interval, passed + stage.interval
        incident = begins <= passed < begins + INCIDENT_SECONDS
        new, stable = _traffic(rng, world, stage.interval, stage.share / 100, incident=incident)
        rows = min(AT_ONCE, new.requests + stable.requests, IN_ALL - state.evidence.replay.rows)
        replay = _answers(rng, world, rows)
        state = look(state, Seen(seconds=here, new=new, stable=stable, replay=replay, golden=())).state
        here = 0.0 if state.outcome == "continue" else here
    return Ended(
        aborted=state.outcome == "abort",
        share=state.stage.share,
        requests=state.evidence.new.requests,
        rows=state.evidence.replay.rows,
    )


def _incident(rng: Rng, world: World, plan: Plan) -> float:
    """When it begins, in seconds since the first step began; never, where there is none."""
    last = plan.window * (len(plan.steps) - 1)
    if world.incident == "none":
        return inf
    if world.incident == "before the last step":
        return float(rng.uniform(0, last - INCIDENT_SECONDS))
    return float(rng.uniform(last, last + plan.window))


def _traffic(rng: Rng, world: World, seconds: float, share: float, *, incident: bool) -> tuple[LiveCounts, LiveCounts]:
    """Of the new release and of stable, in one look."""
    requests = int(rng.poisson(world.rate * seconds))
    # Who takes turns rounds one way or the other, depending on whose turn it is.
    new = int(rng.binomial(requests, share)) if world.lots else min(int(requests * share + rng.random()), requests)
    failing = world.errors * (rng.gamma(0.1) * 10 if world.storms else 1)
    failing, slower = (INCIDENT_ERRORS, INCIDENT_SLOWER) if incident else (min(failing, 1.0), 1.0)
    bursts = [0, 0]
    if world.burst:
        together = int(rng.poisson(requests * failing / world.burst))
        bursts[0] = int(rng.binomial(together, share))
        bursts[1], failing = together - bursts[0], 0.0
    ours, theirs = (
        _counts(
            rng, world, count, failing=errors, slower=times, burst=hit * world.burst,
            paused=rng.random() < seconds * world.pauses,
        )
        for count, errors, times, hit in (
            (new, failing + world.more_errors, slower * world.times_slower, bursts[0]),
            (requests - new, failing, slower, bursts[1]),
        )
    )  # fmt: skip
    return ours, theirs


def _counts(
    rng: Rng, world: World, requests: int, *, failing: float, slower: float, paused: bool, burst: int = 0
) -> LiveCounts:
    """What a router counts; in the look of a pause a third of the requests wait for it, for two seconds at the most."""
    waiting = requests // 3 if paused else 0
    quick = rng.multinomial(requests - waiting, world.buckets[slower])[:-1].cumsum()
    quick[FAR:] += waiting
    within = dict(zip(BOUNDS, quick.tolist(), strict=True))
    errors = min(int(rng.binomial(requests, failing)) + burst, requests)
    return LiveCounts(requests=requests, errors=errors, within=within)


def _answers(rng: Rng, world: World, rows: int) -> Replay:
    """Of a regressor whose answers have standard deviation 1, both sides asked the same rows."""
    noise = rng.standard_t(3, (rows, 1)) / 3**0.5 if world.heavy else rng.normal(size=(rows, 1))
    return Replay(
        rows=rows,
        differing=int(rng.binomial(rows, world.differing + world.more_differing)),
        difference=Moments.of(world.moved + world.noise * noise),
        usual=Moments.of(rng.normal(size=(rows, 1))),
    )


GOOD = (
    World(name="1 request a second", rate=1),
    World(name="10 requests a second", rate=10),
    World(name="100 requests a second"),
    World(name="1,000 requests a second", rate=1000),
    World(name="3 % fail, on either side", errors=0.03),
    World(name="2 % fail, and the router draws lots", errors=0.02, lots=True),
    World(name="10 a second, lots, 5 % fail", rate=10, errors=0.05, lots=True),
    World(name="outage of both, before the last step", incident="before the last step"),
    World(name="answers differ in 10 %, and 5 % was evaluated", more_differing=0.05),
    World(name="answers far apart, heavy tails", differing=0.3, noise=1.0, heavy=True),
    World(name="answers differ in 15 %, and 5 % was evaluated", more_differing=0.1, promised=False),
    World(name="errors in storms, on either side", errors=0.005, storms=True, promised=False),
    World(name="outage of both, at the last step", incident="at the last step", promised=False),
    World(name="errors in bursts of 5 on one side", errors=0.002, burst=5, promised=False),
    World(name="either process pauses, every 2 minutes", pauses=1 / 120, promised=False),
)
"""Of either kind; those that are not promised do what an assumption of the tests rules out."""
BAD = (
    World(name="2 % of requests fail, not 0.1 %", more_errors=0.019),
    World(name="5 % fail", more_errors=0.049),
    World(name="20 % fail", more_errors=0.199),
    World(name="all fail", more_errors=0.999),
    World(name="three times as slow", times_slower=3.0),
    World(name="answers differ in 35 %, not 5 %", more_differing=0.3),
    World(name="answers move by 0.5 standard deviations", moved=0.5),
)
RATES = (1, 10, 100, 1000)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Of many rollouts, those that were aborted at 10 % of the traffic, before the last step, and at all."""

    rollouts: int
    first: float
    before: float
    ever: float


@dataclass(frozen=True, kw_only=True)
class Needed:
    """Live requests of the new release, and replayed rows, until half and nine in ten of the rollouts are aborted."""

    requests: tuple[float, float]
    rows: tuple[float, float]


def shares(world: World, rollouts: int, *, false_aborts: float = PLAN.false_aborts) -> Shares:
    plan = replace(PLAN, false_aborts=false_aborts)
    ended = [roll_out(world, plan, [8, trial]) for trial in range(rollouts)]
    first, before, ever = (
        sum(one.aborted and one.share <= most for one in ended) / rollouts for most in (plan.steps[0], 99, 100)
    )
    return Shares(rollouts=rollouts, first=first, before=before, ever=ever)


def needed(bad: World, rollouts: int) -> Needed:
    """As many as it takes at 10 % of the traffic: looked at every 30 seconds, in which 3 requests come."""
    ended = [roll_out(replace(bad, rate=1), PATIENT, [9, trial]) for trial in range(rollouts)]
    levels = [0.5, 0.9]
    half, most = np.quantile([(one.requests, one.rows) for one in ended], levels, axis=0, method="higher")
    return Needed(requests=(float(half[0]), float(most[0])), rows=(float(half[1]), float(most[1])))
