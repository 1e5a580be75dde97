"""What a command that changes what serves has done to an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mlops_ci.pipeline.rollout import Step

Result = Literal[
    "nothing", "unchanged", "restored", "deployed", "promoted", "comparing", "aborted", "rolled-back", "reverting",
    "proposed",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of an environment: `release` serves now, `previous` did, `rejected` was refused or taken back.

    `comparing` is the new release that has a part of the traffic while an A/B test goes on. `revert` is the pull
    request that would put Git right and waits for people, where the forge does not let it be merged without them;
    `proposed` is the one that would deploy and waits likewise.
    """

    model: str
    environment: str
    release: str | None
    previous: str | None
    outcome: Result
    url: str | None = None
    rejected: str | None = None
    comparing: str | None = None
    revert: int | None = None
    proposed: int | None = None
    reasons: Sequence[str] = ()
    steps: Sequence[Step] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"reasons": list(self.reasons), "steps": [asdict(step) for step in self.steps]}
