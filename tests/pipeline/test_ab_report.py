"""What is told of an A/B test: by the log of events, the router's counts, prediction logs and actuals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from mlops_ci.config.types import AbConfig
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.records import Release
from mlops_ci.errors import DataGateError, NotFoundError
from mlops_ci.pipeline.ab_report import AbReport, Truth, ab_report
from tests.delivery.world import Line, MemoryTarget, World

DAY = timedelta(days=1)
BETTER = Line(slope=1.01)


class Logging(MemoryTarget):
    """A target whose services have kept what they were asked and what they answered."""

    entries: tuple[LogEntry, ...] = ()

    def logged_requests(self, environment: str, model: str) -> Iterator[LogEntry]:
        return iter(self.entries)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "world", steps=(10, 100))
    world.change(ab=AbConfig(share=20, duration=7 * DAY))
    world.deliver(Line())
    world.clock.sleep(100_000)
    world.machine.rate = 0.1
    return world


def begun(world: World, line: Line = BETTER) -> tuple[Release, Release]:
    """An A/B test that has been going on for a day."""
    serving = world.serving()
    assert serving
    new = world.release(line, "the other")
    assert world.promote(new).outcome == "comparing"
    world.clock.sleep(86_400)
    return world.site().release(serving), new


def logged(world: World, stable: Release, new: Release, *, days_ago: float = 0.5, sample: float = 1.0) -> None:
    """A thousand requests of four fifths for the one and a fifth for the other."""
    time = world.clock.time - timedelta(days=days_ago)
    Logging.entries += tuple(
        LogEntry(
            time=time + timedelta(seconds=number),
            release=release.id,
            sample=sample,
            request_id=f"{days_ago}-{number}",
            records=[{"x": number / 1000}],
            answers=[{"value": factor * number / 1000}],
        )
        for number in range(1000)
        for release, factor in [(new, 1.01) if number % 5 == 0 else (stable, 1.0)]
    )


def report(world: World, truth: Truth | None = None) -> AbReport:
    site = replace(world.site(), target=Logging(world.machine, world.clock))
    return ab_report(site, truth)


@pytest.fixture(autouse=True)
def _no_entries() -> Iterator[None]:
    yield
    Logging.entries = ()


def test_it_counts_what_users_met_on_either_side(world: World) -> None:
    stable, new = begun(world, Line(slope=1.01, fails=0.05, slow=0.2))
    logged(world, stable, new)

    found = report(world)

    assert found.errors.stable.units + found.errors.new.units == 8640
    assert found.errors.difference.lower is not None
    assert found.errors.difference.lower > 0
    assert found.latency_ms == {
        "stable": {"p50": 10.0, "p95": 10.0, "p99": 10.0}, "new": {"p50": 10.0, "p95": 300.0, "p99": 300.0},
    }  # fmt: skip
    (answer,) = found.answers
    assert (answer.stable.units, answer.new.units) == (800, 200)
    assert answer.difference.lower is not None
    shown = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (shown["stable"]["version"], shown["new"]["version"], shown["share"]) == (1, 2, 20)
    assert shown["ended"] is None
    assert any("one user may have met both sides" in note for note in shown["notes"])
    assert any("bounds of the router's buckets" in note for note in shown["notes"])


def test_what_was_counted_before_a_look_is_not_lost(world: World) -> None:
    begun(world)
    assert world.reconcile().outcome == "comparing"
    world.clock.sleep(86_400)
    found = report(world)
    assert found.errors.stable.units + found.errors.new.units == 2 * 8640


def test_what_was_asked_outside_the_time_of_the_test_is_left_out(world: World) -> None:
    stable, new = begun(world)
    logged(world, stable, new, days_ago=2)
    found = report(world)
    assert found.answers == []
    assert any("hold no request of the time of the test" in note for note in found.notes)


def test_a_sample_is_said(world: World) -> None:
    stable, new = begun(world)
    logged(world, stable, new, sample=0.1)
    assert any("keep a sample: 1000 of about 10000 requests" in note for note in report(world).notes)


def test_with_actuals_both_are_judged(world: World) -> None:
    stable, new = begun(world)
    logged(world, stable, new)
    actuals = pd.DataFrame({"request_id": [f"0.5-{n}" for n in range(1000)], "y": [n / 1000 for n in range(1000)]})

    found = report(world, Truth(actuals=actuals, target="y", metric="mae")).performance

    assert found is not None
    assert found.stable.value == pytest.approx(0.0, abs=1e-12)
    assert found.new.value == pytest.approx(0.005, abs=0.001)
    assert found.difference.value is not None
    assert found.difference.value < 0, "positive would be better"
    assert found.new.lower is not None


def test_actuals_of_one_side_only_judge_none_and_that_is_said(world: World) -> None:
    stable, new = begun(world)
    logged(world, stable, new)
    actuals = pd.DataFrame({"request_id": ["0.5-5", "0.5-10"], "y": [0.0, 0.0]})
    found = report(world, Truth(actuals=actuals, target="y", metric="mae"))
    assert found.performance is None
    assert any("Version 1 (stable): none of 2 actuals belongs to one of 800 answers" in note for note in found.notes)


def test_actuals_of_nobody_are_refused(world: World) -> None:
    stable, new = begun(world)
    logged(world, stable, new)
    with pytest.raises(DataGateError, match="none of 1 actuals"):
        report(world, Truth(actuals=pd.DataFrame({"request_id": ["?"], "y": [0.0]}), target="y", metric="mae"))


def test_few_requests_are_said_by_name(world: World) -> None:
    world.machine.rate = 0.003
    begun(world)
    found = report(world)
    assert found.errors.difference.lower is None
    assert any(note.startswith("errors: no interval, as one side has") for note in found.notes)


def test_a_test_that_is_over_is_still_told(world: World) -> None:
    _, new = begun(world)
    world.clock.sleep(7 * 86_400)
    assert world.reconcile().outcome == "promoted"
    world.clock.sleep(86_400)

    found = report(world)

    assert found.test.ended is not None
    assert (found.test.new.id, found.test.outcome) == (new.id, "continue")
    assert found.errors.stable.units + found.errors.new.units == 8 * 8640


def test_traffic_that_is_not_divided_is_said(world: World) -> None:
    stable, _ = begun(world)
    world.machine.shares["production"] = {stable.id: 100}
    assert any("The traffic is not divided now: mlops-ci reconcile" in note for note in report(world).notes)


def test_without_a_test_there_is_nothing_to_report(world: World) -> None:
    with pytest.raises(NotFoundError, match="no A/B test of tides in production yet"):
        report(world)
