"""Gives a new release its traffic step by step, asking both releases the latest real requests at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_ci.core.predictions import Predictions, joined
from mlops_ci.core.records import Release
from mlops_ci.core.rollout import (
    Replay,
    StepDecision,
    StepEvidence,
    Traffic,
    compare_answers,
    decide_step,
    usual_distance,
)
from mlops_ci.core.shift import FEWEST_ROWS, shifts
from mlops_ci.core.signature import Signature
from mlops_ci.errors import VerificationError
from mlops_ci.pipeline.checks import Check, Verification
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.golden_check import ask_golden
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import Answer

REPLAYED = 300
"""Requests a step: enough for the tests' power, and asked in a second or two."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One share of the traffic in per cent, and what was decided there."""

    share: int
    outcome: str
    reasons: Sequence[str] = ()
    insufficient: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The steps taken. `reasons` say why it was aborted; empty where the new release may have all traffic.

    `failed` is the verification because of which there was no step, where that is the reason.
    """

    steps: tuple[Step, ...]
    reasons: tuple[str, ...]
    failed: Verification | None = None

    @property
    def share(self) -> int:
        """The traffic that the new release had at the most."""
        return self.steps[-1].share if self.steps else 0


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One release at its own address, with what is known of it."""

    url: str
    release: Release
    signature: Signature
    golden: GoldenRows


def roll_out(site: Site, new: Release, stable: Release | None) -> Rollout:
    """Starts the new release and moves the traffic to it, as long as nothing speaks against it.

    It gets none before it has answered its golden rows. Where nothing serves, or only what is on hold here, there is
    nothing to compare with, and no step. The caller makes the outcome final: all traffic to the new release, or back.
    Raises VerificationError where the rollback drill fails: then there would be no way back.
    """
    state = site.state()
    old = None
    if stable is not None and site.before is not None and not (state and stable.id in state.holds):
        old = _drill(site, stable)
    site.console.say(f"{site.name}: starting version {new.version} of {site.model}")
    try:
        url = site.start(new)
    except VerificationError as error:
        return Rollout(steps=(), reasons=(error.what,))
    verification = site.verify(new, url, under_load=False).of_a_running_service()
    if not verification.ok:
        return Rollout(steps=(), reasons=(verification.reason,), failed=verification)
    if old is None:
        return Rollout(steps=(), reasons=())
    return _steps(site, _Side(url=url, release=new, signature=site.signature(new), golden=site.golden(new)), old)


def _drill(site: Site, stable: Release) -> _Side:
    """Does the way back work: all traffic to stable, which answers its golden rows at the environment's address?"""
    side = _Side(url="", release=stable, signature=site.signature(stable), golden=site.golden(stable))
    try:
        side = replace(side, url=site.start(stable))
        site.target.route(site.name, site.model, {stable.id: 100})
        check = _golden_check(site, replace(side, url=site.url))
        problem = "" if check.ok else f"{check.name}: {check.detail}"
    except VerificationError as error:
        problem = error.what
    if problem:
        raise VerificationError(
            f"the rollback drill failed, so there would be no way back to version {stable.version}: {problem}",
            where=site.url,
            fix=f"mend that service; or say that nobody shall go back to it, and the new release is judged by itself: "
            f"mlops-ci hold {site.model} --environment {site.name} --release {stable.id[:12]} --reason ...",
        )
    return side


def _golden_check(site: Site, side: _Side) -> Check:
    return ask_golden(
        site.client, side.url, release=side.release, signature=side.signature, golden=side.golden, limits=site.parity
    )


def _steps(site: Site, new: _Side, stable: _Side) -> Rollout:
    steps: list[Step] = []
    evaluated = _ask(site, new.golden.records, stable, new)
    for share in site.environment.rollout.steps:
        shares = {new.release.id: share, stable.release.id: 100 - share}
        site.target.route(site.name, site.model, {release: part for release, part in shares.items() if part})
        site.clock.sleep(site.environment.rollout.window.total_seconds())
        decision = _judge(site, new, stable, evaluated, last=share == site.environment.rollout.steps[-1])
        site.record(
            "rollout-step",
            release=new.release.id,
            share=share,
            outcome=decision.outcome,
            reasons=list(decision.reasons),
        )
        step = Step(share=share, outcome=decision.outcome, reasons=decision.reasons, insufficient=decision.insufficient)
        steps.append(step)
        said = "; ".join(decision.reasons or decision.insufficient)
        site.console.say(f"{site.name}: {share} %: {decision.outcome}{f' ({said})' if said else ''}")
        if decision.reasons:
            break
    return Rollout(steps=tuple(steps), reasons=tuple(steps[-1].reasons) if steps else ())


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The same rows asked of both: the answers to those that both answered, and how each fared as traffic."""

    stable: Predictions | None
    new: Predictions | None
    stable_traffic: Traffic
    new_traffic: Traffic
    failed: int


def _judge(site: Site, new: _Side, stable: _Side, evaluated: _Asked, *, last: bool) -> StepDecision:
    recent = site.target.recent_requests(site.name, site.model, stable.release.id, REPLAYED)
    unheard = bool(recent.redacted) and not recent.records
    # What is left out of the log cannot be asked again: golden rows show errors and latency, if not users' answers.
    asked = _ask(site, new.golden.records[:REPLAYED] if unheard else recent.records, stable, new)
    golden = _golden_check(site, new)
    tolerance = usual_distance(evaluated.stable, evaluated.new) if evaluated.stable and evaluated.new else 0.0
    decision = decide_step(
        StepEvidence(
            new=asked.new_traffic,
            stable=asked.stable_traffic,
            replay=_replay(asked, tolerance) or Replay(rows=asked.failed, failed=asked.failed, differing=0),
            expected=_replay(evaluated, tolerance),
            golden=() if golden.ok else (golden.detail,),
        ),
        last=last,
    )
    moved: list[str] = []
    if asked.stable and asked.new and evaluated.stable and evaluated.new:
        live, known = (asked.stable, asked.new), (evaluated.stable, evaluated.new)
        moved = shifts(live, known, classes=new.signature.classes)
    unknown = decision.insufficient
    if unheard:
        left_out = ", ".join(recent.redacted)
        unknown += (f"golden rows were asked in place of live requests, of which the log leaves out {left_out}",)
    if len(evaluated.new or ()) < FEWEST_ROWS:
        unknown += (f"whether answers move to one side: only {len(evaluated.new or ())} golden rows to compare with",)
    if not moved:
        return replace(decision, insufficient=unknown)
    return StepDecision(outcome="abort", reasons=(*decision.reasons, *moved), insufficient=unknown)


def _ask(site: Site, records: Sequence[Mapping[str, Any]], stable: _Side, new: _Side) -> _Asked:
    """Asks both sides each record by itself, as clients do."""
    pairs = [(_one(site, stable, record), _one(site, new, record)) for record in records]
    good = [(old.predictions, fresh.predictions) for old, fresh in pairs if old.predictions and fresh.predictions]
    return _Asked(
        stable=joined([old for old, _ in good]) if good else None,
        new=joined([fresh for _, fresh in good]) if good else None,
        stable_traffic=_traffic([old for old, _ in pairs]),
        new_traffic=_traffic([fresh for _, fresh in pairs]),
        failed=sum(1 for old, fresh in pairs if not old.error and fresh.error),
    )


def _one(site: Site, side: _Side, record: Mapping[str, Any]) -> Answer:
    """The record as this side's clients would send it: its own columns; one that the record lacks is missing there."""
    own = {column.name: record.get(column.name) for column in side.signature.inputs}
    return site.client.score(side.url, [own], side.signature)


def _traffic(answers: Sequence[Answer]) -> Traffic:
    return Traffic(
        requests=len(answers),
        errors=sum(1 for answer in answers if answer.error),
        latencies=[answer.milliseconds for answer in answers if not answer.error],
    )


def _replay(asked: _Asked, tolerance: float) -> Replay | None:
    if asked.stable is None or asked.new is None:
        return None
    replay = compare_answers(asked.stable, asked.new, tolerance=tolerance)
    return Replay(rows=replay.rows + asked.failed, failed=replay.failed + asked.failed, differing=replay.differing)
