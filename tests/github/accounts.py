"""Who calls, and what they may: people, bots and the permissions of their tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["none", "read", "write"]
LEVELS: tuple[str, ...] = ("none", "read", "write")
JOB = ("actions", "checks", "contents", "deployments", "issues", "pull_requests", "statuses")
"""What `permissions:` of a job can grant, as far as the stand-in has to do with it."""
APP_ONLY = ("administration", "environments", "members", "secrets", "variables", "workflows")
"""What no GITHUB_TOKEN ever has."""
ROLES: Mapping[str, Mapping[str, Level]] = {
    "read": dict.fromkeys(JOB, "read") | {"issues": "write", "pull_requests": "write", "members": "read"},
    "write": dict.fromkeys(JOB, "write")
    | {"workflows": "write", "members": "read", "environments": "read", "secrets": "read", "variables": "read"},
    "admin": dict.fromkeys((*JOB, *APP_ONLY), "write"),
}


@dataclass(kw_only=True)
class Account:
    """A user or a bot; `role` is what a person may in the repository."""

    login: str
    id: int
    role: str = "none"

    @property
    def kind(self) -> str:
        return "Bot" if self.login.endswith("[bot]") else "User"


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token of a job (`github-actions[bot]`), of an App or of a person, with what it may."""

    login: str
    permissions: Mapping[str, str] = field(default_factory=dict)
    value: str = field(default_factory=lambda: f"ghs_{secrets.token_hex(20)}", repr=False)

    @property
    def of_job(self) -> bool:
        return self.login == "github-actions[bot]"

    @property
    def of_person(self) -> bool:
        return not self.login.endswith("[bot]")

    def may(self, needs: str) -> bool:
        """Whether one of the alternatives, such as `issues:write pull_requests:write`, is granted."""
        for need in needs.split():
            name, level = need.split(":")
            if name == "metadata" or LEVELS.index(self.permissions.get(name, "none")) >= LEVELS.index(level):
                return True
        return not needs
