"""What users are answered, by what Prometheus has collected of the pods; and copies for a shadow."""

from __future__ import annotations

import pytest

from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.errors import OutsideError
from tests.delivery.world import MODEL, SIGNATURE, Line
from tests.kubernetes_api.cluster import Cluster
from tests.kubernetes_api.prometheus import Prometheus
from tests.kubernetes_api.world import KubernetesWorld


def test_requests_are_counted_by_release_from_the_latest_start_on(world: KubernetesWorld, cluster: Cluster) -> None:
    with Prometheus(cluster.node) as server, HttpScoringClient(probe=False) as user:
        world.prometheus = server.url

        def asks(times: int) -> None:
            for _ in range(times):
                assert not user.score(target.url("production", MODEL), [{"x": 0.5}], SIGNATURE).error

        target = world.target
        assert target.traffic("production", MODEL) == {}
        old, new = world.register(Line()), world.register(Line(slope=1.001))
        target.start("production", old, {})
        target.route("production", MODEL, {old.id: 100})
        asks(7)
        server.visit()
        target.start("production", new, {})
        server.visit()
        assert [each.requests for each in target.traffic("production", MODEL).values()] == [0, 0]

        target.route("production", MODEL, {old.id: 100}, shadow=new.id)
        asks(5)
        target.route("production", MODEL, {old.id: 50, new.id: 50})
        asks(10)
        server.visit()
        counted = target.traffic("production", MODEL)
        # five copies are the new one's, too
        assert (counted[old.id].requests, counted[new.id].requests) == (10, 10)
        assert counted[new.id].errors == 0
        assert counted[new.id].within[10_000.0] == 10
        assert counted[new.id].counter == counted[old.id].counter != ""
        later = target.traffic("production", MODEL)[old.id].since(counted[old.id])
        assert later.requests == 0

        server.broken = True
        with pytest.raises(OutsideError, match="Prometheus does not say"):
            target.traffic("production", MODEL)
