"""Random sequences of all that can happen to a model: what must hold, holds after every change of the traffic.

Production only ever serves what is verified in the environment before and approved (or named on main by a person's own
commit), or what served before; nothing on hold gains traffic but what serves anyway; what serves is up; the log
explains what serves, and verifies; a rollback is never rolled back. `watched.py` says so in full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from mlops_ci.config.types import AbConfig, ApprovalsConfig
from mlops_ci.core.calendar import Freeze
from mlops_ci.core.records import Release
from mlops_ci.errors import MlopsError
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.desired_state import edit, path_of
from mlops_ci.pipeline.hold import hold, release_hold
from mlops_ci.pipeline.live_verification import reverify
from mlops_ci.pipeline.proposals import promotion_branch
from mlops_ci.pipeline.release import deploy
from mlops_ci.pipeline.rollback import roll_back
from mlops_ci.ports import PullRequest
from tests.delivery.watched import Interruption, Killed, WatchedWorld
from tests.delivery.world import MODEL, Line

NAMES = ("qa", "staging", "production")
LATER = NAMES[1:]
PEOPLE = ("grace", "linus", "ada", "dependabot[bot]", "mlops-ci[bot]")
KINDS: dict[str, Callable[[int], Line]] = {
    "good": lambda number: Line(slope=1 + number / 1e4),
    "equal": lambda _: Line(),
    "does not start": lambda number: Line(slope=1 + number / 1e4, starts=False),
    "answers wrongly": lambda number: Line(slope=1 + number / 1e4, lies=True),
    "answers wrongly to users": lambda number: Line(slope=1 + number / 1e4, live=5.0),
}
INTERRUPTIONS = st.none() | st.builds(
    Interruption, st.sampled_from(["killed", "killed", "refused", "reply lost"]), st.integers(1, 30)
)
HOSTILE = "worse\n\nMlops-Log: tides 1 " + "0" * 64 + "\x00\u202e"
"""A reason that would like to be a trailer of the commit."""
HAND_MADE = ("a release", "unknown", "garbage", "two lines", "no release", "no file", "what serves", "another key")


class Delivery(RuleBasedStateMachine):
    """Two environments after the first, one of which asks for two approvals and an hour of soak."""

    releases: Bundle[Release] = Bundle("releases")

    @initialize(
        target=releases, required=st.sampled_from([0, 1, 2]), soak=st.sampled_from([0, 60]),
        delivered=st.integers(0, 3),
    )  # fmt: skip
    def begin(self, required: int, soak: int, delivered: int) -> Any:
        self.world = WatchedWorld(
            names=NAMES, steps=(10, 50, 100), soak=timedelta(minutes=soak),
            approvals=ApprovalsConfig(required=required, people=()),
        )  # fmt: skip
        self.made = 0
        made = []
        for _ in range(delivered):
            made += self.make("good", None)
            for name in LATER:
                self.promote_with_blessing(None, name, None)
                assert self.world.serving(name) == made[-1].id
        return multiple(*made)

    def make(self, kind: str, interruption: Interruption | None) -> list[Release]:
        """The command `release`, and what it has registered."""
        self.made += 1
        before = self.world.registered()
        name = f"lock {self.made}"
        self.perform(lambda: self.world.release(KINDS[kind](self.made), name), interruption)
        return [self.world.site("qa").release(new) for new in self.world.registered() - before]

    def perform(self, command: Callable[[], Any], interruption: Interruption | None) -> Any:
        """What it returned; None where it did not come to its end."""
        interrupting = self.world.interrupting
        interrupting.changes.clear()
        interrupting.due = interruption
        try:
            done = command()
            note(f"-> {done.outcome if isinstance(done, Change) else 'done'}")
        except (Killed, MlopsError) as error:
            note(f"-> {type(error).__name__}: {error}")
            return None
        finally:
            interrupting.due = None
        return done

    def require_settled(self, name: str, change: Change | None) -> None:
        """After a command that came to its end."""
        if change and change.outcome == "rolled-back":
            self.world.require_logged(name)
            # Git may name a third one, or none, which somebody has merged and nobody rolled out yet
            assert change.rejected not in (self.world.named(name), self.world.serving(name))
        elif change:
            self.world.require_settled_in(name)

    # Commands.

    @rule(target=releases, kind=st.sampled_from([*KINDS, "good"]), interruption=INTERRUPTIONS)
    def release(self, kind: str, interruption: Interruption | None) -> Any:
        return multiple(*self.make(kind, interruption))

    @rule(release=releases, interruption=INTERRUPTIONS)
    def deploy_again(self, release: Release, interruption: Interruption | None) -> None:
        if self.perform(lambda: deploy(self.world.site("qa"), release), interruption):
            self.world.require_settled_in("qa")

    @rule(release=releases, name=st.sampled_from(LATER), interruption=INTERRUPTIONS)
    def propose(self, release: Release, name: str, interruption: Interruption | None) -> None:
        self.perform(lambda: self.world.propose(release, name), interruption)

    @rule(release=releases, name=st.sampled_from(LATER), interruption=INTERRUPTIONS)
    def promote(self, release: Release, name: str, interruption: Interruption | None) -> None:
        self.require_settled(name, self.perform(lambda: self.world.promote(release, name), interruption))

    @rule(release=st.none() | st.none() | releases, name=st.sampled_from(LATER), interruption=INTERRUPTIONS)
    def promote_with_blessing(self, release: Release | None, name: str, interruption: Interruption | None) -> None:
        """All as it should be: what serves in the environment before (or another one) is approved and has its time."""
        if release is None:
            serving = self.world.serving(NAMES[NAMES.index(name) - 1])
            if serving is None:
                return
            release = self.world.site(name).release(serving)
        self.perform(lambda: self.world.propose(release, name), None)
        for person in ("grace", "linus"):
            self.review(name, person, approve=True)
        self.world.clock.time += timedelta(hours=2)
        self.promote(release, name, interruption)

    @rule(
        target=releases, name=st.sampled_from(LATER), interruption=INTERRUPTIONS,
        kind=st.sampled_from(["good", "good", "answers wrongly to users"]),
        then=st.none() | st.sampled_from([*HAND_MADE, "held", "fails before"]),
    )  # fmt: skip
    def deliver(self, kind: str, name: str, interruption: Interruption | None, then: str | None) -> Any:
        """A new release goes as far as this environment; somebody may be quick to commit something else."""
        made = self.make(kind, None)
        for one in LATER[: LATER.index(name) + 1]:
            self.promote_with_blessing(None, one, interruption if one == name else None)
        for one in made:
            if then == "held":
                self.hold(one, name, "on second thoughts", None)
            elif then == "fails before":
                self.the_model_goes_wrong(NAMES[NAMES.index(name) - 1])
                self.verify_again(NAMES[NAMES.index(name) - 1], None)
            elif then:
                self.commit_to_main(name, then, one)
            self.reconcile(name, None)
        return multiple(*made)

    @rule(name=st.sampled_from(NAMES), interruption=INTERRUPTIONS)
    def reconcile(self, name: str, interruption: Interruption | None) -> None:
        change = self.perform(lambda: self.world.reconcile(name), interruption)
        self.require_settled(name, change)
        if change is None and not interruption and not self.world.cannot_start:
            self.world.require_logged(name)

    @rule(name=st.sampled_from(NAMES), interruption=INTERRUPTIONS)
    def verify_again(self, name: str, interruption: Interruption | None) -> None:
        self.perform(lambda: reverify(self.world.site(name)), interruption)

    @rule(name=st.sampled_from(LATER))
    def promote_what_failed_later(self, name: str) -> None:
        before = NAMES[NAMES.index(name) - 1]
        serving = self.world.told(before).serving
        if serving:
            self.the_model_goes_wrong(before)
            self.verify_again(before, None)
            self.promote_with_blessing(self.world.site(name).release(serving), name, None)

    @rule(name=st.sampled_from(NAMES))
    def the_model_goes_wrong(self, name: str) -> None:
        """What serves answers something else than it did, which the next verification finds."""
        running = self.world.machine.running.get(name, {})
        for release, line in running.items():
            running[release] = replace(line, lies=True)

    @rule(name=st.sampled_from(NAMES), to=st.none() | releases, interruption=INTERRUPTIONS)
    def roll_back(self, name: str, to: Release | None, interruption: Interruption | None) -> None:
        target = to.id if to else None
        change = self.perform(lambda: roll_back(self.world.site(name), reason="worse", to=target), interruption)
        self.require_settled(name, change)

    @rule(
        release=releases, name=st.sampled_from(NAMES), reason=st.sampled_from(["worse", HOSTILE]),
        interruption=INTERRUPTIONS,
    )  # fmt: skip
    def hold(self, release: Release, name: str, reason: str, interruption: Interruption | None) -> None:
        self.perform(lambda: hold(self.world.site(name), release, reason=reason), interruption)

    @rule(release=releases, name=st.sampled_from(NAMES), interruption=INTERRUPTIONS)
    def release_hold(self, release: Release, name: str, interruption: Interruption | None) -> None:
        self.perform(lambda: release_hold(self.world.site(name), release, reason="good"), interruption)

    # People.

    @rule(name=st.sampled_from(LATER), person=st.sampled_from(PEOPLE), approve=st.booleans())
    def review(self, name: str, person: str, approve: bool) -> None:
        pull = self._open(name)
        if pull:
            self.world.forge.review(pull.number, reviewer=person, commit=pull.head, approve=approve)
            self.world.reviewed.append((pull.number, person, pull.head, approve))

    @rule(name=st.sampled_from(LATER), person=st.sampled_from(PEOPLE), release=st.none() | releases)
    def push(self, name: str, person: str, release: Release | None) -> None:
        """Onto the proposal: something beside it, or another release in place of the one that was proposed."""
        pull = self._open(name)
        if pull:
            path = path_of(name, MODEL)
            files = {"README": person.encode()}
            if release:
                files[path] = edit(None, environment=name, model=MODEL, release=release.id, version=1)
            self.world.commit_by_hand(files, branch=pull.branch, person=person)
            self.world.by_hand.discard(self.world.commits.branches[pull.branch])

    @rule(name=st.sampled_from(LATER))
    def merge_by_hand(self, name: str) -> None:
        pull = self._open(name)
        if pull:
            try:
                self.world.by_hand.add(self.world.commits.merge(pull.head, into="main", message="by hand"))
            except MlopsError as error:
                note(str(error))

    @rule(name=st.sampled_from(LATER))
    def close(self, name: str) -> None:
        pull = self._open(name)
        if pull:
            self.world.forge.close(pull.number, comment="no", by="Grace")

    @rule(name=st.sampled_from(NAMES), what=st.sampled_from(HAND_MADE), release=releases)
    def commit_to_main(self, name: str, what: str, release: Release) -> None:
        path = path_of(name, MODEL)
        there = self.world.commits.read(path, ref="main")
        serving = self.world.told(name).serving

        def naming(release: str | None) -> bytes:
            return edit(None, environment=name, model=MODEL, release=release, version=None)

        text: dict[str, bytes | None] = {
            "a release": naming(release.id),
            "unknown": naming("f" * 64),
            "garbage": b"\xff\x00 release: \n",
            "two lines": naming(release.id) + b"release: x\n",
            "no release": naming(None),
            "no file": None,
            "what serves": naming(serving),
            "another key": (there or naming(None)) + b"owner: Grace\n",
        }
        self.world.commit_by_hand({path: text[what]}, branch="main", person="Bob")

    @rule(name=st.sampled_from(NAMES), share=st.none() | st.just(20))
    def configure(self, name: str, share: int | None) -> None:
        """An A/B test for the next rollout, or none."""
        self.world.change(name, ab=share and AbConfig(share=share, duration=timedelta(hours=1)))

    @rule(name=st.sampled_from(NAMES), frozen=st.booleans())
    def freeze(self, name: str, frozen: bool) -> None:
        freezes = (Freeze(first=None, last=None, reason="holidays", timezone=UTC),) if frozen else ()
        self.world.environments[name] = replace(self.world.environments[name], freezes=freezes)

    # What befalls them.

    @rule(minutes=st.sampled_from([-300, 1, 30, 61]))
    def time_passes(self, minutes: int) -> None:
        self.world.clock.time += timedelta(minutes=minutes)

    @rule(beyond=st.booleans(), requests=st.sampled_from([0, 150]))
    def users_ask(self, beyond: bool, requests: int) -> None:
        self.world.machine.recent = [{"x": (1.5 if beyond else 0.0) + n / 1000} for n in range(requests)]

    @rule(name=st.sampled_from(NAMES))
    def services_die(self, name: str) -> None:
        running = self.world.machine.running.get(name, {})
        self.world.dead |= {(name, release) for release in running}
        running.clear()

    @rule(release=releases, name=st.sampled_from(NAMES))
    def a_service_cannot_start(self, release: Release, name: str) -> None:
        self.world.cannot_start.add((name, release.id))

    @precondition(lambda self: self.world.cannot_start)
    @rule()
    def services_can_start_again(self) -> None:
        self.world.cannot_start.clear()

    # What must hold.

    @invariant()
    def the_log_is_good(self) -> None:
        self.world.require_good_log()

    def teardown(self) -> None:
        """Once people put Git right and nothing is broken, reconcile settles everything."""
        if not hasattr(self, "world"):
            return
        self.world.cannot_start.clear()
        for name in NAMES:
            self.freeze(name, False)
            self.configure(name, None)
            self.services_die(name)  # those that went wrong among them
            if not self.perform(lambda name=name: self.world.reconcile(name), None):  # type: ignore[misc]
                release = self.world.told(name).serving
                file = edit(None, environment=name, model=MODEL, release=release, version=None)
                self.world.commit_by_hand({path_of(name, MODEL): file}, branch="main", person="Bob")
                assert self.perform(lambda name=name: self.world.reconcile(name), None)  # type: ignore[misc]
            self.world.require_settled_in(name)
        self.world.require_good_log()

    def _open(self, name: str) -> PullRequest | None:
        return self.world.forge.open_pull_request(promotion_branch(name, MODEL))


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
