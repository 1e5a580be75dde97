"""What a forge's API tells of a pipeline that has judged a merge request, where no event of the forge says it.

The job that shows the report is given the pipeline's number alone, which anybody may have written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlops_ci.errors import ConfigurationError, NotFoundError
from mlops_ci.pipeline.pull_request_report import PullRequestRun
from mlops_ci.ports.publishing import Order

if TYPE_CHECKING:
    from mlops_ci.adapters.azure_devops_api import AzureDevOpsApi
    from mlops_ci.adapters.gitlab_api import GitLabApi
    from mlops_ci.cli.context import Context
    from mlops_ci.ports import PullRequest

NAME = "mlops-ci"
_MERGE_REQUEST = re.compile(r"refs/merge-requests/(\d{1,18})/(head|merge)")
_PULL_REQUEST = re.compile(r"refs/pull/(\d{1,9})/merge")


def run_of_forge(context: Context, run: str) -> PullRequestRun | None:
    """The pipeline of that number; None where it was of no merge request, or of one that is gone.

    Raises ConfigurationError where there is no such pipeline.
    """
    if not run.isdecimal():
        raise ConfigurationError(
            f"{run!r} is no number of a pipeline", fix="give --run the id of the pipeline or build"
        )
    if context.environment.forge == "gitlab":
        return _of_gitlab(context, context.other_forges.gitlab, run)
    return _of_azure_devops(context, context.other_forges.azure_devops, run)


def _of_gitlab(context: Context, api: GitLabApi, run: str) -> PullRequestRun | None:
    pipeline = api.ask("GET", api.in_project("pipelines/{}", run))
    found = _MERGE_REQUEST.fullmatch(pipeline.text("ref"))
    if pipeline.text("source") != "merge_request_event" or found is None:
        return None
    pull = _pull(context, int(found[1]))
    if pull is None:
        return None
    commit = pipeline.text("sha")
    if found[2] == "merge":  # a merge with the target branch that GitLab only tries: its second parent was proposed
        parents = api.ask("GET", api.in_project("repository/commits/{}", commit)).value.get("parent_ids")
        commit = _second(parents)
    return _run(run, pull, api.owner, commit, pipeline.text("web_url"))


def _of_azure_devops(context: Context, api: AzureDevOpsApi, run: str) -> PullRequestRun | None:
    build = api.ask("GET", api.in_project("build/builds/{}", run))
    found = _PULL_REQUEST.fullmatch(build.text("sourceBranch"))
    ours = build.optional_text("repository", "id") == api.id
    pull = _pull(context, int(found[1])) if found and ours else None
    if pull is None:
        return None
    merge = api.ask("GET", api.in_repository("commits/{}", build.text("sourceVersion")))
    commit = _second(merge.value.get("parents"))
    return _run(run, pull, api.project, commit, build.optional_text("_links", "web", "href"))


def _pull(context: Context, number: int) -> PullRequest | None:
    try:
        return context.forge.pull_request(number)
    except NotFoundError:
        return None


def _second(parents: object) -> str:
    """Empty, which no merge request shows, where there is none."""
    many = parents if isinstance(parents, list) else []
    return str(many[1]) if len(many) > 1 else ""


def _run(run: str, pull: PullRequest, owner: str, commit: str, url: str) -> PullRequestRun:
    whose, _, branch = pull.branch.rpartition(":")
    return PullRequestRun(
        order=Order(run=int(run)), workflow=NAME, commit=commit, branch=branch, owner=whose or owner, fork=bool(whose),
        url=url,
    )  # fmt: skip
