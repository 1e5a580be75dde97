"""A copy of a store is whole at every moment, is never an overwriting, and goes on where it was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.adapters.object_store import open_store
from mlops_ci.cli.console import StderrConsole
from mlops_ci.core.events import Event
from mlops_ci.core.layout import place_of
from mlops_ci.core.stored_record import needed_by, needed_by_event, read_record
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError, OutsideError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.store_copy import StoreCopy, copy_store
from mlops_ci.pipeline.store_verify import StoreVerification, verify_store
from mlops_ci.ports import Entry, KeptStore
from tests.faulty_proxy import before
from tests.s3 import S3Server
from tests.stocked import release, stock

ROOT = Path(__file__).parents[2]
QUIET = StderrConsole(quiet=True)


def copy(source: KeptStore, destination: KeptStore) -> StoreCopy:
    return copy_store(source, destination, console=QUIET, clock=SystemClock())


def verified(store: KeptStore) -> StoreVerification:
    log = EventLog(store, SystemClock())
    return verify_store(store, log, anchors={}, desired=(), console=QUIET, clock=SystemClock())


def contents(store: KeptStore) -> dict[str, bytes]:
    return {path: store.get(path) for path in store.list("")}


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stocked") / "store"
    stock(LocalStore(folder))
    return folder


@pytest.fixture
def source(stocked: Path, tmp_path: Path) -> LocalStore:
    return LocalStore(shutil.copytree(stocked, tmp_path / "source"))


@pytest.fixture
def destination(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "destination")


class Wrapped:
    """A store that does something of its own before each create, or when it is listed."""

    def __init__(
        self,
        inner: KeptStore,
        *,
        before_create: Callable[[str, bytes], None] = lambda _path, _data: None,
        before_listing: Callable[[str], None] = lambda _prefix: None,
    ) -> None:
        self.inner, self.before_create, self.before_listing = inner, before_create, before_listing

    @property
    def url(self) -> str:
        return self.inner.url

    def get(self, path: str) -> bytes:
        return self.inner.get(path)

    def create(self, path: str, data: bytes) -> bool:
        self.before_create(path, data)
        return self.inner.create(path, data)

    def list(self, prefix: str) -> list[str]:
        return self.inner.list(prefix)

    def folders(self, prefix: str) -> list[str]:
        return list(self.inner.folders(prefix))

    def entries(self, prefix: str) -> Iterator[Entry]:
        self.before_listing(prefix)
        return self.inner.entries(prefix)

    def delete(self, path: str) -> None:
        self.inner.delete(path)


@pytest.mark.parametrize("kinds", [("local", "local"), ("local", "s3"), ("s3", "local"), ("local", "azurite")])
def test_everything_arrives_once_and_a_second_run_copies_nothing(
    kinds: tuple[str, str], tmp_path: Path, source: LocalStore, request: pytest.FixtureRequest
) -> None:
    def opened(kind: str, name: str) -> KeptStore:
        if kind == "local":
            return open_store(f"file://{tmp_path}/{name}")
        server = request.getfixturevalue(kind)
        return open_store(server.new_bucket() if kind == "s3" else server.new_container(), options=server.options)

    one, other = opened(kinds[0], "source"), opened(kinds[1], "other")
    if kinds[0] != "local":
        copy(source, one)

    first = copy(one, other)
    again = copy(one, other)

    assert contents(other) == contents(one)
    assert first.objects == first.copied == len(one.list("")) > 40
    assert first.bytes == sum(len(data) for data in contents(one).values())
    assert (again.copied, again.present, again.bytes) == (0, first.objects, 0)
    assert verified(other).problems == ()
    json.dumps(first.to_json())


def test_nothing_ever_stands_at_the_destination_without_what_it_names(
    source: LocalStore, destination: LocalStore
) -> None:
    written: list[str] = []

    def check(path: str, data: bytes) -> None:
        place = place_of(path)
        assert place is not None
        needed: list[str] = []
        if place.kind == "event":
            needed += needed_by_event(Event.from_json(json.loads(data)))
        elif place.kind != "blob":
            needed += needed_by(place, read_record(place, data).value)
        if place.kind in {"event", "version"} and place.name != "1":
            needed.append(path.replace(f"/{place.name}.json", f"/{int(place.name) - 1}.json"))
        for one in needed:
            destination.get(one)
        written.append(path)

    copy(source, Wrapped(destination, before_create=check))

    assert len(written) == len(source.list(""))


def test_what_is_written_at_the_source_meanwhile_is_copied_whole_or_by_the_next_run(
    source: LocalStore, destination: LocalStore
) -> None:
    seen: set[str] = set()

    def write(prefix: str) -> None:
        folder = prefix.partition("/")[0]
        if folder not in seen:
            seen.add(folder)
            release(source, "m0", 100 + len(seen))

    copy(Wrapped(source, before_listing=write), destination)

    assert verified(destination).problems == ()
    assert len(destination.list("events/m0")) < len(source.list("events/m0"))

    copy(source, destination)
    assert contents(destination) == contents(source)


COPYING = """
import sys
from mlops_ci.cli.main import main
sys.exit(main(["store", "copy", sys.argv[1], sys.argv[2], "--json"]))
"""


@pytest.mark.parametrize("objects", [1, 30, 75])
def test_killed_at_any_moment_it_goes_on_where_it_was(
    tmp_path: Path, source: LocalStore, destination: LocalStore, objects: int
) -> None:
    command = [sys.executable, "-c", COPYING, source.url, destination.url]
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    while process.poll() is None and len(destination.list("")) < objects:
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.wait()

    left = len(destination.list(""))
    assert verified(destination).problems == ()

    done = copy(source, destination)
    assert (done.present, done.objects) == (left, len(source.list("")))
    assert contents(destination) == contents(source)


class TestWhatDiffers:
    @pytest.mark.parametrize("kind", ["blobs", "releases", "candidates", "versions", "looks", "evaluations", "events"])
    def test_is_named_and_never_overwritten(self, source: LocalStore, destination: LocalStore, kind: str) -> None:
        path = sorted(source.list(kind))[0]
        destination.create(path, b"somebody else's\n")

        with pytest.raises(IntegrityError) as caught:
            copy(source, destination)

        assert [(one.where, one.what) for one in caught.value.problems] == [
            (path, "is another object at the destination, which is never overwritten")
        ]
        assert destination.get(path) == b"somebody else's\n"

    @pytest.mark.parametrize("kind", ["blobs", "releases", "versions", "events"])
    def test_at_the_source_is_named_and_nothing_that_rests_on_it_is_copied(
        self, source: LocalStore, destination: LocalStore, kind: str
    ) -> None:
        path = sorted(source.list(kind))[0]
        file = Path(source.url) / path
        raw = file.read_bytes()
        file.chmod(0o644)
        file.write_bytes(raw[:-2] + bytes([raw[-2] ^ 1]) + raw[-1:])

        with pytest.raises(IntegrityError) as caught:
            copy(source, destination)

        assert path in {one.where for one in caught.value.problems}
        assert path not in destination.list("")
        assert not [one for one in destination.list("events") if kind != "events"]
        assert verified(destination).problems == ()

    def test_a_log_that_forks_from_the_destinations_is_named_by_its_first_other_event(
        self, source: LocalStore, destination: LocalStore
    ) -> None:
        copy(source, destination)
        log = EventLog(source, SystemClock()), EventLog(destination, SystemClock())
        for one in log:
            one.record("m0", "drift-detected", {"windows": [], "features": [], "release": None}, actor="ada")

        with pytest.raises(IntegrityError) as caught:
            copy(source, destination)

        assert [problem.where for problem in caught.value.problems] == ["events/m0/7.json"]

    def test_a_destination_that_is_ahead_of_the_source_stays_so(
        self, source: LocalStore, destination: LocalStore
    ) -> None:
        copy(source, destination)
        log = EventLog(destination, SystemClock())
        log.record("m0", "drift-detected", {"windows": [], "features": [], "release": None}, actor="ada")

        assert copy(source, destination).copied == 0
        assert verified(destination).problems == ()


def test_a_cache_and_the_marks_of_gc_are_not_copied(source: LocalStore, destination: LocalStore) -> None:
    for path in ("packs/m0/1.jsonl", "condemned/releases/x", "decided/releases/x"):
        source.create(path, b"")

    assert copy(source, destination).left_out == ()
    assert set(destination.folders("")) == {
        *("blobs", "candidates", "events", "evaluations", "looks", "releases", "versions")
    }


def test_files_that_are_no_objects_are_left_out_and_named(
    tmp_path: Path, source: LocalStore, destination: LocalStore, capsys: pytest.CaptureFixture[str]
) -> None:
    strays = ["events/m0/1.json.bak", "events/m0/07.json", "events/m0/a b", "releases/\x1b[31m.json", "looks/é/1.json"]
    strays += [f"blobs/sha256/aa/{'b' * 64}", f"blobs/sha256/aa/{'A' * 64}"]
    for path in [*strays, "my notes/secret.txt"]:
        (tmp_path / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / path).write_text("{}")

    done = copy(source, destination)

    assert sorted(done.left_out) == sorted([*strays, "my notes/"])
    assert verified(destination).problems == ()
    assert "\x1b" not in capsys.readouterr().err
    assert {one.where for one in verified(source).problems} == {*strays, "my notes/secret.txt"}


def test_an_empty_source_is_more_likely_a_wrong_name(tmp_path: Path, destination: LocalStore) -> None:
    with pytest.raises(NotFoundError, match="there is no store here"):
        copy(LocalStore(tmp_path / "typo"), destination)
    with pytest.raises(ConfigurationError, match="both stores are"):
        copy(destination, LocalStore(Path(destination.url)))


class TestFailures:
    def test_a_full_disk_is_named_and_the_next_run_goes_on(
        self, tmp_path: Path, source: LocalStore, destination: LocalStore
    ) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=120k", "none", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            pytest.skip("a file system of 120 kB needs the right to mount one")
        try:
            full = LocalStore(disk / "store")
            with pytest.raises(OutsideError, match="No space left") as caught:
                copy(source, full)
            assert "free some space" in caught.value.fix
            assert verified(full).problems == ()
            subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
            copy(source, full)
            assert contents(full) == contents(source)
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    @pytest.mark.parametrize("fault", ["lose", "drop"])
    def test_a_reply_that_is_lost_is_no_difference(self, source: LocalStore, s3: S3Server, fault: str) -> None:
        bucket = open_store(s3.new_bucket(), options=s3.options)
        s3.fail_next_put("lose" if fault == "lose" else "drop")

        assert copy(source, bucket).objects == len(source.list(""))
        assert verified(bucket).problems == ()

    def test_a_connection_that_breaks_again_and_again_is_only_slow(self, source: LocalStore, s3: S3Server) -> None:
        with before(s3.endpoint) as between:
            url, options = s3.new_bucket(), {**s3.options, "AWS_ENDPOINT_URL": between.url}
            for how in ("cut", "drop"):
                between.fail_each(9, how)  # type: ignore[arg-type]
                copy(source, open_store(url, options=options))
        assert verified(open_store(url, options=s3.options)).problems == ()
        assert contents(open_store(url, options=s3.options)) == contents(source)

    def test_a_service_that_is_not_there_is_named(self, source: LocalStore, s3: S3Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        away = open_store("s3://bucket", options={**s3.options, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})

        with pytest.raises(OutsideError, match=f"127.0.0.1:{port}"):
            copy(source, away)

    def test_denied_credentials_are_named_and_the_next_run_goes_on(self, source: LocalStore, s3: S3Server) -> None:
        bucket = open_store(s3.new_bucket(), options=s3.options)
        s3.fail_next_put("deny")

        with pytest.raises(OutsideError, match="403 Forb"):
            copy(source, bucket)
        assert verified(bucket).problems == ()
        copy(source, bucket)
        assert contents(bucket) == contents(source)

    def test_a_blob_that_gc_takes_away_meanwhile_is_no_integrity_error(
        self, source: LocalStore, destination: LocalStore
    ) -> None:
        gone = source.list("blobs")[-1]

        class Late(Wrapped):
            def get(self, path: str) -> bytes:
                if path == gone:
                    source.delete(gone)
                return super().get(path)

        with pytest.raises(OutsideError, match="is gone"):
            copy(Late(source), destination)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says there how much memory it was at most")
def test_a_large_store_is_copied_in_bounded_memory(tmp_path: Path) -> None:
    """Blobs of 160 MB in all, in a process that holds no more than one large one at a time."""
    store = LocalStore(tmp_path / "source")
    for number in range(8):
        Registry(store).put_blob(bytes([number]) * 20_000_000)
    script = (
        "import sys\n"
        "from mlops_ci.cli.main import main\n"
        "code = main(['store', 'copy', sys.argv[1], sys.argv[2], '--quiet'])\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
        "sys.exit(code)\n"
    )
    command = [sys.executable, "-c", script, store.url, str(tmp_path / "there")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 120_000, "kB: 40 of the interpreter and its modules, and two blobs"
    assert verified(LocalStore(tmp_path / "there")).problems == ()
