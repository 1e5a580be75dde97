"""What a command that changes what serves has done to an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mlops_ci.pipeline.rollout import Step

Result = Literal["nothing", "unchanged", "restored", "deployed", "promoted", "aborted", "rolled-back"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of an environment: `release` serves now, `previous` did, `rejected` was refused or taken back."""

    model: str
    environment: str
    release: str | None
    previous: str | None
    outcome: Result
    url: str | None = None
    rejected: str | None = None
    reasons: Sequence[str] = ()
    steps: Sequence[Step] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"reasons": list(self.reasons), "steps": [asdict(step) for step in self.steps]}
