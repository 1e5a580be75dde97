"""Past verdicts once more, from the answers that were kept with them, under another policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from mlops_ci.config.types import GateConfig
from mlops_ci.core.gate import Judgement, judge
from mlops_ci.core.verdicts import BLOCKING
from mlops_ci.errors import NotFoundError
from mlops_ci.pipeline.answers_archive import decode
from mlops_ci.pipeline.evidence import Circumstances, fairness_groups, gate_evidence
from mlops_ci.pipeline.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One past evaluation: what it said then, and what the other policy says of the same answers.

    `verdict_now` and `ships_now` are None where it cannot be replayed; `why` then gives the reason, and else what
    changed the verdict, empty where nothing did. `version` is the number that the lock got, None where it got none.
    """

    time: str
    lock: str
    version: int | None
    evaluation: str
    verdict_then: str
    ships_then: bool
    verdict_now: str | None
    ships_now: bool | None
    why: str

    @property
    def replayed(self) -> bool:
        return self.verdict_now is not None

    @property
    def changed(self) -> bool:
        return self.replayed and (self.verdict_then, self.ships_then) != (self.verdict_now, self.ships_now)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "replayed": self.replayed, "changed": self.changed}


def backtest(model: str, gate: GateConfig, registry: Registry) -> list[Replay]:
    """Every evaluation of the model in the store, oldest first, each judged anew as if `gate` had been in force.

    The day and the looks are those of the past judgement. Raises IntegrityError where the store is not what it was.
    """
    versions = {version.lock: version.version for version in registry.versions(model)}
    return [_replay(record, versions.get(record["lock"]), gate, registry) for record in registry.evaluations(model)]


def _replay(record: Mapping[str, Any], version: int | None, gate: GateConfig, registry: Registry) -> Replay:
    then: Mapping[str, Any] = {}
    now, why = None, ""
    try:
        then = registry.get_json(record["evaluation"])
        now = judge_again(then, gate, registry)
    except NotFoundError:
        why = "the store does not hold its answers any more" if then else "the store does not hold it any more"
    return Replay(
        time=record["time"],
        lock=record["lock"],
        version=version,
        evaluation=record["evaluation"],
        verdict_then=record["verdict"],
        ships_then=record["ships"],
        verdict_now=None if now is None else now.verdict,
        ships_now=None if now is None else now.ships,
        why=why if now is None else _why(then, now),
    )


def judge_again(evaluation: Mapping[str, Any], gate: GateConfig, registry: Registry) -> Judgement:
    """What `gate` says of the answers that were kept with the evaluation. Raises NotFoundError where there are none."""
    answers = decode(registry.get_blob(evaluation["answers"]))
    circumstances = Circumstances.from_json(evaluation["circumstances"])
    evidence = gate_evidence(answers, circumstances, gate, fairness_groups(answers, gate))
    return judge(evidence, gate, on=date.fromisoformat(circumstances.day))


def _why(then: Mapping[str, Any], now: Judgement) -> str:
    """What made the difference, in the words of the gate; empty where there is none."""
    verdict, ships = then["verdict"], then["ships"]
    if (verdict, ships) == (now.verdict, now.ships):
        return ""
    if verdict == now.verdict:
        return f"this policy {'lets' if now.ships else 'does not let'} {now.verdict} ship"
    if now.blocked or verdict not in BLOCKING:
        return now.reasons[0]
    return f"not blocked by {then['reasons'][0]}; {now.reasons[0]}"
