"""Kills each delivering command after every single thing that it changes, and runs it again.

Counted are all changes that outlive a command: what is put into the store (versions, releases, events), what is done
to services and traffic, and every Git command that moves a ref or touches the work tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import git
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.adapters.processes import Completed
from mlops_ci.errors import ApprovalError, RolloutAborted
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery.world import Line, MemoryTarget, World

CHANGING = {"update-ref", "checkout", "rm"}
OLD, NEW = Line(slope=1.0), Line(slope=1.01)
SHIFTED = Line(slope=1.01, live=5.0)
BROKEN = Line(slope=1.01, starts=False)


class Killed(BaseException):
    """As a signal would: nothing but `finally` runs after it."""


class Death:
    """Counts what is changed, and kills after the change that it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes: list[str] = []
        self.after: int | None = None
        self._wrap(monkeypatch, LocalStore, "create", lambda store, path, data: f"create {path}")
        for name in ("start", "stop", "route"):
            self._wrap(monkeypatch, MemoryTarget, name, lambda target, *rest, name=name: name)
        really = git.run

        def run(args: Sequence[str], **more: Any) -> Completed:
            done = really(args, **more)
            if CHANGING & set(args):
                self._changed(" ".join(args[:3]))
            return done

        monkeypatch.setattr(git, "run", run)

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, kind: type, name: str, say: Callable[..., str]) -> None:
        really = getattr(kind, name)

        def wrapped(*arguments: Any) -> Any:
            result = really(*arguments)
            self._changed(say(*arguments))
            return result

        monkeypatch.setattr(kind, name, wrapped)

    def _changed(self, what: str) -> None:
        if "blobs/" in what:  # by digest, and of no consequence until something names it
            return
        self.changes.append(what)
        if self.after is not None and len(self.changes) == self.after:
            self.after = None
            raise Killed(what)

    def run(self, command: Callable[[], Any], *, after: int | None) -> bool:
        """Whether the command was killed."""
        self.changes, self.after = [], after
        try:
            command()
        except Killed:
            return True
        except (RolloutAborted, ApprovalError):
            pass
        finally:
            self.after = None
        return False


@dataclass(frozen=True)
class Story:
    """`prepare` leads up to the command; `again` is what a person would run after a kill."""

    prepare: Callable[[World], Mapping[str, Any]]
    command: Callable[[World, Mapping[str, Any]], Any]
    again: Callable[[World, Mapping[str, Any]], Any]


def _release(line: Line) -> Story:
    def prepare(world: World) -> Mapping[str, Any]:
        world.deliver(OLD)
        return {}

    def command(world: World, _: Mapping[str, Any]) -> None:
        world.release(line)

    return Story(prepare, command, command)


def _promote(line: Line, *, first: bool = False) -> Story:
    def prepare(world: World) -> Mapping[str, Any]:
        if not first:
            world.deliver(OLD)
        world.machine.recent = [{"x": 1.5 + n / 1000} for n in range(150)]
        return {"new": world.release(line)}

    def command(world: World, known: Mapping[str, Any]) -> None:
        world.promote(known["new"])

    return Story(prepare, command, command)


def _roll_back() -> Story:
    def prepare(world: World) -> Mapping[str, Any]:
        world.deliver(OLD)
        world.deliver(NEW)
        return {}

    def command(world: World, _: Mapping[str, Any]) -> None:
        roll_back(world.site(), reason="people complain")

    # not the command: killed after its very last event it has done its work, and would go back one more
    return Story(prepare, command, lambda world, _: world.reconcile())


STORIES = {
    "release": _release(NEW),
    "release of what does not start": _release(BROKEN),
    "promote": _promote(NEW),
    "promote what fails on live requests": _promote(SHIFTED),
    "promote the first": _promote(NEW, first=True),
    "rollback": _roll_back(),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_command_killed_after_any_change_is_finished_by_running_it_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = STORIES[name]
    before = World(tmp_path / "before")
    known = story.prepare(before)
    death = Death(monkeypatch)

    whole = before.copy(tmp_path / "whole")
    assert not death.run(lambda: story.command(whole, known), after=None)
    changes = list(death.changes)
    whole.require_settled()
    assert len(changes) > 5

    for number, what in enumerate(changes, start=1):
        world = before.copy(tmp_path / f"killed-{number}")
        assert death.run(lambda world=world: story.command(world, known), after=number), (number, what)  # type: ignore[misc]
        _finish(world, story, known, whole, death, reconciled=False)
        if number % 3 == 0:  # what people do as well: look after all environments first
            world = before.copy(tmp_path / f"reconciled-{number}")
            death.run(lambda world=world: story.command(world, known), after=number)  # type: ignore[misc]
            _finish(world, story, known, whole, death, reconciled=True)


def _finish(
    world: World, story: Story, known: Mapping[str, Any], whole: World, death: Death, *, reconciled: bool
) -> None:
    if reconciled:
        for name in world.names:
            world.reconcile(name)
        world.require_settled()
    assert not death.run(lambda: story.again(world, known), after=None)
    world.require_settled()
    assert [world.serving(name) for name in world.names] == [whole.serving(name) for name in whole.names]
    assert world.kinds("rollout-step") == whole.kinds("rollout-step")
    assert world.git("status", "--porcelain") == ""
    state, expected = (w.log.state("tides").environments["production"] for w in (world, whole))
    assert state.holds.keys() == expected.holds.keys()
