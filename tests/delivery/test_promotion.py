"""From a release in the first environment to one that serves people: who has to agree, and when it is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mlops_ci.config.types import ApprovalsConfig
from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, VerificationError
from mlops_ci.pipeline.proposals import promotion_branch
from mlops_ci.ports import PullRequest
from tests.delivery.world import MODEL, Line, World

ONE, TWO, THREE = Line(slope=1.0), Line(slope=1.01), Line(slope=1.02)
BRANCH = promotion_branch("production", MODEL)


def asking(folder: Path, *people: str, required: int = 1) -> World:
    return World(folder / "world", approvals=ApprovalsConfig(required=required, people=people))


def open_one(world: World) -> PullRequest:
    pull = world.forge.open_pull_request(BRANCH)
    assert pull is not None
    return pull


def approve(world: World, reviewer: str = "grace") -> None:
    pull = open_one(world)
    world.forge.review(pull.number, reviewer=reviewer, commit=pull.head, approve=True)


def test_a_promotion_changes_one_line_and_keeps_what_people_wrote(world: World) -> None:
    world.deliver(ONE)
    path = f"environments/production/{MODEL}.yaml"
    file = world.root / path
    file.write_text("# ours: ask Grace first\n" + file.read_text() + "owner: Grace  # until May\n")
    world.git("commit", "-qam", "a comment")
    world.deliver(TWO)
    assert world.git("log", "-1", "--format=%s").startswith("Merge pull request 2")
    assert world.git("diff", "--numstat", "HEAD^1", "HEAD") == f"1\t1\t{path}"
    assert file.read_text().startswith("# ours: ask Grace first\n")
    assert "owner: Grace  # until May" in file.read_text()


def test_the_first_release_goes_to_production_without_steps_and_the_next_step_by_step(world: World) -> None:
    first = world.deliver(ONE)
    assert world.count("rollout-step") == 0
    second = world.release(TWO)
    change = world.promote(second)
    assert (change.outcome, change.previous, change.release) == ("promoted", first.id, second.id)
    assert [(step.share, step.outcome) for step in change.steps] == [(10, "continue"), (100, "finish")]
    world.require_settled()
    assert world.promote(second).outcome == "unchanged"


def test_nobody_has_to_be_asked_where_none_is_required_and_the_log_says_so(world: World) -> None:
    world.deliver(ONE)
    approved = [event for event in world.log.read(MODEL) if event.kind == "approved"]
    assert [event.subject["by"] for event in approved] == [[]]


def test_a_promotion_waits_for_its_approval(tmp_path: Path) -> None:
    world = asking(tmp_path)
    made = world.release(ONE)
    with pytest.raises(ApprovalError, match="not approved") as caught:
        world.promote(made)
    assert "0 of 1 required approvals" in str(caught.value)
    assert world.serving() is None
    approve(world)
    assert world.promote(made).outcome == "promoted"
    assert world.log.read(MODEL)[-3].subject["by"] == ["grace"]
    world.require_settled()


@pytest.mark.parametrize("reviewer", ["mlops-ci[bot]", "bob"])
def test_an_approval_of_somebody_who_may_not_give_it_does_not_count(tmp_path: Path, reviewer: str) -> None:
    world = asking(tmp_path, "@acme/ml-owners", "ada")
    world.git("config", "--add", "mlops-ci.acme/ml-owners.member", "grace")
    made = world.release(ONE)
    approve(world, reviewer)
    with pytest.raises(ApprovalError, match="not approved"):
        world.promote(made)
    approve(world, "Grace")
    assert world.promote(made).outcome == "promoted"


def test_a_newer_release_supersedes_the_open_proposal_and_makes_its_approval_stale(tmp_path: Path) -> None:
    world = asking(tmp_path)
    first = world.release(ONE)
    approve(world)
    second = world.release(TWO)
    assert open_one(world).number == 1
    with pytest.raises(ApprovalError) as caught:
        world.promote(second)
    assert "which proposed another release" in str(caught.value)
    approve(world)
    assert world.promote(second).release == second.id
    assert first.id not in (world.desired(), world.serving())


def test_a_push_to_the_proposal_makes_its_approval_stale(tmp_path: Path) -> None:
    world = asking(tmp_path)
    made = world.release(ONE)
    approve(world)
    world.git("switch", "-q", BRANCH)
    world.git("commit", "-q", "--allow-empty", "-m", "one more thing")
    world.git("switch", "-q", "main")
    with pytest.raises(ApprovalError, match="not approved"):
        world.promote(made)


def test_an_approval_is_for_the_change_that_was_seen_and_not_for_another_one(tmp_path: Path) -> None:
    """Production went back meanwhile: the approved line would replace another release than the reviewer saw."""
    world = asking(tmp_path)
    releases: list[Release] = []
    for line in (ONE, TWO):
        releases.append(world.release(line))
        approve(world)
        world.promote(releases[-1])
    third = world.release(THREE)
    approve(world)
    from mlops_ci.pipeline.rollback import roll_back

    roll_back(world.site(), reason="worse")
    with pytest.raises(ApprovalError, match="not approved"):
        world.promote(third)
    approve(world)
    assert world.promote(third).previous == releases[0].id
    world.require_settled()


def test_a_release_on_hold_is_refused_until_the_hold_is_released(world: World) -> None:
    world.deliver(ONE)
    second = world.release(TWO)
    world.site().record("held", release=second.id, reason="after the holidays")
    with pytest.raises(ApprovalError, match="after the holidays") as caught:
        world.promote(second)
    assert "mlops-ci release-hold tides --environment production" in caught.value.fix
    world.site().record("hold-released", release=second.id, reason="they are over")
    assert world.promote(second).outcome == "promoted"
    world.require_settled()


def test_a_release_cannot_skip_an_environment(tmp_path: Path) -> None:
    world = World(tmp_path / "world", names=("qa", "staging", "production"))
    made = world.release(ONE)
    with pytest.raises(VerificationError, match="not verified in staging"):
        world.promote(made, "production")
    assert world.promote(made, "staging").outcome == "promoted"
    assert world.promote(made, "production").outcome == "promoted"
    world.require_settled()
    state = world.log.state(MODEL)
    assert all(made.id in state.environments[name].verified for name in world.names)


def test_a_release_whose_verification_was_revoked_is_refused(world: World) -> None:
    made = world.release(ONE)
    world.site("qa").record("verification-revoked", release=made.id, reason="answers differ")
    with pytest.raises(VerificationError, match="answers differ"):
        world.promote(made)


def test_a_release_has_to_be_good_for_a_while_before_it_may_go_on(tmp_path: Path) -> None:
    world = World(tmp_path / "world", soak=timedelta(hours=1))
    made = world.release(ONE)
    verified = world.clock.now()
    world.clock.time += timedelta(minutes=59)
    with pytest.raises(VerificationError, match="until 2026-11-21T10:00"):
        world.promote(made)
    assert world.desired() is None, "nothing is merged that could not be rolled out"
    world.clock.time = verified + timedelta(hours=1)
    assert world.promote(made).outcome == "promoted"


def test_a_merge_by_hand_is_rolled_out_by_reconcile(tmp_path: Path) -> None:
    world = asking(tmp_path)
    made = world.release(ONE)
    world.git("merge", "-q", "--no-ff", "-m", "by hand", BRANCH)
    assert world.forge.pull_request(1).state == "merged"
    change = world.reconcile()
    assert (change.outcome, change.release) == ("promoted", made.id)
    world.require_settled()
    second = world.release(TWO)
    assert open_one(world).number == 2, "the next proposal is not the merged one again"
    assert world.forge.pull_request(1).state == "merged"
    approve(world)
    assert world.promote(second).release == second.id


def test_a_merge_by_hand_before_its_time_waits_too(tmp_path: Path) -> None:
    world = World(tmp_path / "world", soak=timedelta(hours=1))
    made = world.release(ONE)
    world.git("merge", "-q", "--no-ff", "-m", "by hand", BRANCH)
    with pytest.raises(VerificationError, match="has to be for 1:00:00"):
        world.reconcile()
    world.clock.time += timedelta(hours=1)
    assert world.reconcile().release == made.id


def test_a_squashed_merge_closes_the_proposal(world: World) -> None:
    made = world.release(ONE)
    world.git("merge", "-q", "--squash", BRANCH)
    world.git("commit", "-q", "-m", "squashed")
    assert world.promote(made).outcome == "promoted"
    assert world.forge.open_pull_request(BRANCH) is None
    assert world.count("promotion-opened") == 1
