"""The Git adapter on real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.errors import ConfigurationError, OutsideError


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def commit(
    repository: GitRepository, path: str = "new/b.txt", text: str = "b\n", branch: str = "main", **more: bool
) -> str:
    onto = repository.commit("main")
    assert onto is not None
    return repository.commit_files({path: text.encode()}, branch=branch, onto=onto, message="change", **more)


def test_a_commit_on_the_branch_shown_brings_the_work_tree_along(folder: Path) -> None:
    repository = GitRepository(folder)
    made = commit(repository)
    assert repository.commit("main") == made
    assert (folder / "new" / "b.txt").read_text() == "b\n"
    assert git(folder, "status", "--porcelain") == ""


def test_a_commit_on_another_branch_leaves_the_work_tree_alone(folder: Path) -> None:
    repository = GitRepository(folder)
    (folder / "a.txt").write_text("being edited\n")
    git(folder, "add", "a.txt")
    commit(repository, branch="other/one")
    assert not (folder / "new").exists()
    assert git(folder, "status", "--porcelain") == "M  a.txt"
    assert repository.read("new/b.txt", ref="other/one") == b"b\n"
    assert repository.read("new/b.txt", ref="main") is None


def test_what_the_user_has_not_committed_is_never_overwritten(folder: Path) -> None:
    (folder / "a.txt").write_text("being edited\n")
    with pytest.raises(ConfigurationError, match=r"a\.txt has changes that are not committed"):
        commit(GitRepository(folder), path="a.txt")
    assert (folder / "a.txt").read_text() == "being edited\n"


def test_a_branch_that_has_moved_is_not_overwritten(folder: Path) -> None:
    repository = GitRepository(folder)
    before = repository.commit("main")
    assert before is not None
    commit(repository)
    with pytest.raises(OutsideError, match="moved from"):
        repository.commit_files({"c": b"c"}, branch="main", onto=before, message="late")


def test_a_branch_is_replaced_only_where_that_is_asked_for(folder: Path) -> None:
    repository = GitRepository(folder)
    first = commit(repository, branch="proposal")
    with pytest.raises(OutsideError):
        commit(repository, text="c\n", branch="proposal")
    second = commit(repository, text="c\n", branch="proposal", replace=True)
    assert repository.commit("proposal") == second != first


def test_a_merge_takes_whole_files_with_their_modes_and_removals(folder: Path) -> None:
    git(folder, "switch", "-q", "-c", "work")
    (folder / "a.txt").unlink()
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "work")
    git(folder, "switch", "-q", "main")
    repository = GitRepository(folder)
    commit(repository)
    head = repository.commit("work")
    assert head is not None
    merged = repository.merge(head, into="main", message="merge")
    assert git(folder, "rev-list", "--parents", "-n", "1", merged).split()[2] == head
    assert sorted(git(folder, "ls-tree", "-r", "--name-only", "main").splitlines()) == ["new/b.txt", "run", "tool"]
    assert git(folder, "ls-tree", "main", "run").startswith("100755")
    assert git(folder, "status", "--porcelain") == ""


def test_a_merge_that_was_done_already_is_found_again(folder: Path) -> None:
    repository = GitRepository(folder)
    head = commit(repository, branch="work")
    merged = repository.merge(head, into="main", message="merge")
    commit(repository, path="later.txt")
    assert repository.merge(head, into="main", message="merge") == merged


def test_a_conflict_names_the_file_and_changes_nothing(folder: Path) -> None:
    repository = GitRepository(folder)
    head = commit(repository, path="a.txt", text="theirs\n", branch="work")
    ours = commit(repository, path="a.txt", text="ours\n")
    with pytest.raises(ConfigurationError, match=r"both changed a\.txt"):
        repository.merge(head, into="main", message="merge")
    assert repository.commit("main") == ours


def test_a_project_in_a_subfolder_has_paths_of_its_own(folder: Path) -> None:
    project = folder / "models" / "one"
    project.mkdir(parents=True)
    repository = GitRepository(project)
    commit(repository, path="environments/qa/one.yaml")
    assert (project / "environments" / "qa" / "one.yaml").read_text() == "b\n"
    assert repository.read("environments/qa/one.yaml", ref="main") == b"b\n"
    assert git(folder, "status", "--porcelain") == ""


def test_names_with_spaces_quotes_and_umlauts_survive(folder: Path) -> None:
    repository = GitRepository(folder)
    name = 'a "quoted" näme\t.txt'
    head = commit(repository, path=name, branch="work")
    repository.merge(head, into="main", message="merge")
    assert (folder / name).read_text() == "b\n"


@pytest.mark.parametrize("state", ["no repository", "no commit"])
def test_a_folder_without_a_commit_is_no_repository_to_work_with(tmp_path: Path, state: str) -> None:
    if state == "no commit":
        git(tmp_path, "init", "-q")
    assert not GitRepository(tmp_path).exists


def test_a_detached_head_is_its_own_main(folder: Path) -> None:
    git(folder, "checkout", "-q", "--detach")
    repository = GitRepository(folder)
    assert repository.main == "HEAD"
    made = repository.commit_files({"x": b"x"}, branch="HEAD", onto=repository.commit() or "", message="change")
    assert repository.commit() == made
    assert (folder / "x").exists()


def test_a_ref_is_created_once_and_replaced_only_from_what_it_held(folder: Path) -> None:
    repository = GitRepository(folder)
    assert repository.create_ref("refs/mlops-ci/x/1", b"one")
    assert not repository.create_ref("refs/mlops-ci/x/1", b"other")
    assert not repository.replace_ref("refs/mlops-ci/x/1", b"two", before=b"other")
    assert repository.replace_ref("refs/mlops-ci/x/1", b"two", before=b"one")
    assert repository.refs("refs/mlops-ci/x") == {"refs/mlops-ci/x/1": b"two"}


def test_messages_of_the_commits_that_touched_a_file_are_read_back(folder: Path) -> None:
    repository = GitRepository(folder)
    onto = repository.commit() or ""
    first = {"environments/qa/m.yaml": b"1"}
    repository.commit_files(first, branch="main", onto=onto, message="change\n\nMlops-Log: 3 abc\n")
    commit(repository, path="other")
    assert "Mlops-Log: 3 abc" in repository.messages_of("environments/*/m.yaml")
    assert "first" not in repository.messages_of("environments/*/m.yaml")


def test_a_second_work_tree_shows_a_commit_and_leaves_nothing_behind(folder: Path) -> None:
    repository = GitRepository(folder)
    (folder / "a.txt").write_text("being edited\n")
    with repository.checked_out("main") as tree:
        assert (tree / "a.txt").read_text() == "a\n"
    assert not tree.exists()
    assert git(folder, "worktree", "list", "--porcelain").count("worktree ") == 1


def test_a_merge_speaks_for_the_files_that_it_brings_to_its_branch(folder: Path) -> None:
    """And not for what the merged branch had not seen yet, such as another model's desired state."""
    repository = GitRepository(folder)
    git(folder, "branch", "work")
    commit(repository, path="environments/qa/b.yaml")
    git(folder, "switch", "-q", "work")
    (folder / "environments" / "qa").mkdir(parents=True)
    (folder / "environments" / "qa" / "a.yaml").write_text("a")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "of a")
    git(folder, "switch", "-q", "main")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge of a", "work")
    assert "merge of a" in repository.messages_of("environments/*/a.yaml")
    assert "merge of a" not in repository.messages_of("environments/*/b.yaml")
    assert repository.messages_of("environments/*/b.yaml").strip() == "change"


def test_a_commit_that_was_killed_before_its_branch_moved_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_ci.adapters import git as adapter

    really = adapter.run

    def killed(args: list[str], **more: object) -> object:
        if "update-ref" in args:
            raise KeyboardInterrupt
        return really(args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(adapter, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        commit(GitRepository(folder))
    monkeypatch.undo()
    assert git(folder, "log", "--format=%s") == "first"
    commit(GitRepository(folder))
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "log", "--format=%s") == "change\nfirst"


def test_a_branch_that_moves_while_it_is_committed_to_is_left_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_ci.adapters import git as adapter

    really = adapter.run

    def overtaken(args: list[str], **more: object) -> object:
        if "update-ref" in args:
            monkeypatch.undo()
            head = git(folder, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "somebody else")
            git(folder, "update-ref", "refs/heads/main", head)
        return really(args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(adapter, "run", overtaken)
    with pytest.raises(OutsideError, match="moved while"):
        commit(GitRepository(folder), path="a.txt")
    assert git(folder, "log", "-1", "--format=%s") == "somebody else"
    assert git(folder, "status", "--porcelain") == ""
    assert (folder / "a.txt").read_text() == "a\n"
