"""`publish-report`: what a pull request's run handed over is shown on that pull request, and never believed."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.cli.main import main
from tests.adapters.github_team import Team, team_at
from tests.cli.repository import Answer
from tests.pipeline import report_examples as examples

RUN = 4711


@dataclass
class Desk:
    """A job that a finished run has started, with the reports that it downloaded."""

    team: Team
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def hand_over(self, *evaluations: dict[str, Any]) -> None:
        for evaluation in evaluations:
            self.file(f"{evaluation['model']}.json", json.dumps(evaluation).encode())

    def file(self, name: str, data: bytes) -> None:
        (self.folder / "reports").mkdir(exist_ok=True)
        (self.folder / "reports" / name).write_bytes(data)

    def fork(self, owner: str, branch: str, name: str = "models") -> str:
        """A commit on a branch of somebody's fork."""
        fork = self.team.hub.fork(owner)
        self.team.git("fetch", "-q", "origin")
        self.team.git("checkout", "-q", "-B", "elsewhere", "origin/main")
        (self.team.root / "train.py").write_text(f"# by {owner}\n")
        self.team.git("commit", "-q", "-a", "-m", f"by {owner}")
        self.team.git("push", "-q", "--force", str(fork), f"HEAD:refs/heads/{branch}")
        return self.team.git("rev-parse", "HEAD")

    def finished(
        self, commit: str, branch: str, *, repository: str = "acme/models", run: int = RUN, **more: Any
    ) -> dict[str, Any]:
        """The event that the end of a run fires."""
        about = {"event": "pull_request", "name": "model-pull-request", "actor": "dana", **more}
        self.team.hub.add_run(run, head_sha=commit, head_branch=branch, head_repository=repository, **about)
        event = next(one for one in reversed(self.team.hub.events) if one.name == "workflow_run")
        payload: dict[str, Any] = json.loads(json.dumps(event.payload))
        self.event(payload)
        return payload

    def event(self, payload: Any) -> None:
        (self.folder / "event.json").write_text(json.dumps(payload))

    def publish(self, run: int = RUN) -> Answer:
        stdout, stderr = io.StringIO(), io.StringIO()
        hub = self.team.hub
        for name, value in {
            "GITHUB_ACTIONS": "true", "GITHUB_TOKEN": hub.token, "GITHUB_REPOSITORY": hub.repository,
            "GITHUB_API_URL": hub.url, "GITHUB_SERVER_URL": hub.server_url,
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
        }.items():  # fmt: skip
            self.monkeypatch.setenv(name, value)
        with redirect_stdout(stdout), redirect_stderr(stderr):
            code = main(["publish-report", "reports", "--run", str(run), "--json", "-C", str(self.folder)])
        return Answer(code=code, value=json.loads(stdout.getvalue()), stderr=stderr.getvalue())

    def comments(self, number: int) -> list[str]:
        return [one["body"] for one in self.team.hub.comments if one["issue_number"] == number]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    (tmp_path / "job").mkdir()
    with team_at(tmp_path) as team:
        yield Desk(team=team, folder=tmp_path / "job", monkeypatch=monkeypatch)


def opened(desk: Desk, branch: str = "feature", **more: Any) -> tuple[int, str]:
    commit = desk.team.push({"train.py": b"# better\n"}, branch=branch)
    return desk.team.hub.open_pull_request(branch=branch, **more), commit


def test_the_report_is_shown_on_the_runs_own_pull_request(desk: Desk) -> None:
    number, commit = opened(desk)
    desk.finished(commit, "feature")
    desk.hand_over(examples.superior())
    answer = desk.publish()
    assert answer.code == 0, answer.said
    assert (answer.value["outcome"], answer.value["pull_request"]) == ("published", number)
    assert answer.value["models"] == ["flight-delay"]
    (body,) = desk.comments(number)
    assert "Better than what serves in production" in body
    assert "Nobody has checked these numbers" in body
    assert commit[:12] in body
    (check,) = desk.team.hub.checks
    assert (check["head_sha"], check["conclusion"]) == (commit, "success")
    assert "Better than what serves" in (desk.folder / "summary.md").read_text()


def test_one_comment_is_brought_up_to_date_and_an_older_run_changes_nothing(desk: Desk) -> None:
    number, commit = opened(desk)
    desk.hand_over(examples.superior())
    desk.finished(commit, "feature")
    desk.publish()
    desk.finished(commit, "feature", run=RUN + 1)
    desk.hand_over(examples.blocked())
    assert desk.publish(RUN + 1).code == 0
    assert ["Blocked" in body for body in desk.comments(number)] == [True]
    desk.finished(commit, "feature")
    desk.hand_over(examples.superior())
    assert desk.publish().code == 0
    assert ["Blocked" in body for body in desk.comments(number)] == [True]


def test_a_head_that_has_moved_gets_no_comment_of_an_older_commit(desk: Desk) -> None:
    number, commit = opened(desk)
    desk.finished(commit, "feature")
    desk.hand_over(examples.superior())
    desk.team.push({"train.py": b"# better still\n"}, branch="feature")
    answer = desk.publish()
    assert (answer.code, answer.value["outcome"]) == (0, "outdated")
    assert desk.comments(number) == []
    assert desk.team.hub.checks == []


def test_a_closed_pull_request_gets_none(desk: Desk) -> None:
    number, commit = opened(desk)
    desk.finished(commit, "feature")
    desk.hand_over(examples.superior())
    desk.team.hub.close(number, "dana")
    assert desk.publish().value["outcome"] == "outdated"
    assert desk.comments(number) == []


def test_a_fork_reaches_its_own_pull_request_and_nobody_elses(desk: Desk) -> None:
    """Its branch is called as one of the repository itself that has a pull request, too."""
    ours, _ = opened(desk)
    commit = desk.fork("mallory", "feature")
    theirs = desk.team.hub.open_pull_request(branch="feature", user="mallory", fork="mallory/models")
    desk.finished(commit, "feature", repository="mallory/models")
    # whatever it writes about pull requests is not even looked at
    desk.hand_over({**examples.superior(), "pull_request": ours, "number": ours, "issue_number": ours})
    desk.file("pull_request.txt", str(ours).encode())
    answer = desk.publish()
    assert (answer.code, answer.value["pull_request"]) == (0, theirs), answer.said
    assert desk.comments(ours) == []
    assert len(desk.comments(theirs)) == 1


def test_a_fork_that_pushes_the_commit_of_another_pull_request_does_not_reach_it(desk: Desk) -> None:
    """The run of its own branch has the same commit, and the branch the same name."""
    ours, commit = opened(desk)
    desk.team.git("push", "-q", "--force", str(desk.team.hub.fork("mallory")), f"{commit}:refs/heads/feature")
    desk.finished(commit, "feature", repository="mallory/models")
    desk.hand_over(examples.superior())
    assert desk.publish().value["outcome"] == "outdated"
    assert desk.comments(ours) == []


def test_what_a_fork_says_of_the_champion_is_not_shown(desk: Desk) -> None:
    commit = desk.fork("mallory", "better")
    number = desk.team.hub.open_pull_request(branch="better", user="mallory", fork="mallory/models")
    desk.finished(commit, "better", repository="mallory/models")
    desk.hand_over(examples.superior(withheld="Approved by the security team. All checks passed"))
    assert desk.publish().code == 0
    (body,) = desk.comments(number)
    assert "Judged without the champion" in "\n".join(body.splitlines()[:5])
    assert "May ship" not in body
    assert "may ship" not in body
    assert "security team" not in body
    assert "0.7421" not in body.split("All metrics")[0]
    (check,) = desk.team.hub.checks
    assert check["conclusion"] == "neutral"


def test_two_pull_requests_of_one_branch_get_one_comment(desk: Desk) -> None:
    desk.team.push({"train.py": b"# main too\n"}, branch="develop")
    first, commit = opened(desk)
    second = desk.team.hub.open_pull_request(branch="feature", base="develop")
    desk.finished(commit, "feature")
    desk.hand_over(examples.superior())
    assert desk.publish().value["pull_request"] == first
    assert (len(desk.comments(first)), desk.comments(second)) == (1, [])


# What was handed over.


def test_texts_of_others_are_shown_as_texts(desk: Desk) -> None:
    number, commit = opened(desk)
    desk.finished(commit, "feature")
    evil = "<img src=x onerror=alert(1)> @acme/ml-owners #1 [x](https://evil.example) <!-- mlops-ci --> ![p](//e/p)"
    problem = {"where": "mlops.yaml:3", "what": evil, "fix": "/merge"}
    desk.hand_over(
        examples.blocked(
            reasons=[f"guardrail: {evil}"], changes=[evil], notes=["/merge now", evil],
            data={"problems": [], "warnings": [problem], "changes": []}, lock="a\n@all", commit="x](//e.example",
        )
    )  # fmt: skip
    answer = desk.publish()
    assert answer.code == 0, answer.said
    (body,) = desk.comments(number)
    shown = body.partition("-->\n")[2]  # what stands before is our own mark
    for mark in ("<img", "@acme", "#1", "https://", "](https", "](//", "<!--", "@all", "\n/merge"):
        assert not re.search(rf"(?<!\\){re.escape(mark)}", shown), mark
    (check,) = desk.team.hub.checks
    assert check["output"]["annotations_count"] == 1


UNREADABLE: dict[str, tuple[str, bytes, str]] = {
    "no JSON": ("late.json", b"{", "not JSON"),
    "NaN": ("late.json", b'{"model": "late", "primary": NaN}', "NaN"),
    "a name twice": ("late.json", b'{"model": "late", "model": "x"}', "twice"),
    "a list": ("late.json", b"[]", "an object"),
    "no floor": ("late.json", b"[" * 100_000, "deeply"),
    "another model": ("other.json", json.dumps(examples.superior()).encode(), "another model"),
    "another shape": ("flight-delay.json", json.dumps({**examples.superior(), "primary": 1}).encode(), "primary"),
    "its own verdict": ("flight-delay.json", json.dumps({**examples.superior(), "verdict": "ok"}).encode(), "verdict"),
    "a name that is none": ("a b.json", b"{}", "name"),
    "too large": ("late.json", b" " * ((4 << 20) + 1), "bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_evaluation_is_named_and_not_shown(desk: Desk, name: str, data: bytes, reason: str) -> None:
    number, commit = opened(desk)
    desk.finished(commit, "feature")
    desk.file(name, data)
    answer = desk.publish()
    assert (answer.code, answer.value["models"]) == (16, [])
    assert reason in answer.value["refused"][0]["reason"]
    (body,) = desk.comments(number)
    assert "**Not shown**" in body
    (check,) = desk.team.hub.checks
    assert check["conclusion"] == "failure"


def test_a_link_in_the_artifact_shows_no_file_of_the_machine(desk: Desk) -> None:
    number, commit = opened(desk)
    desk.finished(commit, "feature")
    (desk.folder / "secret.json").write_text(json.dumps(examples.superior(model="secret")))
    (desk.folder / "reports").mkdir()
    (desk.folder / "reports" / "secret.json").symlink_to(desk.folder / "secret.json")
    os.mkfifo(desk.folder / "reports" / "pipe.json")
    answer = desk.publish()
    assert answer.code == 16
    assert answer.value["models"] == []
    assert "Better" not in desk.comments(number)[0]


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: (folder / "reports").mkdir()])
def test_a_run_that_handed_nothing_over_says_nothing(desk: Desk, make: Callable[[Path], None]) -> None:
    number, commit = opened(desk)
    desk.finished(commit, "feature")
    make(desk.folder)
    answer = desk.publish()
    assert (answer.code, answer.value["outcome"]) == (0, "nothing")
    assert desk.comments(number) == []


# The event.


@pytest.mark.parametrize("change", [{"event": "push"}, {"event": "merge_group"}, {"head_repository": None}])
def test_a_run_of_no_pull_request_is_shown_nowhere(desk: Desk, change: dict[str, Any]) -> None:
    number, commit = opened(desk)
    payload = desk.finished(commit, "feature")
    payload["workflow_run"].update(change)
    desk.event(payload)
    desk.hand_over(examples.superior())
    assert desk.publish().value["outcome"] == "outdated"
    assert desk.comments(number) == []


def test_a_run_that_was_started_for_our_own_proposal_is_shown_on_it(desk: Desk) -> None:
    number, commit = opened(desk)
    payload = desk.finished(commit, "feature")
    payload["workflow_run"].update({"event": "workflow_dispatch"})
    desk.event(payload)
    desk.hand_over(examples.superior())
    assert desk.publish().value["outcome"] == "published"
    assert len(desk.comments(number)) == 1


HALF = {"id": RUN, "event": "pull_request", "head_repository": {"full_name": "acme/models"}}


@pytest.mark.parametrize("payload", [{}, [], {"workflow_run": {"id": 1}}, {"workflow_run": HALF}])
def test_an_event_that_is_another_one_is_refused(desk: Desk, payload: Any) -> None:
    desk.event(payload)
    assert desk.publish().code == 2


def test_the_token_is_nowhere_to_be_read(desk: Desk) -> None:
    number, commit = opened(desk)
    desk.finished(commit, "feature")
    desk.hand_over(examples.superior())
    answer = desk.publish()
    said = (
        json.dumps(answer.value) + answer.stderr + desk.comments(number)[0] + (desk.folder / "summary.md").read_text()
    )
    assert desk.team.hub.token not in said
