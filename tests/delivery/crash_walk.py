"""Kills every delivering command with SIGKILL at each of its changes, among real services, and runs the next one.

`python -m tests.delivery.crash_walk [--every] [STORY ...]` walks all of it; the tests walk a part. One world goes on
from kill to kill: that each ends well is what the next one begins with.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from mlops_ci.core.records import Release
from mlops_ci.errors import MlopsError
from mlops_ci.pipeline.live_verification import reverify
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery.killing import Ending, run
from tests.delivery.real_world import RealWorld, Users
from tests.delivery.world import Line

GOOD = Line(slope=1.0)
BAD = Line(slope=1.0, live=inf)
"""It has no answer to what users ask, and to all golden rows."""
BEYOND = [1.5 + number / 1000 for number in range(150)]


# The commands, each from nothing but the folder of the world and names, as a process needs them.


def promote(folder: Path, names: Sequence[str], release: str) -> None:
    world = RealWorld(folder, names=names)
    world.promote(world.site(names[-1]).release(release), names[-1])


def release(folder: Path, names: Sequence[str], line: Line) -> None:
    RealWorld(folder, names=names).release(line)


def reconcile(folder: Path, names: Sequence[str]) -> None:
    """As the command does it: what is wrong in one environment keeps no other from being mended."""
    errors = []
    for name in names:
        try:
            RealWorld(folder, names=names).reconcile(name)
        except MlopsError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def go_back(folder: Path, names: Sequence[str]) -> None:
    roll_back(RealWorld(folder, names=names).site(names[-1]), reason="people complain")


def record(folder: Path, names: Sequence[str], kind: Any, release: str) -> None:
    RealWorld(folder, names=names).site(names[-1]).record(kind, release=release, reason="nobody knows")


def verify_again(folder: Path, names: Sequence[str]) -> None:
    reverify(RealWorld(folder, names=names).site(names[-1]))


@dataclass
class Walk:
    """A world in which two good releases have served; `number` counts the kills, which makes new releases new."""

    world: RealWorld
    one: Release
    two: Release
    users: Users
    number: int = 0
    made: dict[str, Release] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.world.names

    def waiting(self) -> Release:
        """That of the two which does not serve, free to be promoted."""
        found = self.two if self.world.serving(self.names[-1]) == self.one.id else self.one
        self.free(found)
        return found

    def free(self, made: Release) -> None:
        place = self.world.log.state(made.model).environments.get(self.names[-1])
        if place and made.id in place.holds:
            self.world.site(self.names[-1]).record("hold-released", release=made.id, reason="once more")


@dataclass(frozen=True, kw_only=True)
class Story:
    """`prepare` leads up to the command and returns its arguments, and what serves in the end in the last environment.

    `again` is what people run after a kill; without it they run the command.
    """

    command: Callable[..., None]
    prepare: Callable[[Walk], tuple[tuple[Any, ...], str | None]]
    again: Callable[..., None] | None = None


def _promote(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    waiting = walk.waiting()
    return (waiting.id,), waiting.id


def _promote_bad(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    if "bad" not in walk.made:
        walk.made["bad"] = walk.world.release(BAD)
    walk.free(walk.made["bad"])
    return (walk.made["bad"].id,), walk.world.serving()


def _promote_first(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    """Each time to an environment that was never there before."""
    if walk.number:
        site = walk.world.site(walk.names[-1])
        site.serve_nothing()
        walk.world.client.close()
    walk.world = RealWorld(walk.world.folder, names=("qa", f"production-{walk.number}"))
    return (walk.one.id,), walk.one.id


def _release(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    return (Line(slope=1.1 + walk.number / 1000),), walk.world.serving()


def _release_bad(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    return (Line(slope=1.1 + walk.number / 1000, starts=False),), walk.world.serving()


def _merged(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    waiting = walk.waiting()
    pull = walk.world.propose(waiting)
    assert pull is not None
    walk.world.git("merge", "-q", "--no-ff", "-m", "by hand", pull.head)
    return (), waiting.id


def _served_both(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    """The one serves, and the other has before, so that there is somewhere to go back to."""
    walk.free(walk.two)
    walk.free(walk.one)
    if walk.world.serving() == walk.one.id:
        walk.world.promote(walk.two)
    return (), walk.one.id


def _held(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    return ("held", walk.one.id), walk.world.serving()


def _serving(walk: Walk) -> tuple[tuple[Any, ...], str | None]:
    return (), walk.world.serving()


STORIES = {
    "promote": Story(command=promote, prepare=_promote),
    "rollback": Story(command=go_back, prepare=_served_both, again=reconcile),
    "promote what fails on live requests": Story(command=promote, prepare=_promote_bad),
    "promote the first": Story(command=promote, prepare=_promote_first),
    "release": Story(command=release, prepare=_release),
    "release what does not start": Story(command=release, prepare=_release_bad),
    "reconcile after a merge by hand": Story(command=reconcile, prepare=_merged),
    "verify": Story(command=verify_again, prepare=_serving),
    "hold": Story(command=record, prepare=_held),
}
REFUSALS = (0, 14, 15)
"""How a command may end that is run once more: well, or refusing what is on hold by now."""


@contextmanager
def beginning(folder: Path) -> Iterator[Walk]:
    """Two releases have served, and users ask without a pause."""
    world = RealWorld(folder)
    try:
        one = world.deliver(GOOD, "one")
        two = world.deliver(GOOD, "two")
        with Users(rows=BEYOND).asking(world) as users:
            yield Walk(world=world, one=one, two=two, users=users)
    finally:
        world.end()


def walk(begun: Walk, story: Story, *, first: int = 1, stride: int = 1, every: bool = False) -> int:
    """Kills the command before its change `first`, `first + stride` and so on, until it has no more; counts the kills.

    Raises AssertionError where what follows does not put everything right.
    """
    number, kills = first, 0
    while True:
        arguments, serving = story.prepare(begun)
        world, names = begun.world, begun.names
        ending = run(partial(story.command, world.folder, names, *arguments), kill_before=number, every=every)
        begun.number += 1
        where = f"killed before change {number}"
        try:
            if ending.killed and number % 2:
                _finished(run(partial(reconcile, world.folder, names)))
                world.require_settled()
            if ending.killed:
                # before its first change it has not begun
                again = story.command if number == 1 else story.again or story.command
                _finished(run(partial(again, world.folder, names, *(arguments if again is story.command else ()))))
            world.require_settled()
            assert serving == world.serving(names[-1]), "another release serves in the end"
            assert not begun.users.failures, begun.users.failures[:3]
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        if not ending.killed:
            return kills
        kills += 1
        number += stride


def _finished(ending: Ending) -> None:
    assert ending.code in REFUSALS, ending.message


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stories", nargs="*", choices=[*STORIES, []], metavar="STORY")
    parser.add_argument("--every", action="store_true", help="at each file that is touched, not only at what counts")
    parser.add_argument("--stride", type=int, default=1)
    arguments = parser.parse_args()
    for name in arguments.stories or STORIES:
        with tempfile.TemporaryDirectory() as folder, beginning(Path(folder) / "world") as begun:
            kills = walk(begun, STORIES[name], stride=arguments.stride, every=arguments.every)
            sys.stdout.write(f"{name}: {kills} kills, {begun.users.asked} requests, none failed\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
