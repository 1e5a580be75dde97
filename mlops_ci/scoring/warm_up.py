"""What requests cost, measured before the first one comes; the model and its runtime are warm afterwards."""

from __future__ import annotations

from time import thread_time

import orjson

from mlops_ci.scoring.lanes import Costs
from mlops_ci.scoring.messages import Request
from mlops_ci.scoring.model import CHUNK_SECONDS, OnnxModel
from mlops_ci.scoring.service import ScoringService

ROUNDS = 3
MANY = 64
LONGEST = 0.3
"""Fewer rows or rounds are measured where they would take more seconds than this."""


def warm_up(service: ScoringService, model: OnnxModel) -> Costs:
    """Measures rows of zeros and empty texts, and sets the model's `chunk_rows`. `service` has to keep no log."""
    record: dict[str, object] = {
        column.name: 0.0 if column.kind == "number" else "" for column in model.signature.inputs
    }
    one = _seconds(service, [record])
    many = max(2, min(MANY, int(LONGEST / one)))
    several = _seconds(service, [record] * many)
    a_row = max((several - one) / (many - 1), 1e-9)
    model.chunk_rows = max(1, min(model.chunk_rows, int(CHUNK_SECONDS / a_row)))
    sizes = (len(orjson.dumps([record])), len(orjson.dumps([record] * many)))
    return Costs(dict(zip(sizes, (one, several), strict=True)))


def _seconds(service: ScoringService, records: list[dict[str, object]]) -> float:
    request = Request("POST", "/score", {}, "warm-up", orjson.dumps(records))
    taken: list[float] = []
    while len(taken) < ROUNDS and sum(taken) < LONGEST:
        started = thread_time()
        service.respond(request)  # whatever it says of such rows, the model was run
        taken.append(thread_time() - started)
    return min(taken)
