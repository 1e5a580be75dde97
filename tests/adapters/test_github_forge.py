"""Pull requests, reviews, teams and merges on GitHub, against the stand-in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.github_forge import GitHubForge
from mlops_ci.errors import ApprovalError, ConfigurationError, MlopsError, NotFoundError, OutsideError
from mlops_ci.ports import PullRequest
from tests.adapters.github_team import BRANCH, Team, team_at

CODE = {"train.py": b"# better\n"}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with team_at(tmp_path) as team:
        yield team


def merged(team: Team, pull: PullRequest, message: str = "Merge it\n\nMlops-Log: tides 1 abc\n") -> str:
    return team.forge.merge(pull.number, head=pull.head, message=message)


# Proposing.


def test_a_proposal_is_opened_once_and_brought_up_to_date(team: Team) -> None:
    first = team.propose()
    assert (first.branch, first.base, first.state, first.author) == (BRANCH, "main", "open", "github-actions[bot]")
    assert first.head == team.shown(BRANCH)
    again = team.forge.propose(branch=BRANCH, base="main", title="Promote 2", body="more")
    assert (again.number, again.title, again.body) == (first.number, "Promote 2", "more")
    assert team.forge.open_pull_request(BRANCH) == again == team.forge.pull_request(first.number)
    assert len(team.hub.pulls) == 1


def test_nothing_is_sent_where_nothing_has_changed(team: Team) -> None:
    team.propose()
    team.hub.requests.clear()
    team.forge.propose(branch=BRANCH, base="main", title="Promote", body="the evidence")
    assert {request.method for request in team.hub.requests} == {"GET"}


def test_a_branch_that_is_not_there_cannot_be_proposed(team: Team) -> None:
    with pytest.raises(ConfigurationError, match="there is no branch mlops-ci/none"):
        team.forge.propose(branch="mlops-ci/none", base="main", title="x", body="")


def test_a_branch_without_a_commit_of_its_own_cannot_be_proposed(team: Team) -> None:
    team.git("push", "-q", "origin", "main:mlops-ci/same")
    with pytest.raises(ConfigurationError, match="No commits between main and mlops-ci/same"):
        team.forge.propose(branch="mlops-ci/same", base="main", title="x", body="")


def test_a_proposal_whose_answer_was_lost_is_not_made_twice(team: Team) -> None:
    team.hub.lose_reply(match="POST .*/pulls$")
    pull = team.propose()
    assert list(team.hub.pulls) == [pull.number]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_proposal_that_failed_is_made(team: Team, status: int) -> None:
    team.hub.fail_next(status, times=2, match="POST .*/pulls$")
    assert team.propose().state == "open"


def test_several_commands_propose_one(team: Team) -> None:
    repository = team.repository
    onto = repository.commit("main") or ""
    repository.commit_files(CODE, branch=BRANCH, onto=onto, message="x", replace=True)
    found: list[int] = []

    def propose() -> None:
        found.append(team.forge.propose(branch=BRANCH, base="main", title="Promote", body="x").number)

    threads = [threading.Thread(target=propose) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == len(team.hub.pulls) == 1


def test_a_token_that_may_not_open_pull_requests_says_where_to_allow_it(team: Team) -> None:
    team.hub.settings.actions_may_open_pull_requests = False
    with pytest.raises(ConfigurationError, match="not permitted to create or approve") as caught:
        team.propose()
    assert "Workflow permissions" in caught.value.fix


def test_an_endless_text_is_cut(team: Team) -> None:
    pull = team.propose()
    long = team.forge.propose(branch=BRANCH, base="main", title="t" * 999, body="é" * 100_000)
    assert (long.number, len(long.title), len(long.body)) == (pull.number, 256, 65_536)
    assert "cut here by mlops-ci" in long.body


# Finding.


def test_a_fork_s_branch_of_the_same_name_is_not_ours(team: Team) -> None:
    fork = team.hub.fork("mallory")
    commit = team.push(CODE, branch="elsewhere")
    team.git("push", "-q", str(fork), f"{commit}:refs/heads/{BRANCH}")
    number = team.hub.open_pull_request(branch=BRANCH, user="mallory", fork="mallory/models")
    assert team.forge.open_pull_request(BRANCH) is None
    assert team.forge.latest_pull_request(BRANCH) is None
    assert team.forge.open_pull_requests("mlops-ci/") == []
    assert team.forge.pull_request(number).branch == f"mallory:{BRANCH}"
    ours = team.propose()
    assert ours.number != number
    assert team.forge.open_pull_request(BRANCH) == ours


def test_a_pull_request_into_another_branch_is_not_the_proposal(team: Team) -> None:
    team.git("push", "-q", "origin", "main:refs/heads/other")
    ours = team.propose()
    elsewhere = team.hub.open_pull_request(branch=BRANCH, base="other")
    assert elsewhere > ours.number
    assert team.forge.open_pull_request(BRANCH) == ours == team.forge.latest_pull_request(BRANCH)


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_ci.adapters.rest_api.PAGE", 3)


@pytest.mark.usefixtures("short_pages")
def test_all_open_ones_are_found_oldest_first_on_all_pages(team: Team) -> None:
    refs = [f"mlops-ci/promote/production/m{number}" for number in range(8)]
    commit = team.push(CODE, branch="base")
    team.git("push", "-q", "origin", *(f"{commit}:refs/heads/{ref}" for ref in refs), f"{commit}:refs/heads/feature")
    numbers = [team.hub.open_pull_request(branch=ref) for ref in refs]
    team.hub.open_pull_request(branch="feature")
    found = team.forge.open_pull_requests("mlops-ci/promote/")
    assert [pull.number for pull in found] == numbers
    assert [pull.branch for pull in found] == refs


def test_the_latest_one_whatever_became_of_it(team: Team) -> None:
    assert team.forge.latest_pull_request(BRANCH) is None
    first = team.propose()
    team.hub.close(first.number, "alice")
    found = team.forge.latest_pull_request(BRANCH)
    assert found is not None
    assert (found.number, found.state, found.closed_by) == (first.number, "closed", "alice")
    second = team.propose()
    assert team.forge.latest_pull_request(BRANCH) == second
    assert second.number > first.number


def test_there_is_no_such_number(team: Team) -> None:
    with pytest.raises(NotFoundError, match="there is no pull request 99"):
        team.forge.pull_request(99)


def test_the_one_of_a_commit_of_a_fork(team: Team) -> None:
    fork = team.hub.fork("mallory")
    commit = team.push(CODE, branch="elsewhere")
    team.git("push", "-q", str(fork), f"{commit}:refs/heads/feature")
    number = team.hub.open_pull_request(branch="feature", user="mallory", fork="mallory/models")
    forge = team.forge
    found = forge.pull_request_of(commit, "feature", "mallory")
    assert found is not None
    assert (found.number, found.head) == (number, commit)
    assert forge.pull_request_of(commit, "feature", "acme") is None
    assert forge.pull_request_of(commit, "other", "mallory") is None
    assert forge.pull_request_of("0" * 40, "feature", "mallory") is None
    team.hub.close(number, "mallory")
    assert team.forge.pull_request_of(commit, "feature", "mallory") is None


def test_the_fork_is_gone(team: Team) -> None:
    pull = team.propose()
    shown = team.hub.pulls[pull.number]
    shown["head"] |= {"repo": None, "user": None, "label": None}
    body, number = json.dumps(shown), pull.number
    team.hub.fail_next(200, body=body, match="GET .*/pulls/[0-9]+$", times=2)
    assert team.forge.pull_request(number).branch == f"ghost:{BRANCH}"
    with pytest.raises(ApprovalError, match="does not tell who pushed"):
        team.forge.last_pusher(number)


# Reviews.


def test_reviews_as_they_were_given(team: Team) -> None:
    pull = team.propose()
    hub, number = team.hub, pull.number
    hub.review(number, "alice", "APPROVED")
    hub.review(number, "bob", "COMMENTED", body="hm")
    dismissed = hub.review(number, "bob", "CHANGES_REQUESTED", body="no")
    hub.dismiss(number, dismissed)
    hub.review(number, "acme-mlops[bot]", "APPROVED")
    reviews = team.forge.reviews(number)
    assert [(one.reviewer, one.verdict, one.writes) for one in reviews] == [
        ("alice", "approved", True),
        ("bob", "dismissed", True),
        ("acme-mlops[bot]", "approved", False),
    ]
    assert {one.commit for one in reviews} == {pull.head}
    assert [one.time for one in reviews] == sorted(one.time for one in reviews)


@pytest.mark.usefixtures("short_pages")
def test_all_pages_of_reviews_count(team: Team) -> None:
    pull = team.propose()
    for _ in range(7):
        team.hub.review(pull.number, "bob", "COMMENTED", body="hm")
    team.hub.review(pull.number, "alice", "CHANGES_REQUESTED", body="no")
    assert [one.reviewer for one in team.forge.reviews(pull.number)] == ["alice"]


def test_somebody_from_anywhere_who_approves_may_not_write(team: Team) -> None:
    pull = team.propose()
    team.hub.person("erin", "read")
    team.hub.review(pull.number, "erin", "APPROVED")
    assert [one.writes for one in team.forge.reviews(pull.number)] == [False]


def test_a_bot_without_the_name_of_one(team: Team) -> None:
    pull = team.propose()
    team.hub.review(pull.number, "alice", "APPROVED")
    team.hub.reviews(pull.number)[0]["user"]["type"] = "Bot"
    assert [one.reviewer for one in team.forge.reviews(pull.number)] == ["alice[bot]"]


def test_who_deleted_their_account_is_nobody(team: Team) -> None:
    pull = team.propose()
    team.hub.review(pull.number, "alice", "APPROVED")
    team.hub.delete_account("alice")
    assert [(one.reviewer, one.writes) for one in team.forge.reviews(pull.number)] == [("ghost", False)]


# Who pushed last.


def test_the_last_pusher_is_who_pushed_and_not_who_the_commit_names(team: Team) -> None:
    pull = team.propose()
    assert team.forge.last_pusher(pull.number) == "github-actions[bot]"
    team.git("config", "user.name", "olga")
    team.push({"x.txt": b"x"}, branch=BRANCH, user="dana")
    assert team.forge.last_pusher(pull.number) == "dana"
    team.git("reset", "-q", "--hard", pull.head)
    team.hub.pusher = "bob"
    team.git("push", "-q", "--force", "origin", BRANCH)
    assert team.forge.last_pusher(pull.number) == "bob"


def test_who_pushed_cannot_be_told(team: Team) -> None:
    pull = team.propose()
    team.hub.fail_next(404, body='{"message": "Not Found"}', match="GET .*/activity")
    with pytest.raises(ApprovalError, match="does not tell who pushed commit"):
        team.forge.last_pusher(pull.number)
    team.hub.fail_next(200, body="[]", match="GET .*/activity")
    with pytest.raises(ApprovalError, match="does not tell who pushed commit"):
        team.forge.last_pusher(pull.number)


def test_a_push_that_github_has_not_noted_yet(team: Team) -> None:
    pull = team.propose()
    activity = team.api().ask("GET", f"/repos/{team.hub.repository}/activity", query={"ref": f"refs/heads/{BRANCH}"})
    assert activity.value[0]["after"] == pull.head
    old = [activity.value[0] | {"after": "0" * 40}]
    team.hub.fail_next(200, body=json.dumps(old), match="GET .*/activity")
    with pytest.raises(ApprovalError):
        team.forge.last_pusher(pull.number)


# Teams.


@pytest.mark.usefixtures("short_pages")
def test_members_of_a_team_on_all_pages(team: Team) -> None:
    people = [f"person-{number}" for number in range(10)]
    team.hub.team("ml-owners", people)
    forge = GitHubForge(team.api(team.hub.app_token), team.console)
    assert forge.members("@acme/ml-owners") == set(people)


def test_a_token_that_may_not_read_teams_counts_nobody_and_says_so(team: Team) -> None:
    team.hub.team("ml-owners", ["alice"])
    assert team.forge.members("@acme/ml-owners") == frozenset()
    assert "members: read" in team.console.said[-1]


def test_a_team_that_is_not_there(team: Team) -> None:
    forge = GitHubForge(team.api(team.hub.app_token), team.console)
    assert forge.members("@acme/none") == frozenset()
    assert forge.members("@acme/../../user") == frozenset()
    assert len(team.console.said) == 2


# Merging.


def test_a_merge_carries_its_message_and_leaves_no_branch(team: Team) -> None:
    pull = team.propose()
    commit = merged(team, pull)
    assert team.shown("main") == commit
    team.git("fetch", "-q")
    assert team.git("log", "-1", "--format=%B", commit).strip() == "Merge it\n\nMlops-Log: tides 1 abc"
    assert team.git("log", "-1", "--format=%P", commit).split()[1] == pull.head
    assert team.shown(BRANCH) == ""
    now = team.forge.pull_request(pull.number)
    assert (now.state, now.merge_commit) == ("merged", commit)
    assert merged(team, pull) == commit


def test_an_open_one_has_no_merge_commit(team: Team) -> None:
    assert team.propose().merge_commit == ""


@pytest.mark.parametrize("when", ["before", "at the very moment"])
def test_what_was_pushed_after_the_approval_is_not_merged(team: Team, when: str) -> None:
    pull = team.propose()
    main = team.shown("main")
    team.push({"x.txt": b"evil"}, branch=BRANCH)
    if when == "at the very moment":  # as if it had been pushed between our look and GitHub's
        shown = team.hub.pulls[pull.number]
        shown["head"]["sha"] = pull.head
        team.hub.fail_next(200, body=json.dumps(shown), match="GET .*/pulls/[0-9]+$")
    with pytest.raises(ApprovalError):
        merged(team, pull)
    assert team.shown("main") == main


def test_a_merge_whose_answer_was_lost(team: Team) -> None:
    pull = team.propose()
    team.hub.lose_reply(match="PUT .*/merge")
    assert merged(team, pull) == team.shown("main")


def test_what_people_merged_is_merged(team: Team) -> None:
    pull = team.propose()
    commit = team.hub.merge(pull.number, "alice")
    assert merged(team, pull) == commit


def test_what_people_merge_at_the_same_moment(team: Team) -> None:
    pull = team.propose()
    before = json.dumps(team.hub.pulls[pull.number])
    commit = team.hub.merge(pull.number, "alice")
    team.hub.fail_next(200, body=before, match="GET .*/pulls/[0-9]+$")
    assert merged(team, pull) == commit


def test_a_closed_one_is_not_merged(team: Team) -> None:
    pull = team.propose()
    team.hub.close(pull.number, "alice")
    with pytest.raises(ApprovalError, match="is closed"):
        merged(team, pull)


@pytest.mark.parametrize("methods", [("squash",), ("rebase",), ("rebase", "squash")])
def test_a_repository_that_does_not_take_merge_commits(team: Team, methods: tuple[str, ...]) -> None:
    pull = team.propose()
    team.hub.settings.merge_methods = methods
    commit = merged(team, pull)
    assert team.shown("main") == commit
    assert team.forge.pull_request(pull.number).merge_commit == commit
    team.git("fetch", "-q")
    if "squash" in methods:
        assert team.git("log", "-1", "--format=%B", commit).strip() == "Merge it\n\nMlops-Log: tides 1 abc"


def test_a_protected_branch_keeps_us_from_merging(team: Team) -> None:
    pull = team.propose()
    team.hub.protect("main", reviews=1)
    with pytest.raises(ApprovalError, match="approving review"):
        merged(team, pull)
    assert team.forge.pull_request(pull.number).state == "open"
    team.hub.review(pull.number, "alice", "APPROVED")
    assert merged(team, pull) == team.shown("main")


def test_a_required_check_keeps_us_from_merging(team: Team) -> None:
    pull = team.propose()
    team.hub.protect("main", checks=("gate",))
    with pytest.raises(ApprovalError, match="gate"):
        merged(team, pull)


def test_a_draft_is_not_merged(team: Team) -> None:
    team.push(CODE, branch=BRANCH)
    number = team.hub.open_pull_request(branch=BRANCH, draft=True)
    pull = team.forge.pull_request(number)
    with pytest.raises(ApprovalError, match="draft"):
        merged(team, pull)


def test_what_both_changed_does_not_merge(team: Team) -> None:
    pull = team.propose(CODE)
    team.push({"train.py": b"# otherwise\n"})
    with pytest.raises(ConfigurationError, match="does not merge into main"):
        merged(team, pull)


def test_a_base_that_moves_meanwhile_is_tried_again(team: Team) -> None:
    pull = team.propose()
    moved = '{"message": "Base branch was modified. Review and try the merge again."}'
    team.hub.fail_next(405, body=moved, match="PUT .*/merge", times=2)
    assert merged(team, pull) == team.shown("main")


def test_a_branch_that_is_pushed_to_while_it_is_closed_stays(team: Team) -> None:
    pull = team.propose()
    before = json.dumps(team.hub.pulls[pull.number])
    commit = team.push({"next.txt": b"x"}, branch=BRANCH)
    team.hub.fail_next(200, body=before, match="GET .*/pulls/[0-9]+$")
    team.forge.close(pull.number, comment="superseded")
    assert team.shown(BRANCH) == commit


def test_a_person_s_branch_is_never_deleted(team: Team) -> None:
    team.push(CODE, branch="feature")
    pull = team.forge.pull_request(team.hub.open_pull_request(branch="feature"))
    team.forge.close(pull.number, comment="no")
    assert team.shown("feature") == pull.head


def test_a_branch_that_github_deletes_itself(team: Team) -> None:
    team.hub.settings.delete_branch_on_merge = True
    pull = team.propose()
    assert merged(team, pull) == team.shown("main")
    assert team.console.said == []


def test_a_branch_that_cannot_be_deleted_spoils_nothing(team: Team) -> None:
    pull = team.propose()
    team.hub.fail_next(500, times=5, match="DELETE")
    assert merged(team, pull) == team.shown("main")
    assert "could not be deleted" in team.console.said[-1]


# Closing.


def test_what_is_closed_says_why_and_has_no_branch(team: Team) -> None:
    pull = team.propose()
    team.forge.close(pull.number, comment="Closed by mlops-ci: superseded.")
    now = team.forge.pull_request(pull.number)
    assert (now.state, now.closed_by) == ("closed", "")
    assert [comment["body"].partition("\n")[2] for comment in team.hub.comments] == ["Closed by mlops-ci: superseded."]
    assert team.shown(BRANCH) == ""
    team.forge.close(pull.number, comment="again")
    assert len(team.hub.comments) == 1


@pytest.mark.parametrize("match", ["POST .*/comments", "PATCH .*/pulls/", "DELETE"])
def test_a_closing_that_was_interrupted_says_why_once(team: Team, match: str) -> None:
    pull = team.propose()
    team.hub.lose_reply(match=match)
    team.forge.close(pull.number, comment="superseded")
    assert team.forge.pull_request(pull.number).state == "closed"
    assert len(team.hub.comments) == 1


def test_a_closing_that_was_killed_between_comment_and_closing(team: Team) -> None:
    pull = team.propose()
    team.hub.fail_next(500, times=5, match="PATCH .*/pulls/")
    with pytest.raises(OutsideError):
        team.forge.close(pull.number, comment="superseded")
    team.forge.close(pull.number, comment="superseded")
    assert len(team.hub.comments) == 1
    assert team.forge.pull_request(pull.number).state == "closed"


# Who asks.


def test_a_token_that_may_only_read(team: Team) -> None:
    pull = team.propose()
    forge = GitHubForge(team.api(team.hub.read_token), team.console)
    assert forge.pull_request(pull.number) == pull
    with pytest.raises(MlopsError):
        forge.merge(pull.number, head=pull.head, message="x")
    with pytest.raises(ConfigurationError):
        forge.close(pull.number, comment="x")
    assert team.forge.pull_request(pull.number).state == "open"
