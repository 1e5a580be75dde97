"""Releases on their way through environments that Terraform makes, and back."""

from __future__ import annotations

import pytest

from mlops_ci.errors import ConfigurationError, RolloutAborted
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery.real_world import Users
from tests.delivery.world import MODEL, Line
from tests.terraform.world import TerraformWorld

ONE, TWO = Line(slope=1.0), Line(slope=1.01)


def test_a_release_comes_to_production_step_by_step_and_goes_back(world: TerraformWorld) -> None:
    first = world.deliver(ONE)
    second = world.release(TWO)
    world.counted = False
    with pytest.raises(ConfigurationError, match="nothing counts its requests"):
        world.promote(second)
    assert len(world.services("production")) == 1
    assert not world.count("rollout-step")

    world.counted = True
    users = Users()
    with users.asking(world):
        change = world.promote(second)
    assert change.outcome == "promoted"
    assert [step.share for step in change.steps] == [50, 100]
    assert users.failures == ()
    assert users.asked > 20
    assert change.url == f"{world.router.url}/production/{MODEL}"
    world.require_settled()

    # What was done is on record, as addresses and actions; what the module was given besides is not in it.
    registry = Registry(world.store)
    promoted = [event for event in world.log.read(MODEL) if event.kind == "promoted"][-1]
    steps = [event for event in world.log.read(MODEL) if event.kind == "rollout-step"]
    kept = [registry.get_json(digest) for event in [*steps, promoted] for digest in event.evidence]
    plans = [each for each in kept if each.get("kind") == "terraform-plan"]
    shares = [sorted(each["share"] for each in plan["serving"]["releases"].values()) for plan in plans]
    assert shares == [[0, 100], [1, 99], [0, 100], [50, 50], [0, 100], [100]]
    assert [(each["address"], each["actions"]) for each in plans[-1]["changes"]] == [
        (f'terraform_data.service["{first.id}"]', ["delete"])
    ]
    assert str(world.plane) not in str(plans)

    # One that fails its users is taken back by itself, and stays out.
    third = world.release(Line(slope=1.02))
    world.router.failing.add(("production", third.id))
    with Users().asking(world):
        change = world.promote(third)
    assert (change.outcome, change.release, change.rejected) == ("aborted", second.id, third.id)
    assert "fail" in change.reasons[0]
    assert third.id in world.log.state(MODEL).environments["production"].holds
    assert world.serving("qa") == third.id
    world.require_settled()

    back = roll_back(world.site(), reason="users complain")
    assert (back.outcome, back.release) == ("rolled-back", first.id)
    world.require_settled()


def test_a_release_that_cannot_start_is_gone_again(world: TerraformWorld) -> None:
    world.patience = 1.0
    with pytest.raises(RolloutAborted, match="did not become ready"):
        world.release(Line(slope=3.0, starts=False))
    assert world.services("qa") == []
    assert world.target_of("qa").instances("qa", MODEL) == []

    world.patience = TerraformWorld.patience
    first = world.release(ONE)
    assert world.serving("qa") == first.id
