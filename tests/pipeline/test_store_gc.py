"""What is named stays, whatever happens in between; what nothing names goes, in two runs that lie apart."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.adapters.object_store import open_store
from mlops_ci.cli.console import StderrConsole
from mlops_ci.core.chain import Anchor
from mlops_ci.core.layout import blob_path, candidate_path, condemned_path, decided_path
from mlops_ci.errors import IntegrityError, OutsideError
from mlops_ci.pipeline.condemned import decide_to_remove
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.history import history
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.store_gc import Collection, collect
from mlops_ci.pipeline.store_verify import verify_store
from mlops_ci.pipeline.why import why
from mlops_ci.ports import KeptStore
from tests.cli.repository import Repository
from tests.stocked import MemoryStore, release, stock, train
from tests.stores import Place

ROOT = Path(__file__).parents[2]
QUIET = StderrConsole(quiet=True)
WEEK = timedelta(days=7)
OLD = b"what a killed training left"
OLD_PATH = blob_path(sha256(OLD).hexdigest())


def gc(
    store: KeptStore,
    *,
    delete: bool = True,
    candidates: bool = False,
    limit: timedelta = WEEK,
    anchors: dict[str, list[Anchor]] | None = None,
) -> Collection:
    clock = SystemClock()
    return collect(
        store, EventLog(store, clock), limit=limit, delete=delete, candidates=candidates, anchors=anchors or {},
        console=QUIET, clock=clock,
    )  # fmt: skip


def states(collection: Collection) -> dict[str, str]:
    return {one.path: one.state for one in collection.garbage}


def require_whole(store: KeptStore) -> None:
    log = EventLog(store, SystemClock())
    found = verify_store(store, log, anchors={}, desired=(), console=QUIET, clock=SystemClock())
    assert found.problems == ()
    for model in log.models():
        assert history(log, model)
        assert why(log, Registry(store), model, "qa").version


def age(store: LocalStore, by: timedelta = WEEK + timedelta(hours=1)) -> None:
    """Lets time pass for all that is in the store."""
    for file in Path(store.url).rglob("*"):
        if file.is_file():
            before = file.stat().st_mtime
            os.utime(file, (before, before - by.total_seconds()))


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stocked") / "store"
    store = LocalStore(folder)
    stock(store, models=2, versions=2)
    Registry(store).put_blob(OLD)
    age(store)
    return folder


@pytest.fixture
def store(stocked: Path, tmp_path: Path) -> LocalStore:
    return LocalStore(shutil.copytree(stocked, tmp_path / "store"))


@pytest.fixture(params=["s3", "azurite"])
def s3_or_azurite(request: pytest.FixtureRequest) -> Place:
    server = request.getfixturevalue(request.param)
    return Place(url=server.new_bucket() if request.param == "s3" else server.new_container(), options=server.options)


class TestTwoRuns:
    def test_a_dry_run_changes_nothing_and_says_what_would_go(self, store: LocalStore) -> None:
        before = store.list("")

        found = gc(store, delete=False)

        assert [(one.path, one.bytes, one.state, one.why) for one in found.garbage] == [
            (OLD_PATH, len(OLD), "unnamed", "nothing names it")
        ]
        assert (found.deleted, found.bytes, found.freed, found.removed) == (False, len(OLD), 0, 0)
        assert store.list("") == before
        json.dumps(found.to_json())

    def test_the_first_run_condemns_and_the_second_removes_after_the_limit(self, store: LocalStore) -> None:
        assert states(gc(store)) == {OLD_PATH: "waiting"}
        assert states(gc(store)) == {OLD_PATH: "waiting"}, "not a moment before the limit"
        age(store)
        assert states(gc(store, delete=False)) == {OLD_PATH: "due"}
        done = gc(store)

        assert (states(done), done.removed, done.freed) == ({OLD_PATH: "removed"}, 1, len(OLD))
        assert OLD_PATH not in store.list("")
        assert not [*store.list("condemned"), *store.list("decided")]
        require_whole(store)
        assert gc(store).garbage == ()

    def test_what_is_younger_than_the_limit_is_not_even_condemned(self, store: LocalStore) -> None:
        Registry(store).put_blob(b"in the making")

        found = gc(store)

        assert (states(found), found.young) == ({OLD_PATH: "waiting"}, 1)

    def test_this_machines_clock_has_no_say_in_what_is_removed(self, store: LocalStore) -> None:
        Registry(store).put_blob(b"in the making")
        gc(store)

        class Ahead(SystemClock):
            def now(self) -> datetime:
                return super().now() + 3 * WEEK

        clock = Ahead()
        found = collect(
            store, EventLog(store, clock), limit=WEEK, delete=True, candidates=False, anchors={}, console=QUIET,
            clock=clock,
        )  # fmt: skip

        assert (states(found), found.young) == ({OLD_PATH: "waiting"}, 1)

    def test_a_store_that_is_not_whole_is_left_alone(self, store: LocalStore) -> None:
        head = EventLog(store, SystemClock()).read("m0")[-1]
        graph = next(path for path in store.list("blobs") if b"the graph 1 of m0" in store.get(path))
        for spoil in ("events/m0/2.json", "events/m0/6.json", sorted(store.list("releases"))[0], graph):
            data = store.get(spoil)
            store.delete(spoil)
            anchors = {"m0": [Anchor(number=6, digest=head.digest)]}
            if "releases" in spoil:  # which nobody would miss but the log
                store.create(spoil, b"{}")
            with pytest.raises(IntegrityError):
                gc(store, anchors=anchors)
            store.delete(spoil)
            store.create(spoil, data)

    def test_on_s3_and_azure_it_works_by_their_own_times(self, s3_or_azurite: Place) -> None:
        store = open_store(s3_or_azurite.url, options=s3_or_azurite.options)
        stock(store, models=1, versions=1)
        Registry(store).put_blob(OLD)
        now = timedelta(seconds=-60)  # no test waits for a week

        assert states(gc(store, delete=False, limit=now)) == {OLD_PATH: "unnamed"}
        assert states(gc(store, limit=now)) == {OLD_PATH: "waiting"}
        assert states(gc(store, limit=now)) == {OLD_PATH: "removed"}
        require_whole(store)
        assert not [*store.list("condemned"), *store.list("decided")]


class TestWhatStays:
    def test_whatever_is_named_by_what_is_named(self, store: LocalStore) -> None:
        """Through blobs that name blobs, in words that nobody knows, and in the payload of a signed envelope."""
        import base64

        registry, log = Registry(store), EventLog(store, SystemClock())
        deep = registry.put_blob(b"deep down")
        signed = registry.put_blob(b"in an envelope")
        payload = base64.b64encode(json.dumps({"subject": signed}).encode()).decode()
        middle = registry.put_json({"unheard-of": [f"sha256:{deep}"]})
        envelope = registry.put_json({"payloadType": "x", "payload": payload, "signatures": []})
        subject = {"windows": [], "features": [], "release": None, "also": {"see": envelope}}
        log.record("m0", "drift-detected", subject, actor="ada", evidence=[middle])
        for _ in range(3):
            age(store)
            gc(store, candidates=True)

        assert {registry.get_blob(digest) for digest in (deep, signed)} == {b"deep down", b"in an envelope"}
        require_whole(store)

    def test_candidates_unless_it_is_asked_for_and_those_of_versions_always(self, store: LocalStore) -> None:
        forgotten = train(store, "m0", 77)
        age(store)
        for _ in range(2):
            gc(store)
            age(store)
        assert Registry(store).find_candidate("m0", forgotten.lock) == forgotten

        first = gc(store, candidates=True)
        age(store)
        second = gc(store, candidates=True)

        path = candidate_path("m0", forgotten.lock)
        own = (forgotten.onnx or "", forgotten.reference, forgotten.profile, forgotten.lock_record)
        assert set(states(first)) == {path, *map(blob_path, own)}, "nothing of a version"
        assert (states(first)[path], states(second)[path]) == ("waiting", "removed")
        assert Registry(store).find_candidate("m0", forgotten.lock) is None
        assert blob_path(forgotten.onnx or "") not in store.list("blobs")
        assert len(store.list("candidates")) == 4
        require_whole(store)

    def test_a_blob_never_goes_before_the_candidate_that_names_it(self, store: LocalStore) -> None:
        forgotten = train(store, "m0", 77)
        age(store)
        gc(store, candidates=True)
        age(store)
        own = candidate_path("m0", forgotten.lock)
        store.delete(condemned_path(own))

        found = states(gc(store, candidates=True))

        assert found[own] == "waiting"
        assert "removed" not in {found[blob_path(one)] for one in (forgotten.onnx or "", forgotten.reference)}
        require_whole(store)


Act = Callable[[KeptStore], None]


def name_the_old_blob(store: KeptStore) -> None:
    """A command that finds that its blob is there already, and names it in the log."""
    digest = Registry(store).put_blob(OLD)
    subject = {"windows": [], "features": [], "release": None}
    EventLog(store, SystemClock()).record("m0", "drift-detected", subject, actor="eve", evidence=[digest])


def release_the_old_candidate(store: KeptStore) -> None:
    """A release of what was trained long ago: its candidate is found, or trained again."""
    release(store, "m0", 77)


class Interrupted:
    """A store at whose n-th operation something else happens."""

    def __init__(self, inner: MemoryStore, turn: int, act: Callable[[], None]) -> None:
        self._inner, self._turn, self._act = inner, turn, act
        self.happened = False

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)
        if name in {"get", "create", "list", "folders", "entries", "delete"}:
            self._turn -= 1
            if self._turn == 0:
                self.happened = True
                self._act()
        return found


def prepared() -> MemoryStore:
    """One model, and garbage that is due."""
    store = MemoryStore()
    stock(store, models=1, versions=1)
    Registry(store).put_blob(OLD)
    train(store, "m0", 77)
    store.wait(days=8)
    gc(store, candidates=True)
    store.wait(days=8)
    return store


@pytest.mark.parametrize("act", [name_the_old_blob, release_the_old_candidate])
class TestRaces:
    """The old object is due, and a command relies on it at the very worst moment: at every one of them."""

    def test_a_command_at_every_step_of_gc(self, act: Act) -> None:
        original, turn, happened, refused = prepared(), 0, True, 0
        while happened:
            turn += 1
            store, errors = original.copy(), list[OutsideError]()

            def attempt(store: MemoryStore = store, errors: list[OutsideError] = errors) -> None:
                try:
                    act(store)
                except OutsideError as error:
                    errors.append(error)

            interrupted = Interrupted(store, turn, attempt)
            gc(interrupted, candidates=True)  # type: ignore[arg-type]
            happened = interrupted.happened
            if errors or not happened:
                refused += bool(errors)
                act(store)
            require_whole(store)
        assert turn > 50
        assert refused, "while it is being removed the command has to be told to come again"

    def test_gc_at_every_step_of_a_command(self, act: Act) -> None:
        original, turn, happened = prepared(), 0, True
        while happened:
            turn += 1
            store = original.copy()

            def clear(store: MemoryStore = store) -> None:
                gc(store, candidates=True)

            interrupted = Interrupted(store, turn, clear)
            act(interrupted)  # type: ignore[arg-type]
            happened = interrupted.happened
            require_whole(store)
        assert turn > 5


class TestKills:
    @pytest.mark.parametrize("operation", ["create", "delete"])
    def test_killed_at_every_change_it_is_finished_by_the_next_run(self, tmp_path: Path, operation: str) -> None:
        original = LocalStore(tmp_path / "original")
        stock(original, models=1, versions=1)
        Registry(original).put_blob(OLD)
        train(original, "m0", 77)
        age(original)
        gc(original, candidates=True)
        age(original)
        script = (
            "import os, signal, sys\n"
            "from mlops_ci.adapters.local_store import LocalStore\n"
            "left = [int(sys.argv[2])]\n"
            f"inner = LocalStore.{operation}\n"
            "def until(self, *arguments):\n"
            "    left[0] -= 1\n"
            "    if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
            "    return inner(self, *arguments)\n"
            f"LocalStore.{operation} = until\n"
            "from mlops_ci.cli.main import main\n"
            "sys.exit(main(['store', 'gc', '--delete', '--candidates', '--store', sys.argv[1], '--quiet']))\n"
        )
        for changes in (1, 4, 9):
            store = LocalStore(shutil.copytree(original.url, tmp_path / f"{operation}{changes}"))
            command = [sys.executable, "-c", script, store.url, str(changes)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            killed = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True)
            assert killed.returncode in {0, -signal.SIGKILL}, killed.stderr
            require_whole(store)
            for _ in range(3):
                gc(store, candidates=True)
                age(store)
            assert gc(store, candidates=True).garbage == ()
            assert not [*store.list("condemned"), *store.list("decided")]
            require_whole(store)
            release_the_old_candidate(store)
            require_whole(store)

    def test_a_decision_that_nobody_acts_upon_is_withdrawn_after_an_hour(self, store: LocalStore) -> None:
        gc(store)
        age(store)
        assert decide_to_remove(store, OLD_PATH)

        with pytest.raises(OutsideError, match="is being removed by `mlops-ci store gc`"):
            Registry(store).put_blob(OLD)
        assert states(gc(store)) == {OLD_PATH: "kept"}
        age(store, timedelta(hours=1, minutes=1))
        assert states(gc(store)) == {OLD_PATH: "waiting"}
        assert Registry(store).put_blob(OLD)
        assert store.get(decided_path(OLD_PATH)) == b"kept\n"

    def test_who_asked_for_an_object_has_the_limit_to_name_it(self, store: LocalStore) -> None:
        gc(store)
        age(store)
        Registry(store).put_blob(OLD)

        assert states(gc(store)) == {OLD_PATH: "kept"}
        age(store)
        assert states(gc(store)) == {OLD_PATH: "waiting"}, "condemned anew"
        age(store)
        assert states(gc(store)) == {OLD_PATH: "removed"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("release"), st.integers(1, 4)),
            st.tuples(st.just("train"), st.integers(1, 6)),
            st.tuples(st.just("orphan"), st.integers(1, 3)),
            st.tuples(st.just("age"), st.sampled_from([1, 4, 8])),
            st.tuples(st.just("gc"), st.booleans()),
            st.tuples(st.just("name"), st.integers(1, 3)),
        ),
        min_size=4,
        max_size=14,
    )
)
def test_after_any_history_a_cleared_store_is_whole(
    steps: list[tuple[str, int]],
) -> None:
    store = MemoryStore()
    release(store, "m0", 0)
    for step, number in [*steps, ("age", 8), ("gc", 1), ("age", 8), ("gc", 1)]:
        match step:
            case "release":
                release(store, "m0", number)
            case "train":
                train(store, "m0", number)
            case "orphan":
                Registry(store).put_blob(f"orphan {number}".encode())
            case "age":
                store.wait(days=number)
            case "gc":
                gc(store, candidates=bool(number))
            case "name":
                digest = Registry(store).put_blob(f"orphan {number}".encode())
                subject = {"windows": [], "features": [], "release": None}
                EventLog(store, SystemClock()).record("m0", "drift-detected", subject, actor="a", evidence=[digest])
        require_whole(store)


def test_the_command(tmp_path: Path, stocked: Path) -> None:
    store = shutil.copytree(stocked, tmp_path / "team" / ".mlops" / "store")
    repository = Repository(tmp_path / "team")

    dry = repository.run("store", "gc")
    assert (dry.code, dry.value["removed"], [one["state"] for one in dry.value["garbage"]]) == (0, 0, ["unnamed"])
    assert repository.run("store", "gc", "--delete").value["garbage"][0]["state"] == "waiting"
    age(LocalStore(store))
    assert repository.run("store", "gc", "--delete").value["removed"] == 1
    for text in ("", "7", "-1d", "59m", "1.5h", "99999999d"):
        refused = repository.run("store", "gc", f"--older-than={text}")
        assert (refused.code, "1h or more" in refused.said) == (2, True), text
