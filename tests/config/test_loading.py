"""Which models a repository has, and which one is meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlops_ci.config.loading import declared, find_models, load, select
from mlops_ci.errors import ConfigurationError


@pytest.fixture
def repository(tmp_path: Path, minimal: str) -> Path:
    """A monorepo of the models `churn` and `flight-delay`."""
    for folder, model in (("a", "flight-delay"), ("b", "churn")):
        write(tmp_path, folder, minimal.replace("flight-delay", model))
    return tmp_path


def write(root: Path, folder: str, text: str) -> None:
    (root / "models" / folder).mkdir(parents=True)
    (root / "models" / folder / "mlops.yaml").write_text(text, encoding="utf-8")


def test_the_root_and_the_folders_of_models_are_looked_at_and_nothing_else(repository: Path, minimal: str) -> None:
    for stray in ("models/mlops.yaml", "models/a/deeper/mlops.yaml", "other/mlops.yaml", "models/c/mlops.yml"):
        (repository / stray).parent.mkdir(parents=True, exist_ok=True)
        (repository / stray).write_text(minimal)
    (repository / "models" / "d" / "mlops.yaml").mkdir(parents=True)
    found = ["models/a/mlops.yaml", "models/b/mlops.yaml"]
    assert [path.relative_to(repository).as_posix() for path in find_models(repository)] == found
    (repository / "mlops.yaml").write_text(minimal)
    assert [path.relative_to(repository).as_posix() for path in find_models(repository)] == ["mlops.yaml", *found]
    assert find_models(repository / "absent") == []


def test_the_only_model_needs_no_name(tmp_path: Path, minimal: str) -> None:
    (tmp_path / "mlops.yaml").write_text(minimal)
    assert select(tmp_path, None) == select(tmp_path, "flight-delay") == load(tmp_path / "mlops.yaml")


def test_a_model_is_selected_by_its_name_and_not_by_its_folder(repository: Path) -> None:
    config = select(repository, "churn")
    assert (config.model, config.root) == ("churn", repository / "models" / "b")
    with pytest.raises(ConfigurationError, match="no model is called 'b'"):
        select(repository, "b")


def test_a_model_whose_name_is_a_number_is_found_by_what_is_written(tmp_path: Path, minimal: str) -> None:
    write(tmp_path, "a", minimal.replace("flight-delay", "1.10"))
    assert list(declared(tmp_path)) == ["1.10"]


@pytest.mark.parametrize(
    ("model", "what", "fix"),
    [
        (None, "2 models here, and none was named", "name one of: churn, flight-delay"),
        (
            "flight_dely",
            "no model is called 'flight_dely'",
            "did you mean 'flight-delay'? (models here: churn, flight-delay)",
        ),
        ("xyz", "no model is called 'xyz'", "models here: churn, flight-delay"),
    ],
)
def test_the_models_there_are_are_named(repository: Path, model: str | None, what: str, fix: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        select(repository, model)
    assert (caught.value.what, caught.value.fix, caught.value.problems) == (what, fix, ())


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        select(tmp_path, None)
    assert caught.value.what == f"no mlops.yaml in {tmp_path} and none in its models/*/"
    assert "mlops-ci init" in caught.value.fix


def test_two_files_must_not_declare_the_same_model(repository: Path, minimal: str) -> None:
    write(repository, "c", minimal)
    for model in ("flight-delay", "churn", None):
        with pytest.raises(ConfigurationError, match="must be unique") as caught:
            select(repository, model)
        assert [str(problem).partition("\n")[0] for problem in caught.value.problems] == [
            "models/c/mlops.yaml:2: model 'flight-delay' is declared here and in models/a/mlops.yaml"
        ]


def test_a_broken_neighbour_does_not_keep_a_model_away_but_is_named_where_a_model_is_not_found(
    repository: Path,
) -> None:
    write(repository, "c", "model: [\n")
    write(repository, "d", "model: orders\nnothing: else\n")
    assert select(repository, "churn").model == "churn"
    with pytest.raises(ConfigurationError) as caught:
        select(repository, "orders-new")
    assert caught.value.fix == "did you mean 'orders'? (models here: churn, flight-delay, orders)"
    assert [problem.where for problem in caught.value.problems] == ["models/c/mlops.yaml"]


def test_problems_are_named_relative_to_the_repository(repository: Path, minimal: str) -> None:
    columns = "  target: late\n  schema: ../columns.yaml\n"
    text = minimal.replace("  target: late\n", columns) + "split: {seed: -1}\n"
    write(repository, "c", text.replace("flight-delay", "orders"))
    (repository / "models" / "columns.yaml").write_text("schema: 2\ncolumns: {}\n")
    with pytest.raises(ConfigurationError) as caught:
        select(repository, "orders")
    assert caught.value.what == "models/c/mlops.yaml cannot be used: 3 problems"
    assert [problem.where for problem in caught.value.problems] == [
        "models/c/mlops.yaml:10",
        "models/columns.yaml:1",
        "models/columns.yaml:2",
    ]


def test_the_paths_of_a_configuration_are_absolute(
    repository: Path, monkeypatch: pytest.MonkeyPatch, minimal: str
) -> None:
    monkeypatch.chdir(repository)
    config = select(Path(), "churn")
    assert config.path == repository / "models" / "b" / "mlops.yaml"
    (repository / "models" / "b" / "mlops.yaml").write_text("schema: 1\n")
    with pytest.raises(ConfigurationError) as caught:
        load(Path("models/b/mlops.yaml"), root=Path())
    assert {problem.where for problem in caught.value.problems} == {"models/b/mlops.yaml:1"}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("absent.yaml", "the file cannot be read: No such file or directory"),
        ("folder", "the file cannot be read: it is no regular file"),
        ("pipe", "the file cannot be read: it is no regular file"),
        ("a\0b", "the file cannot be read: embedded null byte"),
        ("x" * 300, "the file cannot be read: File name too long"),
    ],
)
def test_a_file_that_cannot_be_read_is_no_crash(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / name)
    assert [problem.what for problem in caught.value.problems] == [what]


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "mlops.yaml").open("wb") as file:
        file.truncate(1 << 40)  # a hole of a terabyte: more than any memory
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "mlops.yaml")
    assert [problem.what for problem in caught.value.problems] == ["the file is larger than 1 MB"]


def test_one_problem_is_one_problem(tmp_path: Path, minimal: str) -> None:
    (tmp_path / "mlops.yaml").write_text(f"{minimal}split: {{seed: -1}}\n")
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "mlops.yaml")
    assert caught.value.what == "mlops.yaml cannot be used: 1 problem"
    assert caught.value.exit_code == 2
