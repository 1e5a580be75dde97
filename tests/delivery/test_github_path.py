"""From a release to production and back on GitHub, by the commands as its runs start them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.cli.telling import PROMOTION_CHECK
from tests.delivery.github_world import GitHubWorld, on_github
from tests.delivery.world import MODEL, Line

OLD, NEW, SHIFTED = Line(slope=1.0), Line(slope=1.01), Line(slope=1.01, live=5.0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with on_github(tmp_path / "world") as made:
        yield made


def test_from_a_release_to_production_and_back(world: GitHubWorld) -> None:
    first = world.release(OLD)
    number = world.only_pull()

    waiting = world.promote_pull(number)

    assert waiting["outcome"] == "waiting"
    assert waiting["reasons"][0].startswith("0 of 1 required approvals")
    assert world.serving() is None
    assert world.check(PROMOTION_CHECK, world.head(number))[0] == "neutral"

    head = world.head(number)
    world.hub.review(number, "alice", "APPROVED")
    world.actor = "alice"
    promoted = world.promote_pull(number)

    assert (promoted["outcome"], promoted["release"]) == ("promoted", first.id)
    assert world.hub.pulls[number]["merged"]
    assert world.check(PROMOTION_CHECK, head) == ("success", "production: promoted")
    approved = next(event for event in world.log.read(MODEL) if event.kind == "approved")
    assert (approved.actor, approved.subject["by"], approved.subject["head"]) == ("alice", ["alice"], head)
    world.require_settled()

    second = world.release(NEW)
    number = world.only_pull()
    world.hub.review(number, "bob", "APPROVED")
    assert world.promote_pull(number)["previous"] == first.id
    back = world.run("rollback", "--reason", "users complain")

    assert (back["outcome"], back["release"], back["rejected"], back["revert"]) == (
        "rolled-back", first.id, second.id, None,
    )  # fmt: skip
    assert world.open_pulls() == {}
    assert world.hub.pulls[max(world.hub.pulls)]["head"]["ref"] == f"mlops-ci/revert/production/{MODEL}"
    assert world.deployed() == [
        ("", ["success", "inactive"]),
        ("tides version 2: users complain", ["success", "failure"]),
        ("tides version 1: back again", ["success"]),
    ]
    assert world.run("why", "--environment", "production")["release"] == first.id
    world.require_settled()
