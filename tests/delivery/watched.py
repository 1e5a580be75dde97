"""The small world with a witness, who sees every change of the traffic, and with commands that are interrupted.

The witness knows the log, Git, and what people did; from that he says which traffic may be, by rules of his own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from mlops_ci.adapters.git_commit import TOOLKIT_NAME
from mlops_ci.core.events import Event
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.pipeline.desired_state import parse_release, path_of
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import Instance, Target
from tests.delivery.memory import MemoryRepository, MemoryStore
from tests.delivery.world import MODEL, POINTS, World

Way = Literal["killed", "refused", "reply lost"]


class Killed(BaseException):
    """As a signal would: nothing but `finally` runs after it."""


@dataclass(frozen=True)
class Interruption:
    """What befalls a command at its change of this number."""

    way: Way
    number: int


@dataclass
class Interrupting:
    """Makes the changes of one command after another, or interrupts them."""

    due: Interruption | None = None
    changes: list[str] = field(default_factory=list)

    def around(self, what: str, make: Callable[[], None]) -> None:
        if "blobs/" in what:  # by digest, and of no consequence until something names it
            make()
            return
        self.changes.append(what)
        due = self.due if self.due and len(self.changes) == self.due.number else None
        if due and due.way == "refused":
            raise OutsideError(f"{what}: refused, as planted")
        make()
        if due and due.way == "killed":
            raise Killed(what)
        if due:
            raise OutsideError(f"{what}: the reply was lost, as planted")


@dataclass
class Told:
    """What events say of one environment: a reading of the log that is not the one that is tested."""

    serving: str | None = None
    served: set[str] = field(default_factory=set)
    verified: dict[str, datetime] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    compared: dict[str, int] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        subject = event.subject
        release = subject.get("release", "")
        if event.kind in ("deployed", "promoted", "rolled-back"):
            self.serving = release
            self.served.add(release)
        if event.kind == "rolled-back":
            self.served.discard(subject["from"])
            self.held.add(subject["from"])
        elif event.kind == "verified":
            self.verified.setdefault(release, event.at)
        elif event.kind == "verification-revoked":
            self.verified.pop(release, None)
        elif event.kind in ("held", "rollout-aborted"):
            self.held.add(release)
        elif event.kind == "hold-released":
            self.held.discard(release)
        if event.kind == "rollout-step" and subject["outcome"] == "comparing":
            self.compared = {release: subject["share"]}
        elif event.kind in ("deployed", "promoted", "rolled-back", "rollout-aborted", "rollout-step"):
            self.compared = {}


class WatchedTarget:
    """Implements `ports.Target`; each change is one that may be interrupted, and is shown to the witness."""

    def __init__(self, inner: Target, world: WatchedWorld) -> None:
        self._inner = inner
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def exclusive(self, environment: str, model: str) -> AbstractContextManager[None]:
        return self._inner.exclusive(environment, model)

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:
        if (environment, release.id) in self._world.cannot_start:
            raise OutsideError("the service cannot be started, as planted")
        if not self._world.environments[environment].freezes:
            self._world.started.add((environment, release.id))
        made: list[Instance] = []
        self._make(environment, "start", lambda: made.append(self._inner.start(environment, release, files)))
        self._world.dead.discard((environment, release.id))
        return made[0]

    def stop(self, environment: str, model: str, release: str) -> None:
        self._world.started.discard((environment, release))
        self._make(environment, "stop", lambda: self._inner.stop(environment, model, release))

    def route(self, environment: str, model: str, shares: Mapping[str, int], **more: Any) -> None:
        self._make(environment, f"route {shares}", lambda: self._inner.route(environment, model, shares, **more))

    def _make(self, environment: str, what: str, change: Callable[[], None]) -> None:
        def change_and_look() -> None:
            before = dict(self._world.machine.shares.get(environment, {}))
            change()
            self._world.look(environment, before)

        self._world.interrupting.around(what, change_and_look)


class WatchedWorld(World):
    """What people do by hand is noted in `reviewed` and `by_hand`; planted faults in `dead` and `cannot_start`."""

    points = POINTS[::6]

    def __init__(self, **options: Any) -> None:
        self.interrupting = Interrupting()
        self.objects = MemoryStore(self.interrupting.around)
        self.commits = MemoryRepository(self.interrupting.around)
        self.reviewed: list[tuple[int, str, str, bool]] = []
        self.by_hand: set[str] = set()
        self.dead: set[tuple[str, str]] = set()
        self.cannot_start: set[tuple[str, str]] = set()
        self.started: set[tuple[str, str]] = set()
        super().__init__(Path(__file__).parent, **options)
        self._log = EventLog(self.objects, self.clock)

    @property
    def root(self) -> Path:
        return self.folder  # it exists, so nothing is made there

    @property
    def store(self) -> Any:
        return self.objects

    @property
    def repository(self) -> Any:
        return self.commits

    def site(self, name: str = "production") -> Site:
        site = super().site(name)
        return replace(site, target=WatchedTarget(site.target, self))

    def commit_by_hand(self, files: Mapping[str, bytes | None], *, branch: str, person: str) -> str:
        """A person's commit on a branch; None takes a file away."""
        head = self.commits.branches[branch]
        whole = {**self.commits.commits[head].files, **files}
        kept = {path: data for path, data in whole.items() if data is not None}
        made = self.commits.add(kept, parents=(head,), message="by hand", committer=person)
        self.commits.branches[branch] = made
        self.by_hand.add(made)
        return made

    # What the witness says.

    def told(self, environment: str) -> Told:
        """What the log says of the environment at this moment."""
        told = Told()
        for event in self._log.read(MODEL):
            if event.subject.get("environment") == environment:
                told.hear(event)
        return told

    def registered(self) -> set[str]:
        return {event.subject["release"] for event in self._log.read(MODEL) if event.kind == "registered"}

    def look(self, environment: str, before: Mapping[str, int]) -> None:
        """To be called after every change of services or traffic: raises AssertionError where it must not be."""
        told = self.told(environment)
        shares = self.machine.shares.get(environment, {})
        assert sum(shares.values()) == (100 if shares else 0), shares
        assert shares or told.serving is None, f"{environment} serves nothing, and should {told.serving}"
        down = set(shares) - set(self.machine.running.get(environment, {}))
        assert all((environment, release) in self.dead for release in down), f"{down} get traffic and do not run"
        for release in [name for name, share in shares.items() if share > before.get(name, 0)]:
            if release != told.serving:
                self._require_welcome(told, environment, release)

    def _require_welcome(self, told: Told, environment: str, release: str) -> None:
        """The release may gain traffic though it is not what serves: it is new here, or is gone back to."""
        name = f"release {release[:12]} in {environment}"
        assert release in self.registered(), f"{name} is not registered"
        assert release not in told.held, f"{name} is on hold"
        if release in told.served:  # one before
            return
        assert self.named(environment) == release, f"{name} is not what Git names"
        frozen = bool(self.environments[environment].freezes)
        assert not frozen or self._begun(environment, release), f"{name} began while nothing may"
        position = self.names.index(environment)
        if not position:
            return
        since = self.told(self.names[position - 1]).verified.get(release)
        assert since, f"{name} is not verified before"
        soak = self.environments[environment].soak
        assert not soak or self.clock.now() - since >= soak, f"{name} has not soaked"
        origin = self.commits.origin(path_of(environment, MODEL))
        assert origin.name in self.by_hand or self._approved(environment, origin.parents[-1]), f"{name}: not approved"

    def _begun(self, environment: str, release: str) -> bool:
        """Was it let in, or had a step or a service, since the environment last came to rest?"""
        begun = False
        for event in self._log.read(MODEL):
            if event.subject.get("environment") == environment:
                begun = event.kind not in ("deployed", "promoted", "rolled-back", "rollout-aborted") and (
                    begun or (event.kind in ("approved", "rollout-step") and event.subject["release"] == release)
                )
        return begun or (environment, release) in self.started

    def _approved(self, environment: str, head: str) -> bool:
        """Did enough people approve this very commit who neither wrote nor pushed it, and are none of them bots?"""
        required = self.environments[environment].approvals.required
        strangers = {TOOLKIT_NAME, self.commits.committer(head)}
        latest = {person: good for _, person, commit, good in self.reviewed if commit == head}
        counted = {who: good for who, good in latest.items() if who not in strangers and not who.endswith("[bot]")}
        return not required or (all(counted.values()) and sum(counted.values()) >= required)

    def named(self, environment: str) -> str | None:
        """What main names; None for nothing, and for what is no name."""
        content = self.commits.read(path_of(environment, MODEL), ref="main")
        try:
            return (content and parse_release(content.decode(), where="")) or None
        except ConfigurationError:
            return None

    def require_settled_in(self, environment: str) -> None:
        """Git, the log and the traffic agree, and nothing else runs."""
        told, parts = self.told(environment), self.logged(environment)
        assert self.named(environment) == next((new for new in parts if new != told.serving), told.serving), environment
        self.require_logged(environment)
        assert set(self.machine.running.get(environment, {})) == set(parts), f"{environment}: something else runs"

    def require_logged(self, environment: str) -> None:
        """The log says what serves, and that alone has traffic, but for an A/B test that the log tells of."""
        shares = self.machine.shares.get(environment, {})
        assert shares == self.logged(environment), f"{environment} serves what the log does not say"

    def logged(self, environment: str) -> dict[str, int]:
        """The division of the traffic that goes with what the log says."""
        told = self.told(environment)
        if told.serving is None:
            return {}
        if told.compared and self.named(environment) in told.compared:
            new, share = next(iter(told.compared.items()))
            return {new: share, told.serving: 100 - share}
        return {told.serving: 100}

    def require_good_log(self) -> None:
        """It verifies, and nothing that was taken back came back without having been promoted again."""
        assert not self.verified_log()
        taken_back: Counter[tuple[str, str]] = Counter()
        for event in self._log.read(MODEL):
            subject = event.subject
            if event.kind == "rolled-back":
                assert not taken_back[subject["environment"], subject["release"]], "a rollback was rolled back"
                taken_back[subject["environment"], subject["from"]] = 1
            elif event.kind in ("deployed", "promoted"):
                taken_back[subject["environment"], subject["release"]] = 0
