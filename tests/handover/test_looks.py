"""Looks at a holdout: counted by whoever admits, whatever the job said of their number."""

from __future__ import annotations

import json

import pytest

from mlops_ci.config.loading import select
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.lock import Lock
from mlops_ci.pipeline.evaluate import holdout_identity
from tests.handover.handing import Handed, overwrite


def identity(handed: Handed) -> str:
    config = select(handed.team.folder, None)
    return holdout_identity(config, Lock.from_json(handed.json("lock_record")))


def look(handed: Handed, holdout: str, lock: str, **fields: object) -> None:
    record = {"model": "late", "time": "2013-01-01T00:00:00", "number": 0, "holdout": holdout, "lock": lock, **fields}
    overwrite(handed.outbox / "looks" / holdout / f"{lock}.json", canonical_json(record))


@pytest.fixture
def serving(handed: Handed) -> Handed:
    """Something serves in production, so that challengers are compared with it."""
    handed.team.write("environments/production/late.yaml", f"model: late\nrelease: {'c' * 64}\n")
    handed.team.git("add", "-A")
    handed.team.git("commit", "-q", "--amend", "--no-edit")
    handed.change(commit=handed.team.git("rev-parse", "HEAD"))
    return handed


def counted(handed: Handed) -> list[dict[str, object]]:
    return [json.loads(path.read_bytes()) for path in (handed.team.store / "looks").glob("*/*.json")]


def test_a_look_is_counted_anew(serving: Handed) -> None:
    """A job that says that it was look 0 would spend no alpha."""
    look(serving, identity(serving), serving.lock)
    answer = serving.admit()
    assert answer.code == 0, answer.said
    (one,) = counted(serving)
    assert (one["number"], one["lock"], one["holdout"]) == (1, serving.lock, identity(serving))
    assert str(one["time"]) > "2026"
    assert serving.admit().code == 0
    assert counted(serving) == [one]


def test_the_look_of_a_candidate_that_is_in_the_store_already(serving: Handed) -> None:
    """It was trained before anything served, say; its outbox holds nothing but the look."""
    assert serving.admit().value["admitted"]
    look(serving, identity(serving), serving.lock)
    serving.record.unlink()
    serving.record.parent.rmdir()
    assert serving.admit().code == 0
    assert len(counted(serving)) == 1


@pytest.mark.parametrize("holdout", ["d" * 64, "not-a-digest"])
def test_another_holdout_is_not_spent(serving: Handed, holdout: str) -> None:
    """Else a pull request could exhaust the holdout of any model."""
    look(serving, holdout, serving.lock)
    answer = serving.admit()
    assert answer.code == 16
    assert counted(serving) == []


def test_a_look_by_a_lock_that_nobody_trained_is_not_counted(serving: Handed) -> None:
    for number in range(5):
        look(serving, identity(serving), f"{number:064d}")
    answer = serving.admit()
    assert answer.code == 16
    assert len(answer.value["refused"]) == 5
    assert counted(serving) == []


def test_a_look_of_another_model_is_refused(serving: Handed) -> None:
    look(serving, identity(serving), serving.lock, model="other")
    answer = serving.admit()
    assert answer.code == 16
    assert answer.value["refused"] == [{"model": "other", "reason": "is no model that this job was asked about"}]
    assert counted(serving) == []


@pytest.mark.parametrize("data", [b"[]", b"{}", b"\xff", b'{"model": 1}'])
def test_what_is_no_look_is_refused(serving: Handed, data: bytes) -> None:
    overwrite(serving.outbox / "looks" / identity(serving) / f"{serving.lock}.json", data)
    answer = serving.admit()
    assert answer.code == 16
    assert counted(serving) == []


def test_where_nothing_serves_nobody_is_judged_by_the_holdout(handed: Handed) -> None:
    look(handed, identity(handed), handed.lock)
    answer = handed.admit()
    assert answer.code == 0
    assert "nothing serves yet" in answer.value["left"][0]["reason"]
    assert counted(handed) == []
