"""What Git's commits vouch for: a log whose end was cut off, or that was written anew, is found."""

from __future__ import annotations

from mlops_ci.core.chain import anchors_in
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery.world import MODEL, Line, World


def test_every_commit_of_an_environment_vouches_for_the_log(world: World) -> None:
    world.deliver(Line())
    world.deliver(Line(slope=1.01))
    roll_back(world.site(), reason="people complain")
    ours = world.git("log", "--format=%H", "--committer=mlops-ci").splitlines()
    assert len(ours) == 8  # deployed twice, proposed twice, merged twice; taken back by a pull request, and that merged
    for commit in ours:
        assert anchors_in(world.git("log", "-1", "--format=%B", commit), MODEL), commit
    assert not world.verified_log()


def test_a_log_that_was_cut_off_is_found(world: World) -> None:
    world.deliver(Line())
    world.deliver(Line(slope=1.01))
    events = sorted((world.folder / "store" / "events" / MODEL).iterdir(), key=lambda path: int(path.stem))
    anchored = max(anchor.number for anchor in anchors_in(world.git("log", "--all", "--format=%B"), MODEL))
    for path in events[anchored - 1 :]:
        path.unlink()
    assert not world.log.verify(MODEL).problems, "the log alone does not show it"
    assert world.verified_log()


def test_a_log_that_was_written_anew_is_found(world: World) -> None:
    world.deliver(Line())
    for path in (world.folder / "store" / "events" / MODEL).iterdir():
        path.unlink()
    again = world.register(Line())
    for _ in range(12):
        world.site("qa").record("verified", release=again.id)
    assert not world.log.verify(MODEL).problems
    assert world.verified_log()
