"""An auditor's archive: complete, the same each time, without rows of data, and checked as its own README says."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.adapters.zip_archive import write_archive
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError, OutsideError
from mlops_ci.pipeline.audit import audit, members
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from tests import logs
from tests.cli.repository import CONFIG, Repository
from tests.delivery.world import MODEL, Line, World
from tests.logs import moment
from tests.pipeline.eventful import HISTORY, release, write
from tests.stocked import MemoryStore

SECRET = "Jane Doe, 4711"


def archive(store: MemoryStore, *, with_data: bool = False, **between: datetime) -> dict[str, bytes]:
    log, registry = EventLog(store, SystemClock()), Registry(store)
    found = audit(log, registry, "m", anchors=[], with_data=with_data, **between)
    return dict(members(found, log, registry))


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def releases(store: MemoryStore, count: int = 2) -> list[Release]:
    """Each with an evaluation that may be shown, and rows of people that may not."""
    registry, made = Registry(store), []
    for number in range(1, count + 1):
        answers = registry.put_blob(f"PK {SECRET} {number}".encode())
        evidence = {
            "evaluation": registry.put_json({"verdict": "superior", "number": number, "answers": answers}),
            "golden": registry.put_json({"records": [{"name": SECRET}], "number": number}),
            "profile": registry.put_json({"categories": {SECRET: number}}),
            "probes": registry.put_json({"rows": [[SECRET, number]]}),
            "invented-later": registry.put_json({"who": SECRET, "number": number}),
        }
        registry.claim_version("m", lock=release(number).lock, commit=f"c{number}")
        one = replace(release(number), evidence=evidence)
        registry.save_release(one)
        made.append(one)
    return made


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    one, two = releases(store)
    registry, old = Registry(store), {release(1).id: one.id, release(2).id: two.id}
    history = [
        (kind, {key: old.get(value, value) if isinstance(value, str) else value for key, value in subject.items()})
        for kind, subject in HISTORY
    ]
    write(store, *history)
    for number in range(1, len(history) + 1):  # what the log of the tests calls its evidence
        registry.put_blob(f"evidence {number}".encode())
    return store


class TestWhatIsInIt:
    def test_what_served_when_and_who_had_approved_it(self, store: MemoryStore) -> None:
        table = rows(archive(store)["serving.csv"])

        assert [(row["environment"], row["version"], row["how"], row["approved_by"]) for row in table] == [
            ("qa", "1", "deployed", ""),
            ("production", "1", "promoted", "ada"),
            ("qa", "2", "deployed", ""),
            ("production", "2", "promoted", "bob; cleo"),
            ("production", "1", "rolled-back", "ada"),
            ("production", "2", "promoted", ""),
        ]
        assert [(row["from"][14:16], row["until"][14:16]) for row in table if row["environment"] == "production"] == [
            ("07", "14"), ("14", "15"), ("15", "17"), ("17", ""),
        ]  # fmt: skip

    def test_events_byte_for_byte_and_records_under_their_digests(self, store: MemoryStore) -> None:
        files = archive(store)

        assert files["events.jsonl"] == b"".join(store.get(f"events/m/{number}.json") for number in range(1, 18))
        for name, data in files.items():
            if name.startswith(("releases/", "evidence/")):
                assert sha256(data).hexdigest() in name
        assert sum(name.startswith("releases/") for name in files) == 2
        assert json.loads(files["services.json"])[1]["approval"]["head"] == "h1"

    def test_only_the_range_that_was_asked_for_but_all_of_the_log(self, store: MemoryStore) -> None:
        files = archive(store, since=moment(1), until=moment(6))

        assert [row["environment"] for row in rows(files["serving.csv"])] == ["qa"]
        assert files["events.jsonl"].count(b"\n") == 17
        assert sum(name.startswith("releases/") for name in files) == 1
        assert "between 2026-03-01T09:01:00.000000Z and 2026-03-01T09:06:00.000000Z" in files["README.txt"].decode()

    def test_the_same_question_has_the_same_bytes(self, store: MemoryStore, tmp_path: Path) -> None:
        for name in ("one.zip", "other.zip"):
            write_archive(tmp_path / name, archive(store.copy()).items())

        assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()

    def test_a_cell_is_no_formula(self, store: MemoryStore) -> None:
        log = EventLog(store, SystemClock())
        bad = {**logs.rolled_back("", "")[1], "reason": "=cmd|' /C calc'!A0"}
        now = log.read("m")[-1].subject["release"]
        before = log.read("m")[6].subject["release"]
        log.record("m", "rolled-back", {**bad, "release": before, "from": now}, actor="ada")

        assert "\n=" not in archive(store)["serving.csv"].decode()
        assert ",=" not in archive(store)["serving.csv"].decode()


class TestWhatIsNot:
    def test_rows_of_data_are_left_out_and_named(self, store: MemoryStore) -> None:
        files = archive(store)

        assert not [name for name, data in files.items() if SECRET.encode() in data]
        what = [row["what"] for row in rows(files["withheld.csv"])]
        assert what.count("rows of data with the model's answers") == 2
        assert what.count("the answers that were judged, with the truth and the columns of slices") == 2
        assert what.count("of a kind that this version does not know: invented-later") == 2
        assert what.count("of a kind that this version does not know") == 17, "the evidence of the test's own events"

    def test_unless_they_are_asked_for(self, store: MemoryStore) -> None:
        files = archive(store, with_data=True)

        assert sum(SECRET.encode() in data for name, data in files.items() if name.startswith("evidence/")) == 10
        assert rows(files["withheld.csv"]) == []

    def test_evidence_of_events_that_is_known_is_there(self, store: MemoryStore) -> None:
        found = Registry(store).put_json({"release": "x", "url": "u", "ok": True, "checks": [], "load": None})
        subject = {"windows": [], "features": [], "release": None}
        EventLog(store, SystemClock()).record("m", "drift-detected", subject, actor="ada", evidence=[found])

        assert f"evidence/{found}.json" in archive(store)


class TestRefusals:
    def test_no_proof_is_made_of_a_log_that_was_edited(self, store: MemoryStore) -> None:
        store.delete("events/m/5.json")

        with pytest.raises(IntegrityError, match="no proof can be made of it"):
            archive(store)

    def test_a_release_that_the_log_names_and_that_is_gone(self, store: MemoryStore) -> None:
        store.delete(store.list("releases")[0])

        with pytest.raises(IntegrityError, match="its record is gone"):
            archive(store)

    def test_no_log_is_no_archive(self) -> None:
        with pytest.raises(NotFoundError, match="nothing has happened to m yet"):
            archive(MemoryStore())


class TestTheFile:
    def test_another_file_is_never_overwritten(self, tmp_path: Path) -> None:
        path = tmp_path / "a.zip"
        path.write_text("mine")

        with pytest.raises(ConfigurationError, match="there is a file already"):
            write_archive(path, [("a", b"")])

        def meanwhile() -> Iterator[tuple[str, bytes]]:
            (tmp_path / "b.zip").write_text("faster")
            yield "a", b""

        with pytest.raises(ConfigurationError, match="there is a file already"):
            write_archive(tmp_path / "b.zip", meanwhile())
        assert (path.read_text(), (tmp_path / "b.zip").read_text()) == ("mine", "faster")
        assert len(list(tmp_path.iterdir())) == 2

    def test_nothing_is_left_of_one_that_could_not_be_finished(self, tmp_path: Path) -> None:
        def interrupted() -> Iterator[tuple[str, bytes]]:
            yield "a", b"x" * 100_000
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_archive(tmp_path / "a.zip", interrupted())
        with pytest.raises(OutsideError, match="No such file or directory"):
            write_archive(tmp_path / "nowhere" / "a.zip", [])
        assert list(tmp_path.iterdir()) == []

    def test_a_full_disk_is_named(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            pytest.skip("a file system of 64 kB needs the right to mount one")
        try:
            with pytest.raises(OutsideError, match="No space left on device") as caught:
                write_archive(disk / "a.zip", [("a", b"x" * 100_000)])
            assert caught.value.where == str(disk / "a.zip")
            assert list(disk.iterdir()) == []
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def commands(readme: str) -> list[str]:
    """What the README tells to type: its indented blocks."""
    blocks, lines = [], [*readme.partition("To check it")[2].splitlines(), ""]
    block: list[str] = []
    for line in lines:
        if line.startswith("       "):
            block.append(line[7:])
        elif block:
            blocks.append("\n".join(block))
            block = []
    return blocks


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes about real promotions, with Git's anchors, and the repository beside it."""
    folder = tmp_path_factory.mktemp("audited")
    world = World(folder / "world")
    repository = Repository(world.root)
    repository.write("mlops.yaml", CONFIG.replace("model: late", f"model: {MODEL}"))
    world.deliver(Line(slope=1.0))
    world.deliver(Line(slope=1.1))
    answer = repository.run("audit", "--store", str(world.folder / "store"), "--out", str(folder / "audit.zip"))
    assert answer.code == 0, answer.said
    assert answer.value["anchors"] >= 4
    with zipfile.ZipFile(folder / "audit.zip") as file:
        file.extractall(folder / "unpacked")
    manifest = (folder / "unpacked" / "MANIFEST.sha256").read_bytes()
    assert answer.value["manifest"] == sha256(manifest).hexdigest()
    return folder


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="the README's own tools are those of Unix")
class TestTheReadme:
    @pytest.fixture
    def unpacked(self, team: Path, tmp_path: Path) -> Path:
        self.root = team / "world" / "repository"
        return shutil.copytree(team / "unpacked", tmp_path / "unpacked")

    def check(self, folder: Path) -> list[subprocess.CompletedProcess[str]]:
        blocks = commands((folder / "README.txt").read_text())
        assert len(blocks) == 5
        anchor = rows((folder / "anchors.csv").read_bytes())[0]
        blocks[3] = blocks[3].replace("COMMIT", anchor["commit"])
        places = [folder, folder, folder, self.root, folder]
        return [
            subprocess.run(["bash", "-e", "-c", block], check=False, cwd=place, capture_output=True, text=True)
            for block, place in zip(blocks, places, strict=True)
        ]

    def test_every_check_holds_and_says_what_it_should(self, unpacked: Path) -> None:
        digests, chain, anchors, commit, names = self.check(unpacked)

        assert [one.returncode for one in (digests, chain, anchors, commit, names)] == [0] * 5
        assert chain.stdout == (unpacked / "head.txt").read_text()
        assert (anchors.stdout, names.stdout) == ("every anchor holds\n", "every name holds\n")
        first = rows((unpacked / "anchors.csv").read_bytes())[0]
        assert commit.stdout.split()[-2:] == [first["number"], first["digest"]]

    def test_an_edited_event_is_found_by_each_check_that_promises_it(self, unpacked: Path) -> None:
        file = unpacked / "events.jsonl"
        file.write_bytes(file.read_bytes().replace(b'"actor":"Ada"', b'"actor":"Eve"', 1))

        digests, chain, anchors, _, _ = self.check(unpacked)

        assert 0 not in {digests.returncode, chain.returncode, anchors.returncode}
        assert "broken at" in chain.stderr

    def test_an_edited_release_is_found(self, unpacked: Path) -> None:
        file = next((unpacked / "releases").iterdir())
        file.write_bytes(file.read_bytes().replace(b'"version":', b'"version": '))

        digests, _, _, _, names = self.check(unpacked)

        assert 0 not in {digests.returncode, names.returncode}


def test_the_command_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("mlops.yaml", CONFIG)
    assert LocalStore(tmp_path)

    assert repository.run("audit").code == 2
    backwards = repository.run("audit", "--out", "a.zip", "--from", "2026-02-01", "--to", "2026-01-01")
    assert (backwards.code, backwards.error["what"]) == (2, "--from is after --to")
    nothing = repository.run("audit", "--out", "a.zip")
    assert (nothing.code, nothing.error["what"]) == (2, "nothing has happened to late yet: there is no log")
    assert not (tmp_path / "a.zip").exists()
