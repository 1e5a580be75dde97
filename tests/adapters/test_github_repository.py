"""The team's repository through GitHub's API says and does what Git on a clone of it does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.github_repository import GitHubRepository
from mlops_ci.errors import ApprovalError, ConfigurationError, MlopsError, OutsideError
from mlops_ci.pipeline.desired_state import commit_desired
from tests.adapters.github_team import Team, team_at

BINARY = bytes(range(256)) * 3
OURS = "mlops-ci/promote/production/tides"


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with team_at(tmp_path) as team:
        yield team


def fetched(team: Team) -> GitRepository:
    team.git("fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*")
    return team.local


# Reading.


def test_refs_are_the_commits_that_they_show(team: Team) -> None:
    first = team.git("rev-parse", "HEAD")
    second = team.push({"a.txt": b"a"}, branch="feature/x#1")
    team.git("tag", "v1", first)
    team.git("tag", "-a", "-m", "annotated", "v2", first)
    team.git("push", "-q", "origin", "v1", "v2")
    repository = team.repository
    assert repository.main == "main"
    assert repository.commit() == repository.commit("main") == repository.commit(first) == first
    assert repository.commit("feature/x#1") == second
    assert repository.commit("v1") == repository.commit("v2") == repository.commit("refs/tags/v1") == first
    assert repository.commit("refs/heads/feature/x#1") == second
    for missing in ("feature", "feature/x", "0" * 40, "v3", "refs/heads/none", team.git("rev-parse", "HEAD^{tree}")):
        assert repository.commit(missing) is None


def test_what_a_branch_shows_is_asked_each_time_and_what_a_hash_names_once(team: Team) -> None:
    repository = team.repository
    first = repository.commit("main") or ""
    assert repository.read("train.py", ref="main") == b"# the team's own\n"
    second = team.push({"train.py": b"# new\n"})
    assert repository.commit("main") == second
    assert repository.read("train.py", ref="main") == b"# new\n"
    asked = len(team.hub.requests)
    assert repository.read("train.py", ref=first) == b"# the team's own\n"
    assert len(team.hub.requests) == asked


def test_files_of_every_kind_are_read_as_git_reads_them(team: Team) -> None:
    (team.root / "link").symlink_to("train.py")
    (team.root / "loop").symlink_to("..")
    team.push({
        "empty": b"", "binary": BINARY, "large": b"0123456789abcdef" * 150_000, "deep/er/file": b"x",
        "na me#?%é.txt": b"named", "crlf": b"a\r\nb\r\n", ".github/CODEOWNERS": b"* @ada\n",
    })  # fmt: skip
    team.git("update-index", "--add", "--cacheinfo", f"160000,{team.git('rev-parse', 'HEAD')},module")
    team.git("commit", "-q", "-m", "a submodule")
    team.git("push", "-q", "origin", "main")
    ours, git = team.repository, team.local
    paths = ["empty", "binary", "large", "deep/er/file", "na me#?%é.txt", "crlf", "link", "loop", ".github/CODEOWNERS"]
    missing = ["none", "deep", "deep/er", "deep/er/file/x", "module", "module/x", "link/x", "loop/train.py", "DEEP/er"]
    for path in [*paths, *missing]:
        assert ours.read(path, ref="main") == git.read(path, ref="HEAD"), path
    assert all(ours.read(path, ref="main") is not None for path in paths)
    assert all(ours.read(path, ref="main") is None for path in missing)
    assert ours.read("train.py", ref="no-such-branch") is None


def test_a_project_below_the_top(tmp_path: Path) -> None:
    with team_at(tmp_path, place="models/tides") as team:
        team.push({"CODEOWNERS": b"* @ada\n", "models/tides/a.txt": b"mine", "a.txt": b"theirs"})
        ours, git = team.repository, team.local
        assert ours.root == git.root == (team.root / "models/tides").resolve()
        assert ours.from_top("a.txt") == "models/tides/a.txt"
        assert ours.read("a.txt", ref="main") == b"mine"
        assert ours.read("a.txt", ref="main", from_top=True) == b"theirs"
        assert ours.read("CODEOWNERS", ref="main") is None
        onto = ours.commit("main") or ""
        commit = ours.commit_files({"b/c.txt": b"c"}, branch="main", onto=onto, message="c")
        assert fetched(team).changed(onto, commit) == ["models/tides/b/c.txt"]
        assert ours.changed(onto, commit) == ["models/tides/b/c.txt"]


# Comparing.


def test_what_differs_is_what_git_says(team: Team) -> None:
    many = {f"many/{number}/f": b"x" for number in range(40)}
    before = team.push(
        {"same": b"s", "gone": b"g", "edited": b"1", "to/folder": b"f", "mode": b"m", "d/e/f": b"1", **many}
    )
    for path in ("gone", "to/folder", "d/e/f"):
        (team.root / path).unlink()
    (team.root / "to").rmdir()
    (team.root / "mode").chmod(0o700)
    edited = {"edited": b"2", "new": b"n", "to": b"a file now", "many/7/f": b"y", "many/0/g/h": b"z", "é": b"x"}
    after = team.push(edited)
    ours, git = team.repository, team.local
    assert ours.changed(before, after) == sorted(git.changed(before, after))
    assert ours.changed(after, before) == sorted(git.changed(after, before))
    assert ours.changed(after, after) == []
    assert {"gone", "to", "to/folder", "mode", "many/0/g/h", "é"} <= set(ours.changed(before, after))


def test_more_files_than_github_s_own_comparison_names(team: Team) -> None:
    before = team.git("rev-parse", "HEAD")
    after = team.push({f"f{number:03}": b"x" for number in range(450)})
    assert len(team.repository.changed(before, after)) == 450


def test_comparing_has_an_end(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_ci.adapters.github_repository.MOST_FOLDERS", 5)
    before = team.git("rev-parse", "HEAD")
    after = team.push({f"{number}/f": b"x" for number in range(6)})
    with pytest.raises(OutsideError, match="more than 5 folders differ"):
        team.repository.changed(before, after)


def test_a_folder_of_which_github_shows_a_part_is_no_answer(team: Team) -> None:
    tree = team.git("rev-parse", "HEAD^{tree}")
    part = json.dumps({"sha": tree, "url": "x", "tree": [], "truncated": True})
    team.hub.fail_next(200, body=part, match="GET .*/git/trees/")
    with pytest.raises(OutsideError, match="does not show the whole"):
        team.repository.read("train.py", ref="main")


def test_the_newest_commit_that_both_rest_on(team: Team) -> None:
    start = team.git("rev-parse", "HEAD")
    branch = team.push({"a": b"1"}, branch="feature")
    main = team.push({"b": b"1"})
    team.git("checkout", "-q", "--orphan", "alone")
    team.git("commit", "-q", "-m", "alone")
    team.git("push", "-q", "origin", "alone")
    alone = team.git("rev-parse", "HEAD")
    ours, git = team.repository, team.local
    for one, other in [(branch, "main"), ("main", branch), (main, main), (start, "feature"), (alone, "main")]:
        known = other if other not in ("main", "feature") else f"origin/{other}"
        assert ours.merge_base(one, other) == git.merge_base("origin/main" if one == "main" else one, known)
    assert ours.merge_base(branch, "main") == start
    assert ours.merge_base(alone, "main") is None
    assert ours.merge_base("0" * 40, "main") is None
    assert ours.merge_base("none", "main") is None
    asked = sum("/compare/" in request.path for request in team.hub.requests)
    ours.merge_base(branch, "main")
    assert sum("/compare/" in request.path for request in team.hub.requests) == asked


# Committing.


def test_a_commit_is_what_git_would_have_made(team: Team) -> None:
    ours = team.repository
    onto = team.push({"kept": b"k", "deep/kept": b"k", "edited": b"1"})
    files = {"edited": b"2", "deep/new/x.bin": BINARY, "empty": b""}
    message = "Promote it\n\nMlops-Log: tides 1 abc\n"
    commit = ours.commit_files(files, branch=OURS, onto=onto, message=message, author="Ada")
    git = fetched(team)
    assert ours.commit(OURS) == commit
    assert sorted(git.changed(onto, commit)) == sorted(files)
    assert {path: git.read(path, ref=commit) for path in files} == files
    assert team.git("log", "-1", "--format=%P%n%an%n%B", commit) == f"{onto}\nAda\n{message.rstrip()}"
    assert ours.read("edited", ref=OURS) == b"2"


def test_files_are_taken_away(team: Team) -> None:
    ours = team.repository
    onto = team.push({"a": b"1", "deep/b": b"2", "deep/er/c": b"3"})
    files = {"a": None, "deep/er/c": None, "none": None, "new": b"n"}
    commit = ours.commit_files(files, branch=OURS, onto=onto, message="x")
    assert fetched(team).changed(onto, commit) == ["a", "deep/er/c", "new"]
    assert ours.commit_files({"none": None}, branch=OURS, onto=commit, message="x") == team.shown(OURS)


def test_the_bot_s_own_commit_names_no_author_so_that_github_signs_it(team: Team) -> None:
    ours = team.repository
    ours.commit_files({"a": b"1"}, branch=OURS, onto=ours.commit() or "", message="x")
    sent = next(request.body for request in team.hub.requests if request.path.endswith("/git/commits"))
    assert sent is not None
    assert "author" not in sent
    assert "committer" not in sent


def test_a_branch_that_moved_is_not_overwritten(team: Team) -> None:
    ours = team.repository
    onto = ours.commit() or ""
    moved = team.push({"train.py": b"# theirs\n"})
    with pytest.raises(OutsideError, match="branch main moved"):
        ours.commit_files({"a": b"1"}, branch="main", onto=onto, message="x")
    assert team.shown("main") == moved


def test_a_branch_that_moves_at_that_very_moment_is_not_overwritten(team: Team) -> None:
    ours = team.repository
    onto = ours.commit() or ""
    moved = team.push({"train.py": b"# theirs\n"})
    ref = {"ref": "refs/heads/main", "node_id": "x", "url": "x", "object": {"sha": onto, "type": "commit", "url": "x"}}
    team.hub.fail_next(200, body=json.dumps(ref), match="GET .*/git/ref/heads/main")
    with pytest.raises(OutsideError, match="branch main moved"):
        ours.commit_files({"a": b"1"}, branch="main", onto=onto, message="x")
    assert team.shown("main") == moved


@pytest.mark.parametrize("branch", ["main", "feature", "mlops-c/x", "x/mlops-ci/x"])
def test_only_our_own_branches_are_replaced(team: Team, branch: str) -> None:
    onto = team.git("rev-parse", "HEAD")
    moved = team.push({"theirs": b"1"}, branch=branch)
    with pytest.raises(OutsideError, match="moved"):
        team.repository.commit_files({"a": b"1"}, branch=branch, onto=onto, message="x", replace=True)
    assert team.shown(branch) == moved


def test_our_own_branch_is_replaced(team: Team) -> None:
    ours = team.repository
    onto = ours.commit() or ""
    first = ours.commit_files({"a": b"1"}, branch=OURS, onto=onto, message="x", replace=True)
    second = ours.commit_files({"a": b"2"}, branch=OURS, onto=onto, message="x", replace=True)
    assert team.shown(OURS) == second != first
    with pytest.raises(OutsideError, match="moved"):
        ours.commit_files({"a": b"3"}, branch=OURS, onto=onto, message="x")


def test_commands_that_commit_to_main_at_once_all_get_there(team: Team) -> None:
    def commit(model: str) -> None:
        commit_desired(
            team.repository, environment="qa", model=model, release="a" * 64, version=1, branch="main", message=model
        )

    threads = [threading.Thread(target=commit, args=(f"m{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    git = fetched(team)
    assert all(git.read(f"environments/qa/m{number}.yaml", ref="origin/main") for number in range(4))
    assert team.git("rev-list", "--count", "origin/main") == "5"


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("match", ["git/blobs", "git/trees", "git/commits", "git/refs"])
def test_an_answer_that_was_lost(team: Team, match: str, exists: bool) -> None:
    ours = team.repository
    onto = ours.commit() or ""
    if exists:
        onto = ours.commit_files({"b": b"1"}, branch=OURS, onto=onto, message="x")
    team.hub.lose_reply(match=f"(POST|PATCH) .*{match}")
    commit = ours.commit_files({"a": b"1"}, branch=OURS, onto=onto, message="x")
    assert team.shown(OURS) == commit
    assert team.git("fetch", "-q", "origin", OURS) == ""
    assert team.git("rev-list", "--count", f"{onto}..FETCH_HEAD") == "1"


@pytest.mark.parametrize("ruleset", [True, False])
def test_a_protected_branch_is_for_people(team: Team, ruleset: bool) -> None:
    team.hub.protect("main", reviews=1, ruleset=ruleset)
    ours = team.repository
    main = team.shown("main")
    with pytest.raises(ApprovalError, match="does not let mlops-ci move branch main"):
        ours.commit_files({"a": b"1"}, branch="main", onto=main, message="x")
    assert team.shown("main") == main


def test_a_workflow_needs_an_app(team: Team) -> None:
    ours = team.repository
    onto = ours.commit() or ""
    files = {".github/workflows/x.yml": b"on: push\n"}
    with pytest.raises(ConfigurationError, match="does not let our token commit") as caught:
        ours.commit_files(files, branch="mlops-ci/update/template", onto=onto, message="x", replace=True)
    assert "workflows: write" in caught.value.fix
    app = GitHubRepository(team.api(team.hub.app_token), team.local)
    app.commit_files(files, branch="mlops-ci/update/template", onto=onto, message="x", replace=True)


def test_a_token_that_may_only_read_says_what_it_needs(team: Team) -> None:
    reader = GitHubRepository(team.api(team.hub.read_token), team.local)
    onto = reader.commit() or ""
    with pytest.raises(ConfigurationError) as caught:
        reader.commit_files({"a": b"1"}, branch=OURS, onto=onto, message="x")
    assert "contents: write" in caught.value.fix
    assert reader.commit(OURS) is None


def test_a_token_without_access_does_not_see_an_empty_repository(team: Team) -> None:
    blind = GitHubRepository(team.api(team.hub.new_token(pull_requests="write")), team.local)
    with pytest.raises(MlopsError):
        blind.commit("main")
    with pytest.raises(MlopsError):
        blind.read("train.py", ref="main")


def test_a_branch_that_is_hidden_is_no_branch_that_is_missing(team: Team) -> None:
    team.hub.fail_next(404, body='{"message": "Not Found"}', match="GET .*/git/ref/heads/main")
    with pytest.raises(ConfigurationError, match="GitHub shows no branch main"):
        team.repository.commit("main")


def test_half_a_file_is_no_file(team: Team) -> None:
    blob = {"sha": "x", "node_id": "x", "url": "x", "encoding": "base64", "size": 17}
    for content in ("IyB0aGU=", "no base64!", ""):
        team.hub.fail_next(200, body=json.dumps(blob | {"content": content}), match="GET .*/git/blobs/")
        with pytest.raises(OutsideError, match="not the whole file"):
            team.repository.read("train.py", ref="main")
