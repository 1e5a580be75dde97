"""Numbered objects are all found, whatever a listing misses while others write."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import NotFoundError
from mlops_ci.pipeline.numbered import get_all, read_after, read_all
from mlops_ci.ports import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = open_store(str(tmp_path))
    for number in range(1, 61):
        store.create(f"f/{number}.json", b"%d" % number)
    return store


ALL = {number: b"%d" % number for number in range(1, 61)}


def test_reads_all_that_is_there(store: ObjectStore) -> None:
    reading = read_all(store, "f")

    assert reading.objects == ALL
    assert reading.strays == ()
    assert read_all(store, "nothing").objects == {}


@pytest.mark.parametrize("number", [0, 1, 2, 30, 58, 59, 60, 61])
def test_reads_what_follows_a_number(store: ObjectStore, number: int) -> None:
    assert read_after(store, "f", number) == {other: raw for other, raw in ALL.items() if other > number}


def test_reading_on_ends_at_a_gap(store: ObjectStore) -> None:
    (Path(store.url) / "f" / "40.json").unlink()

    assert max(read_after(store, "f", 30), default=0) >= 39
    assert set(range(31, 40)) <= set(read_after(store, "f", 30))


def test_a_gap_is_seen_as_far_as_was_asked_ahead(store: ObjectStore) -> None:
    (Path(store.url) / "f" / "40.json").unlink()

    assert read_after(store, "f", 39) == {}
    assert set(read_after(store, "f", 39, size=8)) == set(range(41, 48))


def test_names_what_is_no_numbered_object(store: ObjectStore) -> None:
    for path in ("f/01.json", "f/x", "f/deeper/1.json"):
        store.create(path, b"")

    reading = read_all(store, "f")
    assert reading.objects == ALL
    assert reading.strays == ("f/01.json", "f/deeper/1.json", "f/x")


def test_asks_for_what_a_listing_missed(store: ObjectStore) -> None:
    class Forgetful:
        """Lists as a slow listing does that others overtake: what was written meanwhile is there in part."""

        def __init__(self, inner: ObjectStore) -> None:
            self._inner = inner
            self.url, self.get, self.create, self.folders = inner.url, inner.get, inner.create, inner.folders

        def list(self, prefix: str) -> list[str]:
            return [path for path in self._inner.list(prefix) if path not in {"f/7.json", "f/59.json"}]

    assert read_all(Forgetful(store), "f").objects == ALL


@pytest.mark.parametrize("number", [30, 33, 59])
def test_asks_again_for_what_was_written_a_moment_too_late(store: ObjectStore, number: int) -> None:
    class Overtaken:
        """Has the object the second time it is asked; by then later ones are there as well."""

        def __init__(self, inner: ObjectStore) -> None:
            self._inner = inner
            self._asked = False
            self.url, self.create, self.list, self.folders = inner.url, inner.create, inner.list, inner.folders

        def get(self, path: str) -> bytes:
            if path == f"f/{number}.json" and not self._asked:
                self._asked = True
                raise NotFoundError(path)
            return self._inner.get(path)

    assert read_all(Overtaken(store), "f").objects == ALL
    found = read_after(Overtaken(store), "f", 28)
    assert sorted(found) == list(range(29, max(found) + 1)), "it may end early, but never with a gap"
    assert max(found) >= number - 1


def test_a_true_gap_stays_one(store: ObjectStore) -> None:
    for number in (7, 8, 20):
        (Path(store.url) / "f" / f"{number}.json").unlink()

    assert set(ALL) - set(read_all(store, "f").objects) == {7, 8, 20}


def test_gets_what_is_taken_of_any_numbers(store: ObjectStore) -> None:
    assert get_all(store, "f", [3, 99]) == {3: b"3"}
    assert get_all(store, "f", range(50, 90)) == {number: ALL[number] for number in range(50, 61)}
    assert get_all(store, "f", []) == {}
