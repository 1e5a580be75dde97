"""GitLab's REST API (version 4), on gitlab.com or a server of one's own: one project, and how refusals are worded."""

from __future__ import annotations

from base64 import b64encode
from functools import cached_property
from typing import ClassVar
from urllib.parse import quote

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_remote import GitRemote
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.adapters.rest_api import PATIENCE, RestApi
from mlops_ci.adapters.rest_connection import Service
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Clock, Console, Reply

GITLAB = Service(
    name="GitLab",
    variable="CI_API_V4_URL",
    addresses="write https://gitlab.com/api/v4, or https://HOST/api/v4 for a GitLab of your own",
    tokens="set MLOPS_GITLAB_TOKEN to a project access token with the scope `api`",
    headers={"Accept": "application/json"},
)
NOBODY = "ghost"
"""Whom GitLab shows in place of people who have deleted their account."""
_ROBOTS = ("project_", "group_", "service_account_")


class GitLabApi(RestApi):
    """The project `project`, which is its full path or its number."""

    ERRORS: ClassVar[frozenset[str]] = frozenset({"message", "error"})

    def __init__(
        self,
        *,
        token: str,
        project: str,
        api_url: str = "https://gitlab.com/api/v4",
        clock: Clock | None = None,
        console: Console | None = None,
        patience: float = PATIENCE,
    ) -> None:
        if not project.strip("/"):
            raise ConfigurationError("no project is named", where="CI_PROJECT_PATH", fix="write group/project")
        super().__init__(GITLAB, api_url, token=token, clock=clock, console=console, patience=patience)
        self.project = project.strip("/")
        self._token = token
        self._accounts: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"GitLabApi({self.project!r} at {self._address!r})"

    def in_project(self, pattern: str = "", *parts: object) -> str:
        """The path of something of the project: the pattern with each `{}` replaced by a part, quoted."""
        return path(f"/projects/{self.id}/{pattern}".rstrip("/"), *parts)

    @cached_property
    def settings(self) -> Node:
        """The project as GitLab describes it. Raises ConfigurationError where our token does not see it."""
        # By its path GitLab finds a project that was moved, for a GET alone; its number stays the same.
        return self.ask("GET", path("/projects/{}", self.project))

    @property
    def id(self) -> int:
        return self.settings.number("id")

    @property
    def default_branch(self) -> str:
        return self.settings.text("default_branch")

    @property
    def owner(self) -> str:
        """The full path of the project's namespace."""
        return self.settings.text("namespace", "full_path")

    @property
    def web_url(self) -> str:
        return self.settings.text("web_url")

    @cached_property
    def me(self) -> Node:
        """The account that our token is of."""
        return self.ask("GET", "/user")

    def shown(self, branch: str) -> str | None:
        """The commit that the branch shows now; None where there is no such branch."""
        node = self.ask("GET", self.in_project("repository/branches/{}", branch), allow=(404,))
        return None if node.status == 404 else node.text("commit", "id")

    def name_of(self, account: Node, *way: str) -> str:
        """The username of the account there. A bot's ends in `[bot]` here, as no username of GitLab's does."""
        if not account.has(*way):
            return NOBODY
        number, name = account.number(*way, "id"), account.text(*way, "username")
        if number not in self._accounts:
            found = self.ask("GET", path("/users/{}", number), allow=(404,))
            robot = found.status == 200 and found.has("bot") and found.flag("bot")
            robot = robot or (name.startswith(_ROBOTS) and "_bot" in name) or name.startswith(_ROBOTS[2])
            self._accounts[number] = NOBODY if found.status == 404 else f"{name}[bot]" if robot else name
        return self._accounts[number]

    def remote(self, checkout: GitRepository) -> GitRemote:
        """The project's repository, for Git. GitLab takes a token as the password of any user there."""
        password = b64encode(f"oauth2:{self._token}".encode()).decode()
        address = self.settings.text("http_url_to_repo")
        return GitRemote(checkout, address, authorization=f"Basic {password}", forge="GitLab", clock=self.clock)

    def _refusal(self, reply: Reply, node: Node, asked: str) -> OutsideError | ConfigurationError:
        said = node.said
        # GitLab says 401 of a good token, too, where its account may not do a thing.
        if reply.status == 401:
            return ConfigurationError(
                f"GitLab does not accept the token for {asked}: {said}", where=asked,
                fix="project access tokens expire: make a new one, with the scope `api` and a role that may do it",
            )  # fmt: skip
        if reply.status in (403, 404, 410):
            return ConfigurationError(
                f"GitLab does not let our token do {asked}, or there is no such thing: {said}", where=asked,
                fix="the token needs the scope `api`, and its account the role Developer, or Maintainer where the "
                "branch is protected",
            )  # fmt: skip
        return OutsideError(f"GitLab refuses {asked}: {said}", where=asked, fix="mend what GitLab says, and try again")


def path(pattern: str, *parts: object) -> str:
    """The pattern with each `{}` replaced by a part, quoted with its slashes, as GitLab wants it.

    >>> path("/groups/{}/members", "acme/ml owners")
    '/groups/acme%2Fml%20owners/members'
    """
    if any(str(part) in ("", ".", "..") for part in parts):
        raise ConfigurationError("an empty name is no name that GitLab could know", fix="name it otherwise")
    return pattern.format(*(quote(str(part), safe="", errors="surrogateescape") for part in parts))
