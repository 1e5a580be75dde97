"""Another team's client of GitHub's API understands the stand-in as it understands GitHub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.github.hub import Hub
from tests.github.world import Checkout

pytest.importorskip("github", reason="PyGithub is not installed")

from github import Auth, Github, GithubException
from github.InputGitTreeElement import InputGitTreeElement
from github.Repository import Repository


@pytest.fixture
def client(hub: Hub) -> Iterator[Github]:
    with Github(base_url=hub.url, auth=Auth.Token(hub.app_token), retry=None, per_page=2) as client:
        yield client


@pytest.fixture
def repository_of(client: Github) -> Repository:
    return client.get_repo("acme/models")


def test_a_change_from_blob_to_merge(hub: Hub, repository_of: Repository, checkout: Checkout) -> None:
    main = repository_of.get_git_ref("heads/main")
    base = repository_of.get_git_commit(main.object.sha)
    blob = repository_of.create_git_blob("depth = 9\n", "utf-8")
    tree = repository_of.create_git_tree([InputGitTreeElement("train.py", "100644", "blob", sha=blob.sha)], base.tree)
    commit = repository_of.create_git_commit("Deepen", tree, [base])
    repository_of.create_git_ref("refs/heads/deeper", commit.sha)
    pull = repository_of.create_pull(base="main", head="deeper", title="Deepen", body="Better?")
    assert pull.user.login == "acme-mlops[bot]"
    assert (pull.mergeable, pull.commits, [one.filename for one in pull.get_files()]) == (True, 1, ["train.py"])
    hub.review(pull.number, "alice", "APPROVED")
    assert [(one.user.login, one.state, one.commit_id) for one in pull.get_reviews()] == [
        ("alice", "APPROVED", commit.sha)
    ]
    with pytest.raises(GithubException) as caught:
        pull.merge(sha=base.sha)
    assert caught.value.status == 409
    merged = pull.merge(sha=commit.sha, commit_message="Deepen the trees")
    assert merged.merged
    assert repository_of.get_branch("main").commit.sha == merged.sha
    assert repository_of.get_contents("train.py").decoded_content == b"depth = 9\n"
    assert repository_of.compare(base.sha, "main").ahead_by == 2
    assert repository_of.get_pull(pull.number).merged_by.login == "acme-mlops[bot]"
    assert [one.commit.message.split("\n")[0] for one in repository_of.get_commits()][-1].startswith("Change train.py")


def test_comments_issues_and_labels(hub: Hub, repository_of: Repository) -> None:
    issue = repository_of.create_issue("Drift in late", body="since Monday", labels=["mlops-ci", "late"])
    for position in range(5):
        issue.create_comment(f"comment {position}")
    assert [one.body for one in issue.get_comments()] == [f"comment {position}" for position in range(5)]
    assert issue.get_comments().totalCount == 5
    issue.get_comments()[0].edit("edited")
    assert hub.comments[0]["body"] == "edited"
    issue.edit(state="closed", state_reason="completed")
    assert [one.number for one in repository_of.get_issues(state="closed", labels=["late"])] == [issue.number]
    assert repository_of.get_issues(state="open").totalCount == 0


def test_checks_statuses_and_deployments(repository_of: Repository) -> None:
    sha = repository_of.get_branch("main").commit.sha
    note = {"path": "train.py", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "too deep"}
    check = repository_of.create_check_run(
        "gate", sha, status="completed", conclusion="failure",
        output={"title": "Worse", "summary": "by 0.02", "annotations": [note]},
    )  # fmt: skip
    assert [one.message for one in check.get_annotations()] == ["too deep"]
    assert [one.conclusion for one in repository_of.get_commit(sha).get_check_runs()] == ["failure"]
    repository_of.get_commit(sha).create_status("success", context="qa", description="verified")
    assert repository_of.get_commit(sha).get_combined_status().state == "success"
    deployment = repository_of.create_deployment(
        "main", environment="qa", required_contexts=[], payload={"release": "r"}
    )
    deployment.create_status("success", environment_url="http://localhost:1")
    assert [one.state for one in deployment.get_statuses()] == ["success"]
    assert [one.environment for one in repository_of.get_deployments()] == ["qa"]


def test_settings_teams_and_releases(client: Github, hub: Hub, repository_of: Repository) -> None:
    hub.protect("main", reviews=2, checks=("gate",), code_owners=True)
    protection = repository_of.get_branch("main").get_protection()
    assert protection.required_pull_request_reviews.required_approving_review_count == 2
    assert protection.required_status_checks.contexts == ["gate"]
    hub.team("owners", ["alice", "bob", "olga"])
    team = client.get_organization("acme").get_team_by_slug("owners")
    assert [one.login for one in team.get_members()] == ["alice", "bob", "olga"]
    hub.settings.variables["MLOPS_STORE"] = "s3://team/store"
    assert [one.name for one in repository_of.get_variables()] == ["MLOPS_STORE"]
    release = repository_of.create_git_release("v1.0.0", "One", "The first", target_commitish="main")
    assert repository_of.get_latest_release().tag_name == release.tag_name == "v1.0.0"
    assert repository_of.get_git_ref("tags/v1.0.0").object.sha == repository_of.get_branch("main").commit.sha
    with pytest.raises(GithubException) as caught:
        client.get_user().login  # noqa: B018
    assert caught.value.status == 403
