"""Users' latest requests, asked of both releases again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.core.signature import Signature
from mlops_ci.pipeline import replay
from mlops_ci.pipeline.replay import Replays, Side, usual_replay
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import Answer
from tests.delivery.world import Line, MemoryClient, World

LIVE = [{"x": 1.5 + n / 1000} for n in range(150)]


class Asked:
    """A site with two releases that run, and what each was asked."""

    def __init__(self, world: World, new: Line) -> None:
        self.world = world
        self.client = Losing(world.machine)
        self.site: Site = replace(world.site(), client=self.client)
        self.stable, self.new = (self._side(line) for line in (Line(), new))

    def _side(self, line: Line) -> Side:
        release = self.world.register(line)
        golden = self.site.golden(release)
        return Side(
            url=self.site.start(release), release=release, signature=self.site.signature(release), golden=golden
        )

    def latest(self, replays: Replays) -> Any:
        return replays.latest(self.site, self.stable, self.new)[0]


class Losing(MemoryClient):
    """Loses a connection now and then; `rows` are those that were asked, by address."""

    def __init__(self, machine: Any) -> None:
        super().__init__(machine)
        self.lost = 0
        self.rows: list[tuple[str, Any]] = []

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        self.rows += [(url, record.get("x")) for record in records]
        if self.lost:
            self.lost -= 1
            return Answer(predictions=None, release="", milliseconds=1.0, error="the connection was lost")
        return super().score(url, records, signature)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "world")
    world.machine.recent = list(LIVE)
    return world


def test_each_distinct_record_is_asked_once(world: World) -> None:
    asked = Asked(world, Line(slope=2.0))
    replays = Replays(tolerance=0.0)
    world.machine.recent = [*LIVE, *LIVE]

    assert asked.latest(replays).rows == len(LIVE)
    assert asked.latest(replays).rows == 0
    world.machine.recent.append({"x": 7.0})
    assert asked.latest(replays).rows == 1
    later = Replays(tolerance=0.0, asked=replays.asked)
    assert asked.latest(later).rows == 0, "another command goes on"


def test_no_more_than_so_many_are_asked_in_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "IN_ALL", 20)
    asked = Asked(world, Line(slope=2.0))
    replays = Replays(tolerance=0.0)
    assert asked.latest(replays).rows == 20
    assert asked.latest(replays).rows == 0


def test_what_no_json_can_say_is_a_record_like_any_other(world: World) -> None:
    asked = Asked(world, Line(slope=2.0))
    world.machine.recent = [{"x": float("nan")}, {"x": float("inf")}, {"x": 1.0, "\ud800": "\udfff", "nested": [{}]}]
    asked.latest(Replays(tolerance=0.0))
    assert len(asked.client.rows) == 2 * 3


def test_a_connection_that_was_lost_is_no_failed_row(world: World) -> None:
    asked = Asked(world, Line(slope=2.0))
    asked.client.lost = 1
    found = asked.latest(Replays(tolerance=0.0))
    assert (found.rows, found.failed) == (len(LIVE), 0)


def test_a_service_that_has_gone_fails_every_row(world: World) -> None:
    asked = Asked(world, Line(slope=2.0))
    del world.machine.running["production"][asked.new.release.id]
    found = asked.latest(Replays(tolerance=0.0))
    assert (found.rows, found.failed) == (len(LIVE), len(LIVE))


def test_what_stable_does_not_answer_either_says_nothing(world: World) -> None:
    asked = Asked(world, Line(slope=2.0))
    del world.machine.running["production"][asked.stable.release.id]
    assert asked.latest(Replays(tolerance=0.0)).rows == 0


def test_the_golden_rows_say_how_far_apart_answers_usually_are(world: World) -> None:
    asked = Asked(world, Line(slope=1.1))
    found, tolerance = usual_replay(asked.site, asked.stable, asked.new)
    assert tolerance == pytest.approx(0.095, abs=0.005)
    assert found.rows == 120
    assert found.differing == pytest.approx(6, abs=1)
