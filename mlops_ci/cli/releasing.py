"""Commands that change what serves: release, promote, reconcile, rollback."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mlops_ci.cli.command import (
    Command,
    Outcome,
    environment_argument,
    model_argument,
    option,
    release_arguments,
)
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def release(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.publishing import release_model

    return release_model(context, context.config(arguments.model), signing_key=arguments.signing_key)


def promote(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.promoting import promote_open, promote_pull_request, promote_release

    if arguments.environment and not arguments.open:
        raise ConfigurationError("--environment is for --open", fix="say --to where one release is named")
    if arguments.to is not None:
        return promote_release(context, context.config(arguments.model), arguments)
    if arguments.model or arguments.release or arguments.model_version is not None:
        flag = "--open" if arguments.open else "--pull-request"
        raise ConfigurationError(f"{flag} says which model and which release", fix="leave the others out")
    if arguments.open:
        return promote_open(context, arguments.environment)
    return promote_pull_request(context, arguments.pull_request)


def reconcile(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.reconciling import reconcile_model, reconcile_since

    if not arguments.all and arguments.since is None:
        return reconcile_model(context, context.config(arguments.model), arguments.environment)
    if arguments.model:
        raise ConfigurationError("--since and --all are about every model", fix="leave the model out")
    return reconcile_since(context, arguments.since, arguments.environment)


def rollback(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.changes import changed
    from mlops_ci.cli.delivery import chosen_release, site_of
    from mlops_ci.cli.reviewing import said_reason
    from mlops_ci.cli.telling import tell_deployment
    from mlops_ci.pipeline.rollback import roll_back

    reason = said_reason(arguments.reason)
    config = context.config(arguments.model)
    site = site_of(context, config, arguments.environment or config.environments[-1].name)
    named = arguments.release or arguments.model_version is not None
    to = chosen_release(context, config, arguments).id if named else None
    change = roll_back(site, to=to, reason=reason)
    tell_deployment(context, site, change)
    return changed(change)


def _what_to_promote(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--to", metavar="E", help="the environment")
    which.add_argument(
        "--pull-request", type=int, metavar="N",
        help="what this pull request proposes; one that is no promotion, or that waits for approvals, is no error",
    )  # fmt: skip
    which.add_argument("--open", action="store_true", help="what all open promotions propose, where it is approved")


def _what_to_reconcile(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--since", metavar="REF", help="all that Git says otherwise than at this commit")
    which.add_argument("--all", action="store_true", help="every environment of every model")


COMMANDS = (
    Command(
        name="release",
        help="register what main trains, deploy it to the first environment, verify it, propose its promotion",
        run=release,
        arguments=(
            model_argument,
            option(
                "--signing-key",
                metavar="FILE",
                help="private key in PEM that signs the release's provenance (default: MLOPS_SIGNING_KEY)",
            ),
        ),
    ),
    Command(
        name="promote",
        help="roll an approved release out to an environment",
        run=promote,
        arguments=(
            model_argument,
            _what_to_promote,
            option("--environment", metavar="E", help="with --open: only what is proposed for this one"),
            release_arguments,
        ),
    ),
    Command(
        name="reconcile",
        help="bring environments to what Git says; finishes what a killed command began",
        run=reconcile,
        arguments=(model_argument, environment_argument, _what_to_reconcile),
    ),
    Command(
        name="rollback",
        help="go back to the release that served well before, and hold the present one",
        run=rollback,
        arguments=(
            model_argument,
            environment_argument,
            release_arguments,
            option("--reason", default="rolled back by hand", metavar="TEXT", help="why, for the log"),
        ),
    ),
)
