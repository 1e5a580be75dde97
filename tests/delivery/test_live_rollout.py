"""A bad release at 10 % of real traffic is aborted before 50 %, a good one is not: real services, router and users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import onnx
import pytest

from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.config.types import AbConfig
from mlops_ci.pipeline.ab_report import ab_report
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PROBE
from tests.delivery.faulty_service import MODULE
from tests.delivery.real_world import RealWorld, Users, line_graph
from tests.delivery.world import MODEL, Line

ROWS = [round(0.3 * n % 2, 2) + n / 1000 for n in range(200)]
"""What users ask: half of it beyond 1, where no golden row is."""
LONG, SHORT = timedelta(seconds=10), timedelta(seconds=2)


class FaultyWorld(RealWorld):
    """Its services are those of `faulty_service`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.client = HttpScoringClient()

    def site(self, name: str = "production") -> Site:
        return replace(super().site(name), client=self.client)

    def graph(self, line: Line) -> bytes:
        model = onnx.load_from_string(line_graph(line))
        onnx.helper.set_model_props(model, {"fails": str(line.fails), "slow": str(line.slow)})
        return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyWorld]:
    """With a release in production that users are asking all the time."""
    world = FaultyWorld(tmp_path_factory.mktemp("live") / "world", steps=(10, 50, 100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlops_ci.adapters.process_target.MODULE", MODULE)
        try:
            world.deliver(Line())
            with Users(rows=ROWS).asking(world):
                yield world
        finally:
            world.client.close()
            world.target.shut_down()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Line(fails=0.5), "live requests failed"),
        (Line(slow=0.5), "live requests took longer than"),
        (Line(live=5.0), "answers differ"),
    ],
    ids=["errors", "slowness", "wrong answers"],
)
def test_a_bad_release_is_aborted_at_10_percent(world: FaultyWorld, bad: Line, reason: str) -> None:
    world.change(window=LONG, shadow=timedelta(0))
    serving = world.serving()

    change = world.promote(world.release(bad))

    assert [(step.share, step.outcome) for step in change.steps] == [(10, "abort")]
    assert reason in change.steps[0].reasons[0]
    assert world.serving() == serving
    world.require_settled()


def test_in_the_shadow_it_is_aborted_before_any_user_sees_it(world: FaultyWorld) -> None:
    world.change(window=LONG, shadow=LONG)
    bad = world.release(Line(fails=0.5), "shadowed")

    change = world.promote(bad)

    assert [(step.stage, step.outcome) for step in change.steps] == [("shadow", "abort")]
    logged = [entry for entry in world.target.logged_requests("production", MODEL) if entry.release == bad.id]
    assert logged
    assert all(entry.request_id.startswith(PROBE) for entry in logged), "what it answered went to nobody"
    world.require_settled()


def test_a_good_release_gets_all_traffic_and_an_ab_test_tells_what_it_counted(world: FaultyWorld) -> None:
    world.change(window=SHORT, shadow=timedelta(0), ab=AbConfig(share=50, duration=SHORT))
    good = world.release(Line(), "as good")

    assert world.promote(good).outcome == "comparing"
    world.clock.sleep(SHORT.total_seconds())
    found = ab_report(world.site())

    assert min(found.errors.stable.units, found.errors.new.units) > 0
    assert found.errors.new.value == 0
    assert found.latency_ms["new"]["p50"] is not None
    change = world.reconcile()
    assert (change.outcome, change.release) == ("promoted", good.id)
    assert [step.share for step in change.steps] == [50, 100]
    world.require_settled()
