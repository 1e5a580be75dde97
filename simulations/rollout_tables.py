"""The simulated rollouts as the page docs/rollout-simulations.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulations.rollouts import AT_ONCE, BAD, EVALUATED, IN_ALL, INCIDENT_SECONDS, PLAN, RATES, Needed, Shares
from simulations.tables import BEYOND, share_of, table

LOOSE = 0.2
"""So large a `false_aborts` that a simulation of some thousand rollouts would show a test that breaks its promise."""

INTRODUCTION = """\
# Simulations of rollouts

Written by `nox -s simulations -- rollouts`; do not edit. {versions}. Seeds are fixed:
the same versions write the same page. What a share is off by, by chance, is given as ± one standard error. **Bold**:
worse than promised by more than {beyond} such errors.

Every rollout is decided by the real state machine (`mlops_ci.core.rollout`): steps {steps},
a window of {window:g} s, a look every {interval:g} s. Where nothing else is said, users send 100 requests a second,
of which 0.1 % fail; latency is lognormal with a median of 12 ms and a 99th percentile of 38 ms; by design the new
release answers otherwise in 5 % of the rows, and its answers lie 0.3 standard deviations from stable's. {evaluated}
rows were evaluated; {at_once} requests at a look, and {in_all:,} in all, are asked again.
"""
FALSE = """\
## Good releases that are aborted

In truth the new release is as good as stable. Promised: no more than `false_aborts` of the rollouts are aborted. At the
default, {default:g}, and at {loose:g}, where so few rollouts would show a test that does not keep its promise.
"""
OUTSIDE = """\
The same, at the default, where an assumption of the tests is broken; nothing is promised here. Answers that differ ten
points more often than was evaluated are at the limit, which is known from {evaluated} rows only. An outage lasts
{outage:g} s, in which 30 % of the requests fail and all take eight times as long. In storms the rate of errors, of
both, is another one every three seconds: mostly next to nothing, at times ten or twenty times the mean. In a pause a
process answers nobody for two seconds.
"""
FOUND = """\
## Bad releases that are found

The share of {rollouts:,} rollouts that is aborted at 10 % of the traffic, so before any more of the users meet the new
release; and, after the slash, aborted at all. By requests a second, of both releases together: at 1 a second the new
release has had 6 requests when its first window ends, at 10 it has had 60. `min_requests` lets a step wait for more.
"""
NEEDED = """\
## How much it takes

The new release stays at 10 % until it is aborted: how many live requests of its own, and how many rows that both were
asked, that took, in half of {rollouts:,} rollouts and in nine of ten. What shows in live requests is in the first
column, what shows in answers in the second.
"""


def page(
    versions: str,
    *,
    good: Mapping[str, tuple[Shares, Shares]],
    outside: Mapping[str, Shares],
    bad: Mapping[tuple[str, int], Shares],
    needs: Mapping[str, Needed],
    rollouts: int,
) -> str:
    """The whole page; `good` has the shares at the default `false_aborts` and at LOOSE."""
    steps = ", ".join(f"{step} %" for step in PLAN.steps)
    introduction = INTRODUCTION.format(
        versions=versions, beyond=BEYOND, steps=steps, window=PLAN.window, interval=PLAN.stages[-1].interval,
        evaluated=EVALUATED, at_once=AT_ONCE, in_all=IN_ALL,
    )  # fmt: skip
    sections = [
        introduction,
        FALSE.format(default=PLAN.false_aborts, loose=LOOSE) + "\n" + _good(good),
        OUTSIDE.format(outage=INCIDENT_SECONDS, evaluated=EVALUATED) + "\n" + _outside(outside),
        FOUND.format(rollouts=rollouts) + "\n" + _bad(bad),
        NEEDED.format(rollouts=rollouts) + "\n" + _needs(needs),
    ]
    return "\n".join(sections)


def _good(good: Mapping[str, tuple[Shares, Shares]]) -> str:
    lines = [
        [
            name, f"{default.rollouts:,}", share_of(default.ever, default.rollouts, at_most=PLAN.false_aborts),
            f"{loose.rollouts:,}", share_of(loose.ever, loose.rollouts, at_most=LOOSE),
        ]
        for name, (default, loose) in good.items()
    ]  # fmt: skip
    return table(["world", "rollouts", f"aborted at {PLAN.false_aborts:g}", "rollouts", f"aborted at {LOOSE:g}"], lines)


def _outside(outside: Mapping[str, Shares]) -> str:
    lines = [
        [name, f"{one.rollouts:,}"]
        + [share_of(share, one.rollouts, error=share > 0) for share in (one.before, one.ever - one.before)]
        for name, one in outside.items()
    ]
    return table(["world", "rollouts", "aborted before the last step", "aborted at the last step"], lines)


def _bad(bad: Mapping[tuple[str, int], Shares]) -> str:
    def pair(world: str, rate: int) -> str:
        return f"{bad[world, rate].first:.3f} / {bad[world, rate].ever:.3f}"

    lines = [[world.name, *(pair(world.name, rate) for rate in RATES)] for world in BAD]
    return table(["the new release", *(f"{rate:,} a second" for rate in RATES)], lines)


def _needs(needs: Mapping[str, Needed]) -> str:
    def pair(numbers: Sequence[float]) -> str:
        return " / ".join(f"{number:,.0f}" for number in numbers)

    lines = [[name, pair(one.requests), pair(one.rows)] for name, one in needs.items()]
    return table(["the new release", "its live requests", "replayed rows"], lines)
