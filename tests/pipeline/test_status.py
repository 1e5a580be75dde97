"""What serves, what should, and what really answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from mlops_ci.core.calendar import Freeze
from mlops_ci.pipeline.status import abandoned, status
from tests.delivery.world import Line, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def test_an_environment_without_a_release_is_settled(world: World) -> None:
    found = status(world.site())
    assert (found.release, found.version, found.url, found.healthy, found.settled) == (None, None, None, False, True)


def test_what_serves_well(world: World) -> None:
    first = world.deliver(Line())
    found = status(world.site())
    assert (found.release, found.version, found.url) == (first.id, 1, "memory://production")
    assert (found.healthy, found.settled, found.hold) == (True, True, None)
    assert found.to_json()["desired"] == first.id


def test_a_service_that_is_gone_is_not_healthy_until_it_is_reconciled(world: World) -> None:
    world.deliver(Line())
    world.machine.running["production"].clear()
    found = status(world.site())
    assert (found.healthy, found.settled) == (False, False)
    world.reconcile()
    assert status(world.site()).settled


def test_divided_traffic_is_not_healthy(world: World) -> None:
    first = world.deliver(Line())
    world.machine.shares["production"] = {first.id: 90, "f" * 64: 10}
    assert not status(world.site()).healthy


def test_a_merge_that_is_not_rolled_out_yet_is_not_settled(world: World) -> None:
    first = world.deliver(Line())
    second = world.release(Line(slope=1.01))
    world.site().record("held", release=first.id, reason="slow")
    world.git("merge", "-q", "mlops-ci/promote/production/tides")
    found = status(world.site())
    assert (found.release, found.desired, found.settled, found.hold) == (first.id, second.id, False, "slow")


def test_what_keeps_promotions_out_is_said(world: World) -> None:
    assert status(world.site()).closed is None
    freeze = Freeze(first=None, last=None, reason="the audit", timezone=UTC)
    world.environments["production"] = replace(world.environments["production"], freezes=(freeze,))
    closed = status(world.site()).closed
    assert closed is not None
    assert "the audit" in closed


def test_a_proposal_with_garbage_on_its_branch_is_shown_without_a_release(world: World) -> None:
    world.release(Line())
    found = status(world.site()).promotion
    assert found is not None
    assert (found.version, found.required, found.missing) == (1, 0, 0)
    world.git("switch", "-q", "mlops-ci/promote/production/tides")
    (world.root / "environments/production/tides.yaml").write_text("release: soon\n")
    world.git("commit", "-qam", "oops")
    world.git("switch", "-q", "main")
    found = status(world.site()).promotion
    assert found is not None
    assert (found.release, found.version, found.title) == (None, None, "Promote tides version 1 to production")


def test_an_environment_that_mlops_yaml_forgot_is_not(world: World) -> None:
    first = world.deliver(Line())
    assert abandoned(world.log.state("tides"), ("qa",)) == {"production": first.id}
    assert abandoned(world.log.state("tides"), ("production", "qa")) == {}
