"""A small world to deliver in: real Git, a real store and the forge on Git; services that live in memory.

A model's graph is a line of JSON here. What a service does is read from the release's own files, as a real one's is, so
a release is good or bad wherever it goes. Everything that outlives a command lives in `Machine` or on the disk.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.local_forge import LocalForge
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.config.types import (
    ApprovalsConfig,
    EnvironmentConfig,
    ParityConfig,
    RolloutConfig,
    VerificationConfig,
)
from mlops_ci.core.chain import anchors_in
from mlops_ci.core.load import LoadPlan, Sent, Traffic
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import MODEL_FILE, Candidate, Release
from mlops_ci.core.signature import Column, Signature
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.contract import Mistake, mistakes
from mlops_ci.pipeline.desired_state import read_desired
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.promote import promote
from mlops_ci.pipeline.proposals import open_promotion
from mlops_ci.pipeline.reconcile import reconcile
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.release import Registration, deploy, register
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import Answer, Instance, ObjectStore, PullRequest, RecentRequests, Reply

MODEL = "tides"
SIGNATURE = Signature(task="regression", inputs=(Column(name="x", kind="number"),))
NOT_SENT: dict[str, Any] = {"what": "", "status": 0, "row": None, "column": ""}
"""What of a mistake a service is not told."""
BOUNDS = (10.0, 20.0, 50.0, 100.0, 300.0, 1000.0)
"""Milliseconds. The router's buckets; users wait no longer than the first, and for a slow answer SLOW_MS."""
SLOW_MS = 200.0
POINTS = [float(x) for x in np.linspace(0.0, 1.0, 120)]
RECORDS = [{"x": x} for x in POINTS]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A model: slope * x. With `live` it answers something else to rows beyond 1, which no golden row is.

    Of its users' requests, `fails` is the share that it fails and `slow` the share that it takes long for: what only
    the router sees, and no question of ours.
    """

    slope: float = 1.0
    live: float = 0.0
    fails: float = 0.0
    slow: float = 0.0
    starts: bool = True
    lies: bool = False

    def answer(self, x: float) -> float:
        return self.slope * x + (self.live if x > 1 else 0.0) + (9.0 if self.lies else 0.0)


class Calendar:
    """A clock that only moves when a test says so."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 9, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


class Listener:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    warn = say

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        yield


@dataclass
class Machine:
    """What runs, per environment: the lines by release, and the division of traffic.

    Users send `rate` requests a second, which the router divides and counts; what they ask is `asked`, in turn, and
    becomes `recent`. `answered` counts the answers that users got of a release in an environment, `copied` those that
    nobody saw.
    """

    running: dict[str, dict[str, Line]] = field(default_factory=dict)
    shares: dict[str, dict[str, int]] = field(default_factory=dict)
    shadows: dict[str, str] = field(default_factory=dict)
    rate: float = 0.0
    asked: Sequence[Mapping[str, Any]] = ()
    counted: dict[str, dict[str, LiveCounts]] = field(default_factory=dict)
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    copied: Counter[tuple[str, str]] = field(default_factory=Counter)
    looked: float | None = None
    luck: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    recent: list[Mapping[str, Any]] = field(default_factory=list)
    redacted: tuple[str, ...] = ()
    versions: dict[str, int] = field(default_factory=dict)
    at_work: set[str] = field(default_factory=set)


class MemoryTarget:
    """Implements `ports.Target`; as the real one, it refuses to route to what does not run."""

    def __init__(self, machine: Machine, clock: Calendar | None = None) -> None:
        self.machine = machine
        self.clock = clock

    @contextmanager
    def exclusive(self, environment: str, model: str) -> Iterator[None]:
        if environment in self.machine.at_work:
            raise OutsideError(f"another command is at work on {model} in {environment}", fix="wait for it")
        self.machine.at_work.add(environment)
        try:
            yield
        finally:
            self.machine.at_work.discard(environment)

    def instances(self, environment: str, model: str) -> Sequence[Instance]:
        running = self.machine.running.get(environment, {})
        return [Instance(release=name, url=f"memory://{environment}/{name}", healthy=True) for name in running]

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:
        line = Line(**json.loads(files[MODEL_FILE]))
        if not line.starts:
            raise VerificationError(f"the service of version {release.version} did not become ready: no such library")
        self.machine.running.setdefault(environment, {}).setdefault(release.id, line)
        self.machine.versions[release.id] = release.version
        return Instance(release=release.id, url=f"memory://{environment}/{release.id}", healthy=True)

    def stop(self, environment: str, model: str, release: str) -> None:
        self.machine.running.get(environment, {}).pop(release, None)

    def route(self, environment: str, model: str, shares: Mapping[str, int], *, shadow: str | None = None) -> None:
        missing = {*shares, *([shadow] if shadow else [])} - self.machine.running.get(environment, {}).keys()
        if missing:
            raise OutsideError(f"{missing} does not run in {environment}")
        assert not shares or sum(shares.values()) == 100
        assert shadow is None or shadow not in shares
        self._users_come()
        self.machine.shares[environment] = dict(shares)
        self.machine.shadows.pop(environment, None)
        if shadow:
            self.machine.shadows[environment] = shadow

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        self._users_come()
        return self.machine.counted.get(environment, {})

    def _users_come(self) -> None:
        """Counts what users sent since the last time that anybody looked, by the division in force until now."""
        machine, now = self.machine, self.clock.monotonic() if self.clock else 0.0
        requests = round((now - (now if machine.looked is None else machine.looked)) * machine.rate)
        machine.looked = now
        for environment, shares in machine.shares.items():
            if not shares or not requests:
                continue
            parts = machine.luck.multinomial(requests, [share / 100 for share in shares.values()])
            for release, part in zip(shares, map(int, parts), strict=True):
                self._count(environment, release, part)
                machine.answered[environment, release] += part
            if environment in machine.shadows:
                self._count(environment, machine.shadows[environment], requests)
                machine.copied[environment, machine.shadows[environment]] += requests
            if machine.asked:
                begin = len(machine.recent)
                machine.recent += [machine.asked[(begin + n) % len(machine.asked)] for n in range(requests)]

    def _count(self, environment: str, release: str, requests: int) -> None:
        line = self.machine.running.get(environment, {}).get(release)
        errors = int(self.machine.luck.binomial(requests, line.fails)) if line else requests
        slow = int(self.machine.luck.binomial(requests, line.slow)) if line else 0
        counted = self.machine.counted.setdefault(environment, {})
        before = counted.get(release, LiveCounts(within=dict.fromkeys(BOUNDS, 0)))
        counted[release] = LiveCounts(
            requests=before.requests + requests,
            errors=before.errors + errors,
            within={bound: before.within[bound] + requests - (slow if bound < SLOW_MS else 0) for bound in BOUNDS},
        )

    def evidence(self) -> Sequence[str]:
        return ()

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        return self.machine.shares.get(environment, {})

    def url(self, environment: str, model: str) -> str:
        return f"memory://{environment}"

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> RecentRequests:
        if self.machine.redacted:
            return RecentRequests(redacted=self.machine.redacted)
        self._users_come()
        return RecentRequests(records=self.machine.recent[-limit:])

    def logged_requests(self, environment: str, model: str) -> Iterator[LogEntry]:
        return iter(())


class MemoryClient:
    """Implements `ports.ScoringClient` for services in memory; the environment's address is that of most traffic."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def ask(
        self, url: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] = {},
        announced: int | None = None,
    ) -> Reply:  # fmt: skip
        if self._served(url) is None:
            return Reply(status=502)
        if path.startswith("/v2/health/"):
            return Reply(status=200)
        if path == "/metrics":
            return Reply(status=200, body=b"process_resident_memory_bytes 5e+07\n")
        mistake = Mistake(what="", path=path, status=0, body=body, headers=headers, announced=announced)
        due = next(each for each in mistakes(MODEL, SIGNATURE) if replace(each, **NOT_SENT) == mistake)
        problems = [{"row": due.row, "field": due.column}]
        return Reply(status=due.status, body=json.dumps({"error": "no", "problems": problems}).encode())

    def metadata(self, url: str, model: str) -> Mapping[str, Any]:
        served = self._served(url)
        if served is None:
            raise OutsideError("there is no metadata: status 502")
        release, line = served
        digest = sha256(json.dumps(vars(line)).encode()).hexdigest()
        return {
            "versions": [str(self.machine.versions.get(release, 1))],
            "inputs": [{"name": "x", "datatype": "FP64"}],
            "outputs": [{"name": "prediction", "datatype": "FP64"}],
            "properties": {"task": "regression", "release": release, "model_digest": digest},
        }

    def infer(
        self, url: str, model: str, records: Sequence[Mapping[str, Any]], signature: Signature, *, binary: bool
    ) -> Answer:
        return self.score(url, records, signature)

    def load(
        self, url: str, plan: LoadPlan, records: Sequence[Mapping[str, Any]], signature: Signature,
        judge: Callable[[int, Answer], str],
    ) -> Traffic:  # fmt: skip
        sent = []
        for number in range(plan.requests):
            due, row = plan.due(number), number % len(records)
            answer = self.score(url, [records[row]], signature)
            error, answered = judge(row, answer), answer.predictions is not None
            sent.append(Sent(due=due, free=due, sent=due, done=due + 0.001, error=error, answered=answered))
        return Traffic(sent=sent, core_share=0.1)

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        served = self._served(url)
        if served is None:
            return Answer(predictions=None, release="", milliseconds=1.0, error="status 502: nobody there")
        release, line = served
        if any(record.keys() != {"x"} for record in records):
            return Answer(predictions=None, release=release, milliseconds=1.0, error="status 422: no such column")
        values = np.array([line.answer(record["x"]) for record in records])
        return Answer(predictions=Predictions(values=values), release=release, milliseconds=1.0)

    def _served(self, url: str) -> tuple[str, Line] | None:
        environment, _, release = url.removeprefix("memory://").partition("/")
        if not release:
            shares = self.machine.shares.get(environment, {})
            release = max(shares, key=lambda name: shares[name], default="")
        line = self.machine.running.get(environment, {}).get(release)
        return None if line is None else (release, line)


class World:
    """One repository, its store and its machine. `site` and the rest are made anew, as every command makes its own."""

    points: Sequence[float] = POINTS
    """The golden rows."""
    commit = "c" * 40
    """What releases are made of."""
    packaging: Any = None
    """What gives a release its image."""

    def __init__(
        self,
        folder: Path,
        *,
        names: Sequence[str] = ("qa", "production"),
        approvals: ApprovalsConfig | None = None,
        soak: timedelta = timedelta(0),
        steps: tuple[int, ...] = (10, 100),
        window: timedelta = timedelta(0),
        machine: Machine | None = None,
    ) -> None:
        self.folder = folder
        self.machine = machine or Machine()
        self.clock = Calendar()
        self.console = Listener()
        self.names = tuple(names)
        self.environments = {
            name: EnvironmentConfig(
                name=name,
                target="process",
                approvals=(approvals or ApprovalsConfig(required=0, people=())) if position else NOBODY,
                rollout=RolloutConfig(steps=steps if position else (100,), window=window),
                soak=soak if position else timedelta(0),
            )
            for position, name in enumerate(names)
        }
        if not self.root.exists():
            self.root.mkdir(parents=True)
            self.git("init", "-q", "-b", "main", "--template=")
            (self.root / "train.py").write_text("# the team's own\n")
            self.git("add", ".")
            self.git("commit", "-q", "-m", "first")

    @property
    def root(self) -> Path:
        return self.folder / "repository"

    @property
    def store(self) -> ObjectStore:
        return LocalStore(self.folder / "store")

    @property
    def log(self) -> EventLog:
        return EventLog(self.store, self.clock)

    @property
    def repository(self) -> GitRepository:
        return GitRepository(self.root)

    @property
    def forge(self) -> LocalForge:
        return LocalForge(self.repository, self.clock)

    def copy(self, folder: Path) -> World:
        """The same world elsewhere; what happens to one is nothing to the other."""
        shutil.copytree(self.folder, folder)
        other = copy.copy(self)
        other.folder, other.machine, other.clock = folder, copy.deepcopy(self.machine), copy.deepcopy(self.clock)
        return other

    def site(self, name: str = "production") -> Site:
        store = self.store
        return Site(
            model=MODEL,
            environment=self.environments[name],
            chain=self.names,
            parity=ParityConfig(atol=1e-6, max_flips=0),
            verification=VerificationConfig(),
            registry=Registry(store),
            log=EventLog(store, self.clock),
            repository=self.repository,
            forge=self.forge,
            target=MemoryTarget(self.machine, self.clock),
            client=MemoryClient(self.machine),
            clock=self.clock,
            console=self.console,
            actor="Ada",
        )

    # What people do.

    def change(self, name: str = "production", **rollout: Any) -> None:
        """Edits `rollout` of an environment in mlops.yaml."""
        before = self.environments[name]
        self.environments[name] = replace(before, rollout=replace(before.rollout, **rollout))

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def graph(self, line: Line) -> bytes:
        return json.dumps(vars(line)).encode()

    def register(self, line: Line, name: str | None = None) -> Release:
        registry = Registry(self.store)
        lock = sha256((name or str(line)).encode()).hexdigest()
        candidate = Candidate(
            model=MODEL, lock=lock, lock_record=registry.put_json({}), signature=SIGNATURE,
            onnx=registry.put_blob(self.graph(line)), refusal="", reference="", holdout="",
            profile=registry.put_json({}), metrics={}, rows={}, commit="c", trained_at="", seconds=0.0,
        )  # fmt: skip
        registry.save_candidate(candidate)
        truth = Line(slope=line.slope)
        answers = np.array([truth.answer(x) for x in self.points])
        golden = GoldenRows(records=[{"x": x} for x in self.points], answers=Predictions(values=answers))
        registration = Registration(
            candidate=candidate, commit=self.commit, verdict="first", golden=golden, evidence={}
        )
        return register(registration, registry=registry, log=self.log, actor="Ada", packaging=self.packaging)

    def release(self, line: Line, name: str | None = None) -> Release:
        """As the command `release` does, without the training: register, deploy, verify, propose."""
        made = self.register(line, name)
        deploy(self.site(self.names[0]), made)
        self.propose(made, self.names[1])
        return made

    def propose(self, made: Release, name: str = "production") -> PullRequest | None:
        return open_promotion(self.site(name), made)

    def promote(self, made: Release, name: str = "production") -> Change:
        return promote(self.site(name), made)

    def reconcile(self, name: str = "production") -> Change:
        return reconcile(self.site(name))

    def deliver(self, line: Line, name: str | None = None) -> Release:
        made = self.release(line, name)
        self.promote(made)
        return made

    # What can be seen.

    def desired(self, name: str = "production") -> str | None:
        desired = read_desired(self.repository, name, MODEL)
        return desired.release if desired else None

    def serving(self, name: str = "production") -> str | None:
        place = self.log.state(MODEL).environments.get(name)
        return place.release if place else None

    def kinds(self, *but: str) -> list[str]:
        return [event.kind for event in self.log.read(MODEL) if event.kind not in but]

    def count(self, kind: str) -> int:
        return self.kinds().count(kind)

    def require_settled(self) -> None:
        """Git, the log and the traffic agree; nothing else runs; the log is whole; only what was verified serves."""
        for name, before in zip(self.names, (None, *self.names), strict=False):
            serving = self.serving(name)
            assert self.desired(name) == serving, name
            assert list(self.machine.running.get(name, {})) == [serving] * (serving is not None), name
            assert self.machine.shares.get(name, {}) == ({serving: 100} if serving else {}), name
            if serving and before:
                assert serving in self.log.state(MODEL).environments[before].verified
        assert not self.verified_log()
        assert not self.machine.at_work
        assert not self.machine.shadows

    def verified_log(self) -> Sequence[Any]:
        messages = self.repository.messages_of(f"environments/*/{MODEL}.yaml")
        return self.log.verify(MODEL, anchors=anchors_in(messages, MODEL)).problems


NOBODY = ApprovalsConfig(required=0, people=())
