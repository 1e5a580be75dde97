"""What has to be true of workflows and actions, and what neither GitHub's schema nor a run with act would show.

Each rule is a function from a document to what is wrong with it, in words; an empty list is fine.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.workflows.documents import OWN, Document, action, grants, own_action
from tests.workflows.rights import (
    READ_ONLY,
    forks_are_kept_apart,
    identities_stay_on_main,
    main_is_checked_out,
    nothing_is_checked_out,
    strangers_code_has_no_rights,
    the_gate_tells_failure_from_nothing_to_do,
)

OFFICIAL = ("actions", "aws-actions", "azure", "docker", "google-github-actions", "hashicorp")
"""Whose actions may be used: those of GitHub itself, and each cloud's own sign-in."""
EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)

Rule = Callable[[Document], list[str]]


def permissions_are_empty_at_the_top(document: Document) -> list[str]:
    if document.value.get("permissions") == {}:
        return []
    return [f"permissions at the top are {document.value.get('permissions')!r}, not {{}}"]


def permissions_are_named_for_each_job(document: Document) -> list[str]:
    return [
        f"job {name}: permissions are {job.get('permissions')!r}"
        for name, job in document.jobs.items()
        if not isinstance(job.get("permissions"), dict)
    ]


def others_actions_are_pinned_and_official(document: Document) -> list[str]:
    problems = []
    for line in re.findall(r"^\s*(?:- )?uses: (.*)$", document.text, re.MULTILINE):
        if line.startswith(OWN):
            continue
        found = re.fullmatch(r"(?P<owner>[\w.-]+)/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
        if found is None:
            problems.append(f"{line}: not a full commit with its version beside it")
        elif found["owner"] not in OFFICIAL:
            problems.append(f"{line}: {found['owner']} is nobody's own")
    return problems


def own_actions_are_at_one_ref(document: Document) -> list[str]:
    refs = set(re.findall(rf"^\s*(?:- )?uses: {OWN}\S+@(\S+)", document.text, re.MULTILINE))
    local = re.findall(r"uses: (\./\S*)", document.text)
    problems = [f"{place}: in a reusable workflow that is the caller's checkout" for place in local]
    return problems + ([f"several refs of our own: {sorted(refs)}"] if len(refs) > 1 else [])


def checkouts_leave_no_token(document: Document) -> list[str]:
    return [
        f"job {job}: a checkout keeps the token where later steps find it"
        for job, step in document.steps()
        if step.get("uses", "").startswith("actions/checkout@")
        and step.get("with", {}).get("persist-credentials") != "false"
    ]


def jobs_have_a_time_limit(document: Document) -> list[str]:
    return [f"job {name}: no timeout-minutes" for name, job in document.jobs.items() if not job.get("timeout-minutes")]


def shells_get_values_by_environment(document: Document) -> list[str]:
    """No expression becomes text of a program."""
    problems = []
    for job, step in document.steps():
        programs = [step.get("run", ""), step.get("with", {}).get("script", "")]
        if any("${{" in program for program in programs):
            problems.append(f"{job}: an expression in a program: {programs}")
    return problems


def shells_notice_failures(document: Document) -> list[str]:
    """Only the shell that is named is started so that a failure within a pipe is one."""
    return [
        f"{job}: a step without `shell: bash`"
        for job, step in document.steps()
        if step.get("run") and step.get("shell") != "bash"
    ]


def secrets_are_named(document: Document) -> list[str]:
    """None is handed on wholesale; those that are used are declared and the other way round; none is required."""
    problems = [
        f"job {name}: secrets: inherit" for name, job in document.jobs.items() if job.get("secrets") == "inherit"
    ]
    if document.value.get("jobs") and "workflow_call" in document.events:
        used = set(re.findall(r"secrets\.([\w-]+)", document.text)) - {"GITHUB_TOKEN"}
        declared = document.call.get("secrets") or {}
        problems += [f"secret {name} is used and not declared" for name in sorted(used - set(declared))]
        problems += [f"secret {name} is declared and not used" for name in sorted(set(declared) - used)]
        problems += [f"secret {name} is required" for name, said in declared.items() if said.get("required") != "false"]
    return problems


def inputs_are_used(document: Document) -> list[str]:
    """Those that are used are declared and described, those that are declared are used."""
    declared = (document.call.get("inputs") if document.jobs else document.value.get("inputs")) or {}
    used = set(re.findall(r"inputs\.([\w-]+)", " ".join(EXPRESSION.findall(document.text) + _conditions(document))))
    problems = [f"input {name} is used and not declared" for name in sorted(used - set(declared))]
    problems += [f"input {name} is declared and not used" for name in sorted(set(declared) - used)]
    return problems + [
        f"input {name} has no description" for name, said in declared.items() if not said.get("description")
    ]


def own_actions_take_what_they_are_given(document: Document) -> list[str]:
    problems = []
    for job, step in document.steps():
        name = own_action(step)
        if not name:
            continue
        declared = action(name).value.get("inputs") or {}
        given = step.get("with", {})
        problems += [f"job {job}: {name} has no input {key}" for key in given if key not in declared]
        problems += [
            f"job {job}: {name} needs {key}"
            for key, said in declared.items()
            if said.get("required") == "true" and key not in given
        ]
    return problems


def runs_on_what_the_caller_says(document: Document) -> list[str]:
    return [
        f"job {name} runs on {job.get('runs-on')}"
        for name, job in document.jobs.items()
        if job.get("runs-on") != "${{ fromJSON(inputs.runs-on) }}"
    ]


def starts_for_no_stranger(document: Document) -> list[str]:
    return ["pull_request_target: a stranger's pull request with our rights"] * ("pull_request_target" in document.text)


def concurrency_cannot_harm(document: Document) -> list[str]:
    """What may write is never cancelled; groups are named as callers' cannot be, and never the workflow's own."""
    top, problems = document.value.get("concurrency"), []
    may_write = {name for name, job in document.jobs.items() if set(grants(job).items()) - set(READ_ONLY.items())}
    if top and top.get("cancel-in-progress") == "true" and may_write:
        problems.append(f"a later run cancels {sorted(may_write)}, which write")
    for name, job in document.jobs.items():
        own = job.get("concurrency")
        for group in filter(None, (top, own)):
            if not group["group"].startswith("mlops-ci-"):
                problems.append(f"group {group['group']} could be a caller's, which would wait for itself")
        if own and top and own["group"] == top["group"]:
            problems.append(f"job {name} waits for its own workflow")
        if own and own.get("cancel-in-progress") != "false":
            problems.append(f"job {name} may be cancelled")
        delivers = grants(job).get("deployments") == "write"
        if delivers and (own is None or not own["group"].startswith(f"mlops-ci-{name}-")):
            problems.append(f"job {name} delivers: GitHub drops it where a job that does something else comes after it")
    return problems


def matrices_go_on(document: Document) -> list[str]:
    return [
        f"job {name}: one model that fails cancels the others"
        for name, job in document.jobs.items()
        if "strategy" in job and job["strategy"].get("fail-fast") != "false"
    ]


def every_job_writes_a_summary(document: Document) -> list[str]:
    """`mlops-ci` writes one, also when it fails."""
    return [
        f"job {name} says nothing in the run's summary"
        for name, job in document.jobs.items()
        if not any(own_action(step) not in ("", "setup", "identity") for step in job["steps"])
        and not any("GITHUB_STEP_SUMMARY" in step.get("run", "") for step in job["steps"])
    ]


def actions_are_thin(document: Document) -> list[str]:
    """One call of mlops-ci: all its values come by the environment and are quoted, all outputs are the call's."""
    steps = [step for _, step in document.steps()]
    if document.name in ("setup", "identity"):
        return []
    if len(steps) != 1 or steps[0].get("id") != "run":
        return ["more than one step"]
    run, problems = steps[0]["run"], []
    if len(re.findall(r"\bmlops-ci ", run)) != 1 or re.search(r"[;&|]|\$\(|`", run):
        problems.append(f"more than one call: {run}")
    unquoted = re.sub(r'"[^"]*"', "", re.sub(r'\$\{\w+:\+"[^"]*"\}', "", run))
    if "$" in unquoted:
        problems.append(f"a value that the shell would split: {unquoted}")
    given = set(steps[0]["env"])
    problems += [
        f"{name} is set nowhere" for name in set(re.findall(r"\$\{?([A-Z_]+)", run)) - given - {"GITHUB_ACTION_PATH"}
    ]
    problems += [
        f"output {name} is not the call's"
        for name, said in (document.value.get("outputs") or {}).items()
        if said["value"] != f"${{{{ steps.run.outputs.{name.replace('-', '_')} }}}}"
    ]
    return problems


def _conditions(document: Document) -> list[str]:
    conditions = [str(job.get("if", "")) for job in document.jobs.values()]
    return conditions + [str(step.get("if", "")) for _, step in document.steps()]


EVERY_DOCUMENT: tuple[Rule, ...] = (
    others_actions_are_pinned_and_official, own_actions_are_at_one_ref, checkouts_leave_no_token,
    shells_get_values_by_environment, shells_notice_failures, inputs_are_used, own_actions_take_what_they_are_given,
    starts_for_no_stranger,
)  # fmt: skip
EVERY_WORKFLOW: tuple[Rule, ...] = (
    *EVERY_DOCUMENT, permissions_are_empty_at_the_top, permissions_are_named_for_each_job, jobs_have_a_time_limit,
    secrets_are_named, runs_on_what_the_caller_says, concurrency_cannot_harm, matrices_go_on,
    every_job_writes_a_summary,
)  # fmt: skip
OWN_PIPELINES: tuple[Rule, ...] = (
    others_actions_are_pinned_and_official, checkouts_leave_no_token, shells_get_values_by_environment,
    starts_for_no_stranger, permissions_are_empty_at_the_top, permissions_are_named_for_each_job,
    jobs_have_a_time_limit, secrets_are_named, matrices_go_on,
)  # fmt: skip
"""For the workflows by which the toolkit itself is tested and released."""
EVERY_ACTION: tuple[Rule, ...] = (*EVERY_DOCUMENT, actions_are_thin)
OF_A_WORKFLOW: dict[str, tuple[Rule, ...]] = {
    "model-pull-request": (
        strangers_code_has_no_rights,
        forks_are_kept_apart,
        the_gate_tells_failure_from_nothing_to_do,
    ),
    "model-report": (nothing_is_checked_out,),
    "model-promote": (main_is_checked_out, identities_stay_on_main),
    **dict.fromkeys(
        ("model-release", "model-rollback", "model-monitor", "model-retrain", "model-score", "template-update"),
        (main_is_checked_out,),
    ),
}
