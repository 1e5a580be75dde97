"""Pull requests, reviews and teams on GitHub.

Only what the repository's own branches propose is ours: anybody may open a pull request from a fork, whose branch may
be called anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from mlops_ci.adapters.approved_head import require_approved_head
from mlops_ci.adapters.forge_comments import cut
from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.github_people import NOBODY, last_pusher_of, login_of, members_of, reviews_of
from mlops_ci.adapters.github_publisher import LONGEST, GitHubPublisher
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.core.approval import Review
from mlops_ci.errors import ApprovalError, ConfigurationError, MlopsError, NotFoundError, OutsideError
from mlops_ci.ports import Console, Order, PullRequest

OWN = "mlops-ci/"
"""How the branches begin that mlops-ci makes, replaces and deletes."""
LOOKS = 10
"""How often to look for what GitHub works out in the background, once a second."""
LONGEST_TITLE = 256
_METHODS = {"merge": "allow_merge_commit", "squash": "allow_squash_merge", "rebase": "allow_rebase_merge"}
_METHOD_REFUSED = re.compile(r"(merges?|commits) are not allowed|must not contain merge commits|linear history", re.I)
_BASE_MOVED = re.compile(r"base branch was modified", re.I)


class GitHubForge:
    """Implements `ports.Forge`."""

    def __init__(self, api: GitHubApi, console: Console) -> None:
        self._api = api
        self._console = console

    def propose(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        head = self._head_of(branch)
        if head is None:
            raise ConfigurationError(f"there is no branch {branch} to propose", fix="commit to it first")
        content = {"title": title[:LONGEST_TITLE], "body": cut(body, LONGEST)}
        opened = {"head": branch, "base": base, **content}

        def look() -> Node | None:
            return next((node for node in self._nodes("open", branch, base=base) if self._is_own(node)), None)

        node = self._api.once(look, lambda: self._open(opened, look))
        if (node.text("title"), node.optional_text("body")) != tuple(content.values()):
            node = self._api.ask("PATCH", self._path("pulls/{}", node.number("number")), content)
        return self._showing(node, head)

    def open_pull_request(self, branch: str) -> PullRequest | None:
        return self._first("open", branch)

    def open_pull_requests(self, prefix: str) -> Sequence[PullRequest]:
        nodes = (node for node in self._nodes("open", direction="asc") if self._is_own(node))
        return [self._pull(node) for node in nodes if node.text("head", "ref").startswith(prefix)]

    def latest_pull_request(self, branch: str) -> PullRequest | None:
        return self._first("all", branch)

    def pull_request(self, number: int) -> PullRequest:
        return self._pull(self._node(number))

    def pull_request_of(self, commit: str, branch: str, owner: str) -> PullRequest | None:
        nodes = self._nodes("open", branch, owner=owner)
        shown = [node for node in nodes if (node.text("head", "sha"), node.text("head", "ref")) == (commit, branch)]
        shown.sort(key=lambda node: node.text("base", "ref") != self._api.default_branch)
        return self._pull(shown[0]) if shown else None

    def reviews(self, number: int) -> Sequence[Review]:
        return reviews_of(self._api, number)

    def last_pusher(self, number: int) -> str:
        """Raises ApprovalError where GitHub cannot tell."""
        return last_pusher_of(self._api, self._node(number))

    def members(self, team: str) -> frozenset[str]:
        return members_of(self._api, team, self._console)

    def merge(self, number: int, *, head: str, message: str) -> str:
        node = self._node(number)
        pull = self._pull(node)
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
        GitHubPublisher(self._api).comment(number, key=f"closing/{pull.head}", body=comment, order=Order(run=0))
        self._api.ask("PATCH", self._path("pulls/{}", number), {"state": "closed"})
        self._delete_branch(pull)

    def _open(self, opened: dict[str, str], look: Callable[[], Node | None]) -> Node:
        node = self._api.ask("POST", self._path("pulls"), opened, allow=(403, 422))
        if node.status == 201:
            return node
        rival = look()  # another command may have opened it meanwhile
        if rival is not None:
            return rival
        if node.status == 403:
            raise ConfigurationError(
                f"GitHub does not let our token open a pull request: {node.said}",
                fix="allow it in the repository's settings (Actions, General, Workflow permissions), and give the job "
                "`pull-requests: write`; or use the token of a GitHub App",
            )
        raise ConfigurationError(
            f"GitHub opens no pull request for {opened['head']} into {opened['base']}: {node.said}",
            fix="mend what GitHub says, and run the command again",
        )

    def _merge(self, pull: PullRequest, message: str) -> str:
        """Merges it in the first of the ways that the repository, and the rules of the branch, allow."""
        title, _, rest = message.partition("\n")
        settings = self._api.settings
        ways = [way for way, setting in _METHODS.items() if not settings.has(setting) or settings.flag(setting)]
        said = "the repository allows no way of merging"
        for _ in range(LOOKS):
            if not ways:
                break
            words = {} if ways[0] == "rebase" else {"commit_title": title, "commit_message": rest.strip("\n")}
            body = {"sha": pull.head, "merge_method": ways[0], **words}
            node = self._api.ask("PUT", self._path("pulls/{}/merge", pull.number), body, allow=(403, 405, 409, 422))
            if node.status == 200:
                return node.text("sha")
            now, said = self._node(pull.number), node.said
            if now.has("merged_at"):  # we did, and the answer was lost; or people were faster
                return self._pull(now).merge_commit
            if _METHOD_REFUSED.search(said):
                ways.pop(0)
            elif now.has("mergeable") and not _BASE_MOVED.search(said):
                break
            else:  # GitHub is still at work on what has just been pushed
                self._api.clock.sleep(1)
        self._refuse_conflicts(pull)
        raise ApprovalError(
            f"GitHub does not merge pull request {pull.number}: {said}", where=pull.url,
            fix="have it reviewed and its checks pass, or let the App that mlops-ci acts as bypass the branch's rules",
        )  # fmt: skip

    def _refuse_conflicts(self, pull: PullRequest) -> None:
        """Raises ConfigurationError where the pull request has conflicts with its base."""
        if self._node(pull.number).optional_text("mergeable_state") == "dirty":
            raise ConfigurationError(
                f"pull request {pull.number} does not merge into {pull.base}: both changed the same lines",
                where=pull.url,
                fix=f"bring the branch up to date with {pull.base} and try again",
            )

    def _delete_branch(self, pull: PullRequest) -> None:
        """Takes one of our branches away once it is done with, unless it shows something else by now."""
        if not pull.branch.startswith(OWN) or self._head_of(pull.branch) != pull.head:
            return
        if self.open_pull_request(pull.branch) is not None:
            return
        try:
            self._api.ask("DELETE", self._path("git/refs/heads/{}", pull.branch), allow=(404, 409, 422))
        except MlopsError as error:
            self._console.warn(f"branch {pull.branch} is not needed any more and could not be deleted: {error.what}")

    def _showing(self, node: Node, head: str) -> PullRequest:
        """The pull request once it shows that commit: GitHub takes note of a branch that moved a little later."""
        for _ in range(LOOKS):
            if node.text("head", "sha") == head:
                return self._pull(node)
            self._api.clock.sleep(1)
            node = self._node(node.number("number"))
        raise OutsideError(
            f"pull request {node.number('number')} does not show commit {head[:12]} of its branch",
            where=node.text("html_url"),
            fix="run the command again",
        )

    def _first(self, state: str, branch: str) -> PullRequest | None:
        nodes = self._nodes(state, branch, base=self._api.default_branch)
        return next((self._pull(node) for node in nodes if self._is_own(node)), None)

    def _nodes(
        self, state: str, branch: str = "", *, owner: str = "", base: str = "", direction: str = "desc"
    ) -> Iterator[Node]:
        query = {"state": state, "sort": "created", "direction": direction}
        if branch:
            query["head"] = f"{owner or self._api.full_name.split('/')[0]}:{branch}"
        if base:
            query["base"] = base
        return self._api.pages(self._path("pulls"), query=query)

    def _node(self, number: int) -> Node:
        node = self._api.ask("GET", self._path("pulls/{}", number), allow=(404,))
        if node.status == 404:
            raise NotFoundError(f"there is no pull request {number}", where=self._api.repository)
        return node

    def _pull(self, node: Node) -> PullRequest:
        number, merged = node.number("number"), node.has("merged_at")
        state: Literal["open", "merged", "closed"] = "open"
        if merged or node.text("state") == "closed":
            state = "merged" if merged else "closed"
        branch = node.text("head", "ref")
        owner, head = node.optional_text("head", "repo", "owner", "login") or NOBODY, node.text("head", "sha")
        return PullRequest(
            number=number,
            title=node.text("title"),
            body=node.optional_text("body"),
            branch=branch if self._is_own(node) else f"{owner}:{branch}",
            base=node.text("base", "ref"),
            head=head,
            author=login_of(node, "user"),
            state=state,
            url=node.text("html_url"),
            # That of an open one is of a merge that GitHub only tries.
            merge_commit=(node.optional_text("merge_commit_sha") or head) if merged else "",
            closed_by=self._closed_by(number) if state == "closed" else "",
        )

    def _closed_by(self, number: int) -> str:
        who = login_of(self._api.ask("GET", self._path("issues/{}", number)), "closed_by")
        return "" if who.endswith("[bot]") or who == self._api.login else who

    def _is_own(self, node: Node) -> bool:
        return node.optional_text("head", "repo", "full_name").lower() == self._api.full_name.lower()

    def _head_of(self, branch: str) -> str | None:
        node = self._api.ask("GET", self._path("git/ref/heads/{}", branch), allow=(404,))
        return None if node.status == 404 else node.text("object", "sha")

    def _path(self, pattern: str, *parts: object) -> str:
        return self._api.in_repository(pattern, *parts)
