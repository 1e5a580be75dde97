"""An A/B test over several commands: the router keeps the division, and the log what was learnt."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.config.types import AbConfig
from mlops_ci.core.records import Release
from mlops_ci.errors import NotFoundError, OutsideError
from mlops_ci.pipeline.ab_test import latest_test, live_counts
from mlops_ci.pipeline.registry import Registry
from tests.delivery.world import MODEL, Line, World

ONE = Line()
LIVE = [{"x": 1.5 + n / 1000} for n in range(150)]
DAY = timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Each new release is to have a fifth of the traffic for a week; a request comes every hundred seconds."""
    world = World(tmp_path / "world", steps=(10, 50, 100), window=timedelta(minutes=1))
    world.change(ab=AbConfig(share=20, duration=7 * DAY))
    world.machine.rate = 0.01
    world.machine.asked = LIVE
    return world


def compare(world: World, line: Line = ONE) -> tuple[Release, Release]:
    first = world.deliver(ONE)
    world.clock.sleep(100_000)
    second = world.release(line, "the other")
    assert world.promote(second).outcome == "comparing"
    return first, second


def looks(world: World) -> list[dict[str, Any]]:
    registry = Registry(world.store)
    return [registry.get_json(event.evidence[0]) for event in world.log.read(MODEL) if event.kind == "rollout-step"]


def test_nobody_waits_for_it_and_the_router_keeps_the_division(world: World) -> None:
    first, second = compare(world)

    assert world.machine.shares["production"] == {second.id: 20, first.id: 80}
    assert (world.serving(), world.desired()) == (first.id, second.id)
    state = world.site().state()
    assert state is not None
    assert state.rollout is not None
    assert (state.rollout.outcome, state.rollout.share, state.rollout.until) == (
        "comparing", 20, "2026-11-29T12:46:40.000000Z",
    )  # fmt: skip


def test_each_reconcile_takes_one_look_and_carries_on_what_was_learnt(world: World) -> None:
    first, second = compare(world)
    for _ in range(3):
        world.clock.sleep(86_400)
        change = world.reconcile()
        assert (change.outcome, change.release, change.comparing) == ("comparing", first.id, second.id)

    counted = [sum(one["requests"] for one in look["live"].values()) for look in looks(world)]
    assert counted == [0, 864, 1728, 2592]
    assert looks(world)[-1]["live"][second.id]["requests"] == pytest.approx(518, abs=80)
    begun = {look["began"] for look in looks(world)}
    assert len(begun) == 1
    events = world.log.state(MODEL).events
    assert world.reconcile().outcome == "comparing"
    assert world.log.state(MODEL).events == events, "where nothing came nothing is written"


def test_after_its_time_the_rest_of_the_steps_follows(world: World) -> None:
    _, second = compare(world)
    world.clock.sleep(8 * 86_400)

    change = world.reconcile()

    assert (change.outcome, change.release) == ("promoted", second.id)
    assert [(step.stage, step.share, step.outcome) for step in change.steps] == [
        ("comparison", 20, "continue"), ("step", 50, "continue"), ("step", 100, "finish"),
    ]  # fmt: skip
    world.require_settled()


def test_small_looks_add_up_to_an_abort(world: World) -> None:
    """No single day of it would be proof enough."""
    world.machine.rate = 0.001
    compare(world, Line(fails=0.1))
    outcomes: list[str] = []
    while not outcomes or outcomes[-1] == "comparing":
        world.clock.sleep(43_200)
        outcomes.append(world.reconcile().outcome)

    assert outcomes[-1] == "aborted"
    assert len(outcomes) > 2
    world.require_settled()


def test_what_died_is_started_and_routed_again(world: World) -> None:
    first, second = compare(world)
    world.machine.running["production"].clear()
    world.machine.shares["production"] = {}

    assert world.reconcile().outcome == "comparing"

    assert set(world.machine.running["production"]) == {first.id, second.id}
    assert world.machine.shares["production"] == {second.id: 20, first.id: 80}


def test_a_release_that_answers_wrongly_by_now_is_routed_nothing_more(world: World) -> None:
    first, second = compare(world)
    world.machine.running["production"][second.id] = Line(lies=True)

    assert world.reconcile().outcome == "aborted"

    (aborted,) = [event for event in world.log.read(MODEL) if event.kind == "rollout-aborted"]
    assert aborted.subject["share"] == 20
    assert world.machine.shares["production"] == {first.id: 100}
    world.require_settled()


def test_a_router_that_counts_anew_loses_nothing_of_what_was_counted(world: World) -> None:
    compare(world)
    world.clock.sleep(86_400)
    world.reconcile()
    world.machine.counted.clear()
    world.clock.sleep(86_400)
    world.reconcile()
    assert sum(counts.requests for counts in live_counts(world.site(), latest_test(world.site())).values()) == 1728


def test_a_rollback_by_hand_ends_it(world: World) -> None:
    from mlops_ci.pipeline.rollback import roll_back

    first, second = compare(world)
    change = roll_back(world.site(), reason="users write letters")
    assert (change.outcome, change.release, change.rejected) == ("rolled-back", first.id, second.id)
    world.require_settled()
    assert latest_test(world.site()).ended is not None


def test_where_the_release_is_not_eligible_any_more_it_loses_its_share(world: World) -> None:
    first, second = compare(world)
    world.log.record(
        MODEL, "verification-revoked", {"environment": "qa", "release": second.id, "reason": "it leaks"}, actor="Ada"
    )
    with pytest.raises(Exception, match="it leaks"):
        world.reconcile()
    assert world.machine.shares["production"] == {first.id: 100}


def test_another_configuration_begins_it_anew(world: World) -> None:
    _, second = compare(world)
    world.change(ab=None)
    assert world.reconcile().outcome == "promoted"
    assert world.serving() == second.id


def test_a_router_that_fails_leaves_all_traffic_with_stable_and_the_next_look_heals(world: World) -> None:
    first, second = compare(world)
    target = type(world.site().target)
    with pytest.MonkeyPatch.context() as patch:

        def lost(*_: Any) -> Any:
            raise OutsideError("the router does not answer")

        patch.setattr(target, "traffic", lost)
        with pytest.raises(OutsideError):
            world.reconcile()
    assert world.machine.shares["production"] == {first.id: 100}
    assert world.reconcile().outcome == "comparing"
    assert world.machine.shares["production"] == {second.id: 20, first.id: 80}


def test_where_there_was_none_there_is_nothing_to_tell(world: World) -> None:
    world.deliver(ONE)
    with pytest.raises(NotFoundError, match=r"no A/B test of tides in production yet"):
        latest_test(world.site())


def test_a_newer_release_takes_the_place_of_the_one_that_is_compared(world: World) -> None:
    first, _ = compare(world)
    third = world.release(ONE, "a third")

    assert world.promote(third).outcome == "comparing"

    assert world.machine.shares["production"] == {third.id: 20, first.id: 80}
    assert set(world.machine.running["production"]) == {first.id, third.id}
    assert latest_test(world.site()).new == third
    world.clock.sleep(8 * 86_400)
    assert world.reconcile().release == third.id
    world.require_settled()


def test_git_that_names_stable_again_ends_it(world: World) -> None:
    first, second = compare(world)
    world.git("revert", "--no-edit", "-m", "1", "HEAD")

    assert world.reconcile().outcome == "restored"

    assert world.machine.shares["production"] == {first.id: 100}
    world.require_settled()
    world.clock.sleep(30 * 86_400)
    assert world.promote(second).outcome == "comparing", "it is approved anew, and begins anew"
    assert latest_test(world.site()).progress.began == world.clock.time
