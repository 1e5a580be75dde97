"""What people do on Azure DevOps, and who they are: votes, pushes, teams. Names are unique names (e-mail addresses).

A vote names no commit. When it was given is told by the system's own comment on it, and which commit was shown then by
the pull request's iterations (`core.seen_commit`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mlops_ci.adapters.azure_devops_api import HEADS, AzureDevOpsApi
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.adapters.rest_api import path
from mlops_ci.core.approval import Review
from mlops_ci.core.seen_commit import AT_ONCE, NOTICE, Shown, later, seen_commit
from mlops_ci.errors import ApprovalError, ConfigurationError
from mlops_ci.ports import Console

APPROVING = (5, 10)
"""Approved, with or without suggestions. Those that are below 0 wait for the author, or reject."""
_SYSTEM = "00000002-0000-8888-8000-000000000000"
"""Who writes the comments of the system in Azure DevOps Services; on a Server it is a group of service accounts."""


def reviews_of(api: AzureDevOpsApi, number: int) -> Sequence[Review]:
    """The votes that stand, of people, in the order in which they were given.

    Only somebody with `Contribute to pull requests` can vote at all. Groups vote by their members.
    """
    where = api.in_repository("pullRequests/{}/reviewers", number)
    voters = [node for node in api.listed(where) if node.number("vote") and not _flag(node, "isContainer")]
    if not voters:
        return ()
    iterations = list(api.listed(api.in_repository("pullRequests/{}/iterations", number)))
    shown = [Shown(commit=one.text("sourceRefCommit", "commitId"), since=one.text("createdDate")) for one in iterations]
    opened = min(one.since for one in shown) if shown else "0001-01-01T00:00:00Z"
    threads = list(api.listed(api.in_repository("pullRequests/{}/threads", number)))
    found = []
    for node in voters:
        vote = node.number("vote")
        at = _voted_at(threads, node.text("id"), vote)
        # Whoever objects may have seen the newest, so the doubt is theirs.
        commit = seen_commit(shown, at, notice=NOTICE if vote > 0 else AT_ONCE)
        review = Review(
            reviewer=api.name_of(node), commit=commit, verdict="approved" if vote in APPROVING else "changes-requested",
            time=at or opened,
        )  # fmt: skip
        found.append(review)
    return sorted(found, key=lambda review: review.time)


def last_pusher_of(api: AzureDevOpsApi, pull: Node, head: str) -> str:
    """Who pushed the commit that the pull request shows. Its committer proves nothing: anybody writes any name there.

    Raises ApprovalError where Azure DevOps cannot tell.
    """
    branch = pull.text("sourceRefName")
    source = pull.optional_text("forkSource", "repository", "id")
    query: dict[str, str | int] = {
        "searchCriteria.refName": branch, "searchCriteria.includeRefUpdates": "true", "$top": 1,
    }  # fmt: skip
    pushes = api.ask("GET", api.in_repository("pushes", of=source), query=query, allow=(403, 404))
    latest = next(pushes.items("value"), None) if pushes.status == 200 else None
    if latest is not None:
        for update in latest.items("refUpdates"):
            if (update.text("name"), update.text("newObjectId")) == (branch, head):
                return api.name_of(latest, "pushedBy")
    raise ApprovalError(
        f"Azure DevOps does not tell who pushed commit {head[:12]} of {branch.removeprefix(HEADS)}; "
        "an approval by whoever did would not count",
        fix="run the command again; if it stays so, push to the branch once more and have that approved",
    )


def members_of(api: AzureDevOpsApi, team: str, console: Console) -> frozenset[str]:
    """The people of the team `@project/team`; empty, with a warning, where our token may not see it.

    A group in the team is left out: name its people, or make it a team.
    """
    project, _, name = team.removeprefix("@").partition("/")
    try:
        nodes = list(api.pages(path("/_apis/projects/{}/teams/{}/members", project, name)))
    except ConfigurationError as error:
        console.warn(
            f"the members of {team} cannot be read: {error.what}; write @Project/Team and give the token `Project and "
            "Team (read)`, or name people instead of it"
        )
        return frozenset()
    people = [node for node in nodes if not _flag(node.at("identity"), "isContainer")]
    return frozenset(api.name_of(node, "identity") for node in people)


def _voted_at(threads: Sequence[Node], voter: str, vote: int) -> str:
    """When the system noted the person's latest vote, if that is the one that stands; else empty.

    Anybody may write a comment with such properties, so only the system's own are believed: those that it wrote, and
    whose last word is the vote, as of none that it writes of something else.
    """
    at, latest = "", 0
    for thread in threads:
        if _property(thread, "CodeReviewThreadType") != "VoteUpdate" or _voter(thread) != voter:
            continue
        comment = next(thread.items("comments"), None)
        said = _property(thread, "CodeReviewVoteResult")
        if comment is None or not _by_the_system(comment) or not _says(comment, said):
            continue
        moment = thread.text("publishedDate")
        if later(at, moment) == moment:
            at, latest = moment, int(said)
    return at if latest == vote else ""


def _by_the_system(comment: Node) -> bool:
    by = comment.at("author")
    written = comment.optional_text("commentType") == "system"
    return written and (by.optional_text("id") == _SYSTEM or _flag(by, "isContainer"))


def _says(comment: Node, vote: str) -> bool:
    return comment.optional_text("content").split()[-1:] == [vote]


def _voter(thread: Node) -> str:
    """The id of who voted: Services name it by a number in the thread's own list, Servers by itself."""
    position = _property(thread, "CodeReviewVotedByIdentity")
    if position:
        return thread.optional_text("identities", position, "id")
    return _property(thread, "CodeReviewVotedByTfId")


def _property(thread: Node, name: str) -> str:
    value = thread.at("properties").value.get(name) if thread.has("properties") else None
    return str(value.get("$value", "")) if isinstance(value, dict) else ""


def _flag(node: Node, name: str) -> bool:
    return node.has(name) and node.flag(name)
