"""Kills what looks after pull requests, holds and later failures after every change that it makes, and runs it again.

As `test_crashes`, with the store and Git in memory: many stories, each killed at each of its changes, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from mlops_ci.adapters.local_forge import LocalForge
from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, RolloutAborted, VerificationError
from mlops_ci.pipeline.hold import hold, propose_again, release_hold
from mlops_ci.pipeline.live_verification import reverify
from mlops_ci.pipeline.revert import REVERTS
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery.test_reverts import ProtectedForge
from tests.delivery.watched import Interruption, Killed, WatchedWorld
from tests.delivery.world import MODEL, Line

ONE, TWO, THREE = Line(slope=1.0), Line(slope=1.01), Line(slope=1.02)
ONCE = ("promotion-closed", "rolled-back", "held", "hold-released", "rollout-aborted", "verification-revoked")
Known = Mapping[str, Release]


class World(WatchedWorld):
    protected = False

    @property
    def forge(self) -> LocalForge:
        return (ProtectedForge if self.protected else LocalForge)(self.repository, self.clock)

    def spoil(self, name: str) -> None:
        serving = self.serving(name)
        assert serving is not None
        self.machine.running[name][serving] = Line(slope=1.0, lies=True)


class ProtectedWorld(World):
    protected = True


@dataclass(frozen=True)
class Story:
    """`prepare` leads up to the command; `again` is what a person, or the next job, would run after a kill."""

    prepare: Callable[[World], Known]
    command: Callable[[World, Known], Any]
    again: Callable[[World, Known], Any]
    world: type[World] = World


def two(world: World) -> Known:
    return {"one": world.deliver(ONE), "two": world.deliver(TWO)}


def proposed(world: World) -> Known:
    return {"one": world.deliver(ONE), "two": world.release(TWO)}


def spoilt(world: World) -> Known:
    known = proposed(world)
    world.spoil("qa")
    return known


def on_hold(world: World) -> Known:
    known = proposed(world)
    hold(world.site(), known["two"], reason="wait")
    return known


def broken_next(world: World) -> Known:
    known = proposed(world)
    world.machine.running["production"][known["two"].id] = Line(slope=1.01, lies=True)
    return known


def rolling_out(world: World) -> Known:
    """Killed when the new release had its first traffic."""
    known = proposed(world)
    number = 0
    while len(world.machine.shares["production"]) < 2:
        number += 1
        run(world, lambda world, known: world.promote(known["two"]), known, after=number)
    return known


def look_after(world: World, _known: Known | None = None) -> None:
    for name in world.names:
        with suppress(VerificationError, ApprovalError):
            world.reconcile(name)


def lift(world: World, known: Known) -> None:
    release_hold(world.site(), known["two"], reason="go on")
    propose_again(world.site(), known["two"])


STORIES = {
    "rollback that people have to merge": Story(
        two, lambda world, _: roll_back(world.site(), reason="worse"), look_after, ProtectedWorld
    ),
    "abort that people have to merge": Story(
        broken_next, lambda world, known: world.promote(known["two"]),
        lambda world, known: world.promote(known["two"]), ProtectedWorld,
    ),
    "rollback": Story(two, lambda world, _: roll_back(world.site(), reason="worse"), look_after),
    "verification that is revoked": Story(
        spoilt, lambda world, _: reverify(world.site("qa")), lambda world, _: reverify(world.site("qa"))
    ),
    "hold": Story(
        proposed, lambda world, known: hold(world.site(), known["two"], reason="wait"),
        lambda world, known: hold(world.site(), known["two"], reason="wait"),
    ),
    "hold that is lifted": Story(
        on_hold, lift, lift,
    ),
    "a newer release takes the proposal over": Story(
        proposed, lambda world, _: world.release(THREE), lambda world, _: world.release(THREE)
    ),
    "rollback in the middle of a rollout": Story(
        rolling_out, lambda world, _: roll_back(world.site(), reason="stop it"), look_after
    ),
}  # fmt: skip


def outcome(world: World) -> Any:
    """What has to be the same however often it was killed on the way."""
    state = world.log.state(MODEL)
    return {
        "serving": {name: world.serving(name) for name in world.names},
        "desired": {name: world.desired(name) for name in world.names},
        "holds": {name: set(place.holds) for name, place in state.environments.items()},
        "revoked": {name: set(place.revoked) for name, place in state.environments.items()},
        "open": [(pull.branch, pull.title) for pull in world.forge.open_pull_requests("")],
        "once": {kind: world.count(kind) for kind in ONCE},
    }


def run(world: World, command: Callable[[World, Known], Any], known: Known, *, after: int | None) -> bool:
    """Whether it was killed."""
    world.interrupting.changes.clear()
    world.interrupting.due = Interruption("killed", after) if after is not None else None
    try:
        command(world, known)
    except Killed:
        return True
    except (RolloutAborted, ApprovalError, VerificationError):
        pass
    finally:
        world.interrupting.due = None
        world.machine.at_work.clear()
    return False


@pytest.mark.parametrize("name", STORIES)
def test_what_is_killed_after_any_change_is_finished_by_running_it_again(name: str) -> None:
    story = STORIES[name]
    whole = story.world()
    known = story.prepare(whole)
    assert not run(whole, story.command, known, after=None)
    changes = list(whole.interrupting.changes)
    look_after(whole)
    expected = outcome(whole)
    assert changes

    for number, what in enumerate(changes, start=1):
        world = story.world()
        known = story.prepare(world)
        assert run(world, story.command, known, after=number), (number, what)
        assert not run(world, story.again, known, after=None)
        look_after(world)
        assert outcome(world) == expected, (number, what)
        events = world.kinds()
        look_after(world)
        assert world.kinds() == events, "what is settled is left alone"
        reverts = world.forge.open_pull_requests(REVERTS)
        assert len(reverts) == (1 if story.world.protected else 0)
        for pull in reverts:
            world.forge.review(pull.number, reviewer="grace", commit=pull.head, approve=True)
        look_after(world)
        assert [world.desired(each) for each in world.names] == [world.serving(each) for each in world.names]
        assert not world.verified_log()
