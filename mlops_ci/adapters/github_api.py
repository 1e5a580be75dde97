"""GitHub's REST API: one repository, and how GitHub words a refusal."""

from __future__ import annotations

import re
from functools import cached_property

from mlops_ci.adapters.rest_answer import Node
from mlops_ci.adapters.rest_api import PATIENCE, RestApi, path
from mlops_ci.adapters.rest_connection import Service
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Clock, Console, Reply

GITHUB = Service(
    name="GitHub",
    variable="GITHUB_API_URL",
    addresses="write https://api.github.com, or https://HOST/api/v3 for GitHub Enterprise Server",
    tokens="set GITHUB_TOKEN, or MLOPS_GITHUB_TOKEN to that of a GitHub App",
    headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
)
_REPOSITORY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/(?!\.\.?$)[A-Za-z0-9_.-]+")


class GitHubApi(RestApi):
    """One repository on GitHub, or on the GitHub Enterprise Server whose API is at `api_url`."""

    WAIT_FIX = "run the command again later; an App's token may be used more often than GITHUB_TOKEN"

    def __init__(
        self,
        *,
        token: str,
        repository: str,
        api_url: str = "https://api.github.com",
        server_url: str = "https://github.com",
        clock: Clock | None = None,
        console: Console | None = None,
        patience: float = PATIENCE,
    ) -> None:
        if not _REPOSITORY.fullmatch(repository):
            raise ConfigurationError(
                f"{repository!r} is no repository", where="GITHUB_REPOSITORY", fix="write owner/name"
            )
        self.repository = repository
        self.owner, _, self.name = repository.partition("/")
        self.server_url = server_url.rstrip("/")
        super().__init__(GITHUB, api_url, token=token, clock=clock, console=console, patience=patience)

    def __repr__(self) -> str:
        return f"GitHubApi({self.repository!r} at {self._address!r})"

    def in_repository(self, pattern: str, *parts: object) -> str:
        """The path of something of the repository: the pattern with each `{}` replaced by a part, quoted.

        Raises ConfigurationError for a part that would lead elsewhere.
        """
        return path(f"/repos/{self.owner}/{self.name}/{pattern}".rstrip("/"), *parts)

    @cached_property
    def settings(self) -> Node:
        """The repository as GitHub describes it. Raises ConfigurationError where our token does not see it."""
        return self.ask("GET", self.in_repository(""))

    @property
    def default_branch(self) -> str:
        return self.settings.text("default_branch")

    @property
    def full_name(self) -> str:
        """What the repository is called by now, as pull requests name it, should it have been renamed."""
        return self.settings.text("full_name")

    @cached_property
    def login(self) -> str:
        """Whose token it is: a user, or a bot such as `github-actions[bot]`."""
        # Of an App's token the REST API does not tell it: it has no user. GraphQL has a viewer for every token.
        graphql = self._address.removesuffix("/v3") + "/graphql"
        return self.ask("POST", graphql, {"query": "query{viewer{login}}"}, again=True).text("data", "viewer", "login")

    def _refusal(self, reply: Reply, node: Node, asked: str) -> OutsideError | ConfigurationError:
        said = node.said
        if reply.status == 401:
            return ConfigurationError(
                f"GitHub does not accept the token: {said}", where=asked,
                fix="an App's token is good for an hour, that of a job until the job ends: make a new one",
            )  # fmt: skip
        if reply.status in (403, 404, 410):
            needed = reply.headers.get("x-accepted-github-permissions", "")
            fix = f"give the job (`permissions:`), or the App, what it needs: {needed or 'see the documentation'}"
            if "x-github-sso" in reply.headers:
                fix = "authorize the token for the organisation's single sign-on"
            return ConfigurationError(
                f"GitHub does not let our token do {asked}, or there is no such thing: {said}", where=asked, fix=fix
            )
        return OutsideError(f"GitHub refuses {asked}: {said}", where=asked, fix="mend what GitHub says, and try again")
