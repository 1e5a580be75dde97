"""Repositories that no template has made: the model lies where the team has put it, and nothing else is ours there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.repository import Repository, make_repository


@pytest.fixture(params=["services/late", "a folder with spaces/ünïcode"])
def inside(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    """A model in a folder of a larger repository, with other things around it."""
    whole = Repository(tmp_path / "whole")
    whole.write("README.md", "other things\n")
    whole.write("services/web/app.py", "x = 1\n")
    (whole.folder / request.param).mkdir(parents=True)
    model = make_repository(whole.folder / request.param)
    model.write(".gitignore", ".mlops/\n")
    whole.commit("all of it")
    return model


def test_a_model_in_a_folder_is_judged_released_and_served_there(inside: Repository) -> None:
    judged = inside.run("ci")
    assert (judged.code, judged.value["verdict"]) == (0, "first"), judged.said
    released = inside.run("release")
    assert (released.code, released.value["verified"]) == (0, True), released.said
    promoted = inside.run("promote", "--to", "production")
    inside.stop_services()
    assert (promoted.code, promoted.value["release"]) == (0, released.value["release"]), promoted.said
    assert (inside.folder / "environments" / "production" / "late.yaml").is_file()


def test_only_what_it_is_made_of_touches_it(inside: Repository) -> None:
    inside.git("switch", "-q", "-c", "change")
    top = Path(inside.git("rev-parse", "--show-toplevel"))
    (top / "services" / "web" / "app.py").write_text("x = 2\n")
    inside.git("commit", "-q", "-am", "the web")
    assert inside.run("plan", "--base", "main").value["models"] == []
    inside.edit("train.py", "SimpleImputer()", "SimpleImputer(strategy='median')")
    assert inside.run("plan", "--base", "main").value["models"] == ["late"]


def test_no_command_asks_for_a_template(inside: Repository) -> None:
    assert inside.run("check").code == 0
    answer = inside.run("update", "--check")
    assert (answer.code, "made from no template" in answer.said) == (2, True)
