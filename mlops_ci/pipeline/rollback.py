"""Takes an environment back to a release that served well before, and finishes what a killed run began of that.

Where to go back to is said by the event that begins it: a `held` for a rollback, a `rollout-aborted` for an abort. Then
traffic changes, then Git, and the log last, so that a run after a kill knows what is still to be done.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlops_ci.core.events import Event
from mlops_ci.core.state import rollback_target
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.admission import require_admitted
from mlops_ci.pipeline.change import Change, Result
from mlops_ci.pipeline.desired_state import commit_desired, read_desired
from mlops_ci.pipeline.rollout import Step
from mlops_ci.pipeline.site import Site

ROLLBACK = "rollback_to"
"""The key of the event that begins it, for where to go back to (null: nothing served before)."""


def roll_back(site: Site, *, reason: str, to: str | None = None) -> Change:
    """Serves `to` again (None: the latest good release that served before) and puts on hold what serves now.

    Raises OutsideError where another command is at work on the environment, ConfigurationError where there is nothing
    to go back to, ApprovalError where `to` is on hold, and VerificationError where it is not eligible any more.
    """
    with site.exclusive():
        return finish_rollback(site) or begin_rollback(site, reason=reason, to=to)


def begin_rollback(site: Site, *, reason: str, to: str | None = None) -> Change:
    """As `roll_back`, for a caller that has the environment to itself."""
    serving, good = _ends(site, to)
    site.record("held", release=serving, reason=reason, rollback_to=good)
    return return_to(site, good, bad=serving, reason=reason, outcome="rolled-back")


def finish_rollback(site: Site) -> Change | None:
    """Completes the rollback or the abort that a killed run has begun; None where there is none."""
    begun = _begun(site)
    if begun is None:
        return None
    bad, good = begun.subject["release"], begun.subject[ROLLBACK]
    if good is None:  # nothing served before: no event says that it is done, but Git does
        desired = read_desired(site.repository, site.name, site.model)
        if desired is None or desired.release != bad:
            return None
    if begun.kind == "held":
        return return_to(site, good, bad=bad, reason=begun.subject["reason"], outcome="rolled-back")
    return return_to(site, good, bad=bad, reason="; ".join(begun.subject["reasons"]), outcome="aborted")


def return_to(
    site: Site, good: str | None, *, bad: str, reason: str, outcome: Result, steps: Sequence[Step] = ()
) -> Change:
    """Serves the good release (None: nothing) and not the bad one, makes Git say so, and then the log."""
    state = site.state()
    if good is None:
        site.serve_nothing()
    else:
        site.serve_only(site.release(good))
    commit = _put_git_right(site, bad=bad, good=good, reason=reason)
    if good is not None:
        site.record("rolled-back", release=good, **{"from": bad}, reason=reason, commit=commit)
    return Change(
        model=site.model, environment=site.name, release=good, previous=state.release if state else None,
        outcome=outcome, url=site.url if good else None, rejected=bad, reasons=(reason,), steps=steps,
    )  # fmt: skip


def _ends(site: Site, to: str | None) -> tuple[str, str]:
    """What serves now and what shall, checked."""
    state = site.model_state()
    place = state.environments.get(site.name)
    good = to or rollback_target(state, site.name)
    if place is None or place.release is None or good is None or good == place.release:
        serves = f"release {place.release[:12]} serves, and " if place and place.release else ""
        raise ConfigurationError(
            f"{serves}there is no other release that {site.name} could go back to",
            fix=f"see mlops-ci history {site.model}",
        )
    if good not in place.served:
        raise ConfigurationError(
            f"release {good[:12]} has never served in {site.name}, or was taken back there",
            fix=f"mlops-ci promote {site.model} --to {site.name} --release {good[:12]}",
        )
    require_admitted(site, good)
    return place.release, good


def _begun(site: Site) -> Event | None:
    """The event that began a rollback or an abort which no later event says is finished."""
    begun = None
    for event in site.log.read(site.model):
        if event.subject.get("environment") != site.name:
            continue
        if ROLLBACK in event.subject:
            begun = event
        elif event.kind in {"rolled-back", "deployed", "promoted"} or (
            event.kind == "hold-released" and begun is not None and event.subject["release"] == begun.subject["release"]
        ):
            begun = None
    return begun


def _put_git_right(site: Site, *, bad: str, good: str | None, reason: str) -> str:
    """Makes the main branch name the good release (or none) where it still names the bad one; the commit that does."""
    desired = read_desired(site.repository, site.name, site.model)
    if desired is None or desired.release != bad:
        return site.repository.commit(site.repository.main) or ""
    version = site.release(good).version if good else None
    title = f"Take {site.model} back to {f'version {version}' if good else 'nothing'} in {site.name}"
    return commit_desired(
        site.repository, environment=site.name, model=site.model, release=good, version=version,
        branch=site.repository.main, message=site.vouched(f"{title}\n\n{reason}"),
    )  # fmt: skip
