"""Two commands at once, as real processes: each does its work, or stops with a message that says why."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import pytest

from tests.delivery.crash_walk import Walk, beginning, go_back, promote, reconcile, record, release
from tests.delivery.killing import Ending, run
from tests.delivery.world import Line

pytestmark = pytest.mark.slow
COMMANDS = {
    "promote": lambda begun, _: partial(promote, begun.world.folder, begun.names, begun.waiting().id),
    "rollback": lambda begun, _: partial(go_back, begun.world.folder, begun.names),
    "reconcile": lambda begun, _: partial(reconcile, begun.world.folder, begun.names),
    "release": lambda begun, number: partial(release, begun.world.folder, begun.names, Line(slope=1.1 + number / 1000)),
    "hold": lambda begun, _: partial(record, begun.world.folder, begun.names, "held", begun.one.id),
}
PAIRS = list(combinations_with_replacement(COMMANDS, 2))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with beginning(tmp_path_factory.mktemp("pairs") / "world") as walk:
        yield walk


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_commands_at_once(one: str, other: str, begun: Walk) -> None:
    number = PAIRS.index((one, other))
    for made in (begun.one, begun.two):
        begun.free(made)
    commands: list[Any] = [COMMANDS[one](begun, 2 * number), COMMANDS[other](begun, 2 * number + 1)]
    with ThreadPoolExecutor(2) as pool:
        endings: list[Ending] = list(pool.map(run, commands))
    for ending in endings:
        # 2: there is nothing left to go back to; 14: somebody has put it on hold meanwhile
        assert ending.code in (0, 2, 14, 20), ending.message
        if ending.code == 20:
            assert "at work on" in ending.message or "meanwhile" in ending.message, ending.message
    settled = run(partial(reconcile, begun.world.folder, begun.names))
    assert settled.code in (0, 15), settled.message
    begun.world.require_settled()
    assert not begun.users.failures, begun.users.failures[:3]
    if len(begun.world.log.state(begun.one.model).environments["production"].served) < 2:
        begun.free(begun.one)
        begun.free(begun.two)
        begun.world.promote(begun.waiting())
