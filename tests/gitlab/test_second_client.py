"""Another team's client of GitLab's API (python-gitlab) understands the stand-in as it understands GitLab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.github.world import Checkout, team
from tests.gitlab.stand_in import BOT, GitLab, serving

gitlab = pytest.importorskip("gitlab", reason="python-gitlab is not installed")


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, Checkout]:
    return team(tmp_path)


@pytest.fixture
def hub(repository: tuple[Path, Checkout]) -> Iterator[GitLab]:
    with serving(repository[0]) as hub:
        yield hub


def client(hub: GitLab, token: str = "") -> Any:
    return gitlab.Gitlab(hub.url, private_token=token or hub.token, per_page=2, retry_transient_errors=False)


def test_a_change_from_branch_to_merge(hub: GitLab, repository: tuple[Path, Checkout]) -> None:
    head = repository[1].push("deeper", {"train.py": "depth = 9\n"})
    project = client(hub).projects.get("acme/models")
    assert project.default_branch == "main"
    made = project.mergerequests.create(
        {"source_branch": "deeper", "target_branch": "main", "title": "Deepen", "description": "Better?"}
    )
    assert (made.author["username"], made.sha, made.state) == (BOT, head, "opened")
    with pytest.raises(gitlab.exceptions.GitlabCreateError, match="Another open merge request") as caught:
        project.mergerequests.create({"source_branch": "deeper", "target_branch": "main", "title": "x"})
    assert caught.value.response_code == 409

    theirs = client(hub, hub.token_of("alice")).projects.get(1).mergerequests.get(made.iid)
    with pytest.raises(gitlab.exceptions.GitlabMRApprovalError):
        theirs.approve(sha="0" * 40)
    theirs.approve(sha=head)
    given = project.mergerequests.get(made.iid).approvals.get()
    assert [one["user"]["username"] for one in given.approved_by] == ["alice"]
    second = repository[1].push("deeper", {"train.py": "depth = 10\n"})
    assert [one.head_commit_sha for one in made.diffs.list(get_all=True)] == [second, head]
    with pytest.raises(gitlab.exceptions.GitlabMRClosedError) as refused:
        made.merge(sha=head)
    assert refused.value.response_code == 409
    made.merge(sha=second, merge_commit_message="Deepen the trees")
    merged = project.mergerequests.get(made.iid)
    assert (merged.state, merged.merge_user["username"]) == ("merged", BOT)
    assert project.branches.get("main").commit["id"] == merged.merge_commit_sha
    pushed = [one.push_data["ref"] for one in project.events.list(action="pushed", get_all=True)]
    assert pushed == ["main", "deeper", "deeper", "main"]
    project.branches.delete("deeper")
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        project.branches.get("deeper")


def test_notes_issues_statuses_and_deployments(hub: GitLab, repository: tuple[Path, Checkout]) -> None:
    head = repository[1].push("deeper", {"train.py": "depth = 9\n"})
    number = hub.open("deeper")
    project = client(hub).projects.get(1)
    one = project.mergerequests.get(number)
    for position in range(5):
        one.notes.create({"body": f"note {position}"})
    notes = one.notes.list(get_all=True, sort="asc")
    assert [note.body for note in notes] == [f"note {position}" for position in range(5)]
    notes[0].body = "edited"
    notes[0].save()
    notes[1].delete()
    assert [note["body"] for note in hub.notes] == ["edited", "note 2", "note 3", "note 4"]
    issue = project.issues.create({"title": "Drift", "description": "since Monday", "labels": "mlops-ci"})
    issue.state_event = "close"
    issue.save()
    assert project.issues.list(state="opened", get_all=True) == []
    commit = project.commits.get(head, lazy=True)
    commit.statuses.create({"state": "pending", "name": "gate"})
    with pytest.raises(gitlab.exceptions.GitlabCreateError, match="Cannot transition"):
        commit.statuses.create({"state": "pending", "name": "gate"})
    commit.statuses.create({"state": "success", "name": "gate"})
    assert [status.status for status in commit.statuses.list(get_all=True)] == ["success"]
    made = project.deployments.create(
        {"environment": "qa/tides", "sha": head, "ref": "main", "tag": False, "status": "success"}
    )
    assert made.environment["name"] == "qa/tides"
    assert [each.name for each in project.environments.list(get_all=True)] == ["qa/tides"]
    hub.groups["acme/ml"] = ["alice", "bob", "olga"]
    found = client(hub).groups.get("acme/ml", lazy=True).members.list(get_all=True)
    assert [each.username for each in found] == ["alice", "bob", "olga"]
    assert project.members_all.get(hub.accounts["olga"].id).access_level == 50


def test_rights(hub: GitLab) -> None:
    reading = client(hub, hub.token_of(BOT, "read_api")).projects.get(1)
    with pytest.raises(gitlab.exceptions.GitlabCreateError, match="insufficient_scope"):
        reading.issues.create({"title": "x"})
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        client(hub, "nothing").projects.get(1)
