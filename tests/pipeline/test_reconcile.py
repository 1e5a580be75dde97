"""Git, the log and what runs, brought together again after people, crashes and accidents."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.errors import ConfigurationError, OutsideError, VerificationError
from mlops_ci.pipeline.reconcile import settle_on
from tests.delivery.world import MODEL, Line, World

ONE, TWO = Line(slope=1.0), Line(slope=1.01)
FILE = f"environments/production/{MODEL}.yaml"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def edit(world: World, release: str) -> None:
    (world.root / "environments" / "production").mkdir(parents=True, exist_ok=True)
    (world.root / FILE).write_text(f"model: {MODEL}\nrelease: {release}\n")
    world.git("add", ".")
    world.git("commit", "-q", "-m", "by hand")


def test_nothing_to_do_is_done_without_an_event(world: World) -> None:
    assert world.reconcile().outcome == "nothing"
    world.deliver(ONE)
    events = world.kinds()
    assert [world.reconcile(name).outcome for name in world.names] == ["unchanged", "unchanged"]
    assert world.kinds() == events


def test_a_service_that_died_is_started_again(world: World) -> None:
    first = world.deliver(ONE)
    world.machine.running["production"].clear()
    assert world.reconcile().outcome == "restored"
    assert list(world.machine.running["production"]) == [first.id]
    world.require_settled()


def test_what_runs_beside_it_is_ended(world: World) -> None:
    first = world.deliver(ONE)
    world.machine.running["production"]["f" * 64] = TWO
    assert world.reconcile().outcome == "restored"
    assert list(world.machine.running["production"]) == [first.id]


@pytest.mark.parametrize("release", ["a" * 64, "unverified"])
def test_what_git_must_not_name_gets_no_traffic(world: World, release: str) -> None:
    first = world.deliver(ONE)
    if release == "unverified":
        release = world.register(TWO).id
    edit(world, release)
    with pytest.raises(VerificationError, match=r"not (registered|verified in qa)") as caught:
        world.reconcile()
    assert caught.value.where == FILE
    assert list(world.machine.running["production"]) == [first.id]
    assert world.serving() == first.id


def test_what_is_no_release_id_is_refused_with_its_line(world: World) -> None:
    edit(world, "v2")
    with pytest.raises(ConfigurationError, match="'v2' is no release id") as caught:
        world.reconcile()
    assert caught.value.where == f"{FILE}:2"


def test_a_file_that_is_gone_empties_no_environment(world: World) -> None:
    first = world.deliver(ONE)
    world.git("rm", "-q", FILE)
    world.git("commit", "-q", "-m", "oops")
    with pytest.raises(ConfigurationError, match=f"names no release, and release {first.id[:12]} serves"):
        world.reconcile()
    assert list(world.machine.running["production"]) == [first.id]
    world.git("revert", "--no-edit", "HEAD")
    assert world.reconcile().outcome == "unchanged"


def test_what_a_killed_rollout_left_has_no_traffic_once_it_may_not_serve(world: World) -> None:
    """Killed between two steps; then its verification is revoked: it must not keep its share."""
    first = world.deliver(ONE)
    second = world.release(TWO)
    edit(world, second.id)
    world.machine.running["production"][second.id] = TWO
    world.machine.shares["production"] = {first.id: 50, second.id: 50}
    world.site("qa").record("verification-revoked", release=second.id, reason="answers differ")
    with pytest.raises(VerificationError, match="answers differ"):
        world.reconcile()
    assert world.machine.shares["production"] == {first.id: 100}
    assert list(world.machine.running["production"]) == [first.id]


def test_a_first_rollout_that_git_has_forgotten_leaves_nothing_running(world: World) -> None:
    second = world.release(TWO)
    world.machine.running["production"] = {second.id: TWO}
    assert world.reconcile().outcome == "nothing"
    assert not world.machine.running["production"]


def test_git_that_changed_meanwhile_is_said(world: World) -> None:
    first = world.deliver(ONE)
    second = world.release(TWO)
    with world.site().exclusive(), pytest.raises(OutsideError, match="another release than version 2"):
        settle_on(world.site(), second)
    assert world.serving() == first.id


def test_what_answers_wrongly_at_its_address_is_taken_back_and_on_hold(world: World) -> None:
    """It answers its golden rows when it starts, and something else once it has all the traffic."""
    first = world.deliver(ONE)
    second = world.release(TWO)
    edit(world, second.id)
    assert world.reconcile().release == second.id
    state = world.log.state(MODEL).environments["production"]
    assert state.verified == {first.id, second.id}


def test_a_verification_that_fails_live_goes_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.delivery.world import MemoryTarget

    first = world.deliver(ONE)
    really = MemoryTarget.route

    def route(target: MemoryTarget, environment: str, model: str, shares: dict[str, int]) -> None:
        really(target, environment, model, shares)
        for release, line in target.machine.running["qa"].items():
            if release != first.id and environment == "qa":
                target.machine.running["qa"][release] = Line(slope=line.slope, lies=True)

    monkeypatch.setattr(MemoryTarget, "route", route)
    with pytest.raises(VerificationError, match="golden-rows"):
        world.release(TWO)
    assert world.kinds()[-4:] == ["deployed", "verification-revoked", "held", "rolled-back"]
    assert world.serving("qa") == first.id
    world.require_settled()


def test_a_first_release_that_fails_live_keeps_serving_and_is_not_eligible(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.delivery.world import MemoryClient

    monkeypatch.setattr(
        MemoryClient,
        "metadata",
        lambda client, url, model: {"inputs": [{"name": "y"}]} if url == "memory://qa" else {"inputs": [{"name": "x"}]},
    )
    with pytest.raises(VerificationError, match="metadata"):
        world.release(ONE)
    assert world.serving("qa") is not None
    assert not world.log.state(MODEL).environments["qa"].verified
    assert "no release before this one" in world.console.said[-1]
    monkeypatch.undo()
    world.release(ONE)
    world.require_settled()
