"""Check runs with their annotations, and commit statuses."""

from __future__ import annotations

from typing import Any

from tests.github import shapes
from tests.github.replies import INTEGRATION, REPO, Answer, Call, Page, Refusal, answers, missing
from tests.github.state import State

ONE = f"{REPO}/check-runs/{{check_run_id}}"
AT_ONCE = 50
"""How many annotations GitHub takes in one request."""


@answers("POST", f"{REPO}/check-runs", "checks:write")
def create_check(state: State, call: Call) -> Any:
    if call.token.of_person:
        raise Refusal(403, "You must authenticate via a GitHub App.")
    if state.store.kind(call.body["head_sha"]) != "commit":
        raise Refusal(422, f"No commit found for SHA: {call.body['head_sha']}")
    number = next(state.ids)
    check: dict[str, Any] = {
        "id": number, "node_id": f"CR_{number}", "name": call.body["name"], "head_sha": call.body["head_sha"],
        "external_id": call.body.get("external_id"), "url": f"{state.api}/check-runs/{number}",
        "html_url": f"{state.url}/{state.repository}/runs/{number}", "details_url": call.body.get("details_url"),
        "status": "queued", "conclusion": None, "started_at": state.now(), "completed_at": None,
        "output": {"title": None, "summary": None, "text": None, "annotations_count": 0,
                   "annotations_url": f"{state.api}/check-runs/{number}/annotations"},
        "annotations": [], "check_suite": {"id": number}, "pull_requests": [],
        "app": {"id": 15368, "slug": call.login.removesuffix("[bot]"), "node_id": "A_1", "name": call.login,
                "owner": shapes.user(state, call.login), "description": None, "external_url": state.url,
                "html_url": state.url, "created_at": state.now(), "updated_at": state.now(), "permissions": {},
                "events": []},
    }  # fmt: skip
    state.checks.append(check)
    return Answer(status=201, body=_changed(state, check, call))


@answers("PATCH", ONE, "checks:write")
def update_check(state: State, call: Call) -> Any:
    check = _wanted(state, call)
    if check["app"]["name"] != call.login:
        raise Refusal(403, INTEGRATION)
    return _changed(state, check, call)


def _changed(state: State, check: dict[str, Any], call: Call) -> dict[str, Any]:
    """Annotations are added to those that are there; everything else takes the place of what was."""
    body, output = call.body, dict(call.body.get("output") or {})
    notes = output.pop("annotations", [])
    if len(notes) > AT_ONCE:
        state.checks.remove(check)
        raise Refusal(422, "Invalid request.\n\nNo more than 50 items are allowed.")
    kept = ("name", "status", "conclusion", "started_at", "completed_at", "details_url", "external_id")
    check |= {key: body[key] for key in kept if key in body}
    if body.get("conclusion"):
        check |= {"status": "completed", "completed_at": body.get("completed_at", state.now())}
    check["annotations"] = [*check["annotations"], *notes]
    check["output"] = check["output"] | output | {"annotations_count": len(check["annotations"])}
    return shown(check)


def shown(check: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in check.items() if key != "annotations"}


def _wanted(state: State, call: Call) -> dict[str, Any]:
    found = next((one for one in state.checks if str(one["id"]) == call.arguments["check_run_id"]), None)
    if found is None:
        raise missing()
    return found


@answers("GET", ONE, "checks:read")
def get_check(state: State, call: Call) -> Any:
    return shown(_wanted(state, call))


@answers("GET", f"{ONE}/annotations", "checks:read")
def annotations(state: State, call: Call) -> Any:
    return Page(rows=_wanted(state, call)["annotations"])


@answers("GET", f"{REPO}/commits/{{ref}}/check-runs", "checks:read")
def checks_of_commit(state: State, call: Call) -> Any:
    """The latest of each name, unless all are asked for."""
    sha, query = _commit(state, call), call.query
    asked = {field: query[name] for name, field in (("check_name", "name"), ("status", "status")) if name in query}
    rows = [one for one in reversed(state.checks) if {**one, **asked, "head_sha": sha} == one]
    if query.get("filter", "latest") == "latest":
        rows = list({(one["name"], one["app"]["name"]): one for one in reversed(rows)}.values())
    return Page(rows=rows, under="check_runs", shape=shown)


def _commit(state: State, call: Call) -> str:
    sha = state.store.sha(call.arguments["ref"])
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {call.arguments['ref']}")
    return sha


@answers("POST", f"{REPO}/statuses/{{sha}}", "statuses:write")
def create_status(state: State, call: Call) -> Any:
    sha, number, now = call.arguments["sha"], next(state.ids), state.now()
    if state.store.kind(sha) != "commit":
        raise Refusal(422, f"No commit found for SHA: {sha}")
    if len(call.body.get("description") or "") > 140:
        raise Refusal(422, "Validation Failed", errors=[{
            "resource": "Status", "code": "custom", "field": "description",
            "message": "description is too long (maximum is 140 characters)"}])  # fmt: skip
    status = {
        "id": number, "node_id": f"SC_{number}", "url": f"{state.api}/statuses/{sha}", "avatar_url": None, "sha": sha,
        "state": call.body["state"], "description": call.body.get("description"), "created_at": now, "updated_at": now,
        "target_url": call.body.get("target_url"), "context": call.body.get("context", "default"),
        "creator": shapes.user(state, call.login),
    }  # fmt: skip
    state.statuses.append(status)
    return Answer(status=201, body=status)


@answers("GET", f"{REPO}/commits/{{ref}}/statuses", "statuses:read")
def statuses(state: State, call: Call) -> Any:
    sha = _commit(state, call)
    return Page(rows=[one for one in reversed(state.statuses) if one["sha"] == sha])


@answers("GET", f"{REPO}/commits/{{ref}}/status", "statuses:read")
def combined_status(state: State, call: Call) -> Any:
    sha = _commit(state, call)
    latest = {one["context"]: one for one in state.statuses if one["sha"] == sha}
    words = [one["state"] for one in latest.values()]
    word = (
        "failure" if {"failure", "error"} & set(words) else "pending" if "pending" in words or not words else "success"
    )
    return {"state": word, "statuses": list(latest.values()), "sha": sha, "total_count": len(latest),
            "repository": shapes.repository(state), "commit_url": f"{state.api}/commits/{sha}",
            "url": f"{state.api}/commits/{sha}/status"}  # fmt: skip
