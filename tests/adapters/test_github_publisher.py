"""What is published on GitHub is there once, however often and by however many it is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.github_publisher import GitHubPublisher
from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError
from mlops_ci.ports import Annotation, Order
from tests.adapters.github_team import Team, team_at

KEY = "mlops-ci/model report"
BOT = "github-actions[bot]"


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with team_at(tmp_path) as team:
        yield team


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_ci.adapters.rest_api.PAGE", 3)


@pytest.fixture
def number(team: Team) -> int:
    return team.propose().number


def texts(team: Team) -> list[str]:
    return [comment["body"].partition("\n")[2] for comment in team.hub.comments]


def say(team: Team, number: int, body: str, run: int = 1, attempt: int = 1, key: str = KEY) -> str:
    return team.publisher.comment(number, key=key, body=body, order=Order(run=run, attempt=attempt))


# Comments.


def test_one_comment_is_brought_up_to_date(team: Team, number: int) -> None:
    first = say(team, number, "one")
    assert say(team, number, "two") == first
    assert texts(team) == ["two"]
    assert first == team.hub.comments[0]["html_url"]


def test_nothing_is_sent_where_nothing_has_changed(team: Team, number: int) -> None:
    say(team, number, "one")
    team.hub.requests.clear()
    say(team, number, "one")
    assert {request.method for request in team.hub.requests if request.path != "/graphql"} == {"GET"}


def test_an_older_run_does_not_overwrite_a_newer_one(team: Team, number: int) -> None:
    say(team, number, "newer", run=12, attempt=2)
    say(team, number, "older run", run=9, attempt=9)
    say(team, number, "older attempt", run=12, attempt=1)
    assert texts(team) == ["newer"]
    say(team, number, "newest", run=100)
    assert texts(team) == ["newest"]


@pytest.mark.usefixtures("short_pages")
def test_comments_of_others_are_theirs_whatever_they_say(team: Team, number: int) -> None:
    say(team, number, "ours")
    ours = team.hub.comments[0]["body"]
    for turn in range(7):
        team.hub.comment(number, "alice", ours + str(turn))
    team.hub.comment(number, "acme-mlops[bot]", ours)
    before = [comment["body"] for comment in team.hub.comments[1:]]
    team.hub.comments.append(team.hub.comments.pop(0))  # ours may be on any page
    say(team, number, "ours again", run=2)
    bodies = {comment["id"]: comment["body"] for comment in team.hub.comments}
    assert sum("ours again" in body for body in bodies.values()) == 1
    assert [comment["body"] for comment in team.hub.comments[:-1]] == before


def test_a_stranger_who_is_first_gets_no_comment_of_ours(team: Team, number: int) -> None:
    say(team, number, "x")
    mark = team.hub.comments.pop()["body"]
    theirs = team.hub.comment(number, "mallory", mark)
    say(team, number, "ours")
    assert [(comment["user"]["login"], comment["id"] == theirs) for comment in team.hub.comments] == [
        ("mallory", True),
        (BOT, False),
    ]
    assert team.hub.comments[0]["body"] == mark


def test_a_mark_that_we_only_quote_is_none(team: Team, number: int) -> None:
    say(team, number, "x", key="a")
    mark = team.hub.comments[0]["body"].partition("\n")[0]
    say(team, number, f"somebody wrote\n{mark}\n", key="b")
    say(team, number, "y", key="a")
    assert len(team.hub.comments) == 2
    assert "somebody wrote" in team.hub.comments[1]["body"]


@pytest.mark.parametrize("key", ["a b", "x --> y", "é", "<!-- mlops-ci a run=1 attempt=1 -->", "a/b%20c", "\n"])
def test_any_name_is_a_key(team: Team, number: int, key: str) -> None:
    say(team, number, "one", key=key)
    say(team, number, "two", key=key)
    say(team, number, "other", key=key + "x")
    assert texts(team) == ["two", "other"]


def test_several_jobs_write_one_comment(team: Team, number: int) -> None:
    threads = [threading.Thread(target=say, args=(team, number, f"run {run}", run)) for run in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(team, number, "run 8", run=8)
    assert texts(team) == ["run 8"]


def test_surplus_ones_are_cleared_away_and_the_latest_word_stays(team: Team, number: int) -> None:
    say(team, number, "first", run=1)
    mark = team.hub.comments[0]["body"]
    team.hub.comment(number, BOT, mark.replace("run=1", "run=7").replace("first", "seventh"))
    say(team, number, "third", run=3)
    assert len(team.hub.comments) == 1
    assert texts(team) == ["seventh"]


@pytest.mark.parametrize("match", ["POST .*/comments", "GET .*/comments"])
def test_a_lost_answer_makes_no_second_comment(team: Team, number: int, match: str) -> None:
    team.hub.lose_reply(match=match)
    say(team, number, "one")
    assert texts(team) == ["one"]


def test_a_lost_answer_to_an_update(team: Team, number: int) -> None:
    say(team, number, "one")
    team.hub.lose_reply(match="PATCH .*/comments")
    say(team, number, "two")
    assert texts(team) == ["two"]


def test_a_secondary_limit_is_waited_for(team: Team, number: int) -> None:
    team.hub.rate_limit(secondary=True, retry_after=3, match="POST .*/comments")
    say(team, number, "one")
    assert texts(team) == ["one"]


def test_a_long_report_is_cut_and_still_found(team: Team, number: int) -> None:
    say(team, number, "long " * 30_000)
    say(team, number, "longer " * 30_000)
    assert len(team.hub.comments) == 1
    assert len(team.hub.comments[0]["body"]) == 65_536
    assert team.hub.comments[0]["body"].endswith("The whole is in the run's artifacts.")


def test_a_person_s_token_writes_as_that_person(team: Team, number: int) -> None:
    publisher = GitHubPublisher(team.api(team.hub.person_token("olga")))
    for body in ("one", "two"):
        publisher.comment(number, key=KEY, body=body, order=Order(run=1))
    assert [(comment["user"]["login"], comment["body"][-3:]) for comment in team.hub.comments] == [("olga", "two")]


def test_a_token_of_a_fork_cannot_comment(team: Team, number: int) -> None:
    publisher = GitHubPublisher(team.api(team.hub.read_token))
    with pytest.raises(ConfigurationError, match="does not let our token do POST"):
        publisher.comment(number, key=KEY, body="x", order=Order(run=1))


# Checks.


def notes(count: int) -> list[Annotation]:
    return [Annotation(path="mlops.yaml", line=number, message=f"note {number}") for number in range(1, count + 1)]


def check(team: Team, annotations: list[Annotation], **changes: Any) -> str:
    head = team.git("rev-parse", "HEAD")
    given: dict[str, Any] = {"name": "gate", "conclusion": "failure", "title": "t", "summary": "s"} | changes
    return team.publisher.check(head, annotations=annotations, **given)


def lines(run: dict[str, Any]) -> list[int]:
    return [note["start_line"] for note in run["annotations"]]


@pytest.mark.parametrize("count", [0, 1, 50, 51, 130])
def test_a_check_has_all_its_annotations(team: Team, count: int) -> None:
    check(team, notes(count))
    (run,) = team.hub.checks
    assert (run["status"], run["conclusion"]) == ("completed", "failure")
    assert lines(run) == list(range(1, count + 1))


@pytest.mark.parametrize("match", ["POST .*/check-runs", "PATCH .*/check-runs", "GET .*/check-runs/"])
def test_a_lost_answer_doubles_nothing(team: Team, match: str) -> None:
    team.hub.lose_reply(match=match, times=2 if match.startswith("GET") else 1)
    check(team, notes(130))
    (run,) = team.hub.checks
    assert (run["status"], lines(run)) == ("completed", list(range(1, 131)))


def test_a_check_that_was_killed_half_way_is_completed(team: Team) -> None:
    team.hub.fail_next(400, body='{"message": "as if killed"}', match="PATCH .*/check-runs")
    with pytest.raises(OutsideError):
        check(team, notes(130))
    check(team, notes(130))
    (run,) = team.hub.checks
    assert (run["status"], run["conclusion"], lines(run)) == ("completed", "failure", list(range(1, 131)))


def test_what_is_said_otherwise_is_another_check(team: Team) -> None:
    check(team, [])
    check(team, [])
    check(team, [], conclusion="success")
    assert [run["conclusion"] for run in team.hub.checks] == ["failure", "success"]


def test_texts_that_are_too_long_for_a_check(team: Team) -> None:
    note = Annotation(path="a", line=0, message="m" * 70_000, title="t" * 400, level="failure")
    check(team, [note], title="t" * 400, summary="s" * 70_000)
    (run,) = team.hub.checks
    assert len(run["output"]["title"]) == 255
    assert len(run["output"]["summary"]) == 65_535
    assert run["annotations"][0]["start_line"] == 1


# Issues.


def test_one_open_issue_is_brought_up_to_date(team: Team) -> None:
    first = team.publisher.issue(key="drift/tides", title="Drift", body="one", labels=("drift",))
    assert team.publisher.issue(key="drift/tides", title="Drift!", body="two", labels=("drift",)) == first
    (issue,) = team.hub.issues.values()
    assert (issue["title"], issue["body"].partition("\n")[2]) == ("Drift!", "two")
    assert [label["name"] for label in issue["labels"]] == ["drift"]


def test_a_closed_issue_stays_closed(team: Team) -> None:
    team.publisher.issue(key="drift/tides", title="Drift", body="one")
    team.hub.close(min(team.hub.issues), "alice")
    team.publisher.issue(key="drift/tides", title="Drift", body="again")
    assert [issue["state"] for issue in team.hub.issues.values()] == ["closed", "open"]


def test_an_issue_is_closed_with_the_reason_once(team: Team) -> None:
    assert not team.publisher.close_issue("drift/tides", comment="over")
    team.publisher.issue(key="drift/tides", title="Drift", body="one")
    team.publisher.issue(key="drift/others", title="Drift", body="one")
    team.hub.fail_next(500, times=5, match="PATCH .*/issues/")
    with pytest.raises(OutsideError):
        team.publisher.close_issue("drift/tides", comment="over")
    assert team.publisher.close_issue("drift/tides", comment="over")
    assert [issue["state"] for issue in team.hub.issues.values()] == ["closed", "open"]
    assert texts(team) == ["over"]


@pytest.mark.usefixtures("short_pages")
def test_issues_and_pull_requests_of_others_are_not_ours(team: Team, number: int) -> None:
    team.publisher.issue(key="drift/tides", title="Drift", body="one")
    mark = next(iter(team.hub.issues.values()))["body"]
    other = GitHubPublisher(team.api(team.hub.app_token))
    for turn in range(5):
        other.issue(key=f"x{turn}", title="x", body=mark)
    other.issue(key="drift/tides", title="theirs", body="theirs")
    team.publisher.issue(key="drift/tides", title="Drift", body="two")
    assert next(iter(team.hub.issues.values()))["body"].endswith("\ntwo")
    assert sum(issue["title"] == "theirs" for issue in team.hub.issues.values()) == 1
    assert len(team.hub.issues) == 7


def test_a_lost_answer_makes_no_second_issue(team: Team) -> None:
    team.hub.lose_reply(match="POST .*/issues$")
    team.publisher.issue(key="drift/tides", title="Drift", body="one")
    assert len(team.hub.issues) == 1


# Deployments and statuses.


def deploy(team: Team, state: Any, release: str = "r1", environment: str = "production", key: str = "tides") -> str:
    head = team.git("rev-parse", "HEAD")
    return team.publisher.deployment(
        environment, head, key=key, state=state, url="https://tides.example.com", description="version 1 " * 30,
        payload={"release": release},
    )  # fmt: skip


def states(deployment: dict[str, Any]) -> list[str]:
    return sorted(status["state"] for status in deployment["statuses"])


def test_a_deployment_goes_through_its_states(team: Team) -> None:
    for state in ("in_progress", "in_progress", "success", "success"):
        deploy(team, state)
    (deployment,) = team.hub.deployments
    assert (deployment["environment"], deployment["task"]) == ("production", "deploy:tides")
    assert states(deployment) == ["in_progress", "success"]
    assert deployment["statuses"][0]["environment_url"] == "https://tides.example.com"


def test_what_was_there_before_becomes_inactive(team: Team) -> None:
    for release in ("r1", "r2"):
        deploy(team, "success", release=release)
    deploy(team, "success", key="flights")
    deploy(team, "success", environment="qa")
    deploy(team, "failure", release="r3")
    by_payload = [
        (one["environment"], one["task"], one["payload"]["release"], states(one)) for one in team.hub.deployments
    ]
    assert sorted(by_payload) == [
        ("production", "deploy:flights", "r1", ["success"]),
        ("production", "deploy:tides", "r1", ["inactive", "success"]),
        ("production", "deploy:tides", "r2", ["success"]),
        ("production", "deploy:tides", "r3", ["failure"]),
        ("qa", "deploy:tides", "r1", ["success"]),
    ]


def test_what_comes_back_is_deployed_once_more(team: Team) -> None:
    for release in ("r1", "r2", "r1", "r1"):
        deploy(team, "success", release=release)
    deployments = sorted(team.hub.deployments, key=lambda one: one["id"])
    assert [(one["payload"]["release"], states(one)) for one in deployments] == [
        ("r1", ["inactive", "success"]),
        ("r2", ["inactive", "success"]),
        ("r1", ["success"]),
    ]


def test_what_failed_after_it_was_replaced_is_the_same_deployment(team: Team) -> None:
    for release in ("r1", "r2"):
        deploy(team, "success", release=release)
    deploy(team, "failure", release="r1")
    deployments = sorted(team.hub.deployments, key=lambda one: one["id"])
    assert [states(one) for one in deployments] == [["failure", "inactive", "success"], ["success"]]


def test_a_lost_answer_makes_no_second_deployment(team: Team) -> None:
    team.hub.lose_reply(match="POST .*/deployments$")
    deploy(team, "success")
    assert len(team.hub.deployments) == 1


def test_a_status(team: Team) -> None:
    head = team.git("rev-parse", "HEAD")
    team.hub.lose_reply(match="POST .*/statuses")
    team.publisher.status(head, context="mlops-ci/gate", state="success", description="d" * 300, url="memory://x")
    latest = team.hub.statuses[-1]
    assert (latest["context"], latest["state"], len(latest["description"])) == ("mlops-ci/gate", "success", 140)


# Runs and releases.


def test_workflows_are_started(team: Team) -> None:
    team.push({".github/workflows/release.yml": b"on: workflow_dispatch\njobs: {}\n"})
    team.publisher.dispatch("release.yml", "main", {"model": "tides"})
    team.publisher.repository_dispatch("retrain", {"model": "tides"})
    assert [one["kind"] for one in team.hub.dispatches] == ["workflow", "repository"]


@pytest.mark.parametrize("match", ["POST .*/workflows/.*/dispatches", "POST .*/models/dispatches"])
def test_what_may_have_been_started_is_not_started_again(team: Team, match: str) -> None:
    team.push({".github/workflows/release.yml": b"on: workflow_dispatch\njobs: {}\n"})
    team.hub.lose_reply(match=match)
    publisher = team.publisher
    start = (
        partial(publisher.dispatch, "release.yml", "main")
        if "workflows" in match
        else partial(publisher.repository_dispatch, "retrain")
    )
    with pytest.raises(OutsideError, match="nobody can tell"):
        start()
    assert len(team.hub.dispatches) == 1


def test_a_workflow_that_is_not_there(team: Team) -> None:
    with pytest.raises(MlopsError):
        team.publisher.dispatch("none.yml", "main")


def test_a_workflow_that_does_not_wait_to_be_started(team: Team) -> None:
    team.hub.fail_next(
        422, body='{"message": "Workflow does not have \'workflow_dispatch\' trigger"}', match="dispatches"
    )
    with pytest.raises(ConfigurationError, match="does not have 'workflow_dispatch' trigger"):
        team.publisher.dispatch("release.yml", "main")


@pytest.mark.parametrize("draft", [True, False])
def test_a_release_is_made_once(team: Team, draft: bool) -> None:
    head = team.git("rev-parse", "HEAD")
    team.hub.lose_reply(match="POST .*/releases$")
    first = team.publisher.release("v1.2.3", name="1.2.3", body="one", draft=draft, commit=head)
    assert team.publisher.release("v1.2.3", name="1.2.3", body="two", draft=draft, commit=head) == first
    assert [(one["tag_name"], one["body"], one["draft"]) for one in team.hub.releases] == [("v1.2.3", "two", draft)]
