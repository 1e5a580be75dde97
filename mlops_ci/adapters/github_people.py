"""What people do on GitHub, and who they are: reviews, pushes, teams. Names are GitHub's logins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.adapters.rest_api import path
from mlops_ci.core.approval import Review
from mlops_ci.errors import ApprovalError, ConfigurationError
from mlops_ci.ports import Console

NOBODY = "ghost"
"""Whom GitHub shows in place of people who have deleted their account."""
_BOT = "[bot]"
_VERDICTS: dict[str, Literal["approved", "changes-requested", "dismissed"]] = {
    "APPROVED": "approved",
    "CHANGES_REQUESTED": "changes-requested",
    "DISMISSED": "dismissed",
}
_MAY_WRITE = ("admin", "write")


def login_of(node: Node, *way: str) -> str:
    """The name of the account there. That of a bot ends in `[bot]`, which no name of a person can."""
    if not node.has(*way):
        return NOBODY
    login = node.text(*way, "login")
    is_bot = node.optional_text(*way, "type") == "Bot"
    return f"{login}{_BOT}" if is_bot and not login.endswith(_BOT) else login


def reviews_of(api: GitHubApi, number: int) -> Sequence[Review]:
    """The reviews of a pull request in the order in which they were given; comments are none."""
    found = []
    writers: dict[str, bool] = {}
    for node in api.pages(api.in_repository("pulls/{}/reviews", number)):
        verdict = _VERDICTS.get(node.text("state"))
        if verdict is None:
            continue
        who = login_of(node, "user")
        if who not in writers:
            writers[who] = _may_write(api, who)
        review = Review(
            reviewer=who,
            commit=node.optional_text("commit_id"),
            verdict=verdict,
            time=node.optional_text("submitted_at"),
            writes=writers[who],
        )
        found.append(review)
    return sorted(found, key=lambda review: review.time)


def last_pusher_of(api: GitHubApi, pull: Node) -> str:
    """Who pushed the commit that the pull request shows. Its committer proves nothing: anybody writes any name there.

    Raises ApprovalError where GitHub cannot tell.
    """
    head, repository = pull.text("head", "sha"), pull.optional_text("head", "repo", "full_name")
    if repository:
        query = {"ref": f"refs/heads/{pull.text('head', 'ref')}", "per_page": "1"}
        pushes = api.ask("GET", path("/repos/{}/activity", repository), query=query, allow=(404, 422))
        latest = next(pushes.items(), None) if pushes.status == 200 else None
        if latest is not None and latest.text("after") == head:
            return login_of(latest, "actor")
    raise ApprovalError(
        f"GitHub does not tell who pushed commit {head[:12]} of pull request {pull.number('number')}; "
        "an approval by whoever did would not count",
        where=pull.text("html_url"),
        fix="run the command again; if it stays so, push to the branch once more and have that approved",
    )


def members_of(api: GitHubApi, team: str, console: Console) -> frozenset[str]:
    """Who belongs to `@organisation/team`; empty, with a warning, where our token may not see it."""
    try:
        nodes = api.pages(path("/orgs/{}/teams/{}/members", *team.removeprefix("@").split("/", 1)))
        return frozenset(login_of(node) for node in nodes)
    except ConfigurationError as error:
        console.warn(
            f"the members of {team} cannot be read: {error.what}; use the token of a GitHub App with `members: read`, "
            "which GITHUB_TOKEN never has, or name people instead of the team"
        )
        return frozenset()


def _may_write(api: GitHubApi, who: str) -> bool:
    """Anybody may review what anybody can read, so that alone means nothing."""
    if who == NOBODY or who.endswith(_BOT):
        return False
    node = api.ask("GET", api.in_repository("collaborators/{}/permission", who), allow=(403, 404))
    return node.status == 200 and node.text("permission") in _MAY_WRITE
