"""An environment as the pipeline sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_ci.core.chain import anchors_in
from mlops_ci.errors import IntegrityError
from tests.delivery.world import MODEL, Line, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def test_a_commit_vouches_for_the_newest_event(world: World) -> None:
    assert world.site().vouched("Deploy") == "Deploy\n"
    world.register(Line())
    (anchor,) = anchors_in(world.site().vouched("Deploy"), MODEL)
    assert not anchors_in(world.site().vouched("Deploy"), "another")
    newest = world.log.read(MODEL)[-1]
    assert (anchor.number, anchor.digest) == (newest.number, newest.digest)


def test_the_very_same_is_put_on_record_once(world: World) -> None:
    made = world.register(Line())
    for by in (["ada"], ["ada"], ["ada", "grace"]):
        world.site().record_once("approved", release=made.id, pull_request=1, head="h", by=by, commit="h")
    assert world.count("approved") == 2


def test_a_release_without_golden_rows_is_refused(world: World) -> None:
    made = world.register(Line())
    with pytest.raises(IntegrityError, match="no golden rows"):
        world.site().golden(replace(made, evidence={}))
