"""A team's repository behind a stand-in, and a client that only sends what it is told."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.github.hub import Hub


def git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A clone in which `push` commits a file on a branch and pushes it."""

    path: Path

    def push(
        self, branch: str, files: dict[str, str], *, onto: str = "", force: bool = False, to: str = "origin"
    ) -> str:
        """Returns the commit. `onto` begins the branch anew at that commit."""
        if onto:
            git("checkout", "--quiet", "-B", branch, onto, cwd=self.path)
        elif git("branch", "--list", branch, cwd=self.path):
            git("checkout", "--quiet", branch, cwd=self.path)
        else:
            git("checkout", "--quiet", "-b", branch, cwd=self.path)
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text, encoding="utf-8")
        git("add", "--all", cwd=self.path)
        git("commit", "--quiet", "--message", f"Change {', '.join(files)}", cwd=self.path)
        git("push", "--quiet", *(("--force",) if force else ()), to, f"HEAD:refs/heads/{branch}", cwd=self.path)
        return git("rev-parse", "HEAD", cwd=self.path)


def team(folder: Path) -> tuple[Path, Checkout]:
    """A bare repository with one commit on main, and a clone of it."""
    bare, clone = folder / "origin.git", folder / "clone"
    git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=folder)
    git("clone", "--quiet", str(bare), str(clone), cwd=folder)
    git("config", "user.name", "Dana", cwd=clone)
    git("config", "user.email", "dana@example.com", cwd=clone)
    git("checkout", "--quiet", "-B", "main", cwd=clone)
    checkout = Checkout(path=clone)
    checkout.push("main", {"train.py": "depth = 6\n", "data/rows.csv": "a,b\n1,2\n"})
    return bare, checkout


@dataclass(frozen=True, kw_only=True)
class Client:
    """Calls the API of the hub's repository as whoever holds the token."""

    hub: Hub
    token: str

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        """`path` is below the repository, or from the root where it begins with a slash."""
        url = self.hub.url + (path if path.startswith("/") else f"/repos/{self.hub.repository}/{path}")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return requests.request(
            method, url.rstrip("/"), json=body, params=query, headers=headers, timeout=60, allow_redirects=False
        )

    def get(self, path: str, **query: Any) -> Any:
        """What was answered, which has to be a success."""
        return self._good(self.ask("GET", path, **query))

    def post(self, path: str, body: Any) -> Any:
        return self._good(self.ask("POST", path, body))

    def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str]:
        """Status and the message, with what `errors` say."""
        answer = self.ask(method, path, body, **query)
        value = answer.json()
        errors = [
            error if isinstance(error, str) else error.get("message", error.get("code"))
            for error in value.get("errors", ())
        ]
        return answer.status_code, ": ".join([value["message"], *errors])

    @staticmethod
    def _good(answer: requests.Response) -> Any:
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None
