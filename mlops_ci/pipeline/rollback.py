"""Takes an environment back to a release that served well before, and finishes what a killed run began of that.

Where to go back to is said by the event that begins it: a `held` for a rollback, a `rollout-aborted` for an abort. Then
traffic changes, then Git (or its pull request, where people have to merge it), and the log last, so that a run after a
kill knows what is still to be done.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlops_ci.core.events import Event
from mlops_ci.core.state import ModelState, rollback_target, unfit
from mlops_ci.errors import ApprovalError, ConfigurationError, VerificationError
from mlops_ci.pipeline.change import Change, Result
from mlops_ci.pipeline.desired_state import read_desired
from mlops_ci.pipeline.pull_requests import closing_the_pointless
from mlops_ci.pipeline.revert import put_git_right, waiting_revert
from mlops_ci.pipeline.rollout import Step
from mlops_ci.pipeline.site import Site

ROLLBACK = "rollback_to"
"""The key of the event that begins it, for where to go back to (null: nothing served before)."""


def roll_back(site: Site, *, reason: str, to: str | None = None) -> Change:
    """Serves `to` again (None: the latest good release that served before) and puts on hold what serves now.

    While a rollout is under way, it ends that: what serves goes on to serve, and the new release is on hold.

    Raises OutsideError where another command is at work on the environment, ConfigurationError where there is nothing
    to go back to, ApprovalError where `to` is on hold, and VerificationError where it is not eligible any more.
    """
    with site.exclusive(), closing_the_pointless(site):
        finished = finish_rollback(site)
        if finished is not None:
            return finished
        new = _rolling_out(site)
        if new is not None:
            change = _end_rollout(site, new, reason, outcome="rolled-back")
            if to in (None, change.release):
                return change
        return begin_rollback(site, reason=reason, to=to)


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
        if desired is None or desired.release != bad or waiting_revert(site, None):
            return None
    if begun.kind == "held":
        return return_to(site, good, bad=bad, reason=begun.subject["reason"], outcome="rolled-back")
    return return_to(site, good, bad=bad, reason="; ".join(begun.subject["reasons"]), outcome="aborted")


def return_to(
    site: Site, good: str | None, *, bad: str, reason: str, outcome: Result, steps: Sequence[Step] = ()
) -> Change:
    """Serves the good release (None: nothing) and not the bad one, makes Git say so, and then the log."""
    state = site.state()
    _serve(site, good)
    revert = put_git_right(site, good, reason=reason)
    if good is not None:
        site.record("rolled-back", release=good, **{"from": bad}, reason=reason, commit=revert.commit)
    return Change(
        model=site.model, environment=site.name, release=good, previous=state.release if state else None,
        outcome=outcome, url=site.url if good else None, rejected=bad, reasons=(reason,), steps=steps,
        revert=revert.waiting.number if revert.waiting else None,
    )  # fmt: skip


def keep_out(site: Site, serving: str | None, *, bad: str, reason: str) -> Change:
    """What serves (None: nothing) goes on to serve, though Git names what is on hold, and Git is put right.

    A rollout of it that was under way is ended. Else, as long as that waits for people, nothing is put on record:
    nothing has changed.
    """
    state = site.state()
    if state and state.rollout and state.rollout.release == bad:
        return _end_rollout(site, bad, reason, outcome="aborted")
    _serve(site, serving)
    revert = put_git_right(site, serving, reason=reason)
    if revert.waiting is None and serving is not None:
        site.record("rolled-back", release=serving, **{"from": bad}, reason=reason, commit=revert.commit)
    settled: Result = "rolled-back" if revert.waited else "aborted"
    return Change(
        model=site.model, environment=site.name, release=serving, previous=serving, rejected=bad, reasons=(reason,),
        outcome="reverting" if revert.waiting else settled, url=site.url if serving else None,
        revert=revert.waiting.number if revert.waiting else None,
    )  # fmt: skip


def _serve(site: Site, release: str | None) -> None:
    if release is None:
        site.serve_nothing()
    else:
        site.serve_only(site.release(release))


def _rolling_out(site: Site) -> str | None:
    """The release that Git names and that has, or had, a part in what runs here; None where no rollout is under way."""
    desired, state = read_desired(site.repository, site.name, site.model), site.state()
    if desired is None or state is None or desired.release == state.release or desired.release in state.holds:
        return None
    begun = state.rollout is not None and state.rollout.release == desired.release
    runs = any(one.release == desired.release for one in site.target.instances(site.name, site.model))
    return desired.release if begun or runs else None


def _end_rollout(site: Site, new: str, reason: str, *, outcome: Result) -> Change:
    state = site.state()
    stable, share = None, 0
    if state is not None:
        stable = state.release
        share = state.rollout.share if state.rollout and state.rollout.release == new else 0
    site.record("rollout-aborted", release=new, share=share, reasons=[reason], rollback_to=stable)
    return return_to(site, stable, bad=new, reason=reason, outcome=outcome)


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
    _require_good(site, state, good)
    return place.release, good


def _require_good(site: Site, state: ModelState, release: str) -> None:
    """Raises ApprovalError where it is on hold here, VerificationError where nobody vouches for it any more.

    What people said of the environment before since it served here is no reason not to go back to it.
    """
    held = state.environments[site.name].holds.get(release)
    if held is not None:
        raise ApprovalError(
            f"release {release[:12]} is on hold in {site.name}: {held}",
            fix=f"mlops-ci release-hold {site.model} --environment {site.name} --release {release[:12]} --reason ...",
        )
    problem = unfit(state, release)
    if problem:
        raise VerificationError(problem, fix=f"go back to another one; see mlops-ci history {site.model}")
    site.require_signed(release)


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
