"""From a release to production on a cluster that follows a branch, as Argo CD and Flux let one do."""

from __future__ import annotations

import subprocess
from functools import partial

import pytest
import yaml

from mlops_ci.adapters.kubernetes_branch import BRANCH
from mlops_ci.errors import ConfigurationError, OutsideError, VerificationError
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery import killing
from tests.delivery.real_world import Users
from tests.delivery.world import MODEL, Line
from tests.infra.test_kubernetes import VERSIONS, check
from tests.kubernetes_api.cluster import Cluster
from tests.kubernetes_api.follower import Follower
from tests.kubernetes_api.world import BranchWorld, command

OLD, NEW = Line(slope=1.0), Line(slope=1.001)
DEPLOYED = BRANCH.format(environment="production")


def files(world: BranchWorld) -> dict[str, str]:
    paths = world.git("ls-tree", "-r", "--name-only", DEPLOYED, "deployed").splitlines()
    return {path.rpartition("/")[2]: world.git("show", f"{DEPLOYED}:{path}") for path in paths}


def test_to_production_and_back_however_often_it_is_killed(
    branch_world: BranchWorld, follower: Follower, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = branch_world
    monkeypatch.delenv("KUBECONFIG")  # it needs no credentials
    first = world.deliver(OLD)
    rest = (BranchWorld, world.folder, cluster.folder, cluster.url)
    with Users().asking(world) as users:
        second = world.release(NEW)
        for number in (3, 10):
            assert killing.run(partial(command, *rest, "promote", second.id), kill_before=number).killed
        assert killing.run(partial(command, *rest, "promote", second.id)).code == 0
        world.require_settled()
        committed = files(world)
        assert set(committed) == {"route.yaml", f"{second.id[:12]}.yaml"}
        for text in committed.values():
            for manifest in yaml.safe_load_all(text):
                check(manifest, VERSIONS[0])

        assert killing.run(partial(command, *rest, "roll back", ""), kill_before=5).killed
        assert world.reconcile().release == first.id
        world.require_settled()
    assert users.asked > 0
    assert users.failures == ()
    assert roll_back_has_nothing(world)
    assert follower.problems == []
    assert world.git("log", "-1", "--format=%s", DEPLOYED).startswith("End release")
    # the team's own branch holds nothing of it
    assert "deployed" not in world.git("ls-tree", "--name-only", "main").splitlines()
    assert list(world.target.logged_requests("production", MODEL)) == []
    assert "no credentials" in world.console.said[-1]


def roll_back_has_nothing(world: BranchWorld) -> bool:
    with pytest.raises(ConfigurationError, match="no other release"):
        roll_back(world.site(), reason="again")
    return True


def test_what_nobody_follows_or_nobody_can_start_is_named(
    branch_world: BranchWorld, follower: Follower, cluster: Cluster
) -> None:
    world = branch_world
    made = world.register(OLD)
    world.commit_patience = 1.0
    follower.working.clear()
    with pytest.raises(OutsideError, match=r"follows that branch") as caught:
        world.target.start("production", made, {})
    assert "status 404" in str(caught.value)
    assert not world.target.instances("production", MODEL)[0].healthy
    assert world.target.shares("production", MODEL) == {}

    world.commit_patience = 8.0
    cluster.registry.down = "unauthorized"
    follower.working.set()
    other = world.register(NEW)
    with pytest.raises(VerificationError, match="did not become ready"):
        world.target.start("production", other, {})
    assert set(files(world)) == {"route.yaml", f"{made.id[:12]}.yaml"}
    cluster.registry.down = ""
    world.commit_patience = 120.0
    assert world.target.start("production", made, {}).healthy


def test_two_models_commit_to_one_branch(branch_world: BranchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on what the other has just committed; and a file that people have spoilt is named."""
    world = branch_world
    world.commit_patience = 0.0
    made = world.register(OLD)
    really, rivals = world.repository.__class__.commit_files, iter(["a", "b"])

    def late(repository: object, wanted: dict[str, bytes], **more: str) -> str:
        rival = next(rivals, "")
        if rival:
            onto = world.git("rev-parse", DEPLOYED if rival == "b" else "main")
            really(
                world.repository,
                {f"deployed/production/{rival}/route.yaml": b"x: 1\n"},
                branch=DEPLOYED,
                onto=onto,
                message="theirs",
            )
        return really(repository, wanted, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(world.repository.__class__, "commit_files", late)
    with pytest.raises(OutsideError):
        world.target.start("production", made, {})
    paths = world.git("ls-tree", "-r", "--name-only", DEPLOYED, "deployed").splitlines()
    assert [path for path in paths if path.endswith("route.yaml")] == [
        f"deployed/production/{model}/route.yaml" for model in ("a", "b", MODEL)
    ]
    monkeypatch.undo()
    onto = world.git("rev-parse", DEPLOYED)
    spoilt = {f"deployed/production/{MODEL}/route.yaml": b"kind: HTTPRoute\n"}
    world.repository.commit_files(spoilt, branch=DEPLOYED, onto=onto, message="by hand")
    with pytest.raises(ConfigurationError, match="does not say what serves"):
        world.target.shares("production", MODEL)
    assert subprocess.run(["git", "fsck"], cwd=world.root, capture_output=True, check=False).returncode == 0
