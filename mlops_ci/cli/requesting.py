"""`request-promotion`: starts the promotion that a pull request proposes, on the default branch.

The run of a review has the pull request's own workflow files, and its identity towards a cloud is that of every pull
request. So it only asks for another run, which has the default branch's files and identity, and decides there.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, option
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def request_promotion(arguments: argparse.Namespace, context: Context) -> Outcome:
    """Whether people have approved is not asked here: who is asked to promote finds out."""
    from mlops_ci.pipeline.proposals import PROMOTIONS

    publisher = context.publisher
    if publisher is None or not context.on_github:
        raise ConfigurationError("only GitHub has workflows that a review starts", fix="mlops-ci promote --open")
    workflow = arguments.workflow or context.github.workflow_file
    if not workflow:
        raise ConfigurationError("nobody says which workflow promotes", fix="name its file by --workflow")
    pull = context.forge.pull_request(arguments.pull_request)
    environment, _, model = pull.branch.removeprefix(PROMOTIONS).partition("/")
    value = {"pull_request": pull.number, "workflow": workflow, "model": None, "environment": None}
    if not pull.branch.startswith(PROMOTIONS) or not model:
        return Outcome(
            value={**value, "outcome": "not-a-promotion"},
            text=f"pull request {pull.number} is no promotion: nothing to do",
        )
    value |= {"model": model, "environment": environment}
    if pull.state == "closed":
        return Outcome(value={**value, "outcome": "closed"}, text=f"pull request {pull.number} was closed")
    inputs = {"model": model, "environment": environment, "pull-request": str(pull.number)}
    branch = context.github_api.default_branch
    publisher.dispatch(workflow, branch, inputs)
    text = f"{workflow} was asked on {branch} to promote {model} to {environment}, as pull request {pull.number} says"
    return Outcome(value={**value, "outcome": "requested"}, text=text)


COMMANDS = (
    Command(
        name="request-promotion",
        help="start the workflow that promotes what a pull request proposes, on the default branch",
        run=request_promotion,
        arguments=(
            option(
                "pull_request", type=int, metavar="N", help="the pull request; one that is no promotion is no error"
            ),
            option(
                "--workflow",
                default="",
                metavar="FILE",
                help="the workflow, which takes model, environment and pull-request (default: the one of this run)",
            ),
        ),
    ),
)
