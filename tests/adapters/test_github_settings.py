"""Settings are read with whatever rights there are, and what is not shown is never taken for healthy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.github_settings import GitHubSettings
from mlops_ci.core.forge_settings import BranchRules, EnvironmentRules, ForgeSettings, OwnersFault
from mlops_ci.errors import ConfigurationError, OutsideError
from tests.adapters.github_team import Patient
from tests.github.accounts import APP_ONLY, JOB
from tests.github.hub import Hub
from tests.github.serving import serving
from tests.github.settings import EnvironmentSettings
from tests.github.world import Checkout, team


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, Checkout]:
    return team(tmp_path)


@pytest.fixture
def hub(repository: tuple[Path, Checkout]) -> Iterator[Hub]:
    with serving(repository[0]) as hub:
        yield hub


def read(hub: Hub, token: str, *teams: str) -> ForgeSettings:
    api = GitHubApi(token=token, repository=hub.repository, api_url=hub.url, server_url=hub.url, clock=Patient())
    return GitHubSettings(api).read(teams=teams)


def test_an_administrator_sees_everything(hub: Hub) -> None:
    hub.settings.secrets = [f"SECRET_{number}" for number in range(130)]
    hub.settings.organization_secrets = ["SHARED"]
    hub.settings.variables = {"MLOPS_STORE": "s3://own"}
    hub.settings.organization_variables = {"MLOPS_STORE": "s3://shared", "MLOPS_APP_ID": "7"}
    hub.settings.environments = {
        "production": EnvironmentSettings(reviewers=("olga",)), "qa": EnvironmentSettings(protected_branches=True),
    }  # fmt: skip
    hub.settings.oidc_use_default, hub.settings.oidc_claims = False, ("repo", "context")
    hub.settings.codeowners_errors = [{
        "line": 3, "column": 1, "kind": "Unknown owner", "message": "Unknown owner on line 3", "path": "CODEOWNERS",
        "source": "* @nobody", "suggestion": "make sure @nobody exists",
    }]  # fmt: skip
    hub.team("owners", ["alice", "bob"])
    hub.team("empty", [])
    hub.protect("main", reviews=1, checks=("models / gate",), code_owners=True)
    seen = read(hub, hub.person_token("olga"), "@acme/owners", "@acme/empty")
    assert seen.unseen == ()
    assert seen.branch == BranchRules(protected=True, pull_request=True, code_owners=True, checks=("models / gate",))
    assert seen.secrets is not None
    assert (len(seen.secrets), "SHARED" in seen.secrets) == (131, True)
    assert seen.variables == {"MLOPS_STORE": "s3://own", "MLOPS_APP_ID": "7"}
    assert seen.environments == {"production": EnvironmentRules(reviewers=True), "qa": EnvironmentRules(branches=True)}
    assert (seen.default_permissions, seen.actions_propose, seen.allowed_actions) == ("read", True, "all")
    assert seen.subject == ("repo", "context")
    assert seen.owners_faults == (OwnersFault(path="CODEOWNERS", line=3, message="Unknown owner"),)
    assert seen.teams == {"@acme/owners": {"alice", "bob"}, "@acme/empty": frozenset()}


def test_a_job_sees_little_and_says_so(hub: Hub) -> None:
    hub.protect("main", reviews=1, checks=("gate",))
    seen = read(hub, hub.token, "@acme/owners")
    assert seen.branch == BranchRules(protected=True, pull_request=None, code_owners=None, checks=("gate",))
    assert (seen.secrets, seen.variables, seen.default_permissions, seen.allowed_actions) == (None, None, None, None)
    assert seen.teams == {}
    missing = {one.what: one.why for one in seen.unseen}
    assert set(missing) == {
        "Actions: whether they are allowed", "Actions: what jobs may by default", "the members of @acme/owners",
        "whether main demands pull requests", "the names of secrets", "variables",
    }  # fmt: skip
    assert missing["the names of secrets"].endswith("Resource not accessible by integration (it takes `secrets: read`)")
    assert hub.token not in str(seen)


def test_not_found_for_want_of_rights_is_not_unprotected(hub: Hub) -> None:
    hub.protect("main")
    seen = read(hub, hub.person_token("dana"))
    assert seen.branch is not None
    assert seen.branch.pull_request is None
    assert "whether main demands pull requests" in {one.what for one in seen.unseen}


def test_rulesets_are_read_by_whoever_reads_the_repository(hub: Hub) -> None:
    hub.protect("main", reviews=1, checks=("models / gate", "lint"), code_owners=True, ruleset=True)
    seen = read(hub, hub.read_token)
    assert seen.branch == BranchRules(
        protected=True, pull_request=True, code_owners=True, checks=("models / gate", "lint")
    )
    hub.protect("main", pull_request=False, ruleset=True)
    seen = read(hub, hub.person_token("olga"))
    assert seen.branch == BranchRules(protected=True, pull_request=False, code_owners=False)


def test_a_branch_that_nobody_protects(hub: Hub) -> None:
    assert read(hub, hub.read_token).branch == BranchRules(protected=False)


def test_switched_off_actions(hub: Hub) -> None:
    hub.settings.actions_enabled = False
    assert read(hub, hub.person_token("olga")).allowed_actions == "none"


def test_a_setting_that_github_fails_to_give_is_unseen(hub: Hub) -> None:
    hub.fail_next(500, times=50, match="actions/variables")
    seen = read(hub, hub.person_token("olga"))
    assert seen.variables is None
    assert [one.what for one in seen.unseen] == ["variables"]
    assert "does not answer" in seen.unseen[0].why


def test_a_page_that_is_not_githubs_is_unseen(hub: Hub) -> None:
    hub.fail_next(
        200, times=50, match="environments", body="<html>sign in</html>", headers={"Content-Type": "text/html"}
    )
    hub.fail_next(200, times=50, match="actions/secrets", body='{"secrets": 7}')
    seen = read(hub, hub.person_token("olga"))
    assert (seen.environments, seen.secrets) == (None, None)
    assert {one.what for one in seen.unseen} == {"environments", "the names of secrets"}


def test_where_the_repository_itself_is_hidden_there_is_nothing_to_read(hub: Hub) -> None:
    with pytest.raises(ConfigurationError, match="Bad credentials"):
        read(hub, "ghp_of_somebody_else")
    hub.drop(times=50)
    with pytest.raises(OutsideError):
        read(hub, hub.token)


def test_each_right_that_is_missing_costs_only_what_it_is_for(hub: Hub) -> None:
    hub.team("owners", ["alice"])
    for missing in (*JOB, *APP_ONLY):
        rights = dict.fromkeys({*JOB, *APP_ONLY} - {missing}, "read")
        seen = read(hub, hub.new_token("acme-mlops[bot]", **rights), "@acme/owners")
        needed = {one.why.rpartition("`")[0].rpartition("`")[2] for one in seen.unseen}
        assert needed <= {f"{missing}: read"}
