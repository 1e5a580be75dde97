"""From a release to production and back on GitLab and on Azure DevOps, by the commands as pipelines start them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.git_remote import GitRemote
from mlops_ci.adapters.processes import Completed
from mlops_ci.adapters.rest_connection import Connection
from mlops_ci.cli.telling import PROMOTION_CHECK
from mlops_ci.ports import Reply
from tests.delivery.forge_world import ForgeWorld, on_azure_devops, on_gitlab
from tests.delivery.test_github_weather import WEATHER
from tests.delivery.world import MODEL, Line

OLD, NEW = Line(slope=1.0), Line(slope=1.01)
FORGES = {"gitlab": on_gitlab, "azure-devops": on_azure_devops}


@pytest.fixture(params=FORGES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForgeWorld]:
    with FORGES[request.param](tmp_path / "world") as made:
        yield made


def test_from_a_release_to_production_and_back(world: ForgeWorld) -> None:
    first = world.release(OLD)
    number = world.only_pull()

    waiting = world.promote_pull(number)

    assert waiting["outcome"] == "waiting"
    assert waiting["reasons"][0].startswith("0 of 1 required approvals")
    assert world.serving() is None
    head = world.head(number)
    assert world.check(PROMOTION_CHECK, head)[1].startswith("waiting: ")

    world.people_say(number, "alice")
    world.actor = "alice"
    promoted = world.promote_pull(number)

    assert (promoted["outcome"], promoted["release"]) == ("promoted", first.id)
    assert world.merged(number)
    assert world.check(PROMOTION_CHECK, head) == ("success", "production: promoted")
    approved = next(event for event in world.log.read(MODEL) if event.kind == "approved")
    assert (approved.actor, approved.subject["by"], approved.subject["head"]) == ("alice", [world.login("alice")], head)
    world.require_settled()

    second = world.release(NEW)
    number = world.only_pull()
    world.people_say(number, "bob")
    assert world.promote_pull(number)["previous"] == first.id
    back = world.run("rollback", "--reason", "users complain")

    assert (back["outcome"], back["release"], back["rejected"], back["revert"]) == (
        "rolled-back", first.id, second.id, None,
    )  # fmt: skip
    assert world.open_pulls() == {}
    assert world.run("why", "--environment", "production")["release"] == first.id
    assert [status for _, status in world.deployed()] == ["success", "failed", "success"]
    world.require_settled()


def test_an_approval_is_of_one_commit_and_never_the_author_s_or_the_last_pusher_s(world: ForgeWorld) -> None:
    world.release(OLD)
    number, branch = world.only_pull(), f"mlops-ci/promote/production/{MODEL}"
    world.people_say(number, "alice")
    before = world.head(number)
    world.hub.pusher = "dana"
    world.commit_file("README.md", "new\n", branch=branch)
    world.hub.pusher = "dana"
    refused = world.promote_pull(number, code=14)  # it changes more than the line now
    assert "README.md" in str(refused)
    again = world.git("commit-tree", f"{before}^{{tree}}", "-p", f"{before}^", "-m", "the same, by somebody else")
    world.git("push", "-q", "--force", "origin", f"{again}:refs/heads/{branch}")
    world.people_say(number, "bob")

    # Somebody may still have had the page with the commit before: within the notice nobody's approval counts.
    waiting = world.promote_pull(number)
    assert waiting["outcome"] == "waiting"
    assert sum("not what the pull request shows now" in reason for reason in waiting["reasons"]) == 2

    world.hub.later(60)
    world.people_say(number, "dana")
    waiting = world.promote_pull(number)
    assert waiting["outcome"] == "waiting"
    assert any(reason.endswith("pushed the last commit") for reason in waiting["reasons"])

    world.people_say(number, "bob", "request_changes")
    world.people_say(number, "alice")
    waiting = world.promote_pull(number)
    assert waiting["outcome"] == "waiting"
    assert "asks for changes" in waiting["reasons"][0]

    world.people_say(number, "bob")
    assert world.promote_pull(number)["outcome"] == "promoted"
    world.require_settled()


def test_the_author_and_a_stranger_do_not_count(world: ForgeWorld) -> None:
    world.release(OLD)
    number = world.only_pull()
    world.people_say(number, world.robot)
    if "erin" in world.hub.accounts:  # on Azure DevOps nobody votes who may not contribute
        world.people_say(number, "erin")
    waiting = world.promote_pull(number)
    assert waiting["outcome"] == "waiting"
    assert any(reason.endswith("is a bot") for reason in waiting["reasons"])
    if "erin" in world.hub.accounts:
        assert any("may not write to the repository" in reason for reason in waiting["reasons"])


def test_a_fork_s_branch_of_our_name_is_no_promotion(world: ForgeWorld) -> None:
    world.release(OLD)
    ours, branch = world.only_pull(), f"mlops-ci/promote/production/{MODEL}"
    theirs = world.propose_from_fork("mallory", branch, world.head(ours))
    assert theirs != ours
    world.people_say(theirs, "alice")
    assert world.promote_pull(theirs)["outcome"] == "not-a-promotion"
    world.people_say(ours, "alice")
    assert world.promote_pull(ours)["outcome"] == "promoted"
    world.require_settled()


def test_a_main_branch_that_nobody_may_push_to(world: ForgeWorld) -> None:
    world.hub.protected.add("main")
    first = world.release(OLD)  # the line of the first environment comes by a merge request, too
    number = world.only_pull()
    world.people_say(number, "alice")
    assert world.promote_pull(number)["release"] == first.id
    world.require_settled()


def test_every_request_and_every_push_goes_wrong_once(world: ForgeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    really, really_git = Connection.ask, GitRemote._run
    seen: Counter[tuple[object, ...]] = Counter()

    def ask(connection: Connection, method: str, path: str, *, body: bytes | None) -> Reply:
        def send() -> Reply:
            return really(connection, method, path, body=body)

        seen[method, path, body] += 1
        return WEATHER[len(seen) % len(WEATHER)](send) if seen[method, path, body] == 1 else send()

    def run(remote: GitRemote, *arguments: str) -> Completed:
        seen[arguments] += 1
        if seen[arguments] > 1:
            return really_git(remote, *arguments)
        if len(seen) % 2:  # done, and the answer was lost
            really_git(remote, *arguments)
        return Completed(args=arguments, code=128, stdout=b"", stderr="fatal: the remote end hung up unexpectedly")

    monkeypatch.setattr(Connection, "ask", ask)
    monkeypatch.setattr(GitRemote, "_run", run)
    first = world.release(OLD)
    world.people_say(world.only_pull(), "alice")
    assert world.promote_pull(world.only_pull())["release"] == first.id
    second = world.release(NEW)
    world.people_say(world.only_pull(), "bob")
    assert world.promote_pull(world.only_pull())["release"] == second.id
    assert world.run("rollback", "--reason", "worse")["release"] == first.id
    assert world.open_pulls() == {}
    world.require_settled()


@pytest.mark.parametrize("match", ["git-receive-pack", "POST .*(merge_requests|pullrequests|pullRequests)$"])
def test_what_was_done_and_whose_answer_was_lost_is_found(world: ForgeWorld, match: str) -> None:
    world.hub.lose_reply(match, times=2)
    first = world.release(OLD)
    number = world.only_pull()
    world.people_say(number, "alice")
    world.hub.lose_reply("(PUT|PATCH) .*", times=1)
    world.hub.fail_next(429, match="GET .*", retry_after="1")
    world.hub.fail_next(502, match="GET .*", body=b"<html>down</html>")
    assert world.promote_pull(number)["release"] == first.id
    assert world.open_pulls() == {}
    world.require_settled()
