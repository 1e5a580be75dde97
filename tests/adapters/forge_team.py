"""A team's repository on the stand-in of GitLab or of Azure DevOps, a clone of it, and the adapters of a command."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mlops_ci.adapters.azure_devops_api import AzureDevOpsApi
from mlops_ci.adapters.azure_devops_forge import AzureDevOpsForge
from mlops_ci.adapters.azure_devops_publisher import AzureDevOpsPublisher
from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.gitlab_api import GitLabApi
from mlops_ci.adapters.gitlab_forge import GitLabForge
from mlops_ci.adapters.gitlab_publisher import GitLabPublisher
from mlops_ci.adapters.remote_repository import RemoteRepository
from mlops_ci.ports import PullRequest
from tests.adapters.github_team import BRANCH, Console, Patient
from tests.azure_devops import stand_in as azure_devops
from tests.github.world import team
from tests.gitlab import stand_in as gitlab


@dataclass
class Team:
    """`kind` is the forge; a name of a person is as the stand-in's methods take it."""

    kind: str
    hub: Any
    root: Path
    console: Console = field(default_factory=Console)

    def api(self, token: str = "") -> Any:
        own: dict[str, Any] = {"token": token or self.hub.token, "clock": Patient(), "console": self.console}
        if self.kind == "gitlab":
            return GitLabApi(project="acme/models", api_url=f"{self.hub.url}/api/v4", **own)
        return AzureDevOpsApi(collection_url=f"{self.hub.url}/acme", project="Models", repository="models", **own)

    @property
    def forge(self) -> Any:
        return self.forge_as("")

    def forge_as(self, token: str) -> Any:
        made = GitLabForge if self.kind == "gitlab" else AzureDevOpsForge
        return made(self.api(token), self.console)

    @property
    def publisher(self) -> Any:
        made = GitLabPublisher if self.kind == "gitlab" else AzureDevOpsPublisher
        return made(self.api(), self.console)

    @property
    def repository(self) -> RemoteRepository:
        return self.repository_as("")

    def repository_as(self, token: str, root: Path | None = None) -> RemoteRepository:
        api, checkout = self.api(token), GitRepository(root or self.root)
        return RemoteRepository(checkout, api.remote(checkout), api)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def push(self, files: Mapping[str, bytes], *, branch: str = "main", user: str = "dana") -> str:
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
        self.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def propose(self, *, branch: str = BRANCH, body: str = "the evidence", **files: bytes) -> PullRequest:
        """A proposal of ours."""
        repository = self.repository
        contents = files or {"environments/production/tides.yaml": b"release: 1\n"}
        onto = repository.commit(repository.main) or ""
        repository.commit_files(contents, branch=branch, onto=onto, message="Promote", replace=True)
        proposed: PullRequest = self.forge.propose(branch=branch, base="main", title="Promote", body=body)
        return proposed

    def shown(self, branch: str) -> str:
        return self.git("ls-remote", "origin", f"refs/heads/{branch}").partition("\t")[0]

    def login(self, name: str) -> str:
        return name if self.kind == "gitlab" else f"{name}@acme.com"

    @property
    def proposals(self) -> dict[int, Any]:
        found: dict[int, Any] = self.hub.merge_requests if self.kind == "gitlab" else self.hub.pulls
        return found

    @property
    def comments(self) -> list[str]:
        """What people read on merge requests, without the marks."""
        if self.kind == "gitlab":
            said = [note["body"] for note in self.hub.notes if not note["system"]]
        else:
            threads = [thread for one in self.hub.pulls.values() for thread in one.threads]
            first = [thread["comments"][0] for thread in threads]
            said = [one["content"] for one in first if one["commentType"] == "text" and not one["isDeleted"]]
        return [text.partition("\n")[2] if text.startswith("<!--") else text for text in said]


@contextmanager
def team_at(kind: str, folder: Path) -> Iterator[Team]:
    shutil.copytree(_first_commit(), folder, dirs_exist_ok=True)
    root, bare = folder / "clone", folder / "origin.git"
    subprocess.run(["git", "remote", "set-url", "origin", str(bare)], cwd=root, check=True)
    serving = gitlab.serving if kind == "gitlab" else azure_devops.serving
    with serving(bare) as hub:
        yield Team(kind=kind, hub=hub, root=root)


@cache
def _first_commit() -> Path:
    """A bare repository and a clone of it, made once."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-ci-forge-team-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    team(folder)
    return folder
