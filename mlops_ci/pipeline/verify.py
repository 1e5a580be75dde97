"""Asks a live scoring service what its users will ask, and says by name what is wrong with the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlops_ci.config.types import ParityConfig, VerificationConfig
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.checks import Check, Verification
from mlops_ci.pipeline.contract import ask_contract
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.golden_check import ask_golden, differs_through_infer
from mlops_ci.pipeline.identity import ask_health, ask_identity
from mlops_ci.pipeline.load import ask_load
from mlops_ci.ports import ScoringClient


def verify(
    client: ScoringClient,
    url: str,
    *,
    release: Release,
    signature: Signature,
    golden: GoldenRows,
    limits: ParityConfig,
    in_image: bool = False,
    load: VerificationConfig | None = None,
) -> Verification:
    """Health, identity, golden rows, wrong requests, and a load where one is given.

    `in_image` says that the service has to run from the release's image. A service that is not ready is asked no more;
    any other is asked everything, so that all that is wrong is said at once.
    """
    health = ask_health(client, url)
    if not health.ok:
        return Verification(release=release.id, url=url, checks=[health])
    checks = [
        health,
        *ask_identity(client, url, release=release, signature=signature, in_image=in_image),
        _golden(client, url, release=release, signature=signature, golden=golden, limits=limits),
        ask_contract(client, url, model=release.model, signature=signature),
    ]
    measured: Mapping[str, Any] | None = None
    if load is not None and golden.records:
        more, measured = ask_load(
            client, url, release=release, signature=signature, golden=golden, limits=limits, config=load
        )
        checks += more
    return Verification(release=release.id, url=url, checks=_each_once(checks), load=measured)


def _golden(
    client: ScoringClient,
    url: str,
    *,
    release: Release,
    signature: Signature,
    golden: GoldenRows,
    limits: ParityConfig,
) -> Check:
    check = ask_golden(client, url, release=release, signature=signature, golden=golden, limits=limits)
    if not check.ok:
        return check
    problem = differs_through_infer(client, url, release=release, signature=signature, golden=golden, limits=limits)
    if problem:
        return replace(check, ok=False, detail=problem)
    return replace(check, detail=f"{check.detail}; through infer too")


def _each_once(checks: list[Check]) -> list[Check]:
    """By name; of several of one name (another release that answers is seen twice) the first that failed."""
    found: dict[str, Check] = {}
    for check in checks:
        if check.name not in found or (found[check.name].ok and not check.ok):
            found[check.name] = check
    return list(found.values())
