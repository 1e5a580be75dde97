"""Brings an environment to what Git says it should serve: idempotent, and safe to kill at any point.

The order of things makes it so: traffic changes first, then Git where it has to be put right, and the log last. A run
that is killed leaves traffic that the log does not know of yet; the next run compares the three again and finishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mlops_ci.core.records import Release
from mlops_ci.core.state import obstacles
from mlops_ci.errors import VerificationError
from mlops_ci.pipeline.desired_state import commit_desired, read_desired
from mlops_ci.pipeline.rollout import Step, roll_out
from mlops_ci.pipeline.site import Site

Result = Literal["nothing", "unchanged", "restored", "deployed", "promoted", "aborted", "rolled-back"]
ROLLBACK = "rollback_to"
"""The key of a `held` event that begins a rollback: where to go back to."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of an environment: `release` serves now, `previous` did before, `rejected` was refused or taken back."""

    model: str
    environment: str
    release: str | None
    previous: str | None
    outcome: Result
    url: str | None = None
    rejected: str | None = None
    reasons: Sequence[str] = ()
    steps: Sequence[Step] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"reasons": list(self.reasons), "steps": [asdict(step) for step in self.steps]}


def reconcile(site: Site) -> Change:
    """Makes the environment serve what the main branch names; puts Git right where it names what must not serve.

    Raises OutsideError where another reconcile of the environment is at work, and VerificationError where Git names a
    release that was not verified in the environment before.
    """
    with site.target.exclusive(site.name, site.model):
        return _finish_rollback(site) or _follow_git(site)


def roll_back(site: Site, *, to: str, reason: str) -> Change:
    """Serves `to` again instead of what serves now, and puts that on hold so that no automation brings it back."""
    with site.target.exclusive(site.name, site.model):
        unfinished = _finish_rollback(site)
        if unfinished:
            return unfinished
        serving = _serving(site)
        assert serving is not None, "the caller has chosen `to` among what served before"
        site.record("held", release=serving, reason=reason, **{ROLLBACK: to})
        return _return(site, bad=serving, good=to, reason=reason, outcome="rolled-back")


def _follow_git(site: Site) -> Change:
    state = site.state()
    serving = state.release if state else None
    desired = read_desired(site.repository, site.name, site.model)
    if desired is None:
        return Change(model=site.model, environment=site.name, release=serving, previous=serving, outcome="nothing")
    if desired.release == serving:
        changed = site.serve_only(site.release(serving))
        outcome: Result = "restored" if changed else "unchanged"
        return Change(
            model=site.model, environment=site.name, release=serving, previous=serving, outcome=outcome, url=site.url
        )
    if state and desired.release in state.holds:
        reason = state.holds[desired.release]
        return _return(site, bad=desired.release, good=serving, reason=reason, outcome="aborted")
    in_the_way = obstacles(site.model_state(), before=site.before, environment=site.name, release=desired.release)
    if in_the_way:
        raise VerificationError(
            "; ".join(in_the_way),
            where=f"environments/{site.name}/{site.model}.yaml",
            fix="name a release that is verified",
        )
    return _replace(site, site.release(desired.release), site.release(serving) if serving else None, desired.commit)


def _replace(site: Site, new: Release, stable: Release | None, commit: str) -> Change:
    rollout = roll_out(site, new, stable)
    previous = stable.id if stable else None
    if rollout.reasons:
        site.record("rollout-aborted", release=new.id, share=rollout.share, reasons=list(rollout.reasons))
        reason = "; ".join(rollout.reasons)
        return _return(site, bad=new.id, good=previous, reason=reason, outcome="aborted", steps=rollout.steps)
    site.serve_only(new)
    if site.before is None:
        site.record("deployed", release=new.id, previous=previous, url=site.url)
    else:
        site.record("promoted", release=new.id, previous=previous, commit=commit, url=site.url)
    return Change(
        model=site.model, environment=site.name, release=new.id, previous=previous,
        outcome="deployed" if site.before is None else "promoted", url=site.url, steps=rollout.steps,
    )  # fmt: skip


def _finish_rollback(site: Site) -> Change | None:
    """Completes the rollback that a killed run had begun; None where there is none."""
    begun = None
    for event in site.log.read(site.model):
        if event.subject.get("environment") != site.name:
            continue
        if event.kind == "held" and ROLLBACK in event.subject:
            begun = event
        elif event.kind in {"rolled-back", "hold-released"}:
            begun = None
    if begun is None:
        return None
    subject = begun.subject
    return _return(
        site, bad=subject["release"], good=subject[ROLLBACK], reason=subject["reason"], outcome="rolled-back"
    )


def _return(
    site: Site, *, bad: str, good: str | None, reason: str, outcome: Result, steps: Sequence[Step] = ()
) -> Change:
    """Serves the good release (None: nothing) and not the bad one, makes Git say so, and then the log."""
    previous = _serving(site)
    if good is None:
        site.serve_nothing()
    else:
        site.serve_only(site.release(good))
    commit = _put_git_right(site, bad=bad, good=good, reason=reason)
    if good is not None:
        site.record("rolled-back", release=good, **{"from": bad}, reason=reason, commit=commit)
    return Change(
        model=site.model, environment=site.name, release=good, previous=previous, outcome=outcome,
        url=site.url if good else None, rejected=bad, reasons=(reason,), steps=steps,
    )  # fmt: skip


def _serving(site: Site) -> str | None:
    state = site.state()
    return state.release if state else None


def _put_git_right(site: Site, *, bad: str, good: str | None, reason: str) -> str:
    """Makes the main branch name the good release (or none) where it still names the bad one; the commit that does."""
    desired = read_desired(site.repository, site.name, site.model)
    if desired is None or desired.release != bad:
        return site.repository.commit(site.repository.main) or ""
    version = site.release(good).version if good else None
    message = f"Take {site.model} back to {f'version {version}' if good else 'nothing'} in {site.name}\n\n{reason}"
    return commit_desired(
        site.repository, environment=site.name, model=site.model, release=good or "", version=version,
        branch=site.repository.main, message=message,
    )  # fmt: skip
