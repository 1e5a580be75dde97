"""The state machine of a rollout: a table of cases, and what holds for anything that could be seen."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, isfinite, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.core.answers import Moments, Replay
from mlops_ci.core.rollout import Decision, RolloutState, Seen, begin, look, slow_bound
from mlops_ci.core.rollout_plan import Plan, Stage
from mlops_ci.core.traffic import LiveCounts

PLAN = Plan(steps=(10, 50, 100), window=60, deadline=60)
BOUNDS = (5.0, 10.0, 25.0, 50.0, 100.0, 1000.0)


def traffic(requests: int, errors: int = 0, slow: int = 0) -> LiveCounts:
    """Nearly all within 5 ms, and `slow` of them beyond 100 ms."""
    within = {bound: requests - (slow if bound <= 100 else 0) for bound in BOUNDS}
    return LiveCounts(requests=requests, errors=errors, within=within)


def answers(rows: int, differing: int = 0, failed: int = 0, *, moved: float = 0.0) -> Replay:
    """Of a regressor with standard deviation 1, whose new release is off by 0.2 at random, and by `moved`."""
    good = rows - failed
    return Replay(
        rows=rows,
        failed=failed,
        differing=differing,
        difference=Moments(rows=good, means=(moved,), squares=(0.04 * good,)) if good else Moments(),
        usual=Moments(rows=good, means=(0.0,), squares=(1.0 * good,)) if good else Moments(),
    )


EXPECTED = answers(500, 25)
GOOD = Seen(seconds=60, new=traffic(1000), stable=traffic(9000), replay=answers(300, 15), golden=())
NOTHING = Seen(seconds=60, golden=())


def at(kind: str, share: int = 0, plan: Plan = PLAN, *, expected: Replay | None = EXPECTED) -> RolloutState:
    """A rollout that has come so far without any traffic, and was looked at twice there."""
    state = begin(plan, expected=expected, stable=traffic(1000))
    while (state.stage.kind, state.stage.share) != (kind, share):
        state = look(state, replace(NOTHING, seconds=1e9)).state
        assert state.outcome == "continue"
    return state if kind == "drill" else look(look(state, Seen(seconds=0)).state, Seen(seconds=0)).state


def live(new: tuple[int, int], stable: tuple[int, int]) -> dict[str, Any]:
    """Requests and errors of either side."""
    return {"new": traffic(*new), "stable": traffic(*stable)}


def looked(state: RolloutState, seen: Seen, times: int = 1) -> Decision:
    """So many looks that all see the same, until something is decided."""
    for _ in range(times):
        decision = look(state, seen)
        state = decision.state
        if decision.outcome != "wait":
            break
    return decision


DEMANDING = Plan(steps=(10, 100), window=60, deadline=600, min_requests=500)
SHADOWED = Plan(steps=(10, 100), window=60, deadline=60, shadow=30)
COMPARED = Plan(steps=(10, 50, 100), window=60, deadline=600, comparison=(20, 3600), min_requests=200)


DRILL, TEN, FIFTY, ALL = at("drill", 1), at("step", 10), at("step", 50), at("step", 100)
SHADOW, AB, WANTED = at("shadow", plan=SHADOWED), at("comparison", 20, COMPARED), at("step", 10, DEMANDING)
UNKNOWN = at("step", 10, expected=None)
NONE = {"new": traffic(0), "stable": traffic(0), "replay": answers(0)}

CASES = [
    # the way through
    ("drill done", DRILL, {"seconds": 0}, "continue", 10),
    ("a shadow lasts", SHADOW, {"seconds": 29}, "wait", 0),
    ("shadow done, drill next", SHADOW, {}, "continue", 0),
    ("a window lasts", TEN, {"seconds": 59.9}, "wait", 10),
    ("first step done", TEN, {}, "continue", 50),
    ("second step done", FIFTY, {}, "continue", 100),
    ("all done", ALL, {}, "finish", 100),
    ("the last window lasts too", ALL, {"seconds": 1}, "wait", 100),
    ("an A/B lasts", AB, {"seconds": 3599}, "wait", 20),
    ("A/B done, then the steps above", AB, {"seconds": 3600}, "continue", 50),
    # the clock
    ("the clock jumped back", TEN, {"seconds": -1e9}, "wait", 10),
    ("the clock is none", TEN, {"seconds": nan}, "wait", 10),
    ("the clock jumped forward", TEN, {"seconds": inf}, "continue", 50),
    ("a drill needs no clock", DRILL, {"seconds": -5}, "continue", 10),
    ("a drill needs none at all", DRILL, {"seconds": nan}, "continue", 10),
    # as good as stable
    ("enough traffic, golden rows not asked", TEN, {"golden": None}, "continue", 50),
    ("a few more errors, by chance", TEN, live((1000, 3), (9000, 9)), "continue", 50),
    ("as bad as stable", TEN, live((1000, 300), (9000, 2700)), "continue", 50),
    ("differs more often, by less than a tenth", TEN, {"replay": answers(300, 40)}, "continue", 50),
    ("never differs", TEN, {"replay": answers(300)}, "continue", 50),
    ("moves so little that nobody minds", TEN, {"replay": answers(300, 15, moved=0.3)}, "continue", 50),
    ("fails less than one in a hundred, alone", ALL, live((1000, 9), (0, 0)), "finish", 100),
    # known: at once
    ("the drill failed", DRILL, {"seconds": 0, "known": ("no way back",)}, "abort", 0),
    ("the service died", TEN, {"seconds": 1, "known": ("not ready",)}, "abort", 0),
    ("golden rows are answered wrongly", TEN, {"seconds": 1, "golden": ("12 labels differ",)}, "abort", 0),
    ("one replayed row is not answered", TEN, {"seconds": 1, "replay": answers(300, 0, 1)}, "abort", 0),
    # tested: as soon as it is clear
    ("forty failures of forty", TEN, {"seconds": 1} | live((40, 40), (360, 0)), "abort", 0),
    ("four failures of four", TEN, {"seconds": 1} | live((4, 4), (36, 0)), "abort", 0),
    ("three failures of three", TEN, {"seconds": 1} | live((3, 3), (27, 0)), "wait", 10),
    ("forty, and nothing to compare with", TEN, {"seconds": 1} | live((40, 40), (0, 0)), "abort", 0),
    ("three of three at the last step", ALL, {"seconds": 1} | live((3, 3), (0, 0)), "abort", 0),
    ("five of forty at the last step", ALL, {"seconds": 1} | live((40, 5), (0, 0)), "abort", 0),
    ("four of forty at the last step", ALL, {"seconds": 1} | live((40, 4), (0, 0)), "wait", 100),
    ("forty at the last step", ALL, {"seconds": 1} | live((40, 40), (0, 0)), "abort", 0),
    ("the last step, while stable's last are counted", ALL, live((1000, 40), (2, 0)), "abort", 0),
    ("2 % of errors", TEN, live((1000, 20), (9000, 0)), "abort", 0),
    ("other answers", TEN, {"replay": answers(300, 100)}, "abort", 0),
    ("other answers, for which half of the risk is too little", TEN, {"replay": answers(50, 20)}, "continue", 50),
    ("other answers, for which it is enough", TEN, {"replay": answers(50, 21)}, "abort", 0),
    ("nothing but other answers, in few", TEN, {"replay": answers(20, 20)}, "abort", 0),
    ("answers move", TEN, {"replay": answers(300, 15, moved=0.5)}, "abort", 0),
    ("errors in shadow", SHADOW, {"seconds": 1} | live((1000, 30), (1000, 0)), "abort", 0),
    ("of copies that are missing nobody knows", SHADOW, {"seconds": 1} | live((100, 8), (900, 0)), "wait", 0),
    ("errors in an A/B", AB, {"seconds": 1} | live((100, 9), (400, 0)), "abort", 0),
    # demanded
    ("one request is missing", WANTED, {"new": traffic(499)}, "wait", 10),
    ("there it is", WANTED, {"new": traffic(500)}, "continue", 100),
    ("but never before the window", WANTED, {"seconds": 9, "new": traffic(5000)}, "wait", 10),
    ("one is missing at the deadline", WANTED, {"seconds": 600, "new": traffic(499)}, "abort", 0),
    ("all are missing at the deadline", WANTED, {"seconds": 600, "new": traffic(0)}, "abort", 0),
    ("an A/B of too few", AB, {"seconds": 3600, "new": traffic(199)}, "abort", 0),
    # nothing to judge by
    ("golden rows alone", TEN, NONE, "continue", 50),
    ("nothing at all", TEN, NONE | {"golden": None}, "abort", 0),
    ("too little traffic, golden rows not asked", TEN, {"new": traffic(99), "golden": None}, "abort", 0),
    ("nobody knows how often answers differ", UNKNOWN, {"golden": None}, "abort", 0),
    ("a shadow of nothing: the steps will tell", SHADOW, NONE | {"golden": None}, "continue", 0),
]


@pytest.mark.parametrize(
    ("state", "changes", "outcome", "share"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_the_table_of_cases(state: RolloutState, changes: dict[str, Any], outcome: str, share: int) -> None:
    decision = look(state, replace(GOOD, **changes))
    assert (decision.outcome, decision.share) == (outcome, share), decision.reasons
    assert bool(decision.reasons) == (outcome == "abort")
    assert decision.share == decision.state.share


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"known": ("the service died",)}, "the service died"),
        ({"golden": ("12 labels differ",)}, "golden rows: 12 labels differ"),
        ({"new": traffic(1000, 20)}, "20 of 1000 live requests failed, and 0 of 9000 on stable"),
        (
            {"new": traffic(40, 40), "stable": traffic(0)},
            "40 of 40 live requests failed, more than 1.0%; stable has no",
        ),
        ({"replay": answers(300, 0, 1)}, "1 of 300 replayed rows that stable answers get no finite answer"),
        ({"replay": answers(300, 150)}, "did not show: in 50.0% of 300 replayed rows, and in 5.0% of 500 evaluated"),
        ({"replay": answers(300, 15, moved=1.0)}, "the answer is +1.000 against the stable release's on 300 live"),
        ({"new": traffic(0), "stable": traffic(0), "golden": None}, "neither live traffic nor the golden rows"),
    ],
)
def test_aborts_and_says_why(changes: dict[str, Any], says: str) -> None:
    decision = look(at("step", 10), replace(GOOD, **changes))
    assert len(decision.reasons) == 1
    assert says in decision.reasons[0]


def test_golden_rows_need_be_asked_once_a_stage() -> None:
    asked = look(TEN, Seen(seconds=1, golden=())).state
    ended = look(asked, Seen(seconds=60))
    assert ended.outcome == "continue"
    assert look(ended.state, Seen(seconds=60)).outcome == "abort"


def test_names_everything_that_is_wrong() -> None:
    seen = replace(GOOD, new=traffic(1000, 500), replay=answers(300, 200, 3, moved=5), golden=("not ready",))
    assert len(look(at("step", 10), seen).reasons) == 5


def test_what_is_missing_at_the_deadline_is_named() -> None:
    decision = look(at("step", 10, DEMANDING), replace(GOOD, seconds=600, new=traffic(12)))
    assert decision.reasons == ("12 live requests in 600 s at 10 %, fewer than 500",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"new": traffic(99)}, "errors were compared on 99 live requests, fewer than 100"),
        ({"stable": traffic(5)}, "latencies were compared on 5 live requests"),
        ({"new": replace(traffic(1000), within={})}, "latencies were compared on 0"),
        ({"replay": answers(10)}, "answers were compared on 10"),
        ({"unheard": ("the log leaves out ssn",)}, "the log leaves out ssn"),
    ],
)
def test_what_could_not_be_judged_is_said(changes: dict[str, Any], says: str) -> None:
    decision = look(at("step", 10), replace(GOOD, **changes))
    assert decision.outcome == "continue"
    assert says in " ".join(decision.insufficient)
    assert look(at("step", 10), GOOD).insufficient == ()


def test_a_window_of_too_few_looks_cannot_tell_a_slow_release_from_a_pause() -> None:
    first = look(at("drill", 1), NOTHING).state
    said = "latency: a slow release cannot be told from a pause in fewer than 3 looks"
    assert look(first, GOOD).insufficient == (said,)


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        (None, "the evaluation does not say how often answers should differ from production's"),
        (answers(40, 2), "answers may differ in up to 25%: only 40 rows were evaluated"),
        (answers(40, 2), "whether answers move to one side: only 40 golden rows to compare with"),
    ],
)
def test_an_evaluation_of_few_rows_is_said(expected: Replay | None, says: str) -> None:
    assert says in look(at("step", 10, expected=expected), GOOD).insufficient


def test_the_last_step_needs_no_traffic_on_stable() -> None:
    assert look(at("step", 100), replace(GOOD, stable=traffic(0))).insufficient == ()


def test_a_stable_release_slower_than_the_router_can_tell_is_said() -> None:
    state = begin(PLAN, expected=EXPECTED, stable=traffic(1000, slow=100))
    assert state.bound is None
    said = look(look(state, GOOD).state, GOOD).insufficient
    assert "latency: nothing that the router counts is twice as slow as stable has been" in said


def test_slow_again_and_again_is_slow() -> None:
    state = replace(at("step", 10), bound=25.0)
    slow = replace(GOOD, seconds=1, new=traffic(100, slow=5), stable=traffic(900, slow=1))
    assert looked(state, slow, 2).outcome == "wait"
    third = looked(state, slow, 3)
    assert third.outcome == "abort"
    assert third.reasons == ("15 of 300 live requests took longer than 25 ms, and 3 of 2700 on stable",)


def test_a_pause_is_no_slow_release() -> None:
    """One process stands still for a moment: all its requests wait, and then none."""
    state = replace(at("step", 10), bound=25.0)
    paused = looked(state, replace(GOOD, seconds=1, new=traffic(100, slow=100)), 2)
    assert paused.state.evidence.e_values["latency"] > 1e9
    assert looked(paused.state, replace(GOOD, seconds=2), 30).outcome == "wait"


def test_slower_in_fewer_than_one_in_a_hundred_is_nothing_that_anybody_minds() -> None:
    state = replace(at("step", 10), bound=25.0)
    seen = replace(GOOD, seconds=1, new=traffic(1000, slow=9), stable=traffic(9000))
    assert looked(state, seen, 10).outcome == "wait"
    slower = replace(seen, new=traffic(1000, slow=20))
    assert looked(state, slower, 10).outcome == "abort"
    assert looked(looked(state, replace(seen, new=traffic(1000)), 10).state, slower, 5).outcome == "wait"


def test_slow_under_all_traffic_is_slow_without_a_comparison() -> None:
    state = replace(at("step", 100), bound=25.0)
    decision = looked(state, replace(GOOD, seconds=1, new=traffic(1000, slow=100), stable=traffic(0)), 3)
    assert decision.reasons == (
        "300 of 3000 live requests took longer than 25 ms, more than 1.0%; stable has no traffic to compare with",
    )


def test_where_stable_has_always_failed_the_new_release_may_do_so_alone_too() -> None:
    chronic = replace(GOOD, new=traffic(1000, 30), stable=traffic(9000, 270))
    state = look(look(at("step", 10), chronic).state, chronic).state
    assert state.share == 100
    alone = replace(GOOD, new=traffic(10_000, 500), stable=traffic(0))
    assert look(state, alone).outcome == "finish"
    assert look(at("step", 100), alone).outcome == "abort"


def test_evidence_is_carried_over_the_steps() -> None:
    """Three failures that prove nothing at 10 %, and four at 50 %, which alone would prove nothing either."""
    first = look(at("step", 10), replace(GOOD, new=traffic(100, 3), stable=traffic(900)))
    assert first.outcome == "continue"
    few = replace(GOOD, new=traffic(100, 4), stable=traffic(100))
    assert look(first.state, few).outcome == "abort"
    assert look(at("step", 50), few).outcome == "continue"


def test_a_good_past_does_not_hide_a_release_that_breaks_under_more_load() -> None:
    past = replace(GOOD, new=traffic(100_000, 1000), stable=traffic(900_000, 9000))
    state = look(at("step", 10), past).state
    assert look(state, replace(GOOD, seconds=1, new=traffic(100, 40), stable=traffic(100, 1))).outcome == "abort"


def test_an_outage_that_takes_stable_out_of_the_router_is_not_blamed_on_the_new_release() -> None:
    """Both fail; then the router finds stable unhealthy, and sends the new release its requests as well."""
    both = replace(GOOD, seconds=1, new=traffic(100, 50), stable=traffic(900, 450))
    state = look(at("step", 10), both).state
    assert look(state, replace(GOOD, seconds=2, new=traffic(1000, 500), stable=traffic(0))).outcome == "wait"


def test_what_is_over_stays_over() -> None:
    aborted = look(at("step", 10), replace(GOOD, known=("dead",)))
    again = look(aborted.state, GOOD)
    assert (again.state, again.outcome, again.reasons) == (aborted.state, "abort", ("dead",))
    finished = look(at("step", 100), GOOD)
    assert look(finished.state, replace(GOOD, known=("dead",))).outcome == "finish"


def test_the_stages_of_a_plan() -> None:
    plan = Plan(steps=(10, 50, 100), window=60, deadline=600, min_requests=7, shadow=30, comparison=(50, 3600))
    assert plan.stages == (
        Stage(kind="shadow", share=0, seconds=30, deadline=30),
        Stage(kind="drill", share=1),
        Stage(kind="comparison", share=50, seconds=3600, deadline=3600, requests=7),
        Stage(kind="step", share=100, seconds=60, deadline=600, requests=7),
    )
    assert [stage.share for stage in PLAN.stages] == [1, 10, 50, 100]
    short = replace(plan, comparison=(50, 60))
    assert short.stages[2].deadline == 600, "no sooner than that of a step"
    assert [stage.interval for stage in plan.stages] == [1.5, 0, 30, 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": ()},
        {"steps": (10, 50)},
        {"steps": (50, 10, 100)},
        {"steps": (0, 100)},
        {"steps": (100, 110)},
        {"window": -1.0},
        {"window": nan},
        {"deadline": 59.0},
        {"deadline": inf},
        {"shadow": inf},
        {"comparison": (0, 60)},
        {"comparison": (20, -1)},
        {"false_aborts": 0.0},
        {"false_aborts": 1.0},
        {"min_requests": -1},
    ],
)
def test_what_is_no_plan_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"steps|times|false_aborts"):
        replace(PLAN, **changes)


def histogram(*counts: int) -> LiveCounts:
    return LiveCounts(requests=100, within=dict(zip(BOUNDS, counts, strict=True)))


@pytest.mark.parametrize(
    ("stable", "bound"),
    [
        (LiveCounts(), None),  # no bounds at all
        (replace(histogram(0, 0, 0, 0, 0, 0), requests=0), 25.0),
        (histogram(100, 100, 100, 100, 100, 100), 25.0),  # quick: 20 ms is what counts
        (LiveCounts(requests=1000, within={10.0: 989, 25.0: 1000, 50.0: 1000}), 25.0),  # 11 ms, not 25
        (histogram(0, 98, 99, 100, 100, 100), 50.0),  # 25 ms: twice as much is 50 ms
        (histogram(0, 0, 98, 100, 100, 100), 100.0),  # between 25 and 50 ms
        (histogram(0, 0, 0, 0, 98, 100), None),  # 550 ms: twice as much is beyond all bounds
        (histogram(0, 0, 0, 0, 0, 98), None),
    ],
)
def test_what_is_slow(stable: LiveCounts, bound: float | None) -> None:
    assert slow_bound(stable) == bound


NUMBERS = st.integers(-10, 10**9)
COUNTS = st.builds(
    LiveCounts,
    requests=NUMBERS,
    errors=NUMBERS,
    within=st.dictionaries(st.sampled_from(BOUNDS), NUMBERS, max_size=len(BOUNDS)),
)
SECONDS = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def replays(draw: st.DrawFn) -> Replay:
    failed = draw(st.sampled_from([0, 0, 0, 0, 1, 10**9]))
    differing, same = draw(st.integers(0, 10**9)), draw(st.integers(0, 10**9))
    moved = draw(st.floats(-1e140, 1e140))
    return answers(failed + differing + same, differing, failed, moved=moved)


SEEN = st.builds(
    Seen,
    seconds=SECONDS,
    new=COUNTS,
    stable=COUNTS,
    replay=replays(),
    golden=st.sampled_from([None, (), ("wrong",)]),
    known=st.sampled_from([(), (), (), ("dead",)]),
)
PLANS = st.sampled_from([PLAN, DEMANDING, SHADOWED, COMPARED])


@settings(deadline=None)
@given(plan=PLANS, stable=COUNTS, expected=st.none() | replays(), seen=st.lists(SEEN, max_size=8))
def test_whatever_is_seen(plan: Plan, stable: LiveCounts, expected: Replay | None, seen: list[Seen]) -> None:
    state = begin(plan, expected=expected, stable=stable)
    for one in seen:
        before, decision = state, look(state, one)
        state = decision.state
        # an abort has reasons, and nothing else has; golden rows and what is known are never outvoted
        assert bool(decision.reasons) == (decision.outcome == "abort")
        if before.outcome not in ("finish", "abort") and (one.known or one.golden or one.replay.failed):
            assert decision.outcome == "abort"
        # it never goes back, and skips nothing
        assert state.position - before.position == (decision.outcome == "continue")
        assert decision.outcome != "finish" or before.outcome == "finish" or before.stage == plan.stages[-1]
        assert decision.share in (0, 100, state.stage.share)
        # nothing that was counted is lost, and all of it stays a number
        if before.outcome not in ("finish", "abort"):
            assert state.evidence.new.requests == before.evidence.new.requests + max(one.new.requests, 0)
            assert state.evidence.replay.rows == before.evidence.replay.rows + one.replay.rows
        assert all(map(isfinite, state.evidence.e_values.values()))
        # and it can be put down and taken up again anywhere
        assert RolloutState.from_json(json.loads(json.dumps(state.to_json(), allow_nan=False))) == state


@settings(deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 2), st.integers(1, 450), st.integers(0, 2)), min_size=2, max_size=9
    )
)
def test_many_looks_have_the_same_evidence_as_one(parts: list[tuple[int, int, int, int]]) -> None:
    """As long as no share is above that which was to be."""
    parts = [(new, min(bad, new), 9 * new + stable, worse) for new, bad, stable, worse in parts]
    state = at("step", 10)
    for new, bad, stable, worse in parts:
        evidence = state.evidence
        state = look(
            replace(state, outcome="wait"),
            Seen(seconds=1, new=traffic(new, bad), stable=traffic(stable, min(worse, stable))),
        ).state
        state = replace(state, outcome="wait", reasons=())
        assert state.evidence.new.requests == evidence.new.requests + new
    sums = [
        sum(column)
        for column in zip(*((new, bad, stable, min(worse, stable)) for new, bad, stable, worse in parts), strict=True)
    ]
    at_once = look(at("step", 10), Seen(seconds=1, new=traffic(sums[0], sums[1]), stable=traffic(sums[2], sums[3])))
    assert state.evidence.bets["errors"] == pytest.approx(at_once.state.evidence.bets["errors"], abs=1e-6)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"plan": None},
        begin(PLAN).to_json() | {"position": 99},
        begin(PLAN).to_json() | {"evidence": {}},
        begin(PLAN).to_json() | {"unheard_of": 1},
        begin(PLAN).to_json() | {"plan": PLAN.to_json() | {"steps": [10, 20]}},
        begin(PLAN).to_json() | {"outcome": "perhaps"},
        begin(PLAN).to_json() | {"position": -1},
    ],
)
def test_what_is_no_state_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no state of a rollout|no rising shares"):
        RolloutState.from_json(json.loads(json.dumps(value)))
