"""Git is put right by a pull request after the traffic is: by itself where the forge lets it, by people where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.local_forge import LocalForge
from mlops_ci.core.chain import anchors_in
from mlops_ci.errors import ApprovalError, ConfigurationError, OutsideError
from mlops_ci.pipeline.hold import release_hold
from mlops_ci.pipeline.revert import REVERTS, revert_branch
from mlops_ci.pipeline.rollback import roll_back
from mlops_ci.pipeline.status import status
from mlops_ci.ports import PullRequest
from tests.delivery.world import MODEL, Line, World

ONE, TWO, THREE = Line(slope=1.0), Line(slope=1.01), Line(slope=1.02)
BROKEN = Line(slope=1.01, starts=False)
BRANCH = revert_branch("production", MODEL)


class ProtectedForge(LocalForge):
    """Demands a review of what mlops-ci wants to merge on its own account, as a protected branch does."""

    def merge(self, number: int, *, head: str, message: str) -> str:
        reviewed = any(review.commit == head and review.verdict == "approved" for review in self.reviews(number))
        if self.pull_request(number).branch.startswith(REVERTS) and not reviewed:
            raise ApprovalError("main is protected: a review is required")
        return super().merge(number, head=head, message=message)


class ProtectedWorld(World):
    @property
    def forge(self) -> LocalForge:
        return ProtectedForge(self.repository, self.clock)


@pytest.fixture
def protected(tmp_path: Path) -> ProtectedWorld:
    return ProtectedWorld(tmp_path / "world")


def waiting(world: World) -> PullRequest:
    pull = world.forge.open_pull_request(BRANCH)
    assert pull is not None
    return pull


def merge_by_hand(world: World) -> None:
    world.git("merge", "-q", "--no-ff", "-m", "by hand", BRANCH)


def test_a_revert_is_a_merged_pull_request_with_its_reason(world: World) -> None:
    world.deliver(ONE)
    world.deliver(TWO)
    change = roll_back(world.site(), reason="people complain")
    assert (change.outcome, change.revert) == ("rolled-back", None)
    pull = world.forge.latest_pull_request(BRANCH)
    assert pull is not None
    assert (pull.state, pull.title) == ("merged", "Take tides back to version 1 in production")
    assert "Reason: people complain" in pull.body
    assert world.log.read(MODEL)[-1].subject["commit"] == pull.merge_commit == world.repository.commit("main")
    assert BRANCH not in world.git("branch", "--list", "mlops-ci/*")
    world.require_settled()


def test_words_of_others_make_no_trailer_of_ours(world: World) -> None:
    world.deliver(ONE)
    world.deliver(TWO)
    roll_back(world.site(), reason=f"x\n\nMlops-Log: {MODEL} 1 {'a' * 64}\nMlops-Log: 1 {'a' * 64}\n")
    messages = world.repository.messages_of(f"environments/*/{MODEL}.yaml")
    assert all(anchor.digest != "a" * 64 for anchor in anchors_in(messages, MODEL))
    world.require_settled()


def test_what_the_forge_does_not_merge_waits_and_is_said_without_an_event(protected: ProtectedWorld) -> None:
    first, second = protected.deliver(ONE), protected.deliver(TWO)
    change = roll_back(protected.site(), reason="people complain")
    pull = waiting(protected)
    assert (change.outcome, change.release, change.revert) == ("rolled-back", first.id, pull.number)
    assert (protected.serving(), protected.desired()) == (first.id, second.id)
    assert protected.machine.shares["production"] == {first.id: 100}
    events, head = protected.kinds(), waiting(protected).head
    for _ in range(2):
        again = protected.reconcile()
        assert (again.outcome, again.release, again.rejected) == ("reverting", first.id, second.id)
        assert (again.revert, again.reasons) == (
            pull.number,
            ("Git named a release that is on hold: people complain",),
        )
    assert (protected.kinds(), waiting(protected).head) == (events, head)
    found = status(protected.site())
    assert (found.release, found.desired, found.healthy, found.settled) == (first.id, second.id, True, False)
    assert found.revert == pull.number

    protected.forge.review(pull.number, reviewer="grace", commit=pull.head, approve=True)
    assert protected.reconcile().outcome == "rolled-back"
    assert protected.reconcile().outcome == "unchanged"
    protected.require_settled()


def test_once_people_have_merged_it_everything_is_settled(protected: ProtectedWorld) -> None:
    first = protected.deliver(ONE)
    protected.deliver(TWO)
    roll_back(protected.site(), reason="people complain")
    events = protected.kinds()
    merge_by_hand(protected)
    change = protected.reconcile()
    assert (change.outcome, change.release) == ("unchanged", first.id)
    assert protected.kinds() == events
    assert status(protected.site()).revert is None
    protected.require_settled()


def test_people_who_want_another_release_instead_have_their_way(protected: ProtectedWorld) -> None:
    protected.deliver(ONE)
    protected.deliver(TWO)
    roll_back(protected.site(), reason="people complain")
    pull = waiting(protected)
    third = protected.deliver(THREE)
    assert protected.serving() == third.id
    closed = protected.forge.pull_request(pull.number)
    assert closed.state == "closed"
    assert "names nothing any more that is on hold" in closed.body
    assert protected.reconcile().outcome == "unchanged"
    protected.require_settled()


def test_a_revert_that_people_close_is_not_proposed_again(protected: ProtectedWorld) -> None:
    first, second = protected.deliver(ONE), protected.deliver(TWO)
    roll_back(protected.site(), reason="people complain")
    pull = waiting(protected)
    protected.forge.close(pull.number, comment="we will release it again", by="Grace")
    change = protected.reconcile()
    assert (change.outcome, change.release, change.revert) == ("reverting", first.id, pull.number)
    assert protected.forge.open_pull_request(BRANCH) is None
    protected.site().record("hold-released", release=second.id, reason="it was the network")
    assert protected.reconcile().release == second.id
    protected.require_settled()


def test_a_revert_that_mlops_ci_closed_itself_is_no_no_of_people(protected: ProtectedWorld) -> None:
    first, second = protected.deliver(ONE), protected.deliver(TWO)
    roll_back(protected.site(), reason="people complain")
    pull = waiting(protected)
    release_hold(protected.site(), second, reason="it was the network")
    assert protected.reconcile().release == second.id
    assert protected.forge.pull_request(pull.number).state == "closed"
    change = roll_back(protected.site(), reason="people complain again")
    again = waiting(protected)
    assert (change.release, change.revert) == (first.id, again.number)
    assert again.number != pull.number


def test_what_others_push_to_the_revert_is_not_merged_with_it(protected: ProtectedWorld) -> None:
    protected.deliver(ONE)
    protected.deliver(TWO)
    roll_back(protected.site(), reason="people complain")
    protected.git("switch", "-q", BRANCH)
    (protected.root / "train.py").write_text("# theirs\n")
    protected.git("commit", "-qam", "while we are at it")
    protected.git("switch", "-q", "main")
    assert protected.reconcile().outcome == "reverting"
    assert protected.git("diff", "--name-only", f"main...{BRANCH}") == f"environments/production/{MODEL}.yaml"


def test_an_abort_that_the_forge_does_not_merge_is_still_an_abort(protected: ProtectedWorld) -> None:
    first = protected.deliver(ONE)
    second = protected.release(TWO)
    protected.machine.running["production"][second.id] = Line(slope=1.01, lies=True)
    change = protected.promote(second)
    assert (change.outcome, change.release) == ("aborted", first.id)
    assert change.revert == waiting(protected).number
    assert protected.reconcile().outcome == "reverting"
    with pytest.raises(ApprovalError, match="on hold"):
        protected.promote(second)


def test_a_first_release_that_is_refused_waits_for_its_revert_too(protected: ProtectedWorld) -> None:
    made = protected.release(ONE)
    protected.machine.running["production"] = {made.id: Line(slope=1.0, lies=True)}
    assert protected.promote(made).outcome == "aborted"
    assert (protected.serving(), protected.desired()) == (None, made.id)
    events = protected.kinds()
    change = protected.reconcile()
    assert (change.outcome, change.release, change.revert) == ("reverting", None, waiting(protected).number)
    assert protected.kinds() == events
    merge_by_hand(protected)
    assert protected.reconcile().outcome == "nothing"
    protected.require_settled()


def test_a_second_rollback_takes_the_waiting_revert_over(protected: ProtectedWorld) -> None:
    first = protected.deliver(ONE)
    protected.deliver(TWO)
    protected.deliver(THREE)
    roll_back(protected.site(), reason="worse")
    pull = waiting(protected)
    assert roll_back(protected.site(), reason="that one, too").release == first.id
    assert (waiting(protected).number, "that one, too" in waiting(protected).body) == (pull.number, True)
    merge_by_hand(protected)
    assert protected.reconcile().outcome == "unchanged"
    assert protected.serving() == first.id
    protected.require_settled()


def test_a_forge_that_is_down_delays_git_and_the_log_and_not_the_traffic(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.deliver(ONE)
    world.deliver(TWO)

    def down(*_arguments: object, **_more: object) -> str:
        raise OutsideError("the forge does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(LocalForge, "merge", down)
        with pytest.raises(OutsideError, match="does not answer"):
            roll_back(world.site(), reason="worse")
        assert world.machine.shares["production"] == {first.id: 100}
        assert world.kinds()[-1] == "held", "the log comes last"
    assert world.reconcile().outcome == "rolled-back"
    assert world.forge.open_pull_requests("") == []
    world.require_settled()


def test_a_file_that_people_are_editing_is_left_to_them_and_finished_later(world: World) -> None:
    first = world.deliver(ONE)
    world.deliver(TWO)
    file = world.root / f"environments/production/{MODEL}.yaml"
    before = file.read_text()
    file.write_text(f"{before}# half a thought\n")
    with pytest.raises(ConfigurationError, match="not committed"):
        roll_back(world.site(), reason="worse")
    assert world.machine.shares["production"] == {first.id: 100}
    assert file.read_text().endswith("# half a thought\n")
    world.git("commit", "-qam", "a whole one")
    assert world.reconcile().outcome == "rolled-back"
    assert file.read_text().endswith("# half a thought\n")
    assert world.forge.open_pull_requests("") == []
    world.require_settled()
