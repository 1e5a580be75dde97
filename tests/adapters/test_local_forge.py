"""The forge on plain Git: proposals, reviews and merges in a real repository."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.local_forge import LocalForge
from mlops_ci.errors import ApprovalError, ConfigurationError, IntegrityError, NotFoundError


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


HOSTILE = ["", "\n\n", "$(rm -rf /) `x` '\"", "\x00\x1b[31m\u202e", "--upload-pack=x", "\U0001f600" * 5000]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_kept_as_it_is(repository: GitRepository, forge: LocalForge, text: str) -> None:
    push(repository)
    number = forge.propose(branch="work", base="main", title=text, body=text).number
    forge.review(number, reviewer="ada", commit=forge.pull_request(number).head, approve=False)
    forge.close(number, comment=text)
    pull = forge.pull_request(number)
    assert (pull.title, pull.body, pull.state) == (text, f"{text}\n\n{text}", "closed")


@pytest.mark.parametrize("branch", ["-d", "a..b", "", "main~1", "x\ny", "refs/heads/main"])
def test_a_branch_that_cannot_be_is_said_by_name(forge: LocalForge, branch: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no branch"):
        forge.propose(branch=branch, base="main", title="", body="")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is no JSON"),
        (b"\xff", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[]", "is a list, not an object"),
        (b'{"number": 7}', "title is missing"),
        (b'{"number":1,"title":"","body":"","branch":"b","base":"main","head":"h","author":"a","state":"open","url":""}',
         "it calls itself number 1"),
        (b'{"number":7,"title":"","body":"","branch":"b","base":"main","head":"h","author":"a","state":"lost","url":""}',
         "state is 'lost'"),
    ],
)  # fmt: skip
def test_what_somebody_else_put_under_its_refs_is_named(
    repository: GitRepository, forge: LocalForge, data: bytes, said: str
) -> None:
    assert repository.create_ref("refs/mlops-ci/pulls/7", data)
    for ask in (lambda: forge.pull_request(7), lambda: forge.open_pull_request("b"), lambda: propose(forge)):
        push(repository)
        with pytest.raises(IntegrityError, match="refs/mlops-ci/pulls/7") as caught:
            ask()
        assert said in caught.value.what
        assert "git update-ref -d refs/mlops-ci/pulls/7" in caught.value.fix


def test_a_commit_or_a_review_that_is_none_under_its_refs_is_named(
    repository: GitRepository, forge: LocalForge
) -> None:
    push(repository)
    number = propose(forge)
    repository.create_ref(f"refs/mlops-ci/reviews/{number}/0", b"{}")
    with pytest.raises(IntegrityError, match=f"refs/mlops-ci/reviews/{number}/0: reviewer is missing"):
        forge.reviews(number)
    repository.git("update-ref", "refs/mlops-ci/pulls/9", repository.commit("main") or "")
    with pytest.raises(IntegrityError, match="refs/mlops-ci/pulls/9: it is no JSON"):
        forge.pull_request(9)


def test_open_ones_are_found_by_the_beginning_of_their_branch(repository: GitRepository, forge: LocalForge) -> None:
    onto = repository.commit("main") or ""
    for branch in ("a/one", "a/two", "b/one"):
        repository.commit_files({branch: b""}, branch=branch, onto=onto, message=branch)
        forge.propose(branch=branch, base="main", title=branch, body="")
    forge.close(2, comment="no")
    assert [pull.number for pull in forge.open_pull_requests("a/")] == [1]
    assert [pull.number for pull in forge.open_pull_requests("")] == [1, 3]
    latest = forge.latest_pull_request("a/two")
    assert latest is not None
    assert (latest.number, latest.state) == (2, "closed")
    assert forge.latest_pull_request("c") is None
    repository.commit_files({"again": b""}, branch="a/two", onto=onto, message="again")
    assert forge.propose(branch="a/two", base="main", title="again", body="").number == 4


def test_many_at_once_lose_nothing(repository: GitRepository, forge: LocalForge) -> None:
    head = push(repository)
    number = propose(forge)

    def act(turn: int) -> None:
        if turn % 4:
            forge.review(number, reviewer=f"person-{turn}", commit=head, approve=True)
        else:
            forge.propose(branch="work", base="main", title=f"Work {turn}", body="why")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, range(12)))
    assert {review.reviewer for review in forge.reviews(number)} == {f"person-{turn}" for turn in range(12) if turn % 4}
    assert [pull.number for pull in forge.open_pull_requests("")] == [number]


def test_a_merge_and_a_closing_at_once_agree(repository: GitRepository, forge: LocalForge) -> None:
    head = push(repository)
    number = propose(forge)

    def merge() -> None:
        forge.merge(number, head=head, message="merge")

    def close() -> None:
        forge.close(number, comment="no")

    with ThreadPoolExecutor(2) as pool:
        failed = [future.exception() for future in (pool.submit(merge), pool.submit(close))]
    assert all(error is None or isinstance(error, ApprovalError) for error in failed)
    assert (forge.pull_request(number).state == "merged") == (repository.merged(head, into="main") is not None)
