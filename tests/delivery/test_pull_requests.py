"""The life of a promotion pull request: proposed, kept up to date, taken over, closed with a reason, proposed anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_ci.adapters.local_forge import LocalForge
from mlops_ci.cli.publishing import propose_next
from mlops_ci.config.types import ApprovalsConfig
from mlops_ci.core.lock import Lock
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.pipeline.hold import hold, propose_again, release_hold
from mlops_ci.pipeline.markdown import BREAK
from mlops_ci.pipeline.proposal_text import describe
from mlops_ci.pipeline.proposals import promotion_branch
from mlops_ci.pipeline.pull_requests import close_pointless
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.rollback import roll_back
from mlops_ci.pipeline.status import status
from mlops_ci.ports import PullRequest
from tests.delivery.watched import WatchedWorld
from tests.delivery.world import MODEL, Line

ONE, TWO, THREE = Line(slope=1.0), Line(slope=1.01), Line(slope=1.02)
BRANCH = promotion_branch("production", MODEL)


@pytest.fixture
def world() -> WatchedWorld:
    return WatchedWorld()


@pytest.fixture
def asking() -> WatchedWorld:
    return WatchedWorld(approvals=ApprovalsConfig(required=1, people=()))


def open_one(world: WatchedWorld, name: str = "production") -> PullRequest:
    pull = world.forge.open_pull_request(promotion_branch(name, MODEL))
    assert pull is not None
    return pull


def approve(world: WatchedWorld, reviewer: str = "grace") -> None:
    pull = open_one(world)
    world.forge.review(pull.number, reviewer=reviewer, commit=pull.head, approve=True)
    world.reviewed.append((pull.number, reviewer, pull.head, True))


def closed(world: WatchedWorld, number: int, why: str) -> None:
    """It is closed, people and the log are told why, once, and nothing proposes the release any more."""
    pull = world.forge.pull_request(number)
    assert pull.state == "closed"
    assert "Closed by mlops-ci: " in pull.body
    assert why in pull.body
    (event,) = [one for one in world.log.read(MODEL) if one.kind == "promotion-closed"]
    assert event.subject["pull_request"] == number
    assert why in event.subject["reason"]
    environment = event.subject["environment"]
    assert world.log.state(MODEL).environments[environment].promotion is None
    assert world.repository.commit(f"refs/heads/{pull.branch}") is None
    events = world.kinds()
    assert not close_pointless(world.site())
    assert world.kinds() == events


def test_what_is_proposed_again_is_reused_as_it_is(asking: WatchedWorld) -> None:
    made = asking.release(ONE)
    approve(asking)
    before = open_one(asking)
    assert asking.propose(made) == before
    assert asking.count("promotion-opened") == 1
    found = status(asking.site()).promotion
    assert found is not None
    assert (found.pull_request, found.release, found.version) == (before.number, made.id, 1)
    assert (found.required, found.approved_by, found.missing) == (1, ("grace",), 0)


def test_a_newer_release_takes_it_over_and_tells_who_had_approved(asking: WatchedWorld) -> None:
    asking.release(ONE)
    approve(asking)
    old = open_one(asking)
    asking.release(TWO)
    new = open_one(asking)
    assert (new.number, new.title) == (old.number, f"Promote {MODEL} version 2 to production")
    assert new.head != old.head
    assert (
        f"**grace** approved commit `{old.head[:12]}`, which is not what this pull request shows any more" in new.body
    )
    found = status(asking.site()).promotion
    assert found is not None
    assert (found.approved_by, found.missing) == ((), 1)


def test_one_that_was_taken_over_by_half_gets_its_words(asking: WatchedWorld) -> None:
    """Killed after the branch moved and before the pull request was brought up to date."""
    asking.release(ONE)
    old = open_one(asking)
    second = asking.register(TWO)
    from mlops_ci.pipeline.release import deploy

    deploy(asking.site("qa"), second)
    asking.propose(second)
    stale = replace(open_one(asking), title=old.title, body=old.body)
    asking.forge.propose(branch=BRANCH, base="main", title=stale.title, body=stale.body)
    head = open_one(asking).head
    asking.propose(second)
    assert open_one(asking).title == f"Promote {MODEL} version 2 to production"
    assert open_one(asking).head == head, "so that approvals stay"


def test_a_hold_closes_it_and_its_release_proposes_it_anew(world: WatchedWorld) -> None:
    world.deliver(ONE)
    second = world.release(TWO)
    number = open_one(world).number
    assert hold(world.site(), second, reason="after the holidays")
    closed(world, number, "is on hold in production: after the holidays")
    assert not hold(world.site(), second, reason="again")
    assert world.count("held") == 1
    assert propose_again(world.site(), second) is None
    assert release_hold(world.site(), second, reason="they are over")
    pull = propose_again(world.site(), second)
    assert pull is not None
    assert pull.number != number
    assert not release_hold(world.site(), second, reason="they are over")
    assert propose_again(world.site(), second) == pull
    assert world.promote(second).outcome == "promoted"
    world.require_settled()


def test_a_release_that_was_never_deployed_can_be_held_too(world: WatchedWorld) -> None:
    made = world.register(ONE)
    assert hold(world.site("qa"), made, reason="not this one")
    assert world.log.state(MODEL).environments["qa"].holds == {made.id: "not this one"}
    assert release_hold(world.site("qa"), made, reason="why not")
    assert propose_again(world.site("qa"), made) is None
    assert propose_again(world.site(), made) is None, "qa does not serve it"


def test_a_hold_in_the_environment_before_closes_it_until_it_is_lifted(world: WatchedWorld) -> None:
    world.deliver(ONE)
    second = world.release(TWO)
    number = open_one(world).number
    hold(world.site("qa"), second, reason="let us see")
    closed(world, number, "is on hold in qa: let us see")
    assert release_hold(world.site("qa"), second, reason="seen")
    assert propose_again(world.site(), second) == open_one(world)


def test_a_rollback_in_the_environment_before_closes_it(world: WatchedWorld) -> None:
    world.deliver(ONE)
    second = world.release(TWO)
    number = open_one(world).number
    roll_back(world.site("qa"), reason="wrong in qa")
    closed(world, number, "is on hold in qa: wrong in qa")
    with pytest.raises(VerificationError, match="on hold in qa: wrong in qa"):
        world.promote(second)
    world.require_settled()


def test_a_revoked_verification_closes_it_by_the_next_reconcile(world: WatchedWorld) -> None:
    world.release(ONE)
    number = open_one(world).number
    world.site("qa").record("verification-revoked", release=world.serving("qa"), reason="answers differ")
    world.reconcile()
    closed(world, number, "was revoked: answers differ")


def test_an_environment_that_is_gone_closes_it() -> None:
    world = WatchedWorld(names=("qa", "staging", "production"))
    world.release(ONE)
    number = open_one(world, "staging").number
    world.names = ("qa", "production")
    world.reconcile()
    closed(world, number, "mlops.yaml has no environment staging any more")


def test_what_people_close_is_not_proposed_again_until_a_person_promotes_it(world: WatchedWorld) -> None:
    made = world.release(ONE)
    number = open_one(world).number
    world.forge.close(number, comment="no")
    pull, why = propose_next(world.site(), made)
    assert (pull, "people closed pull request 1" in why) == (None, True)
    assert world.forge.open_pull_request(BRANCH) is None
    second = world.release(TWO)
    assert open_one(world).number == number + 1, "another release is another question"
    assert world.promote(second).outcome == "promoted"


def test_promoting_by_hand_proposes_what_people_had_closed(asking: WatchedWorld) -> None:
    made = asking.release(ONE)
    asking.forge.close(open_one(asking).number, comment="no")
    with pytest.raises(Exception, match="not approved"):
        asking.promote(made)
    approve(asking)
    assert asking.promote(made).outcome == "promoted"


class Unreachable(LocalForge):
    """Fails where pull requests are listed, as a forge that is down."""

    def open_pull_requests(self, prefix: str) -> list[PullRequest]:
        raise OutsideError("the forge does not answer")


def test_a_forge_that_is_down_keeps_nobody_from_a_hold(world: WatchedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.deliver(ONE)
    second = world.release(TWO)
    number = open_one(world).number
    with monkeypatch.context() as patch:
        patch.setattr("tests.delivery.world.LocalForge", Unreachable)
        assert hold(world.site(), second, reason="wait")
        assert "the forge does not answer" in world.console.said[-1]
    world.reconcile()
    closed(world, number, "is on hold in production: wait")


def test_garbage_on_the_branch_is_no_crash(world: WatchedWorld) -> None:
    world.deliver(ONE)
    second = world.release(TWO)
    path = f"environments/production/{MODEL}.yaml"
    world.commit_by_hand({path: b"release: \xff\n"}, branch=BRANCH, person="Mallory")
    assert world.reconcile().outcome == "unchanged"
    assert world.promote(second).outcome == "promoted"
    world.require_settled()


def test_what_the_person_who_approves_is_shown(world: WatchedWorld) -> None:
    registry = Registry(world.store)
    first, second = world.deliver(ONE), world.release(TWO)
    lock = Lock(model=MODEL, code={}, data={"tides.csv": "a"}, params={"depth": 4}, environment={}, toolkit="1")
    other = replace(lock, data={"tides.csv": "b"}, params={"depth": "<img>"})
    before = replace(first, evidence={**first.evidence, "lock": registry.put_json(lock.to_json())})
    registry.save_release(before)
    world.site().record("promoted", release=before.id, previous=first.id, commit="c", url="u")
    evidence = {
        "evaluation": {
            "verdict": "superior", "reasons": ["better\n# by far"], "champion_release": before.id,
            "primary": {"metric": "rmse", "champion": 2.0, "challenger": 1.5, "difference": 0.5, "lower": 0.25},
            "metrics": {"rmse": {"champion": 2.0, "challenger": 1.5}, "r2": {"champion": None, "challenger": 0.5}},
        },
        "parity": {"rows": 500, "max_abs_diff": 1e-9, "flips": 0, "ok": True},
        "lock": other.to_json(),
    }  # fmt: skip
    kept = {name: registry.put_json(value) for name, value in evidence.items()}
    made = replace(second, evidence=kept, commit="d" * 40)
    alarm = {"windows": [], "features": ["x"], "release": made.id}
    world.log.record(MODEL, "drift-detected", alarm, actor="Ada")
    text = describe(world.site(), made)
    assert "<img>" not in text
    for line in (
        "- verdict: **superior** — better # by far",
        "- rmse: 2.0000 → 1.5000, better by +0.5000 (at least +0.2500)",
        "- parity with the native model: ok — 500 rows, answers differ by at most 1e-09, 0 labels are others",
        "The data have drifted since it was trained (2026-11-21): x.",
        f"What changes in production, which serves version 1 (release `{before.id}`):",
        "- version 1 → 2",
        f"- commits `{'c' * 12}..{'d' * 12}`",
        "- rmse: 2.0000 → 1.5000",
        "- data tides.csv changed",
        "- params depth 4 -\\> \\<img\\>",
    ):
        assert line in text.replace(BREAK, "").split("\n"), line
