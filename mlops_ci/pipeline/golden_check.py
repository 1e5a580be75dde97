"""The parity gate's third place: a live service has to answer the golden rows as the native model did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlops_ci.config.types import ParityConfig
from mlops_ci.core.parity import compare
from mlops_ci.core.predictions import Predictions, joined
from mlops_ci.core.probes import Probes
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.core.thresholds import evenly
from mlops_ci.pipeline.checks import Check
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.ports import ScoringClient

BATCH_ROWS, BATCH_VALUES = 500, 100_000
"""What one request for golden rows holds at most."""
REFUSED_ROWS = 100
"""Of the rows that the native model refuses, each asked by itself."""
INFER_ROWS = 50
"""Of the golden rows, asked through the Open Inference Protocol too."""


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


def differs_through_infer(
    client: ScoringClient,
    url: str,
    *,
    release: Release,
    signature: Signature,
    golden: GoldenRows,
    limits: ParityConfig,
) -> str:
    """How the answers to some of the golden rows through infer, as JSON and in binary, are not the native model's."""
    chosen = evenly(len(golden.records), INFER_ROWS)
    records: Sequence[Mapping[str, Any]] = [golden.records[int(row)] for row in chosen]
    native = golden.answers.take(chosen)
    for binary in (False, True):
        way = f"through infer {'in binary' if binary else 'as JSON'}"
        answer = client.infer(url, release.model, records, signature, binary=binary)
        if answer.error or answer.predictions is None:
            return f"{way}: {answer.error}"
        try:
            parity = compare(native, answer.predictions, atol=limits.atol, max_flips=limits.max_flips)
        except ValueError as error:
            return f"{way}: {error}"
        if not parity.ok:
            return f"{way}: {parity.text}"
    return ""
