"""A team on GitHub: its repository, its people, and all that is known of it in the end."""

from __future__ import annotations

import secrets as random_secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.act.github_actions import GitHubActions
from tests.github.serving import serving


class Team(GitHubActions):
    """What its people do."""

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def edit(self, name: str, before: str, after: str) -> None:
        text = (self.clone / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {name}"
        (self.clone / name).write_text(text.replace(before, after), encoding="utf-8")

    def branch(self, name: str) -> None:
        self.git("fetch", "-q", "origin")
        self.git("switch", "-q", "-c", name, "origin/main")

    def push(self, message: str, *, to: Path | None = None) -> str:
        """Commits what was edited, and pushes the branch; what it has become."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        self.git("push", "-q", str(to or self.remote), "HEAD")
        return self.git("rev-parse", "HEAD")

    def main(self, path: str) -> str:
        """The file as the main branch has it; empty where it has none."""
        shown = ["git", "show", f"main:{path}"]
        return subprocess.run(shown, cwd=self.remote, check=False, capture_output=True, text=True).stdout

    def every_secret(self) -> dict[str, str]:
        """All that nobody but a job that is trusted with it may ever see."""
        tokens = {f"token {number}": token for number, token in enumerate(self.tokens, 1)}
        own = {"the App's token": self.hub.app_token}
        return {**tokens, **own, **self.secrets}

    def hub_says(self) -> dict[str, Any]:
        """What people read on GitHub, and what jobs sent there."""
        names = ("pulls", "comments", "checks", "statuses", "issues", "deployments", "dispatches", "releases")
        sent = [(request.method, request.path, request.query, request.body) for request in self.hub.requests]
        return {name: getattr(self.hub, name) for name in names} | {"requests": sent}


@contextmanager
def team_with(repository: Path, folder: Path, toolkit: Path) -> Iterator[Team]:
    """GitHub with the files of `repository` on its main branch. Ends every service that was deployed."""
    from mlops_ci.adapters.process_target import ProcessTarget
    from mlops_ci.cli.console import StderrConsole

    for name in ("home", "cache", "kept", "events", "artifacts", "remotes/acme"):
        (folder / name).mkdir(parents=True)
    repository.rename(folder / "clone")
    remote = folder / "remotes" / "acme" / "models.git"
    for command in (
        ["git", "init", "-q", "-b", "main"], ["git", "add", "-A"], ["git", "commit", "-q", "-m", "A model"],
        ["git", "clone", "-q", "--bare", ".", str(remote)], ["git", "remote", "add", "origin", str(remote)],
    ):  # fmt: skip
        subprocess.run(command, cwd=folder / "clone", check=True)
    with serving(remote) as hub:
        key = random_secrets.token_urlsafe(300)
        (folder / "kept" / "app-private-key").write_text(key + "\n", encoding="utf-8")
        (folder / "kept" / "app-token").write_text(hub.app_token, encoding="utf-8")
        team = Team(
            folder=folder, toolkit=toolkit, hub=hub,
            variables={
                "MLOPS_STORE": str(folder / "store"), "MLOPS_RUN": str(folder / "run"), "MLOPS_APP_ID": "12345",
            },
            secrets={"MLOPS_APP_PRIVATE_KEY": key},
        )  # fmt: skip
        try:
            yield team
        finally:
            ProcessTarget(folder / "run", console=StderrConsole(quiet=True)).shut_down()
