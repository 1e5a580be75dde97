"""The store keeps one contract wherever it is: real folders, a real S3 server, real processes that race."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import ConfigurationError, NotFoundError, OutsideError
from mlops_ci.ports import KeptStore, ObjectStore
from tests.s3 import KEY_ID, SECRET, S3Server
from tests.stores import Place

ROOT = Path(__file__).parents[2]
HOSTILE = ["", "/", "a/", "/a", "a//b", "..", "../x", "a/../b", "a/./b", "a\\b", "a/\n", "a/\0", "a b", ".x", "a/é"]
HOSTILE += ["%2e%2e/x", "a/" + "b" * 300, "~", "a*", "C:/x", "a#1"]


@pytest.fixture(params=["local", "s3", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> KeptStore:
    if request.param == "local":
        return open_store(str(tmp_path / "store"))
    if request.param == "memory":
        return open_store("memory://")
    server: S3Server = request.getfixturevalue("s3")
    return open_store(server.new_bucket(), options=server.options)


class TestContract:
    def test_what_was_created_is_read_back(self, store: ObjectStore) -> None:
        assert store.create("blobs/sha256/aa/one", b"\0one\r\n") is True
        assert store.create("empty", b"") is True

        assert store.get("blobs/sha256/aa/one") == b"\0one\r\n"
        assert store.get("empty") == b""

    def test_a_model_of_many_megabytes_is_created_once_like_any_other(self, store: ObjectStore) -> None:
        model = bytes(range(256)) * 65_536

        assert store.create("model", model) is True
        assert store.create("model", b"other") is False
        assert store.get("model") == model

    def test_the_second_create_changes_nothing(self, store: ObjectStore) -> None:
        assert store.create("events/m/1.json", b"first") is True
        assert store.create("events/m/1.json", b"second") is False
        assert store.create("events/m/1.json", b"first") is False
        assert store.get("events/m/1.json") == b"first"

    def test_what_is_not_there_is_named_together_with_the_store(self, store: ObjectStore) -> None:
        store.create("a/b", b"")

        for path in ["a", "a/c", "a/b/c", "nothing/at/all"]:
            with pytest.raises(NotFoundError, match=path) as caught:
                store.get(path)
            assert caught.value.where == store.url
            assert caught.value.exit_code == 2

    def test_lists_all_below_a_folder_and_nothing_beside_it(self, store: ObjectStore) -> None:
        for path in ["events/m/1.json", "events/m/2.json", "events/m/deep/er/3", "events/m2/1.json", "m/1"]:
            store.create(path, b"")

        assert sorted(store.list("events/m")) == ["events/m/1.json", "events/m/2.json", "events/m/deep/er/3"]
        assert len(store.list("events")) == 4
        assert len(store.list("")) == 5
        assert store.list("event") == []
        assert store.list("events/m/1.json") == []

    def test_names_the_folders_directly_below_a_folder(self, store: ObjectStore) -> None:
        for path in ["events/b/1.json", "events/a/1.json", "events/a/2.json", "events/a/deep/3", "events/stray"]:
            store.create(path, b"")

        assert list(store.folders("events")) == ["a", "b"]
        assert list(store.folders("")) == ["events"]
        assert list(store.folders("nothing")) == []

    def test_its_keeper_sees_sizes_and_times_and_may_delete(self, store: KeptStore) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)  # S3 knows whole seconds
        for path, data in {"a/b/1": b"one", "a/b/2": b"", "c": b"three"}.items():
            store.create(path, data)

        found = {entry.path: entry for entry in store.entries("")}

        assert {path: entry.size for path, entry in found.items()} == {"a/b/1": 3, "a/b/2": 0, "c": 5}
        assert all(before < entry.modified <= datetime.now(UTC) for entry in found.values())
        assert [entry.path for entry in store.entries("a")] in (["a/b/1", "a/b/2"], ["a/b/2", "a/b/1"])
        assert list(store.entries("nothing")) == []

        store.delete("a/b/1")
        store.delete("a/b/1")
        store.delete("never/there")
        assert sorted(store.list("")) == ["a/b/2", "c"]
        assert store.create("a/b/1", b"again") is True

    @pytest.mark.parametrize("path", HOSTILE)
    def test_a_name_that_is_none_never_reaches_the_store(self, store: ObjectStore, path: str) -> None:
        with pytest.raises(ConfigurationError, match="cannot be a name"):
            store.create(path, b"x")
        with pytest.raises(ConfigurationError, match="cannot be a name"):
            store.get(path)
        if path:  # the empty prefix is the whole store
            with pytest.raises(ConfigurationError, match="cannot be a name"):
                store.list(path)
            with pytest.raises(ConfigurationError, match="cannot be a name"):
                store.folders(path)
        assert store.list("") == []

    def test_one_of_many_threads_wins_each_path(self, store: ObjectStore) -> None:
        for path in [f"race/{number}" for number in range(20)]:
            start = Barrier(8)

            def attempt(writer: int, path: str = path, start: Barrier = start) -> int | None:
                start.wait()
                return writer if store.create(path, b"%d" % writer) else None

            with ThreadPoolExecutor(8) as pool:
                winners = [writer for writer in pool.map(attempt, range(8)) if writer is not None]

            assert len(winners) == 1
            assert store.get(path) == b"%d" % winners[0]


RACER = """
import json, sys
from mlops_ci.adapters.object_store import open_store
url, options, writer = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
store = open_store(url, options=options)
print("ready", flush=True)
sys.stdin.readline()
wins = [n for n in range(40) if store.create(f"race/{n}", f"{writer} {n} ".encode() * 2000)]
print(json.dumps(wins))
"""


def test_one_of_many_processes_wins_each_path(place: Place) -> None:
    command = [sys.executable, "-c", RACER, place.url, json.dumps(dict(place.options))]
    racers = [
        subprocess.Popen([*command, str(n)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    wins = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]

    assert sorted(number for own in wins for number in own) == list(range(40))
    store = place.open()
    for writer, own in enumerate(wins):
        for number in own:
            assert store.get(f"race/{number}") == f"{writer} {number} ".encode() * 2000


class TestLocal:
    def test_reading_makes_no_folder_and_the_first_write_does(self, tmp_path: Path) -> None:
        store = open_store(str(tmp_path / "new" / "store"))

        assert store.list("") == []
        assert list(store.folders("events")) == []
        with pytest.raises(NotFoundError):
            store.get("a")
        assert list(tmp_path.iterdir()) == []

        assert store.create("a", b"x") is True
        assert store.get("a") == b"x"

    def test_objects_lie_under_their_paths(self, tmp_path: Path) -> None:
        open_store(str(tmp_path)).create("events/m/1.json", b"{}\n")

        assert (tmp_path / "events" / "m" / "1.json").read_bytes() == b"{}\n"

    def test_a_file_url_is_the_same_folder(self, tmp_path: Path) -> None:
        open_store(str(tmp_path / "my store")).create("a", b"x")

        assert open_store(f"file://{tmp_path}/my%20store").get("a") == b"x"

    def test_a_relative_path_stays_the_same_store_when_the_process_moves(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        store = open_store("store")
        store.create("a", b"x")
        monkeypatch.chdir("/")

        assert store.get("a") == b"x"
        assert Path(store.url).is_absolute()

    def test_an_object_is_not_writable_for_anybody(self, tmp_path: Path) -> None:
        open_store(str(tmp_path)).create("a", b"x")

        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) & 0o222 == 0

    def test_hidden_files_are_no_objects(self, tmp_path: Path) -> None:
        store = open_store(str(tmp_path))
        store.create("events/m/1.json", b"")
        (tmp_path / "events" / "m" / ".DS_Store").touch()

        assert store.list("") == ["events/m/1.json"]
        assert list(store.folders("")) == ["events"]

    def test_a_kill_in_the_middle_of_a_write_leaves_no_object(self, tmp_path: Path) -> None:
        # The kernel kills the process at the 1,000th byte of the object, as surely as nothing else could.
        killed = run_writer(tmp_path, "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)")

        assert killed.returncode < 0
        store = open_store(str(tmp_path / "store"))
        assert store.list("") == []
        with pytest.raises(NotFoundError):
            store.get("events/m/1.json")
        assert store.create("events/m/1.json", b"again") is True

    def test_a_write_that_the_system_refuses_half_way_leaves_nothing_at_all(self, tmp_path: Path) -> None:
        refused = run_writer(tmp_path, "")

        assert refused.stdout == "20 File too large\n"
        assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []

    def test_a_folder_that_may_not_be_written_is_named_with_a_fix(self) -> None:
        script = """
import os, sys
from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import OutsideError
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere
try:
    open_store(sys.argv[1]).create("a/b", b"x")
except OutsideError as error:
    print(error)
"""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o555)
            run = subprocess.run(
                [sys.executable, "-c", script, folder], cwd=ROOT, capture_output=True, text=True, check=True
            )
            Path(folder).chmod(0o755)

        assert f"cannot write {folder}/a/b: Permission denied" in run.stdout
        assert "fix: let this user write there" in run.stdout

    @pytest.mark.parametrize("path", ["a", "a/b/c"])
    def test_a_file_where_the_store_should_be_is_named_with_a_fix(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "store").write_text("a file")

        with pytest.raises(OutsideError, match="cannot write") as caught:
            open_store(str(tmp_path / "store")).create(path, b"x")
        assert "a file stands where" in caught.value.fix

    @pytest.mark.parametrize("url", ["", " ", "a\0b", "file://elsewhere/store", "file://"])
    def test_what_is_no_folder_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigurationError):
            open_store(url)


def run_writer(tmp_path: Path, prepare: str) -> subprocess.CompletedProcess[str]:
    """A process that may write no file beyond 1,000 bytes, and tries to."""
    script = f"""
import resource, signal, sys
from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import OutsideError
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
{prepare}
try:
    open_store(sys.argv[1]).create("events/m/1.json", b"x" * 100_000)
except OutsideError as error:
    print(error.exit_code, error.what.rpartition(": ")[2])
"""
    command = [sys.executable, "-c", script, str(tmp_path / "store")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


class TestS3:
    def test_stores_in_one_bucket_do_not_see_each_other(self, s3: S3Server) -> None:
        url = s3.new_bucket()
        mine, other = open_store(f"{url}/mine", options=s3.options), open_store(f"{url}/other", options=s3.options)
        mine.create("a/b", b"x")

        assert mine.list("") == ["a/b"]
        assert other.list("") == []
        assert open_store(url, options=s3.options).list("") == ["mine/a/b"]

    def test_more_objects_than_one_answer_of_the_service_holds(self, s3: S3Server) -> None:
        store = open_store(s3.new_bucket(), options=s3.options)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: store.create(f"events/m/{number}.json", b""), range(1100)))

        assert len(set(store.list("events/m"))) == 1100

    @pytest.mark.parametrize("how", ["lose", "drop"])
    def test_a_put_whose_reply_is_lost_is_not_done_twice(self, s3: S3Server, how: str) -> None:
        store = open_store(s3.new_bucket(), options=s3.options)
        s3.fail_next_put("lose" if how == "lose" else "drop")

        # The library tries again and finds its own object: to the caller it was there already, with these very bytes.
        assert store.create("a", b"mine") is False
        assert store.get("a") == b"mine"

    def test_a_bucket_that_is_missing_is_no_empty_store(self, s3: S3Server) -> None:
        store = open_store("s3://no-such-bucket/x", options=s3.options)

        with pytest.raises(ConfigurationError, match="no bucket no-such-bucket"):
            store.get("a")
        with pytest.raises(ConfigurationError, match="no bucket no-such-bucket"):
            store.list("a")
        with pytest.raises(ConfigurationError, match="no bucket no-such-bucket"):
            store.folders("a")
        with pytest.raises(ConfigurationError, match="no bucket no-such-bucket"):
            store.create("a", b"")

    def test_a_refusal_says_what_to_give_and_gives_nothing_away(self, s3: S3Server) -> None:
        store = open_store(s3.new_bucket(), options=s3.options)
        s3.fail_next_put("deny")

        with pytest.raises(OutsideError, match="SignatureDoesNotMatch") as caught:
            store.create("a", b"x")
        assert "AWS_SECRET_ACCESS_KEY" in caught.value.fix
        assert KEY_ID not in str(caught.value)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None, "the library's own words would be printed along"

    def test_a_service_that_does_not_answer_is_an_outside_failure(self, s3: S3Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        store = open_store("s3://bucket", options={**s3.options, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})

        with pytest.raises(OutsideError, match=f"127.0.0.1:{port}") as caught:
            store.get("a")
        assert caught.value.exit_code == 20
        assert "try again" in caught.value.fix
        assert KEY_ID not in str(caught.value)

    def test_variables_that_do_not_concern_the_store_are_left_aside(self, s3: S3Server) -> None:
        foreign = {"AWS_PROFILE": "me", "AWS_PAGER": "", "AZURE_CLIENT_ID": "x", "GOOGLE_APPLICATION_CREDENTIALS": "/x"}
        empty = {"AWS_SESSION_TOKEN": ""}
        store = open_store(s3.new_bucket(), options={**s3.options, **foreign, **empty})

        assert store.create("a", b"") is True

    def test_the_librarys_own_settings_are_taken_too(self, s3: S3Server) -> None:
        settings = {"endpoint": s3.endpoint, "region": "us-east-1", "access_key_id": "x", "secret_access_key": "y"}

        assert open_store(s3.new_bucket(), options=settings).create("a", b"") is True

    @pytest.mark.parametrize("endpoint", ["not a url", "ftp://host", "http://", "http://me:secret@host", "host:9000"])
    def test_an_endpoint_that_is_no_url_is_refused(self, endpoint: str) -> None:
        with pytest.raises(ConfigurationError, match="endpoint") as caught:
            open_store("s3://bucket", options={"endpoint": endpoint})
        assert "secret" not in str(caught.value)

    def test_an_unknown_setting_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="endpiont"):
            open_store("s3://bucket", options={"endpiont": "https://host"})


@pytest.mark.parametrize(
    "url",
    [
        *("http://host/x", "ftp://host", "://", "s3://", "s3:///prefix", "s3://b ucket", "s3://bucket/../x"),
        *(
            "s3://me:hunter2@bucket/x",
            "s3://bucket?sig=hunter2",
            "s3://bucket#hunter2",
            "az://[hunter2",
            "s4://hunter2",
        ),
    ],
)
def test_a_url_that_names_no_store_is_refused_and_credentials_in_it_are_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert caught.value.fix
    assert "hunter2" not in str(caught.value)


def test_azure_and_google_stores_open_without_a_request() -> None:
    azure = {"AZURE_STORAGE_ACCOUNT_NAME": "acme", "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0", "AWS_REGION": "x"}

    assert open_store("az://models/team", options=azure).url == "az://models/team"
    assert open_store("gs://models/team/").url == "gs://models/team"


def test_azure_without_an_account_says_which_variables_to_set() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store("az://models")
    assert "AZURE_STORAGE_ACCOUNT_NAME" in caught.value.fix


def test_a_key_that_is_none_is_refused_without_being_shown() -> None:
    options = {"AZURE_STORAGE_ACCOUNT_NAME": "acme", "AZURE_STORAGE_ACCOUNT_KEY": "not base64 at all!"}

    with pytest.raises(ConfigurationError) as caught:
        open_store("az://models", options=options)
    assert "not base64" not in str(caught.value)


def test_a_store_in_memory_ends_with_its_object() -> None:
    open_store("memory://").create("a", b"x")

    assert open_store("memory://").list("") == []
