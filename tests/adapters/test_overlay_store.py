from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.adapters.overlay_store import OverlayStore
from mlops_ci.errors import NotFoundError


@pytest.fixture
def places(tmp_path: Path) -> tuple[LocalStore, LocalStore]:
    beneath = LocalStore(tmp_path / "store")
    beneath.create("candidates/a/1.json", b"old")
    return LocalStore(tmp_path / "outbox"), beneath


def test_what_is_written_goes_into_the_outbox_alone(places: tuple[LocalStore, LocalStore]) -> None:
    outbox, beneath = places
    store = OverlayStore(outbox, beneath)
    assert store.create("candidates/b/2.json", b"new")
    assert (outbox.list(""), beneath.list("")) == (["candidates/b/2.json"], ["candidates/a/1.json"])
    assert store.get("candidates/b/2.json") == b"new"
    assert store.get("candidates/a/1.json") == b"old"
    assert sorted(store.list("candidates")) == ["candidates/a/1.json", "candidates/b/2.json"]
    assert store.folders("candidates") == ["a", "b"]


def test_what_is_there_is_not_written_again(places: tuple[LocalStore, LocalStore]) -> None:
    outbox, beneath = places
    store = OverlayStore(outbox, beneath)
    assert not store.create("candidates/a/1.json", b"new")
    assert store.get("candidates/a/1.json") == b"old"
    assert outbox.list("") == []
    assert store.create("x", b"1")
    assert not store.create("x", b"2")


def test_with_nothing_beneath_there_is_only_the_outbox(places: tuple[LocalStore, LocalStore]) -> None:
    store = OverlayStore(places[0], None)
    assert store.list("") == []
    assert store.create("candidates/a/1.json", b"new")
    with pytest.raises(NotFoundError):
        store.get("candidates/b/2.json")
