"""`promote`: an approved release into an environment, named by the release or by its pull request."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from mlops_ci.cli.changes import changed
from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.delivery import chosen_release, site_after, site_of
from mlops_ci.cli.output import error_outcome, fenced
from mlops_ci.cli.publishing import propose_next, require_on_main
from mlops_ci.cli.telling import tell_deployment, tell_promotion
from mlops_ci.cli.verifying import check_lines
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, ApprovalMissing, ConfigurationError, MlopsError, NotYet, OutsideError
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.desired_state import path_of, read_desired
from mlops_ci.pipeline.promote import promote
from mlops_ci.pipeline.proposal_text import last_verification
from mlops_ci.pipeline.proposals import PROMOTIONS, promotion_of
from mlops_ci.pipeline.reconcile import reconcile
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest
from mlops_ci.ports.publishing import Conclusion


def promote_release(context: Context, config: ModelConfig, arguments: argparse.Namespace) -> Outcome:
    """The release that the arguments name, into the environment `--to`."""
    site = _site(context, config, arguments.to)
    chosen = chosen_release(context, config, arguments, serving_in=site.before)
    return _done(context, config, site, promote(site, chosen), chosen)


def promote_pull_request(context: Context, number: int) -> Outcome:
    """What the pull request proposes, where it is a promotion. One that waits for approvals, or that people closed, is
    no error: this is what every review calls.
    """
    pull = context.forge.pull_request(number)
    found = promotion_of(pull.branch)
    if found is None:
        return _nothing(pull, "not-a-promotion", f"branch {pull.branch} is no promotion's")
    environment, model = found
    about = {"model": model, "environment": environment}
    if pull.state == "closed":
        return _nothing(pull, "closed", "it was closed", **about)
    config = context.config(model)
    site = _site(context, config, environment)
    chosen = _proposed(site, pull)
    try:
        # Whoever merged it, the environment has to follow.
        change = reconcile(site) if pull.state == "merged" else promote(site, chosen)
    except ApprovalMissing as error:
        tell_promotion(context, pull, "neutral", f"waiting: {error.what}", _as_list(error))
        reasons = [problem.what for problem in error.problems] or [error.what]
        return _nothing(pull, "waiting", error.what, reasons=reasons, release=chosen.id, **about)
    except MlopsError as error:
        again = isinstance(error, OutsideError)  # which says nothing of the release
        tell_promotion(context, pull, "neutral" if again else "failure", error.what, _as_list(error))
        raise
    outcome = _done(context, config, site, change, chosen)
    tell_promotion(context, pull, _conclusion(change, chosen), f"{environment}: {change.outcome}", fenced(outcome.text))
    following = outcome.value.get("pull_request")
    return replace(outcome, value={**outcome.value, "pull_request": number, "next_pull_request": following})


def promote_open(context: Context, environment: str | None) -> Outcome:
    """Every open promotion of this project (to that environment), the oldest first: for forges where no event tells of
    an approval.

    What has to wait, for people or for the time, is no error, and what is wrong with one keeps no other back.
    """
    done: list[Outcome] = []
    errors: list[tuple[PullRequest, MlopsError]] = []
    models = context.models()
    for pull in context.forge.open_pull_requests(PROMOTIONS):
        found = promotion_of(pull.branch)
        if found is None or found[1] not in models or environment not in (None, found[0]):
            continue
        try:
            done.append(promote_pull_request(context, pull.number))
        except (ApprovalError, NotYet) as error:
            done.append(_nothing(pull, "waiting", error.what, model=found[1], environment=found[0]))
        except MlopsError as error:
            context.console.warn(f"pull request {pull.number}: {error.what}")
            errors.append((pull, error))
    lines = [outcome.text for outcome in done]
    lines += [f"pull request {pull.number} ({pull.title}): {error.what}" for pull, error in errors]
    failed = [{"pull_request": pull.number, **error_outcome(error).value} for pull, error in errors]
    return Outcome(
        value={"promotions": [outcome.value for outcome in done], "errors": failed},
        text="\n".join(lines) or "no promotion is open",
        code=errors[0][1].exit_code if errors else max((outcome.code for outcome in done), default=0),
        problems=[problem for _, error in errors for problem in error_outcome(error).problems],
    )


def _site(context: Context, config: ModelConfig, name: str) -> Site:
    """Where to promote to. Raises ConfigurationError for the first environment, and on a forge where what is checked
    out is not merged: the run of a review has the pull request's files, unless its workflow checks out main.
    """
    if context.on_forge:
        require_on_main(context)
    site = site_of(context, config, name)
    if site.before is None:
        raise ConfigurationError(
            f"{site.name} is the first environment: nothing is promoted to it", fix=f"mlops-ci release {config.model}"
        )
    return site


def _proposed(site: Site, pull: PullRequest) -> Release:
    """The release that the pull request's head names. Raises ConfigurationError where it names none."""
    desired = read_desired(site.repository, site.name, site.model, ref=pull.head)
    if desired is None:
        raise ConfigurationError(
            f"pull request {pull.number} names no release", where=path_of(site.name, site.model), fix="close it"
        )
    return site.release(desired.release)


def _done(context: Context, config: ModelConfig, site: Site, change: Change, chosen: Release) -> Outcome:
    """What became of it; once it serves, it is proposed for the environment that comes next."""
    tell_deployment(context, site, change)
    outcome = changed(change)
    verification = last_verification(context.registry, context.log, chosen, site.name)
    if verification is not None and change.release == chosen.id:
        text = "\n".join([outcome.text, *check_lines(verification)])
        outcome = replace(outcome, value={**outcome.value, "verification": verification}, text=text)
    following = site_after(context, config, site.name)
    if change.release != chosen.id or following is None:
        return outcome
    pull, refused = propose_next(following, chosen)
    proposed = f"\npull request {pull.number}: {pull.title}" if pull else ""
    proposed += f"\nnot proposed for {following.name}, {refused}" if refused else ""
    value = {**outcome.value, "pull_request": pull.number if pull else None}
    return Outcome(value=value, text=f"{outcome.text}{proposed}", code=outcome.code)


def _conclusion(change: Change, chosen: Release) -> Conclusion:
    if change.rejected == chosen.id:
        return "failure"
    return "success" if chosen.id in (change.release, change.comparing) else "neutral"


def _nothing(pull: PullRequest, outcome: str, why: str, **more: Any) -> Outcome:
    value = {
        "model": None, "environment": None, "release": None, "previous": None, "steps": [], "reasons": [why],
        "outcome": outcome, "pull_request": pull.number, **more,
    }  # fmt: skip
    return Outcome(value=value, text=f"pull request {pull.number} ({pull.title}): {outcome}: {why}")


def _as_list(error: MlopsError) -> str:
    lines = [error.what, *(f"- {problem.what}" for problem in error.problems)]
    return "\n".join([*lines, "", error.fix]).strip()
