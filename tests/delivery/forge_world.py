"""The small world of `world.py` with its repository on GitLab or on Azure DevOps, and the commands as their pipelines
have them: a detached checkout, a token, and nothing that is kept between two commands but the store.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlops_ci.adapters.ci_variables import AzureDevOps, GitLab
from mlops_ci.adapters.environment import Environment
from mlops_ci.cli import forges
from tests.azure_devops import stand_in as azure_devops
from tests.delivery.github_world import GitHubWorld
from tests.gitlab import stand_in as gitlab


class ForgeWorld(GitHubWorld):
    """`hub` is the stand-in, `robot` the account of the commands' token."""

    hub: Any  # type: ignore[assignment]
    robot = ""

    def login(self, name: str) -> str:
        """The name by which the forge knows somebody."""
        raise NotImplementedError

    def propose_from_fork(self, owner: str, branch: str, commit: str) -> int:
        """The number of a pull request that shows the commit on a branch of that name in somebody's fork."""
        raise NotImplementedError

    def merged(self, number: int) -> bool:
        raise NotImplementedError

    @property
    def repository(self) -> Any:
        return forges.shared_repository_of(self.context())

    def people_say(self, number: int, name: str, what: str = "approve") -> None:
        """`approve` or `request_changes`."""
        getattr(self.hub, what)(number, name)


class GitLabWorld(ForgeWorld):
    robot = gitlab.BOT

    def login(self, name: str) -> str:
        return name

    def propose_from_fork(self, owner: str, branch: str, commit: str) -> int:
        number, bare = self.hub.fork(owner)
        self.git("push", "-q", str(bare), f"{commit}:refs/heads/{branch}")
        return int(self.hub.open(branch, by=owner, fork=number))

    @property
    def environment(self) -> Environment:
        known = GitLab(
            token=self.hub.token, project="acme/models", api_url=f"{self.hub.url}/api/v4", server_url=self.hub.url
        )
        return Environment(
            store=str(self.folder / "store"), actor=self.actor, in_actions=False, in_pipeline=True, step_summary=None,
            step_output=None, store_options={}, forge="gitlab", gitlab=known,
        )  # fmt: skip

    def open_pulls(self) -> dict[str, int]:
        return {one.branch: iid for iid, one in self.hub.merge_requests.items() if one.state == "opened"}

    def head(self, number: int) -> str:
        return str(self.hub.merge_requests[number].sha)

    def merged(self, number: int) -> bool:
        return bool(self.hub.merge_requests[number].state == "merged")

    def deployed(self, environment: str = "production") -> list[Any]:
        return [
            (one["sha"], one["status"])
            for one in self.hub.deployments
            if one["environment"]["name"].startswith(f"{environment}/")
        ]

    def check(self, name: str, commit: str) -> tuple[str, str]:
        found = [one for one in self.hub.statuses if (one["name"], one["sha"]) == (name, commit)]
        return (found[-1]["status"], found[-1]["description"]) if found else ("", "")


class AzureDevOpsWorld(ForgeWorld):
    robot = azure_devops.BOT

    @property
    def environment(self) -> Environment:
        known = AzureDevOps(
            token=self.hub.token, collection_url=f"{self.hub.url}/acme", project="Models", repository="models"
        )
        return Environment(
            store=str(self.folder / "store"), actor=self.actor, in_actions=False, in_pipeline=True, step_summary=None,
            step_output=None, store_options={}, forge="azure-devops", azure_devops=known,
        )  # fmt: skip

    def login(self, name: str) -> str:
        return f"{name}@acme.com"

    def propose_from_fork(self, owner: str, branch: str, commit: str) -> int:
        number, bare = self.hub.fork(owner)
        self.git("push", "-q", str(bare), f"{commit}:refs/heads/{branch}")
        return int(self.hub.open(branch, by=owner, fork=number))

    def open_pulls(self) -> dict[str, int]:
        return {one.branch: number for number, one in self.hub.pulls.items() if one.status == "active"}

    def head(self, number: int) -> str:
        return str(self.hub.pulls[number].sha)

    def merged(self, number: int) -> bool:
        return bool(self.hub.pulls[number].status == "completed")

    def deployed(self, environment: str = "production") -> list[Any]:
        start = f"deploy/{environment}/"
        found = [one for one in self.hub.statuses if one["context"]["name"].startswith(start)]
        words = {"succeeded": "success", "failed": "failed"}
        said = [(one["sha"], words.get(one["state"], one["state"])) for one in found]
        return [each for before, each in zip([None, *said], said, strict=False) if each != before]

    def check(self, name: str, commit: str) -> tuple[str, str]:
        found = [one for one in self.hub.statuses if (one["context"]["name"], one["sha"]) == (name, commit)]
        words = {"succeeded": "success", "notApplicable": "neutral"}
        return (words.get(found[-1]["state"], ""), found[-1]["description"]) if found else ("", "")


@contextmanager
def on_azure_devops(folder: Path, **options: Any) -> Iterator[AzureDevOpsWorld]:
    with azure_devops.serving(_bare(folder)) as hub:
        yield AzureDevOpsWorld(folder, hub, **options)


@contextmanager
def on_gitlab(folder: Path, **options: Any) -> Iterator[GitLabWorld]:
    with gitlab.serving(_bare(folder)) as hub:
        yield GitLabWorld(folder, hub, **options)


def _bare(folder: Path) -> Path:
    bare = folder / "origin.git"
    bare.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    return bare
