"""The stand-in keeps GitHub's rules, as GitHub documents them or was seen to answer."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.github.hub import Hub
from tests.github.replies import ROUTES, Refusal
from tests.github.serving import serving
from tests.github.world import Checkout, Client, git


def propose(hub: Hub, checkout: Checkout, *, branch: str = "feature", user: str = "dana") -> int:
    checkout.push(branch, {"train.py": f"depth = 7  # {branch}\n"}, onto="origin/main")
    return hub.open_pull_request(branch=branch, user=user)


# Contract


def test_a_request_that_github_does_not_describe_fails_the_test(repository: tuple[Path, Checkout]) -> None:
    def misspell() -> None:
        with serving(repository[0]) as hub:
            Client(hub=hub, token=hub.token).ask("POST", "issues", {"title": "a", "titel": "b"})

    with pytest.raises(AssertionError, match="unknown field 'titel'"):
        misspell()


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("POST", "issues", {}, "'title' is a required property"),
        ("POST", "statuses/" + "a" * 40, {"state": "fine"}, "'fine' is not one of"),
        ("POST", "check-runs", {"name": "x", "head_sha": 7}, "7 is not of type 'string'"),
        ("GET", "pulls?stat=open", None, "unknown query parameter 'stat'"),
        ("GET", "pulls?state=merged", None, "'merged' is not one of"),
        ("GET", "pull/1", None, "no such operation"),
    ],
)
def test_it_names_what_is_wrong(job: Client, method: str, path: str, body: object, named: str) -> None:
    assert job.ask(method, path, body).status_code == 500
    assert named in job.hub.invalid.pop()
    assert job.hub.invalid == []


def test_an_answer_that_github_would_not_give_fails_the_test(job: Client) -> None:
    job.post("issues", {"title": "a"})
    job.hub.state.issues[1]["state"] = 7
    assert job.ask("GET", "issues/1").status_code == 500
    assert "7 is not of type 'string'" in job.hub.invalid.pop()


# Who may what


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "issues/1/comments", {"body": "x"}),
        ("POST", "git/refs", {"ref": "refs/heads/x", "sha": "a" * 40}),
        ("POST", "check-runs", {"name": "x", "head_sha": "a" * 40}),
        ("POST", "statuses/" + "a" * 40, {"state": "success"}),
        ("POST", "deployments", {"ref": "main"}),
        ("PUT", "pulls/1/merge", {}),
        ("POST", "dispatches", {"event_type": "x"}),
        ("POST", "pulls", {"head": "a", "base": "main", "title": "x"}),
    ],
)
def test_the_token_of_a_forks_run_writes_nothing(hub: Hub, method: str, path: str, body: object) -> None:
    fork = Client(hub=hub, token=hub.read_token)
    assert fork.refused(method, path, body) == (403, "Resource not accessible by integration")
    assert "=write" in fork.ask(method, path, body).headers["X-Accepted-GitHub-Permissions"]


def test_a_job_has_only_the_rights_that_it_was_granted(hub: Hub, checkout: Checkout) -> None:
    number = propose(hub, checkout)
    narrow = Client(hub=hub, token=hub.new_token(pull_requests="write"))
    narrow.post(f"issues/{number}/comments", {"body": "hello"})
    assert narrow.refused("PUT", f"pulls/{number}/merge", {})[0] == 403
    assert narrow.refused("GET", "git/ref/heads/main")[0] == 403
    assert narrow.refused("GET", "/user")[0] == 403


def test_what_one_may_not_see_is_not_there(hub: Hub) -> None:
    hub.person("erin", "write")
    assert Client(hub=hub, token="").refused("GET", "pulls") == (404, "Not Found")
    assert Client(hub=hub, token="").refused("POST", "issues", {"title": "x"})[0] == 401
    assert Client(hub=hub, token="gone").refused("GET", "pulls") == (401, "Bad credentials")
    erin = Client(hub=hub, token=hub.person_token("erin"))
    assert erin.refused("GET", "branches/main/protection") == (404, "Not Found")
    assert erin.refused("GET", "/repos/acme/other")[0] == 404


def test_teams_are_for_those_who_may_read_members(hub: Hub, job: Client, app: Client) -> None:
    hub.team("owners", ["alice", "bob"])
    assert job.refused("GET", "/orgs/acme/teams/owners/members")[0] == 403
    assert [one["login"] for one in app.get("/orgs/acme/teams/owners/members")] == ["alice", "bob"]
    assert app.refused("GET", "/orgs/acme/teams/nobody/members")[0] == 404


def test_only_an_app_with_that_right_changes_workflows(hub: Hub, job: Client, app: Client) -> None:
    tree = {"tree": [{"path": ".github/workflows/a.yml", "mode": "100644", "type": "blob", "content": "on: push\n"}]}
    assert job.refused("POST", "git/trees", tree) == (403, "Resource not accessible by integration")
    app.post("git/trees", tree)


def test_who_one_is_told_to_people_only(hub: Hub, job: Client) -> None:
    assert Client(hub=hub, token=hub.person_token("alice")).get("/user")["login"] == "alice"
    assert job.get("/users/alice")["login"] == "alice"
    assert job.refused("GET", "/users/nobody")[0] == 404
    assert job.refused("GET", "/app")[0] == 401
    assert job.post("/graphql", {"query": "query{viewer{login}}"}) == {
        "data": {"viewer": {"login": "github-actions[bot]"}}
    }


def test_files_are_given_in_each_way(job: Client, checkout: Checkout) -> None:
    sha = checkout.push("main", {"data/large.csv": "1\n" * 600_000})
    headers = {"Authorization": f"Bearer {job.token}"}
    url = f"{job.hub.url}/repos/acme/models"
    accept = headers | {"Accept": "application/vnd.github.sha"}
    assert requests.get(f"{url}/commits/main", headers=accept, timeout=60).text == sha
    accept = headers | {"Accept": "application/vnd.github.raw+json"}
    assert requests.get(f"{url}/contents/train.py", headers=accept, timeout=60).content == b"depth = 6\n"
    large = job.get("contents/data/large.csv")
    assert (large["encoding"], large["content"], large["size"]) == ("none", "", 1_200_000)
    assert len(base64.b64decode(job.get(f"git/blobs/{large['sha']}")["content"])) == 1_200_000
    assert [one["name"] for one in job.get("contents/data")] == ["large.csv", "rows.csv"]
    assert {one["path"] for one in job.get("git/trees/main", recursive=1)["tree"]} == {
        "data", "data/large.csv", "data/rows.csv", "train.py",
    }  # fmt: skip
    content = base64.b64encode(b"depth = 1\n").decode()
    assert job.refused("PUT", "contents/train.py", {"message": "x", "content": content})[0] == 422
    body = {"message": "x", "content": content, "sha": job.get("contents/train.py")["sha"]}
    assert job.ask("PUT", "contents/train.py", body).status_code == 200
    assert job.refused("PUT", "contents/train.py", body)[0] == 409


# Lists


def test_lists_come_in_pages(hub: Hub, job: Client) -> None:
    for position in range(7):
        job.post("issues", {"title": f"issue {position}"})
    answer = job.ask("GET", "issues", per_page=3)
    assert [one["title"] for one in answer.json()] == ["issue 6", "issue 5", "issue 4"]
    assert set(answer.links) == {"next", "last"}
    titles = [one["title"] for one in answer.json()]
    while "next" in answer.links:
        answer = requests.get(answer.links["next"]["url"], headers={"Authorization": f"Bearer {job.token}"}, timeout=60)
        titles += [one["title"] for one in answer.json()]
    assert titles == [f"issue {position}" for position in reversed(range(7))]
    assert set(answer.links) == {"prev", "first"}


def test_no_page_has_more_than_a_hundred(job: Client) -> None:
    number = job.post("issues", {"title": "much talked about"})["number"]
    for position in range(101):
        job.hub.comment(number, "dana", f"word {position}")
    assert len(job.get(f"issues/{number}/comments", per_page=500)) == 100


# Refs


def test_a_branch_moves_forward_only(job: Client, checkout: Checkout) -> None:
    first = git("rev-parse", "origin/main", cwd=checkout.path)
    second = checkout.push("work", {"a": "1"}, onto=first)
    aside = checkout.push("aside", {"b": "1"}, onto=first)
    assert job.refused("PATCH", "git/refs/heads/work", {"sha": aside}) == (422, "Update is not a fast forward")
    assert job.refused("POST", "git/refs", {"ref": "refs/heads/work", "sha": aside}) == (
        422,
        "Reference already exists",
    )
    assert job.refused("POST", "git/refs", {"ref": "refs/heads/new", "sha": "a" * 40}) == (422, "Object does not exist")
    assert job.ask("PATCH", "git/refs/heads/work", {"sha": aside, "force": True}).status_code == 200
    assert git("ls-remote", "origin", "refs/heads/work", cwd=checkout.path).split()[0] == aside != second
    assert job.refused("PATCH", "git/refs/heads/gone", {"sha": aside}) == (422, "Reference does not exist")
    assert job.refused("GET", "git/ref/heads/wor")[0] == 404
    assert [one["ref"] for one in job.get("git/matching-refs/heads/wor")] == ["refs/heads/work"]


def test_a_commit_is_made_of_parts_and_signed_where_no_author_is_named(job: Client, checkout: Checkout) -> None:
    base = job.get("git/ref/heads/main")["object"]["sha"]
    blob = job.post("git/blobs", {"content": base64.b64encode(b"\x00\xff").decode(), "encoding": "base64"})["sha"]
    entries = [{"path": "data/model.bin", "mode": "100644", "type": "blob", "sha": blob},
               {"path": "data/rows.csv", "mode": "100644", "type": "blob", "sha": None}]  # fmt: skip
    tree = job.post("git/trees", {"base_tree": base, "tree": entries})["sha"]
    commit = job.post("git/commits", {"message": "Work", "tree": tree, "parents": [base]})
    assert commit["verification"]["verified"] is True
    assert commit["author"]["name"] == "github-actions[bot]"
    named = {"author": {"name": "A", "email": "a@b"}, "message": "x", "tree": tree, "parents": [base]}
    assert job.post("git/commits", named)["verification"]["verified"] is False
    job.post("git/refs", {"ref": "refs/heads/made", "sha": commit["sha"]})
    git("fetch", "--quiet", "origin", cwd=checkout.path)
    assert git("ls-tree", "-r", "--name-only", "origin/made", cwd=checkout.path).split() == [
        "data/model.bin",
        "train.py",
    ]
    files = job.get(f"compare/{base}...made")["files"]
    assert [(one["filename"], one["status"]) for one in files] == [
        ("data/model.bin", "added"),
        ("data/rows.csv", "removed"),
    ]


def test_who_pushed_is_told(hub: Hub, job: Client, checkout: Checkout) -> None:
    hub.pusher = "alice"
    checkout.push("work", {"a": "1"}, onto="origin/main")
    first = job.get("activity", ref="refs/heads/work")
    hub.pusher = "bob"
    checkout.push("work", {"a": "2"})
    checkout.push("work", {"a": "3"}, onto="origin/main", force=True)
    rows = job.get("activity", ref="refs/heads/work")
    assert [(one["activity_type"], one["actor"]["login"]) for one in first] == [("branch_creation", "alice")]
    assert [one["actor"]["login"] for one in rows] == ["bob", "alice"]
    assert rows[0]["activity_type"] == "force_push"
    one_by_one = job.ask("GET", "activity", ref="refs/heads/work", per_page=1)
    again = requests.get(one_by_one.links["next"]["url"], headers={"Authorization": f"Bearer {job.token}"}, timeout=60)
    assert [*one_by_one.json(), *again.json()] == rows


# Pull requests


def test_a_pull_request_shows_what_was_pushed(hub: Hub, job: Client, checkout: Checkout) -> None:
    number = propose(hub, checkout)
    head = checkout.push("feature", {"train.py": "depth = 8\n"})
    shown = job.get(f"pulls/{number}")
    assert (shown["head"]["sha"], shown["mergeable"], shown["commits"]) == (head, True, 2)
    assert [one.action for one in hub.events if one.name == "pull_request"] == ["opened", "synchronize"]
    assert git("ls-remote", "origin", f"refs/pull/{number}/head", cwd=checkout.path).split()[0] == head
    assert job.get("pulls", head="acme:feature")[0]["number"] == number
    assert job.get("pulls", head="other:feature") == []
    assert [one["number"] for one in job.get(f"commits/{head}/pulls")] == [number]


def test_the_same_is_not_proposed_twice(hub: Hub, job: Client, checkout: Checkout) -> None:
    propose(hub, checkout)
    body = {"head": "feature", "base": "main", "title": "again"}
    status, words = job.refused("POST", "pulls", body)
    assert (status, words) == (422, "Validation Failed: A pull request already exists for acme:feature.")
    assert job.refused("POST", "pulls", body | {"head": "main"}) == (
        422,
        "Validation Failed: No commits between main and main",
    )
    assert job.refused("POST", "pulls", body | {"head": "nothing"}) == (422, "Validation Failed: invalid")
    hub.settings.actions_may_open_pull_requests = False
    assert job.refused("POST", "pulls", body)[0] == 403


def test_a_merge_is_guarded_by_the_head(hub: Hub, job: Client, checkout: Checkout) -> None:
    number = propose(hub, checkout)
    old = job.get(f"pulls/{number}")["head"]["sha"]
    checkout.push("feature", {"train.py": "depth = 8\n"})
    assert job.refused("PUT", f"pulls/{number}/merge", {"sha": old})[0] == 409
    head = job.get(f"pulls/{number}")["head"]["sha"]
    merged = job.ask("PUT", f"pulls/{number}/merge", {"sha": head, "merge_method": "squash"}).json()
    assert job.get("git/ref/heads/main")["object"]["sha"] == merged["sha"]
    shown = job.get(f"pulls/{number}")
    assert (shown["merged"], shown["merge_commit_sha"], shown["merged_by"]["login"]) == (
        True,
        merged["sha"],
        "github-actions[bot]",
    )
    assert job.refused("PUT", f"pulls/{number}/merge", {})[0] == 405
    assert job.refused("PATCH", f"pulls/{number}", {"state": "open"})[0] == 422


def test_what_conflicts_is_not_merged(hub: Hub, job: Client, checkout: Checkout) -> None:
    first = git("rev-parse", "origin/main", cwd=checkout.path)
    number = propose(hub, checkout)
    checkout.push("main", {"train.py": "depth = 9\n"}, onto=first)
    assert job.get(f"pulls/{number}")["mergeable"] is False
    assert job.refused("PUT", f"pulls/{number}/merge", {}) == (405, "Pull Request is not mergeable")


def test_a_merge_by_push_and_a_deleted_branch_end_a_pull_request(hub: Hub, job: Client, checkout: Checkout) -> None:
    merged, dropped = propose(hub, checkout), propose(hub, checkout, branch="other")
    git("push", "--quiet", "origin", "feature:main", cwd=checkout.path)
    git("push", "--quiet", "origin", "--delete", "other", cwd=checkout.path)
    assert [(hub.pulls[one]["state"], hub.pulls[one]["merged"]) for one in (merged, dropped)] == [
        ("closed", True),
        ("closed", False),
    ]
    assert job.get(f"issues/{dropped}")["closed_by"]["login"] == "dana"


def test_mergeability_takes_its_time(hub: Hub, job: Client, checkout: Checkout) -> None:
    number = propose(hub, checkout)
    hub.state.slow_mergeability = 1
    assert [job.get(f"pulls/{number}")["mergeable"] for _ in range(2)] == [None, True]


def test_a_fork_proposes_from_its_own_repository(hub: Hub, job: Client, checkout: Checkout) -> None:
    fork = hub.fork("mallory")
    head = checkout.push("main", {"train.py": "import os\n"}, onto="origin/main", to=str(fork))
    number = hub.open_pull_request(branch="main", fork="mallory/models", user="mallory")
    shown = job.get(f"pulls/{number}")
    assert shown["head"]["sha"] == head
    assert (shown["head"]["label"], shown["head"]["repo"]["full_name"]) == ("mallory:main", "mallory/models")
    assert job.get("git/ref/heads/main")["object"]["sha"] != head
    head = checkout.push("main", {"train.py": "import sys\n"}, to=str(fork))
    assert job.get(f"pulls/{number}")["head"]["sha"] == head
    run = hub.add_run(5, head_sha=head, head_branch="main", head_repository="mallory/models",
                      artifacts={"report": {"a.json": b"{}"}})  # fmt: skip
    assert run["pull_requests"] == []
    found = job.get("actions/runs/5/artifacts")["artifacts"][0]
    moved = requests.get(found["archive_download_url"], headers={"Authorization": f"Bearer {job.token}"}, timeout=60)
    assert moved.content.startswith(b"PK")


# Reviews and protection


def test_reviews_are_not_by_the_author_and_keep_their_place(hub: Hub, job: Client, checkout: Checkout) -> None:
    number = propose(hub, checkout)
    dana = Client(hub=hub, token=hub.person_token("dana"))
    own = {"event": "APPROVE"}
    assert dana.refused("POST", f"pulls/{number}/reviews", own) == (
        422, "Unprocessable Entity: Can not approve your own pull request",
    )  # fmt: skip
    first = hub.review(number, "alice", "CHANGES_REQUESTED")
    head = checkout.push("feature", {"train.py": "depth = 8\n"})
    hub.review(number, "bob", "APPROVED")
    hub.dismiss(number, first)
    rows = job.get(f"pulls/{number}/reviews")
    assert [(one["user"]["login"], one["state"]) for one in rows] == [("alice", "DISMISSED"), ("bob", "APPROVED")]
    assert [one["commit_id"] == head for one in rows] == [False, True]
    assert job.refused("PUT", f"pulls/{number}/reviews/{first}/dismissals", {"message": "x"})[0] == 422
    hub.delete_account("bob")
    assert job.get(f"pulls/{number}/reviews")[1]["user"] is None
    assert [one.payload["review"]["state"] for one in hub.events if one.action == "submitted"] == [
        "changes_requested", "approved",
    ]  # fmt: skip


@pytest.mark.parametrize("ruleset", [False, True])
def test_a_protected_branch_is_changed_by_approved_pull_requests_only(
    hub: Hub, job: Client, checkout: Checkout, ruleset: bool
) -> None:
    hub.protect("main", reviews=1, checks=("gate",), ruleset=ruleset)
    number = propose(hub, checkout)
    head = hub.pulls[number]["head"]["sha"]
    assert job.refused("PATCH", "git/refs/heads/main", {"sha": head})[0] == 422
    assert job.refused("DELETE", "git/refs/heads/main")[0] == 422
    status, words = job.refused("PUT", f"pulls/{number}/merge", {})
    assert status == 405
    assert "At least 1 approving review is required by reviewers with write access." in words
    hub.person("erin", "read")
    hub.review(number, "erin", "APPROVED")
    assert job.refused("PUT", f"pulls/{number}/merge", {})[0] == 405
    hub.review(number, "alice", "APPROVED")
    assert 'Required status check "gate" is expected.' in job.refused("PUT", f"pulls/{number}/merge", {})[1]
    job.post("check-runs", {"name": "gate", "head_sha": head, "conclusion": "success"})
    assert job.ask("PUT", f"pulls/{number}/merge", {}).status_code == 200
    with pytest.raises(Refusal, match="not mergeable"):
        hub.merge(number, "alice")


# Comments, checks, deployments, dispatches


def test_comments_are_bounded_and_others_may_edit_them(hub: Hub, job: Client) -> None:
    number = job.post("issues", {"title": "drift", "labels": ["mlops"]})["number"]
    mine = job.post(f"issues/{number}/comments", {"body": "x" * 65_536})
    assert job.refused("POST", f"issues/{number}/comments", {"body": "x" * 65_537})[0] == 422
    hub.edit_comment(mine["id"], "olga", "edited")
    shown = job.get(f"issues/comments/{mine['id']}")
    assert (shown["body"], shown["user"]["login"]) == ("edited", "github-actions[bot]")
    theirs = hub.comment(number, "alice", "hm")
    assert job.ask("PATCH", f"issues/comments/{theirs}", {"body": "edited"}).status_code == 200
    hub.person("erin", "read")
    erin = Client(hub=hub, token=hub.person_token("erin"))
    assert erin.refused("PATCH", f"issues/comments/{theirs}", {"body": "no"})[0] == 403
    assert job.ask("DELETE", f"issues/comments/{theirs}").status_code == 204
    assert job.get("issues", labels="mlops")[0]["comments"] == 1
    assert job.get("issues", labels="other") == []


def test_annotations_are_added_fifty_at_once(hub: Hub, job: Client) -> None:
    sha = job.get("git/ref/heads/main")["object"]["sha"]
    note = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "m"}
    output = {"title": "t", "summary": "s"}
    check = job.post("check-runs", {"name": "gate", "head_sha": sha, "output": {**output, "annotations": [note] * 50}})
    more = {"output": {**output, "annotations": [note] * 7}, "conclusion": "neutral"}
    assert job.ask("PATCH", f"check-runs/{check['id']}", more).json()["output"]["annotations_count"] == 57
    assert len(job.get(f"check-runs/{check['id']}/annotations", per_page=100)) == 57
    too_many = {"name": "x", "head_sha": sha, "output": {**output, "annotations": [note] * 51}}
    assert job.ask("POST", "check-runs", too_many).status_code in (422, 500)
    hub.invalid.clear()
    assert job.get(f"commits/{sha}/check-runs")["total_count"] == 1


def test_a_successful_deployment_takes_the_place_of_the_one_before(hub: Hub, job: Client) -> None:
    for _ in range(2):
        made = job.post(
            "deployments", {"ref": "main", "environment": "qa", "required_contexts": [], "auto_merge": False}
        )
        job.post(f"deployments/{made['id']}/statuses", {"state": "success", "environment_url": "http://127.0.0.1:1"})
    assert [one["statuses"][-1]["state"] for one in hub.deployments] == ["inactive", "success"]
    job.post("statuses/" + made["sha"], {"state": "failure", "context": "gate"})
    assert job.refused("POST", "deployments", {"ref": "main"})[0] == 409


def test_a_jobs_own_token_starts_workflows_by_dispatch_only(
    hub: Hub, job: Client, app: Client, checkout: Checkout
) -> None:
    checkout.push("main", {".github/workflows/promote.yml": "on: workflow_dispatch\n"})
    job.ask("POST", "actions/workflows/promote.yml/dispatches", {"ref": "main", "inputs": {"model": "late"}})
    assert job.refused("POST", "actions/workflows/none.yml/dispatches", {"ref": "main"})[0] == 404
    job.ask("POST", "dispatches", {"event_type": "again", "client_payload": {"a": 1}})
    assert [one["kind"] for one in hub.dispatches] == ["workflow", "repository"]
    checkout.push("feature", {"a": "1"}, onto="origin/main")
    job.post("pulls", {"head": "feature", "base": "main", "title": "by the job"})
    checkout.push("other", {"b": "1"}, onto="origin/main")
    app.post("pulls", {"head": "other", "base": "main", "title": "by the app"})
    starts = {(one.name, one.payload["sender"]["login"]): one.starts_workflows for one in hub.events}
    assert starts["workflow_dispatch", "github-actions[bot]"]
    assert starts["repository_dispatch", "github-actions[bot]"]
    assert not starts["pull_request", "github-actions[bot]"]
    assert starts["pull_request", "acme-mlops[bot]"]


# What goes wrong


def test_faults_do_what_they_say(hub: Hub, job: Client) -> None:
    hub.fail_next(503, headers={"Retry-After": "3"}, times=2, match="POST .*/issues$")
    answers = [job.ask("POST", "issues", {"title": "x"}) for _ in range(3)]
    assert [one.status_code for one in answers] == [503, 503, 201]
    assert answers[0].headers["Retry-After"] == "3"
    hub.lose_reply(match="POST")
    with pytest.raises(requests.ConnectionError):
        job.ask("POST", "issues", {"title": "written, but who knows"})
    assert len(hub.issues) == 2
    hub.drop(match="POST")
    with pytest.raises(requests.ConnectionError):
        job.ask("POST", "issues", {"title": "never written"})
    assert len(hub.issues) == 2
    hub.rate_limit(retry_after=7)
    limited = job.ask("GET", "issues")
    assert (limited.status_code, limited.headers["Retry-After"]) == (403, "7")
    assert "secondary rate limit" in limited.json()["message"]
    hub.rate_limit(secondary=False, retry_after=60)
    assert job.ask("GET", "issues").headers["X-RateLimit-Remaining"] == "0"
    assert job.ask("GET", "issues").status_code == 200


def test_silence_lasts_until_the_server_ends(repository: tuple[Path, Checkout]) -> None:
    with serving(repository[0]) as hub:
        hub.silence()
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{hub.url}/meta", timeout=0.2)


def test_it_runs_by_itself(repository: tuple[Path, Checkout], tmp_path: Path) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-m", "tests.github", "--repository", str(repository[0]), "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            address = json.loads((state / "address.json").read_text(encoding="utf-8"))
            headers = {"Authorization": f"Bearer {address['token']}"}
            url = f"{address['url']}/repos/{address['repository']}"
            made = requests.post(f"{url}/issues", json={"title": "x"}, headers=headers, timeout=60)
            assert made.status_code == 201
            said = requests.post(
                f"{address['url']}/-/comment", json={"number": 1, "user": "alice", "body": "y"}, timeout=30
            )
            assert said.status_code == 200
            kept = json.loads((state / "state.json").read_text(encoding="utf-8"))
            assert [one["body"] for one in kept["comments"]] == ["y"]
            assert requests.post(f"{address['url']}/-/nothing", timeout=60).status_code == 404
        finally:
            process.terminate()
    assert process.returncode == 0


def test_whatever_is_described_is_answered() -> None:
    described = {
        (method, path)
        for path, methods in json.loads((Path(__file__).parent / "openapi.json").read_text("utf-8"))["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert described == set(ROUTES)
