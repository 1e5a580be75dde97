"""Asks a live scoring service what its users will ask, and says by name what is wrong with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mlops_ci.config.types import ParityConfig
from mlops_ci.core.parity import compare
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.ports import ScoringClient

SINGLE_ROWS = 50
"""Requests of one row each, as most clients send them."""


@dataclass(frozen=True, kw_only=True)
class Check:
    name: str
    ok: bool
    detail: str


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
            "checks": [asdict(check) for check in self.checks],
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
    """Does this very release answer there, and as the native model did?"""
    if not golden.records:
        return Check(name="golden-rows", ok=False, detail="there are none, so nothing speaks for the release")
    answer = client.score(url, golden.records, signature)
    if answer.error or answer.predictions is None:
        return Check(name="golden-rows", ok=False, detail=answer.error)
    if answer.release != release.id:
        detail = f"release {answer.release[:12] or 'unknown'} answered instead of {release.id[:12]}"
        return Check(name="wrong-release", ok=False, detail=detail)
    try:
        parity = compare(golden.answers, answer.predictions, atol=limits.atol, max_flips=limits.max_flips)
    except ValueError as error:
        return Check(name="golden-rows", ok=False, detail=str(error))
    detail = (
        f"{parity.rows} rows, {parity.flips} labels and {parity.over} scores are not as the native model's,"
        f" largest difference {parity.max_abs_diff:.2g}"
    )
    return Check(name="golden-rows", ok=parity.ok, detail=detail)


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
