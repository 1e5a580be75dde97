"""What was verified once and answers worse later: not eligible any more, taken back, and nothing else harmed."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.errors import ConfigurationError, NotFoundError, OutsideError, VerificationError
from mlops_ci.pipeline.live_verification import reverify
from mlops_ci.pipeline.proposals import promotion_branch
from mlops_ci.pipeline.rollback import roll_back
from mlops_ci.pipeline.status import status
from tests.delivery.watched import WatchedWorld
from tests.delivery.world import MODEL, Line, MemoryClient, World

ONE, TWO, THREE = Line(slope=1.0), Line(slope=1.01), Line(slope=1.02)


@pytest.fixture
def world() -> World:
    return WatchedWorld()


def spoil(world: World, name: str) -> None:
    """What serves there lies from now on."""
    release = world.serving(name)
    assert release is not None
    world.machine.running[name][release] = Line(slope=1.0, lies=True)


def test_what_is_still_well_is_verified_again_with_its_evidence(world: World) -> None:
    made = world.deliver(ONE)
    found = reverify(world.site())
    assert (found.release.id, found.verification.ok, found.change, found.closed) == (made.id, True, None, ())
    event = world.log.read(MODEL)[-1]
    assert (event.kind, event.subject) == ("verified", {"environment": "production", "release": made.id})
    assert world.site().registry.get_json(event.evidence[0])["load"] is not None
    world.require_settled()


def test_what_fails_later_is_taken_back_and_its_promotion_is_closed(world: World) -> None:
    first = world.deliver(ONE)
    second = world.release(TWO)
    spoil(world, "qa")
    found = reverify(world.site("qa"))
    assert found.change is not None
    assert (found.change.outcome, found.change.release, found.change.rejected) == ("rolled-back", first.id, second.id)
    assert world.forge.open_pull_request(promotion_branch("production", MODEL)) is None
    assert [pull.number for pull in found.closed] == [2]
    assert world.kinds()[-4:] == ["verification-revoked", "held", "rolled-back", "promotion-closed"]
    assert "verification failed: wrong-model" in world.log.state(MODEL).environments["qa"].holds[second.id]
    with pytest.raises(VerificationError, match="was revoked: wrong-model"):
        world.promote(second)
    world.require_settled()


def test_production_goes_back_to_the_last_verified_release(world: World) -> None:
    first, second, third = world.deliver(ONE), world.deliver(TWO), world.deliver(THREE)
    world.site("qa").record("verification-revoked", release=second.id, reason="found out later")
    spoil(world, "production")
    found = reverify(world.site())
    assert found.change is not None
    assert (found.change.release, found.change.rejected) == (first.id, third.id)
    assert world.serving("qa") == third.id, "qa was not asked"
    assert world.desired() == first.id


def test_what_has_nothing_to_go_back_to_keeps_serving_and_is_said_once(world: World) -> None:
    made = world.deliver(ONE)
    spoil(world, "production")
    for _ in range(2):
        found = reverify(world.site())
        assert (found.verification.ok, found.change) == (False, None)
        assert "no release before this one to go back to" in world.console.said[-1]
        with pytest.raises(VerificationError, match="checks failed"):
            world.reconcile()
    assert world.serving() == made.id
    assert world.count("verification-revoked") == 1
    assert "not verified in production any more" in status(world.site()).warnings[0]
    world.machine.running["production"][made.id] = ONE
    assert reverify(world.site()).verification.ok
    assert status(world.site()).warnings == []
    world.require_settled()


def test_targets_that_run_out_leave_the_last_one_serving(world: World) -> None:
    first = world.deliver(ONE)
    world.deliver(TWO)
    spoil(world, "production")
    assert reverify(world.site()).change is not None
    spoil(world, "production")
    assert reverify(world.site()).change is None, "to go back would be to roll a rollback back"
    assert world.serving() == first.id
    with pytest.raises(ConfigurationError, match="no other release"):
        roll_back(world.site(), reason="again")


def test_what_says_nothing_of_the_release_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.deliver(ONE)
    world.deliver(TWO)
    events = world.kinds()
    world.machine.running["production"].clear()
    with pytest.raises(OutsideError, match="does not run in production"):
        reverify(world.site())
    world.machine.running["production"] = {world.serving() or "": TWO, "f" * 64: ONE}
    world.machine.shares["production"] = {world.serving() or "": 90, "f" * 64: 10}
    with pytest.raises(OutsideError, match="divides its traffic"):
        reverify(world.site())
    assert world.kinds() == events


def test_where_nothing_serves_there_is_nothing_to_verify(world: World) -> None:
    with pytest.raises(NotFoundError, match="nothing of tides serves in production"):
        reverify(world.site())


def test_what_fails_in_qa_later_stays_in_production_and_is_warned_of(world: World) -> None:
    """Production has a verification of its own; what qa found may be qa's fault, so people decide."""
    world.deliver(ONE)
    second = world.deliver(TWO)
    spoil(world, "qa")
    assert reverify(world.site("qa")).change is not None
    change = world.reconcile()
    assert (change.outcome, change.release) == ("unchanged", second.id)
    assert status(world.site()).warnings[0].startswith("what serves is not verified in qa any more: wrong-model")
    spoil(world, "production")
    found = reverify(world.site())
    assert found.change is not None
    assert found.change.rejected == second.id


def test_any_environment_of_a_chain_can_be_verified_again() -> None:
    world = WatchedWorld(names=("qa", "staging", "production"))
    first = world.release(ONE)
    for name in ("staging", "production"):
        world.promote(first, name)
    second = world.release(TWO)
    world.promote(second, "staging")
    world.propose(second)
    spoil(world, "staging")
    found = reverify(world.site("staging"))
    assert found.change is not None
    assert found.change.release == first.id
    assert [pull.branch for pull in found.closed] == [promotion_branch("production", MODEL)]
    world.require_settled()


def test_a_failed_verification_during_the_deployment_is_as_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.deliver(ONE)
    really = MemoryClient.score

    def score(client: MemoryClient, url: str, *rest: Any) -> Any:
        lies = url == "memory://qa" and world.machine.shares["qa"].keys() != {first.id}
        answer = really(client, url, *rest)
        return (
            answer if not lies else type(answer)(predictions=None, release=answer.release, milliseconds=1.0, error="no")
        )

    monkeypatch.setattr(MemoryClient, "score", score)
    with pytest.raises(VerificationError):
        world.release(TWO)
    assert world.serving("qa") == first.id
    world.require_settled()
