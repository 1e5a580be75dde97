"""What people do on GitLab, and who they are: approvals, requests for changes, pushes, groups. Names are usernames.

An approval names no commit: which one it saw is told by when it was given (`core.seen_commit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from mlops_ci.adapters.gitlab_api import NOBODY, GitLabApi, path
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.core.approval import Review
from mlops_ci.core.seen_commit import AT_ONCE, Shown, later, seen_commit
from mlops_ci.errors import ApprovalError, ConfigurationError
from mlops_ci.ports import Console

DEVELOPER = 30
"""The lowest of GitLab's access levels that may write to a repository."""
MOST_PUSHES = 500
"""So many pushes to other branches are looked through for the latest one to the merge request's."""
_ACTIVITY = {"sort": "asc", "activity_filter": "only_activity"}
_APPROVED, _OBJECTED = "approved this merge request", "requested changes"


class Reviewing:
    """Who said what about one merge request."""

    def __init__(self, api: GitLabApi, number: int) -> None:
        self._api = api
        self._number = number
        self._writers: dict[int, bool] = {}

    def reviews(self) -> Sequence[Review]:
        """The approvals and requests for changes that stand, in the order in which they were given."""
        found = [*self._approvals(), *self._objections()]
        return sorted(found, key=lambda review: review.time)

    def _approvals(self) -> list[Review]:
        given = self._api.ask("GET", self._path("approvals"))
        found = []
        for node in given.items("approved_by"):
            # Of GitLab before 18.1 the time is only in the activity.
            at = node.optional_text("approved_at") or self._said_at(node.at("user"), _APPROVED)
            commit = seen_commit(self._shown, at)
            review = Review(
                reviewer=self._api.name_of(node, "user"), commit=commit, verdict="approved",
                time=at or self._opened, writes=self._may_write(node.at("user")),
            )  # fmt: skip
            found.append(review)
        return found

    def _objections(self) -> list[Review]:
        where = self._path("reviewers")
        if self._api.ask("GET", where, allow=(404,)).status == 404:
            return []  # a GitLab from before there were such requests
        found = []
        for node in self._api.pages(where):
            if node.optional_text("state") == "requested_changes":
                at = self._said_at(node.at("user"), _OBJECTED)
                review = Review(
                    reviewer=self._api.name_of(node, "user"),
                    # Whoever objects may have seen the newest, so the doubt is theirs.
                    commit=seen_commit(self._shown, at, notice=AT_ONCE), verdict="changes-requested",
                    time=at or self._opened, writes=self._may_write(node.at("user")),
                )  # fmt: skip
                found.append(review)
        return found

    @cached_property
    def _shown(self) -> list[Shown]:
        versions = self._api.pages(self._path("versions"))
        return [Shown(commit=node.text("head_commit_sha"), since=node.text("created_at")) for node in versions]

    @property
    def _opened(self) -> str:
        """For what has no time of its own: nothing that people said is earlier."""
        return min((one.since for one in self._shown), default="0001-01-01T00:00:00Z")

    @cached_property
    def _activity(self) -> list[Node]:
        notes = self._api.pages(self._path("notes"), query=_ACTIVITY)
        return [node for node in notes if node.flag("system")]

    def _said_at(self, who: Node, words: str) -> str:
        """When GitLab noted it of them for the last time; empty where it has not."""
        at = ""
        for node in self._activity:
            if node.has("author") and node.number("author", "id") == who.number("id"):
                at = later(at, node.text("created_at")) if node.text("body").startswith(words) else at
        return at

    def _may_write(self, user: Node) -> bool:
        """Anybody may approve what anybody can read, so that alone means nothing."""
        number = user.number("id")
        if number not in self._writers:
            where = self._api.in_project("members/all/{}", number)
            member = self._api.ask("GET", where, allow=(403, 404))
            active = member.status == 200 and (member.optional_text("state") or "active") == "active"
            self._writers[number] = active and member.number("access_level") >= DEVELOPER
        return self._writers[number]

    def _path(self, what: str) -> str:
        return self._api.in_project(f"merge_requests/{{}}/{what}", self._number)


def last_pusher_of(api: GitLabApi, merge_request: Node) -> str:
    """Who pushed the commit that the merge request shows. Its committer proves nothing: anybody writes any name there.

    Raises ApprovalError where GitLab cannot tell, as of a push to more than three branches at once.
    """
    head, branch = merge_request.text("sha"), merge_request.text("source_branch")
    push = _latest_push(api, merge_request, branch)
    if push is not None and push.optional_text("push_data", "commit_to") == head:
        return api.name_of(push, "author")
    raise ApprovalError(
        f"GitLab does not tell who pushed commit {head[:12]} of merge request {merge_request.number('iid')}; "
        "an approval by whoever did would not count",
        where=merge_request.text("web_url"),
        fix="run the command again; if it stays so, push to the branch once more, alone, and have that approved",
    )


def _latest_push(api: GitLabApi, merge_request: Node, branch: str) -> Node | None:
    """The event of it; None where GitLab knows none, does not show it, or names no branch of it."""
    if not merge_request.has("source_project_id"):
        return None
    where = path("/projects/{}/events", merge_request.number("source_project_id"))
    try:
        for number, event in enumerate(api.pages(where, query={"action": "pushed", "sort": "desc"})):
            if number >= MOST_PUSHES or not event.has("push_data", "ref"):
                return None  # a push of many branches names none of them
            if (event.text("push_data", "ref_type"), event.text("push_data", "ref")) == ("branch", branch):
                return event
    except ConfigurationError:  # a fork that our token does not see
        return None
    return None


def members_of(api: GitLabApi, group: str, console: Console) -> frozenset[str]:
    """The direct members of the group `@acme/ml-owners`; empty, with a warning, where our token may not see it.

    Who is a member of a group above it is none of its own, as GitLab's code owners have it.
    """
    try:
        nodes = api.pages(path("/groups/{}/members", group.removeprefix("@")))
        return frozenset(node.text("username") for node in nodes if node.optional_text("state") == "active")
    except ConfigurationError as error:
        console.warn(
            f"the members of {group} cannot be read: {error.what}; let the account of the token see the group, or name "
            "people instead of it"
        )
        return frozenset()


def person_of(api: GitLabApi, node: Node, *way: str) -> str:
    """The name there, empty for a bot and for nobody."""
    who = api.name_of(node, *way)
    return "" if who == NOBODY or who.endswith("[bot]") else who
