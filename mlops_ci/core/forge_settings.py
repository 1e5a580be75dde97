"""What a forge's settings say of a repository, as far as somebody was let to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """What could not be looked at, which says nothing of how it is."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class BranchRules:
    """What a change of the branch has to have. `pull_request` and `code_owners` are None where that is not told."""

    protected: bool
    pull_request: bool | None = None
    code_owners: bool | None = None
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EnvironmentRules:
    """What holds up a job that names the environment: people who have to agree, branches that alone may."""

    reviewers: bool = False
    branches: bool = False


@dataclass(frozen=True, kw_only=True)
class OwnersFault:
    """A line of CODEOWNERS that the forge does not take."""

    path: str
    line: int
    message: str


@dataclass(frozen=True, kw_only=True)
class ForgeSettings:
    """Each is None where it could not be looked at, and `unseen` says why. Of secrets only the names are known.

    `allowed_actions` is all, selected, local_only, or none where there are no Actions at all. `subject` are the claims
    of a job's identity towards clouds where they are not the forge's own choice. `teams` are the members by team.
    """

    repository: str
    main: str
    branch: BranchRules | None = None
    secrets: frozenset[str] | None = None
    variables: Mapping[str, str] | None = None
    environments: Mapping[str, EnvironmentRules] | None = None
    default_permissions: str | None = None
    actions_propose: bool | None = None
    allowed_actions: str | None = None
    subject: tuple[str, ...] | None = None
    owners_faults: tuple[OwnersFault, ...] | None = None
    teams: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unseen: tuple[Unseen, ...] = ()
