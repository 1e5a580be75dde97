"""What a promotion pull request tells the person who has to approve it: the evidence, and what would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci.core.approval import Review
from mlops_ci.core.lock import Lock, differences
from mlops_ci.core.records import Release
from mlops_ci.core.state import champion
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.markdown import escaped
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.site import Site

SHOWN = 20
"""Differences shown; whoever wants more reads the commits."""


def describe(site: Site, release: Release, *, stale: Sequence[Review] = ()) -> str:
    """The pull request's body, in Markdown. `stale` are approvals of what the pull request showed before.

    The same for the same release, log and production, so that it can be told whether it is up to date.
    """
    serving = champion(site.model_state(), site.name)
    before = site.release(serving) if serving and serving != release.id else None
    parts = [evidence_text(release, **_evidence(site.registry, site.log, release)), _drift(site.log, release)]
    parts.append(_changes(site, before, release))
    for review in stale:
        parts.append(
            f"**{escaped(review.reviewer)}** approved commit `{review.commit[:12]}`, which is not what this pull "
            "request shows any more. That approval does not count: please look again."
        )
    return "\n\n".join(part for part in parts if part)


def evidence_text(
    release: Release,
    evaluation: Mapping[str, Any] | None = None,
    verification: Mapping[str, Any] | None = None,
    parity: Mapping[str, Any] | None = None,
) -> str:
    """What is known of the release, in Markdown."""
    lines = [
        f"Version {release.version} of **{release.model}**, release `{release.id}`, from commit `{release.commit}`.",
        "",
    ]
    if evaluation:
        primary = evaluation.get("primary") or {}
        reasons = "; ".join(map(escaped, evaluation.get("reasons", []))) or "no objection"
        lines += [f"- verdict: **{evaluation['verdict']}** — {reasons}"]
        if primary.get("difference") is not None:
            lines += [
                f"- {primary['metric']}: {primary['champion']:.4f} → {primary['challenger']:.4f}, better by "
                f"{primary['difference']:+.4f} (at least {primary['lower']:+.4f})"
            ]
    if parity and parity.get("max_abs_diff") is not None:
        lines += [
            f"- parity with the native model: {'ok' if parity['ok'] else 'FAILED'} — {parity['rows']} rows, answers "
            f"differ by at most {parity['max_abs_diff']:.3g}, {parity['flips']} labels are others"
        ]
    for check in (verification or {}).get("checks", []):
        lines.append(f"- {check['name']}: {'ok' if check['ok'] else 'FAILED'} — {escaped(check['detail'])}")
    if release.image is not None:
        lines.append(f"- image: `{release.image}`")
    lines += [
        "",
        "Evidence in the store:",
        *(f"- {name} `{digest}`" for name, digest in sorted(release.evidence.items())),
    ]
    return "\n".join(lines)


def last_verification(
    registry: Registry, log: EventLog, release: Release, environment: str = ""
) -> dict[str, Any] | None:
    """What the release's last verification found, there or anywhere; None where it was never verified."""
    found = [
        event.evidence[0]
        for event in log.read(release.model)
        if event.kind == "verified"
        and event.subject["release"] == release.id
        and environment in ("", event.subject["environment"])
        and event.evidence
    ]
    return dict(registry.get_json(found[-1])) if found else None


def _evidence(registry: Registry, log: EventLog, release: Release) -> dict[str, Any]:
    kept = {
        name: registry.get_json(release.evidence[name]) for name in ("evaluation", "parity") if name in release.evidence
    }
    return {**kept, "verification": last_verification(registry, log, release)}


def _drift(log: EventLog, release: Release) -> str:
    """The newest alarm about what this release was trained on; that there was none says little, and is not said."""
    last = log.state(release.model).latest.get("drift-detected")
    if last is None or last.subject["release"] != release.id:
        return ""
    features = ", ".join(map(escaped, last.subject["features"])) or "the rows as a whole"
    return f"The data have drifted since it was trained ({last.time[:10]}): {features}."


def _changes(site: Site, before: Release | None, release: Release) -> str:
    """What would be different from what the environment serves now."""
    if before is None:
        return f"Nothing else serves in {site.name} yet." if champion(site.model_state(), site.name) is None else ""
    lines = [
        f"What changes in {site.name}, which serves version {before.version} (release `{before.id}`):",
        "",
        f"- version {before.version} → {release.version}",
        f"- commits `{before.commit[:12]}..{release.commit[:12]}`",
        *_metrics(site.registry, before, release),
    ]
    old, new = (_lock(site.registry, one) for one in (before, release))
    if old is not None and new is not None:
        found = differences(old, new)
        lines += [f"- {escaped(line)}" for line in found[:SHOWN]]
        lines += [f"- and {len(found) - SHOWN} differences more"] if len(found) > SHOWN else []
        lines += ["- data, parameters and packages are the same"] if not found else []
    return "\n".join(lines)


def _metrics(registry: Registry, before: Release, release: Release) -> list[str]:
    """Each metric of both on the same rows; none where the new one was judged against another than this."""
    digest = release.evidence.get("evaluation")
    evaluation = registry.get_json(digest) if digest else {}
    if evaluation.get("champion_release") != before.id:
        return []
    return [
        f"- {name}: {one['champion']:.4f} → {one['challenger']:.4f}"
        for name, one in evaluation.get("metrics", {}).items()
        if one.get("champion") is not None and one.get("challenger") is not None
    ]


def _lock(registry: Registry, release: Release) -> Lock | None:
    digest = release.evidence.get("lock")
    value = registry.get_json(digest) if digest else {}
    return Lock.from_json(value) if value else None
