"""A real release in the eyes of an auditor and of the store's keeper; values of private columns stay at home."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.repository import Repository, flights, make_repository

SCHEMA = """\
schema: 1
columns:
  colour: {type: text, nullable: true, private: true}
  height: {type: number, nullable: true}
"""
PRIVATE = ("zqscarlet", "zqemerald", "zqazure")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    repository = make_repository(tmp_path_factory.mktemp("audited") / "team")
    repository.edit("mlops.yaml", "data:\n", "data:\n  schema: data.schema.yaml\n")
    repository.edit(
        "mlops.yaml", "gate:\n", "gate:\n  slices: [{by: colour, metric: roc_auc, max_drop: 0.5, min_rows: 5}]\n"
    )
    repository.write("data.schema.yaml", SCHEMA)
    frame = flights()
    frame["colour"] = frame["colour"].map(dict(zip(("red", "green", "blue"), PRIVATE, strict=True)))
    repository.write_data(frame)
    repository.commit()
    answer = repository.run("release")
    assert answer.code == 0, answer.stderr
    yield repository
    repository.stop_services()


def words(path: Path) -> set[tuple[str, str]]:
    """Which private value stands in which file of the archive."""
    with zipfile.ZipFile(path) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    return {(name, value) for name, data in contents.items() for value in PRIVATE if value.encode() in data}


def test_no_value_of_a_private_column_leaves_unless_it_is_asked_for(released: Repository, tmp_path: Path) -> None:
    plain, everything = tmp_path / "plain.zip", tmp_path / "everything.zip"

    answer = released.run("audit", "--out", str(plain))
    assert answer.code == 0, answer.said
    assert words(plain) == set()
    assert {one["what"].partition(" ")[0] for one in answer.value["withheld"]} == {"rows", "the"}
    assert answer.value["evidence"] >= 4, "evaluation, parity, lock, verification"

    assert released.run("audit", "--out", str(everything), "--with-data").value["withheld"] == []
    assert {value for _, value in words(everything)} == set(PRIVATE)
    assert {name.partition("/")[0] for name, _ in words(everything)} == {"evidence"}


def test_why_names_what_it_was_made_from(released: Repository) -> None:
    answer = released.run("why", "--environment", "qa").value
    data = released.run("check").value["data_digest"]

    assert (answer["version"], answer["verdict"], answer["kind"]) == (1, "first", "deployed")
    assert answer["data_digest"] == data
    assert answer["commit"] in released.git("rev-list", "HEAD").split()
    assert answer["shares"] == {answer["release"]: 100}
    assert set(answer["release_evidence"]) >= {"evaluation", "parity", "golden", "lock", "profile"}
    assert not any(value in str(answer) for value in PRIVATE)


def test_its_store_is_whole_backed_up_and_has_no_garbage(released: Repository, tmp_path: Path) -> None:
    assert released.run("store", "verify").value["problems"] == []
    copied = released.run("store", "copy", str(released.store), str(tmp_path / "backup"))
    assert (copied.code, copied.value["copied"]) == (0, copied.value["objects"])
    assert released.run("store", "verify", str(tmp_path / "backup")).code == 0
    assert released.run("store", "gc").value["garbage"] == []
    assert released.run("why", "--environment", "qa", "--store", str(tmp_path / "backup")).code == 0


def test_history_by_environment(released: Repository) -> None:
    everything = released.run("history").value["events"]
    there = released.run("history", "--environment", "qa", "--since", "2020-01-01").value["events"]

    assert 0 < len(there) < len(everything)
    assert {event["subject"]["environment"] for event in there} == {"qa"}
    assert released.run("history", "--until", "2020-01-01").value["events"] == []
    assert released.run("history", "--since", "2026-01-02", "--until", "2026-01-01").code == 2
    assert released.run("history", "--since", "someday").code == 2


def test_why_for_people_says_what_there_is_to_say(released: Repository) -> None:
    process = released.start("why", "--environment", "qa", "--quiet")
    stdout, _ = process.communicate(timeout=60)
    said = dict(line.split(":", 1) for line in stdout.splitlines() if not line.startswith(" "))

    always = {"environment", "release", "served", "approved by", "verdict", "code", "lock", "data", "evidence"}
    assert always <= set(said)
    assert said["served"].endswith("and still does")
    assert said["note"].strip() == "nobody had to be asked"
    assert {"image", "waived", "before", "after", "on hold", "rollout"} & set(said) == set()
