"""Registers a judged candidate, deploys it to the first environment, verifies it there, and proposes its promotion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_ci.core.gate import Waived
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Candidate, Release
from mlops_ci.errors import ParityError, RolloutAborted
from mlops_ci.pipeline.admission import require_admitted
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.desired_state import commit_desired, read_desired
from mlops_ci.pipeline.event_log import EventLog, NewEvent
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.reconcile import settle_on
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.rollback import finish_rollback
from mlops_ci.pipeline.site import Site


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What is known of a candidate when it becomes a version; `waived` is what it was let through for."""

    candidate: Candidate
    commit: str
    verdict: str
    golden: GoldenRows
    evidence: Mapping[str, str]
    waived: Sequence[Waived] = ()


def released(log: EventLog, registry: Registry, model: str, lock: str) -> Release | None:
    """The release that was made of this lock before."""
    state = log.state(model)
    found = next((item.release for item in state.releases.values() if item.lock == lock), None)
    return registry.release(found) if found else None


def register(registration: Registration, *, registry: Registry, log: EventLog, actor: str) -> Release:
    """Gives the candidate the next version number and makes its release; the one it has, where it has one.

    A run that was killed between the two finds its number again by the lock.
    """
    candidate = registration.candidate
    existing = released(log, registry, candidate.model, candidate.lock)
    if existing is not None:
        return existing
    if candidate.onnx is None:
        raise ParityError(f"there is no ONNX graph: {candidate.refusal}")
    # Before it is registered: a run that is killed in between, and finds its release later, must not lose them.
    _record_waivers(registration, log, actor)
    version = registry.claim_version(candidate.model, lock=candidate.lock, commit=registration.commit)
    # Of two runs that race for the same lock the first decides the commit, so that both make the same release.
    commit = registry.version(candidate.model, version).commit
    release = Release(
        model=candidate.model,
        version=version,
        lock=candidate.lock,
        commit=commit,
        files={MODEL_FILE: candidate.onnx, SIGNATURE_FILE: registry.put_json(candidate.signature.to_json())},
        image=None,
        evidence={
            **registration.evidence,
            "golden": registry.put_json(registration.golden.to_json()),
            "lock": candidate.lock_record,
            "profile": candidate.profile,
        },
    )
    registry.save_release(release)
    subject = {"release": release.id, "version": version, "lock": candidate.lock, "commit": commit}
    new = NewEvent(
        kind="registered",
        subject={**subject, "verdict": registration.verdict},
        actor=actor,
        evidence=sorted(registration.evidence.values()),
    )
    log.append(candidate.model, lambda state: None if version in state.versions else new)
    return released(log, registry, candidate.model, candidate.lock) or release


def _record_waivers(registration: Registration, log: EventLog, actor: str) -> None:
    """Puts every waiver that let something pass on the record, once for each lock and verdict."""
    candidate = registration.candidate
    evidence = sorted(registration.evidence.values())
    for waived in registration.waived:
        about = {"verdict": waived.verdict, "lock": candidate.lock}
        known = (event.subject for event in log.read(candidate.model) if event.kind == "waived")
        if any(about.items() <= subject.items() for subject in known):
            continue
        said = {"reason": waived.reason, "approver": waived.approver, "expires": waived.expires}
        subject = {**about, **said, "findings": list(waived.findings)}
        log.record(candidate.model, "waived", subject, actor=actor, evidence=evidence)


def deploy(site: Site, release: Release) -> Change:
    """Makes Git name the release for the site, and the site serve it; it is verified there at its live address.

    Raises ApprovalError where it is on hold, RolloutAborted where it does not start well, VerificationError where it
    does not answer well, and OutsideError where another command is at work there or Git changed meanwhile.
    """
    with site.exclusive():
        finish_rollback(site)
        require_admitted(site, release.id)
        desired = read_desired(site.repository, site.name, site.model)
        if desired is None or desired.release != release.id:
            commit_desired(
                site.repository, environment=site.name, model=site.model, release=release.id, version=release.version,
                branch=site.repository.main,
                message=site.vouched(f"Deploy {site.model} version {release.version} to {site.name}"),
            )  # fmt: skip
        change = settle_on(site, release)
    if change.release != release.id:
        raise RolloutAborted(
            f"{site.name} refused version {release.version}: {'; '.join(change.reasons)}",
            fix=f"mend it and release again; or, if the fault was elsewhere: mlops-ci release-hold {site.model} "
            f"--environment {site.name} --release {release.id[:12]} --reason ...",
        )
    return change


def evidence_text(
    release: Release, evaluation: Mapping[str, Any] | None, verification: Mapping[str, Any] | None
) -> str:
    """The body of a promotion pull request: what is known of the release, in Markdown."""
    lines = [
        f"Version {release.version} of **{release.model}**, release `{release.id}`, from commit `{release.commit}`.",
        "",
    ]
    if evaluation:
        primary = evaluation.get("primary") or {}
        lines += [
            f"- verdict: **{evaluation['verdict']}** — {'; '.join(evaluation.get('reasons', [])) or 'no objection'}"
        ]
        if primary.get("difference") is not None:
            lines += [
                f"- {primary['metric']}: {primary['champion']:.4f} → {primary['challenger']:.4f}, better by "
                f"{primary['difference']:+.4f} (at least {primary['lower']:+.4f})"
            ]
    for check in (verification or {}).get("checks", []):
        lines.append(f"- {check['name']}: {'ok' if check['ok'] else 'FAILED'} — {check['detail']}")
    lines += [
        "",
        "Evidence in the store:",
        *(f"- {name} `{digest}`" for name, digest in sorted(release.evidence.items())),
    ]
    return "\n".join(lines)
