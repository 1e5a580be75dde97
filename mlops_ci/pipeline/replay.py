"""Asks both releases of a rollout what users asked lately: each distinct record once, and by itself, as clients do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_ci.core.answers import Replay, compare_answers, usual_distance
from mlops_ci.core.digest import sha256
from mlops_ci.core.predictions import Predictions, joined
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import Answer

AT_ONCE = 300
"""Records of one look: enough for the tests' power at the first one, and asked in a second or two."""
IN_ALL = 5_000
"""Records of one rollout. So many show what there is to see, and that is all that is asked of the services more."""
DIGITS = 16
"""Of a record's digest, to tell it from the others."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One release of a rollout at its own address, with what is known of it."""

    url: str
    release: Release
    signature: Signature
    golden: GoldenRows


class Replays:
    """What both sides are asked in the course of a rollout; `asked` names the live records that they were asked."""

    def __init__(self, *, tolerance: float, asked: Iterable[str] = ()) -> None:
        self.tolerance = tolerance
        self.asked = dict.fromkeys(asked)

    def latest(self, site: Site, stable: Side, new: Side) -> tuple[Replay, tuple[str, ...]]:
        """Asks the latest requests that are new since the last time; and says why users' requests were not heard."""
        fresh: list[Mapping[str, Any]] = []
        redacted: set[str] = set()
        for side in (stable, new):
            recent = site.target.recent_requests(site.name, site.model, side.release.id, AT_ONCE)
            if not recent.records:
                redacted |= set(recent.redacted)
            for record in reversed(recent.records):
                name = _name(record)
                if name not in self.asked and len(fresh) < AT_ONCE and len(self.asked) < IN_ALL:
                    self.asked[name] = None
                    fresh.append(record)
        left_out = ", ".join(sorted(redacted))
        unheard = (f"the log leaves out {left_out}, so live requests cannot be asked again",) if left_out else ()
        return _replay(_ask(site, fresh, stable, new), self.tolerance), unheard


def usual_replay(site: Site, stable: Side, new: Side) -> tuple[Replay, float]:
    """How the two sides' answers to the golden rows compare, which is what live requests are expected to show; and how
    far apart answers have to be to count as different.
    """
    pairs = _ask(site, new.golden.records, stable, new)
    both = _both(pairs)
    tolerance = usual_distance(*both) if both else 0.0
    return _replay(pairs, tolerance), tolerance


def _name(record: Mapping[str, Any]) -> str:
    # Not through JSON, which cannot say all that a line of a log may hold: NaN, half of a character.
    return sha256(ascii(sorted(record.items())).encode())[:DIGITS]


def _ask(site: Site, records: Sequence[Mapping[str, Any]], stable: Side, new: Side) -> list[tuple[Answer, Answer]]:
    return [(_one(site, stable, record), _one(site, new, record)) for record in records]


def _one(site: Site, side: Side, record: Mapping[str, Any]) -> Answer:
    """The record as this side's clients would send it: its own columns; one that the record lacks is missing there."""
    own = {column.name: record.get(column.name) for column in side.signature.inputs}
    answer = site.client.score(side.url, [own], side.signature)
    if answer.error and not answer.release:  # nobody answered: a connection that was lost says nothing of the record
        return site.client.score(side.url, [own], side.signature)
    return answer


def _both(pairs: Sequence[tuple[Answer, Answer]]) -> tuple[Predictions, Predictions] | None:
    """The answers to what both answered; None where that is nothing."""
    good = [(old.predictions, new.predictions) for old, new in pairs if old.predictions and new.predictions]
    return (joined([old for old, _ in good]), joined([new for _, new in good])) if good else None


def _replay(pairs: Sequence[tuple[Answer, Answer]], tolerance: float) -> Replay:
    both = _both(pairs)
    failed = sum(1 for old, new in pairs if not old.error and new.error)
    known = compare_answers(*both, tolerance=tolerance) if both else Replay()
    return known + Replay(rows=failed, failed=failed)
