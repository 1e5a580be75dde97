"""The forge on plain Git: proposals, reviews and merges in a real repository."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.local_forge import LocalForge
from mlops_ci.errors import ApprovalError, ConfigurationError, NotFoundError


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    for arguments in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return GitRepository(tmp_path)


@pytest.fixture
def forge(repository: GitRepository) -> LocalForge:
    return LocalForge(repository, Clock())


def push(repository: GitRepository, text: str = "1") -> str:
    onto = repository.commit("main") or ""
    return repository.commit_files({"f": text.encode()}, branch="work", onto=onto, message="work", replace=True)


def propose(forge: LocalForge) -> int:
    return forge.propose(branch="work", base="main", title="Work", body="why").number


def test_a_pull_request_is_proposed_reviewed_and_merged(repository: GitRepository, forge: LocalForge) -> None:
    head = push(repository)
    number = propose(forge)
    forge.review(number, reviewer="ada", commit=head, approve=True)
    assert [(review.reviewer, review.commit, review.verdict) for review in forge.reviews(number)] == [
        ("ada", head, "approved")
    ]
    merged = forge.merge(number, head=head, message="merge")
    assert forge.pull_request(number).state == "merged"
    assert repository.commit("main") == merged
    assert repository.commit("work") is None


def test_an_open_one_is_brought_up_to_date_and_not_opened_twice(repository: GitRepository, forge: LocalForge) -> None:
    push(repository)
    first = propose(forge)
    head = push(repository, "2")
    again = forge.propose(branch="work", base="main", title="Better", body="why")
    assert (again.number, again.title, again.head) == (first, "Better", head)


def test_a_push_shows_and_keeps_the_old_head_from_being_merged(repository: GitRepository, forge: LocalForge) -> None:
    head = push(repository)
    number = propose(forge)
    push(repository, "2")
    with pytest.raises(ApprovalError, match="approve that"):
        forge.merge(number, head=head, message="merge")
    with pytest.raises(ApprovalError, match="by now"):
        forge.review(number, reviewer="ada", commit=head, approve=True)


def test_merging_again_gives_the_same_commit(repository: GitRepository, forge: LocalForge) -> None:
    head = push(repository)
    number = propose(forge)
    assert forge.merge(number, head=head, message="merge") == forge.merge(number, head=head, message="merge")


def test_a_merge_that_was_killed_before_it_was_noted_is_completed(repository: GitRepository, forge: LocalForge) -> None:
    head = push(repository)
    number = propose(forge)
    merged = repository.merge(head, into="main", message="merge")
    assert forge.merge(number, head=head, message="merge") == merged
    assert forge.pull_request(number).state == "merged"


def test_a_closed_one_is_neither_reviewed_nor_merged(repository: GitRepository, forge: LocalForge) -> None:
    head = push(repository)
    number = propose(forge)
    forge.close(number, comment="superseded")
    assert forge.open_pull_request("work") is None
    with pytest.raises(ApprovalError):
        forge.review(number, reviewer="ada", commit=head, approve=True)
    with pytest.raises(ApprovalError):
        forge.merge(number, head=head, message="merge")


def test_what_does_not_exist_is_said_by_name(forge: LocalForge) -> None:
    with pytest.raises(NotFoundError, match="no pull request 7"):
        forge.pull_request(7)
    with pytest.raises(ConfigurationError, match="no branch nothing"):
        forge.propose(branch="nothing", base="main", title="", body="")


def test_members_of_a_team_come_from_the_configuration_of_git(repository: GitRepository, forge: LocalForge) -> None:
    for name in ("ada", "grace"):
        repository.git("config", "--add", "mlops-ci.acme/ml-owners.member", name)
    assert forge.members("@acme/ml-owners") == {"ada", "grace"}
    assert forge.members("@acme/others") == frozenset()
