"""Reads a repository's settings on GitHub for `doctor`, with whatever rights the token has.

Most settings are for administrators. What the token may not see is told as unseen, with what it would need: GitHub
answers "not found" there as if there were no such thing, so nothing follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.adapters.rest_api import path
from mlops_ci.core.forge_settings import BranchRules, EnvironmentRules, ForgeSettings, OwnersFault, Unseen
from mlops_ci.errors import ConfigurationError, OutsideError

Seen = TypeVar("Seen")
_REVIEWERS, _BRANCHES = "required_reviewers", "branch_policy"


class GitHubSettings:
    """Looks at one setting after the other, and keeps in mind what it was not let to see."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api
        self._unseen: list[Unseen] = []

    def read(self, *, teams: Sequence[str] = ()) -> ForgeSettings:
        """Raises ConfigurationError, or OutsideError, where not even the repository itself can be seen."""
        main = self._api.default_branch
        actions = self._look("Actions: whether they are allowed", "administration: read", self._allowed)
        defaults = self._look("Actions: what jobs may by default", "administration: read", self._defaults)
        members = {
            team: self._look(f"the members of {team}", "members: read", partial(self._members, team)) for team in teams
        }
        return ForgeSettings(
            repository=self._api.repository,
            main=main,
            branch=self._look(f"the protection of {main}", "contents: read", lambda: self._branch(main)),
            secrets=self._look("the names of secrets", "secrets: read", self._secrets),
            variables=self._look("variables", "variables: read", self._variables),
            environments=self._look("environments", "actions: read", self._environments),
            default_permissions=None if defaults is None else defaults[0],
            actions_propose=None if defaults is None else defaults[1],
            allowed_actions=actions,
            subject=self._look("the OIDC subject", "actions: read", self._subject),
            owners_faults=self._look("errors in CODEOWNERS", "contents: read", self._owners_faults),
            teams={team: found for team, found in members.items() if found is not None},
            unseen=tuple(self._unseen),
        )

    def _look(self, what: str, needs: str, read: Callable[[], Seen]) -> Seen | None:
        """What `read` finds; None, and a word about it, where GitHub does not show it."""
        try:
            return read()
        except ConfigurationError as error:
            self._unseen.append(Unseen(what=what, why=f"{error.what} (it takes `{needs}`)"))
        except OutsideError as error:
            self._unseen.append(Unseen(what=what, why=error.what))
        return None

    def _at(self, pattern: str, *parts: object) -> str:
        return self._api.in_repository(pattern, *parts)

    def _branch(self, main: str) -> BranchRules:
        """By rulesets, which whoever reads the repository may read, and by the branch's own protection."""
        node = self._api.ask("GET", self._at("branches/{}", main))
        checks = _contexts(node)
        rules = {rule.text("type"): rule for rule in self._api.pages(self._at("rules/branches/{}", main))}
        asked = rules.get("pull_request")
        owners = asked.at("parameters").flag("require_code_owner_review") if asked and asked.has("parameters") else None
        if "required_status_checks" in rules:
            named = rules["required_status_checks"].items("parameters", "required_status_checks")
            checks += [check.text("context") for check in named]
        if asked is not None or not node.flag("protected"):
            protected = bool(rules) or node.flag("protected")
            pull_request = asked is not None if protected else None
            return BranchRules(
                protected=protected, pull_request=pull_request, code_owners=owners, checks=tuple(dict.fromkeys(checks))
            )
        classic = self._look(
            f"whether {main} demands pull requests", "administration: read", lambda: self._classic(main)
        )
        pull_request, owners = classic or (None, None)
        if classic is not None and not classic[0] and rules:
            pull_request = False
        return BranchRules(
            protected=True, pull_request=pull_request, code_owners=owners, checks=tuple(dict.fromkeys(checks))
        )

    def _classic(self, main: str) -> tuple[bool, bool]:
        """Whether the branch's own protection demands pull requests, and the owners' reviews."""
        node = self._api.ask("GET", self._at("branches/{}/protection", main), allow=(404,))
        if node.status == 404:
            if "not protected" in node.said.lower():
                return False, False
            raise ConfigurationError(f"GitHub does not show it: {node.said}")
        if not node.has("required_pull_request_reviews"):
            return False, False
        return True, node.at("required_pull_request_reviews").flag("require_code_owner_reviews")

    def _secrets(self) -> frozenset[str]:
        """Those of the repository, and of its organisation as far as the repository gets them."""
        own = self._api.pages(self._at("actions/secrets"), key="secrets")
        shared = self._api.pages(self._at("actions/organization-secrets"), key="secrets")
        return frozenset(one.text("name").upper() for one in (*own, *shared))

    def _variables(self) -> Mapping[str, str]:
        """Likewise; one's own come before the organisation's."""
        found: dict[str, str] = {}
        for place in ("actions/organization-variables", "actions/variables"):
            rows = self._api.pages(self._at(place), key="variables")
            found |= {one.text("name").upper(): one.text("value") for one in rows}
        return found

    def _environments(self) -> Mapping[str, EnvironmentRules]:
        return {
            one.text("name"): _environment(one) for one in self._api.pages(self._at("environments"), key="environments")
        }

    def _allowed(self) -> str:
        node = self._api.ask("GET", self._at("actions/permissions"))
        return (node.optional_text("allowed_actions") or "all") if node.flag("enabled") else "none"

    def _defaults(self) -> tuple[str, bool]:
        node = self._api.ask("GET", self._at("actions/permissions/workflow"))
        return node.text("default_workflow_permissions"), node.flag("can_approve_pull_request_reviews")

    def _subject(self) -> tuple[str, ...]:
        """The claims; empty for GitHub's own choice."""
        node = self._api.ask("GET", self._at("actions/oidc/customization/sub"))
        claims = node.value.get("include_claim_keys")
        return () if node.flag("use_default") or not isinstance(claims, list) else tuple(map(str, claims))

    def _owners_faults(self) -> tuple[OwnersFault, ...]:
        node = self._api.ask("GET", self._at("codeowners/errors"), allow=(404,))
        if node.status == 404:  # so GitHub says that there is no CODEOWNERS file
            return ()
        return tuple(
            OwnersFault(path=one.text("path"), line=one.number("line"), message=one.text("kind"))
            for one in node.items("errors")
        )

    def _members(self, team: str) -> frozenset[str]:
        organisation, _, slug = team.removeprefix("@").partition("/")
        return frozenset(
            one.text("login") for one in self._api.pages(path("/orgs/{}/teams/{}/members", organisation, slug))
        )


def _contexts(branch: Node) -> list[str]:
    """The checks that the branch's own protection demands, which whoever reads the repository is told."""
    if not branch.has("protection", "required_status_checks", "contexts"):
        return []
    values = branch.at("protection", "required_status_checks").value["contexts"]
    return [str(value) for value in values] if isinstance(values, list) else []


def _environment(node: Node) -> EnvironmentRules:
    kinds = [rule.text("type") for rule in node.items("protection_rules")] if node.has("protection_rules") else []
    return EnvironmentRules(reviewers=_REVIEWERS in kinds, branches=_BRANCHES in kinds)
