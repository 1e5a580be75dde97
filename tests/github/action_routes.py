"""Runs of workflows and their artifacts, as tests put them there."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from tests.github import shapes
from tests.github.replies import REPO, Answer, Call, Page, Refusal, answers, missing
from tests.github.state import State

WORKFLOWS = ".github/workflows"


def add_run(
    state: State, about: Mapping[str, Any], artifacts: Mapping[str, bytes | Mapping[str, bytes]]
) -> dict[str, Any]:
    """A run with its artifacts, each the bytes of a zip archive, or files by name."""
    number, now = int(about["id"]), state.now()
    source = about["head_repository"]
    run: dict[str, Any] = {
        "id": number, "node_id": f"WFR_{number}", "name": about["name"], "path": f"{WORKFLOWS}/{about['name']}.yml",
        "workflow_id": 1, "run_number": len(state.runs) + 1, "run_attempt": about.get("run_attempt", 1),
        "event": about["event"], "status": "completed", "conclusion": about.get("conclusion", "success"),
        "head_branch": about["head_branch"], "head_sha": about["head_sha"], "display_title": about["name"],
        "head_repository": shapes.repository(state, source), "repository": shapes.repository(state),
        "actor": shapes.user(state, about["actor"]), "triggering_actor": shapes.user(state, about["actor"]),
        "head_commit": None, "created_at": now, "updated_at": now, "run_started_at": now,
        # GitHub lists here only pull requests of branches of the repository itself
        "pull_requests": [] if source != state.repository else [
            {"id": 100_000 + pull.number, "number": pull.number, "url": f"{state.api}/pulls/{pull.number}",
             "head": {"ref": pull.branch, "sha": pull.head, "repo": {"id": 7, "url": state.api, "name": state.name}},
             "base": {"ref": pull.base, "sha": pull.base_sha, "repo": {"id": 7, "url": state.api, "name": state.name}}}
            for pull in state.pulls.values() if pull.head == about["head_sha"] and pull.state == "open"],
        "url": f"{state.api}/actions/runs/{number}",
        "html_url": f"{state.url}/{state.repository}/actions/runs/{number}",
        "artifacts_url": f"{state.api}/actions/runs/{number}/artifacts",
    }  # fmt: skip
    state.runs[number] = run
    for name, content in artifacts.items():
        data, at = content if isinstance(content, bytes) else _zipped(content), next(state.ids)
        state.artifacts[at] = {
            "id": at, "node_id": f"AR_{at}", "name": name, "size_in_bytes": len(data), "expired": False,
            "url": f"{state.api}/actions/artifacts/{at}", "created_at": now, "updated_at": now, "expires_at": None,
            "archive_download_url": f"{state.api}/actions/artifacts/{at}/zip", "data": data,
            "workflow_run": {"id": number, "repository_id": 7, "head_repository_id": run["head_repository"]["id"],
                             "head_branch": run["head_branch"], "head_sha": run["head_sha"]},
        }  # fmt: skip
    workflow = {"id": 1, "name": about["name"], "path": run["path"], "state": "active"}
    state.fire("workflow_run", "completed", {"workflow_run": run, "workflow": workflow}, about["actor"])
    return run


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@answers("GET", f"{REPO}/actions/runs", "actions:read")
def list_runs(state: State, call: Call) -> Any:
    asked = {"event": "event", "branch": "head_branch", "head_sha": "head_sha"}
    rows = [run for run in reversed(state.runs.values())
            if all(call.query.get(key, run[name]) == run[name] for key, name in asked.items())]  # fmt: skip
    return Page(rows=rows, under="workflow_runs")


@answers("GET", f"{REPO}/actions/runs/{{run_id}}", "actions:read")
def get_run(state: State, call: Call) -> Any:
    return _run(state, call)


def _run(state: State, call: Call) -> dict[str, Any]:
    number = call.arguments["run_id"]
    if not number.isdigit() or int(number) not in state.runs:
        raise missing()
    return state.runs[int(number)]


@answers("GET", f"{REPO}/actions/runs/{{run_id}}/artifacts", "actions:read")
def artifacts_of_run(state: State, call: Call) -> Any:
    run, name = _run(state, call), call.query.get("name")
    rows = [
        one
        for one in state.artifacts.values()
        if one["workflow_run"]["id"] == run["id"] and name in (None, one["name"])
    ]
    return Page(rows=rows, under="artifacts", shape=_shown)


@answers("GET", f"{REPO}/actions/artifacts", "actions:read")
def list_artifacts(state: State, call: Call) -> Any:
    name = call.query.get("name")
    rows = [one for one in state.artifacts.values() if name in (None, one["name"])]
    return Page(rows=rows, under="artifacts", shape=_shown)


@answers("GET", f"{REPO}/actions/artifacts/{{artifact_id}}", "actions:read")
def get_artifact(state: State, call: Call) -> Any:
    return _shown(_artifact(state, call))


@answers("GET", f"{REPO}/actions/artifacts/{{artifact_id}}/{{archive_format}}", "actions:read")
def download_artifact(state: State, call: Call) -> Any:
    """GitHub answers with the address of a blob that is readable for a minute, without a token."""
    artifact = _artifact(state, call)
    if artifact["expired"]:
        raise Refusal(410, "Artifact has expired")
    return Answer(status=302, headers={"Location": f"{state.url}/-/artifact/{artifact['id']}"})


def _artifact(state: State, call: Call) -> dict[str, Any]:
    number = call.arguments["artifact_id"]
    if not number.isdigit() or int(number) not in state.artifacts:
        raise missing()
    return state.artifacts[int(number)]


def _shown(artifact: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in artifact.items() if key != "data"}


@answers("GET", f"{REPO}/actions/workflows", "actions:read")
def list_workflows(state: State, _: Call) -> Any:
    return Page(rows=_workflows(state), under="workflows")


@answers("GET", f"{REPO}/actions/workflows/{{workflow_id}}", "actions:read")
def get_workflow(state: State, call: Call) -> Any:
    wanted = call.arguments["workflow_id"]
    found = next((one for one in _workflows(state) if wanted in (str(one["id"]), one["path"].rpartition("/")[2])), None)
    if found is None:
        raise missing()
    return found


def _workflows(state: State) -> list[dict[str, Any]]:
    main = state.store.sha(state.main)
    folder = main and state.store.entry(main, WORKFLOWS)
    names = [name for *_, name in state.store.entries(folder[2])] if folder else []
    return [
        {"id": position, "node_id": f"W_{position}", "name": name, "path": f"{WORKFLOWS}/{name}", "state": "active",
         "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "badge_url": state.url,
         "url": f"{state.api}/actions/workflows/{position}", "html_url": f"{state.url}/{state.repository}/actions"}
        for position, name in enumerate(names, start=1) if name.endswith((".yml", ".yaml"))
    ]  # fmt: skip
