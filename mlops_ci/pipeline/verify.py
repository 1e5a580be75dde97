"""Asks a live scoring service what its users will ask, and says by name what is wrong with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_ci.config.types import ParityConfig
from mlops_ci.core.parity import Parity, compare
from mlops_ci.core.predictions import Predictions, joined
from mlops_ci.core.probes import Probes
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.core.thresholds import evenly
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.ports import ScoringClient

SINGLE_ROWS = 50
"""Requests of one row each, as most clients send them."""
BATCH_ROWS, BATCH_VALUES = 500, 100_000
"""What one request for golden rows holds at most."""
REFUSED_ROWS = 100
"""Of the rows that the native model refuses, each asked by itself."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """`parity` is how the answers to golden rows compare, of the check that asks them."""

    name: str
    ok: bool
    detail: str
    parity: Parity | None = None

    def to_json(self) -> dict[str, Any]:
        parity = {} if self.parity is None else {"parity": self.parity.to_json()}
        return {"name": self.name, "ok": self.ok, "detail": self.detail, **parity}


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was asked of one release at one address, and whether all of it was answered well."""

    release: str
    url: str
    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.ok]

    def to_json(self) -> dict[str, Any]:
        return {
            "release": self.release,
            "url": self.url,
            "ok": self.ok,
            "checks": [check.to_json() for check in self.checks],
        }

    def require(self) -> None:
        """Raises VerificationError naming each check that failed."""
        if self.failed:
            raise VerificationError(
                "; ".join(f"{check.name}: {check.detail}" for check in self.failed),
                where=f"release {self.release[:12]} at {self.url}",
                fix="the release stays out; look at the service's log and release again once it is mended",
            )


def verify(
    client: ScoringClient,
    url: str,
    *,
    release: Release,
    signature: Signature,
    golden: GoldenRows,
    limits: ParityConfig,
) -> Verification:
    """Health, metadata, golden rows, a malformed request, single rows. A service that is not ready is asked no more."""
    checks = [_health(client, url)]
    if checks[0].ok:
        checks += [
            _metadata(client, url, release, signature),
            ask_golden(client, url, release=release, signature=signature, golden=golden, limits=limits),
            _contract(client, url, signature),
            _single_rows(client, url, signature, golden),
        ]
    return Verification(release=release.id, url=url, checks=checks)


def _health(client: ScoringClient, url: str) -> Check:
    ready = client.ready(url)
    return Check(name="health", ok=ready, detail="ready" if ready else "the service does not say that it is ready")


def _metadata(client: ScoringClient, url: str, release: Release, signature: Signature) -> Check:
    try:
        metadata = client.metadata(url, release.model)
    except OutsideError as error:
        return Check(name="metadata", ok=False, detail=error.what)
    served = [item["name"] for item in metadata.get("inputs", [])]
    expected = [column.name for column in signature.inputs]
    if served != expected:
        return Check(name="metadata", ok=False, detail=f"inputs are {served}, the release has {expected}")
    return Check(name="metadata", ok=True, detail=f"{len(served)} inputs as in the release")


def ask_golden(
    client: ScoringClient,
    url: str,
    *,
    release: Release,
    signature: Signature,
    golden: GoldenRows,
    limits: ParityConfig,
) -> Check:
    """Does this very release answer there, and as the native model did, adversarial rows too?

    Of the rows that the native model refuses nobody knows the right answer: the service may refuse them as well, or
    answer them, but it must not fail.
    """
    if not golden.records:
        return Check(name="golden-rows", ok=False, detail="there are none, so nothing speaks for the release")
    probes = None if golden.probes is None else golden.probes.take(golden.probes.answered)
    records = [*golden.records, *(probes.records if probes else ())]
    native = golden.answers if probes is None else joined([golden.answers, probes.answers])
    size = max(1, min(BATCH_ROWS, BATCH_VALUES // len(signature.inputs)))
    parts: list[Predictions] = []
    for start in range(0, len(records), size):
        answer = client.score(url, records[start : start + size], signature)
        if answer.error or answer.predictions is None:
            return Check(name="golden-rows", ok=False, detail=answer.error)
        if answer.release != release.id:
            detail = f"release {answer.release[:12] or 'unknown'} answered instead of {release.id[:12]}"
            return Check(name="wrong-release", ok=False, detail=detail)
        parts.append(answer.predictions)
    try:
        parity = compare(native, joined(parts), atol=limits.atol, max_flips=limits.max_flips, probes=probes)
    except ValueError as error:
        return Check(name="golden-rows", ok=False, detail=str(error))
    failed = _failed_on(client, url, signature, golden.probes)
    if failed:
        return Check(name="golden-rows", ok=False, detail=failed, parity=parity)
    adversarial = len(probes) if probes else 0
    detail = f"{parity.rows} rows, {adversarial} of them adversarial: " + (
        f"as the native model answered, largest difference {parity.max_abs_diff:.2g}" if parity.ok else parity.text
    )
    return Check(name="golden-rows", ok=parity.ok, detail=detail, parity=parity)


def _failed_on(client: ScoringClient, url: str, signature: Signature, probes: Probes | None) -> str:
    """What the service said when it failed on a row to which the native model had no answer; empty where it did not."""
    if probes is None:
        return ""
    unanswered = np.flatnonzero(~probes.answered)
    asked = probes.take(unanswered[evenly(len(unanswered), REFUSED_ROWS)])
    for kind, names, record in zip(asked.kinds, asked.changes, asked.records, strict=True):
        error = client.score(url, [record], signature).error
        if error and not error.startswith("status 4"):
            return f"a row that the native model refuses too ({kind}: {', '.join(names[:3])}): {error}"
    return ""


def _contract(client: ScoringClient, url: str, signature: Signature) -> Check:
    answer = client.score(url, [{"no such column": 1}], signature)
    refused = bool(answer.error) and answer.error.startswith("status 4")
    detail = (
        "a malformed request is refused"
        if refused
        else f"a malformed request was answered: {answer.error or 'as if it were well'}"
    )
    return Check(name="contract", ok=refused, detail=detail)


def _single_rows(client: ScoringClient, url: str, signature: Signature, golden: GoldenRows) -> Check:
    if not golden.records:
        return Check(name="single-rows", ok=False, detail="there is no row to ask")
    rows = [golden.records[index % len(golden.records)] for index in range(SINGLE_ROWS)]
    answers = [client.score(url, [row], signature) for row in rows]
    failed = [answer.error for answer in answers if answer.error]
    median, p99 = np.quantile([answer.milliseconds for answer in answers], [0.5, 0.99])
    detail = f"{len(rows)} single rows: median {median:.1f} ms, p99 {p99:.1f} ms, {len(failed)} failed {failed[:1]}"
    return Check(name="single-rows", ok=not failed, detail=detail)
