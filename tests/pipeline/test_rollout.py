"""The steps of a rollout: what is asked at each, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.core.records import Release
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.rollout import roll_out
from tests.delivery.world import MODEL, Line, World

ONE, TWO = Line(slope=1.0), Line(slope=1.01)
LIVE: list[Mapping[str, Any]] = [{"x": 1.5 + n / 1000} for n in range(150)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world", steps=(10, 50, 100))


def test_every_step_routes_its_share_and_waits_its_window(world: World) -> None:
    first = world.deliver(ONE)
    second = world.release(TWO)
    seen = []
    really = world.clock.sleep

    def sleep(seconds: float) -> None:
        seen.append(dict(world.machine.shares["production"]))
        really(seconds)

    world.clock.sleep = sleep  # type: ignore[method-assign]
    done = roll_out(world.site(), second, first)
    assert seen == [{second.id: 10, first.id: 90}, {second.id: 50, first.id: 50}, {second.id: 100}]
    assert [step.outcome for step in done.steps] == ["continue", "continue", "finish"]
    assert done.share == 100
    assert not done.reasons


def test_too_little_traffic_is_said_and_no_reason_to_stop(world: World) -> None:
    first = world.deliver(ONE)
    done = roll_out(world.site(), world.release(TWO), first)
    assert any("answers were compared on 0 live requests" in line for line in done.steps[0].insufficient)


def test_a_release_that_is_wrong_on_live_requests_stops_at_its_first_step(world: World) -> None:
    first = world.deliver(ONE)
    second = world.release(Line(slope=1.01, live=5.0))
    world.machine.recent = LIVE
    done = roll_out(world.site(), second, first)
    assert [step.share for step in done.steps] == [10]
    assert done.steps[0].outcome == "abort"
    assert done.reasons
    assert world.kinds()[-1] == "rollout-step"
    world.machine.recent = []
    assert not roll_out(world.site(), second, first).reasons, "what nobody asks nobody minds"


def test_a_release_that_does_not_answer_its_golden_rows_gets_no_traffic(world: World) -> None:
    first = world.deliver(ONE)
    second = world.register(Line(slope=1.01, lies=True))
    done = roll_out(world.site(), second, first)
    assert "golden-rows" in done.reasons[0]
    assert not done.steps
    assert world.machine.shares["production"] == {first.id: 100}


def test_the_first_environment_has_no_steps(world: World) -> None:
    first = world.deliver(ONE)
    assert roll_out(world.site("qa"), world.register(TWO), first).steps == ()
    assert MODEL in world.console.said[-1]


def test_where_the_log_leaves_columns_out_users_requests_are_not_asked_again_and_that_is_said(world: World) -> None:
    first = world.deliver(ONE)
    second = world.release(Line(slope=1.01, live=5.0))
    world.machine.recent, world.machine.redacted = LIVE, ("ssn",)

    done = roll_out(world.site(), second, first)

    said = "the log leaves out ssn, so live requests cannot be asked again"
    assert all(said in step.insufficient for step in done.steps)
    assert any(said in line for line in world.console.said)
    assert not done.reasons, "what users sent cannot be asked again"


def test_golden_rows_are_asked_at_every_step(world: World) -> None:
    first = world.deliver(ONE)
    second = world.release(TWO)
    world.machine.redacted = ("ssn",)
    asked = []
    really = world.clock.sleep

    def break_it(seconds: float) -> None:
        asked.append(seconds)
        world.machine.running["production"][second.id] = Line(slope=1.01, lies=True)
        really(seconds)

    world.clock.sleep = break_it  # type: ignore[method-assign]

    done = roll_out(world.site(), second, first)

    assert len(asked) == 1
    assert done.steps[0].outcome == "abort"


# With users.


@pytest.fixture
def busy(tmp_path: Path) -> World:
    """Steps of a minute each, and users who send fifty requests a second."""
    world = World(tmp_path / "world", steps=(10, 50, 100), window=timedelta(minutes=1))
    world.machine.rate = 50.0
    world.machine.asked = LIVE
    return world


def evidence(world: World) -> list[dict[str, Any]]:
    """What the steps in the log rest on."""
    registry = Registry(world.store)
    return [registry.get_json(event.evidence[0]) for event in world.log.read(MODEL) if event.kind == "rollout-step"]


def test_a_good_release_gets_all_traffic_and_the_log_says_what_was_counted(busy: World) -> None:
    first = in_service(busy)
    second = busy.release(ONE, "as good")

    done = roll_out(busy.site(), second, first)

    assert [(step.share, step.outcome) for step in done.steps] == [(10, "continue"), (50, "continue"), (100, "finish")]
    assert not any("errors were compared" in line for step in done.steps for line in step.insufficient)
    shown = evidence(busy)
    assert [sum(one["requests"] for one in step["live"].values()) for step in shown] == [3000, 3000, 3000]
    assert shown[0]["live"][second.id]["requests"] == pytest.approx(300, abs=60)
    assert set(shown[0]["e_values"]) >= {"errors", "latency", "answers"}
    assert shown[0]["state"]["evidence"]["replay"]["rows"] == len(LIVE), "each distinct request is asked once"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Line(fails=0.3), "live requests failed"),
        (Line(slow=0.3), "took longer than"),
        (Line(live=5.0), "answers differ"),
    ],
)
def test_a_release_that_is_bad_for_users_only_is_taken_back_within_its_first_step(
    busy: World, bad: Line, reason: str
) -> None:
    first = in_service(busy)
    second = busy.release(bad)
    begin = busy.clock.time

    done = roll_out(busy.site(), second, first)

    assert [(step.share, step.outcome) for step in done.steps] == [(10, "abort")]
    assert any(reason in line for line in done.reasons)
    assert busy.clock.time - begin < timedelta(minutes=1), "at once, and not at the end of the window"
    assert busy.machine.shares["production"] == {first.id: 100}


def test_a_service_that_dies_is_noticed_at_the_next_look(busy: World) -> None:
    first = in_service(busy)
    second = busy.release(ONE, "as good")
    busy.machine.rate = 0.0
    at(busy, looks=3, do=lambda: busy.machine.running["production"].pop(second.id))

    done = roll_out(busy.site(), second, first)

    assert done.reasons == ("the service of version 2 has ended",)
    assert len(busy.clock.slept) == 1 + 3


def test_a_stable_service_that_dies_is_started_again(busy: World) -> None:
    first = in_service(busy)
    second = busy.release(ONE, "as good")
    at(busy, looks=3, do=lambda: busy.machine.running["production"].pop(first.id))

    assert not roll_out(busy.site(), second, first).reasons
    assert first.id in busy.machine.running["production"]


def test_a_release_that_users_do_not_ask_often_enough_is_aborted_at_the_deadline(busy: World) -> None:
    busy.change(min_requests=400, deadline=timedelta(minutes=2))
    first = in_service(busy)

    waited = roll_out(busy.site(), busy.release(ONE, "as good"), first)

    assert not waited.reasons, "at 10 % it had 300 after a minute, and 400 before the deadline"
    busy.machine.rate = 0.0
    done = roll_out(busy.site(), busy.release(ONE, "better"), first)
    assert done.reasons == ("0 live requests in 120 s at 10 %, fewer than 400",)


def test_the_drill_goes_there_and_back_and_asks_stable(busy: World) -> None:
    busy.machine.rate = 0.0
    first = in_service(busy)
    second = busy.release(ONE, "as good")
    routed = []
    target = busy.site().target
    really = type(target).route

    def route(self: Any, environment: str, model: str, shares: Any, **more: Any) -> None:
        routed.append(dict(shares))
        really(self, environment, model, shares, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(target), "route", route)
        roll_out(busy.site(), second, first)

    assert routed[:4] == [{first.id: 100}, {second.id: 1, first.id: 99}, {first.id: 100}, {second.id: 10, first.id: 90}]


def test_where_the_way_back_fails_nothing_of_the_new_release_is_left(busy: World) -> None:
    first = in_service(busy)
    second = busy.release(ONE, "as good")
    target = busy.site().target
    really = type(target).route

    def spoil(self: Any, environment: str, model: str, shares: Any, **more: Any) -> None:
        really(self, environment, model, shares, **more)
        if len(shares) == 2:
            busy.machine.running["production"][first.id] = Line(lies=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(target), "route", spoil)
        with pytest.raises(VerificationError, match="there would be no way back to version 1"):
            roll_out(busy.site(), second, first)

    assert list(busy.machine.running["production"]) == [first.id]
    assert busy.machine.shares["production"] == {first.id: 100}


def test_where_the_router_fails_in_the_middle_stable_has_all_traffic_and_the_next_run_goes_on(busy: World) -> None:
    first = in_service(busy)
    second = busy.release(ONE, "as good")
    target = busy.site().target
    really = type(target).traffic

    def lost(self: Any, environment: str, model: str) -> Any:
        if busy.machine.shares["production"].get(second.id) == 50:
            raise OutsideError("the router does not answer")
        return really(self, environment, model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(target), "traffic", lost)
        with pytest.raises(OutsideError, match="does not answer"):
            busy.promote(second)

    assert busy.machine.shares["production"] == {first.id: 100}
    change = busy.reconcile()
    assert change.outcome == "promoted"
    assert [step.share for step in change.steps] == [50, 100], "it goes on where it was"
    busy.require_settled()


def test_another_plan_begins_anew(busy: World) -> None:
    first = in_service(busy)
    second = busy.release(ONE, "as good")
    at(busy, looks=30, do=lambda: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        busy.promote(second)

    assert busy.machine.shares["production"] == {first.id: 100}
    busy.change(steps=(5, 100))
    assert [step.share for step in busy.reconcile().steps] == [5, 100]


# In the shadow.


@pytest.fixture
def shadowed(busy: World) -> World:
    busy.change(shadow=timedelta(minutes=1))
    return busy


def test_in_the_shadow_a_release_answers_nobody_until_it_has_proved_itself(shadowed: World) -> None:
    first = in_service(shadowed)
    second = shadowed.release(ONE, "as good")
    at(shadowed, looks=20, do=lambda: None)

    done = roll_out(shadowed.site(), second, first)

    assert [(step.stage, step.share, step.outcome) for step in done.steps][:2] == [
        ("shadow", 0, "continue"),
        ("step", 10, "continue"),
    ]
    assert shadowed.machine.copied["production", second.id] == 3000
    assert not shadowed.machine.shadows


@pytest.mark.parametrize("bad", [Line(fails=0.3), Line(slow=0.3), Line(live=5.0)])
def test_no_user_ever_sees_a_release_that_is_bad_in_the_shadow(shadowed: World, bad: Line) -> None:
    in_service(shadowed)
    second = shadowed.release(bad)

    change = shadowed.promote(second)

    assert [(step.stage, step.outcome) for step in change.steps] == [("shadow", "abort")]
    assert shadowed.machine.copied["production", second.id] > 0
    assert shadowed.machine.answered["production", second.id] == 0
    shadowed.require_settled()


def at(world: World, *, looks: int, do: Callable[[], object]) -> None:
    """Does something while the rollout sleeps before its so-manieth look."""
    really, before = world.clock.sleep, len(world.clock.slept)

    def sleep(seconds: float) -> None:
        really(seconds)
        if len(world.clock.slept) - before == looks:
            do()

    world.clock.sleep = sleep  # type: ignore[method-assign]


def in_service(world: World) -> Release:
    """A release that has served for a minute."""
    made = world.deliver(ONE)
    world.clock.sleep(60)
    world.site().target.traffic("production", MODEL)
    return made
