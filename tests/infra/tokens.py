"""Tokens as GitHub signs them for jobs: those of the workflows' own jobs, and those of whoever tries to get a role."""

# ruff: noqa: E501 - a table: one row a line

from __future__ import annotations

from typing import Any

TAG, COMMIT = "refs/tags/v1.2.0", "9fceb02d0ae598e95dc970b74767f19372d61af8"
TOOLKIT = "mlops-ci/mlops-ci/.github/workflows/model-{}.yml"
READ, ADMIT, RELEASE, QA, PRODUCTION = "read", "admit", "release", "environment-qa", "environment-production"
ROLES = {READ, ADMIT, RELEASE, QA, PRODUCTION}


def token(
    workflow: str = "promote",
    *,
    environment: str | None = None,
    ref: str = "refs/heads/main",
    event: str = "push",
    repository: str = "acme/flight-delay",
    repository_id: str = "456789",
    owner_id: str = "123456",
    toolkit: str = TOOLKIT,
    at: str = TAG,
    immutable: bool = False,
    **claims: str | None,
) -> dict[str, str]:
    """The claims that GitHub signs for a job (docs.github.com, "OpenID Connect reference"); `claims` replaces some."""
    owner, name = repository.split("/")
    who = f"{owner}@{owner_id}/{name}@{repository_id}" if immutable else repository
    # GitHub writes the marks that part a subject as %3A where they are in an environment's name.
    context = f"environment:{environment.replace(':', '%3A')}" if environment else f"ref:{ref}"
    if event == "pull_request" and not environment:
        context = "pull_request"
    made: dict[str, str | None] = {
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "sts.amazonaws.com",
        "sub": f"repo:{who}:{context}",
        "repository": repository,
        "repository_id": repository_id,
        "repository_owner_id": owner_id,
        "ref": ref,
        "event_name": event,
        "job_workflow_ref": f"{toolkit.format(workflow)}@{at}",
        "workflow": "Promote",
        "actor": "somebody",
        "environment": environment,
        **claims,
    }
    return {claim: value for claim, value in made.items() if value is not None}


PULL: dict[str, Any] = {"event": "pull_request", "ref": "refs/pull/7/merge"}
BRANCH = "refs/heads/topic"
OWN = "acme/flight-delay/.github/workflows/model-{}.yml"

MEANT = {
    "train": (token("pull-request", **PULL), {READ}),
    "train, numbers in the subject": (token("pull-request", **PULL, immutable=True), {READ}),
    "train in the merge queue": (token("pull-request", ref="refs/heads/gh-readonly-queue/main/pr-7-abc", event="merge_group"), {READ}),
    "train for our own pull request": (token("pull-request", ref="refs/heads/mlops-ci/retrain/flight-delay", event="workflow_dispatch"), {READ}),
    "admit": (token("pull-request", **PULL, environment="mlops-ci-admit"), {ADMIT}),
    "admit for our own pull request": (token("pull-request", ref="refs/heads/mlops-ci/retrain/flight-delay", environment="mlops-ci-admit"), {ADMIT}),
    "release": (token("release"), {RELEASE}),
    "release, by a commit": (token("release", at=COMMIT), {RELEASE}),
    "release, numbers in the subject": (token("release", immutable=True), {RELEASE}),
    "retrain": (token("retrain", event="schedule"), {RELEASE}),
    "monitor": (token("monitor", event="schedule"), {RELEASE}),
    "score": (token("score", event="workflow_dispatch"), {RELEASE}),
    "promote to qa": (token("promote", environment="qa"), {QA}),
    "promote": (token("promote", environment="production", event="workflow_dispatch"), {PRODUCTION}),
    "promote, numbers in the subject": (token("promote", environment="production", immutable=True), {PRODUCTION}),
    "roll back": (token("rollback", environment="production", event="workflow_dispatch"), {PRODUCTION}),
}  # fmt: skip

HOSTILE = {
    # a pull request that names what it likes in its own workflow files
    "a pull request names production": token("promote", **PULL, environment="production"),
    "a pull request names production, in a workflow of its own": token("promote", **PULL, environment="production", toolkit=OWN, at="refs/pull/7/merge"),
    "a pull request's workflow of its own": token("pull-request", **PULL, toolkit=OWN, at="refs/pull/7/merge"),
    "a pull request's release": token("release", **PULL),
    "a pull request without a reusable workflow": token(**PULL, job_workflow_ref=None),
    "a pull request admits in a workflow of its own": token("pull-request", **PULL, environment="mlops-ci-admit", toolkit=OWN, at="refs/pull/7/merge"),
    "train under production": token("pull-request", **PULL, environment="production"),
    "promote under the environment of admit": token("promote", environment="mlops-ci-admit"),
    "release under production": token("release", environment="production"),
    # another branch
    "a branch promotes to production": token("promote", ref=BRANCH, environment="production"),
    "a branch rolls production back": token("rollback", ref=BRANCH, environment="production"),
    "a branch releases": token("release", ref=BRANCH),
    "a branch promotes to qa": token("promote", ref=BRANCH, environment="qa"),
    "a branch trains": token("pull-request", ref=BRANCH),
    "a branch called main-2": token("release", ref="refs/heads/main-2"),
    "a branch called x/main": token("release", ref="refs/heads/x/main"),
    "a branch called MAIN": token("release", ref="refs/heads/MAIN"),
    "a tag called main": token("release", ref="refs/tags/main"),
    "a tag promotes": token("promote", ref="refs/tags/v1", environment="production"),
    "a branch like the merge queue's": token("pull-request", ref="refs/heads/x/gh-readonly-queue/main/pr-7"),
    "the merge queue of another branch": token("pull-request", ref="refs/heads/gh-readonly-queue/other/pr-7"),
    "our own branch releases": token("release", ref="refs/heads/mlops-ci/retrain/flight-delay"),
    # another environment
    "an environment that nobody made": token("promote", environment="staging"),
    "production in capital letters": token("promote", environment="PRODUCTION"),
    "production and more": token("promote", environment="production-2"),
    "an environment with the claims in its name": token("promote", environment="production:ref:refs/heads/main"),
    "admit under a name that looks like it": token("pull-request", **PULL, environment="mlops-ci-admit2"),
    # another repository
    "a fork": token("pull-request", **PULL, repository="mallory/flight-delay", repository_id="999", owner_id="666"),
    "a fork's main branch": token("release", repository="mallory/flight-delay", repository_id="999", owner_id="666"),
    "another owner of the same name": token("promote", environment="production", repository="mallory/flight-delay", repository_id="999", owner_id="666"),
    "another repository of the owner": token("release", repository="acme/rain", repository_id="1000"),
    "a longer name": token("release", repository="acme/flight-delay-2", repository_id="1001"),
    "a shorter name": token("release", repository="acme/flight", repository_id="1002"),
    "a longer owner": token("release", repository="acme-inc/flight-delay", repository_id="1003", owner_id="667"),
    "capital letters": token("release", repository="Acme/Flight-Delay", repository_id="1004", owner_id="668"),
    "the name, made anew by somebody else": token("release", repository_id="7777777", owner_id="669"),
    "the name, made anew, for production": token("promote", environment="production", repository_id="7777777", owner_id="669"),
    "the name, made anew, numbers in the subject": token("release", repository_id="7777777", owner_id="669", immutable=True),
    "the name, made anew, for a pull request": token("pull-request", **PULL, repository_id="7777777", owner_id="669"),
    "the name, made anew, in the merge queue": token("pull-request", ref="refs/heads/gh-readonly-queue/main/pr-7", repository_id="7777777", owner_id="669"),
    "the name, made anew, for admit": token("pull-request", **PULL, environment="mlops-ci-admit", repository_id="7777777", owner_id="669"),
    "another repository, the subject forged by its customisation": token("release", repository="mallory/x", repository_id="999", sub="repo:acme/flight-delay:ref:refs/heads/main"),
    "renamed by its owner": token("release", repository="acme/flight-delays"),
    # another workflow
    "the toolkit's branch": token("release", at="refs/heads/main"),
    "a pull request of the toolkit": token("promote", environment="production", at="refs/pull/9/merge"),
    "a commit of a fork of the toolkit": token("promote", environment="production", at="0" * 40),
    "a commit of a fork of the toolkit, for admit": token("pull-request", **PULL, environment="mlops-ci-admit", at="0" * 40),
    "a commit of a fork of the toolkit, in the merge queue": token("pull-request", ref="refs/heads/gh-readonly-queue/main/pr-7", at="0" * 40),
    "another version": token("release", at="refs/tags/v1.1.0"),
    "a longer version": token("release", at="refs/tags/v1.2.0-mallory"),
    "a branch called like the version": token("release", at="refs/heads/v1.2.0"),
    "the tag without its kind": token("release", at="v1.2.0"),
    "a toolkit of another owner": token("release", toolkit="mallory/mlops-ci/.github/workflows/model-{}.yml"),
    "a toolkit of a longer name": token("release", toolkit="mlops-ci/mlops-ci-2/.github/workflows/model-{}.yml"),
    "a workflow file of another folder": token("release", toolkit="mlops-ci/mlops-ci/.github/workflows/x/model-{}.yml"),
    "a workflow of a longer name": token("release", toolkit="mlops-ci/mlops-ci/.github/workflows/model-{}.yml.yml"),
    "a workflow of the toolkit that does something else": token("report", ref="refs/heads/main"),
    "the toolkit's own tests": token(toolkit="mlops-ci/mlops-ci/.github/workflows/ci.yml"),
    "the repository's own workflow, on main": token("release", toolkit=OWN, at="refs/heads/main"),
    "no reusable workflow": token("promote", environment="production", job_workflow_ref=None),
    # the token itself
    "another audience": token("promote", environment="production", aud="api://AzureADTokenExchange"),
    "the audience that GitHub gives by default": token("release", aud="https://github.com/acme"),
    "another audience, for a pull request": token("pull-request", **PULL, aud="vault"),
    "another audience, in the merge queue": token("pull-request", ref="refs/heads/gh-readonly-queue/main/pr-7", aud="vault"),
    "another audience, for admit": token("pull-request", **PULL, environment="mlops-ci-admit", aud="vault"),
    "no audience": token("release", aud=None),
    "a subject that was customised": token("release", sub="repo:acme/flight-delay:job_workflow_ref:" + TOOLKIT.format("release") + "@" + TAG),
    "a subject of everything": token("release", sub="*"),
    "a subject with a wildcard": token("release", sub="repo:acme/flight-delay:*"),
    "no subject": token("release", sub=None),
    "an empty token": {},
    "a branch in the claim, another one in the subject": token("release", sub="repo:acme/flight-delay:ref:refs/heads/topic"),
    "main in the subject, another branch in the claim": token("release", sub="repo:acme/flight-delay:ref:refs/heads/main", ref=BRANCH),
    "no branch in the claims": token("promote", environment="production", ref=BRANCH) | {"ref": ""},
}  # fmt: skip
