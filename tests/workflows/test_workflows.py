"""Every workflow and action of ours keeps the rules; what each job may do is listed here, so that a change is seen."""

from __future__ import annotations

import re

import pytest

from mlops_ci.core.plan import matrix
from mlops_ci.pipeline.proposals import PROMOTIONS
from tests.workflows.documents import OWN, ROOT, Document, actions, grants, reusable_workflows, workflow
from tests.workflows.rules import EVERY_ACTION, EVERY_WORKFLOW, OF_A_WORKFLOW, OWN_PIPELINES

WORKFLOWS = {document.name: document for document in reusable_workflows()}
ACTIONS = {document.name: document for document in actions()}
DELIVERS = {
    "checks": "write", "contents": "write", "deployments": "write", "id-token": "write", "packages": "read",
    "pull-requests": "write",
}  # fmt: skip
PLANS = {"contents": "read"}
GRANTS = {
    "model-pull-request": {
        "plan": PLANS,
        "train": {"contents": "read", "id-token": "write"},
        "admit": {"contents": "read", "id-token": "write"},
        "gate": {},
    },
    "model-report": {"report": {"actions": "read", "checks": "write", "pull-requests": "write"}},
    "model-release": {"plan": PLANS, "release": DELIVERS | {"packages": "write"}},
    "model-promote": {
        "request": {"actions": "write", "pull-requests": "read"},
        "promote": DELIVERS,
        "plan": PLANS,
        "reconcile": DELIVERS,
    },
    "model-rollback": {"rollback": DELIVERS},
    "model-monitor": {"plan": PLANS, "monitor": {"contents": "read", "id-token": "write", "issues": "write"}},
    "model-retrain": {
        "plan": PLANS,
        "retrain": {"actions": "write", "contents": "write", "id-token": "write", "pull-requests": "write"},
    },
    "model-score": {"score": {"contents": "read", "id-token": "write"}},
    "template-update": {"update": {"actions": "write", "contents": "write", "pull-requests": "write"}},
}
VERBS = {
    "setup", "plan", "check", "train", "evaluate", "report", "build-image", "release", "promote", "rollback", "monitor",
    "retrain", "score", "verify",
}  # fmt: skip


def test_no_job_may_do_more_than_is_listed_here() -> None:
    found = {name: {job: grants(said) for job, said in document.jobs.items()} for name, document in WORKFLOWS.items()}
    assert found == GRANTS


@pytest.mark.parametrize("name", GRANTS)
def test_a_workflow_keeps_the_rules(name: str) -> None:
    rules = (*EVERY_WORKFLOW, *OF_A_WORKFLOW[name])
    assert {rule.__name__: rule(WORKFLOWS[name]) for rule in rules} == {rule.__name__: [] for rule in rules}


@pytest.mark.parametrize("name", ["ci", "release"])
def test_our_own_pipelines_keep_them_too(name: str) -> None:
    assert {rule.__name__: rule(workflow(name)) for rule in OWN_PIPELINES} == {
        rule.__name__: [] for rule in OWN_PIPELINES
    }


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_keeps_the_rules(name: str) -> None:
    assert {rule.__name__: rule(ACTIONS[name]) for rule in EVERY_ACTION} == {rule.__name__: [] for rule in EVERY_ACTION}


def test_there_is_an_action_for_every_verb() -> None:
    assert set(ACTIONS) >= VERBS


def test_all_that_names_our_actions_names_one_ref() -> None:
    """In the tree that is the moving tag; a release rewrites all of them to its own."""
    documents = [*WORKFLOWS.values(), *ACTIONS.values()]
    refs = {ref for document in documents for ref in re.findall(rf"{OWN}\S+?@([\w.-]+)", document.text)}
    assert len(refs) == 1


def test_what_our_actions_are_used_for_exists() -> None:
    named = {path for document in WORKFLOWS.values() for path in re.findall(rf"{OWN}(\S+?)@", document.text)}
    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_a_group_holds_one_thing_to_do_since_github_drops_what_waits_for_the_next() -> None:
    groups = {
        (name, job): said["concurrency"]["group"]
        for name, document in WORKFLOWS.items()
        for job, said in document.jobs.items()
        if grants(said).get("deployments") == "write"
    }
    named = "mlops-ci-{}-${{{{ inputs.directory }}}}-{}".format
    asked = "${{ inputs.model }}-${{ inputs.environment }}"
    planned = "${{ matrix.model }}-${{ matrix.environment }}"
    assert groups == {
        ("model-release", "release"): named("release", "${{ matrix.name }}"),
        ("model-promote", "promote"): named("promote", asked),
        ("model-promote", "reconcile"): named("reconcile", planned),
        # It waits for no delivery: it ends what is under way.
        ("model-rollback", "rollback"): named("rollback", asked),
    }


def test_only_reviews_of_promotions_cost_a_job() -> None:
    asked = WORKFLOWS["model-promote"].jobs["request"]["if"]
    assert f"startsWith(github.event.pull_request.head.ref, '{PROMOTIONS}')" in asked
    assert "github.event.review.state == 'approved'" in asked


def test_the_jobs_of_a_plan_can_name_artifacts() -> None:
    jobs = matrix([f"model-{number}" for number in range(10_000)])["include"]
    assert len(jobs) == 256
    assert [job["name"] for job in jobs if not re.fullmatch(r"[a-z0-9 -]+", job["name"])] == []


def test_a_pull_requests_older_run_is_cancelled() -> None:
    assert WORKFLOWS["model-pull-request"].value["concurrency"] == {
        "group": "mlops-ci-pull-request-${{ inputs.directory }}-${{ github.ref }}",
        "cancel-in-progress": "true",
    }
    assert {name for name, document in WORKFLOWS.items() if "concurrency" in document.value} == {"model-pull-request"}


def test_the_python_version_stays_text() -> None:
    """Unquoted, 3.10 would be 3.1."""
    for document in (*WORKFLOWS.values(), *ACTIONS.values()):
        for version in re.findall(r"python-version:\n(?:.*\n){1,3}?\s*default: (.*)", document.text):
            assert re.fullmatch(r'"3\.\d+"', version), document.name


def test_the_readme_lists_every_action() -> None:
    text = (ROOT / "actions/README.md").read_text()
    assert [name for name in ACTIONS if f"`{name}`" not in text] == []


def test_documents_read_booleans_and_events_as_they_are_written() -> None:
    assert Document(name="x", text="on: push\na: true\n").value == {"on": "push", "a": "true"}
