"""The settings that `mlops-ci doctor` reads: protection, rules, secrets by name, environments, permissions."""

from __future__ import annotations

from typing import Any

from tests.github import shapes
from tests.github.replies import REPO, Call, Page, Refusal, answers, missing
from tests.github.settings import EnvironmentSettings, Protection
from tests.github.state import State

BRANCH = f"{REPO}/branches/{{branch}}"
ENVIRONMENT = f"{REPO}/environments/{{environment_name}}"
ACTIONS = f"{REPO}/actions"


def _branch(state: State, call: Call) -> tuple[str, str, Protection | None]:
    name = call.arguments["branch"]
    sha = state.known_refs.get(f"refs/heads/{name}")
    if sha is None:
        raise Refusal(404, "Branch not found")
    return name, sha, state.protections.get(name)


def _checks(state: State, name: str, protection: Protection) -> dict[str, Any]:
    at = f"{state.api}/branches/{name}/protection/required_status_checks"
    return {
        "url": at, "strict": protection.strict, "contexts": list(protection.checks), "contexts_url": f"{at}/contexts",
        "checks": [{"context": check, "app_id": None} for check in protection.checks],
    }  # fmt: skip


def _short(state: State, name: str, protection: Protection | None) -> dict[str, Any]:
    """What everybody who reads the repository is told of a branch's protection."""
    classic = protection is not None and not protection.ruleset
    checks = protection.checks if protection is not None and classic else ()
    return {
        "enabled": classic,
        "required_status_checks": {"enforcement_level": "non_admins" if checks else "off", "contexts": list(checks),
                                   "checks": [{"context": check, "app_id": None} for check in checks]},
    }  # fmt: skip


@answers("GET", BRANCH, "contents:read")
def get_branch(state: State, call: Call) -> Any:
    name, sha, protection = _branch(state, call)
    at = f"{state.api}/branches/{name}"
    return {
        "name": name, "commit": shapes.commit(state, sha), "protected": protection is not None,
        "protection": _short(state, name, protection), "protection_url": f"{at}/protection",
        "_links": {"self": at, "html": f"{state.url}/{state.repository}/tree/{name}"},
    }  # fmt: skip


@answers("GET", f"{REPO}/branches", "contents:read")
def list_branches(state: State, call: Call) -> Any:
    asked = call.query.get("protected")
    rows = [
        {"name": ref.removeprefix("refs/heads/"), "commit": {"sha": sha, "url": f"{state.api}/commits/{sha}"},
         "protected": ref.removeprefix("refs/heads/") in state.protections}
        for ref, sha in sorted(state.known_refs.items()) if ref.startswith("refs/heads/")
    ]  # fmt: skip
    return Page(rows=[row for row in rows if asked in (None, str(row["protected"]).lower())])


@answers("GET", f"{BRANCH}/protection", "administration:read")
def get_protection(state: State, call: Call) -> Any:
    name, _, protection = _branch(state, call)
    if protection is None or protection.ruleset:
        raise Refusal(404, "Branch not protected")
    at = f"{state.api}/branches/{name}/protection"
    value: dict[str, Any] = {
        "url": at, "enforce_admins": {"url": f"{at}/enforce_admins", "enabled": not protection.bypass},
        "allow_force_pushes": {"enabled": False}, "allow_deletions": {"enabled": False},
    }  # fmt: skip
    if protection.pull_request:
        value["required_pull_request_reviews"] = {
            "url": f"{at}/required_pull_request_reviews", "dismiss_stale_reviews": protection.dismiss_stale,
            "require_code_owner_reviews": protection.code_owners,
            "required_approving_review_count": protection.reviews,
            "require_last_push_approval": protection.last_push_approval,
        }  # fmt: skip
    if protection.checks:
        value["required_status_checks"] = _checks(state, name, protection)
    return value


@answers("GET", f"{REPO}/rules/branches/{{branch}}", "metadata:read")
def rules_of_branch(state: State, call: Call) -> Any:
    """Rules of rulesets alone: classic protection is not among them."""
    protection = state.protections.get(call.arguments["branch"])
    if protection is None or not protection.ruleset:
        return Page(rows=[])
    source = {"ruleset_source_type": "Repository", "ruleset_source": state.repository, "ruleset_id": 1}
    rows: list[dict[str, Any]] = [{"type": "deletion", **source}, {"type": "non_fast_forward", **source}]
    if protection.pull_request:
        rows.append({"type": "pull_request", **source, "parameters": {
            "dismiss_stale_reviews_on_push": protection.dismiss_stale,
            "require_code_owner_review": protection.code_owners,
            "require_last_push_approval": protection.last_push_approval,
            "required_approving_review_count": protection.reviews,
            "required_review_thread_resolution": False}})  # fmt: skip
    if protection.checks:
        rows.append({"type": "required_status_checks", **source, "parameters": {
            "required_status_checks": [{"context": check} for check in protection.checks],
            "strict_required_status_checks_policy": protection.strict}})  # fmt: skip
    return Page(rows=rows)


def _secret(name: str) -> dict[str, str]:
    return {"name": name, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}


def _variable(item: tuple[str, str]) -> dict[str, str]:
    return _secret(item[0]) | {"value": item[1]}


@answers("GET", f"{ACTIONS}/secrets", "secrets:read")
def secrets(state: State, _: Call) -> Any:
    return Page(rows=state.settings.secrets, under="secrets", shape=_secret)


@answers("GET", f"{ACTIONS}/organization-secrets", "secrets:read")
def organisation_secrets(state: State, _: Call) -> Any:
    return Page(rows=state.settings.organization_secrets, under="secrets", shape=_secret)


@answers("GET", f"{ACTIONS}/variables", "variables:read")
def variables(state: State, _: Call) -> Any:
    return Page(rows=list(state.settings.variables.items()), under="variables", shape=_variable)


@answers("GET", f"{ACTIONS}/organization-variables", "variables:read")
def organisation_variables(state: State, _: Call) -> Any:
    return Page(rows=list(state.settings.organization_variables.items()), under="variables", shape=_variable)


@answers("GET", f"{REPO}/environments", "actions:read")
def environments(state: State, _: Call) -> Any:
    rows = list(state.settings.environments.items())
    return Page(rows=rows, under="environments", shape=lambda item: _environment(state, *item))


def _environment(state: State, name: str, one: EnvironmentSettings) -> dict[str, Any]:
    reviewers = [{"type": "User", "reviewer": shapes.user(state, login)} for login in one.reviewers]
    rules: list[dict[str, Any]] = []
    if reviewers:
        rules.append({"id": 1, "node_id": "GA_1", "type": "required_reviewers", "prevent_self_review": True,
                      "reviewers": reviewers})  # fmt: skip
    policy = {"protected_branches": True, "custom_branch_policies": False} if one.protected_branches else None
    if policy:
        rules.append({"id": 2, "node_id": "GA_2", "type": "branch_policy"})
    at = f"{state.api}/environments/{name}"
    return {"id": 900 + len(name), "node_id": f"EN_{name}", "name": name, "url": at, "html_url": at,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "protection_rules": rules,
            "deployment_branch_policy": policy}  # fmt: skip


def _wanted(state: State, call: Call) -> EnvironmentSettings:
    found = state.settings.environments.get(call.arguments["environment_name"])
    if found is None:
        raise missing()
    return found


@answers("GET", ENVIRONMENT, "actions:read")
def get_environment(state: State, call: Call) -> Any:
    return _environment(state, call.arguments["environment_name"], _wanted(state, call))


@answers("GET", f"{ENVIRONMENT}/secrets", "environments:read")
def environment_secrets(state: State, call: Call) -> Any:
    return Page(rows=_wanted(state, call).secrets, under="secrets", shape=_secret)


@answers("GET", f"{ENVIRONMENT}/variables", "environments:read")
def environment_variables(state: State, call: Call) -> Any:
    return Page(rows=list(_wanted(state, call).variables.items()), under="variables", shape=_variable)


@answers("GET", f"{ACTIONS}/permissions", "administration:read")
def actions_permissions(state: State, _: Call) -> Any:
    settings = state.settings
    return {"enabled": settings.actions_enabled, "allowed_actions": settings.allowed_actions,
            "sha_pinning_required": settings.sha_pinning_required}  # fmt: skip


@answers("GET", f"{ACTIONS}/permissions/workflow", "administration:read")
def workflow_permissions(state: State, _: Call) -> Any:
    settings = state.settings
    return {"default_workflow_permissions": settings.default_workflow_permissions,
            "can_approve_pull_request_reviews": settings.actions_may_open_pull_requests}  # fmt: skip


@answers("GET", "/orgs/{org}/actions/permissions/workflow", "administration:read")
def organisation_workflow_permissions(state: State, call: Call) -> Any:
    return workflow_permissions(state, call)


@answers("GET", f"{ACTIONS}/permissions/fork-pr-contributor-approval", "administration:read")
def fork_approval(state: State, _: Call) -> Any:
    return {"approval_policy": state.settings.fork_approval}


@answers("GET", f"{ACTIONS}/oidc/customization/sub", "actions:read")
def oidc_subject(state: State, _: Call) -> Any:
    settings = state.settings
    claims = {"include_claim_keys": list(settings.oidc_claims)} if settings.oidc_claims else {}
    return {"use_default": settings.oidc_use_default, **claims}


@answers("GET", "/orgs/{org}/actions/oidc/customization/sub", "administration:read")
def organisation_oidc_subject(state: State, _: Call) -> Any:
    return {"include_claim_keys": list(state.settings.oidc_claims) or ["repo", "context"]}


@answers("GET", f"{REPO}/codeowners/errors", "contents:read")
def codeowners_errors(state: State, _: Call) -> Any:
    return {"errors": state.settings.codeowners_errors}
