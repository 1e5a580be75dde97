"""Releases of the toolkit, with Git as it is: a clone, where it was cloned from, and what is left of a kill."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlops_ci.errors import ConfigurationError
from tests.github.serving import serving
from tools.reference.pages import ROOT
from tools.release_toolkit import __main__ as command
from tools.release_toolkit import references

FILES = {
    "mlops_ci/__init__.py": '"""The toolkit."""\n\n__version__ = "1.0.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## 1.0.0 — 2026-11-21\n\n- The first one.\n",
    "actions/train/action.yml": "runs:\n  steps:\n    - uses: mlops-ci/mlops-ci/actions/setup@v1\n",
    ".github/workflows/model.yml": (
        "jobs:\n  train:\n    steps:\n"
        "      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2\n"
        "      - uses: mlops-ci/mlops-ci/actions/train@v1 # ours\n"
    ),
    "templates/one/.github/workflows/ci.yml.jinja": "  uses: [[ toolkit ]]/.github/workflows/model.yml@v1\n",
    "templates/one/template.yaml": "questions:\n  toolkit: {prompt: whose, default: mlops-ci/mlops-ci}\n",
    "templates/one/infrastructure.yaml": "a: git::https://github.com/[[ toolkit ]]//infra/modules/a?ref=v1\n",
    "templates/one/.gitlab-ci.yml.jinja": "T: https://github.com/[[ toolkit ]]@v1 # follows: a reason\n",
    "templates/one/README.md": 'pip install "mlops-ci @ git+https://github.com/mlops-ci/mlops-ci@v1"\n',
    "README.md": "mlops-ci/mlops-ci/actions/setup@v1 is how main is called.\n",
}


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A toolkit small enough for a test, and the bare repository that it was cloned from."""

    folder: Path
    remote: Path

    def git(self, *arguments: str) -> str:
        return git(self.folder, *arguments)

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def commit(self, files: dict[str, str], message: str = "change") -> None:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        self.git("push", "--quiet", "origin", "HEAD")

    def prepare(self, version: str) -> None:
        """What the commit before a release changes."""
        before = (self.folder / "CHANGELOG.md").read_text("utf-8").removeprefix("# Changelog\n\n")
        self.commit(
            {
                "CHANGELOG.md": f"# Changelog\n\n## {version} — 2026-12-01\n\n- What {version} brings.\n\n{before}",
                "mlops_ci/__init__.py": f'__version__ = "{version}"\n',
            }
        )

    def release(self, version: str, *more: str, tested: str | None = None) -> int:
        return command.main(
            [
                version,
                "--tested",
                self.head if tested is None else tested,
                "-C",
                str(self.folder),
                "--push",
                "origin",
                *more,
            ]
        )

    def show(self, ref: str, path: str) -> str:
        """What the remote has there."""
        return git(self.remote, "show", f"{ref}:{path}")

    def tags(self) -> dict[str, str]:
        listing = git(self.remote, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/tags")
        return dict(line.split() for line in listing.splitlines())


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), "clone")
    made = Clone(folder=tmp_path / "clone", remote=remote)
    made.commit(FILES, "a toolkit")
    return made


def test_a_release_refers_to_nothing_but_itself(clone: Clone) -> None:
    assert clone.release("1.0.0", "--repository", "acme/ml") == 0

    assert clone.show("v1.0.0", "actions/train/action.yml") == (
        "runs:\n  steps:\n    - uses: acme/ml/actions/setup@v1.0.0"
    )
    workflow = clone.show("v1.0.0", ".github/workflows/model.yml")
    assert "acme/ml/actions/train@v1.0.0 # ours" in workflow
    assert "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2" in workflow
    caller = clone.show("v1.0.0", "templates/one/.github/workflows/ci.yml.jinja")
    assert caller == "  uses: [[ toolkit ]]/.github/workflows/model.yml@v1.0.0"
    assert "default: acme/ml}" in clone.show("v1.0.0", "templates/one/template.yaml")
    assert "github.com/acme/ml@v1.0.0" in clone.show("v1.0.0", "templates/one/README.md")
    assert "//infra/modules/a?ref=v1.0.0" in clone.show("v1.0.0", "templates/one/infrastructure.yaml")
    assert "[[ toolkit ]]@v1 # follows" in clone.show("v1.0.0", "templates/one/.gitlab-ci.yml.jinja")
    # what is not part of what teams call stays as it is, and so does the branch
    assert clone.show("v1.0.0", "README.md") == clone.show("main", "README.md")
    assert "@v1\n" in clone.show("main", "actions/train/action.yml") + "\n"
    assert clone.git("status", "--porcelain") == ""


def test_the_tag_is_annotated_with_the_notes_and_the_moving_one_names_its_commit(clone: Clone) -> None:
    clone.release("1.0.0")

    assert git(clone.remote, "cat-file", "-t", "v1.0.0") == "tag"
    assert "- The first one." in git(clone.remote, "tag", "-l", "--format=%(contents)", "v1.0.0")
    assert git(clone.remote, "rev-parse", "v1") == git(clone.remote, "rev-parse", "v1.0.0^{commit}")
    assert git(clone.remote, "rev-parse", "v1^") == clone.head


def test_the_next_release_moves_the_moving_tag_and_leaves_the_other(clone: Clone) -> None:
    clone.release("1.0.0")
    before = clone.tags()
    clone.prepare("1.1.0")

    assert clone.release("1.1.0") == 0

    after = clone.tags()
    assert after["v1.0.0"] == before["v1.0.0"]
    assert after["v1"] == git(clone.remote, "rev-parse", "v1.1.0^{commit}") != before["v1"]


def test_a_new_major_version_leaves_the_moving_tag_of_the_old_one(clone: Clone) -> None:
    clone.release("1.0.0")
    before = clone.tags()["v1"]
    clone.prepare("2.0.0")
    clone.commit({name: re.sub(r"([@=])v1\b", r"\1v2", text) for name, text in FILES.items() if "v1" in text})

    assert clone.release("2.0.0") == 0

    assert clone.tags()["v1"] == before
    assert set(clone.tags()) == {"v1", "v1.0.0", "v2", "v2.0.0"}


def test_an_old_major_version_may_be_mended_later(clone: Clone) -> None:
    clone.release("1.0.0")
    git(clone.folder, "checkout", "--quiet", "-b", "maintenance")
    clone.prepare("1.0.1")
    clone.git("checkout", "--quiet", "main")
    clone.prepare("2.0.0")
    clone.commit({name: re.sub(r"([@=])v1\b", r"\1v2", text) for name, text in FILES.items() if "v1" in text})
    assert clone.release("2.0.0") == 0
    clone.git("checkout", "--quiet", "maintenance")

    assert clone.release("1.0.1") == 0

    assert git(clone.remote, "rev-parse", "v1") == git(clone.remote, "rev-parse", "v1.0.1^{commit}")


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_made(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    clone.git("commit", "--quiet", "--allow-empty", "-m", "not pushed")
    clone.write({"actions/train/action.yml": "uses: mlops-ci/mlops-ci/actions/setup@main\n"})
    clone.git("commit", "--quiet", "--all", "-m", "a reference at main")
    clone.write({"README.md": "edited\n"})

    assert clone.release("1.3.0", tested="0" * 40) == 2

    said = capsys.readouterr().err
    for reason in (
        "the work tree: is not what was committed: README.md",
        "--tested: names 0000",
        "the version is 1.0.0, not 1.3.0",
        "there is no section for 1.3.0",
        "actions/train/action.yml:1: names mlops-ci/mlops-ci/actions/setup at main",
        "is on no branch of origin",
    ):
        assert reason in said
    assert clone.tags() == {}
    assert clone.git("tag") == ""


@pytest.mark.parametrize(
    ("heading", "reason"),
    [
        ("## 1.0.0 — unreleased\n\n- Something.\n", "has no date"),
        ("## 1.0.0 — 2026-11-21\n\n## 0.9.0 — 2026-01-01\n\n- Old.\n", "is empty"),
        ("## 1.0.01 — 2026-11-21\n\n- Other.\n", "there is no section for 1.0.0"),
    ],
)
def test_the_changelog_has_to_say_something(
    clone: Clone, heading: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clone.commit({"CHANGELOG.md": f"# Changelog\n\n{heading}"})

    assert clone.release("1.0.0") == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("text", ["1", "1.2", "v1.2.0", "1.2.0-rc1", "01.2.0", "1.2.0\n", "", "1.2.x"])
def test_a_version_is_three_numbers(clone: Clone, text: str) -> None:
    assert clone.release(text) == 2
    assert clone.tags() == {}


def test_a_release_never_changes(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    clone.release("1.0.0")
    before = clone.tags()
    clone.commit({"mlops_ci/more.py": "# a later thought\n"})

    assert clone.release("1.0.0") == 2

    assert "v1.0.0 is there already and names something else" in capsys.readouterr().err
    assert clone.tags() == before


def test_going_backwards_is_refused(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    clone.prepare("1.2.0")
    assert clone.release("1.2.0") == 0
    before = clone.tags()
    clone.prepare("1.1.0")

    assert clone.release("1.1.0") == 2

    assert "v1.2.0: is there already, and later than 1.1.0" in capsys.readouterr().err
    assert clone.tags() == before


def test_what_lacks_the_release_before_is_refused(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    clone.git("checkout", "--quiet", "-b", "other")
    clone.prepare("1.1.0")
    clone.git("checkout", "--quiet", "main")
    clone.prepare("1.0.1")
    assert clone.release("1.0.1") == 0
    clone.git("checkout", "--quiet", "other")

    assert clone.release("1.1.0") == 2
    assert "v1 would go backwards" in capsys.readouterr().err


def test_a_tag_that_somebody_else_pushed_is_seen(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    git(clone.remote, "tag", "v1.0.0", "main")

    assert clone.release("1.0.0") == 2

    assert "v1.0.0 is there already and names something else" in capsys.readouterr().err
    assert clone.git("tag") == ""


def test_a_remote_that_is_not_there_is_named(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    clone.git("remote", "set-url", "origin", str(clone.remote) + ".gone")

    assert clone.release("1.0.0") == 20
    assert "the tags of origin cannot be read" in capsys.readouterr().err
    assert clone.git("tag") == ""


def test_run_again_it_says_the_same_and_changes_nothing(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    clone.release("1.0.0")
    first, before = capsys.readouterr().out, clone.tags()

    assert clone.release("1.0.0") == 0

    assert capsys.readouterr().out == first
    assert clone.tags() == before


@pytest.mark.parametrize("stopped_at", ["reference-transaction", "pre-push"])
def test_a_release_that_was_killed_is_finished_by_the_next_one(clone: Clone, stopped_at: str) -> None:
    """The hook kills the tool while Git is at work: while it names the tags here, or before it pushes them."""
    hook = clone.folder / ".git" / "hooks" / stopped_at
    # the tool is the parent of the `git` that is the parent of this hook
    hook.write_text('#!/bin/sh\nkill -9 "$(ps -o ppid= -p "$PPID" | tr -d " ")"\nexit 1\n')
    hook.chmod(0o755)
    killed = subprocess.Popen(
        [
            *(sys.executable, "-m", "tools.release_toolkit", "1.0.0", "--tested", clone.head),
            *("-C", str(clone.folder), "--push", "origin"),
        ],
        cwd=ROOT, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, start_new_session=True,
    )  # fmt: skip
    assert killed.wait(60) == -signal.SIGKILL
    _wait_until_all_of_it_has_ended(killed.pid)
    assert clone.tags() == {}
    hook.unlink()

    assert clone.release("1.0.0") == 0

    assert set(clone.tags()) == {"v1", "v1.0.0"}


def _wait_until_all_of_it_has_ended(group: int) -> None:
    """The Git that outlived the tool has gone: its own locks are taken away."""
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            time.sleep(0.01)


def test_one_tag_that_was_pushed_without_the_other_is_finished(clone: Clone) -> None:
    clone.release("1.0.0")
    git(clone.remote, "tag", "-d", "v1")

    assert clone.release("1.0.0") == 0
    assert set(clone.tags()) == {"v1", "v1.0.0"}


def test_two_clones_make_the_very_same_release(clone: Clone, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(clone.remote), "second")
    second = Clone(folder=tmp_path / "second", remote=clone.remote)

    assert clone.release("1.0.0") == 0
    before = clone.tags()
    assert second.release("1.0.0") == 0

    assert clone.tags() == before


def test_this_checkout_could_be_released(clone: Clone) -> None:
    """All that it names of itself is at one ref, and at the new one afterwards; nothing else of it has changed."""
    for name in FILES:
        if name.startswith(references.FOLDERS):
            (clone.folder / name).unlink()
    ours = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *references.FOLDERS],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, ours):
        if (ROOT / name).is_file():
            target = clone.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    clone.commit({}, "the parts of this checkout")
    clone.prepare("1.0.0")

    assert clone.release("1.0.0", "--repository", "acme/ml") == 0

    paths = git(clone.remote, "ls-tree", "-r", "--name-only", "v1.0.0", "--", *references.FOLDERS).split("\n")
    tree = {path: clone.show("v1.0.0", path) for path in paths if not path.endswith((".parquet", ".csv"))}
    found = references.references(tree)
    assert found
    assert {one.ref for one in found if not one.follows} == {"v1.0.0"}
    # the workflow that updates the template, and its like on GitLab, Azure DevOps and Jenkins
    assert [one.ref for one in found if one.follows] == ["v1"] * 4
    assert "mlops-ci/mlops-ci" not in "".join(tree.values())


def test_references_at_different_refs_are_all_found() -> None:
    files = {
        "actions/a/action.yml": "- uses: mlops-ci/mlops-ci/actions/b@v1\n- uses: mlops-ci/mlops-ci/actions/c@main\n",
        "templates/x/template.yaml": "questions:\n  ref: {prompt: which, default: v2}\n",
        "templates/x/ci.yml": "uses: not-mlops-ci/mlops-ci/actions/c@main\nuses: mlops-ci/mlops-ci-more/a@main\n",
    }
    assert [(one.where, one.what) for one in references.others(files, "v1")] == [
        ("actions/a/action.yml:2", "names mlops-ci/mlops-ci/actions/c at main"),
        ("templates/x/template.yaml:2", "names ref: {prompt: which, default: at v2"),
    ]


def test_git_gets_the_token_and_nobody_else_sees_it(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_ci.adapters.environment import read_environment

    token = "a-long-secret-that-is-nobodys"
    monkeypatch.setenv("MLOPS_FORGE", "github")
    monkeypatch.setenv("MLOPS_GITHUB_TOKEN", token)
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.com")
    given = command._credentials(read_environment())

    assert given is not None
    assert given["GIT_CONFIG_KEY_0"] == "http.https://git.example.com/.extraheader"
    assert token not in str(given)
    assert "MLOPS_GITHUB_TOKEN" not in os.environ


def test_the_release_on_github_has_the_notes_and_is_there_once(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(clone.remote) as hub:

        def publish(token: str) -> int:
            # each run of the workflow has its own environment; reading it takes the token away
            for name, value in (
                ("MLOPS_FORGE", "github"), ("MLOPS_GITHUB_TOKEN", token), ("GITHUB_API_URL", hub.url),
                ("GITHUB_SERVER_URL", hub.server_url), ("GITHUB_REPOSITORY", hub.repository),
            ):  # fmt: skip
                monkeypatch.setenv(name, value)
            return clone.release("1.0.0", "--publish")

        assert publish(hub.new_token(contents="read")) == 2  # after the tags were pushed
        assert set(clone.tags()) == {"v1", "v1.0.0"}

        assert publish(hub.app_token) == 0
        assert publish(hub.app_token) == 0

        assert [(each["tag_name"], each["body"], each["draft"]) for each in hub.releases] == [
            ("v1.0.0", "- The first one.", False)
        ]
        assert f"{hub.repository}/actions/setup@v1.0.0" in clone.show("v1.0.0", "actions/train/action.yml")


def test_publishing_without_pushing_is_refused(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["1.0.0", "--tested", clone.head, "-C", str(clone.folder), "--publish"]) == 2
    assert "--publish needs --push" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([])


@pytest.mark.parametrize("module", ["version", "changelog", "references"])
def test_doctests(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"tools.release_toolkit.{module}"))
    assert result.attempted
    assert not result.failed


def test_an_unknown_ref_is_a_named_error() -> None:
    from tools.release_toolkit.version import parse

    with pytest.raises(ConfigurationError, match="no version"):
        parse("one")
