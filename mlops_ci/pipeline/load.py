"""Puts a live service under the declared load, and holds latency, errors, rate and memory against their limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlops_ci.config.types import ParityConfig, VerificationConfig
from mlops_ci.core.load import Load, LoadPlan, kept_rate, measured, slow_prober
from mlops_ci.core.parity import differences
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.checks import Check
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.ports import Answer, Reply, ScoringClient

RESIDENT_MEMORY = "process_resident_memory_bytes"
MEGABYTE = 1e6
SHOWN = 3


def ask_load(
    client: ScoringClient,
    url: str,
    *,
    release: Release,
    signature: Signature,
    golden: GoldenRows,
    limits: ParityConfig,
    config: VerificationConfig,
) -> tuple[list[Check], Mapping[str, Any]]:
    """The checks `errors`, `latency` (unless the prober was at fault), `rate` and `memory`, and what was measured."""
    plan = LoadPlan(rate=config.rate, seconds=config.duration.total_seconds())
    natives = [golden.answers.take(np.array([row])) for row in range(len(golden.records))]

    def judge(row: int, answer: Answer) -> str:
        """Is it the release's own answer, and the one that it has to give?"""
        if answer.error or answer.predictions is None:
            return answer.error or "no answer"
        if answer.release != release.id:
            return "another release answered"
        found = differences(natives[row], answer.predictions, atol=limits.atol)
        flipped = found.flipped[0] and not limits.max_flips  # which of them may flip the golden rows have judged
        return "another answer than the native model's" if found.over[0] or flipped else ""

    before, _ = _memory(client.ask(url, "/metrics"))
    load = measured(client.load(url, plan, golden.records, signature, judge))
    after, problem = _memory(client.ask(url, "/metrics"))
    checks = [*judged(load, plan, config), _memory_check(before, after, problem, config.memory_mb)]
    memory = {"memory_mb": after, "memory_before_mb": before}
    return checks, {**load.to_json(), "declared_rate": plan.rate, **memory}


def judged(load: Load, plan: LoadPlan, config: VerificationConfig) -> list[Check]:
    """`errors`, `latency` and `rate`. Where the prober was too slow `rate` says so, and latency is not judged."""
    checks = [_errors(load, config.error_rate)]
    slow = slow_prober(load, plan, config.latency_p99_ms)
    if slow:
        return [*checks, Check(name="rate", ok=False, outside=True, detail=f"{slow}, so latency is not known")]
    limit = config.latency_p99_ms
    answered = not math.isnan(load.p99_ms)
    latency = f"p99 {load.p99_ms:.1f} ms, p50 {load.p50_ms:.1f} ms, at most {load.max_ms:.1f} ms"
    kept = kept_rate(load.behind_s, plan)
    rate = f"{load.requests} requests at {load.rate:.1f} a second"
    if not kept:
        rate += f", and {plan.rate} a second were due: those in flight waited for the service"
    return [
        *checks,
        Check(
            name="latency",
            ok=answered and load.p99_ms <= limit,
            detail=f"{latency}; the limit of p99 is {limit:g} ms" if answered else "no request was answered",
        ),
        Check(name="rate", ok=kept, detail=rate),
    ]


def resident_megabytes(metrics: str) -> float | None:
    """The resident memory that a text of Prometheus metrics names; None where it names none, or no single one.

    >>> resident_megabytes("# TYPE process_resident_memory_bytes gauge\\nprocess_resident_memory_bytes 7.5e+07\\n")
    75.0
    """
    values = [line.split()[1:2] for line in metrics.splitlines() if line.split()[:1] == [RESIDENT_MEMORY]]
    if len(values) != 1 or not values[0]:
        return None
    try:
        found = float(values[0][0])
    except ValueError:
        return None
    return found / MEGABYTE if math.isfinite(found) and found > 0 else None


def _errors(load: Load, allowed: float) -> Check:
    detail = f"{load.failed} of {load.requests} requests failed"
    if load.failed:
        kinds: Sequence[tuple[str, int]] = list(load.errors.items())
        named = "; ".join(f"{count} times {kind}" for kind, count in kinds[:SHOWN])
        detail += f" ({load.error_rate:.2%}, allowed {allowed:.2%}): {named}"
    return Check(name="errors", ok=load.error_rate <= allowed, detail=detail)


def _memory(reply: Reply) -> tuple[float | None, str]:
    """Megabytes, or why they are not known."""
    if reply.status != 200:
        return None, f"/metrics: {reply.summary}"
    found = resident_megabytes(reply.body.decode(errors="replace"))
    return found, "" if found is not None else f"/metrics has no {RESIDENT_MEMORY}"


def _memory_check(before: float | None, after: float | None, problem: str, limit: float) -> Check:
    if after is None:
        return Check(name="memory", ok=False, detail=f"is not known: {problem}")
    grown = "" if before is None else f" ({after - before:+.1f} MB during it)"
    detail = f"{after:.1f} MB resident after the load{grown}; the limit is {limit:g} MB"
    return Check(name="memory", ok=after <= limit, detail=detail)
