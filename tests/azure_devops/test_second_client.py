"""Microsoft's own client of Azure DevOps (azure-devops) understands the stand-in as it understands the Services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.azure_devops.stand_in import BOT, AzureDevOps, serving
from tests.github.world import Checkout, team

pytest.importorskip("azure.devops", reason="azure-devops is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, Checkout]:
    return team(tmp_path)


@pytest.fixture
def hub(repository: tuple[Path, Checkout]) -> Iterator[AzureDevOps]:
    with serving(repository[0]) as hub:
        yield hub


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client keeps what it has learnt of an address in the home folder: ports come again."""
    from azure.devops import client, connection

    monkeypatch.setattr(client, "OPTIONS_FILE_CACHE", Forgetful())
    monkeypatch.setattr(connection, "RESOURCE_FILE_CACHE", Forgetful())


class Forgetful(dict[str, Any]):
    def __missing__(self, key: str) -> None:
        return None

    def __setitem__(self, key: str, value: Any) -> None:
        """Forgets it."""


def client(hub: AzureDevOps, token: str = "") -> Any:
    from azure.devops.connection import Connection
    from msrest.authentication import BasicAuthentication

    made = Connection(base_url=f"{hub.url}/acme", creds=BasicAuthentication("", token or hub.token))
    return made.clients_v7_1.get_git_client()


def test_a_change_from_branch_to_merge(hub: AzureDevOps, repository: tuple[Path, Checkout]) -> None:
    from azure.devops.exceptions import AzureDevOpsServiceError
    from azure.devops.v7_1.git import models

    head = repository[1].push("deeper", {"train.py": "depth = 9\n"})
    git = client(hub)
    assert git.get_repository("models", "Models").default_branch == "refs/heads/main"
    wanted = models.GitPullRequest(
        source_ref_name="refs/heads/deeper", target_ref_name="refs/heads/main", title="Deepen", description="Better?"
    )
    made = git.create_pull_request(wanted, "models", "Models")
    assert (made.created_by.unique_name, made.last_merge_source_commit.commit_id, made.status) == (BOT, head, "active")
    with pytest.raises(AzureDevOpsServiceError, match="TF401179"):
        git.create_pull_request(wanted, "models", "Models")

    alice = hub.accounts["alice"]
    theirs = client(hub, hub.token_of("alice"))
    number = made.pull_request_id
    theirs.create_pull_request_reviewer(models.IdentityRefWithVote(vote=10), "models", number, alice.id, "Models")
    votes = git.get_pull_request_reviewers("models", number, "Models")
    assert [(one.unique_name, one.vote) for one in votes] == [("alice@acme.com", 10)]
    said = [one.properties["CodeReviewThreadType"]["$value"] for one in git.get_threads("models", number, "Models")]
    assert said == ["VoteUpdate"]

    second = repository[1].push("deeper", {"train.py": "depth = 10\n"})
    shown = git.get_pull_request_iterations("models", number, "Models")
    assert [(one.id, one.source_ref_commit.commit_id) for one in shown] == [(1, head), (2, second)]
    wanted = models.GitPushSearchCriteria(ref_name="refs/heads/deeper", include_ref_updates=True)
    pushed = git.get_pushes("models", "Models", top=1, search_criteria=wanted)
    assert [(one.pushed_by.unique_name, one.ref_updates[0].new_object_id) for one in pushed] == [
        ("dana@acme.com", second)
    ]

    def complete(commit: str) -> Any:
        change = models.GitPullRequest(
            status="completed", last_merge_source_commit=models.GitCommitRef(commit_id=commit),
            completion_options=models.GitPullRequestCompletionOptions(merge_commit_message="Deepen the trees"),
        )  # fmt: skip
        return git.update_pull_request(change, "models", number, "Models")

    with pytest.raises(AzureDevOpsServiceError, match="TF401192"):
        complete(head)
    done = complete(second)
    assert (done.status, done.closed_by.unique_name) == ("completed", BOT)
    assert git.get_refs("models", "Models", filter="heads/main")[0].object_id == done.last_merge_commit.commit_id
    old = models.GitRefUpdate(name="refs/heads/deeper", old_object_id=second, new_object_id="0" * 40)
    assert git.update_refs([old], "models", "Models")[0].success
    assert git.get_pull_requests("models", models.GitPullRequestSearchCriteria(status="all"), "Models")[0].title


def test_comments_and_statuses(hub: AzureDevOps, repository: tuple[Path, Checkout]) -> None:
    from azure.devops.v7_1.git import models

    head = repository[1].push("deeper", {"train.py": "depth = 9\n"})
    number, git = hub.open("deeper"), client(hub)
    thread = models.GitPullRequestCommentThread(
        comments=[models.Comment(content="hm", parent_comment_id=0, comment_type="text")], status="closed"
    )
    made = git.create_thread(thread, "models", number, "Models")
    changed = models.Comment(content="edited")
    git.update_comment(changed, "models", number, made.id, made.comments[0].id, "Models")
    assert [one.comments[0].content for one in git.get_threads("models", number, "Models")] == ["edited"]
    git.delete_comment("models", number, made.id, made.comments[0].id, "Models")
    context = models.GitStatusContext(name="gate", genre="mlops-ci")
    git.create_commit_status(
        models.GitStatus(state="succeeded", context=context, description="ok"), head, "models", "Models"
    )
    assert [one.state for one in git.get_statuses(head, "models", "Models")] == ["succeeded"]
