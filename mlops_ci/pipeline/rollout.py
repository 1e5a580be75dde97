"""Gives a new release its traffic stage by stage, and looks at both releases again and again while it does.

What a stage shows is decided by `core.rollout`; here it is looked at: what the router counts of users' requests, what
both answer to the latest of them, the golden rows, and whether the services run.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from mlops_ci.core.events import timestamp
from mlops_ci.core.records import Release
from mlops_ci.core.rollout import Decision, RolloutState, Seen, begin, look
from mlops_ci.core.rollout_plan import Stage
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import MlopsError, OutsideError, VerificationError
from mlops_ci.pipeline.checks import Verification
from mlops_ci.pipeline.drill import drill, golden_check, require_stable, revived
from mlops_ci.pipeline.progress import Counts, Progress, plan_of, progress_of
from mlops_ci.pipeline.replay import Replays, Side, usual_replay
from mlops_ci.pipeline.site import Site

COMPARING = "comparing"
UNWELL = 2
"""So many looks in a row at which a running service does not say that it is ready: once may be a pause."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One share of the traffic in per cent, and what was decided there; `until` is when an A/B test ends."""

    share: int
    outcome: str
    reasons: Sequence[str] = ()
    insufficient: Sequence[str] = ()
    stage: str = "step"
    until: str = ""


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
        return max((step.share for step in self.steps), default=0)

    @property
    def comparing(self) -> bool:
        """Whether it has not ended: an A/B test goes on, and nobody waits for it."""
        return bool(self.steps) and self.steps[-1].outcome == COMPARING


def roll_out(site: Site, new: Release, stable: Release | None) -> Rollout:
    """Starts the new release and moves the traffic to it, as long as nothing speaks against it.

    It gets none before it has answered its golden rows. Where nothing serves, or only what is on hold here, there is
    nothing to compare with, and no step. A rollout that was begun goes on where it was. The caller makes the outcome
    final: all traffic to the new release, or back. Raises VerificationError where the rollback drill fails: then there
    would be no way back. Whatever is raised, all traffic is with stable again, as far as the router does that.
    """
    state = site.state()
    if stable is None or site.before is None or (state and stable.id in state.holds):
        started = _start(site, new)
        return started if isinstance(started, Rollout) else Rollout(steps=(), reasons=())
    try:
        return _compare(site, new, stable)
    except (Exception, KeyboardInterrupt):  # nobody looks at the new release any more
        with suppress(MlopsError):
            site.target.route(site.name, site.model, {stable.id: 100})
        raise


def _start(site: Site, new: Release) -> Side | Rollout:
    """The new release's service, which has answered its golden rows; or the rollout that has failed here."""
    site.console.say(f"{site.name}: starting version {new.version} of {site.model}")
    try:
        url = site.start(new)
    except VerificationError as error:
        return Rollout(steps=(), reasons=(error.what,))
    verification = site.verify(new, url, under_load=False).of_a_running_service()
    if not verification.ok:
        return Rollout(steps=(), reasons=(verification.reason,), failed=verification)
    return Side(url=url, release=new, signature=site.signature(new), golden=site.golden(new))


def _compare(site: Site, new: Release, stable: Release) -> Rollout:
    progress = progress_of(site, new, stable)
    under_comparison = progress is not None and progress.state.stage.kind == "comparison"
    # Users are divided already: stable is not asked by itself at the environment's address.
    before = _counted(site, stable)
    old = _side(site, stable) if under_comparison else require_stable(site, stable)
    fresh = _start(site, new)
    if isinstance(fresh, Rollout):
        return _failed_at(progress, fresh) if progress else fresh
    if progress is None:
        expected, tolerance = usual_replay(site, old, fresh)
        before = before if before.requests else _counted(site, stable)
        classes = [str(name) for name in fresh.signature.classes]
        state = begin(plan_of(site), expected=expected, stable=before, classes=classes)
        return _Driver(site, new=fresh, stable=old, state=state, replays=Replays(tolerance=tolerance)).run()
    replays = Replays(tolerance=progress.tolerance, asked=progress.asked)
    driver = _Driver(site, new=fresh, stable=old, state=progress.state, replays=replays)
    return driver.run(progress if under_comparison else None)


def _failed_at(progress: Progress, rollout: Rollout) -> Rollout:
    """It had come so far before."""
    stage = progress.state.stage
    step = Step(share=progress.state.share, outcome="abort", reasons=rollout.reasons, stage=stage.kind)
    return replace(rollout, steps=(step,))


def _counted(site: Site, release: Release) -> LiveCounts:
    return site.target.traffic(site.name, site.model).get(release.id, LiveCounts())


def _side(site: Site, release: Release) -> Side:
    url = site.start(release)
    return Side(url=url, release=release, signature=site.signature(release), golden=site.golden(release))


class _Driver:
    """One rollout while it is going on."""

    def __init__(self, site: Site, *, new: Side, stable: Side, state: RolloutState, replays: Replays) -> None:
        self._site, self._new, self._stable, self._state, self._replays = site, new, stable, state, replays
        self._steps: list[Step] = []
        self._unwell = 0
        self._counted: Counts = {}
        self._live: Counts = {}
        self._began = site.clock.now()

    def run(self, comparison: Progress | None = None) -> Rollout:
        """From the present stage to the end, or into an A/B test; `comparison` is how far the present one has come."""
        while True:
            stage = self._state.stage
            if dead := self._dead():  # it has no place to give traffic to
                self._state = look(self._state, Seen(seconds=0.0, known=dead)).state
                self._abort(stage)
                return self._rollout()
            if stage.kind == "drill":
                drill(self._site, self._new, self._stable, share=stage.share)
                self._state = look(self._state, Seen(seconds=0.0)).state
                continue
            if stage.kind == "comparison" and comparison is None:
                self._enter(stage)
                self._record(stage, COMPARING)
                return self._rollout()
            decision = self._go_on(stage, comparison) if comparison else self._watch(stage)
            comparison = None
            if decision.outcome == "wait":
                return self._rollout()
            if decision.outcome == "abort":
                self._abort(stage, decision.insufficient)
            else:
                self._record(stage, decision.outcome, insufficient=decision.insufficient)
            if decision.outcome != "continue":
                return self._rollout()

    def _abort(self, stage: Stage, insufficient: Sequence[str] = ()) -> None:
        """Takes the traffic away at once. That it is to be taken back has to be on record in any case."""
        with suppress(MlopsError):
            self._site.target.route(self._site.name, self._site.model, {self._stable.release.id: 100})
        self._record(stage, "abort", self._state.reasons, insufficient)

    def _rollout(self) -> Rollout:
        return Rollout(steps=tuple(self._steps), reasons=tuple(self._steps[-1].reasons))

    def _divide(self, stage: Stage) -> None:
        site, new, stable = self._site, self._new.release.id, self._stable.release.id
        if stage.kind == "shadow":
            site.target.route(site.name, site.model, {stable: 100}, shadow=new)
            return
        shares = {new: stage.share, stable: 100 - stage.share}
        site.target.route(site.name, site.model, {release: share for release, share in shares.items() if share})

    def _enter(self, stage: Stage) -> None:
        self._divide(stage)
        self._began = self._site.clock.now()
        self._counted, self._live = self._traffic(), {}

    def _watch(self, stage: Stage) -> Decision:
        """Looks until the stage is decided: at every interval, and once more when it has lasted long enough."""
        self._enter(stage)
        clock, asked = self._site.clock, False
        start = clock.monotonic()
        while True:
            left = stage.seconds - (clock.monotonic() - start)
            clock.sleep(min(stage.interval, left) if left > 0 else stage.interval)
            seconds = clock.monotonic() - start
            golden = self._golden() if seconds >= stage.seconds and not asked else None
            asked = asked or golden is not None
            decision = self._look(seconds, golden)
            if decision.outcome != "wait":
                return decision

    def _go_on(self, stage: Stage, comparison: Progress) -> Decision:
        """One look at an A/B test, whose division is put right first."""
        self._began, self._counted, self._live = comparison.began, comparison.counted, comparison.live
        self._divide(stage)
        seconds = (self._site.clock.now() - self._began).total_seconds()
        known = (self._live, len(self._replays.asked))
        decision = self._look(seconds, self._golden())
        if decision.outcome == "wait":
            if known != (self._live, len(self._replays.asked)):
                self._record(stage, COMPARING, insufficient=decision.insufficient)
            else:
                self._steps.append(self._step(stage, COMPARING, insufficient=decision.insufficient))
        return decision

    def _look(self, seconds: float, golden: tuple[str, ...] | None) -> Decision:
        site, new, stable = self._site, self._new.release.id, self._stable.release.id
        dead = self._dead()
        replay, unheard = self._replays.latest(site, self._stable, self._new)
        counted = self._traffic()
        nothing = LiveCounts()
        came = {release: counts.since(self._counted.get(release, nothing)) for release, counts in counted.items()}
        self._counted = counted
        self._live = {release: self._live.get(release, nothing) + counts for release, counts in came.items()}
        decision = look(
            self._state,
            Seen(
                seconds=seconds, new=came[new], stable=came[stable], replay=replay, golden=golden, known=dead,
                unheard=unheard,
            ),
        )  # fmt: skip
        self._state = decision.state
        return decision

    def _traffic(self) -> Counts:
        """What the router has counted of either release."""
        counted = self._site.target.traffic(self._site.name, self._site.model)
        return {side.release.id: counted.get(side.release.id, LiveCounts()) for side in (self._new, self._stable)}

    def _golden(self) -> tuple[str, ...]:
        check = golden_check(self._site, self._new)
        return () if check.ok else (check.detail,)

    def _dead(self) -> tuple[str, ...]:
        """What is known against the new release's service; that of stable is started again where it has ended."""
        running = self._site.running()
        self._stable = revived(self._site, self._stable, running)
        new = running.get(self._new.release.id)
        service = f"the service of version {self._new.release.version}"
        if new is None:
            return (f"{service} has ended",)
        if held := self._held():
            return (f"it was put on hold: {held}",)
        self._unwell = 0 if new.healthy else self._unwell + 1
        return (f"{service} is not ready any more{f': {new.trouble}' if new.trouble else ''}",) * (
            self._unwell >= UNWELL
        )

    def _held(self) -> str:
        """Why people want it to stop. A store that does not answer now stops nothing."""
        with suppress(OutsideError):
            state = self._site.state()
            return state.holds.get(self._new.release.id, "") if state else ""
        return ""

    def _record(
        self, stage: Stage, outcome: str, reasons: Sequence[str] = (), insufficient: Sequence[str] = ()
    ) -> None:
        """Puts the step into the log, with what it rests on."""
        step = self._step(stage, outcome, reasons, insufficient)
        progress = Progress(
            stable=self._stable.release.id, state=self._state, tolerance=self._replays.tolerance,
            asked=tuple(self._replays.asked), began=self._began, counted=self._counted, live=self._live,
        )  # fmt: skip
        shown = {"insufficient": list(insufficient), "e_values": self._state.evidence.e_values}
        evidence = self._site.registry.put_json({**progress.to_json(), **shown})
        until = {"until": step.until} if step.until else {}
        self._site.record(
            "rollout-step", [evidence], release=self._new.release.id, share=stage.share, stage=stage.kind,
            outcome=outcome, reasons=list(reasons), **until,
        )  # fmt: skip
        self._steps.append(step)
        said = "; ".join(reasons or insufficient)
        name = f"{stage.share} %" if stage.share else stage.kind
        self._site.console.say(f"{self._site.name}: {name}: {outcome}{f' ({said})' if said else ''}")

    def _step(self, stage: Stage, outcome: str, reasons: Sequence[str] = (), insufficient: Sequence[str] = ()) -> Step:
        until = timestamp(self._began + timedelta(seconds=stage.seconds)) if outcome == COMPARING else ""
        return Step(
            share=stage.share, outcome=outcome, reasons=tuple(reasons), insufficient=tuple(insufficient),
            stage=stage.kind, until=until,
        )  # fmt: skip
