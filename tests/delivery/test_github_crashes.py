"""Kills each command on GitHub over and over, each time after the first change that it was not killed after yet, until
it comes to its end.

Counted are all changes that outlive a command: what is put into the store, what is done to services and traffic, and
every request that is no question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.local_store import LocalStore
from tests.delivery.github_world import GitHubWorld, on_github
from tests.delivery.world import MODEL, Line, MemoryTarget

OLD, NEW = Line(slope=1.0), Line(slope=1.01)
MOST = 60


class Killed(BaseException):
    """As a signal would: nothing but `finally` runs after it."""


class Death:
    """Kills after each change once, where it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.killed_after: list[str] = []
        self.armed = False
        self._wrap(monkeypatch, LocalStore, "create", lambda _store, path, _data: "" if "blobs/" in path else path)
        for name in ("start", "stop", "route"):
            self._wrap(monkeypatch, MemoryTarget, name, lambda *_, name=name, **__: name)
        self._wrap(
            monkeypatch, GitHubApi, "ask", lambda _api, *what, **_: "" if what[0] == "GET" else " ".join(what[:2])
        )

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, kind: type, name: str, say: Callable[..., str]) -> None:
        really = getattr(kind, name)

        def wrapped(*arguments: Any, **more: Any) -> Any:
            result = really(*arguments, **more)
            self._changed(say(*arguments, **more))
            return result

        monkeypatch.setattr(kind, name, wrapped)

    def _changed(self, what: str) -> None:
        if what and self.armed and what not in self.killed_after:
            self.killed_after.append(what)
            raise Killed(what)

    def over_and_over(self, command: Callable[[], object]) -> list[str]:
        """After what it was killed, in turn, until it was not."""
        self.killed_after, self.armed = [], True
        for _ in range(MOST):
            try:
                command()
            except Killed:
                continue
            self.armed = False
            return self.killed_after
        raise AssertionError(f"it never ends: {self.killed_after}")


def _asked(_api: GitHubApi, method: str, path: str, *_: object, **__: object) -> str:
    return "" if method == "GET" else f"{method} {path}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with on_github(tmp_path / "world") as made:
        yield made


@pytest.fixture
def death(monkeypatch: pytest.MonkeyPatch) -> Death:
    return Death(monkeypatch)


def test_a_release_that_is_killed_over_and_over(world: GitHubWorld, death: Death) -> None:
    world.hub.protect("main", checks=["model / gate"])

    killed = death.over_and_over(lambda: world.release(OLD))

    assert {"PUT /repos/acme/models/pulls/1/merge", "start", "route", "POST /repos/acme/models/pulls"} <= {*killed}
    assert len(killed) >= 12
    assert {number: pull["state"] for number, pull in world.hub.pulls.items()} == {1: "closed", 2: "open"}
    assert world.hub.pulls[1]["merged"]
    assert world.check("model / gate", world.head(2))[0] == "success"
    assert Counter(world.kinds()) == dict.fromkeys(("registered", "deployed", "verified", "promotion-opened"), 1)
    world.require_settled()


def test_a_promotion_that_is_killed_over_and_over(world: GitHubWorld, death: Death) -> None:
    made = world.release(OLD)
    world.hub.review(1, "alice", "APPROVED")

    killed = death.over_and_over(lambda: world.promote_pull(1))

    assert len(killed) >= 5
    assert world.serving() == made.id
    assert (world.count("promoted"), world.count("approved")) == (1, 1)
    assert world.check("mlops-ci promotion", world.head(1))[0] == "success"
    world.require_settled()


def test_a_rollback_that_is_killed_over_and_over(tmp_path: Path, death: Death) -> None:
    with on_github(tmp_path / "world", approvals="{required: 0}") as world:
        first, second = world.deliver(OLD), world.deliver(NEW)
        assert world.serving() == second.id

        def back() -> None:  # a second rollback would go back one more: `reconcile` finishes what was begun
            begun = world.count("held")
            world.run(*("reconcile", "--environment", "production") if begun else ("rollback", "--reason", "slow"))

        killed = death.over_and_over(back)

        assert len(killed) >= 4
        assert world.serving() == first.id
        assert world.count("rolled-back") == 1
        branch = f"mlops-ci/revert/production/{MODEL}"
        reverts = [pull for pull in world.hub.pulls.values() if pull["head"]["ref"] == branch]
        assert [pull["merged"] for pull in reverts] == [True]
        world.require_settled()
