"""What started a run of GitHub Actions: the event's own file, which GitHub writes and no pull request can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_ci.core import strict_json
from mlops_ci.errors import ConfigurationError, IntegrityError
from mlops_ci.pipeline.pull_request_report import PullRequestRun
from mlops_ci.ports.publishing import Order

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context

MOST = 32 << 20
JUDGING = ("pull_request", "workflow_dispatch")
"""What starts the runs that judge a branch: the second one where our own proposals start nothing by themselves."""


def event_of(context: Context) -> Mapping[str, Any]:
    """The event as JSON; empty outside of a run. Raises ConfigurationError where it cannot be read."""
    github = context.environment.github
    if github is None or github.event_path is None:
        return {}
    try:
        with github.event_path.open("rb") as stream:
            event = strict_json.parse(stream.read(MOST))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the event cannot be read: {error}", where=str(github.event_path)) from error
    if not isinstance(event, dict):
        raise ConfigurationError("the event is no JSON object", where=str(github.event_path))
    return event


def require_own_code(context: Context, run: str = "") -> None:
    """Raises IntegrityError where the run is that of a fork's pull request: what it trained is never admitted.

    `run` names another run, of which the forge tells; what is checked out has to be its commit.
    The merge trains it again, from code that somebody here has merged. In a run of GitHub Actions whose event cannot be
    told nothing is admitted either.
    """
    if run:
        _require_own_run(context, run)
        return
    event = event_of(context)
    if not event:
        if context.environment.in_actions or (context.on_forge and not context.on_github):
            raise ConfigurationError(
                "nobody can tell which event started this run (GITHUB_EVENT_PATH)",
                fix="run it as a step of a workflow, which has that variable; elsewhere name the run: --run",
            )
        return
    base = _at(event, "repository", "full_name")
    heads = [_at(event, "pull_request", "head", "repo", "full_name")] if "pull_request" in event else []
    if "workflow_run" in event:
        heads.append(_at(event, "workflow_run", "head_repository", "full_name"))
    if not isinstance(base, str) or any(not isinstance(head, str) or head.lower() != base.lower() for head in heads):
        raise IntegrityError(
            "the pull request comes from a fork, and what a fork trained is never kept",
            fix="nothing has to be done: after the merge it is trained again",
        )


def _require_own_run(context: Context, run: str) -> None:
    told = finished_run(context, run)
    if told is None or told.fork:
        raise IntegrityError(
            f"run {run} judged no branch of this very repository, and what others trained is never kept",
            fix="nothing has to be done: after the merge it is trained again",
        )
    # GitLab may judge what a merge would give: its second parent is what is proposed.
    if told.commit not in (context.repository.commit(), context.repository.commit("HEAD^2")):
        raise ConfigurationError(
            f"run {run} was of commit {told.commit[:12]}, and another one is checked out",
            fix=f"check {told.commit} out",
        )


def finished_run(context: Context, run: str) -> PullRequestRun | None:
    """The run of the event `workflow_run`; None where it judged no branch, or one whose repository is gone by now.

    On other forges than GitHub their API tells of the run. Raises ConfigurationError where there is none, the event is
    another one, or that of another run than `run`, its number.
    """
    if context.on_forge and not context.on_github:
        from mlops_ci.cli.finished_runs import run_of_forge

        return run_of_forge(context, run)
    event = event_of(context)
    told, base = _at(event, "workflow_run"), _at(event, "repository", "full_name")
    if not isinstance(told, dict) or str(told.get("id")) != run:
        raise ConfigurationError(
            f"run {run} is not what started this workflow",
            fix="run it in a workflow that starts `on: workflow_run`, with --run ${{ github.event.workflow_run.id }}",
        )
    head = _at(told, "head_repository", "full_name")
    texts = [told.get(key) for key in ("name", "head_sha", "head_branch", "html_url")]
    if told.get("event") not in JUDGING or not isinstance(head, str):
        return None
    if not isinstance(base, str) or not all(isinstance(text, str) for text in texts) or not run.isdecimal():
        raise ConfigurationError("the event does not tell of which commit and branch the run was", where="workflow_run")
    name, commit, branch, url = map(str, texts)
    attempt = told.get("run_attempt")
    return PullRequestRun(
        order=Order(run=int(run), attempt=attempt if isinstance(attempt, int) else 1),
        workflow=name,
        commit=commit,
        branch=branch,
        owner=head.partition("/")[0],
        fork=head.lower() != base.lower(),
        url=url,
    )


def _at(value: Any, *way: str) -> Any:
    for name in way:
        value = value.get(name) if isinstance(value, dict) else None
    return value
