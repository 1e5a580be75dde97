"""What a promotion on GitHub is refused for, whom it is not asked of, and what is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_ci.cli.context import Context
from mlops_ci.cli.main import build_parser
from mlops_ci.errors import ConfigurationError
from tests.delivery.github_world import GitHubWorld, on_github
from tests.delivery.world import MODEL, Line

OLD, NEW = Line(slope=1.0), Line(slope=1.01)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with on_github(tmp_path / "world") as made:
        yield made


def test_only_a_review_of_what_it_shows_now_by_somebody_else_counts(world: GitHubWorld) -> None:
    world.release(OLD)
    number = world.only_pull()
    branch = f"mlops-ci/promote/production/{MODEL}"

    world.hub.review(number, "alice", "APPROVED")
    world.hub.pusher = "bob"
    world.commit_file(f"environments/production/{MODEL}.yaml", _file(world, branch) + "# looked at\n", branch=branch)
    world.hub.review(number, "acme-mlops[bot]", "APPROVED")
    world.hub.review(number, "bob", "APPROVED")
    world.hub.comment(number, "dana", "APPROVED")
    said = str(world.promote_pull(number)["reasons"])
    assert "0 of 1 required approvals" in said
    assert "alice: approved at commit" in said
    assert "acme-mlops[bot] is a bot" in said
    assert "bob pushed the last commit" in said

    world.hub.review(number, "alice", "CHANGES_REQUESTED")
    world.hub.review(number, "dana", "APPROVED")
    assert "alice asks for changes" in str(world.promote_pull(number)["reasons"])

    world.hub.review(number, "alice", "APPROVED")
    assert world.promote_pull(number)["outcome"] == "promoted"
    approved = [event.subject["by"] for event in world.log.read(MODEL) if event.kind == "approved"]
    assert approved == [["alice", "dana"]]


def test_a_pull_request_that_changes_more_is_refused(world: GitHubWorld) -> None:
    world.release(OLD)
    number = world.only_pull()
    world.commit_file("train.py", "import os\n", branch=f"mlops-ci/promote/production/{MODEL}")
    world.hub.review(number, "alice", "APPROVED")

    refused = world.promote_pull(number, code=14)

    assert "train.py" in str(refused)
    assert not world.hub.pulls[number]["merged"]


def test_what_is_no_promotion_is_left_alone(world: GitHubWorld) -> None:
    made = world.release(OLD)
    theirs = world.only_pull()
    world.commit_file("notes.md", "words\n", branch="main")
    world.git("push", "-q", "origin", "HEAD:refs/heads/feature")
    world.commit_file("notes.md", "more words\n", branch="feature")
    feature = world.hub.open_pull_request(branch="feature")
    fork = world.hub.fork("mallory")
    branch = f"mlops-ci/promote/production/{MODEL}"
    world.git("fetch", "-q", "origin", branch)
    world.git("push", "-q", str(fork), f"FETCH_HEAD:refs/heads/{branch}")
    forked = world.hub.open_pull_request(branch=branch, user="mallory", fork=f"mallory/{world.hub.state.name}")
    for number in (feature, forked):
        world.hub.review(number, "alice", "APPROVED")

        assert world.promote_pull(number)["outcome"] == "not-a-promotion"

    assert world.serving() is None
    world.hub.close(theirs, "alice")
    assert world.promote_pull(theirs)["outcome"] == "closed"
    assert world.serving() is None
    assert made.id == world.serving("qa")


def test_what_people_merged_is_rolled_out_by_whoever_comes_first(world: GitHubWorld) -> None:
    made = world.release(OLD)
    number = world.only_pull()
    world.hub.merge(number, "alice")

    assert world.promote_pull(number)["outcome"] == "promoted"

    assert world.serving() == made.id
    assert world.promote_pull(number)["outcome"] == "unchanged"
    assert world.run("reconcile", "--all")["changes"][1]["outcome"] == "unchanged"


def test_reconcile_since_does_what_has_changed_and_nothing_else(world: GitHubWorld) -> None:
    before = world.git("rev-parse", "origin/main")
    world.release(OLD)

    done = world.run("reconcile", "--since", before)
    assert [(one["model"], one["environment"], one["outcome"]) for one in done["changes"]] == [
        (MODEL, "qa", "unchanged")
    ]
    world.check_out()
    assert world.run("reconcile", "--since", world.git("rev-parse", "HEAD"))["changes"] == []
    assert len(world.run("reconcile", "--since", "0" * 40)["changes"]) == 2
    assert "no commit" in str(world.run("reconcile", "--since", "f" * 40, code=2))

    world.commit_file(f"environments/production/{MODEL}.yaml", f"model: {MODEL}\nrelease: {'f' * 64}\n")
    world.commit_file("environments/staging/other.yaml", "release:\n")
    failed = world.run("reconcile", "--since", before, code=13)

    assert [one["environment"] for one in failed["changes"]] == ["qa"]
    assert [(one["environment"], one["exit_code"]) for one in failed["errors"]] == [("production", 13)]
    assert any("environments/staging/other.yaml" in said for said in world.console.said)


def test_what_is_not_merged_says_nothing(world: GitHubWorld) -> None:
    """A review's run has the files of the pull request, unless its workflow says otherwise."""
    world.release(OLD)
    number = world.only_pull()
    world.hub.review(number, "alice", "APPROVED")
    world.check_out()
    (world.root / "mlops.yaml").write_text((world.root / "mlops.yaml").read_text() + "# another\n")
    world.git("commit", "-q", "-am", "not pushed")

    refused = world.run("promote", "--pull-request", str(number), code=2, fresh=False)

    assert "which main does not have" in str(refused)
    assert world.serving() is None


def test_a_github_that_shows_nothing_spoils_nothing(world: GitHubWorld) -> None:
    made = world.release(OLD)
    number = world.only_pull()
    world.hub.review(number, "alice", "APPROVED")
    world.hub.fail_next(403, times=9, match="POST .*/(deployments|check-runs)")

    promoted = world.promote_pull(number)

    assert (promoted["outcome"], world.serving()) == ("promoted", made.id)
    assert sum(said.startswith("the forge does not show it: ") for said in world.console.said) == 2


def test_nobody_reviews_for_others(world: GitHubWorld) -> None:
    world.release(OLD)

    refused = world.run("approve", str(world.only_pull()), "--reviewer", "alice", code=2)

    assert "review the pull request there" in str(refused)
    assert len(world.run("approve")["pull_requests"]) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token": ""}, "there is no token for GitHub"),
        ({"repository": "acme"}, "is no name of one"),
        ({"repository": ""}, "no repository of"),
    ],
)
def test_a_command_that_cannot_reach_github_takes_no_other_forge(
    world: GitHubWorld, changes: dict[str, str], said: str
) -> None:
    environment = replace(world.environment, github=replace(world.github, **changes))
    context = world.context()
    context.environment = environment

    with pytest.raises(ConfigurationError, match=said):
        _ = context.forge
    with pytest.raises(ConfigurationError, match=said):
        _ = context.shared_repository


def test_a_run_that_names_no_store_would_lose_what_it_writes(world: GitHubWorld) -> None:
    environment = replace(world.environment, store="")
    context = Context(directory=world.root, store_url=None, environment=environment, console=world.console)
    parsed = build_parser().parse_args(["reconcile", "-C", str(world.root)])

    with pytest.raises(ConfigurationError, match="no store is named"):
        parsed.run(parsed, context)


def test_an_unknown_forge_is_named(world: GitHubWorld) -> None:
    context = world.context()
    context.environment = replace(world.environment, forge="gitea", github=None)

    with pytest.raises(ConfigurationError, match="MLOPS_FORGE is 'gitea'"):
        _ = context.forge


def _file(world: GitHubWorld, branch: str) -> str:
    world.git("fetch", "-q", "origin", branch)
    return world.git("show", f"FETCH_HEAD:environments/production/{MODEL}.yaml") + "\n"
