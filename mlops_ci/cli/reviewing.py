"""Commands by which people have their say about a release: approve, hold, release-hold."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import Command, Outcome, environment_argument, model_argument, option, release_arguments
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.core.records import Release
    from mlops_ci.pipeline.site import Site
    from mlops_ci.ports import PullRequest

LONGEST_REASON = 1000


def said_reason(text: str) -> str:
    """What a person gave as the reason, on one line and without what a terminal would obey.

    Raises ConfigurationError where nothing is left of it: the log is to say why.
    """
    from mlops_ci.pipeline.markdown import visible

    reason = visible(text, longest=LONGEST_REASON).strip()
    if not reason:
        raise ConfigurationError("--reason says nothing", fix="say why, for those who read the log later")
    return reason


def approve(arguments: argparse.Namespace, context: Context) -> Outcome:
    if arguments.pull_request is None:
        return _open_ones(context)
    reviewer = _named(arguments.reviewer or context.actor)
    pull = context.local_forge.pull_request(arguments.pull_request)
    review = context.local_forge.review(
        pull.number, reviewer=reviewer, commit=pull.head, approve=not arguments.request_changes
    )
    return Outcome(
        value={"pull_request": pull.number, "reviewer": reviewer, "commit": review.commit, "verdict": review.verdict},
        text=f"{reviewer}: {review.verdict} pull request {pull.number} ({pull.title}) at {review.commit[:12]}",
    )


def _named(reviewer: str) -> str:
    from mlops_ci.pipeline.markdown import visible

    if not reviewer.strip() or visible(reviewer) != reviewer:
        raise ConfigurationError(f"{visible(reviewer)!r} is no name of a reviewer", fix="--reviewer NAME, on one line")
    return reviewer


def hold(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.pipeline.hold import hold as hold_release

    reason = said_reason(arguments.reason)
    site, chosen = _chosen(arguments, context)
    new = hold_release(site, chosen, reason=reason)
    name = f"release {chosen.id[:12]} (version {chosen.version})"
    text = f"{name} is on hold in {site.name}: {reason}" if new else f"{name} is already on hold in {site.name}"
    return Outcome(value=_value(site, chosen, hold=True), text=text)


def release_hold(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import site_of
    from mlops_ci.pipeline.hold import propose_again
    from mlops_ci.pipeline.hold import release_hold as lift

    reason = said_reason(arguments.reason)
    site, chosen = _chosen(arguments, context)
    lifted = lift(site, chosen, reason=reason)
    config = context.config(arguments.model)
    here = site.chain.index(site.name)
    sites = [site_of(context, config, name) for name in site.chain[here : here + 2]]  # the hold kept it from both
    pull = next((pull for pull in (propose_again(each, chosen) for each in sites) if pull), None)
    name = f"release {chosen.id[:12]} (version {chosen.version})"
    text = f"{name} is {'not on hold any more' if lifted else 'not on hold'} in {site.name}"
    text += f": {reason}" if lifted else ""
    text += f"\npull request {pull.number}: {pull.title}" if pull else ""
    value = {**_value(site, chosen, hold=False), "pull_request": pull.number if pull else None}
    return Outcome(value=value, text=text)


def _chosen(arguments: argparse.Namespace, context: Context) -> tuple[Site, Release]:
    from mlops_ci.cli.delivery import chosen_release, site_of

    config = context.config(arguments.model)
    site = site_of(context, config, arguments.environment or config.environments[-1].name)
    return site, chosen_release(context, config, arguments, serving_in=site.name)


def _value(site: Site, release: Release, *, hold: bool) -> dict[str, Any]:
    return {"model": site.model, "environment": site.name, "release": release.id, "hold": hold}


def _open_ones(context: Context) -> Outcome:
    """The open pull requests, as a reviewer needs them: what each shows, and who has said what about it."""
    from dataclasses import asdict

    pulls = context.forge.open_pull_requests("")
    reviews = {pull.number: context.forge.reviews(pull.number) for pull in pulls}
    value = [
        {**asdict(pull), "reviews": [asdict(review) for review in reviews[pull.number]]}
        for pull in pulls
    ]  # fmt: skip
    texts = [_shown(pull, [f"{one.reviewer}: {one.verdict} at {one.commit[:12]}" for one in reviews[pull.number]])
             for pull in pulls]  # fmt: skip
    return Outcome(value={"pull_requests": value}, text="\n\n".join(texts) or "no pull request is open")


def _shown(pull: PullRequest, reviews: list[str]) -> str:
    from mlops_ci.pipeline.markdown import visible

    lines = [
        f"pull request {pull.number}: {visible(pull.title)}",
        f"  git show {pull.head[:12]}",
        f"  mlops-ci approve {pull.number} --reviewer NAME",
        *(f"  {visible(review)}" for review in reviews),
        *(f"  | {visible(line, spaced=True)}".rstrip() for line in pull.body.splitlines()),
    ]
    return "\n".join(lines)


_REASON = option("--reason", required=True, metavar="TEXT", help="why, for the log")

COMMANDS = (
    Command(
        name="approve",
        help="review a pull request of the local forge, at the commit that it shows now",
        run=approve,
        arguments=(
            option(
                "pull_request",
                type=int,
                nargs="?",
                metavar="NUMBER",
                help="as `release` printed it; without one all that are open are shown",
            ),
            option("--reviewer", metavar="NAME", help="who reviews (default: Git's user.name)"),
            option("--request-changes", action="store_true", help="refuse instead"),
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
)
