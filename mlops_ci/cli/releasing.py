"""Commands that change what serves: release, promote, reconcile, rollback."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import (
    Command,
    Outcome,
    environment_argument,
    model_argument,
    option,
    release_arguments,
)
from mlops_ci.errors import ConfigurationError, MlopsError, RolloutAborted

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def release(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.publishing import release_model

    return release_model(context, context.config(arguments.model), signing_key=arguments.signing_key)


def promote(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import chosen_release, site_of
    from mlops_ci.cli.publishing import propose_next
    from mlops_ci.cli.verifying import check_lines
    from mlops_ci.pipeline.promote import promote as promote_release
    from mlops_ci.pipeline.proposal_text import last_verification

    config = context.config(arguments.model)
    site = site_of(context, config, arguments.to)
    names = [environment.name for environment in config.environments]
    after = names[names.index(site.name) + 1 :]
    if site.before is None:
        raise ConfigurationError(
            f"{site.name} is the first environment: nothing is promoted to it", fix=f"mlops-ci release {config.model}"
        )
    chosen = chosen_release(context, config, arguments, serving_in=site.before)
    change = promote_release(site, chosen)
    outcome = _changed(change)
    verification = last_verification(context.registry, context.log, chosen, site.name)
    if verification is not None and change.release == chosen.id:
        text = "\n".join([outcome.text, *check_lines(verification)])
        outcome = replace(outcome, value={**outcome.value, "verification": verification}, text=text)
    if change.release != chosen.id or not after:
        return outcome
    pull, refused = propose_next(site_of(context, config, after[0]), chosen)
    proposed = f"\npull request {pull.number}: {pull.title}" if pull else ""
    proposed += f"\nnot proposed for {after[0]}, {refused}" if refused else ""
    value = {**outcome.value, "pull_request": pull.number if pull else None}
    return Outcome(value=value, text=f"{outcome.text}{proposed}", code=outcome.code)


def reconcile(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import site_of
    from mlops_ci.pipeline.reconcile import reconcile as reconcile_site
    from mlops_ci.pipeline.status import warnings

    config = context.config(arguments.model)
    names = [arguments.environment] if arguments.environment else [item.name for item in config.environments]
    outcomes: list[Outcome] = []
    errors: list[MlopsError] = []
    for site in [site_of(context, config, name) for name in names]:
        try:
            change = reconcile_site(site)
            found = warnings(site.model_state(), change.release, before=site.before, environment=site.name)
            for warning in found:
                context.console.warn(f"{site.name}: {warning}")
            outcomes.append(_changed(change, warnings=found))
        except MlopsError as error:  # what is wrong in one environment keeps no other from being mended
            context.console.warn(f"{site.name}: {error.what}")
            errors.append(error)
    if errors:
        raise errors[0]
    if len(outcomes) == 1:
        return outcomes[0]
    return Outcome(
        value={"model": config.model, "environments": [outcome.value for outcome in outcomes]},
        text="\n".join(outcome.text for outcome in outcomes),
        code=max(outcome.code for outcome in outcomes),
    )


def rollback(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import chosen_release, site_of
    from mlops_ci.cli.reviewing import said_reason
    from mlops_ci.pipeline.rollback import roll_back

    reason = said_reason(arguments.reason)
    config = context.config(arguments.model)
    site = site_of(context, config, arguments.environment or config.environments[-1].name)
    named = arguments.release or arguments.model_version is not None
    to = chosen_release(context, config, arguments).id if named else None
    return _changed(roll_back(site, to=to, reason=reason))


def _changed(change: Any, **more: Any) -> Outcome:
    now = f"release {change.release[:12]}" if change.release else "nothing"
    lines = [
        f"{change.model} in {change.environment}: {change.outcome}; serves {now}"
        + (f" at {change.url}" if change.url else "")
    ]
    lines += [
        (f"  {step.share:>3} %: " if step.share else f"  {step.stage}: ")
        + step.outcome
        + (f" until {step.until[:19]}Z: release {change.comparing[:12]}" if step.until else "")
        + "".join(f"\n         {reason}" for reason in step.reasons)
        for step in change.steps
    ]
    lines += [f"  because: {reason}" for reason in change.reasons]
    if change.revert is not None:
        lines.append(f"  Git names what is on hold until pull request {change.revert} is merged")
    code = RolloutAborted.exit_code if change.outcome == "aborted" else 0
    return Outcome(value={**change.to_json(), **more}, text="\n".join(lines), code=code)


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
            option("--to", required=True, metavar="E", help="the environment"),
            release_arguments,
        ),
    ),
    Command(
        name="reconcile",
        help="bring environments to what Git says; finishes what a killed command began",
        run=reconcile,
        arguments=(model_argument, environment_argument),
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
