"""A search by the command line: what it answers, what it says meanwhile, and how this machine has its say."""

from __future__ import annotations

import pytest

from tests.cli.repository import Repository

SEARCH = "params: {C: 1.0}\n  search: {space: {C: [0.000001, 1.0]}, method: grid, cv: 3}"


@pytest.fixture
def searching(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository.edit("mlops.yaml", "params: {C: 1.0}", SEARCH)
    monkeypatch.setenv("MLOPS_JOBS", "1")
    return repository


def test_a_search_answers_the_best_and_keeps_the_rest(searching: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = searching.run("train")
    assert answer.code == 0, answer.stderr
    assert answer.value["best_params"] == {"C": 1.0}
    assert (searching.store / "blobs" / "sha256" / answer.value["search"][:2] / answer.value["search"]).exists()
    assert "searching 2 candidates by roc_auc over 3 folds (stratified), grid, on this process ..." in answer.stderr
    assert "2 of 2 candidates; best so far: roc_auc" in answer.stderr
    # another engine is another place, and not another lock
    monkeypatch.setenv("MLOPS_ENGINE", "tcp://127.0.0.1:9")
    again = searching.run("train")
    assert again.code == 0, again.stderr
    assert (again.value["cached"], again.value["best_params"]) == (True, {"C": 1.0})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("MLOPS_JOBS", "many", "MLOPS_JOBS is 'many'"), ("MLOPS_ENGINE", "spark", "there is no engine 'spark'")],
)
def test_what_this_machine_cannot_do(
    searching: Repository, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    answer = searching.run("train")
    assert answer.code == 2
    assert said in answer.said


def test_parameters_that_the_code_does_not_take(searching: Repository) -> None:
    searching.edit("mlops.yaml", "space: {C:", "space: {depth:")
    answer = searching.run("train")
    assert answer.code == 2
    assert answer.error["what"] == "all 2 candidates failed"
    assert "train.py line 12" in answer.error["problems"][0]["what"]
    assert not (searching.store / "candidates").exists()
