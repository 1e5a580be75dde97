"""The way back: chosen, refused, repeated, and with services that have died meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, ConfigurationError, RolloutAborted, VerificationError
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.hold import hold
from mlops_ci.pipeline.rollback import roll_back
from mlops_ci.pipeline.status import status
from tests.delivery.watched import Killed
from tests.delivery.world import MODEL, Calendar, Line, MemoryTarget, World

ONE, TWO, THREE = Line(slope=1.0), Line(slope=1.01), Line(slope=1.02)
SHIFTED = Line(slope=1.01, live=5.0)


def back(world: World, to: str | None = None) -> Change:
    return roll_back(world.site(), reason="people complain", to=to)


def test_a_rollback_serves_what_served_before_and_git_says_so(world: World) -> None:
    first, second = world.deliver(ONE), world.deliver(TWO)
    change = back(world)
    assert (change.outcome, change.previous, change.release) == ("rolled-back", second.id, first.id)
    world.require_settled()
    assert "people complain" in world.git("log", "-1", "--format=%B")
    with pytest.raises(ApprovalError, match="people complain"):
        world.promote(second)


def test_a_rollback_is_never_rolled_back(world: World) -> None:
    first = world.deliver(ONE)
    second = world.deliver(TWO)
    world.deliver(THREE)
    assert back(world).release == second.id
    assert back(world).release == first.id
    with pytest.raises(ConfigurationError, match="no other release that production could go back to"):
        back(world)
    world.require_settled()


def test_there_is_no_way_back_from_the_first_release(world: World) -> None:
    with pytest.raises(ConfigurationError, match="no other release"):
        back(world)
    world.deliver(ONE)
    with pytest.raises(ConfigurationError, match="no other release"):
        back(world)
    world.require_settled()


def test_a_release_to_go_back_to_may_be_named(world: World) -> None:
    first, second, third = world.deliver(ONE), world.deliver(TWO), world.deliver(THREE)
    other = world.release(Line(slope=1.03))
    with pytest.raises(ConfigurationError, match="never served"):
        back(world, other.id)
    world.site().record("held", release=second.id, reason="not this one")
    with pytest.raises(ApprovalError, match="not this one"):
        back(world, second.id)
    assert back(world, first.id).rejected == third.id
    with pytest.raises(ConfigurationError, match="no other release"):
        back(world, first.id)
    with pytest.raises(ConfigurationError, match="was taken back"):
        back(world, third.id)
    world.require_settled()


def test_what_is_not_eligible_any_more_is_not_gone_back_to(world: World) -> None:
    first = world.deliver(ONE)
    world.deliver(TWO)
    world.site("qa").record("verification-revoked", release=first.id, reason="wrong")
    with pytest.raises(ConfigurationError, match="no other release"):
        back(world)
    with pytest.raises(VerificationError, match="revoked"):
        back(world, first.id)


def test_an_aborted_rollout_takes_traffic_and_git_back_and_holds_the_release(world: World) -> None:
    first = world.deliver(ONE)
    world.machine.recent = [{"x": 1.5 + n / 1000} for n in range(150)]
    second = world.release(SHIFTED)
    change = world.promote(second)
    assert (change.outcome, change.release, change.rejected) == ("aborted", first.id, second.id)
    assert "the answer is" in change.reasons[0]
    world.require_settled()
    with pytest.raises(ApprovalError, match="on hold"):
        world.promote(second)
    assert world.kinds()[-3:] == ["rollout-step", "rollout-aborted", "rolled-back"]


def test_a_person_who_names_what_is_on_hold_is_put_right(world: World) -> None:
    first, second = world.deliver(ONE), world.deliver(TWO)
    back(world)
    world.git("revert", "--no-edit", "-m", "1", "HEAD")
    assert world.desired() == second.id
    change = world.reconcile()
    assert (change.outcome, change.release) == ("aborted", first.id)
    assert "on hold: people complain" in change.reasons[0]
    world.require_settled()


def test_a_release_that_does_not_start_is_taken_back_in_the_first_environment(world: World) -> None:
    first = world.deliver(ONE)
    with pytest.raises(RolloutAborted, match="no such library"):
        world.release(Line(slope=2.0, starts=False))
    assert world.serving("qa") == first.id
    world.require_settled()
    with pytest.raises(ApprovalError, match="no such library"):
        world.release(Line(slope=2.0, starts=False))
    assert world.count("rollout-aborted") == 1


def test_a_first_release_that_does_not_start_leaves_nothing(world: World) -> None:
    with pytest.raises(RolloutAborted):
        world.release(Line(starts=False))
    world.require_settled()
    assert (world.serving("qa"), world.desired("qa")) == (None, None)
    assert world.release(ONE).id == world.serving("qa")


def test_the_way_back_starts_what_has_died_meanwhile(world: World) -> None:
    first = world.deliver(ONE)
    world.deliver(TWO)
    world.machine.running["production"].clear()
    assert back(world).release == first.id
    world.require_settled()


class Dying(MemoryTarget):
    """The victims die as soon as the traffic is divided."""

    victims: frozenset[str] = frozenset()

    def route(self, environment: str, model: str, shares: Mapping[str, int]) -> None:
        super().route(environment, model, shares)
        for victim in self.victims if len(shares) > 1 else ():
            del self.machine.running[environment][victim]


def test_a_new_release_that_dies_in_the_rollout_is_taken_back_though_nobody_asks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.deliver(ONE)
    second = world.release(TWO)
    monkeypatch.setattr(Dying, "victims", {second.id})
    monkeypatch.setattr("tests.delivery.world.MemoryTarget", Dying)
    change = world.promote(second)
    assert (change.outcome, change.release) == ("aborted", first.id)
    assert "the service of version 2 has ended" in change.reasons[0]
    world.require_settled()


def test_stable_that_dies_in_the_rollout_is_started_again_for_the_abort(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.deliver(ONE)
    second = world.release(TWO)
    monkeypatch.setattr(Dying, "victims", {first.id, second.id})
    monkeypatch.setattr("tests.delivery.world.MemoryTarget", Dying)
    assert world.promote(second).release == first.id
    world.require_settled()


def test_without_a_way_back_no_rollout_begins(world: World) -> None:
    first = world.deliver(ONE)
    world.machine.running["production"][first.id] = Line(slope=3.0)
    second = world.release(TWO)
    with pytest.raises(VerificationError, match="rollback drill failed") as caught:
        world.promote(second)
    assert list(world.machine.running["production"]) == [first.id], "nothing else was started"
    assert f"mlops-ci hold {MODEL}" in caught.value.fix
    world.site().record("held", release=first.id, reason="broken")
    assert world.promote(second).outcome == "promoted"
    world.require_settled()


def killed_rollout(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[Release, Release]:
    """The second release has 10 % of the traffic, and nobody looks at it any more."""

    def kill(_clock: Calendar, _seconds: float) -> None:
        raise Killed

    first, second = world.deliver(ONE), world.release(TWO)
    with monkeypatch.context() as patch:
        patch.setattr(Calendar, "sleep", kill)
        with pytest.raises(Killed):
            world.promote(second)
    assert set(world.machine.shares["production"]) == {first.id, second.id}
    return first, second


@pytest.mark.parametrize("named", [False, True])
def test_a_rollback_in_the_middle_of_a_rollout_ends_it(
    world: World, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    first, second = killed_rollout(world, monkeypatch)
    change = back(world, first.id if named else None)
    assert (change.outcome, change.release, change.rejected) == ("rolled-back", first.id, second.id)
    assert world.kinds("promotion-closed")[-2:] == ["rollout-aborted", "rolled-back"]
    assert world.desired() == first.id
    with pytest.raises(ConfigurationError, match="no other release"):
        back(world)
    world.require_settled()


def test_a_rollback_further_back_ends_the_rollout_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    zero = world.deliver(THREE)
    first, second = killed_rollout(world, monkeypatch)
    change = back(world, zero.id)
    assert (change.release, change.rejected) == (zero.id, first.id)
    assert world.log.state(MODEL).environments["production"].holds.keys() == {first.id, second.id}
    world.require_settled()


def test_a_hold_ends_a_rollout_that_was_killed_and_the_log_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = killed_rollout(world, monkeypatch)
    world.site().record("rollout-step", release=second.id, share=10, outcome="continue", reasons=[])
    found = status(world.site()).rollout
    assert found is not None
    assert (found.release, found.version, found.share, found.outcome) == (second.id, 2, 10, "continue")
    assert hold(world.site(), second, reason="stop")
    assert status(world.site()).rollout is None
    change = world.reconcile()
    assert (change.outcome, change.release) == ("aborted", first.id)
    assert world.kinds()[-3:] == ["held", "rollout-aborted", "rolled-back"]
    world.require_settled()


def test_a_hold_while_it_is_rolled_out_stops_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = world.deliver(ONE), world.release(TWO)
    really = Calendar.sleep

    def sleep(clock: Calendar, seconds: float) -> None:
        really(clock, seconds)
        hold(world.site(), second, reason="stop")

    monkeypatch.setattr(Calendar, "sleep", sleep)
    change = world.promote(second)
    assert (change.outcome, change.release) == ("aborted", first.id)
    assert change.reasons == ("it was put on hold: stop",)
    assert [(step.share, step.outcome) for step in change.steps] == [(10, "abort")]
    world.require_settled()


def test_an_unverified_release_is_not_gone_back_to(world: World) -> None:
    """It served, and nobody ever found out whether well: killed before its verification."""
    first, second = world.deliver(ONE), world.register(TWO)
    world.site().record("promoted", release=second.id, previous=first.id, commit="c", url="u")
    world.deliver(THREE)
    assert back(world).release == first.id
    with pytest.raises(ConfigurationError, match="was taken back"):
        back(world, second.id)
