"""Proposals, approvals, merges and what is shown on GitLab and on Azure DevOps, against their stand-ins."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.errors import ApprovalError, ConfigurationError, MlopsError, NotFoundError, OutsideError
from mlops_ci.ports import Annotation, Order, PullRequest
from tests.adapters.forge_team import Team, team_at
from tests.adapters.github_team import BRANCH
from tests.gitlab.stand_in import BOT

FILE = "environments/production/tides.yaml"
FIRST = Order(run=7)


@pytest.fixture(params=["gitlab", "azure-devops"])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    with team_at(request.param, tmp_path) as team:
        yield team


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[Team]:
    with team_at("gitlab", tmp_path) as team:
        yield team


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Team]:
    with team_at("azure-devops", tmp_path) as team:
        yield team


def merged(team: Team, pull: PullRequest, message: str = "Merge it\n\nMlops-Log: tides 1 abc\n") -> str:
    return str(team.forge.merge(pull.number, head=pull.head, message=message))


# Proposing and finding.


def test_a_proposal_is_opened_once_and_brought_up_to_date(team: Team) -> None:
    team.hub.lose_reply("POST .*(merge_requests|pullrequests)$")
    first = team.propose()
    assert (first.branch, first.base, first.state, first.head) == (BRANCH, "main", "open", team.shown(BRANCH))
    assert first.author.endswith("[bot]")
    again = team.forge.propose(branch=BRANCH, base="main", title="Promote 2", body="more " * 2000)
    assert (again.number, again.title) == (first.number, "Promote 2")
    team.hub.lag = 3
    newer = team.propose(**{FILE: b"release: 2\n"})  # the forge shows the new commit a little later
    assert (newer.number, newer.head) == (first.number, team.shown(BRANCH))
    assert team.forge.open_pull_request(BRANCH) == newer == team.forge.pull_request(first.number)
    assert team.forge.open_pull_requests("mlops-ci/promote/") == [newer]
    assert list(team.proposals) == [first.number]
    with pytest.raises(ConfigurationError, match="there is no branch mlops-ci/none"):
        team.forge.propose(branch="mlops-ci/none", base="main", title="x", body="")
    with pytest.raises(NotFoundError, match=r"there is no .* request 99"):
        team.forge.pull_request(99)


def test_several_commands_propose_one(team: Team) -> None:
    repository = team.repository
    repository.commit_files({FILE: b"x"}, branch=BRANCH, onto=repository.commit() or "", message="x", replace=True)
    found: list[int] = []

    def propose() -> None:
        found.append(team.forge.propose(branch=BRANCH, base="main", title="Promote", body="x").number)

    threads = [threading.Thread(target=propose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == len(team.proposals) == 1


def test_a_fork_s_branch_of_the_same_name_is_not_ours(team: Team) -> None:
    ours = team.propose()
    fork, bare = team.hub.fork("mallory")
    commit = team.push({"train.py": b"# theirs\n"}, branch="elsewhere")
    team.git("push", "-q", "--force", str(bare), f"{commit}:refs/heads/{BRANCH}")
    number = team.hub.open(BRANCH, by="mallory", fork=fork)
    forge = team.forge
    assert forge.open_pull_request(BRANCH) == ours == forge.latest_pull_request(BRANCH)
    assert forge.open_pull_requests("mlops-ci/") == [ours]
    theirs = forge.pull_request(number)
    owner, _, branch = theirs.branch.rpartition(":")
    assert (branch, bool(owner), theirs.head) == (BRANCH, True, commit)
    assert forge.pull_request_of(commit, BRANCH, owner) == theirs
    assert forge.pull_request_of(commit, BRANCH, "somebody") is None
    with pytest.raises(ApprovalError, match="does not tell who pushed"):
        forge.last_pusher(number)


# Approvals.


def test_an_approval_names_the_commit_that_was_shown_when_it_was_given(team: Team) -> None:
    pull = team.propose()
    team.hub.approve(pull.number, "alice")
    team.hub.later(60)
    second = team.push({FILE: b"release: 3\n"}, branch=BRANCH, user="dana")
    team.hub.approve(pull.number, "bob")  # maybe on a page that did not show the push yet
    team.hub.later(60)
    team.hub.approve(pull.number, "olga")
    found = {one.reviewer: (one.commit, one.verdict) for one in team.forge.reviews(pull.number)}
    assert found == {
        team.login("alice"): (pull.head, "approved"),
        team.login("bob"): (pull.head, "approved"),
        team.login("olga"): (second, "approved"),
    }
    assert team.forge.last_pusher(pull.number) == team.login("dana")
    team.hub.request_changes(pull.number, "alice")
    said = {one.reviewer: (one.commit, one.verdict) for one in team.forge.reviews(pull.number)}
    assert said[team.login("alice")] == (second, "changes-requested")


def test_who_pushed_is_not_who_the_commit_names(team: Team) -> None:
    pull = team.propose()
    assert team.forge.last_pusher(pull.number).endswith("[bot]")
    team.git("config", "user.name", "olga")
    team.push({FILE: b"release: 4\n"}, branch=BRANCH, user="bob")
    assert team.forge.last_pusher(pull.number) == team.login("bob")
    team.hub.pushes.clear()
    with pytest.raises(ApprovalError, match="does not tell who pushed commit"):
        team.forge.last_pusher(pull.number)


def test_gitlab_before_it_told_times_of_approvals(gitlab: Team) -> None:
    pull = gitlab.propose()
    gitlab.hub.tells_times = False
    gitlab.hub.approve(pull.number, "alice")
    gitlab.hub.comment(pull.number, "bob", "approved this merge request")  # a person's words are nobody's approval
    gitlab.hub.merge_requests[pull.number].approvals["bob"] = ""
    gitlab.hub.approve(pull.number, "erin")
    found = {one.reviewer: (one.commit, one.writes) for one in gitlab.forge.reviews(pull.number)}
    assert found == {"alice": (pull.head, True), "bob": ("", True), "erin": (pull.head, False)}


def test_a_push_of_many_branches_at_once_names_nobody(gitlab: Team) -> None:
    pull = gitlab.propose()
    gitlab.hub.pushes.append(
        {**gitlab.hub.pushes[-1], "push_data": {"ref": None, "ref_count": 9, "ref_type": "branch", "commit_to": None}}
    )
    with pytest.raises(ApprovalError, match="does not tell who pushed"):
        gitlab.forge.last_pusher(pull.number)


@pytest.mark.parametrize("server", [False, True])
def test_a_vote_s_time_is_believed_of_the_system_alone(azure: Team, server: bool) -> None:
    azure.hub.server = server
    pull = azure.propose()
    azure.hub.approve(pull.number, "alice")
    azure.hub.vote(pull.number, "bob", 5)
    azure.hub.later(60)
    azure.push({FILE: b"release: 5\n"}, branch=BRANCH)
    azure.hub.later(60)
    alice = azure.hub.accounts["alice"]
    forged = {"CodeReviewThreadType": "VoteUpdate", "CodeReviewVoteResult": "10", "CodeReviewVotedByTfId": alice.id}
    azure.hub.comment(pull.number, "dana", "alice voted 10", **forged)
    azure.hub.comment(pull.number, "dana", "alice voted 10", kind="system", **forged)
    azure.hub.pulls[pull.number].threads[-1]["identities"] = {"1": azure.hub.user(alice)}
    commits = {one.reviewer: one.commit for one in azure.forge.reviews(pull.number)}
    assert commits == {"alice@acme.com": pull.head, "bob@acme.com": pull.head}
    azure.hub.pulls[pull.number].votes["olga@acme.com"] = 10  # of which no thread tells
    assert {one.reviewer: one.commit for one in azure.forge.reviews(pull.number)}["olga@acme.com"] == ""


def test_members_of_groups_and_teams(team: Team) -> None:
    if team.kind == "gitlab":
        team.hub.groups["acme/ml/owners"] = ["alice", "bob"]
        name = "@acme/ml/owners"
    else:
        team.hub.teams["Models/ML owners"] = [team.hub.accounts["alice"], team.hub.accounts["bob"]]
        name = "@Models/ML owners"
    assert team.forge.members(name) == {team.login("alice"), team.login("bob")}
    assert team.forge.members("@acme/none") == frozenset()
    assert "cannot be read" in team.console.said[-1]


# Merging and closing.


def test_a_merge_carries_its_message_and_leaves_no_branch(team: Team) -> None:
    pull = team.propose()
    team.hub.lose_reply("(PUT|PATCH) .*(merge|pullrequests/1)$")
    team.hub.busy = 2
    commit = merged(team, pull)
    assert team.shown("main") == commit
    team.git("fetch", "-q")
    assert team.git("log", "-1", "--format=%B", commit).strip() == "Merge it\n\nMlops-Log: tides 1 abc"
    assert team.shown(BRANCH) == ""
    now = team.forge.pull_request(pull.number)
    assert (now.state, now.merge_commit) == ("merged", commit)
    assert merged(team, pull) == commit


def test_what_was_pushed_after_the_approval_is_not_merged(team: Team) -> None:
    pull = team.propose()
    main = team.shown("main")
    team.hub.lag = 1  # our look still finds the commit before; the forge's guard does not
    team.push({"x.txt": b"evil"}, branch=BRANCH)
    with pytest.raises(ApprovalError, match="shows"):
        merged(team, pull)
    assert team.shown("main") == main
    with pytest.raises(ApprovalError):
        team.forge.merge(pull.number, head="0" * 40, message="x")
    team.hub.close(pull.number, "alice")
    with pytest.raises(ApprovalError, match="is closed"):
        merged(team, team.forge.pull_request(pull.number))
    assert team.forge.pull_request(pull.number).closed_by == team.login("alice")


def test_the_forge_s_own_rules_keep_us_from_merging(team: Team) -> None:
    pull = team.propose()
    team.hub.approvals_required = 1
    with pytest.raises(ApprovalError, match=r"does not (merge|complete)"):
        merged(team, pull)
    assert team.forge.pull_request(pull.number).state == "open"
    team.hub.approve(pull.number, "alice")
    assert merged(team, pull) == team.shown("main")


def test_what_both_changed_does_not_merge(team: Team) -> None:
    pull = team.propose(**{"train.py": b"# ours\n"})
    team.push({"train.py": b"# otherwise\n"})
    with pytest.raises(ConfigurationError, match="does not merge into main"):
        merged(team, pull)


def test_a_repository_that_takes_no_merge_commits(team: Team) -> None:
    pull = team.propose()
    if team.kind == "gitlab":
        team.hub.merge_method = "ff"
    else:
        team.hub.strategies = ("squash",)
    commit = merged(team, pull)
    assert team.shown("main") == commit == team.forge.pull_request(pull.number).merge_commit


def test_what_is_closed_says_why_once_and_has_no_branch(team: Team) -> None:
    pull = team.propose()
    team.hub.lose_reply("(PUT|PATCH|POST) .*", times=1)
    team.hub.fail_next(503, match="(PUT|PATCH) .*", times=5)
    with pytest.raises(OutsideError):
        team.forge.close(pull.number, comment="Closed by mlops-ci: superseded.")
    team.forge.close(pull.number, comment="Closed by mlops-ci: superseded.")
    now = team.forge.pull_request(pull.number)
    assert (now.state, now.closed_by, team.comments) == ("closed", "", ["Closed by mlops-ci: superseded."])
    assert team.shown(BRANCH) == ""
    team.push({"a.txt": b"a"}, branch="feature")
    theirs = team.forge.pull_request(team.hub.open("feature"))
    team.forge.close(theirs.number, comment="no")
    assert team.shown("feature") == theirs.head


# The repository by Git.


def test_the_repository_is_read_and_changed_from_a_shallow_checkout_without_credentials(
    team: Team, tmp_path: Path
) -> None:
    team.push({"second.txt": b"2\n"})
    side = team.push({"side.txt": b"s\n"}, branch="side")
    team.push({"third.txt": b"3\n"})
    shallow = tmp_path / "shallow"
    bare = f"file://{team.hub.store.path}"
    subprocess.run(["git", "clone", "-q", "--depth=1", bare, str(shallow)], check=True)
    before = (shallow / ".git" / "config").read_bytes()
    repository = team.repository_as("", shallow)
    main = repository.commit()
    assert (repository.main, main) == ("main", team.shown("main"))
    assert repository.read("side.txt", ref="side") == b"s\n"
    assert repository.read("side.txt", ref="main") is None
    assert list(repository.changed(main or "", side)) == ["side.txt", "third.txt"]
    base = repository.merge_base("main", side)
    assert base == team.git("merge-base", "origin/main", side)
    assert repository.commit("f" * 40) is None is repository.commit("none")
    made = repository.commit_files({FILE: b"x"}, branch="mlops-ci/new", onto=main or "", message="x")
    assert team.shown("mlops-ci/new") == made == repository.commit("mlops-ci/new")
    assert (shallow / ".git" / "config").read_bytes() == before
    assert not [ref for ref in GitRepository(shallow).git("for-each-ref").splitlines() if "mlops-ci" in ref]


def test_a_forge_that_gives_no_commit_by_its_hash(team: Team, tmp_path: Path) -> None:
    team.hub.store.run("config", "uploadpack.allowAnySHA1InWant", "false")
    side = team.push({"side.txt": b"s\n"}, branch="side")
    newer = team.push({"side.txt": b"t\n"}, branch="side")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{team.hub.store.path}", str(shallow)], check=True)
    repository = team.repository_as("", shallow)
    assert repository.read("side.txt", ref=side) == b"s\n"
    assert repository.merge_base(side, newer) == side
    assert repository.commit("f" * 40) is None


def test_a_branch_that_moved_is_not_overwritten(team: Team) -> None:
    repository = team.repository
    onto = repository.commit() or ""
    team.push({"x.txt": b"x"})
    with pytest.raises(OutsideError, match="branch main moved"):
        repository.commit_files({FILE: b"x"}, branch="main", onto=onto, message="x")
    team.push({"y.txt": b"y"}, branch="feature")
    with pytest.raises(OutsideError, match="branch feature moved"):  # replaced are our own branches alone
        repository.commit_files({FILE: b"x"}, branch="feature", onto=onto, message="x", replace=True)


def test_a_branch_that_moves_during_the_push(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = team.repository
    onto = repository.commit() or ""
    api = repository._host
    team.push({"x.txt": b"x"})
    monkeypatch.setattr(api, "shown", lambda branch: onto)  # what the forge said a moment before
    with pytest.raises(OutsideError, match="branch main moved"):
        repository.commit_files({FILE: b"x"}, branch="main", onto=onto, message="x")


def test_a_protected_branch_says_so_in_the_forge_s_words(team: Team) -> None:
    team.hub.protected.add("main")
    repository = team.repository
    with pytest.raises(ApprovalError, match=r"(protected branches|TF402455)"):
        repository.commit_files({FILE: b"x"}, branch="main", onto=repository.commit() or "", message="x")


def test_a_push_whose_answer_was_lost_is_found(team: Team) -> None:
    repository = team.repository
    team.hub.lose_reply("POST .*git-receive-pack$")
    made = repository.commit_files({FILE: b"x"}, branch=BRANCH, onto=repository.commit() or "", message="x")
    assert team.shown(BRANCH) == made


@pytest.mark.parametrize("status", [429, 503])
def test_a_forge_that_fails_at_git_is_asked_again(team: Team, status: int) -> None:
    repository = team.repository
    onto = repository.commit() or ""
    team.hub.fail_next(status, match="GET .*info/refs", times=2)
    made = repository.commit_files({FILE: b"x"}, branch=BRANCH, onto=onto, message="x")
    assert team.shown(BRANCH) == made
    team.hub.fail_next(status, match="GET .*info/refs", times=99)
    with pytest.raises(OutsideError, match="Git cannot reach"):
        repository.commit_files({FILE: b"y"}, branch=BRANCH, onto=made, message="y")


def test_no_token_is_among_arguments_or_words(team: Team, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Git as it is called, by a `git` that writes down its arguments, which all users of the machine can read."""
    really = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    fake, log = tmp_path / "bin", tmp_path / "arguments"
    fake.mkdir()
    (fake / "git").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {really} "$@"\n')
    (fake / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:/usr/bin:/bin")
    team.propose()
    reading = team.hub.token_of("dana", "nothing")
    with pytest.raises(MlopsError) as caught:
        team.repository_as(reading).commit_files({FILE: b"z"}, branch=BRANCH, onto=team.shown("main"), message="z")
    secrets = [team.hub.token, reading, team.api()._connection._encoded]
    said = f"{log.read_text()} {caught.value} {team.api()!r} {team.repository._remote!r} {team.console.said}"
    assert not [secret for secret in secrets if secret in said]
    assert "push" in log.read_text()


# Faults and rights.


def test_a_forge_that_limits_and_fails_is_asked_again(team: Team) -> None:
    pull = team.propose()
    team.hub.fail_next(429, match="GET .*", retry_after="7", times=1)
    team.hub.fail_next(502, match="GET .*", body=b"<html>Bad gateway</html>")
    api = team.api()
    assert api.shown(BRANCH) == pull.head
    assert api.clock.slept >= 8


def test_a_token_that_is_not_accepted(team: Team) -> None:
    with pytest.raises(ConfigurationError, match="does not accept the token") as caught:
        team.forge_as("wrong-" + "t" * 20).open_pull_request(BRANCH)
    assert "t" * 20 not in str(caught.value)
    with pytest.raises(ConfigurationError, match="is no token"):
        team.api("two words")


def test_what_answers_is_not_the_forge(team: Team) -> None:
    api = team.api()
    team.hub.fail_next(200, match="GET .*", body=b"<html>log in to the proxy</html>", content_type="text/html")
    with pytest.raises(OutsideError, match=r"is not .*'s API"):
        api.shown("main")


# What is shown to people.


def test_one_comment_for_each_key(team: Team) -> None:
    pull = team.propose()
    publisher = team.publisher
    team.hub.comment(pull.number, "alice", "<!-- mlops-ci report run=9 attempt=1 -->\nmine")  # a copied mark
    team.hub.lose_reply("POST .*(notes|threads)$")
    first = publisher.comment(pull.number, key="report", body="one", order=FIRST)
    assert publisher.comment(pull.number, key="report", body="two", order=Order(run=8)) == first
    publisher.comment(pull.number, key="report", body="late", order=FIRST)
    publisher.comment(pull.number, key="other one", body="x", order=FIRST)
    assert team.comments == ["mine", "two", "x"]


def test_checks_statuses_and_deployments(team: Team) -> None:
    pull = team.propose()
    publisher = team.publisher
    note = Annotation(path="train.py", line=1, message="too deep")
    for _ in range(2):
        where = publisher.check(
            pull.head, name="gate", conclusion="failure", title="Worse", summary="by 0.02", annotations=[note]
        )
    assert pull.head in where
    assert len(team.hub.statuses) == 1
    publisher.status(pull.head, context="qa", state="pending", description="d" * 999, url="https://qa.example")
    publisher.status(pull.head, context="qa", state="pending", description="again")
    publisher.status(pull.head, context="qa", state="success")
    for state in ("in_progress", "success", "success", "inactive"):
        publisher.deployment("qa", pull.head, key="tides", state=state, url="https://qa.example/tides")
    publisher.repository_dispatch("x")
    publisher.repository_dispatch("x")
    assert len([said for said in team.console.said if "annotations" in said]) == 1
    assert len([said for said in team.console.said if "events of one's own" in said]) == 1
    if team.kind == "gitlab":
        assert [(one["name"], one["status"]) for one in team.hub.statuses][-1] == ("qa", "success")
        assert [one["status"] for one in team.hub.deployments] == ["running", "success"]
        assert team.hub.environments[0]["external_url"] == "https://qa.example/tides"
    else:
        assert team.hub.statuses[-1]["context"]["name"] == "deploy/qa/tides"
        assert {"failed", "pending", "succeeded", "notApplicable"} == {one["state"] for one in team.hub.statuses}


def test_one_issue_for_each_alarm(team: Team) -> None:
    publisher = team.publisher
    team.hub.lose_reply("POST .*(issues|workitems/.*)$")
    first = publisher.issue(key="monitor/tides/qa", title="Drift", body="since <Monday>", labels=["mlops-ci"])
    assert publisher.issue(key="monitor/tides/qa", title="Drift", body="since Tuesday") == first
    assert publisher.issue(key="monitor/tides/production", title="Drift", body="x") != first
    assert publisher.close_issue("monitor/tides/qa", comment="over")
    assert not publisher.close_issue("monitor/tides/qa", comment="over")
    assert publisher.issue(key="monitor/tides/qa", title="Drift", body="again") != first
    assert len(team.hub.issues if team.kind == "gitlab" else team.hub.items) == 3


def test_a_pipeline_is_started_with_what_it_has_to_know(team: Team) -> None:
    publisher = team.publisher
    if team.kind == "gitlab":
        publisher.dispatch("promote", "main", {"pull-request": "7"})
        (made,) = team.hub.pipelines.values()
        assert made["variables"] == [
            {"key": "MLOPS_PIPELINE", "value": "promote"}, {"key": "MLOPS_PULL_REQUEST", "value": "7"},
        ]  # fmt: skip
    else:
        team.hub.pipelines = {"promote": {"pull_request"}}
        publisher.dispatch("promote", "main", {"pull-request": "7"})
        assert team.hub.runs[0]["templateParameters"] == {"pull_request": "7"}
        with pytest.raises(ConfigurationError, match="no pipeline that is called"):
            publisher.dispatch("none", "main")
    with pytest.raises(ConfigurationError):
        publisher.dispatch("promote", "none" if team.kind == "gitlab" else "main", {"else": "1"})


def test_a_release_of_a_tag_is_published_where_there_are_any(team: Team) -> None:
    publisher = team.publisher
    for text in ("one", "two"):
        where = publisher.release("v1", name="One", body=text, commit=team.shown("main"))
    assert "v1" in where
    assert team.kind != "gitlab" or team.hub.releases["v1"]["description"] == "two"


def test_a_token_that_may_only_read(gitlab: Team) -> None:
    pull = gitlab.propose()
    reading = gitlab.hub.token_of(BOT, "read_api")
    forge = gitlab.forge_as(reading)
    assert forge.pull_request(pull.number) == pull
    with pytest.raises(ConfigurationError, match="insufficient_scope"):
        forge.close(pull.number, comment="x")
    gitlab.hub.protected.add("main")
    gitlab.hub.merge_level = 50
    with pytest.raises(ApprovalError, match="401 Unauthorized"):
        merged(gitlab, pull)


def test_a_server_that_speaks_an_older_version(azure: Team) -> None:
    azure.hub.versions = ("7.0", "7.0-preview")
    pull = azure.propose()
    assert merged(azure, pull) == azure.shown("main")


def test_a_description_that_is_too_long_goes_on_in_a_comment(azure: Team) -> None:
    body = "evidence " * 1000
    pull = azure.propose(body=body)
    assert len(pull.body) == 4000
    assert azure.comments == [body]
