"""What a team gets from `mlops-ci init`: its own tests pass, and its data are what its schema says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlops_ci.adapters import templates
from tests.cli.repository import ROOT, Repository


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
    answer = rendered.run("check")

    assert answer.code == 0, answer.said
    assert answer.value["problems"] == []
    assert answer.value["rows"] > 1000


def test_every_data_file_loads_with_the_columns_of_the_schema(rendered: Repository) -> None:
    import pandas as pd

    config = yaml.safe_load((rendered.folder / "mlops.yaml").read_text(encoding="utf-8"))
    columns = yaml.safe_load((rendered.folder / config["data"]["schema"]).read_text(encoding="utf-8"))["columns"]
    files = sorted(rendered.folder.glob(config["data"]["source"]))
    assert files
    for file in files:
        rows = pd.read_parquet(file)
        assert list(rows.columns) == list(columns), file.name
        assert len(rows) > 1000
        assert rows[config["data"]["id"]].is_unique


def test_no_mark_of_the_template_is_left(rendered: Repository) -> None:
    for path in rendered.folder.rglob("*"):
        if path.is_file() and path.suffix != ".parquet":
            text = path.read_text(encoding="utf-8")
            assert not [mark for mark in ("[[ ", " ]]", "[% ", "[# ") if mark in text], path


def test_the_answers_are_where_they_belong(rendered: Repository) -> None:
    assert "@acme/reviewers" in (rendered.folder / ".github" / "CODEOWNERS").read_text(encoding="utf-8")


def test_the_store_and_the_services_are_not_committed(rendered: Repository) -> None:
    rendered.commit("from the template")
    rendered.run("check")
    rendered.write(".mlops/store/blobs/x", "x")

    assert rendered.git("status", "--porcelain") == ""
    assert (ROOT / "templates").is_dir()
    assert Path(rendered.folder / ".gitignore").exists()
