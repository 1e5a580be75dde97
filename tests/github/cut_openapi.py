"""Cuts openapi.json out of GitHub's own OpenAPI description: the operations that the stand-in answers, nothing else.

    npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz
    python tests/github/cut_openapi.py package/generated/api.github.com.json

Descriptions and examples are left out, since nobody validates with them; every schema is as GitHub wrote it, but
where openapi-core could not agree with it as it is (see `_bare` and `_nullable`). The description is published under
the MIT licence (see openapi.LICENSE beside it).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPO = "/repos/{owner}/{repo}"
KEPT: dict[str, str] = {
    "/app": "get",
    "/meta": "get",
    "/orgs/{org}": "get",
    "/orgs/{org}/actions/oidc/customization/sub": "get",
    "/orgs/{org}/actions/permissions/workflow": "get",
    "/orgs/{org}/members": "get",
    "/orgs/{org}/teams": "get",
    "/orgs/{org}/teams/{team_slug}": "get",
    "/orgs/{org}/teams/{team_slug}/members": "get",
    "/orgs/{org}/teams/{team_slug}/memberships/{username}": "get",
    "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}": "get",
    "/installation/repositories": "get",
    "/rate_limit": "get",
    "/user": "get",
    "/users/{username}": "get",
    REPO: "get",
    f"{REPO}/actions/artifacts": "get",
    f"{REPO}/actions/artifacts/{{artifact_id}}": "get",
    f"{REPO}/actions/artifacts/{{artifact_id}}/{{archive_format}}": "get",
    f"{REPO}/actions/oidc/customization/sub": "get",
    f"{REPO}/actions/organization-secrets": "get",
    f"{REPO}/actions/organization-variables": "get",
    f"{REPO}/actions/permissions": "get",
    f"{REPO}/actions/permissions/fork-pr-contributor-approval": "get",
    f"{REPO}/actions/permissions/workflow": "get",
    f"{REPO}/actions/runs": "get",
    f"{REPO}/actions/runs/{{run_id}}": "get",
    f"{REPO}/actions/runs/{{run_id}}/artifacts": "get",
    f"{REPO}/actions/secrets": "get",
    f"{REPO}/actions/variables": "get",
    f"{REPO}/actions/workflows": "get",
    f"{REPO}/actions/workflows/{{workflow_id}}": "get",
    f"{REPO}/actions/workflows/{{workflow_id}}/dispatches": "post",
    f"{REPO}/activity": "get",
    f"{REPO}/branches": "get",
    f"{REPO}/branches/{{branch}}": "get",
    f"{REPO}/branches/{{branch}}/protection": "get",
    f"{REPO}/check-runs": "post",
    f"{REPO}/check-runs/{{check_run_id}}": "get patch",
    f"{REPO}/check-runs/{{check_run_id}}/annotations": "get",
    f"{REPO}/codeowners/errors": "get",
    f"{REPO}/collaborators/{{username}}/permission": "get",
    f"{REPO}/commits": "get",
    f"{REPO}/commits/{{commit_sha}}/pulls": "get",
    f"{REPO}/commits/{{ref}}": "get",
    f"{REPO}/commits/{{ref}}/check-runs": "get",
    f"{REPO}/commits/{{ref}}/status": "get",
    f"{REPO}/commits/{{ref}}/statuses": "get",
    f"{REPO}/compare/{{basehead}}": "get",
    f"{REPO}/contents/{{path}}": "get put",
    f"{REPO}/deployments": "get post",
    f"{REPO}/deployments/{{deployment_id}}": "get",
    f"{REPO}/deployments/{{deployment_id}}/statuses": "get post",
    f"{REPO}/dispatches": "post",
    f"{REPO}/environments": "get",
    f"{REPO}/environments/{{environment_name}}": "get",
    f"{REPO}/environments/{{environment_name}}/secrets": "get",
    f"{REPO}/environments/{{environment_name}}/variables": "get",
    f"{REPO}/git/blobs": "post",
    f"{REPO}/git/blobs/{{file_sha}}": "get",
    f"{REPO}/git/commits": "post",
    f"{REPO}/git/commits/{{commit_sha}}": "get",
    f"{REPO}/git/matching-refs/{{ref}}": "get",
    f"{REPO}/git/ref/{{ref}}": "get",
    f"{REPO}/git/refs": "post",
    f"{REPO}/git/refs/{{ref}}": "patch delete",
    f"{REPO}/git/tags": "post",
    f"{REPO}/git/tags/{{tag_sha}}": "get",
    f"{REPO}/git/trees": "post",
    f"{REPO}/git/trees/{{tree_sha}}": "get",
    f"{REPO}/issues": "get post",
    f"{REPO}/issues/comments": "get",
    f"{REPO}/issues/comments/{{comment_id}}": "get patch delete",
    f"{REPO}/issues/{{issue_number}}": "get patch",
    f"{REPO}/issues/{{issue_number}}/comments": "get post",
    f"{REPO}/issues/{{issue_number}}/events": "get",
    f"{REPO}/issues/{{issue_number}}/labels": "get post put",
    f"{REPO}/issues/{{issue_number}}/labels/{{name}}": "delete",
    f"{REPO}/issues/{{issue_number}}/timeline": "get",
    f"{REPO}/labels": "get post",
    f"{REPO}/labels/{{name}}": "get",
    f"{REPO}/merges": "post",
    f"{REPO}/pulls": "get post",
    f"{REPO}/pulls/{{pull_number}}": "get patch",
    f"{REPO}/pulls/{{pull_number}}/commits": "get",
    f"{REPO}/pulls/{{pull_number}}/files": "get",
    f"{REPO}/pulls/{{pull_number}}/merge": "get put",
    f"{REPO}/pulls/{{pull_number}}/reviews": "get post",
    f"{REPO}/pulls/{{pull_number}}/reviews/{{review_id}}": "get",
    f"{REPO}/pulls/{{pull_number}}/reviews/{{review_id}}/dismissals": "put",
    f"{REPO}/releases": "get post",
    f"{REPO}/releases/latest": "get",
    f"{REPO}/releases/tags/{{tag}}": "get",
    f"{REPO}/releases/{{release_id}}": "get patch",
    f"{REPO}/rules/branches/{{branch}}": "get",
    f"{REPO}/statuses/{{sha}}": "post",
}
LEFT_OUT = ("example", "examples", "externalDocs", "x-github", "x-octokit", "summary", "tags", "operationId", "title")


def cut(description: dict[str, Any]) -> dict[str, Any]:
    """The description of the operations kept, with what they refer to, however far away."""
    paths = {
        path: {
            key: value
            for key, value in description["paths"][path].items()
            if key in methods.split() or key == "parameters"
        }
        for path, methods in KEPT.items()
    }
    missing = [path for path, methods in KEPT.items() if set(methods.split()) - set(paths[path])]
    if missing:
        raise SystemExit(f"GitHub describes these otherwise by now: {missing}")
    paths = _bare(paths)
    components: dict[str, dict[str, Any]] = {}
    wanted = set(_references(paths))
    while wanted:
        reference = wanted.pop()
        _, _, kind, name = reference.split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = _bare(description["components"][kind][name])
            wanted.update(_references(components[kind][name]))
    return {
        "openapi": description["openapi"],
        "info": {key: description["info"][key] for key in ("version", "title", "license")},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }


def _bare(value: Any, *, names: bool = False) -> Any:
    """Without what is for readers only; with `names` the keys are names that GitHub gave, none of them to be lost."""
    if isinstance(value, list):
        return [_bare(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, entry in value.items():
        if not names and key in LEFT_OUT:
            continue
        if not names and key == "description":
            if "content" in value or "headers" in value or len(value) == 1:  # a response has to have one
                kept[key] = ""
            continue
        kept[key] = entry if key in ("enum", "default") else _bare(entry, names=key == "properties" and not names)
    if not names and "array" in kept.get("discriminator", {}).get("mapping", ()):
        del kept["discriminator"]  # it tells objects apart by a property, and a list has none
    if not names and "oneOf" in kept and all("error" in str(one.get("$ref")) for one in kept["oneOf"]):
        kept["anyOf"] = kept.pop("oneOf")  # every one of them allows whatever the others allow
    return kept if names else _nullable(kept)


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """What GitHub means to be null says so where OpenAPI 3.0 wants it said: in `enum`, and among the alternatives."""
    if not schema.get("nullable"):
        return schema
    null = {"enum": [None], "nullable": True}
    added = {"enum": None, "oneOf": null, "anyOf": null}
    return schema | {key: [*schema[key], one] for key, one in added.items() if key in schema and one not in schema[key]}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for entry in value.values():
            yield from _references(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _references(entry)


if __name__ == "__main__":
    result = cut(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    target = Path(__file__).parent / "openapi.json"
    target.write_text(json.dumps(result, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
