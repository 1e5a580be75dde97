"""Chains of one to five environments, whose names, order and number people change as they like."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mlops_ci.config.types import ApprovalsConfig, EnvironmentConfig
from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, VerificationError
from mlops_ci.pipeline.live_verification import reverify
from mlops_ci.pipeline.proposals import promotion_branch
from mlops_ci.pipeline.release import deploy
from mlops_ci.pipeline.rollback import roll_back
from mlops_ci.pipeline.status import abandoned, status
from tests.delivery.watched import WatchedWorld
from tests.delivery.world import MODEL, Line

ONE, TWO = Line(slope=1.0), Line(slope=1.01)
FIVE = ("dev", "qa", "staging", "canary", "production")


@pytest.fixture
def world() -> WatchedWorld:
    return WatchedWorld()


def declare(world: WatchedWorld, *names: str) -> None:
    """Another mlops.yaml: these environments, in this order; what is new asks nobody."""
    for name in names:
        like: EnvironmentConfig = next(iter(reversed(world.environments.values())))
        world.environments.setdefault(name, replace(like, name=name))
    world.names = names


def through(world: WatchedWorld, line: Line) -> Release:
    made = world.register(line)
    deploy(world.site(world.names[0]), made)
    for name in world.names[1:]:
        world.propose(made, name)
        world.promote(made, name)
    return made


def test_five_environments_each_with_its_own_rules() -> None:
    world = WatchedWorld(names=FIVE)
    world.environments["staging"] = replace(
        world.environments["staging"], approvals=ApprovalsConfig(required=1, people=("grace",))
    )
    world.environments["canary"] = replace(world.environments["canary"], soak=timedelta(hours=1))
    made = world.release(ONE)
    with pytest.raises(VerificationError, match="not verified in canary"):
        world.promote(made)
    assert world.promote(made, "qa").outcome == "promoted"
    with pytest.raises(ApprovalError, match="not approved"):
        world.promote(made, "staging")
    pull = world.forge.open_pull_request(promotion_branch("staging", MODEL))
    assert pull is not None
    world.forge.review(pull.number, reviewer="grace", commit=pull.head, approve=True)
    world.reviewed.append((pull.number, "grace", pull.head, True))
    assert world.promote(made, "staging").outcome == "promoted"
    with pytest.raises(VerificationError, match="has to be for 1:00:00"):
        world.promote(made, "canary")
    world.clock.time += timedelta(hours=1)
    assert [world.promote(made, name).outcome for name in ("canary", "production")] == ["promoted", "promoted"]
    assert {world.serving(name) for name in FIVE} == {made.id}
    world.require_settled()


def test_one_environment_is_a_chain_too() -> None:
    world = WatchedWorld(names=("live",))
    first, second = through(world, ONE), through(world, TWO)
    assert roll_back(world.site("live"), reason="worse").release == first.id
    assert world.forge.open_pull_requests("mlops-ci/promote/") == []
    assert reverify(world.site("live")).verification.ok
    assert world.log.state(MODEL).environments["live"].holds == {second.id: "worse"}
    world.require_settled()


def test_an_environment_in_between_is_new(world: WatchedWorld) -> None:
    first = world.deliver(ONE)
    declare(world, "qa", "staging", "production")
    assert [world.reconcile(name).outcome for name in world.names] == ["unchanged", "nothing", "unchanged"]
    second = world.release(TWO)
    assert world.propose(second, "staging") is not None
    with pytest.raises(VerificationError, match="not verified in staging"):
        world.promote(second)
    world.promote(second, "staging")
    assert world.promote(second).outcome == "promoted"
    assert roll_back(world.site(), reason="worse").release == first.id, (
        "it never was in staging, and served all the same"
    )


def test_one_that_is_gone_is_named_and_left_alone() -> None:
    world = WatchedWorld(names=("qa", "staging", "production"))
    made = through(world, ONE)
    world.names = ("qa", "production")
    assert abandoned(world.log.state(MODEL), world.names) == {"staging": made.id}
    assert [world.reconcile(name).outcome for name in world.names] == ["unchanged", "unchanged"]
    assert list(world.machine.running["staging"]) == [made.id]
    second = world.release(TWO)
    assert world.promote(second).outcome == "promoted"


def test_a_new_name_is_a_new_environment(world: WatchedWorld) -> None:
    made = world.deliver(ONE)
    declare(world, "qa", "live")
    assert world.reconcile("live").outcome == "nothing"
    assert status(world.site("live")).release is None
    assert abandoned(world.log.state(MODEL), world.names) == {"production": made.id}
    assert world.promote(made, "live").outcome == "promoted"


def test_another_order_breaks_nothing(world: WatchedWorld) -> None:
    made = world.deliver(ONE)
    second = world.release(TWO)
    world.names = ("production", "qa")
    assert [world.reconcile(name).outcome for name in world.names] == ["unchanged", "unchanged"]
    pull = world.forge.latest_pull_request(promotion_branch("production", MODEL))
    assert pull is not None
    assert pull.state == "closed"
    assert "production is the first environment now" in pull.body
    deploy(world.site("production"), second)
    assert (world.serving("production"), world.serving("qa")) == (second.id, second.id)
    assert roll_back(world.site("production"), reason="worse").release == made.id
