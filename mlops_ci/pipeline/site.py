"""One environment of one model, together with the outside systems through which it is seen and changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from mlops_ci.config.types import EnvironmentConfig, ParityConfig
from mlops_ci.core.chain import Anchor
from mlops_ci.core.events import Event, EventKind
from mlops_ci.core.probes import Probes
from mlops_ci.core.records import SIGNATURE_FILE, Release
from mlops_ci.core.signature import Signature
from mlops_ci.core.state import EnvironmentState, ModelState
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.event_log import EventLog, NewEvent
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Clock, Console, Repository, ScoringClient, Target


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a release serves. `before` is the environment that has to have verified it; None for the chain's first."""

    model: str
    environment: EnvironmentConfig
    before: str | None
    parity: ParityConfig
    registry: Registry
    log: EventLog
    repository: Repository
    target: Target
    client: ScoringClient
    clock: Clock
    console: Console
    actor: str

    @property
    def name(self) -> str:
        return self.environment.name

    @property
    def url(self) -> str:
        return self.target.url(self.name, self.model)

    def exclusive(self) -> AbstractContextManager[None]:
        """Keeps other commands away from the environment; raises OutsideError where one is at work on it."""
        return self.target.exclusive(self.name, self.model)

    def model_state(self) -> ModelState:
        return self.log.state(self.model)

    def state(self) -> EnvironmentState | None:
        """What the log says of this environment; None before anything happened in it."""
        return self.model_state().environments.get(self.name)

    def record(self, kind: EventKind, evidence: Sequence[str] = (), **subject: Any) -> Event:
        """Appends an event of this environment to the log."""
        subject = {"environment": self.name, **subject}
        return self.log.record(self.model, kind, subject, actor=self.actor, evidence=evidence)

    def record_once(self, kind: EventKind, **subject: Any) -> None:
        """As `record`, unless the very same is on record already: a run that was killed may have written it."""
        whole = {"environment": self.name, **subject}
        new = NewEvent(kind=kind, subject=whole, actor=self.actor)

        def unless_known(_state: ModelState) -> NewEvent | None:
            known = any(event.kind == kind and event.subject == whole for event in self.log.read(self.model))
            return None if known else new

        self.log.append(self.model, unless_known)

    def vouched(self, message: str) -> str:
        """The commit message with the trailer by which the commit vouches for the log as it is now."""
        events = self.log.read(self.model)
        anchor = Anchor(number=events[-1].number, digest=events[-1].digest).trailer if events else ""
        return f"{message}\n\n{anchor}".rstrip() + "\n"

    def release(self, release_id: str) -> Release:
        return self.registry.release(release_id)

    def files(self, release: Release) -> dict[str, bytes]:
        """The release's files by name, each checked against its digest."""
        return {name: self.registry.get_blob(digest) for name, digest in release.files.items()}

    def signature(self, release: Release) -> Signature:
        return Signature.from_json(json.loads(self.registry.get_blob(release.files[SIGNATURE_FILE])))

    def golden(self, release: Release) -> GoldenRows:
        """The rows that a service of this release is asked, the adversarial ones among them."""
        if "golden" not in release.evidence:
            raise IntegrityError(f"release {release.id[:12]} has no golden rows", fix="release the version again")
        golden = GoldenRows.from_json(self.registry.get_json(release.evidence["golden"]))
        if "probes" not in release.evidence:
            return golden
        probes = Probes.from_json(self.registry.get_json(release.evidence["probes"]), self.signature(release))
        return replace(golden, probes=probes)

    def start(self, release: Release) -> str:
        """Starts the release's service, or finds it running, and returns its own address."""
        return self.target.start(self.name, release, self.files(release)).url

    def serve_only(self, release: Release) -> bool:
        """Makes the environment serve this release and nothing else; says whether anything had to be done."""
        running = {instance.release: instance for instance in self.target.instances(self.name, self.model)}
        healthy = release.id in running and running[release.id].healthy
        settled = healthy and dict(self.target.shares(self.name, self.model)) == {release.id: 100}
        if not settled:
            self.start(release)
            self.target.route(self.name, self.model, {release.id: 100})
        others = [other for other in running if other != release.id]
        for other in others:
            self.target.stop(self.name, self.model, other)
        return not settled or bool(others)

    def serve_nothing(self) -> None:
        """Takes the environment's traffic and services away."""
        self.target.route(self.name, self.model, {})
        for instance in self.target.instances(self.name, self.model):
            self.target.stop(self.name, self.model, instance.release)
