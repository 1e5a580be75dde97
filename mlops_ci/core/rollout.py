"""A rollout as a state machine: from what is seen at a stage to wait, continue, finish or abort.

Nothing here asks, waits or routes: whoever drives a rollout (`pipeline.rollout`) does what the stage says, looks as
often as it likes, and hands what came since the look before to `look`. `docs/rollout.md` has the states and the tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isnan
from typing import Any, Literal, Self, get_args

from mlops_ci.core.answers import Replay
from mlops_ci.core.rollout_evidence import TESTS, Counted, Evidence, Standard
from mlops_ci.core.rollout_plan import Plan, Stage
from mlops_ci.core.rollout_reasons import not_judged, reasons_against
from mlops_ci.core.traffic import LiveCounts

Outcome = Literal["wait", "continue", "finish", "abort"]
OVER = ("finish", "abort")
SLOW_FLOOR_MS = 20.0
"""Below this nobody minds."""
SLOW_FACTOR = 2.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came since the look before, and how many `seconds` this stage has lasted (less than 0, NaN: none).

    `golden` lists what is wrong with the new release's answers to the golden rows, `()` for nothing; None where they
    were not asked now. `known` is what needs no test: a drill that failed, a service that died. `unheard` says what
    could not be looked at.
    """

    seconds: float
    new: LiveCounts = field(default_factory=LiveCounts)
    stable: LiveCounts = field(default_factory=LiveCounts)
    replay: Replay = field(default_factory=Replay)
    golden: tuple[str, ...] | None = None
    known: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RolloutState:
    """Where a rollout is, and all that speaks for and against the new release so far.

    `expected` is the comparison of the evaluated rows (of no rows: nobody knows), `bound` what is slow, in
    milliseconds (None: the router cannot tell), `classes` a classifier's. `outcome` is that of the last look.
    """

    plan: Plan
    expected: Replay
    bound: float | None
    classes: tuple[str, ...]
    evidence: Evidence
    position: int = 0
    outcome: Outcome = "continue"
    reasons: tuple[str, ...] = ()

    @property
    def stage(self) -> Stage:
        """The one that it is in, or was in when it ended."""
        return self.plan.stages[self.position]

    @property
    def share(self) -> int:
        """What the new release shall have of the live traffic now, but for the moment of the drill."""
        if self.outcome in OVER:
            return 100 if self.outcome == "finish" else 0
        return 0 if self.stage.kind == "drill" else self.stage.share

    @property
    def standard(self) -> Standard:
        """What the new release is held against."""
        alpha = self.plan.false_aborts / TESTS
        return Standard(expected=self.expected, bound=self.bound, classes=self.classes, alpha=alpha)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Raises ValueError where this is no state of a rollout."""
        try:
            parts = {
                "plan": Plan.from_json(value["plan"]),
                "expected": Replay.from_json(value["expected"]),
                "evidence": Evidence.from_json(value["evidence"]),
                "classes": tuple(value["classes"]),
                "reasons": tuple(value["reasons"]),
            }
            state = cls(**{**value, **parts})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no state of a rollout: {error!r}") from error
        if state.outcome not in get_args(Outcome) or not 0 <= state.position < len(state.plan.stages):
            raise ValueError(f"no state of a rollout: {state.outcome} at stage {state.position}")
        return state


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`share` is what the new release gets from now on; `reasons` are there exactly where the outcome is to abort.

    `insufficient` says what could not be judged at the stage that was looked at, which is no pass but is said.
    """

    state: RolloutState
    outcome: Outcome
    share: int
    reasons: tuple[str, ...] = ()
    insufficient: tuple[str, ...] = ()


def begin(
    plan: Plan, *, expected: Replay | None = None, stable: LiveCounts | None = None, classes: Sequence[str] = ()
) -> RolloutState:
    """At the first stage, with `stable` what the router counted of the stable release before the rollout."""
    return RolloutState(
        plan=plan,
        expected=expected or Replay(),
        bound=slow_bound(stable or LiveCounts()),
        classes=tuple(classes),
        evidence=Evidence().at_next_stage(len(plan.stages)),
    )


def look(state: RolloutState, seen: Seen) -> Decision:
    """Takes in what was seen, and says how to go on. What is over stays as it is, whatever is seen."""
    if state.outcome in OVER:
        return Decision(state=state, outcome=state.outcome, share=state.share, reasons=state.reasons)
    stage = state.stage
    evidence = _with(state, seen)
    unjudged = [] if stage.kind == "drill" else not_judged(evidence, state.standard, stage)
    reasons = [*seen.known, *(f"golden rows: {problem}" for problem in seen.golden or ())]
    reasons += reasons_against(evidence, state.standard)
    passed = 0.0 if isnan(seen.seconds) else max(seen.seconds, 0.0)
    asked = evidence.new_here.requests
    complete = passed >= stage.seconds and asked >= stage.requests
    if not reasons and complete and unjudged and not evidence.golden and stage.kind != "shadow":
        reasons.append("neither live traffic nor the golden rows say how the new release behaves")
    if not reasons and not complete and passed >= stage.deadline:
        reasons.append(f"{asked} live requests in {passed:.0f} s at {stage.share} %, fewer than {stage.requests}")
    state = replace(state, evidence=evidence)
    if reasons:
        state = replace(state, outcome="abort", reasons=tuple(reasons))
    elif complete:
        state = _next(state)
    else:
        state = replace(state, outcome="wait")
    insufficient = (*unjudged, *seen.unheard)
    return Decision(
        state=state, outcome=state.outcome, share=state.share, reasons=state.reasons, insufficient=insufficient
    )


def slow_bound(stable: LiveCounts) -> float | None:
    """The router's least bound from twice stable's 99th percentile, and from 20 ms, on; None where there is none.

    Where stable has had no requests, 20 ms alone counts.
    """
    wanted = max(SLOW_FLOOR_MS, SLOW_FACTOR * _percentile(stable)) if stable.requests > 0 else SLOW_FLOOR_MS
    return next((bound for bound in sorted(stable.within) if bound >= wanted), None)


def _percentile(counts: LiveCounts) -> float:
    """The 99th, interpolated between the two bounds around it; infinite where it is beyond all of them."""
    rank = 0.99 * counts.requests
    lower, fewer = 0.0, 0
    for bound in sorted(counts.within):
        count = counts.within[bound]
        if count >= rank:
            return lower + (bound - lower) * (rank - fewer) / (count - fewer)
        lower, fewer = bound, count
    return inf


def _with(state: RolloutState, seen: Seen) -> Evidence:
    new, stable = (Counted.of(counts, state.bound) for counts in (seen.new, seen.stable))
    evidence = state.evidence.with_traffic(new, stable, exposure=state.stage.exposure)
    evidence = evidence.with_replay(seen.replay, state.standard)
    return replace(evidence, golden=evidence.golden or seen.golden is not None)


def _next(state: RolloutState) -> RolloutState:
    stages = state.plan.stages
    if state.position + 1 == len(stages):
        return replace(state, outcome="finish")
    evidence = state.evidence.at_next_stage(len(stages))
    return replace(state, outcome="continue", position=state.position + 1, evidence=evidence)
