"""The steps of a rollout: what is asked at each, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.pipeline.rollout import roll_out
from tests.delivery.world import MODEL, Line, World

ONE, TWO = Line(slope=1.0), Line(slope=1.01)
LIVE = [{"x": 1.5 + n / 1000} for n in range(150)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world", steps=(10, 50, 100))


def test_every_step_routes_its_share_and_waits_its_window(world: World) -> None:
    first = world.deliver(ONE)
    second = world.release(TWO)
    seen = []
    really = world.clock.sleep
    world.clock.sleep = lambda seconds: (seen.append(dict(world.machine.shares["production"])), really(seconds))[1]  # type: ignore[method-assign]
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


def test_where_the_log_leaves_columns_out_golden_rows_are_asked_instead_and_that_is_said(world: World) -> None:
    first = world.deliver(ONE)
    second = world.release(Line(slope=1.01, live=5.0))
    world.machine.recent, world.machine.redacted = LIVE, ("ssn",)

    done = roll_out(world.site(), second, first)

    said = "golden rows were asked in place of live requests, of which the log leaves out ssn"
    assert all(said in step.insufficient for step in done.steps)
    assert any(said in line for line in world.console.said)
    assert not any("errors were compared on 0 live requests" in line for line in done.steps[0].insufficient)
    assert not done.reasons, "what users sent cannot be asked again"


def test_golden_rows_in_place_of_live_requests_still_show_a_release_that_fails(world: World) -> None:
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
