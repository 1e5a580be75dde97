"""What the settings on GitHub give rise to; a setting that was not seen gives rise to nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlops_ci.core.forge_settings import BranchRules, EnvironmentRules, ForgeSettings, OwnersFault
from mlops_ci.pipeline.doctor_forge import Needs, forge_findings
from mlops_ci.pipeline.doctor_workflows import Wiring

WIRING = Wiring(
    called=frozenset({"model-pull-request", "model-release", "model-promote", "template-update"}),
    gates=("model / gate",),
    keys={"app-private-key": "${{ secrets.MLOPS_APP_PRIVATE_KEY }}"},
    pushes={"release.yml": ("main",)},
)
NEEDS = Needs(wiring=WIRING, people=True, gate="model / gate", teams=("@acme/owners",))
RULES = BranchRules(protected=True, pull_request=True, code_owners=True, checks=("model / gate", "lint"))
VARIABLES = {
    "MLOPS_STORE": "s3://acme/store",
    "MLOPS_AWS_ROLE": "arn:w",
    "MLOPS_AWS_READ_ROLE": "arn:r",
    "MLOPS_APP_ID": "1",
}
GOOD = ForgeSettings(
    repository="acme/late", main="main", branch=RULES, secrets=frozenset({"MLOPS_APP_PRIVATE_KEY"}),
    variables=VARIABLES,
    environments={"mlops-ci-admit": EnvironmentRules(), "production": EnvironmentRules(reviewers=True)},
    default_permissions="read", actions_propose=False, allowed_actions="all", subject=(), owners_faults=(),
    teams={"@acme/owners": frozenset({"ada"})},
)  # fmt: skip


def without(*names: str, **others: str) -> dict[str, str]:
    return {name: value for name, value in (VARIABLES | others).items() if name not in names}


def test_what_is_as_it_should_be_gives_rise_to_nothing() -> None:
    assert list(forge_findings(GOOD, NEEDS)) == []


def test_what_was_not_seen_gives_rise_to_nothing() -> None:
    assert list(forge_findings(ForgeSettings(repository="acme/late", main="main"), NEEDS)) == []


@pytest.mark.parametrize(
    ("change", "level", "where", "what"),
    [
        ({"branch": BranchRules(protected=False)}, "error", "main", "the branch is not protected"),
        ({"branch": replace(RULES, pull_request=False)}, "warning", "main", "pushed to without a pull request"),
        ({"branch": replace(RULES, code_owners=False)}, "note", "main", "does not ask the owners"),
        ({"branch": replace(RULES, checks=("lint",))}, "warning", "main", "merged before its models are judged"),
        ({"branch": replace(RULES, checks=("gate",))}, "error", "main", "no workflow ever reports a check 'gate'"),
        ({"main": "trunk"}, "error", "release.yml", "it releases from main, and the default branch is trunk"),
        ({"variables": without("MLOPS_STORE")}, "error", "variable MLOPS_STORE", "each run forgets"),
        ({"variables": without(MLOPS_STORE="store")}, "warning", "variable MLOPS_STORE", "store is a folder"),
        (
            {"variables": without("MLOPS_AWS_ROLE")},
            "warning",
            "variable MLOPS_AWS_ROLE",
            "nothing says who the jobs are",
        ),
        (
            {"variables": without("MLOPS_AWS_READ_ROLE")},
            "warning",
            "variable MLOPS_AWS_READ_ROLE",
            "without the champion",
        ),
        (
            {"variables": without(MLOPS_AWS_READ_ROLE="arn:w")},
            "error",
            "variable MLOPS_AWS_READ_ROLE",
            "can write the store",
        ),
        ({"variables": without("MLOPS_APP_ID")}, "error", "Actions", "may not open pull requests"),
        ({"variables": without("MLOPS_APP_ID")}, "error", "@acme/owners", "cannot read who is in a team"),
        ({"variables": without("MLOPS_APP_ID")}, "warning", "template-update", "may not change workflows"),
        (
            {"variables": without("MLOPS_APP_ID", MLOPS_GATE="x")},
            "error",
            "variable MLOPS_GATE",
            "main requires 'model / gate'",
        ),
        (
            {"variables": without("MLOPS_APP_ID"), "actions_propose": True},
            "note",
            "variable MLOPS_APP_ID",
            "start no workflow",
        ),
        ({"secrets": frozenset()}, "error", "secret MLOPS_APP_PRIVATE_KEY", "its private key is not there"),
        ({"default_permissions": "write"}, "warning", "Actions", "says nothing of permissions"),
        ({"allowed_actions": "none"}, "error", "Actions", "switched off"),
        ({"allowed_actions": "selected"}, "warning", "Actions", "only some actions"),
        ({"subject": ("actor",)}, "error", "OIDC subject", "actor does not tell this repository from others"),
        ({"subject": ("repo", "actor")}, "note", "OIDC subject", "which is not GitHub's own choice"),
        (
            {"environments": {"mlops-ci-admit": EnvironmentRules(reviewers=True)}},
            "warning",
            "environment mlops-ci-admit",
            "agree to each run",
        ),
        (
            {"environments": {"mlops-ci-admit": EnvironmentRules(branches=True)}},
            "warning",
            "environment mlops-ci-admit",
            "only some branches",
        ),
        (
            {"owners_faults": (OwnersFault(path="CODEOWNERS", line=3, message="Unknown owner"),)},
            "warning",
            "CODEOWNERS:3",
            "Unknown owner",
        ),
        ({"teams": {"@acme/owners": frozenset()}}, "error", "@acme/owners", "nobody can approve"),
    ],
)
def test_each_setting_that_is_wrong_is_named(change: dict[str, Any], level: str, where: str, what: str) -> None:
    findings = list(forge_findings(replace(GOOD, **change), NEEDS))
    assert [(one.level, one.where) for one in findings if what in one.what] == [(level, where)], findings
    assert all(one.fix for one in findings)


def test_an_unprotected_branch_weighs_less_where_nobody_has_to_agree() -> None:
    findings = forge_findings(replace(GOOD, branch=BranchRules(protected=False)), replace(NEEDS, people=False))
    assert [one.level for one in findings] == ["warning"]


def test_secrets_that_workflows_ask_for_have_to_be_there() -> None:
    wiring = replace(WIRING, secrets=frozenset({"SLACK_URL", "MLOPS_APP_PRIVATE_KEY"}))
    findings = forge_findings(GOOD, replace(NEEDS, wiring=wiring))
    assert [(one.level, one.where, one.fix) for one in findings] == [
        ("warning", "secret SLACK_URL", "gh secret set SLACK_URL")
    ]


def test_inputs_may_say_what_variables_do_not() -> None:
    wiring = replace(WIRING, inputs=frozenset({"store", "app-id"}))
    settings = replace(GOOD, variables={}, actions_propose=False)
    assert list(forge_findings(settings, replace(NEEDS, wiring=wiring))) == []


def test_a_repository_that_calls_nothing_of_ours_needs_no_variables() -> None:
    settings = replace(GOOD, variables={}, branch=replace(RULES, checks=()))
    assert list(forge_findings(settings, replace(NEEDS, wiring=Wiring(), teams=()))) == []
