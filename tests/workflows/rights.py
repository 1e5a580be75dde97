"""Who may do what: no code that nobody has reviewed runs where something could be written, or a secret be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.workflows.documents import Document, grants, own_action, strings

READ_ONLY = {"contents": "read", "id-token": "write"}
"""What a job may be granted that runs a pull request's code; the identity is for the role that may only read."""
WITHOUT_CODE = frozenset({"admit", "identity", "plan", "publish-report", "request-promotion", "setup"})
"""Our actions that run nothing of the team's repository; `setup` only where it installs nothing of the team's."""
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
OTHER_REPOSITORY = SAME_REPOSITORY.replace("==", "!=")
WRITES = re.compile(
    r"secrets\.[\w-]+|github\.token|inputs\.\S*-write-\S+"
    r"|vars\.MLOPS_(?:AWS_ROLE|AZURE_CLIENT_ID|GOOGLE_SERVICE_ACCOUNT|APP_ID)\b"
)
"""What gives a job rights: secrets, its token, and the identities that may write."""


def strangers_code_has_no_rights(document: Document) -> list[str]:
    """For workflows on pull requests. A job that runs what it has checked out may read, and knows no secret, no token
    and no identity that writes; one that has any of these runs nothing of it.
    """
    problems = []
    for name, job in document.jobs.items():
        used = " ".join(strings(job))
        if _runs_code(job):
            if set(grants(job).items()) - set(READ_ONLY.items()):
                problems.append(f"job {name} runs a pull request's code and may {grants(job)}")
            problems += [f"job {name} runs a pull request's code and has {found}" for found in WRITES.findall(used)]
        elif "id-token" in grants(job) and "environment" not in job:
            problems.append(f"job {name} has the identity of every job of a pull request")
    return problems


def forks_are_kept_apart(document: Document) -> list[str]:
    """For workflows on pull requests: a fork gets no identity, reads no store, and nothing that it made is kept."""
    problems = []
    for name, job in document.jobs.items():
        for step in job["steps"]:
            asked = f"{job.get('if', '')} {step.get('if', '')}"
            if own_action(step) == "identity" and SAME_REPOSITORY not in asked:
                problems.append(f"job {name} asks for an identity for a fork, too")
            if own_action(step) == "ci" and OTHER_REPOSITORY not in step["with"].get("limits-only", ""):
                problems.append(f"job {name} reads the store for a fork")
        if "admit" in map(own_action, job["steps"]) and SAME_REPOSITORY not in job.get("if", ""):
            problems.append(f"job {name} keeps what a fork made")
    return problems


def the_gate_tells_failure_from_nothing_to_do(document: Document) -> list[str]:
    """It always runs, needs every other job, fails where one failed or was cancelled, and only there."""
    gate = document.jobs.get("gate", {})
    problems = []
    if gate.get("if") != "always()":
        problems.append("the gate is skipped where a job fails, and a skipped check is never required")
    if sorted(gate.get("needs", ())) != sorted(set(document.jobs) - {"gate"}):
        problems.append("the gate does not wait for every job")
    failing = [step for step in gate.get("steps", ()) if step.get("run") == "exit 1"]
    expected = "contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled')"
    if [step.get("if") for step in failing] != [expected]:
        problems.append("the gate does not fail exactly where a job failed or was cancelled")
    if grants(gate) or "uses" in " ".join(key for step in gate.get("steps", ()) for key in step):
        problems.append("the gate needs no rights and nobody's action")
    return problems


def main_is_checked_out(document: Document) -> list[str]:
    """For workflows that may write: the branch as it is now, and never what a pull request or an old run names."""
    return [
        f"job {job} checks out {step.get('with', {}).get('ref', 'the commit of the event')}"
        for job, step in document.steps()
        if step.get("uses", "").startswith("actions/checkout@")
        and step.get("with", {}).get("ref") != "${{ github.ref_name }}"
    ]


def nothing_is_checked_out(document: Document) -> list[str]:
    """For jobs that a stranger's run starts: no checkout, no program, none of the team's packages."""
    problems = []
    for job, step in document.steps():
        if step.get("uses", "").startswith("actions/checkout@") or "run" in step:
            problems.append(f"job {job} has more than our actions: {step}")
        if own_action(step) not in ("", *WITHOUT_CODE) or (own_action(step) == "setup" and _installs(step)):
            problems.append(f"job {job} runs code of the repository: {step['uses']}")
    return problems


def identities_stay_on_main(document: Document) -> list[str]:
    """For workflows that may deploy: in a run of a review only the job runs that asks for another run."""
    return [
        f"job {name} has rights in a run of a review"
        for name, job in document.jobs.items()
        if "id-token" in grants(job) and not _never_on_reviews(document, job)
    ]


def _runs_code(job: dict[str, Any]) -> bool:
    steps = list(_steps(job))
    return any(
        (own_action(step) and own_action(step) not in WITHOUT_CODE)
        or (own_action(step) == "setup" and _installs(step))
        or (step.get("run") and any(other.get("uses", "").startswith("actions/checkout@") for other in steps))
        for step in steps
    )


def _installs(step: dict[str, Any]) -> bool:
    return step.get("with", {}).get("requirements") != ""


def _never_on_reviews(document: Document, job: dict[str, Any]) -> bool:
    """Whether the job, or one that it needs, is skipped there."""
    needs = job.get("needs", ())
    before = [document.jobs[name] for name in ([needs] if isinstance(needs, str) else needs)]
    return "github.event_name != 'pull_request_review' && " in str(job.get("if", "")) or any(
        _never_on_reviews(document, each) for each in before
    )


def _steps(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from job.get("steps", ())
