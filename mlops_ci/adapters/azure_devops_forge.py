"""Pull requests, votes and teams on Azure DevOps.

Only what the repository's own branches propose is ours: a pull request from a fork may call its branch anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from mlops_ci.adapters.approved_head import require_approved_head
from mlops_ci.adapters.azure_devops_api import HEADS, NOBODY, AzureDevOpsApi
from mlops_ci.adapters.azure_devops_people import last_pusher_of, members_of, reviews_of
from mlops_ci.adapters.azure_devops_threads import LONGEST, Threads
from mlops_ci.adapters.forge_comments import line, say_once
from mlops_ci.adapters.remote_repository import OWN
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.core.approval import Review
from mlops_ci.errors import ApprovalError, ConfigurationError, MlopsError, NotFoundError, OutsideError
from mlops_ci.ports import Console, Order, PullRequest

LOOKS = 30
"""How often to look for what Azure DevOps works out in the background, once a second."""
LONGEST_TITLE, LONGEST_DESCRIPTION = 400, 4000
STRATEGIES = ("noFastForward", "squash", "rebaseMerge", "rebase")
NOTHING = "0" * 40
_CONTINUED = "\n\n… continued in the comment below: Azure DevOps takes no longer descriptions."
_STRATEGY_REFUSED = re.compile(r"merge (strategy|type)", re.I)
_STATES: dict[str, Literal["open", "merged", "closed"]] = {
    "active": "open",
    "completed": "merged",
    "abandoned": "closed",
}


class AzureDevOpsForge:
    """Implements `ports.Forge`."""

    def __init__(self, api: AzureDevOpsApi, console: Console) -> None:
        self._api = api
        self._console = console

    def propose(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        head = self._api.shown(branch)
        if head is None:
            raise ConfigurationError(f"there is no branch {branch} to propose", fix="commit to it first")
        content = {"title": line(title, LONGEST_TITLE), "description": _description(body)}
        opened = {"sourceRefName": HEADS + branch, "targetRefName": HEADS + base, **content}

        def look() -> Node | None:
            return next((node for node in self._nodes("active", branch, base=base) if self._is_own(node)), None)

        number = self._api.once(look, lambda: self._open(opened, look)).number("pullRequestId")
        node = self._node(number)  # a list has the beginning of the description alone
        if (node.text("title"), node.optional_text("description")) != tuple(content.values()):
            self._api.ask("PATCH", self._path("pullrequests/{}", number), content)
        if content["description"] != body:
            self._say(number, "description", body)
        return self._showing(number, head)

    def open_pull_request(self, branch: str) -> PullRequest | None:
        return self._first("active", branch)

    def open_pull_requests(self, prefix: str) -> Sequence[PullRequest]:
        nodes = [node for node in self._nodes("active") if self._is_own(node)]
        nodes.sort(key=lambda node: node.number("pullRequestId"))
        return [self._pull(node) for node in nodes if _branch(node).startswith(prefix)]

    def latest_pull_request(self, branch: str) -> PullRequest | None:
        return self._first("all", branch)

    def pull_request(self, number: int) -> PullRequest:
        return self._pull(self._node(number))

    def pull_request_of(self, commit: str, branch: str, owner: str) -> PullRequest | None:
        nodes = [node for node in self._nodes("active", branch) if _head(node) == commit]
        nodes = [node for node in nodes if self._owner_of(node) == owner]
        nodes.sort(key=lambda node: node.text("targetRefName") != HEADS + self._api.default_branch)
        return self._pull(nodes[0]) if nodes else None

    def reviews(self, number: int) -> Sequence[Review]:
        return reviews_of(self._api, number)

    def last_pusher(self, number: int) -> str:
        """Raises ApprovalError where Azure DevOps cannot tell."""
        node = self._node(number)
        return last_pusher_of(self._api, node, _head(node))

    def members(self, team: str) -> frozenset[str]:
        return members_of(self._api, team, self._console)

    def merge(self, number: int, *, head: str, message: str) -> str:
        pull = self.pull_request(number)
        if pull.state == "merged":
            return pull.merge_commit
        require_approved_head(pull, head)
        commit = self._merge(pull, message)
        self._delete_branch(pull)
        return commit

    def close(self, number: int, *, comment: str) -> None:
        pull = self.pull_request(number)
        if pull.state != "open":
            return
        # By the comment's key it is said once, also where a run was killed before it had closed the pull request.
        self._say(number, f"closing/{pull.head}", comment)
        self._api.ask("PATCH", self._path("pullrequests/{}", number), {"status": "abandoned"})
        self._delete_branch(pull)

    def _open(self, opened: dict[str, str], look: Callable[[], Node | None]) -> Node:
        node = self._api.ask("POST", self._path("pullrequests"), opened, allow=(400, 409))
        if node.status == 201:
            return node
        rival = look()  # another command may have opened it meanwhile
        if rival is not None:
            return rival
        raise ConfigurationError(
            f"Azure DevOps opens no pull request for {opened['sourceRefName']} into {opened['targetRefName']}: "
            f"{node.said}",
            fix="mend what it says, and run the command again",
        )

    def _merge(self, pull: PullRequest, message: str) -> str:
        """Completes it in the first of the ways that the branch's policies allow; it is done in the background."""
        ways, said = list(STRATEGIES), ""
        for _ in range(LOOKS):
            if not ways:
                break
            options = {
                "mergeStrategy": ways[0], "mergeCommitMessage": message, "deleteSourceBranch": False,
                "transitionWorkItems": False,
            }  # fmt: skip
            body = {
                "status": "completed", "lastMergeSourceCommit": {"commitId": pull.head}, "completionOptions": options,
            }  # fmt: skip
            node = self._api.ask("PATCH", self._path("pullrequests/{}", pull.number), body, allow=(400, 403, 409))
            said = node.said if node.status != 200 else ""
            now, status = self._settled(pull.number)
            if now.state == "merged":  # we did, maybe with the answer lost; or people were faster
                return now.merge_commit
            require_approved_head(now, pull.head)
            if status == "conflicts":
                raise ConfigurationError(
                    f"pull request {pull.number} does not merge into {pull.base}: both changed the same lines",
                    where=pull.url,
                    fix=f"bring the branch up to date with {pull.base} and try again",
                )
            if _STRATEGY_REFUSED.search(said):
                ways.pop(0)
            elif said or status == "rejectedByPolicy":
                said = said or "a policy of the branch rejects it"
                break
        raise ApprovalError(
            f"Azure DevOps does not complete pull request {pull.number}: {said or 'it is still at work on it'}",
            where=pull.url,
            fix="have it approved and its checks pass as the branch's policies ask for; run the command again",
        )

    def _settled(self, number: int) -> tuple[PullRequest, str]:
        """The pull request and the state of its merge, once Azure DevOps is done with it or has given up."""
        node = self._node(number)
        for _ in range(LOOKS):
            at_work = node.optional_text("mergeStatus") in ("queued", "notSet") or node.has("completionQueueTime")
            if node.text("status") != "active" or not at_work:
                break
            self._api.clock.sleep(1)
            node = self._node(number)
        return self._pull(node), node.optional_text("mergeStatus")

    def _delete_branch(self, pull: PullRequest) -> None:
        """Takes one of our branches away once it is done with, unless it shows something else by now."""
        if not pull.branch.startswith(OWN) or self._api.shown(pull.branch) != pull.head:
            return
        if self.open_pull_request(pull.branch) is not None:
            return
        update = {"name": HEADS + pull.branch, "oldObjectId": pull.head, "newObjectId": NOTHING}
        try:
            self._api.ask("POST", self._path("refs"), [update], again=True)
        except MlopsError as error:
            self._console.warn(f"branch {pull.branch} is not needed any more and could not be deleted: {error.what}")

    def _say(self, number: int, key: str, body: str) -> None:
        threads = Threads(self._api, number)
        say_once(self._api, threads, key=key, body=body, order=Order(run=0), longest=LONGEST)

    def _showing(self, number: int, head: str) -> PullRequest:
        """The pull request once it shows that commit: Azure DevOps takes note of a branch that moved a little later."""
        for _ in range(LOOKS):
            node = self._node(number)
            if _head(node) == head:
                return self._pull(node)
            self._api.clock.sleep(1)
        raise OutsideError(
            f"pull request {number} does not show commit {head[:12]} of its branch", fix="run the command again"
        )

    def _first(self, state: str, branch: str) -> PullRequest | None:
        nodes = self._nodes(state, branch, base=self._api.default_branch)
        own = max((node for node in nodes if self._is_own(node)), key=_number, default=None)
        return None if own is None else self.pull_request(own.number("pullRequestId"))

    def _nodes(self, state: str, branch: str = "", *, base: str = "") -> Iterator[Node]:
        query = {"searchCriteria.status": state}
        if branch:
            query["searchCriteria.sourceRefName"] = HEADS + branch
        if base:
            query["searchCriteria.targetRefName"] = HEADS + base
        return self._api.pages(self._path("pullrequests"), query=query)

    def _node(self, number: int) -> Node:
        node = self._api.ask("GET", self._path("pullrequests/{}", number), allow=(404,))
        if node.status == 404:
            raise NotFoundError(f"there is no pull request {number}", where=self._api.name)
        return node

    def _pull(self, node: Node) -> PullRequest:
        state, branch = _STATES.get(node.text("status"), "closed"), _branch(node)
        number, head = _number(node), _head(node)
        return PullRequest(
            number=number,
            title=node.text("title"),
            body=node.optional_text("description"),
            branch=branch if self._is_own(node) else f"{self._owner_of(node)}:{branch}",
            base=node.text("targetRefName").removeprefix(HEADS),
            head=head,
            author=self._api.name_of(node, "createdBy"),
            state=state,
            url=f"{self._api.web_url}/pullrequest/{number}",
            # That of an open one is of a merge that Azure DevOps only tries.
            merge_commit=(node.optional_text("lastMergeCommit", "commitId") or head) if state == "merged" else "",
            closed_by=self._closed_by(node) if state == "closed" else "",
        )

    def _closed_by(self, node: Node) -> str:
        who = self._api.name_of(node, "closedBy")
        ours = node.optional_text("closedBy", "id") == self._api.my_id
        return "" if ours or who == NOBODY or who.endswith("[bot]") else who

    def _is_own(self, node: Node) -> bool:
        return not node.has("forkSource") or node.text("forkSource", "repository", "id") == self._api.id

    def _owner_of(self, node: Node) -> str:
        """In whose project the branch is, and in which repository where that is not ours."""
        if self._is_own(node):
            return self._api.project
        parts = (("forkSource", "repository", "project", "name"), ("forkSource", "repository", "name"))
        return "/".join(node.optional_text(*way) or NOBODY for way in parts)

    def _path(self, pattern: str, *parts: object) -> str:
        return self._api.in_repository(pattern, *parts)


def _number(node: Node) -> int:
    return node.number("pullRequestId")


def _branch(node: Node) -> str:
    return node.text("sourceRefName").removeprefix(HEADS)


def _head(node: Node) -> str:
    """Empty as long as Azure DevOps has not looked at it."""
    return node.optional_text("lastMergeSourceCommit", "commitId")


def _description(body: str) -> str:
    fits = len(body) <= LONGEST_DESCRIPTION
    return body if fits else body[: LONGEST_DESCRIPTION - len(_CONTINUED)] + _CONTINUED
