"""Records are written once, found again by their meaning, and believed only after they were checked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.records import Candidate, Release, Version
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import ObjectStore
from tests.stores import Place

ROOT = Path(__file__).parents[2]
HOLDOUT = sha256(b"holdout")
ID_OF_NOTHING = "0" * 64


def lock(number: int) -> str:
    return sha256(f"lock {number}".encode())


CANDIDATE = Candidate(
    model="m",
    lock=lock(1),
    lock_record=sha256(b"lock record"),
    signature=Signature(
        task="binary-classification",
        inputs=(Column(name="delay", kind="number"), Column(name="carrier", kind="text")),
        classes=(0, 1),
        threshold=0.3,
    ),
    onnx=sha256(b"onnx"),
    refusal="",
    reference=sha256(b"reference"),
    holdout=HOLDOUT,
    profile=sha256(b"profile"),
    metrics={"roc_auc": 0.75, "brier_score": 0},
    rows={"train": 800, "holdout": 200},
    commit="c1",
    trained_at="2026-03-01T09:00:00.000000Z",
    seconds=1.5,
)
RELEASE = Release(
    model="m",
    version=1,
    lock=lock(1),
    commit="c1",
    files={"model.onnx": sha256(b"onnx")},
    image=None,
    evidence={"golden": sha256(b"golden")},
)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


def spoil(store: ObjectStore, path: str, data: bytes) -> None:
    file = Path(store.url) / path
    file.chmod(0o644)
    file.write_bytes(data)


class TestBlobs:
    def test_bytes_are_kept_by_their_digest(self, place: Place) -> None:
        digest = place.registry().put_blob(b"\0model")

        assert digest == sha256(b"\0model")
        assert place.registry().get_blob(digest) == b"\0model"
        assert place.open().list("") == [f"blobs/sha256/{digest[:2]}/{digest}"]

    def test_the_same_bytes_twice_are_one_blob(self, place: Place) -> None:
        assert place.registry().put_blob(b"x") == place.registry().put_blob(b"x")
        assert len(place.open().list("")) == 1

    def test_json_is_kept_in_one_spelling(self, place: Place) -> None:
        one, other = place.registry().put_json({"b": 1, "a": [None]}), place.registry().put_json({"a": [None], "b": 1})

        assert one == other
        assert place.registry().get_json(one) == {"a": [None], "b": 1}

    def test_a_blob_that_is_not_there_is_not_found(self, place: Place) -> None:
        with pytest.raises(NotFoundError):
            place.registry().get_blob(ID_OF_NOTHING)

    @pytest.mark.parametrize("damage", [b"", b"mode", b"model!", b"Model"])
    def test_a_spoilt_blob_is_never_returned(self, store: ObjectStore, damage: bytes) -> None:
        digest = Registry(store).put_blob(b"model")
        path = f"blobs/sha256/{digest[:2]}/{digest}"
        spoil(store, path, damage)

        for attempt in (lambda: Registry(store).get_blob(digest), lambda: Registry(store).put_blob(b"model")):
            with pytest.raises(IntegrityError, match=path) as caught:
                attempt()
            assert sha256(damage) in str(caught.value)
            assert caught.value.exit_code == 16

    @pytest.mark.parametrize("digest", ["", "abc", "../../../etc/passwd", "A" * 64, "g" * 64, "0" * 63 + "\n"])
    def test_what_is_no_digest_is_refused(self, store: ObjectStore, digest: str) -> None:
        with pytest.raises(ConfigurationError, match="not a digest"):
            Registry(store).get_blob(digest)

    def test_a_blob_that_is_not_json_is_said_to_be_none(self, store: ObjectStore) -> None:
        digest = Registry(store).put_blob(b"{")

        with pytest.raises(IntegrityError, match="is not JSON"):
            Registry(store).get_json(digest)


class TestCandidates:
    def test_what_was_trained_is_found_by_its_lock(self, place: Place) -> None:
        assert place.registry().find_candidate("m", lock(1)) is None
        assert place.registry().save_candidate(CANDIDATE) is CANDIDATE

        assert place.registry().find_candidate("m", lock(1)) == CANDIDATE
        assert place.registry().find_candidate("m", lock(2)) is None
        assert place.registry().find_candidate("other", lock(1)) is None

    def test_a_refused_model_is_a_candidate_too(self, store: ObjectStore) -> None:
        refused = replace(CANDIDATE, onnx=None, refusal="SplineTransformer cannot be converted")
        Registry(store).save_candidate(refused)

        assert Registry(store).find_candidate("m", lock(1)) == refused

    def test_who_comes_second_works_with_what_came_first(self, place: Place) -> None:
        place.registry().save_candidate(CANDIDATE)
        later = replace(CANDIDATE, seconds=9.0, onnx=sha256(b"other bytes"))

        assert place.registry().save_candidate(later) == CANDIDATE
        assert place.registry().find_candidate("m", lock(1)) == CANDIDATE

    @pytest.mark.parametrize(
        "change",
        [
            *({"metrics": "good"}, {"metrics": {"roc_auc": "0.9"}}, {"onnx": 7}, {"rows": {"train": 1.5}}),
            *({"signature": {}}, {"signature": None}, {"lock": lock(2)}, {"model": "other"}, {"seconds": None}),
            *({"surprise": 1}, {"commit": "missing"}),
        ],
    )
    def test_a_record_that_cannot_be_believed_is_not(self, store: ObjectStore, change: dict[str, Any]) -> None:
        record = CANDIDATE.to_json() | change
        if change.get("commit") == "missing":
            del record["commit"]
        store.create(f"candidates/m/{lock(1)}.json", canonical_json(record))

        with pytest.raises(IntegrityError, match=f"candidates/m/{lock(1)}.json"):
            Registry(store).find_candidate("m", lock(1))

    @pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
    def test_a_record_that_is_no_record_is_named(self, store: ObjectStore, raw: bytes) -> None:
        store.create(f"candidates/m/{lock(1)}.json", raw)

        with pytest.raises(IntegrityError, match=f"candidates/m/{lock(1)}.json"):
            Registry(store).find_candidate("m", lock(1))


RACER = """
import json, sys
from mlops_ci.adapters.object_store import open_store
from mlops_ci.pipeline.registry import Registry
url, options, locks = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
registry = Registry(open_store(url, options=options))
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([registry.claim_version("m", lock=lock, commit="c1") for lock in locks]))
"""


class TestVersions:
    def test_numbers_go_up_from_one(self, place: Place) -> None:
        assert [place.registry().claim_version("m", lock=lock(n), commit=f"c{n}") for n in (1, 2, 3)] == [1, 2, 3]
        assert place.registry().claim_version("other", lock=lock(9), commit="c9") == 1
        assert place.registry().versions("m")[1] == Version(model="m", version=2, lock=lock(2), commit="c2")

    def test_a_lock_has_one_version_for_ever(self, place: Place) -> None:
        registry = place.registry()
        assert registry.claim_version("m", lock=lock(1), commit="c1") == 1
        assert registry.claim_version("m", lock=lock(2), commit="c2") == 2

        assert registry.claim_version("m", lock=lock(1), commit="c9") == 1
        assert place.registry().claim_version("m", lock=lock(1), commit="c9") == 1
        assert [version.commit for version in place.registry().versions("m")] == ["c1", "c2"]

    def test_a_registry_sees_the_numbers_that_others_take(self, place: Place) -> None:
        one, other = place.registry(), place.registry()

        assert one.claim_version("m", lock=lock(1), commit="c") == 1
        assert other.claim_version("m", lock=lock(2), commit="c") == 2
        assert one.claim_version("m", lock=lock(3), commit="c") == 3
        assert one.claim_version("m", lock=lock(2), commit="c") == 2
        assert one.versions("m") == place.registry().versions("m")

    def test_many_threads_that_release_different_locks_get_different_numbers(self, place: Place) -> None:
        claims = [partial(place.registry().claim_version, "m", lock=lock(n), commit="c") for n in range(8)]
        numbers = at_once(claims)

        assert sorted(numbers) == list(range(1, 9))
        assert {version.lock for version in place.registry().versions("m")} == {lock(n) for n in range(8)}

    def test_many_threads_that_release_one_lock_get_one_number(self, place: Place) -> None:
        place.registry().claim_version("m", lock=lock(1), commit="c")
        numbers = at_once([lambda: place.registry().claim_version("m", lock=lock(2), commit="c")] * 8)

        assert numbers == [2] * 8
        assert len(place.registry().versions("m")) == 2

    def test_many_processes_agree(self, place: Place) -> None:
        locks = [lock(n) for n in range(10)]
        orders = [locks, locks[::-1], locks[5:] + locks[:5]]
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", RACER, place.url, json.dumps(dict(place.options)), json.dumps(order)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for order in orders
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        claimed = [
            dict(zip(order, json.loads(racer.communicate(timeout=120)[0]), strict=True))
            for racer, order in zip(racers, orders, strict=True)
        ]

        assert claimed[0] == claimed[1] == claimed[2]
        assert sorted(claimed[0].values()) == list(range(1, 11))

    def test_a_version_is_found_by_its_number(self, store: ObjectStore) -> None:
        registry = Registry(store)
        with pytest.raises(NotFoundError, match="m has no version 1; it has none yet"):
            registry.version("m", 1)
        registry.claim_version("m", lock=lock(1), commit="c1")

        assert registry.version("m", 1).lock == lock(1)
        for number in (0, -1, 2):
            with pytest.raises(NotFoundError, match=f"m has no version {number}; the newest is 1"):
                registry.version("m", number)

    @pytest.mark.parametrize(
        ("path", "raw"),
        [
            ("versions/m/2.json", None),
            ("versions/m/2.json", b"{}"),
            ("versions/m/2.json", b'{"version":2}'),
            ("versions/m/3.json", canonical_json(Version(model="m", version=2, lock=lock(3), commit="c").to_json())),
            ("versions/m/1.json", canonical_json(Version(model="x", version=1, lock=lock(1), commit="c").to_json())),
        ],
    )
    def test_numbers_that_were_tampered_with_are_not_counted_on(
        self, store: ObjectStore, path: str, raw: bytes | None
    ) -> None:
        for number in (1, 2, 3):
            Registry(store).claim_version("m", lock=lock(number), commit="c")
        if raw is None:
            (Path(store.url) / path).unlink()
        else:
            spoil(store, path, raw)

        with pytest.raises(IntegrityError, match=path):
            Registry(store).claim_version("m", lock=lock(4), commit="c")


class TestReleases:
    def test_a_release_is_found_by_its_id_and_by_the_beginning_of_it(self, place: Place) -> None:
        release = place.registry().save_release(RELEASE)

        assert release == RELEASE.id == sha256(canonical_json(RELEASE.to_json()))
        for name in (release, release[:7], release[:30], release[:8].upper()):
            assert place.registry().release(name) == RELEASE

    def test_saving_it_again_changes_nothing(self, place: Place) -> None:
        assert place.registry().save_release(RELEASE) == place.registry().save_release(RELEASE)
        assert len(place.open().list("releases")) == 1

    def test_a_release_that_is_not_there_is_not_found(self, place: Place) -> None:
        for name in (ID_OF_NOTHING, "0000000"):
            with pytest.raises(NotFoundError, match=name):
                place.registry().release(name)

    @pytest.mark.parametrize("name", ["", "abc", "abcdef", "latest!", "../../secrets", "0" * 65, "g" * 64, "v1.2.3.4"])
    def test_what_cannot_be_an_id_is_refused(self, store: ObjectStore, name: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Registry(store).release(name)
        assert "digits" in caught.value.fix

    def test_a_beginning_that_two_have_is_ambiguous(self, store: ObjectStore) -> None:
        # Real ids do not share seven digits by chance, so two names are planted; neither is opened.
        for end in ("1", "2"):
            store.create(f"releases/{'ab' * 31}0{end}.json", b"")

        with pytest.raises(ConfigurationError, match="2 releases begin with abababa") as caught:
            Registry(store).release("abababa")
        assert caught.value.fix == "give more digits"

    def test_a_release_that_was_edited_is_not_believed(self, store: ObjectStore) -> None:
        release = Registry(store).save_release(RELEASE)
        spoil(store, f"releases/{release}.json", canonical_json(replace(RELEASE, commit="c2").to_json()))

        for attempt in (lambda: Registry(store).release(release), lambda: Registry(store).save_release(RELEASE)):
            with pytest.raises(IntegrityError, match=f"releases/{release}.json"):
                attempt()

    @pytest.mark.parametrize("raw", [b"{}", b"[]", b"x", canonical_json(RELEASE.to_json() | {"version": "1"})])
    def test_what_has_the_right_digest_and_is_no_release_is_said_to_be_none(
        self, store: ObjectStore, raw: bytes
    ) -> None:
        store.create(f"releases/{sha256(raw)}.json", raw)

        with pytest.raises(IntegrityError, match=sha256(raw)):
            Registry(store).release(sha256(raw))


class TestLooks:
    def test_each_lock_is_counted_once(self, place: Place) -> None:
        registry = place.registry()
        assert registry.looks(HOLDOUT) == []
        assert registry.add_look(HOLDOUT, lock(1), {"time": "2026-03-02", "verdict": "inferior"}) is True
        assert registry.add_look(HOLDOUT, lock(2), {"time": "2026-03-01", "verdict": "superior"}) is True
        assert registry.add_look(HOLDOUT, lock(1), {"time": "2026-03-03", "verdict": "superior"}) is False
        assert registry.add_look(sha256(b"other holdout"), lock(1), {}) is True

        looks = place.registry().looks(HOLDOUT)
        assert [(look["lock"], look["verdict"]) for look in looks] == [(lock(2), "superior"), (lock(1), "inferior")]
        assert all(look["holdout"] == HOLDOUT for look in looks)

    def test_a_record_cannot_pass_for_a_look_of_another_lock(self, store: ObjectStore) -> None:
        Registry(store).add_look(HOLDOUT, lock(1), {"lock": lock(2), "holdout": "none"})

        assert Registry(store).looks(HOLDOUT) == [{"holdout": HOLDOUT, "lock": lock(1)}]

    @pytest.mark.parametrize("raw", [b"", b"[]", b"{}", canonical_json({"lock": lock(2)})])
    def test_a_look_that_was_tampered_with_is_named(self, store: ObjectStore, raw: bytes) -> None:
        store.create(f"looks/{HOLDOUT}/{lock(1)}.json", raw)

        with pytest.raises(IntegrityError, match=f"looks/{HOLDOUT}/{lock(1)}.json"):
            Registry(store).looks(HOLDOUT)

    @pytest.mark.parametrize("name", ["", "../x", "abc"])
    def test_a_lock_that_is_none_is_refused(self, store: ObjectStore, name: str) -> None:
        with pytest.raises(ConfigurationError):
            Registry(store).add_look(HOLDOUT, name, {})
        with pytest.raises(ConfigurationError):
            Registry(store).looks(name)


class TestEvaluations:
    def test_each_judgement_is_listed_once_oldest_first(self, place: Place) -> None:
        registry = place.registry()
        assert registry.evaluations("m") == []
        assert registry.add_evaluation("m", lock(1), {"time": "2026-03-02", "verdict": "inferior"}) is True
        assert registry.add_evaluation("m", lock(2), {"time": "2026-03-01", "verdict": "first"}) is True
        assert registry.add_evaluation("m", lock(1), {"time": "2026-03-03", "verdict": "superior"}) is False
        assert registry.add_evaluation("other", lock(1), {}) is True

        assert [one["verdict"] for one in place.registry().evaluations("m")] == ["first", "inferior"]

    @pytest.mark.parametrize("raw", [b"", b"[]", b"{}", canonical_json({"judgement": lock(2)})])
    def test_a_record_that_was_tampered_with_is_named(self, store: ObjectStore, raw: bytes) -> None:
        store.create(f"evaluations/m/{lock(1)}.json", raw)

        with pytest.raises(IntegrityError, match=f"evaluations/m/{lock(1)}.json"):
            Registry(store).evaluations("m")


def at_once(calls: Sequence[Callable[[], int]]) -> list[int]:
    start = Barrier(len(calls))

    def run(call: Callable[[], int]) -> int:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
