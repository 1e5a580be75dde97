"""What a team gets from `mlops-ci init`: its own tests pass, and its data fit its schema."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlops_ci.adapters import templates
from mlops_ci.config.loading import declared, find_models
from tests.cli.repository import ROOT, Repository

LARGEST = 2_000_000  # bytes, of a whole template


@pytest.fixture(scope="module", params=templates.kinds())
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("rendered") / "team"
    templates.render(templates.load(request.param), {"owner": "@acme/reviewers"}, folder)
    return Repository(folder)


def test_its_own_tests_pass(rendered: Repository) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=rendered.folder, capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_its_data_pass_the_gate_that_it_declares(rendered: Repository) -> None:
    for model in declared(rendered.folder):
        answer = rendered.run("check", model)

        assert answer.code == 0, answer.said
        assert answer.value["problems"] == []
        assert answer.value["rows"] > 1000
        # what looks like a leak is allowed, and says why
        leaks = [each["what"] for each in answer.value["warnings"] if each["name"] == "target-leakage"]
        assert [what for what in leaks if "allowed because" not in what] == []


def test_every_data_file_loads_with_the_columns_of_the_schema(rendered: Repository) -> None:
    for path in find_models(rendered.folder):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        columns = yaml.safe_load((path.parent / config["data"]["schema"]).read_text(encoding="utf-8"))["columns"]
        source = path.parent / config["data"]["source"]
        files = sorted(source.parent.resolve().glob(source.name))
        assert files
        for file in files:
            rows = pd.read_parquet(file)
            assert list(rows.columns) == list(columns), file.name
            assert len(rows) > 1000
            assert rows[config["data"]["id"]].is_unique


def test_no_mark_of_the_template_is_left(rendered: Repository) -> None:
    for path in rendered.folder.rglob("*"):
        if path.is_file() and path.suffix not in {".parquet", ".zip"}:
            text = path.read_text(encoding="utf-8")
            assert not [mark for mark in ("[[ ", " ]]", "[% ", "[# ") if mark in text], path


def test_the_answers_are_where_they_belong(rendered: Repository) -> None:
    assert "@acme/reviewers" in (rendered.folder / ".github" / "CODEOWNERS").read_text(encoding="utf-8")


def test_it_is_small_and_says_where_its_data_are_from(rendered: Repository) -> None:
    sizes = [path.stat().st_size for path in rendered.folder.rglob("*") if path.is_file()]
    assert sum(sizes) < LARGEST
    told = (rendered.folder / "data" / "README.md").read_text(encoding="utf-8")
    assert "CC0 1.0" in told
    assert (ROOT / told.partition("By `")[2].partition("`")[0]).is_file()


def test_the_page_names_every_file_at_the_top(rendered: Repository) -> None:
    told = (rendered.folder / "README.md").read_text(encoding="utf-8")
    shown = {path.name for path in rendered.folder.iterdir() if path.suffix not in {".ini"} and path.name[0] != "."}
    assert [name for name in shown - {"README.md", ".mlops"} if f"`{name}" not in told] == []


def test_the_store_and_the_services_are_not_committed(rendered: Repository) -> None:
    rendered.commit("from the template")
    rendered.run("check", next(iter(declared(rendered.folder))))
    rendered.write(".mlops/store/blobs/x", "x")

    assert rendered.git("status", "--porcelain") == ""
    assert ".mlops-template.zip" in rendered.git("ls-files")
    assert (ROOT / "templates").is_dir()
    assert Path(rendered.folder / ".gitignore").exists()
