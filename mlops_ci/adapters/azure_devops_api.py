"""Azure DevOps' REST API (7.1), of its Services or of a Server: one repository, and how a refusal is worded."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_remote import GitRemote
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.adapters.rest_api import PAGE, PAGES, PATIENCE, RestApi, path
from mlops_ci.adapters.rest_connection import Service
from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError
from mlops_ci.ports import Clock, Console, Reply

AZURE_DEVOPS = Service(
    name="Azure DevOps",
    variable="SYSTEM_COLLECTIONURI",
    addresses="write https://dev.azure.com/ORGANIZATION, or the address of the collection of a Server of your own",
    tokens="set SYSTEM_ACCESSTOKEN to $(System.AccessToken), or MLOPS_AZURE_DEVOPS_TOKEN to a personal access token",
    headers={"Accept": "application/json", "X-TFS-FedAuthRedirect": "Suppress"},
)
VERSION, OLDER_VERSION = "7.1", "7.0"
NOBODY = "unknown"
HEADS = "refs/heads/"


class AzureDevOpsApi(RestApi):
    """The repository of that name in a project of the organization (or the Server's collection) at `collection_url`."""

    def __init__(
        self,
        *,
        token: str,
        collection_url: str,
        project: str,
        repository: str,
        clock: Clock | None = None,
        console: Console | None = None,
        patience: float = PATIENCE,
        service: Service = AZURE_DEVOPS,
    ) -> None:
        # The token of a pipeline's run is a JSON Web Token, and that of a person a password.
        self._personal = token.count(".") != 2
        super().__init__(
            service, collection_url, token=token, clock=clock, console=console, patience=patience,
            basic=self._personal,
        )  # fmt: skip
        self._token = token
        self._version = VERSION
        self._project = project
        self.name = repository

    def __repr__(self) -> str:
        return f"AzureDevOpsApi({self._project!r}, {self.name!r} at {self._address!r})"

    def in_project(self, pattern: str, *parts: object) -> str:
        """The path of something of the project: the pattern with each `{}` replaced by a part, quoted."""
        return path(f"/{{}}/_apis/{pattern}", self._project, *parts)

    def in_repository(self, pattern: str, *parts: object, of: str = "") -> str:
        """The path of something of the repository, or of the one whose id is `of`."""
        return self.in_project(f"git/repositories/{{}}/{pattern}".rstrip("/"), of or self.id, *parts)

    @cached_property
    def settings(self) -> Node:
        """The repository as Azure DevOps describes it. Raises ConfigurationError where our token does not see it."""
        where = self.in_project("git/repositories/{}", self.name)
        node = self.ask("GET", where, allow=(400,))
        if node.status == 400 and node.optional_text("typeKey") == "VssVersionOutOfRangeException":
            self._version = OLDER_VERSION  # a Server of 2022
            return self.ask("GET", where)
        if node.status == 400:
            raise OutsideError(f"Azure DevOps refuses {where}: {node.said}", fix="mend what it says, and try again")
        return node

    @property
    def id(self) -> str:
        return self.settings.text("id")

    @property
    def project(self) -> str:
        return self.settings.text("project", "name")

    @property
    def web_url(self) -> str:
        return self.settings.text("webUrl")

    @property
    def default_branch(self) -> str:
        return self.settings.text("defaultBranch").removeprefix(HEADS)

    def shown(self, branch: str) -> str | None:
        """The commit that the branch shows now; None where there is no such branch."""
        # The filter is the beginning of a name.
        nodes = self.listed(self.in_repository("refs"), query={"filter": f"heads/{branch}"})
        return next((node.text("objectId") for node in nodes if node.text("name") == HEADS + branch), None)

    @cached_property
    def my_id(self) -> str:
        """The account that our token is of."""
        node = self.ask("GET", "/_apis/connectionData", query={"api-version": f"{self._version}-preview.1"})
        return node.text("authenticatedUser", "id")

    def name_of(self, node: Node, *way: str) -> str:
        """The unique name of the identity there: an e-mail address, or `DOMAIN\\user`. A service's ends in `[bot]`."""
        if not node.has(*way):
            return NOBODY
        name, descriptor = node.optional_text(*way, "uniqueName"), node.optional_text(*way, "descriptor")
        if name.startswith("Build\\") or descriptor.startswith(("svc.", "s2s.")):
            return f"{name or node.optional_text(*way, 'displayName')}[bot]"
        return name or NOBODY

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        query: Mapping[str, str | int] = {},
        allow: Collection[int] = (),
        again: bool | None = None,
    ) -> Node:
        asked = {"api-version": self._version, **query}
        return super().ask(method, path, body, query=asked, allow=allow, again=again)

    def listed(self, path: str, *, query: Mapping[str, str | int] = {}) -> Iterator[Node]:
        """Everything in a list that is given at once."""
        return self.ask("GET", path, query=query).items("value")

    def pages(self, path: str, *, query: Mapping[str, str | int] = {}, key: str = "value") -> Iterator[Node]:
        """Everything in a list of which Azure DevOps skips what we have seen."""
        for number in range(PAGES):
            asked = {**query, "$top": PAGE, "$skip": number * PAGE}
            found = list(self.ask("GET", path, query=asked).items(key))
            yield from found
            if len(found) < PAGE:
                return
        raise OutsideError(
            f"Azure DevOps' answer to GET {path} has more than {PAGES} pages", fix="clear out what is old"
        )

    def speaking(self, service: Service) -> AzureDevOpsApi:
        """The same, spoken to with other headers."""
        other = AzureDevOpsApi(
            token=self._token, collection_url=self._address, project=self._project, repository=self.name,
            clock=self.clock, console=self._console, patience=self._patience, service=service,
        )  # fmt: skip
        other._version = self._version
        return other

    def remote(self, checkout: GitRepository) -> GitRemote:
        """The repository, for Git."""
        password = b64encode(f":{self._token}".encode()).decode()
        authorization = f"Basic {password}" if self._personal else f"Bearer {self._token}"
        address = self.settings.text("remoteUrl")
        return GitRemote(checkout, address, authorization=authorization, forge="Azure DevOps", clock=self.clock)

    def _node(self, reply: Reply, asked: str, allow: Collection[int]) -> Node:
        # Without a token that it knows it shows a page to sign in, as if that were the answer.
        if reply.status in (203, 302, 401):
            raise ConfigurationError(
                f"Azure DevOps does not accept the token for {asked}", where=asked,
                fix="personal access tokens expire: make a new one; in a pipeline map SYSTEM_ACCESSTOKEN into the step",
            )  # fmt: skip
        return super()._node(reply, asked, allow)

    def _refusal(self, reply: Reply, node: Node, asked: str) -> MlopsError:
        said = node.said
        if reply.status in (403, 404):
            return ConfigurationError(
                f"Azure DevOps does not let our token do {asked}, or there is no such thing: {said}", where=asked,
                fix="give the account (in a pipeline: the project's build service) Contribute, Contribute to pull "
                "requests and Create branch on the repository",
            )  # fmt: skip
        return OutsideError(
            f"Azure DevOps refuses {asked}: {said}", where=asked, fix="mend what it says, and try again"
        )
