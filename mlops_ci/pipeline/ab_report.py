"""An A/B test for people who decide: what users' requests met on either side, and how well both did.

The router says how many requests each side got and failed, and how long they took; the prediction logs say what was
answered; what came true is brought along. Requests were divided, not users: one user may have met both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.two_sides import FEWEST, Compared, Judged, failures, means, performance, quantiles
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.ab_test import AbTest, latest_test, live_counts
from mlops_ci.pipeline.known_actuals import known_actuals
from mlops_ci.pipeline.logged_rows import LoggedRows, logged_rows
from mlops_ci.pipeline.site import Site

if TYPE_CHECKING:
    from pandas import DataFrame

NOTES = (
    "Requests were divided by chance, and not users: one user may have met both sides, so what shows only over several "
    "requests of a user cannot be compared.",
    "Latencies are bounds of the router's buckets: so many requests took no longer.",
    "Intervals are 95 % confidence sequences: they hold however often this report is looked at.",
)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What came true, by request id, and the metric by which the model is judged."""

    actuals: DataFrame
    target: str
    metric: str


@dataclass(frozen=True, kw_only=True)
class AbReport:
    """`latency_ms` are upper bounds by side and quantile (None: beyond all bounds); `notes` say what numbers do not."""

    test: AbTest
    errors: Compared
    latency_ms: Mapping[str, Mapping[str, float | None]]
    answers: Sequence[Compared]
    performance: Compared | None
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        return {
            **self.test.to_json(),
            "requests": {"stable": self.errors.stable.units, "new": self.errors.new.units},
            "errors": self.errors.to_json(),
            "latency_ms": {side: dict(found) for side, found in self.latency_ms.items()},
            "answers": [compared.to_json() for compared in self.answers],
            "performance": None if self.performance is None else self.performance.to_json(),
            "e_values": self.test.progress.state.evidence.e_values,
            "notes": list(self.notes),
        }


def ab_report(site: Site, truth: Truth | None = None) -> AbReport:
    """The latest A/B test of the environment. Raises NotFoundError where there was none, and DataGateError where none
    of the actuals belongs to an answer of either side.
    """
    test = latest_test(site)
    live = live_counts(site, test)
    logged = {side: _Logged.of(site, test, side) for side in test.sides}
    errors = failures("errors", *((live[side].errors, live[side].requests) for side in ("stable", "new")))
    answers = _answers(logged["stable"], logged["new"])
    judged, said = _performance(logged, truth) if truth else (None, ())
    notes = [*NOTES, *_about_log(logged), *said]
    notes += [line for compared in (errors, *answers, *([judged] if judged else [])) for line in _few(compared)]
    if test.ended is None and test.new.id not in site.target.shares(site.name, site.model):
        notes.append(f"The traffic is not divided now: mlops-ci reconcile {site.model} --environment {site.name}")
    return AbReport(
        test=test,
        errors=errors,
        latency_ms={side: quantiles(counts.within, counts.requests) for side, counts in live.items()},
        answers=answers,
        performance=judged,
        notes=tuple(dict.fromkeys(notes)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Logged:
    """What one side has answered during the test; `rows` is None where that is nothing. `codes` number the requests."""

    version: int
    signature: Any
    rows: LoggedRows | None
    codes: NDArray[Any]

    @classmethod
    def of(cls, site: Site, test: AbTest, side: str) -> _Logged:
        release = test.sides[side]
        signature = site.signature(release)
        entries = (one for one in site.target.logged_requests(site.name, site.model) if test.covers(one.time))
        try:
            rows = logged_rows(entries, signature, release=release.id)
        except DataGateError:
            return cls(version=release.version, signature=signature, rows=None, codes=np.zeros(0, dtype=np.int64))
        return cls(version=release.version, signature=signature, rows=rows, codes=np.cumsum(rows.positions == 0) - 1)

    def answered(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The positions of the rows that this side has answered, and the number of each one's request."""
        at = np.flatnonzero(self.rows.answered) if self.rows else np.zeros(0, dtype=np.int64)
        return at, numbered(self.codes[at])


def numbered(codes: NDArray[Any]) -> NDArray[Any]:
    """The same requests, numbered from 0 without a gap."""
    return np.unique(codes, return_inverse=True)[1].reshape(-1)


def _answers(stable: _Logged, new: _Logged) -> list[Compared]:
    """The mean of the answers; of a classifier the share of each label, and of a binary one the mean probability."""
    sides = (stable, new)
    if stable.rows is None or new.rows is None or stable.signature.classes != new.signature.classes:
        return []
    found = [(side.rows.predictions.take(side.answered()[0]), side.answered()[1]) for side in sides if side.rows]
    classes = stable.signature.classes
    if not classes:
        return [means("mean answer", *((answers.scores[:, 0], codes) for answers, codes in found))]
    compared = [
        means(f"share of {name}", *(((answers.labels == name).astype(np.float64), codes) for answers, codes in found))
        for name in (classes[1:] if len(classes) == 2 else classes)
    ]
    if len(classes) == 2:
        name = f"mean probability of {classes[1]}"
        compared.append(means(name, *((answers.scores[:, 1], codes) for answers, codes in found)))
    return compared


def _performance(logged: Mapping[str, _Logged], truth: Truth) -> tuple[Compared | None, list[str]]:
    judged: dict[str, Judged] = {}
    notes: list[str] = []
    missing: list[DataGateError] = []
    for side, one in logged.items():
        if one.rows is None:
            continue
        try:
            known = known_actuals(one.rows, truth.actuals, target=truth.target, signature=one.signature)
        except DataGateError as error:
            missing.append(error)
            notes.append(f"Version {one.version} ({side}): {error.what}.")
            continue
        at = np.flatnonzero(known.known)
        judged[side] = Judged(
            truth=known.truth[at], answers=one.rows.predictions.take(at), codes=numbered(one.codes[at])
        )
        notes += [f"Version {one.version} ({side}): {note}" for note in known.notes]
    if len(judged) == 2:
        signature = logged["stable"].signature
        return performance(truth.metric, judged["stable"], judged["new"], signature), notes
    if not judged:
        raise missing[0] if missing else DataGateError("the prediction logs hold nothing that was asked in the test")
    return None, notes


def _about_log(logged: Mapping[str, _Logged]) -> list[str]:
    summary = next((one.rows.summary for one in logged.values() if one.rows), None)
    if summary is None:
        return ["The prediction logs hold no request of the time of the test: nothing is known of the answers."]
    if summary.estimated_requests <= summary.requests:
        return []
    return [f"The prediction logs keep a sample: {summary.requests} of about {summary.estimated_requests} requests."]


def _few(compared: Compared) -> list[str]:
    fewest = min(compared.stable.units, compared.new.units)
    if fewest >= FEWEST:
        return []
    return [f"{compared.name}: no interval, as one side has {fewest} requests only; {FEWEST} are needed."]
