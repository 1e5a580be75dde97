"""`reproduce` in a real repository: the same digest, or the input that differs by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_ci.adapters.object_store import open_store
from mlops_ci.pipeline.registry import Registry
from tests.cli.repository import Repository, copied, fingerprint, flights, make_repository

VERSION = ("reproduce", "late", "1")


@pytest.fixture(scope="session")
def once_registered(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Version 1, trained from the only commit; to be copied and never written to."""
    made = make_repository(tmp_path_factory.mktemp("registered") / "team")
    made.edit("mlops.yaml", "params: {C: 1.0}", "params: {C: 1.0}\n  diagnostics: {learning_curve: false}")
    made.write(".gitignore", ".mlops/\n")
    made.commit("first")
    register(made)
    return made


@pytest.fixture
def registered(once_registered: Repository, tmp_path: Path) -> Repository:
    return copied(once_registered, tmp_path / "team")


def register(repository: Repository) -> str:
    """Trains what is there and gives it the next version; its lock."""
    trained = repository.run("train")
    assert trained.code == 0, trained.stderr
    lock: str = trained.value["lock"]
    registry = Registry(open_store(str(repository.store)))
    registry.claim_version("late", lock=lock, commit=repository.git("rev-parse", "HEAD"))
    return lock


def edit_lock(repository: Repository, **changes: object) -> None:
    """Makes version 2 from a lock that differs from version 1's in these parts, with what version 1 trained."""
    registry = Registry(open_store(str(repository.store)))
    version = registry.version("late", 1)
    candidate = registry.find_candidate("late", version.lock)
    assert candidate is not None
    record = registry.get_json(candidate.lock_record)
    for part, change in changes.items():
        record[part] = {**record[part], **change} if isinstance(change, dict) else change
    from dataclasses import replace

    digest = registry.put_json(record)
    registry.save_candidate(replace(candidate, lock=digest, lock_record=digest))
    registry.claim_version("late", lock=digest, commit=version.commit)


def test_the_same_digest_and_nothing_written(registered: Repository) -> None:
    before = fingerprint(registered.folder)
    answer = registered.run(*VERSION)
    assert answer.code == 0, answer.stderr
    assert answer.value["reproduced"] is True
    assert answer.value["onnx"] == answer.value["again"]
    assert answer.value["differences"] == []
    assert answer.value["finding"] == "version 1 is reproduced: the same ONNX digest"
    assert (answer.value["model"], answer.value["version"]) == ("late", 1)
    assert fingerprint(registered.folder) == before
    assert registered.git("worktree", "list").count("\n") == 0


def test_the_model_may_be_left_out_and_the_work_tree_has_moved_on(registered: Repository) -> None:
    """Code, parameters and data in Git are those of the version's commit, whatever is edited since."""
    registered.edit("mlops.yaml", "C: 1.0", "C: 0.1")
    registered.write_data(flights(seed=1))
    registered.commit("another")
    registered.write("train.py", "not Python at all")
    answer = registered.run("reproduce", "1")
    assert (answer.code, answer.value["differences"]) == (0, [])
    assert (registered.folder / "train.py").read_text() == "not Python at all"


def test_data_that_are_not_in_git_are_found_where_they_are(registered: Repository) -> None:
    registered.write(".gitignore", ".mlops/\ndata.csv\n")
    registered.git("rm", "-q", "--cached", "data.csv")
    registered.git("commit", "-q", "-a", "-m", "no data in Git")
    registered.edit("mlops.yaml", "C: 1.0", "C: 2.0")
    registered.git("commit", "-q", "-a", "-m", "other parameters")
    register(registered)
    assert registered.run("reproduce", "2").code == 0
    registered.write_data(flights(seed=1))
    changed = registered.run("reproduce", "2")
    assert (changed.code, changed.value["differences"]) == (16, ["data data.csv changed"])
    assert changed.value["again"] is None
    assert "an input is not the one of its lock" in changed.value["finding"]
    (registered.folder / "data.csv").unlink()
    gone = registered.run("reproduce", "2")
    assert (gone.code, gone.value["differences"]) == (16, ["data data.csv removed"])


def test_other_packages_are_named_and_the_proof_is_tried(registered: Repository) -> None:
    edit_lock(registered, environment={"numpy": "1.0"}, toolkit="0.0.1")
    answer = registered.run("reproduce", "late", "2")
    assert answer.code == 0
    named = answer.value["differences"]
    assert named[0].startswith("environment numpy 1.0 -> ")
    assert named[1].startswith("toolkit 0.0.1 -> ")
    assert answer.value["finding"].endswith("the same ONNX digest, though not all inputs are the same")


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [("seed", 5, "params train.seed 5 -> 0"), ("threads", 7, "params train.threads 7 -> 2")],
)
def test_another_seed_or_number_of_threads_is_named(registered: Repository, name: str, value: int, named: str) -> None:
    registry = Registry(open_store(str(registered.store)))
    record = registry.get_json(registry.find_candidate("late", registry.version("late", 1).lock).lock_record)  # type: ignore[union-attr]
    record["params"]["train"][name] = value
    edit_lock(registered, params=record["params"])
    answer = registered.run("reproduce", "late", "2")
    assert (answer.code, answer.value["differences"]) == (16, [named])


def test_code_that_is_not_what_was_committed(registered: Repository) -> None:
    """A version that was trained from files with changes that no commit has."""
    registered.write("more.py", "")
    register(registered)
    answer = registered.run("reproduce", "late", "2")
    assert (answer.code, answer.value["differences"]) == (16, ["code more.py removed"])


def test_a_training_that_is_not_deterministic_is_a_finding(registered: Repository) -> None:
    registered.edit(
        "train.py", "LogisticRegression(**params)", "LogisticRegression(C=__import__('secrets').randbelow(10**9) + 1)"
    )
    registered.commit("dice")
    register(registered)
    answer = registered.run("reproduce", "late", "2")
    assert answer.code == 16
    assert answer.value["differences"] == answer.value["machine"] == []
    assert answer.value["again"] != answer.value["onnx"]
    assert answer.value["finding"].endswith("training is not deterministic")
    assert answer.value["apart"]["rows"] == 100
    assert 0 < answer.value["apart"]["max_abs_diff"] < 0.1
    assert json.dumps(answer.value)


def test_a_version_that_is_not_there(registered: Repository) -> None:
    answer = registered.run("reproduce", "late", "7")
    assert answer.code == 2
    assert "late has no version 7; the newest is 1" in answer.said


def test_a_model_without_versions(judged: Repository) -> None:
    answer = judged.run("reproduce", "1")
    assert answer.code == 2
    assert "late has no version 1; it has none yet" in answer.said


def test_a_commit_that_is_not_here(registered: Repository) -> None:
    registered.edit("train.py", "build_model(params):", "build_model(params):  # a remark")
    registered.commit("lost")
    register(registered)
    registered.git("reset", "-q", "--hard", "HEAD~1")
    registered.git("reflog", "expire", "--expire=now", "--all")
    registered.git("gc", "-q", "--prune=now")
    answer = registered.run("reproduce", "late", "2")
    assert answer.code == 2
    assert "which is not here" in answer.error["what"]
    assert "git fetch" in answer.error["fix"]
