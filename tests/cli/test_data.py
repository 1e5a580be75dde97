"""`infer-schema` and `check` as a person meets them, from the first draft to data that have changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.repository import CONFIG, TRAIN, Answer, Repository, flights

WITH_SCHEMA = ("  id: id\n", "  id: id\n  schema: data.schema.yaml\n")
SECRET = "Jane-Doe-4711"


def warnings(answer: Answer) -> set[str]:
    return {warning["name"] for warning in answer.value["warnings"]}


def test_from_the_draft_to_a_closed_gate(repository: Repository) -> None:
    repository.edit("mlops.yaml", *WITH_SCHEMA)
    refused = repository.run("check")
    assert (refused.code, "infer-schema" in refused.said) == (2, True)

    answer = repository.run("infer-schema")
    assert (answer.code, answer.value["rows"], answer.value["columns"], answer.value["left_out"]) == (0, 400, 5, [])
    assert Path(answer.value["path"]) == repository.folder / "data.schema.yaml"
    checked = repository.run("check")
    assert (checked.code, checked.value["problems"], warnings(checked)) == (0, [], {"duplicate-rows"})
    assert set(checked.value) == {"model", "ok", "problems", "warnings", "changes", "rows", "data_digest"}

    repository.write_data(flights().assign(age=500, colour="grey"))
    closed = repository.run("check")
    assert closed.code == 10
    assert [problem["name"] for problem in closed.value["problems"]] == ["out-of-range", "unknown-category"]


def test_a_draft_is_never_written_over_somebody_s_work(repository: Repository) -> None:
    repository.edit("mlops.yaml", *WITH_SCHEMA)
    repository.write("data.schema.yaml", "schema: 1\ncolumns: {age: {type: integer, private: true}}\n")
    before = repository.fingerprint()
    answer = repository.run("infer-schema")
    assert (answer.code, "--force" in answer.said) == (2, True)
    assert repository.fingerprint() == before

    assert repository.run("infer-schema", "--output", "other.yaml").code == 0
    assert repository.run("infer-schema", "--force").code == 0
    for name in ("other.yaml", "data.schema.yaml"):
        assert "age: {type: integer, private: true}" in (repository.folder / name).read_text()
    assert repository.run("check").code == 0


def test_what_a_file_calls_private_stays_so_although_no_model_names_the_file(repository: Repository) -> None:
    repository.write("data.schema.yaml", "schema: 1\ncolumns: {age: {type: integer, private: true}}\n")
    assert repository.run("infer-schema", "--force").code == 0
    assert "private: true" in (repository.folder / "data.schema.yaml").read_text()
    repository.write("data.schema.yaml", "schema: 1\ncolumns: {age: {type: integer, privat: true}}\n")
    answer = repository.run("infer-schema", "--force")
    assert (answer.code, "privat" in answer.said) == (2, True)


@pytest.mark.parametrize("content", ["", "id,height,age,colour,late\n"])
def test_no_draft_without_data(repository: Repository, content: str) -> None:
    repository.write("data.csv", content)
    before = repository.fingerprint()
    assert repository.run("infer-schema").code == 10
    assert repository.fingerprint() == before


def test_the_data_are_held_against_those_of_the_newest_version(judged: Repository) -> None:
    judged.write(".gitignore", ".mlops/\n__pycache__/\n")
    judged.commit("a model")
    released = judged.run("release")
    try:
        assert released.code == 0, released.stderr
        unchanged = judged.run("check")
        assert (unchanged.code, warnings(unchanged), unchanged.value["changes"]) == (0, {"duplicate-rows"}, [])

        judged.write_data(flights().assign(age=lambda frame: frame["age"] + 30))
        warned = judged.run("check")
        assert warned.code == 0
        assert warnings(warned) == {"duplicate-rows", "distribution-change"}
        assert "than in version 1" in warned.said
        (change,) = warned.value["changes"]
        assert (change["column"], change["what"]) == ("age", "distribution")

        judged.edit("mlops.yaml", *WITH_SCHEMA)
        assert judged.run("infer-schema").code == 0
        judged.edit("data.schema.yaml", "\ncolumns:", "\nchange: {distribution: 0.2}\ncolumns:")
        closed = judged.run("train")
        assert (closed.code, closed.error["problems"][0]["name"]) == (10, "distribution-change")

        elsewhere = judged.run("check", "--store", "another")
        assert (elsewhere.code, elsewhere.value["changes"]) == (0, [])
    finally:
        judged.stop_services()


PRIVATE = """\
schema: 1
columns:
  id: {type: integer}
  height: {type: number, nullable: true, private: true}
  age: {type: integer, private: true}
  colour: {type: text, private: true}
  late: {type: integer}
"""
STRICT = TRAIN.replace('(OneHotEncoder(handle_unknown="ignore"), ["colour"])', '("passthrough", ["colour"])')


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (flights().assign(colour=SECRET), 2),
        (flights().assign(age=SECRET), 10),
        (flights().assign(colour=[SECRET, None] * 200), 10),
        (pd.concat([flights().assign(colour=SECRET, height=np.nan)] * 2), 10),
    ],
    ids=["the estimator fails", "wrong type", "missing", "doubled"],
)
def test_no_command_shows_a_private_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: pd.DataFrame, code: int
) -> None:
    repository = Repository(tmp_path / "team")
    repository.write("mlops.yaml", CONFIG.replace(*WITH_SCHEMA))
    repository.write("data.schema.yaml", PRIVATE)
    repository.write("train.py", STRICT)
    repository.write_data(frame)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    answer = repository.run("ci")
    assert answer.code == code, answer.said
    drafted = repository.run("infer-schema", "--force")
    assert drafted.code == 0
    written = [path for path in repository.folder.rglob("*") if path.is_file() and path.name != "data.csv"]
    said = [answer.said, answer.stderr, drafted.said, drafted.stderr]
    said += [path.read_bytes().decode(errors="replace") for path in (*written, *tmp_path.glob("GITHUB_*"))]
    assert not [text for text in said if "4711" in text]
