"""Proposes files that a command made: a commit on a branch of ours, its pull request, and the run that judges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlops_ci.cli.command import ArgumentsAdder, option
from mlops_ci.errors import MlopsError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.ports import PullRequest

PULL_REQUEST_WORKFLOW = "pull-request.yml"
"""The file of the workflow that judges pull requests, as the templates call it."""


def propose_files(
    context: Context,
    contents: Mapping[str, bytes | None],
    *,
    branch: str,
    onto: str,
    title: str,
    body: str,
    dispatch: str = PULL_REQUEST_WORKFLOW,
) -> PullRequest:
    """The pull request by which the files, relative to the project's folder, come onto the main branch.

    `onto` is the commit that they were made from. The branch is made anew each time. Where the token starts no
    workflow, the one in the file `dispatch` is started on the branch; where that cannot be, it is said: somebody has
    to start it, or the pull request lacks its check.
    """
    repository = context.shared_repository
    repository.commit_files(contents, branch=branch, onto=onto, message=title, replace=True)
    pull = context.forge.propose(branch=branch, base=repository.main, title=title, body=body)
    if context.on_github and not context.github.starts_workflows and context.publisher is not None:
        try:
            context.publisher.dispatch(dispatch, branch)
        except MlopsError as error:
            context.console.warn(
                f"nothing judges pull request {pull.number} yet: {error.what}; {error.fix}".rstrip("; ")
            )
    return pull


def dispatch_option() -> ArgumentsAdder:
    return option(
        "--dispatch", default=PULL_REQUEST_WORKFLOW, metavar="FILE",
        help="the workflow of pull requests, to be started on the branch where the token of a run starts none "
        "(default: %(default)s)",
    )  # fmt: skip
