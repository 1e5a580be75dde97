from __future__ import annotations

from mlops_ci.scoring.lanes import INLINE_SECONDS
from mlops_ci.scoring.model import CHUNK_ROWS, OnnxModel, OnnxRuntime
from mlops_ci.scoring.service import ScoringService
from mlops_ci.scoring.warm_up import warm_up
from tests.scoring.slow_model import slow
from tests.scoring.tiny_models import TinyModel, binary, multiclass


def service_of(model: TinyModel) -> tuple[ScoringService, OnnxModel]:
    loaded = OnnxRuntime().load(model.onnx, model.signature)
    return ScoringService(loaded, name="m", version=1, release=""), loaded


def test_a_slow_model_is_known_to_be_slow_before_the_first_request() -> None:
    service, model = service_of(slow())

    costs = warm_up(service, model)

    assert costs.of(10) > INLINE_SECONDS
    assert costs.of(100_000) > 10 * costs.of(10)
    assert 1 <= model.chunk_rows < CHUNK_ROWS // 4


def test_what_a_fast_model_is_asked_in_a_few_rows_is_cheap() -> None:
    service, model = service_of(binary())

    costs = warm_up(service, model)

    assert costs.of(100) <= costs.of(10_000) <= costs.of(10_000_000)
    assert costs.of(100) < costs.of(10_000_000)


def test_a_model_that_has_no_answer_for_such_rows_is_served_all_the_same() -> None:
    service, model = service_of(multiclass())

    assert warm_up(service, model).of(100) > 0
