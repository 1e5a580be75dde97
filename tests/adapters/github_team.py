"""A team's repository on the stand-in of GitHub, a clone of it, and the adapters as a command would make them."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.github_forge import GitHubForge
from mlops_ci.adapters.github_publisher import GitHubPublisher
from mlops_ci.adapters.github_repository import GitHubRepository
from mlops_ci.ports import PullRequest
from tests.github.hub import Hub
from tests.github.serving import serving

BRANCH = "mlops-ci/promote/production/tides"


class Patient:
    """A clock that is slept on without waiting."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@dataclass
class Console:
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    warn = say

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        yield


@dataclass
class Team:
    """`root` is the clone, in which the project lies under `place`."""

    hub: Hub
    root: Path
    place: str = ""
    console: Console = field(default_factory=Console)

    def api(self, token: str = "") -> GitHubApi:
        return GitHubApi(
            token=token or self.hub.token, repository=self.hub.repository, api_url=self.hub.url,
            server_url=self.hub.server_url, clock=Patient(), console=self.console,
        )  # fmt: skip

    @property
    def forge(self) -> GitHubForge:
        return GitHubForge(self.api(), self.console)

    @property
    def publisher(self) -> GitHubPublisher:
        return GitHubPublisher(self.api())

    @property
    def local(self) -> GitRepository:
        return GitRepository(self.root / self.place)

    @property
    def repository(self) -> GitHubRepository:
        return GitHubRepository(self.api(), self.local)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def push(self, files: Mapping[str, bytes], *, branch: str = "main", user: str = "dana", force: bool = False) -> str:
        """Commits the files to the branch by Git, as people do, and returns the commit."""
        self.git("fetch", "-q", "origin")
        known = self.git("branch", "-r", "--list", f"origin/{branch}")
        self.git("checkout", "-q", "-B", branch, f"origin/{branch}" if known else "origin/main")
        for path, data in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(data)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"by {user}")
        self.hub.pusher = user
        self.git("push", "-q", *(["--force"] if force else []), "origin", branch)
        return self.git("rev-parse", "HEAD")

    def propose(self, files: Mapping[str, bytes] | None = None, *, branch: str = BRANCH) -> PullRequest:
        """A pull request of ours, made by way of the API alone."""
        repository = self.repository
        onto = repository.commit(repository.main) or ""
        files = {"environments/production/tides.yaml": b"release: 1\n"} if files is None else files
        repository.commit_files(files, branch=branch, onto=onto, message="Promote", replace=True)
        return self.forge.propose(branch=branch, base=repository.main, title="Promote", body="the evidence")

    def shown(self, branch: str) -> str:
        return self.git("ls-remote", "origin", f"refs/heads/{branch}").partition("\t")[0]


@contextmanager
def team_at(folder: Path, *, place: str = "", **options: Any) -> Iterator[Team]:
    shutil.copytree(_first_commit(), folder, dirs_exist_ok=True)
    with serving(folder / "models.git", **options) as hub:
        team = Team(hub=hub, root=folder / "clone", place=place)
        if place:
            team.push({f"{place}/train.py": b"# the team's own\n"})
        yield team


@cache
def _first_commit() -> Path:
    """A bare repository and a clone of it, which lie beside each other wherever they are copied to."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-ci-team-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bare, root = folder / "models.git", folder / "clone"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    (root / "train.py").write_text("# the team's own\n")
    for command in ("remote add origin ../models.git", "add -A", "commit -q -m first", "push -q -u origin main"):
        subprocess.run(["git", *command.split()], cwd=root, check=True, capture_output=True)
    return folder
