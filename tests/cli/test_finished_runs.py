"""What is shown on a merge request is what its own pipeline found, as the forge's API tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.cli.events import finished_run, require_own_code
from mlops_ci.errors import ConfigurationError, IntegrityError
from mlops_ci.pipeline.pull_request_report import PullRequestRun
from tests.delivery.forge_world import ForgeWorld, on_azure_devops, on_gitlab

FORGES = {"gitlab": on_gitlab, "azure-devops": on_azure_devops}


@pytest.fixture(params=FORGES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForgeWorld]:
    with FORGES[request.param](tmp_path / "world") as made:
        yield made


def run_was(world: ForgeWorld, run: int, number: int, head: str, *, tried: bool = True) -> None:
    """A pipeline of the merge request, on a merge with main that is only tried or on the head alone."""
    tree = world.git("rev-parse", f"{head}^{{tree}}")
    merge = world.git("commit-tree", tree, "-p", world.commit, "-p", head, "-m", "tried")
    world.git("push", "-q", str(world.bare), f"{merge}:refs/keep/{run}")
    if hasattr(world.hub, "merge_requests"):
        ref = f"refs/merge-requests/{number}/{'merge' if tried else 'head'}"
        world.hub.pipelines[run] = {
            "id": run, "ref": ref, "sha": merge if tried else head, "source": "merge_request_event",
            "web_url": "https://gitlab.example/p",
        }  # fmt: skip
    else:
        world.hub.builds[run] = {
            "id": run, "sourceBranch": f"refs/pull/{number}/merge", "sourceVersion": merge, "reason": "pullRequest",
            "repository": {"id": world.hub.repository()["id"], "type": "TfsGit"},
            "_links": {"web": {"href": "https://azure.example/b"}},
        }  # fmt: skip


def finished(world: ForgeWorld, run: int) -> PullRequestRun | None:
    return finished_run(world.context(), str(run))


def test_the_run_of_a_merge_request(world: ForgeWorld) -> None:
    world.git("checkout", "-q", "-b", "deeper")
    world.git("push", "-q", "origin", "HEAD:refs/heads/base")
    world.git("commit", "-q", "--allow-empty", "-m", "deeper")
    world.git("push", "-q", "origin", "HEAD:refs/heads/deeper")
    head, number = world.git("rev-parse", "HEAD"), world.hub.open("deeper")
    run_was(world, 70, number, head)
    run_was(world, 71, number, head, tried=False)
    for run in (70, 71):
        told = finished(world, run)
        assert told is not None
        assert (told.commit, told.branch, told.fork, told.order.run) == (head, "deeper", False, run)
        pull = world.forge.pull_request_of(told.commit, told.branch, told.owner)
        assert pull is not None
        assert pull.number == number
    require_own_code(world.context(), "70")
    world.git("commit", "-q", "--allow-empty", "-m", "another")
    with pytest.raises(ConfigurationError, match="another one is checked out"):
        require_own_code(world.context(), "70")
    with pytest.raises(ConfigurationError, match="nobody can tell which event"):
        require_own_code(world.context())


def test_a_fork_s_run_is_shown_and_never_admitted(world: ForgeWorld) -> None:
    world.git("commit", "-q", "--allow-empty", "-m", "theirs")
    head = world.git("rev-parse", "HEAD")
    number = world.propose_from_fork("mallory", "main", head)
    run_was(world, 80, number, head)
    told = finished(world, 80)
    assert told is not None
    assert told.fork
    pull = world.forge.pull_request_of(told.commit, told.branch, told.owner)
    assert pull is not None
    assert (pull.number, pull.branch) == (number, f"{told.owner}:{told.branch}")
    with pytest.raises(IntegrityError, match="what others trained is never kept"):
        require_own_code(world.context(), "80")


def test_no_such_run_or_none_of_a_merge_request(world: ForgeWorld) -> None:
    with pytest.raises(ConfigurationError):
        finished(world, 99)
    with pytest.raises(ConfigurationError, match="no number"):
        finished_run(world.context(), "../1")
    run_was(world, 90, 555, world.commit)
    assert finished(world, 90) is None
    if hasattr(world.hub, "merge_requests"):
        world.hub.pipelines[90]["source"] = "push"
    else:
        world.hub.builds[90]["sourceBranch"] = "refs/heads/main"
    assert finished(world, 90) is None
