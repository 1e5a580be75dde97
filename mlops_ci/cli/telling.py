"""Shows on the forge what became of an environment: its deployments, and how a promotion's pull request stands.

It is for people alone. Nothing is decided by it, and a forge that fails here spoils nothing of what was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_ci.errors import MlopsError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.pipeline.change import Change
    from mlops_ci.pipeline.site import Site
    from mlops_ci.ports import Publisher, PullRequest
    from mlops_ci.ports.publishing import Conclusion, DeploymentState

PROMOTION_CHECK = "mlops-ci promotion"
SERVING = frozenset({"deployed", "promoted", "restored", "rolled-back"})
"""Outcomes that say that a release serves which did not before."""


def tell_deployment(context: Context, site: Site, change: Change) -> None:
    """The environment's deployments: what serves by now and where, and what was refused or taken back and why."""
    with _spoiling_nothing(context) as publisher:
        if publisher is None:
            return
        for release, state, description in _deployments(change):
            record = site.release(release)
            publisher.deployment(
                site.name,
                record.commit,
                key=site.model,
                state=state,
                url=site.url if state != "failure" else "",
                description=f"{site.model} version {record.version}" + (f": {description}" if description else ""),
                payload={"model": site.model, "release": record.id, "version": str(record.version)},
            )


def tell_promotion(context: Context, pull: PullRequest, conclusion: Conclusion, title: str, summary: str) -> None:
    """A check on the commit that the promotion showed: what it waits for, or what became of it."""
    with _spoiling_nothing(context) as publisher:
        if publisher is not None:
            publisher.check(pull.head, name=PROMOTION_CHECK, conclusion=conclusion, title=title, summary=summary)


def _deployments(change: Change) -> Iterator[tuple[str, DeploymentState, str]]:
    if change.rejected and change.outcome != "reverting":
        yield change.rejected, "failure", "; ".join(change.reasons)
    if change.comparing:
        yield change.comparing, "in_progress", "an A/B test is under way"
    if change.release and change.outcome in SERVING:
        yield change.release, "success", "back again" if change.outcome == "rolled-back" else ""


@contextmanager
def _spoiling_nothing(context: Context) -> Iterator[Publisher | None]:
    try:
        yield context.publisher
    except MlopsError as error:
        context.console.warn(f"the forge does not show it: {error.what}")
