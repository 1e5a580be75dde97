"""Who one is, the organisation and its teams, and what people may."""

from __future__ import annotations

import time
from typing import Any

from tests.github import shapes
from tests.github.replies import INTEGRATION, REPO, Answer, Call, Page, Refusal, answers, missing
from tests.github.state import State

TEAM = "/orgs/{org}/teams/{team_slug}"


@answers("GET", "/user", "metadata:read")
def own_account(state: State, call: Call) -> Any:
    if not call.login:
        raise Refusal(401, "Requires authentication")
    if not call.token.of_person:
        raise Refusal(403, INTEGRATION)
    return shapes.user(state, call.login) | {
        "created_at": state.now(),
        "updated_at": state.now(),
        "user_view_type": "private",
    }


@answers("GET", "/app", "metadata:read")
def own_app(_: State, __: Call) -> Any:
    """Only an App's signed JSON web token is told; none of the tokens here is one."""
    raise Refusal(401, "A JSON web token could not be decoded")


@answers("GET", "/users/{username}", "metadata:read")
def get_user(state: State, call: Call) -> Any:
    if call.arguments["username"] not in state.accounts:
        raise missing()
    user = shapes.user(state, call.arguments["username"])
    return user | {"created_at": state.now(), "updated_at": state.now(), "user_view_type": "public"}


@answers("GET", "/rate_limit", "metadata:read")
def rate_limit(_: State, __: Call) -> Any:
    rate = {"limit": 5000, "remaining": 4999, "used": 1, "reset": int(time.time()) + 3600}
    return {"resources": {"core": rate, "search": rate}, "rate": rate}


@answers("GET", "/meta", "")
def meta(_: State, __: Call) -> Any:
    return {"verifiable_password_authentication": False}


@answers("GET", "/installation/repositories", "metadata:read")
def installation(state: State, call: Call) -> Any:
    if call.token.of_person:
        raise Refusal(
            403,
            "You must authenticate with an installation access token to list its repositories.",
        )
    return Page(rows=[shapes.repository(state)], under="repositories")


@answers("GET", REPO, "metadata:read")
def get_repository(state: State, call: Call) -> Any:
    may = call.token.may
    needs = {"admin": "administration:write", "maintain": "administration:write", "push": "contents:write",
             "triage": "issues:write", "pull": "contents:read"}  # fmt: skip
    permissions = {name: may(need) for name, need in needs.items()}
    owner = shapes.user_of(state.owner, 1, "Organization", state.url)
    return shapes.repository(state) | {"permissions": permissions, "organization": owner, "network_count": 0,
                                       "subscribers_count": 0}  # fmt: skip


@answers("GET", f"{REPO}/collaborators/{{username}}/permission", "metadata:read")
def permission(state: State, call: Call) -> Any:
    account = state.accounts.get(call.arguments["username"])
    if account is None:
        raise missing()
    user = shapes.user(state, account.login)
    return {"permission": account.role, "role_name": account.role, "user": user}


@answers("GET", "/orgs/{org}", "metadata:read")
def organisation(state: State, _: Call) -> Any:
    return {
        "login": state.owner,
        "id": 1,
        "type": "Organization",
        "url": f"{state.url}/orgs/{state.owner}",
        "created_at": state.now(),
        "updated_at": state.now(),
    }


@answers("GET", "/orgs/{org}/members", "members:read")
def members(state: State, _: Call) -> Any:
    names = [name for name, account in state.accounts.items() if account.kind == "User" and account.role != "none"]
    return Page(rows=[shapes.user(state, name) for name in names])


def _team(state: State, call: Call) -> str:
    slug = call.arguments["team_slug"]
    if slug not in state.teams:
        raise missing()
    return slug


def _shape(state: State, slug: str) -> dict[str, Any]:
    at = f"{state.url}/orgs/{state.owner}/teams/{slug}"
    number = 500 + sorted(state.teams).index(slug)
    return {
        "id": number, "node_id": f"T_{number}", "name": slug, "slug": slug, "description": None, "privacy": "closed",
        "permission": "push", "url": at, "html_url": at, "members_url": f"{at}/members{{/member}}",
        "repositories_url": f"{at}/repos", "parent": None, "type": "organization",
    }  # fmt: skip


@answers("GET", "/orgs/{org}/teams", "members:read")
def list_teams(state: State, _: Call) -> Any:
    return Page(rows=[_shape(state, slug) for slug in state.teams])


@answers("GET", TEAM, "members:read")
def get_team(state: State, call: Call) -> Any:
    slug = _team(state, call)
    more = {"created_at": state.now(), "updated_at": state.now(), "members_count": len(state.teams[slug]),
            "repos_count": 1, "organization": organisation(state, call)}  # fmt: skip
    return _shape(state, slug) | more


@answers("GET", f"{TEAM}/members", "members:read")
def team_members(state: State, call: Call) -> Any:
    return Page(
        rows=[shapes.user(state, login) for login in state.teams[_team(state, call)] if login in state.accounts]
    )


@answers("GET", f"{TEAM}/memberships/{{username}}", "members:read")
def membership(state: State, call: Call) -> Any:
    if call.arguments["username"] not in state.teams[_team(state, call)]:
        raise missing()
    return {"url": f"{state.url}{TEAM}", "role": "member", "state": "active"}


@answers("GET", f"{TEAM}/repos/{{owner}}/{{repo}}", "members:read")
def team_repository(state: State, call: Call) -> Any:
    _team(state, call)
    if state.settings.teams_without_access and call.arguments["team_slug"] in state.settings.teams_without_access:
        raise missing()
    return Answer(status=204)
