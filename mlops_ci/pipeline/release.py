"""Registers a judged candidate, deploys it to the first environment, verifies it there, and proposes its promotion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_ci.core.gate import Waived
from mlops_ci.core.records import CARD_FILE, MODEL_FILE, SIGNATURE_FILE, Candidate, Release, Version
from mlops_ci.core.state import ModelState
from mlops_ci.errors import ParityError, RolloutAborted
from mlops_ci.pipeline.admission import require_admitted, require_open
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.deploy_proposal import name_in_git
from mlops_ci.pipeline.desired_state import read_desired
from mlops_ci.pipeline.event_log import EventLog, NewEvent
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.packaging import Packaging
from mlops_ci.pipeline.pull_requests import closing_the_pointless
from mlops_ci.pipeline.reconcile import settle_on
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.rollback import finish_rollback
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What is known of a candidate when it becomes a version; `waived` is what it was let through for.

    `profile` is the digest of the profile of its training rows, made where it is registered; None takes the one that
    its training made. `card` is what its service will tell people (see `pipeline.served_card`); None leaves the file
    out.
    """

    candidate: Candidate
    commit: str
    verdict: str
    golden: GoldenRows
    evidence: Mapping[str, str]
    waived: Sequence[Waived] = ()
    profile: str | None = None
    card: Mapping[str, Any] | None = None


def released(log: EventLog, registry: Registry, model: str, lock: str) -> Release | None:
    """The newest release that was made of this lock before."""
    made = _made_of(lock, log.state(model))
    return registry.release(made[0]) if made else None


def register(
    registration: Registration, *, registry: Registry, log: EventLog, actor: str, packaging: Packaging | None = None
) -> Release:
    """Gives the candidate the next version number and makes its release; the one it has, where it has one.

    With `packaging` the release has its image and provenance. They are made before the number is taken, so that a
    build that fails leaves nothing behind; a run that was killed finds its number again by the lock. Raises what
    `Packaging.package` raises.
    """
    candidate = registration.candidate
    existing = released(log, registry, candidate.model, candidate.lock)
    if existing is not None:
        return package_again(existing, packaging, registry=registry, log=log, actor=actor)
    if candidate.onnx is None:
        raise ParityError(f"there is no ONNX graph: {candidate.refusal}")
    planned = registry.planned_version(candidate.model, lock=candidate.lock, commit=registration.commit)
    release, waived = _packaged(_draft(registration, planned, registry), packaging, registry)
    # Before it is registered: a run that is killed in between, and finds its release later, must not lose them.
    evidence = sorted(registration.evidence.values())
    _record_waivers(registration.waived, release, log, actor, evidence)
    _record_waivers(waived, release, log, actor, evidence, by_findings=True)
    number = registry.claim_version(candidate.model, lock=candidate.lock, commit=registration.commit)
    # Of two runs that race for the same lock the first decides the commit, so that both make the same release.
    taken = registry.version(candidate.model, number)
    if taken != planned:
        release, _ = _packaged(_draft(registration, taken, registry), packaging, registry)
    return _keep(release, registration.verdict, evidence, packaging, registry=registry, log=log, actor=actor)


def package_again(
    release: Release, packaging: Packaging | None, *, registry: Registry, log: EventLog, actor: str
) -> Release:
    """The release itself, or where it lacks the image or the signature that is asked for by now, another one of the
    same version that has them. Its model was judged already, and nothing of that changes.
    """
    if packaging is None or packaging.satisfied_by(release, registry):
        return release
    made, waived = packaging.package(release, registry)
    _record_waivers(waived, made, log, actor, (), by_findings=True)
    verdict = log.state(release.model).releases[release.id].verdict
    return _keep(made, verdict, (), packaging, registry=registry, log=log, actor=actor)


def _draft(registration: Registration, version: Version, registry: Registry) -> Release:
    """The release before it has an image."""
    candidate = registration.candidate
    files = {MODEL_FILE: candidate.onnx or "", SIGNATURE_FILE: registry.put_json(candidate.signature.to_json())}
    if registration.card is not None:
        card = {**registration.card, "version": version.version, "commit": version.commit}
        files[CARD_FILE] = registry.put_json(card)
    return Release(
        model=candidate.model,
        version=version.version,
        lock=candidate.lock,
        commit=version.commit,
        files=files,
        image=None,
        evidence={
            **registration.evidence,
            "golden": registry.put_json(registration.golden.to_json()),
            "lock": candidate.lock_record,
            "profile": registration.profile or candidate.profile,
        },
    )


def _packaged(release: Release, packaging: Packaging | None, registry: Registry) -> tuple[Release, tuple[Waived, ...]]:
    return packaging.package(release, registry) if packaging else (release, ())


def _keep(
    release: Release,
    verdict: str,
    evidence: Sequence[str],
    packaging: Packaging | None,
    *,
    registry: Registry,
    log: EventLog,
    actor: str,
) -> Release:
    """Registers the release; of several runs that made one of the same lock the first in the log decides."""
    registry.save_release(release)

    def first(state: ModelState) -> Release | None:
        made = map(registry.release, _made_of(release.lock, state))
        return next((one for one in made if packaging is None or packaging.satisfied_by(one, registry)), None)

    subject = {"release": release.id, "version": release.version, "lock": release.lock, "commit": release.commit}
    new = NewEvent(kind="registered", subject={**subject, "verdict": verdict}, actor=actor, evidence=evidence)
    log.append(release.model, lambda state: None if first(state) else new)
    return first(log.state(release.model)) or release


def _made_of(lock: str, state: ModelState) -> list[str]:
    """The ids of the releases of the lock, newest first."""
    return [item.release for item in reversed([*state.releases.values()]) if item.lock == lock]


def _record_waivers(
    waivers: Sequence[Waived],
    release: Release,
    log: EventLog,
    actor: str,
    evidence: Sequence[str],
    *,
    by_findings: bool = False,
) -> None:
    """Puts every waiver that let something pass on the record, once for each lock and verdict.

    `by_findings` once for each finding too: where what was found is the same whenever it is looked at.
    """
    for waived in waivers:
        about: dict[str, Any] = {"verdict": waived.verdict, "lock": release.lock}
        about |= {"findings": list(waived.findings)} if by_findings else {}
        known = (event.subject for event in log.read(release.model) if event.kind == "waived")
        if any(about.items() <= subject.items() for subject in known):
            continue
        said = {"reason": waived.reason, "approver": waived.approver, "expires": waived.expires}
        subject = {**about, **said, "findings": list(waived.findings)}
        log.record(release.model, "waived", subject, actor=actor, evidence=evidence)


def deploy(site: Site, release: Release) -> Change:
    """Makes Git name the release for the site, and the site serve it; it is verified there at its live address.

    Where people have to merge that first, it is `proposed` and nothing else happens.

    Raises ApprovalError where it is on hold or the site takes none now, RolloutAborted where it does not start well,
    VerificationError where it does not answer well, and OutsideError where another command is at work
    there or Git changed meanwhile.
    """
    with site.exclusive(), closing_the_pointless(site):
        finish_rollback(site)
        require_admitted(site, release.id)
        desired = read_desired(site.repository, site.name, site.model)
        if desired is None or desired.release != release.id:
            require_open(site)
            pull = name_in_git(site, release)
            if pull is not None:
                return _proposed(site, pull)
        change = settle_on(site, release)
    if change.release != release.id:
        raise RolloutAborted(
            f"{site.name} refused version {release.version}: {'; '.join(change.reasons)}",
            fix=f"mend it and release again; or, if the fault was elsewhere: mlops-ci release-hold {site.model} "
            f"--environment {site.name} --release {release.id[:12]} --reason ...",
        )
    return change


def _proposed(site: Site, pull: PullRequest) -> Change:
    state = site.state()
    serving = state.release if state else None
    return Change(
        model=site.model, environment=site.name, release=serving, previous=serving, outcome="proposed",
        url=site.url if serving else None, proposed=pull.number,
        reasons=(f"people have to merge pull request {pull.number}" if pull.state == "open"
                 else f"people closed pull request {pull.number}",),
    )  # fmt: skip
