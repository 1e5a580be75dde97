"""Deployments and their statuses, releases, dispatches."""

from __future__ import annotations

from typing import Any

from tests.github import shapes
from tests.github.replies import REPO, Answer, Call, Page, Refusal, answers, invalid, missing
from tests.github.state import State

ONE = f"{REPO}/deployments/{{deployment_id}}"


@answers("POST", f"{REPO}/deployments", "deployments:write")
def create_deployment(state: State, call: Call) -> Any:
    """Every check of the commit has to have succeeded by default, unless `required_contexts` is []."""
    body, number, now = call.body, next(state.ids), state.now()
    sha = state.store.sha(body["ref"])
    if sha is None:
        raise Refusal(422, f"No ref found for: {body['ref']}")
    if body.get("required_contexts") is None:
        bad = [
            one["name"]
            for one in state.checks
            if one["head_sha"] == sha and one["conclusion"] not in ("success", "neutral", "skipped")
        ]
        bad += [one["context"] for one in state.statuses if one["sha"] == sha and one["state"] != "success"]
        if bad:
            raise Refusal(409, f"Conflict: Commit status checks failed for {body['ref']}.")
    if body.get("auto_merge", True) and body["ref"] in _branches(state) and not state.store.ancestor(
        state.known_refs[f"refs/heads/{state.main}"], sha
    ):  # fmt: skip
        raise Refusal(409, f"Conflict merging {state.main} into {body['ref']}.")
    deployment = {
        "id": number, "node_id": f"DE_{number}", "url": f"{state.api}/deployments/{number}", "sha": sha,
        "ref": body["ref"], "task": body.get("task", "deploy"), "payload": body.get("payload", {}),
        "environment": body.get("environment", "production"), "description": body.get("description"),
        "original_environment": body.get("environment", "production"), "creator": shapes.user(state, call.login),
        "created_at": now, "updated_at": now, "statuses_url": f"{state.api}/deployments/{number}/statuses",
        "repository_url": state.api, "transient_environment": bool(body.get("transient_environment", False)),
        "production_environment": bool(body.get("production_environment", body.get("environment") == "production")),
        "statuses": [],
    }  # fmt: skip
    state.deployments.append(deployment)
    state.fire("deployment", "created", {"deployment": _shown(deployment)}, call.login)
    return Answer(status=201, body=_shown(deployment))


def _branches(state: State) -> set[str]:
    return {ref.removeprefix("refs/heads/") for ref in state.known_refs if ref.startswith("refs/heads/")}


def _shown(deployment: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in deployment.items() if key != "statuses"}


@answers("GET", f"{REPO}/deployments", "deployments:read")
def list_deployments(state: State, call: Call) -> Any:
    asked = {
        key: call.query[key] for key in ("sha", "ref", "task", "environment") if call.query.get(key, "none") != "none"
    }
    rows = [one for one in reversed(state.deployments) if all(one[key] == value for key, value in asked.items())]
    return Page(rows=rows, shape=_shown)


@answers("GET", ONE, "deployments:read")
def get_deployment(state: State, call: Call) -> Any:
    return _shown(_wanted(state, call))


def _wanted(state: State, call: Call) -> dict[str, Any]:
    found = next((one for one in state.deployments if str(one["id"]) == call.arguments["deployment_id"]), None)
    if found is None:
        raise missing()
    return found


@answers("GET", f"{ONE}/statuses", "deployments:read")
def deployment_statuses(state: State, call: Call) -> Any:
    return Page(rows=_wanted(state, call)["statuses"][::-1])


@answers("POST", f"{ONE}/statuses", "deployments:write")
def create_deployment_status(state: State, call: Call) -> Any:
    """One that succeeds makes those before it, of the same environment, inactive."""
    deployment, body, number, now = _wanted(state, call), call.body, next(state.ids), state.now()
    if len(body.get("description") or "") > 140:
        raise invalid(
            "DeploymentStatus", "description", "custom", "description is too long (maximum is 140 characters)"
        )
    environment = body.get("environment", deployment["environment"])
    links = {name: body[name] for name in ("target_url", "log_url", "environment_url") if body.get(name)}
    status = {
        "id": number, "node_id": f"DES_{number}", "state": body["state"], "creator": shapes.user(state, call.login),
        "url": f"{deployment['url']}/statuses/{number}", "description": body.get("description") or "",
        "environment": environment, **links, "created_at": now, "updated_at": now,
        "deployment_url": deployment["url"], "repository_url": state.api,
    }  # fmt: skip
    deployment["statuses"].append(status)
    if body["state"] == "success" and body.get("auto_inactive", True):
        for other in state.deployments:
            done = other["statuses"] and other["statuses"][-1]["state"] == "success"
            if other is not deployment and other["environment"] == environment and done:
                other["statuses"].append(status | {"id": next(state.ids), "state": "inactive"})
    payload = {"deployment_status": status, "deployment": _shown(deployment)}
    state.fire("deployment_status", "created", payload, call.login)
    return Answer(status=201, body=status)


@answers("POST", f"{REPO}/dispatches", "contents:write")
def repository_dispatch(state: State, call: Call) -> Any:
    body = call.body
    if len(body.get("client_payload", {})) > 10:
        raise Refusal(
            422, "No more than 10 properties are allowed; " + str(len(body["client_payload"])) + " were supplied."
        )
    payload = {"branch": state.main, "client_payload": body.get("client_payload", {})}
    state.dispatches.append({"kind": "repository", "login": call.login, **body})
    state.fire("repository_dispatch", body["event_type"], payload, call.login)
    return Answer(status=204)


@answers("POST", f"{REPO}/actions/workflows/{{workflow_id}}/dispatches", "actions:write")
def workflow_dispatch(state: State, call: Call) -> Any:
    """The workflow has to be there on the default branch, and to be meant for it on the ref that is named."""
    body, name = call.body, call.arguments["workflow_id"]
    path = f".github/workflows/{name}"
    main, sha = state.store.sha(state.main), state.store.sha(body["ref"].removeprefix("refs/heads/"))
    if main is None or state.store.entry(main, path) is None:
        raise missing()
    if sha is None:
        raise Refusal(422, f"No ref found for: {body['ref']}")
    entry = state.store.entry(sha, path)
    if entry is None or b"workflow_dispatch" not in state.store.blob(entry[2]):
        raise Refusal(422, "Workflow does not have 'workflow_dispatch' trigger")
    state.dispatches.append({"kind": "workflow", "workflow": name, "login": call.login, **body})
    ref = body["ref"] if body["ref"].startswith("refs/") else f"refs/heads/{body['ref']}"
    payload = {"ref": ref, "workflow": path, "inputs": body.get("inputs", {})}
    state.fire("workflow_dispatch", "", payload, call.login)
    return Answer(status=204)


@answers("POST", f"{REPO}/releases", "contents:write")
def create_release(state: State, call: Call) -> Any:
    """Makes the tag, too, where there is none and it is no draft."""
    body, number, now = call.body, next(state.ids), state.now()
    tag, draft = body["tag_name"], bool(body.get("draft", False))
    if any(one["tag_name"] == tag and not one["draft"] for one in state.releases) and not draft:
        raise invalid("Release", "tag_name", "already_exists")
    if f"refs/tags/{tag}" not in state.known_refs and not draft:
        sha = state.store.sha(body.get("target_commitish", state.main))
        if sha is None:
            raise invalid("Release", "target_commitish", "invalid")
        state.move_ref(f"refs/tags/{tag}", sha, call.login)
    at = f"{state.api}/releases/{number}"
    release = {
        "id": number, "node_id": f"RE_{number}", "url": at, "assets_url": f"{at}/assets", "upload_url": f"{at}/assets",
        "html_url": f"{state.url}/{state.repository}/releases/tag/{tag}", "tarball_url": None, "zipball_url": None,
        "tag_name": tag, "target_commitish": body.get("target_commitish", state.main), "name": body.get("name"),
        "body": body.get("body"), "draft": draft, "prerelease": bool(body.get("prerelease", False)), "assets": [],
        "created_at": now, "published_at": None if draft else now, "author": shapes.user(state, call.login),
    }  # fmt: skip
    state.releases.append(release)
    if not draft:
        state.fire("release", "published", {"release": release}, call.login)
    return Answer(status=201, body=release)


@answers("GET", f"{REPO}/releases", "contents:read")
def list_releases(state: State, call: Call) -> Any:
    return Page(rows=[one for one in reversed(state.releases) if not one["draft"] or call.token.may("contents:write")])


@answers("GET", f"{REPO}/releases/latest", "contents:read")
def latest_release(state: State, _: Call) -> Any:
    return _release(one for one in reversed(state.releases) if not one["draft"] and not one["prerelease"])


@answers("GET", f"{REPO}/releases/tags/{{tag}}", "contents:read")
def release_of_tag(state: State, call: Call) -> Any:
    tag = call.arguments["tag"]
    return _release(one for one in state.releases if not one["draft"] and one["tag_name"] == tag)


@answers("GET", f"{REPO}/releases/{{release_id}}", "contents:read")
def get_release(state: State, call: Call) -> Any:
    return _release(one for one in state.releases if str(one["id"]) == call.arguments["release_id"])


@answers("PATCH", f"{REPO}/releases/{{release_id}}", "contents:write")
def update_release(state: State, call: Call) -> Any:
    release = _release(one for one in state.releases if str(one["id"]) == call.arguments["release_id"])
    release |= {key: value for key, value in call.body.items() if key in release}
    return release


def _release(found: Any) -> dict[str, Any]:
    release: dict[str, Any] | None = next(found, None)
    if release is None:
        raise missing()
    return release
