"""Repositories whose main branch nobody may push to: what the commands propose there, and what the merge sets going."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.pipeline.release import deploy
from tests.delivery.github_world import GitHubWorld, on_github
from tests.delivery.world import MODEL, Line

OLD, NEW = Line(slope=1.0), Line(slope=1.01)
GATE = "model / gate"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with on_github(tmp_path / "world") as made:
        yield made


def test_a_deployment_that_people_have_to_merge_is_finished_by_reconcile(world: GitHubWorld) -> None:
    world.hub.protect("main", reviews=1)
    before = world.git("rev-parse", "origin/main")
    made = world.register(OLD)

    change = deploy(world.site("qa"), made)

    number = world.only_pull()
    assert (change.outcome, change.proposed, change.release) == ("proposed", number, None)
    assert world.open_pulls() == {f"mlops-ci/deploy/qa/{MODEL}": number}
    assert world.machine.running == {}
    assert deploy(world.site("qa"), made).proposed == number  # once more: the same one
    assert len(world.hub.pulls) == 1
    waiting = next(row for row in world.run("status")["environments"] if row["environment"] == "qa")["promotion"]
    assert (waiting["pull_request"], waiting["version"], waiting["missing"]) == (number, 1, 0)

    world.hub.review(number, "alice", "APPROVED")
    world.hub.merge(number, "alice")
    done = world.run("reconcile", "--since", before)

    assert [(one["environment"], one["outcome"]) for one in done["changes"]] == [("qa", "deployed")]
    assert done["errors"] == []
    assert world.serving("qa") == made.id
    assert world.open_pulls() == {f"mlops-ci/promote/production/{MODEL}": done["changes"][0]["pull_request"]}
    assert made.id in world.log.state(MODEL).environments["qa"].verified
    assert world.deployed("qa") == [("tides version 1", ["success"])]


def test_a_deployment_that_only_has_to_be_a_pull_request_is_merged_at_once(world: GitHubWorld) -> None:
    world.hub.protect("main", checks=[GATE])

    made = world.release(OLD)

    assert world.serving("qa") == made.id
    merged = [pull for pull in world.hub.pulls.values() if pull["merged"]]
    assert [pull["head"]["ref"] for pull in merged] == [f"mlops-ci/deploy/qa/{MODEL}"]
    world.require_settled()


def test_people_who_close_a_deployment_are_not_asked_again(world: GitHubWorld) -> None:
    world.hub.protect("main", reviews=1)
    made = world.register(OLD)
    number = deploy(world.site("qa"), made).proposed or 0
    world.hub.close(number, "alice")

    again = deploy(world.site("qa"), made)

    assert (again.outcome, again.proposed, again.reasons) == ("proposed", number, ("people closed pull request 1",))
    newer = deploy(world.site("qa"), world.register(NEW))  # of that they have said nothing
    assert world.open_pulls() == {f"mlops-ci/deploy/qa/{MODEL}": newer.proposed}


def test_a_deployment_that_main_needs_no_more_is_closed(world: GitHubWorld) -> None:
    world.hub.protect("main", reviews=1)
    made = world.register(OLD)
    deploy(world.site("qa"), made)
    number = world.only_pull()

    world.run("hold", "--environment", "qa", "--release", made.id, "--reason", "it is wrong")

    assert world.open_pulls() == {}
    assert world.hub.pulls[number]["state"] == "closed"
    assert "on hold in qa" in world.hub.comments[-1]["body"]


def test_a_rollback_whose_revert_waits_for_people(world: GitHubWorld) -> None:
    first = world.release(OLD)
    world.hub.review(world.only_pull(), "alice", "APPROVED")
    world.promote_pull(world.only_pull())
    second = world.release(NEW)
    world.hub.review(world.only_pull(), "alice", "APPROVED")
    world.promote_pull(world.only_pull())
    world.hub.protect("main", reviews=1)

    back = world.run("rollback", "--reason", "users complain")

    number = world.only_pull()
    assert (back["outcome"], back["release"], back["revert"]) == ("rolled-back", first.id, number)
    assert (world.desired(), world.serving()) == (second.id, first.id)
    assert world.run("reconcile", "--environment", "production")["outcome"] == "reverting"
    assert world.hub.pulls[number]["mergeable_state"] != "dirty"
    assert world.check(GATE, world.head(number))[0] == "success"

    world.hub.review(number, "bob", "APPROVED")
    world.hub.merge(number, "bob")

    assert world.run("reconcile", "--environment", "production")["outcome"] == "unchanged"
    assert world.desired() == first.id
    world.require_settled()


def test_the_forge_has_rules_of_its_own(world: GitHubWorld) -> None:
    """mlops.yaml asks for one approval, and the branch for two."""
    world.release(OLD)
    number = world.only_pull()
    world.hub.protect("main", reviews=2)
    world.hub.review(number, "alice", "APPROVED")

    waiting = world.promote_pull(number)

    assert waiting["outcome"] == "waiting"
    assert "review" in waiting["reasons"][0]
    world.hub.review(number, "bob", "APPROVED")
    assert world.promote_pull(number)["outcome"] == "promoted"
    world.require_settled()


def test_the_token_of_a_run_brings_its_own_check_and_that_of_an_app_does_not(world: GitHubWorld) -> None:
    world.release(OLD)
    assert world.check(GATE, world.head(world.only_pull())) == ("success", "No model is touched")

    world.hub.close(world.only_pull(), "alice")
    world.starts_workflows = True
    world.release(NEW)

    assert world.check(GATE, world.head(world.only_pull())) == ("", "")


def test_what_others_pushed_to_the_branch_gets_no_check(world: GitHubWorld) -> None:
    world.release(OLD)
    branch = f"mlops-ci/promote/production/{MODEL}"
    pushed = world.commit_file("train.py", "import os\n", branch=branch)

    world.forge.propose(branch=branch, base="main", title="Promote", body="words")  # as a command that was overtaken

    assert world.check(GATE, pushed) == ("", "")
    assert any("so it gets no check" in said for said in world.console.said)
