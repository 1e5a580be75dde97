"""What `doctor` finds in a repository's workflow files: what keeps them from starting, or makes them unsafe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from mlops_ci.core.workflow import Call, Workflow, granted, lacks
from mlops_ci.pipeline.doctor import Finding, error, note, warning

_DELIVERS = {
    "checks": "write", "contents": "write", "deployments": "write", "id-token": "write", "packages": "read",
    "pull-requests": "write",
}  # fmt: skip
GRANTS: Mapping[str, Mapping[str, str]] = {
    "model-monitor": {"contents": "read", "id-token": "write", "issues": "write"},
    "model-promote": {**_DELIVERS, "actions": "write"},
    "model-pull-request": {"contents": "read", "id-token": "write"},
    "model-release": {**_DELIVERS, "packages": "write"},
    "model-report": {"actions": "read", "checks": "write", "pull-requests": "write"},
    "model-retrain": {"actions": "write", "contents": "write", "id-token": "write", "pull-requests": "write"},
    "model-rollback": _DELIVERS,
    "model-score": {"contents": "read", "id-token": "write"},
    "template-update": {"actions": "write", "contents": "write", "pull-requests": "write"},
}
"""What the job that calls each reusable workflow has to grant: with less, GitHub does not even start the run."""
EVENTS: Mapping[str, tuple[str, ...]] = {
    "model-promote": ("pull_request_review", "push"),
    "model-pull-request": ("pull_request",),
    "model-release": ("push",),
    "model-report": ("workflow_run",),
}
"""What has to start each caller; the others may be started as the team likes."""
EXPECTED = tuple(EVENTS)
BRANCHES = ("main", "master", "develop", "trunk")
GATE = "gate"
"""The job with which each reusable workflow ends."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What the workflows are made of, for comparing it with the forge's settings.

    `gates` are the checks that pull requests get, `secrets` those that workflows ask for on their own account, `keys`
    those that are handed to the toolkit's workflows, by what the toolkit calls them.
    """

    called: frozenset[str] = frozenset()
    gates: tuple[str, ...] = ()
    inputs: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    keys: Mapping[str, str] = field(default_factory=dict)
    pushes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the path of each caller of model-release: the branches on which it starts."""


def wiring(workflows: Sequence[Workflow]) -> Wiring:
    """What the readable workflows say."""
    calls = [(workflow, call) for workflow in workflows for call in _toolkit(workflow)]
    keys = {name: text for _, call in calls for name, text in (call.secrets or {}).items()}
    handed = {name.upper() for text in keys.values() for name in re.findall(r"secrets\.(\w+)", text)}
    return Wiring(
        called=frozenset(call.name for _, call in calls),
        gates=tuple(dict.fromkeys(f"{call.shown} / {GATE}" for _, call in calls if call.name == "model-pull-request")),
        inputs=frozenset(name for _, call in calls for name in call.inputs),
        secrets=frozenset(name for workflow in workflows for name in workflow.secrets) - handed,
        keys=keys,
        pushes={workflow.path: _branches(workflow) for workflow, call in calls if call.name == "model-release"},
    )


def workflow_findings(workflows: Sequence[Workflow], *, way: str = "") -> Iterator[Finding]:
    """All that can be told from the files alone; `way` leads from the repository's top to the project."""
    own = frozenset(call.repository for workflow in workflows for call in _toolkit(workflow))
    for workflow in workflows:
        if workflow.fault:
            yield error(workflow.path, f"GitHub cannot read this workflow: {workflow.fault}", "mend the file")
            continue
        yield from _pins(workflow, own)
        yield from _rights(workflow)
        for call in _toolkit(workflow):
            yield from _call(workflow, call)
    readable = [workflow for workflow in workflows if not workflow.fault]
    yield from _together(readable)
    yield from _elsewhere(readable, way.strip("/"))


def _toolkit(workflow: Workflow) -> Iterator[Call]:
    return (call for call in workflow.calls if call.name in GRANTS)


def _pins(workflow: Workflow, own: Set[str]) -> Iterator[Finding]:
    """The toolkit's `own` repositories are taken by their releases, as all callers do."""
    for used in workflow.uses:
        owner = "/".join(used.name.split("/")[:2]).partition("@")[0]
        pinned = used.name.startswith("./") or "@sha256:" in used.name or _COMMIT.fullmatch(used.ref) or owner in own
        if not pinned:
            yield warning(
                f"{workflow.path}:{used.line}",
                f"{used.name} is whatever its owners make of {used.ref or 'it'} from now on",
                "pin it to a commit, with the version as a comment beside it",
            )


def _rights(workflow: Workflow) -> Iterator[Finding]:
    silent = [key for key, job in workflow.jobs.items() if "permissions" not in job]
    if workflow.permissions is None and silent:
        yield warning(
            workflow.path,
            f"the job {silent[0]} has whatever permissions the repository gives by default",
            "write `permissions: {}` at the top, and what a job needs at the job",
        )
    if granted(workflow.permissions).get("*") == "write":
        yield warning(
            workflow.path,
            "every job may write everything",
            "write `permissions: {}` at the top, and what a job needs at the job",
        )
    if "pull_request_target" in workflow.events:
        yield warning(
            workflow.path,
            "pull_request_target runs with secrets, also for a stranger's pull request",
            "use pull_request; comments are made by model-report, which runs none of the pull request's code",
        )


def _call(workflow: Workflow, call: Call) -> Iterator[Finding]:
    where = f"{workflow.path}, job {call.job}"
    missing = lacks(call.grants, GRANTS[call.name]) if call.grants is not None else {}
    if missing:
        words = ", ".join(f"{name}: {level}" for name, level in missing.items())
        yield error(
            where,
            f"{call.name} needs more than the job grants, so GitHub does not start it: {words}",
            f"add to the job's permissions {words}",
        )
    if call.secrets is None:
        yield warning(
            where, "`secrets: inherit` hands over every secret of the repository", "name those that the workflow takes"
        )
    absent = [event for event in EVENTS.get(call.name, ()) if event not in workflow.events]
    if absent:
        words = ", ".join(absent)
        yield error(workflow.path, f"{call.name} is not started on {words}", f"add {words} to `on:`")
    if call.ref in BRANCHES:
        yield warning(
            where,
            f"{call.ref} is a branch of the toolkit: any commit there is taken at once",
            "name a release, such as v1",
        )


def _together(workflows: Sequence[Workflow]) -> Iterator[Finding]:
    """What only shows when all files are looked at."""
    calls = [(workflow, call) for workflow in workflows for call in _toolkit(workflow)]
    if not calls:
        return
    # the one that brings newer templates follows the moving tag: an old toolkit knows of none
    refs = sorted({f"{call.repository}@{call.ref}" for _, call in calls if call.name != "template-update"})
    if len(refs) > 1:
        yield error(
            ".github/workflows",
            f"the workflows take the toolkit from {' and from '.join(refs)}",
            "name one release in all of them: what one writes the others read",
        )
    called = {call.name for _, call in calls}
    for name in (name for name in EXPECTED if name not in called):
        yield note(".github/workflows", f"no workflow calls {name}", "mlops-ci update adds what the template has")
    trained = {workflow.name for workflow, call in calls if call.name == "model-pull-request"}
    for workflow, call in calls:
        followed = workflow.events.get("workflow_run")
        names = followed.get("workflows", ()) if isinstance(followed, Mapping) else ()
        names = [names] if isinstance(names, str) else list(names)
        if call.name == "model-report" and trained and not trained.intersection(names):
            yield error(
                workflow.path,
                "it waits for a workflow that there is not, so no pull request gets a report: "
                + (", ".join(map(str, names)) or "none"),
                f"write workflows: [{', '.join(sorted(trained))}]",
            )


def _elsewhere(workflows: Sequence[Workflow], way: str) -> Iterator[Finding]:
    """Whether any caller knows of a project that is in a folder of the repository."""
    told = {call.inputs.get("directory", ".").strip("/") for workflow in workflows for call in _toolkit(workflow)}
    if told and (way or ".") not in {one.removeprefix("./") or "." for one in told}:
        yield error(
            ".github/workflows",
            f"the workflows work in {', '.join(sorted(told))}, and this project is in {way or 'the top folder'}",
            f"add `with: {{directory: {way or '.'}}}` to the jobs that call the toolkit",
        )


def _branches(workflow: Workflow) -> tuple[str, ...]:
    pushed = workflow.events.get("push")
    named = pushed.get("branches", ()) if isinstance(pushed, Mapping) else ()
    return (named,) if isinstance(named, str) else tuple(str(name) for name in named or ())
