"""Everything that can be wrong in a store is found, with its path, and nothing where nothing is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.cli.console import StderrConsole
from mlops_ci.core.chain import Anchor
from mlops_ci.core.digest import canonical_json
from mlops_ci.errors import Problem
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.store_verify import DesiredFile, StoreVerification, verify_store
from tests.cli.repository import Repository
from tests.delivery.world import Line, World
from tests.stocked import stock


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stocked") / "store"
    stock(LocalStore(folder), models=2, versions=2)
    return folder


@pytest.fixture
def store(stocked: Path, tmp_path: Path) -> LocalStore:
    return LocalStore(shutil.copytree(stocked, tmp_path / "store"))


def verify(
    store: LocalStore, anchors: dict[str, list[Anchor]] | None = None, desired: Sequence[DesiredFile] = ()
) -> StoreVerification:
    quiet = StderrConsole(quiet=True)
    log = EventLog(store, SystemClock())
    return verify_store(store, log, anchors=anchors or {}, desired=desired, console=quiet, clock=SystemClock())


def edit(store: LocalStore, path: str, change: Callable[[bytes], bytes]) -> None:
    file = Path(store.url) / path
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(change(data))


def first(store: LocalStore, folder: str) -> str:
    return sorted(store.list(folder))[0]


def said(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    assert all(problem.where and problem.fix for problem in problems), "each has its place, and how to mend it"
    return [(problem.where, problem.what) for problem in problems]


def test_a_store_as_it_was_written_has_no_problems_and_is_counted(store: LocalStore) -> None:
    found = verify(store)

    assert found.problems == ()
    assert (found.models, found.events, found.objects) == (("m0", "m1"), 12, len(store.list("")))
    assert found.blobs == len(store.list("blobs"))
    assert found.records == found.objects - found.blobs - found.events
    json.dumps(found.to_json())


def test_every_object_that_is_taken_away_is_missed(store: LocalStore) -> None:
    """But for those that nothing names: looks, evaluations, and what comes last in its folder."""
    free = {*store.list("looks"), *store.list("evaluations"), "events/m0/6.json", "events/m1/6.json"}
    free |= {"versions/m0/2.json", "versions/m1/2.json"}
    for path in sorted(set(store.list("")) - free):
        data = store.get(path)
        store.delete(path)

        places = [problem.where for problem in verify(store).problems]

        assert path in places, path
        store.create(path, data)
    assert verify(store).problems == ()


def test_every_object_that_is_edited_is_found(store: LocalStore) -> None:
    for path in store.list(""):
        before = store.get(path)
        edit(store, path, lambda data: data.replace(b"m0", b"m1").replace(b"m1", b"m1 ") + b"x")

        assert path in {problem.where for problem in verify(store).problems}, path
        edit(store, path, lambda _, before=before: before)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("folder", "change", "what"),
    [
        ("blobs", lambda _: b"", "has the digest"),
        ("candidates", lambda data: data.replace(b'"m0"', b'"m1"'), "calls its model 'm1', and its path says 'm0'"),
        ("versions", lambda data: data.replace(b'"version":1', b'"version":2'), "calls its version '2'"),
        ("releases", lambda data: data.replace(b'"version":1', b'"version":7'), "which is not its name"),
        ("looks", lambda _: b"[]", "it is a list"),
        ("evaluations", lambda _: b"{", "is not JSON"),
    ],
)
def test_what_is_wrong_is_said(store: LocalStore, folder: str, change: Callable[[bytes], bytes], what: str) -> None:
    path = first(store, folder)
    if folder == "releases":  # the first by name need not be a first version
        path = next(one for one in store.list("releases") if b'"version":1' in store.get(one))
    edit(store, path, change)

    texts = dict(said(verify(store).problems))

    assert what in texts[path]


def test_a_log_is_read_by_its_chain_and_its_anchors(store: LocalStore) -> None:
    head = EventLog(store, SystemClock()).read("m1")[-1]
    store.delete("events/m1/6.json")

    assert verify(store).problems == ()
    (found,) = verify(store, anchors={"m1": [Anchor(number=6, digest=head.digest)]}).problems
    assert found.where == "events/m1/6.json"
    assert "an anchor from outside the log names it" in found.what


def test_a_log_and_a_release_that_contradict_each_other(store: LocalStore) -> None:
    log = EventLog(store, SystemClock())
    subject = dict(log.read("m0")[0].subject) | {"version": 9}
    log.record("m0", "registered", subject, actor="eve")

    (found,) = verify(store).problems

    assert (found.where, found.what.startswith("says another version of release")) == ("events/m0/7.json", True)


def test_a_reference_to_what_was_never_there(store: LocalStore) -> None:
    log = EventLog(store, SystemClock())
    log.record(
        "m0", "held", {"environment": "qa", "release": "1" * 64, "reason": "x"}, actor="eve", evidence=["2" * 64]
    )

    assert said(verify(store).problems) == [
        (f"blobs/sha256/22/{'2' * 64}", "is missing, and events/m0/7.json names it"),
        (f"releases/{'1' * 64}.json", "is missing, and events/m0/7.json names it"),
    ]


def test_strays_are_named_once(store: LocalStore) -> None:
    for path in ("events/m0/x.json", "events/m0/01.json", "notes.txt", "blobs/sha256/aa/short"):
        store.create(path, b"{}")

    assert sorted(said(verify(store).problems)) == [
        (path, "is no object of a store")
        for path in ("blobs/sha256/aa/short", "events/m0/01.json", "events/m0/x.json", "notes.txt")
    ]


def test_a_desired_state_that_names_nothing(store: LocalStore) -> None:
    files = [
        DesiredFile(where="environments/qa/m0.yaml", model="m0", release="3" * 64),
        DesiredFile(where="environments/qa/m1.yaml", model="m1", release="", fault="needs exactly one line"),
        DesiredFile(where="environments/qa/m2.yaml", model="m2", release=""),
    ]

    assert said(verify(store, desired=files).problems) == [
        ("environments/qa/m1.yaml in Git", "needs exactly one line"),
        (f"releases/{'3' * 64}.json", "is missing, and environments/qa/m0.yaml in Git names it"),
    ]


def test_a_world_with_promotions_and_rollbacks_is_whole(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    world.deliver(Line(slope=1.0))
    world.deliver(Line(slope=1.1))
    repository = Repository(world.root)

    found = repository.run("store", "verify", str(world.folder / "store"))

    assert found.value["problems"] == []
    assert found.code == 0
    assert found.value["events"] == len(world.log.read("tides"))
    Path(world.folder / "store" / first(LocalStore(world.folder / "store"), "releases")).unlink()
    again = repository.run("store", "verify", str(world.folder / "store"))
    assert again.code == 16
    assert any("in Git names it" in one["what"] or "names it" in one["what"] for one in again.value["problems"])


def test_a_file_of_canonical_bytes_under_anothers_name_is_found(store: LocalStore) -> None:
    look = first(store, "looks")
    value = json.loads(store.get(look))
    edit(store, look, lambda _: canonical_json({**value, "lock": "4" * 64}))

    assert "calls its lock '4444" in dict(said(verify(store).problems))[look]
