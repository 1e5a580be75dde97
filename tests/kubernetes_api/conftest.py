"""One cluster for a module, and a world for each test, whose objects are taken away when it ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.kubernetes_branch import BRANCH
from tests.docker_engine import missing
from tests.kubernetes_api.cluster import Cluster
from tests.kubernetes_api.follower import Follower
from tests.kubernetes_api.world import BranchWorld, KubernetesWorld


@pytest.fixture(scope="module")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if shutil.which("kubectl") is None:
        missing("kubectl is not installed")
    with Cluster(tmp_path_factory.mktemp("kubernetes") / "cluster") as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("KUBECONFIG", str(running_cluster.kubeconfig))
    # what kubectl has learned of the API is kept for the whole module
    monkeypatch.setenv("KUBECACHEDIR", str(running_cluster.kubeconfig.with_name("cache")))
    yield running_cluster
    running_cluster.empty()


@pytest.fixture
def world(cluster: Cluster, tmp_path: Path) -> Iterator[KubernetesWorld]:
    made = KubernetesWorld(tmp_path / "world", cluster=cluster.folder, url=cluster.url)
    yield made
    made.end()


@pytest.fixture
def branch_world(cluster: Cluster, tmp_path: Path) -> Iterator[BranchWorld]:
    made = BranchWorld(tmp_path / "world", cluster=cluster.folder, url=cluster.url)
    yield made
    made.end()


@pytest.fixture
def follower(branch_world: BranchWorld, cluster: Cluster) -> Iterator[Follower]:
    """An agent that follows production's branch."""
    branch = BRANCH.format(environment="production")
    with Follower(branch_world.root, branch, "deployed/production", cluster.kubeconfig) as follower:
        yield follower
