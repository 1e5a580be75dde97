"""The repository's settings, which only its administrators see in full: what `mlops-ci doctor` looks at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Protection:
    """What a branch demands of a change: by a ruleset, which everybody may read, or by branch protection."""

    reviews: int = 0
    checks: tuple[str, ...] = ()
    code_owners: bool = False
    dismiss_stale: bool = False
    last_push_approval: bool = False
    pull_request: bool = True
    bypass: tuple[str, ...] = ()
    strict: bool = False
    ruleset: bool = False


@dataclass(kw_only=True)
class EnvironmentSettings:
    """A deployment environment; `reviewers` are names of people or teams who have to agree to a job."""

    reviewers: tuple[str, ...] = ()
    protected_branches: bool = False
    secrets: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Settings:
    """As GitHub makes a new repository, but that Actions may open pull requests: most tests want that."""

    secrets: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    organization_secrets: list[str] = field(default_factory=list)
    organization_variables: dict[str, str] = field(default_factory=dict)
    environments: dict[str, EnvironmentSettings] = field(default_factory=dict)
    default_workflow_permissions: str = "read"
    actions_may_open_pull_requests: bool = True
    actions_enabled: bool = True
    allowed_actions: str = "all"
    sha_pinning_required: bool = False
    oidc_use_default: bool = True
    oidc_claims: tuple[str, ...] = ()
    codeowners_errors: list[dict[str, object]] = field(default_factory=list)
    fork_approval: str = "first_time_contributors"
    teams_without_access: tuple[str, ...] = ()
    delete_branch_on_merge: bool = False
    merge_methods: tuple[str, ...] = ("merge", "squash", "rebase")
