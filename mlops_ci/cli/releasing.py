"""Commands that change what serves: release, approve, promote, reconcile, rollback, hold, release-hold."""

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
    from mlops_ci.cli.publishing import last_verification, promotion_body, propose_next
    from mlops_ci.cli.verifying import check_lines
    from mlops_ci.pipeline.promote import promote as promote_release

    config = context.config(arguments.model)
    site = site_of(context, config, arguments.to)
    names = [environment.name for environment in config.environments]
    after = names[names.index(site.name) + 1 :]
    if site.before is None:
        raise ConfigurationError(
            f"{site.name} is the first environment: nothing is promoted to it", fix=f"mlops-ci release {config.model}"
        )
    chosen = chosen_release(context, config, arguments, serving_in=site.before)
    change = promote_release(site, context.forge, chosen, body=promotion_body(context, chosen))
    outcome = _changed(change)
    verification = last_verification(context, chosen, site.name) if change.release == chosen.id else None
    if verification is not None:
        text = "\n".join([outcome.text, *check_lines(verification)])
        outcome = replace(outcome, value={**outcome.value, "verification": verification}, text=text)
    if change.release != chosen.id or not after:
        return outcome
    pull, _ = propose_next(context, site_of(context, config, after[0]), chosen)
    proposed = f"\npull request {pull.number}: {pull.title}" if pull else ""
    value = {**outcome.value, "pull_request": pull.number if pull else None}
    return Outcome(value=value, text=f"{outcome.text}{proposed}", code=outcome.code)


def reconcile(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import site_of
    from mlops_ci.pipeline.reconcile import reconcile as reconcile_site

    config = context.config(arguments.model)
    names = [arguments.environment] if arguments.environment else [item.name for item in config.environments]
    outcomes: list[Outcome] = []
    errors: list[MlopsError] = []
    for site in [site_of(context, config, name) for name in names]:
        try:
            outcomes.append(_changed(reconcile_site(site)))
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
    from mlops_ci.pipeline.rollback import roll_back

    config = context.config(arguments.model)
    site = site_of(context, config, arguments.environment or config.environments[-1].name)
    named = arguments.release or arguments.model_version is not None
    to = chosen_release(context, config, arguments).id if named else None
    return _changed(roll_back(site, to=to, reason=arguments.reason))


def hold(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _hold(arguments, context, "held")


def release_hold(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _hold(arguments, context, "hold-released")


def approve(arguments: argparse.Namespace, context: Context) -> Outcome:
    reviewer = arguments.reviewer or context.actor
    pull = context.forge.pull_request(arguments.pull_request)
    review = context.forge.review(
        pull.number, reviewer=reviewer, commit=pull.head, approve=not arguments.request_changes
    )
    return Outcome(
        value={"pull_request": pull.number, "reviewer": reviewer, "commit": review.commit, "verdict": review.verdict},
        text=f"{reviewer}: {review.verdict} pull request {pull.number} ({pull.title}) at {review.commit[:12]}",
    )


def _hold(arguments: argparse.Namespace, context: Context, kind: Any) -> Outcome:
    from mlops_ci.cli.delivery import chosen_release, site_of

    config = context.config(arguments.model)
    site = site_of(context, config, arguments.environment or config.environments[-1].name)
    chosen = chosen_release(context, config, arguments, serving_in=site.name)
    state = site.state()
    on_hold = state is not None and chosen.id in state.holds
    if on_hold == (kind == "held"):
        text = f"release {chosen.id[:12]} is {'already' if on_hold else 'not'} on hold in {site.name}"
    else:
        site.record(kind, release=chosen.id, reason=arguments.reason)
        text = f"release {chosen.id[:12]} (version {chosen.version}): {kind} in {site.name}: {arguments.reason}"
    value = {"model": config.model, "environment": site.name, "release": chosen.id, "hold": kind == "held"}
    return Outcome(value=value, text=text)


def _changed(change: Any) -> Outcome:
    now = f"release {change.release[:12]}" if change.release else "nothing"
    lines = [
        f"{change.model} in {change.environment}: {change.outcome}; serves {now}"
        + (f" at {change.url}" if change.url else "")
    ]
    lines += [
        f"  {step.share:>3} %: {step.outcome}" + "".join(f"\n         {reason}" for reason in step.reasons)
        for step in change.steps
    ]
    lines += [f"  because: {reason}" for reason in change.reasons]
    code = RolloutAborted.exit_code if change.outcome == "aborted" else 0
    return Outcome(value=change.to_json(), text="\n".join(lines), code=code)


_REASON = option("--reason", required=True, metavar="TEXT", help="why, for the log")

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
    Command(
        name="hold",
        help="keep automation from bringing a release into an environment",
        run=hold,
        arguments=(model_argument, environment_argument, release_arguments, _REASON),
    ),
    Command(
        name="release-hold",
        help="let a release that is on hold go on",
        run=release_hold,
        arguments=(model_argument, environment_argument, release_arguments, _REASON),
    ),
    Command(
        name="approve",
        help="review a pull request of the local forge, at the commit that it shows now",
        run=approve,
        arguments=(
            option("pull_request", type=int, metavar="NUMBER", help="as `release` printed it"),
            option("--reviewer", metavar="NAME", help="who reviews (default: Git's user.name)"),
            option("--request-changes", action="store_true", help="refuse instead"),
        ),
    ),
)
