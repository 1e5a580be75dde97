"""`python -m tests.delivery.faulty_service`: the scoring service, with faults that only users' own requests meet.

They are planted in the graph's metadata: the share of requests that `fails`, and that is `slow`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import onnxruntime

from mlops_ci.adapters.traefik_configuration import COPY_ID
from mlops_ci.core.records import MODEL_FILE
from mlops_ci.ports import PROBE
from mlops_ci.scoring.__main__ import main
from mlops_ci.scoring.messages import Request, Response
from mlops_ci.scoring.service import ScoringService

MODULE = "tests.delivery.faulty_service"
SLOW_SECONDS = 0.15


def plant(faults: Mapping[str, float]) -> None:
    """From now on each service of this process has the faults, evenly spread over its requests."""
    respond = ScoringService.respond
    asked = 0

    def happens(name: str) -> bool:
        share = faults.get(name, 0.0)
        return int(asked * share) > int((asked - 1) * share)

    def faulty(service: ScoringService, request: Request) -> Response:
        nonlocal asked
        if request.path.endswith("/score") and (not request.id.startswith(PROBE) or request.id == COPY_ID):
            asked += 1
            if happens("fails"):
                return Response(500, b"{}")
            if happens("slow"):
                time.sleep(SLOW_SECONDS)
        return respond(service, request)

    ScoringService.respond = faulty  # type: ignore[method-assign]


if __name__ == "__main__":
    folder = next(Path(one.partition("=")[2]) for one in sys.argv if one.startswith("--files="))
    metadata = onnxruntime.InferenceSession(folder / MODEL_FILE).get_modelmeta().custom_metadata_map
    plant({name: float(value) for name, value in metadata.items()})
    sys.exit(main())
