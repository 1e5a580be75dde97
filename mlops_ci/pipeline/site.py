"""One environment of one model, together with the outside systems through which it is seen and changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from mlops_ci.config.types import EnvironmentConfig, ParityConfig, Risk, VerificationConfig
from mlops_ci.core.chain import Anchor
from mlops_ci.core.events import Event, EventKind
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.core.state import EnvironmentState, ModelState
from mlops_ci.pipeline.attestation import require_signed
from mlops_ci.pipeline.checks import Verification
from mlops_ci.pipeline.event_log import EventLog, NewEvent
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.stored import golden_of, signature_of
from mlops_ci.pipeline.verify import verify
from mlops_ci.ports import Clock, Console, Forge, Instance, PublicKey, Repository, ScoringClient, Target


def before(chain: Sequence[str], environment: str) -> str | None:
    """The environment that comes before this one; None for the first."""
    position = chain.index(environment)
    return chain[position - 1] if position else None


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a release serves. `chain` names all environments of the model in order, this one among them.

    Where there is a `public_key` nothing is started that is not signed by it.
    """

    model: str
    environment: EnvironmentConfig
    chain: tuple[str, ...]
    parity: ParityConfig
    verification: VerificationConfig
    registry: Registry
    log: EventLog
    repository: Repository
    forge: Forge
    target: Target
    client: ScoringClient
    clock: Clock
    console: Console
    actor: str
    public_key: PublicKey | None = None
    risk: Risk = "normal"

    @property
    def name(self) -> str:
        return self.environment.name

    @property
    def before(self) -> str | None:
        """The environment that has to have verified a release before it comes here; None for the chain's first."""
        return before(self.chain, self.name)

    @property
    def url(self) -> str:
        return self.target.url(self.name, self.model)

    def exclusive(self) -> AbstractContextManager[None]:
        """Keeps other commands away from the environment; raises OutsideError where one is at work on it.

        And ConfigurationError where what is going to be changed could not be logged, for want of the signing key.
        """
        self.log.require_signer(self.model)
        return self.target.exclusive(self.name, self.model)

    def model_state(self) -> ModelState:
        return self.log.state(self.model)

    def state(self) -> EnvironmentState | None:
        """What the log says of this environment; None before anything happened in it."""
        return self.model_state().environments.get(self.name)

    def record(self, kind: EventKind, evidence: Sequence[str] = (), **subject: Any) -> Event:
        """Appends an event of this environment to the log, with what the target kept about what it did until now."""
        subject = {"environment": self.name, **subject}
        evidence = [*evidence, *self.target.evidence()]
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
        anchor = Anchor(number=events[-1].number, digest=events[-1].digest).trailer(self.model) if events else ""
        return f"{message}\n\n{anchor}".rstrip() + "\n"

    def release(self, release_id: str) -> Release:
        return self.registry.release(release_id)

    def files(self, release: Release) -> dict[str, bytes]:
        """The release's files by name, each checked against its digest."""
        return {name: self.registry.get_blob(digest) for name, digest in release.files.items()}

    def signature(self, release: Release) -> Signature:
        return signature_of(release, self.registry)

    def golden(self, release: Release) -> GoldenRows:
        """The rows that a service of this release is asked, the adversarial ones among them."""
        return golden_of(release, self.registry)

    @property
    def from_image(self) -> bool:
        """Whether services run from the release's image here, and not from its files."""
        return self.environment.target != "process"

    def verify(self, release: Release, url: str, *, under_load: bool) -> Verification:
        """Asks the service at the address whether it is this release, and well."""
        with self.console.working(f"verifying version {release.version} at {url}"):
            return verify(
                self.client, url, release=release, signature=self.signature(release), golden=self.golden(release),
                limits=self.parity, in_image=self.from_image, load=self.verification if under_load else None,
            )  # fmt: skip

    def require_signed(self, release_id: str) -> None:
        """Raises VerificationError, or IntegrityError, where a signature is asked for and the release has none."""
        if self.public_key is not None:
            require_signed(self.release(release_id), self.public_key, self.registry)

    def start(self, release: Release) -> str:
        """Starts the release's service, or finds it running, and returns its own address.

        What serves well already was let in before, and stays, so that there is always a way back to it.
        """
        if not any(one.release == release.id and one.healthy for one in self.target.instances(self.name, self.model)):
            self.require_signed(release.id)
        return self.target.start(self.name, release, self.files(release)).url

    def running(self) -> Mapping[str, Instance]:
        """The services here, by release."""
        return {instance.release: instance for instance in self.target.instances(self.name, self.model)}

    def serve_only(self, release: Release) -> bool:
        """Makes the environment serve this release and nothing else; says whether anything had to be done."""
        running = self.running()
        healthy = release.id in running and running[release.id].healthy
        settled = healthy and dict(self.target.shares(self.name, self.model)) == {release.id: 100}
        if not settled:
            self.start(release)
            self.target.route(self.name, self.model, {release.id: 100})
        return self.stop_others({release.id}) or not settled

    def stop_others(self, kept: Collection[str]) -> bool:
        """Ends the services of all other releases; says whether there were any."""
        running = {instance.release for instance in self.target.instances(self.name, self.model)}
        for other in sorted(running.difference(kept)):
            self.target.stop(self.name, self.model, other)
        return not running <= set(kept)

    def serve_nothing(self) -> None:
        """Takes the environment's traffic and services away."""
        self.target.route(self.name, self.model, {})
        self.stop_others(())
