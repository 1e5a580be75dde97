"""Git, the log and what runs, brought together again after people, crashes and accidents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.core.load import Traffic
from mlops_ci.errors import ConfigurationError, OutsideError, VerificationError
from mlops_ci.pipeline.reconcile import settle_on
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Reply
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

    really = MemoryClient.metadata

    def metadata(client: MemoryClient, url: str, model: str) -> dict[str, Any]:
        return {**really(client, url, model), **({"inputs": []} if url == "memory://qa" else {})}

    monkeypatch.setattr(MemoryClient, "metadata", metadata)
    with pytest.raises(VerificationError, match="metadata"):
        world.release(ONE)
    assert world.serving("qa") is not None
    assert not world.log.state(MODEL).environments["qa"].verified
    assert "no release before this one" in world.console.said[-1]
    monkeypatch.undo()
    world.release(ONE)
    world.require_settled()


def test_what_fails_its_verification_before_it_has_traffic_is_exit_13_in_the_first_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.delivery.world import MemoryClient

    first = world.deliver(ONE)
    really = MemoryClient.metadata

    def metadata(client: MemoryClient, url: str, model: str) -> dict[str, Any]:
        found = dict(really(client, url, model))
        ours = found["properties"]["release"] == first.id
        return found if ours else {**found, "properties": {**found["properties"], "model_digest": "0" * 64}}

    monkeypatch.setattr(MemoryClient, "metadata", metadata)
    with pytest.raises(VerificationError, match="wrong-model") as caught:
        world.release(TWO)
    assert [problem.name for problem in caught.value.problems] == ["wrong-model"]
    aborted = next(event for event in world.log.read(MODEL) if event.kind == "rollout-aborted")
    assert [check["name"] for check in failed_checks(world, aborted.evidence[0])] == ["wrong-model"]
    assert world.serving("qa") == first.id
    world.require_settled()


def failed_checks(world: World, digest: str) -> list[dict[str, Any]]:
    return [check for check in Registry(world.store).get_json(digest)["checks"] if not check["ok"]]


@pytest.mark.parametrize("fault", ["slow service", "slow prober"])
def test_a_slow_service_is_taken_back_and_a_slow_prober_blames_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    from tests.delivery.world import MemoryClient

    first = world.deliver(ONE)
    really = MemoryClient.load

    def load(client: MemoryClient, *arguments: Any) -> Traffic:
        traffic = really(client, *arguments)
        late = 0.5 if fault == "slow prober" else 0.0
        slow = [replace(each, sent=each.sent + late, done=each.done + 0.5) for each in traffic.sent]
        return replace(traffic, sent=slow)

    monkeypatch.setattr(MemoryClient, "load", load)
    with pytest.raises(VerificationError if fault == "slow service" else OutsideError) as caught:
        world.release(TWO)
    (name,) = [problem.name for problem in caught.value.problems]
    if fault == "slow service":
        assert name == "latency"
        revoked = next(event for event in world.log.read(MODEL) if event.kind == "verification-revoked")
        assert [check["name"] for check in failed_checks(world, revoked.evidence[0])] == ["latency"]
        assert world.serving("qa") == first.id
    else:
        assert name == "rate"
        assert "verification-revoked" not in world.kinds()
        second = world.serving("qa")
        assert second not in (None, first.id)
        assert second not in world.log.state(MODEL).environments["qa"].verified, "nobody knows yet"
        monkeypatch.undo()
        world.release(TWO)
        assert second in world.log.state(MODEL).environments["qa"].verified
    world.require_settled()


@pytest.mark.parametrize("runs", [True, False])
def test_an_address_that_does_not_answer_is_the_releases_fault_only_where_its_service_runs(
    world: World, monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    from tests.delivery.world import MemoryClient, MemoryTarget

    first = world.deliver(ONE)
    really = MemoryClient.ask

    def ask(client: MemoryClient, url: str, path: str, **more: Any) -> Reply:
        if url != "memory://qa":
            return really(client, url, path, **more)
        return Reply(failure="connection refused: nothing listens there", reached=False)

    monkeypatch.setattr(MemoryClient, "ask", ask)
    if not runs:
        monkeypatch.setattr(MemoryTarget, "instances", lambda *_: [])
    with pytest.raises(VerificationError if runs else OutsideError) as caught:
        world.release(TWO)
    monkeypatch.undo()
    if runs:
        assert [problem.name for problem in caught.value.problems] == ["health"]
        assert world.serving("qa") == first.id
    else:
        assert "does not run in qa" in caught.value.what
        assert "mlops-ci reconcile" in caught.value.fix
        assert "verification-revoked" not in world.kinds()
        world.release(TWO)
    world.require_settled()
