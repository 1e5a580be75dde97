"""Every test gets a home of its own and nothing of the person or the CI service that runs it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.s3 import S3Server
    from tests.stores import Place

# What belongs to whoever runs the tests: credentials, the repository at hand, the CI job around them.
FOREIGN = ("ACTIONS_", "AWS_", "AZURE_", "GITHUB_", "GIT_", "GOOGLE_", "MLFLOW_", "MLOPS_", "RUNNER_", "XDG_")
GIT_CONFIG = """\
[user]
    name = A Tester
    email = tester@example.com
[init]
    defaultBranch = main
"""


def move_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    (home / ".gitconfig").write_text(GIT_CONFIG)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))


@pytest.fixture(scope="session", autouse=True)
def session_home() -> Iterator[Path]:
    """The home that fixtures of a wider scope than one test see."""
    with tempfile.TemporaryDirectory(prefix="mlops-ci-home-") as path, pytest.MonkeyPatch.context() as monkeypatch:
        move_in(Path(path), monkeypatch)
        # matplotlib lists the machine's fonts once for each home, which takes seconds
        monkeypatch.setenv("MPLCONFIGDIR", path)
        yield Path(path)


@pytest.fixture(autouse=True)
def home(session_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This test's home, empty but for a Git configuration."""
    with tempfile.TemporaryDirectory(prefix="mlops-ci-home-", ignore_cleanup_errors=True) as path:
        move_in(Path(path), monkeypatch)
        yield Path(path)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    from tests.s3 import serve

    with serve() as server:
        yield server


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store in a folder, then one in a bucket."""
    from tests.stores import Place

    if request.param == "local":
        return Place(url=str(tmp_path / "store"), options={})
    server: S3Server = request.getfixturevalue("s3")
    return Place(url=server.new_bucket(), options=server.options)
