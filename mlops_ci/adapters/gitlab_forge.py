"""Merge requests, approvals and groups on GitLab.

Only what the project's own branches propose is ours: anybody may open a merge request from a fork, whose branch may be
called anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from mlops_ci.adapters.approved_head import require_approved_head
from mlops_ci.adapters.forge_comments import cut, say_once
from mlops_ci.adapters.gitlab_api import NOBODY, GitLabApi, path
from mlops_ci.adapters.gitlab_notes import LONGEST, Notes
from mlops_ci.adapters.gitlab_people import Reviewing, last_pusher_of, members_of, person_of
from mlops_ci.adapters.remote_repository import OWN
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.core.approval import Review
from mlops_ci.errors import ApprovalError, ConfigurationError, MlopsError, NotFoundError, OutsideError
from mlops_ci.ports import Console, Order, PullRequest

LOOKS = 15
"""How often to look for what GitLab works out in the background, once a second."""
LONGEST_TITLE = 255
CALLED = "merge request"
_AT_WORK = ("unchecked", "checking", "preparing", "approvals_syncing", "cannot_be_merged_recheck")
_CONFLICT = ("conflict", "broken_status", "need_rebase", "cannot_be_merged")
_STATES: dict[str, Literal["open", "merged", "closed"]] = {
    "opened": "open",
    "locked": "open",
    "merged": "merged",
    "closed": "closed",
}


class GitLabForge:
    """Implements `ports.Forge`."""

    def __init__(self, api: GitLabApi, console: Console) -> None:
        self._api = api
        self._console = console

    def propose(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        head = self._api.shown(branch)
        if head is None:
            raise ConfigurationError(f"there is no branch {branch} to propose", fix="commit to it first")
        content = {"title": title[:LONGEST_TITLE], "description": cut(body, LONGEST)}
        # Of a project that is a fork GitLab would open it in the one above.
        place: dict[str, str | int] = {
            "source_branch": branch, "target_branch": base, "target_project_id": self._api.id,
        }  # fmt: skip

        def look() -> Node | None:
            return next((node for node in self._nodes("opened", branch, base=base) if self._is_own(node)), None)

        node = self._api.once(look, lambda: self._open({**place, **content}, look))
        if (node.text("title"), node.optional_text("description")) != tuple(content.values()):
            node = self._api.ask("PUT", self._path("merge_requests/{}", node.number("iid")), content)
        return self._showing(node, head)

    def open_pull_request(self, branch: str) -> PullRequest | None:
        return self._first("opened", branch)

    def open_pull_requests(self, prefix: str) -> Sequence[PullRequest]:
        nodes = (node for node in self._nodes("opened", sort="asc") if self._is_own(node))
        return [self._pull(node) for node in nodes if node.text("source_branch").startswith(prefix)]

    def latest_pull_request(self, branch: str) -> PullRequest | None:
        return self._first("all", branch)

    def pull_request(self, number: int) -> PullRequest:
        return self._pull(self._node(number))

    def pull_request_of(self, commit: str, branch: str, owner: str) -> PullRequest | None:
        nodes = [node for node in self._nodes("opened", branch) if node.optional_text("sha") == commit]
        nodes = [node for node in nodes if self._owner_of(node) == owner]
        nodes.sort(key=lambda node: node.text("target_branch") != self._api.default_branch)
        return self._pull(nodes[0]) if nodes else None

    def reviews(self, number: int) -> Sequence[Review]:
        return Reviewing(self._api, number).reviews()

    def last_pusher(self, number: int) -> str:
        """Raises ApprovalError where GitLab cannot tell."""
        return last_pusher_of(self._api, self._node(number))

    def members(self, team: str) -> frozenset[str]:
        return members_of(self._api, team, self._console)

    def merge(self, number: int, *, head: str, message: str) -> str:
        pull = self.pull_request(number)
        if pull.state == "merged":
            return pull.merge_commit
        require_approved_head(pull, head, called=CALLED)
        commit = self._merge(pull, message)
        self._delete_branch(pull)
        return commit

    def close(self, number: int, *, comment: str) -> None:
        pull = self.pull_request(number)
        if pull.state != "open":
            return
        # By the comment's key it is said once, also where a run was killed before it had closed the merge request.
        notes, key = Notes(self._api, "merge_requests", number), f"closing/{pull.head}"
        say_once(self._api, notes, key=key, body=comment, order=Order(run=0), longest=LONGEST)
        self._api.ask("PUT", self._path("merge_requests/{}", number), {"state_event": "close"})
        self._delete_branch(pull)

    def _open(self, opened: dict[str, str | int], look: Callable[[], Node | None]) -> Node:
        node = self._api.ask("POST", self._path("merge_requests"), opened, allow=(400, 409, 422))
        if node.status == 201:
            return node
        rival = look()  # another command may have opened it meanwhile
        if rival is not None:
            return rival
        raise ConfigurationError(
            f"GitLab opens no merge request for {opened['source_branch']} into {opened['target_branch']}: {node.said}",
            fix="mend what GitLab says, and run the command again",
        )

    def _merge(self, pull: PullRequest, message: str) -> str:
        """Merges it as the project's settings have it: by a merge commit, squashed, or fast-forward."""
        body = {"sha": pull.head, "merge_commit_message": message, "squash_commit_message": message}
        said = status = ""
        for _ in range(LOOKS):
            where = self._path("merge_requests/{}/merge", pull.number)
            node = self._api.ask("PUT", where, body, allow=(401, 405, 406, 409, 422))
            now, said = self._pull(self._node(pull.number)), node.said
            if now.state == "merged":  # we did, maybe with the answer lost; or people were faster
                return now.merge_commit
            require_approved_head(now, pull.head, called=CALLED)
            status = self._merge_status(pull.number)
            if status not in _AT_WORK and node.status != 200:
                break
            self._api.clock.sleep(1)  # GitLab is still at work on what has just been pushed
        if status in _CONFLICT:
            raise ConfigurationError(
                f"merge request {pull.number} does not merge into {pull.base}: GitLab calls it {status}",
                where=pull.url,
                fix=f"bring the branch up to date with {pull.base} and try again",
            )
        raise ApprovalError(
            f"GitLab does not merge merge request {pull.number}: {said} ({status or 'no reason given'})",
            where=pull.url,
            fix="have it approved and its pipeline pass as the project's rules ask for; the account that mlops-ci acts "
            "as has to be allowed to merge",
        )

    def _merge_status(self, number: int) -> str:
        """Why it cannot be merged, in GitLab's words."""
        node = self._api.ask(
            "GET", self._path("merge_requests/{}", number), query={"with_merge_status_recheck": "true"}
        )
        return node.optional_text("detailed_merge_status") or node.optional_text("merge_status")

    def _delete_branch(self, pull: PullRequest) -> None:
        """Takes one of our branches away once it is done with, unless it shows something else by now."""
        if not pull.branch.startswith(OWN) or self._api.shown(pull.branch) != pull.head:
            return
        if self.open_pull_request(pull.branch) is not None:
            return
        try:
            self._api.ask("DELETE", self._path("repository/branches/{}", pull.branch), allow=(404,))
        except MlopsError as error:
            self._console.warn(f"branch {pull.branch} is not needed any more and could not be deleted: {error.what}")

    def _showing(self, node: Node, head: str) -> PullRequest:
        """The merge request once it shows that commit: GitLab takes note of a branch that moved a little later."""
        for _ in range(LOOKS):
            if node.optional_text("sha") == head:
                return self._pull(node)
            self._api.clock.sleep(1)
            node = self._node(node.number("iid"))
        raise OutsideError(
            f"merge request {node.number('iid')} does not show commit {head[:12]} of its branch",
            where=node.text("web_url"),
            fix="run the command again",
        )

    def _first(self, state: str, branch: str) -> PullRequest | None:
        nodes = self._nodes(state, branch, base=self._api.default_branch)
        return next((self._pull(node) for node in nodes if self._is_own(node)), None)

    def _nodes(self, state: str, branch: str = "", *, base: str = "", sort: str = "desc") -> Iterator[Node]:
        query = {"state": state, "order_by": "created_at", "sort": sort, "scope": "all"}
        if branch:
            query["source_branch"] = branch
        if base:
            query["target_branch"] = base
        return self._api.pages(self._path("merge_requests"), query=query)

    def _node(self, number: int) -> Node:
        node = self._api.ask("GET", self._path("merge_requests/{}", number), allow=(404,))
        if node.status == 404:
            raise NotFoundError(f"there is no merge request {number}", where=self._api.project)
        return node

    def _pull(self, node: Node) -> PullRequest:
        state, head = _STATES.get(node.text("state"), "closed"), node.optional_text("sha")
        branch = node.text("source_branch")
        commit = node.optional_text("merge_commit_sha") or node.optional_text("squash_commit_sha") or head
        return PullRequest(
            number=node.number("iid"),
            title=node.text("title"),
            body=node.optional_text("description"),
            branch=branch if self._is_own(node) else f"{self._owner_of(node)}:{branch}",
            base=node.text("target_branch"),
            head=head,
            author=self._api.name_of(node, "author"),
            state=state,
            url=node.text("web_url"),
            merge_commit=commit if state == "merged" else "",
            closed_by=self._closed_by(node) if state == "closed" else "",
        )

    def _closed_by(self, node: Node) -> str:
        ours = node.has("closed_by") and node.number("closed_by", "id") == self._api.me.number("id")
        return "" if ours else person_of(self._api, node, "closed_by")

    def _is_own(self, node: Node) -> bool:
        return node.has("source_project_id") and node.number("source_project_id") == self._api.id

    def _owner_of(self, node: Node) -> str:
        """Whose project the branch is in, by the full path of its namespace."""
        if self._is_own(node):
            return self._api.owner
        if not node.has("source_project_id"):
            return NOBODY
        found = self._api.ask("GET", path("/projects/{}", node.number("source_project_id")), allow=(403, 404))
        return found.text("namespace", "full_path") if found.status == 200 else NOBODY

    def _path(self, pattern: str, *parts: object) -> str:
        return self._api.in_project(pattern, *parts)
