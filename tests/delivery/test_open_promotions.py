"""`promote --open`, for forges where no event tells of an approval: a schedule asks, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.repository import Repository, make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    repository = make_repository(tmp_path)
    repository.edit("mlops.yaml", "required: 0", "required: 1")
    repository.commit("somebody has to approve")
    yield repository
    repository.stop_services()


def test_what_waits_is_no_error_and_what_is_approved_goes_on(repository: Repository) -> None:
    nothing = repository.run("promote", "--open")
    assert (nothing.code, nothing.value) == (0, {"promotions": [], "errors": []})
    released = repository.run("release")
    assert released.code == 0, released.said

    waiting = repository.run("promote", "--open")
    assert waiting.code == 0, waiting.said
    assert [(one["environment"], one["outcome"]) for one in waiting.value["promotions"]] == [("production", "waiting")]

    approved = repository.run("approve", str(released.value["pull_request"]), "--reviewer", "Grace")
    assert approved.code == 0, approved.said
    elsewhere = repository.run("promote", "--open", "--environment", "qa")
    assert (elsewhere.code, elsewhere.value["promotions"]) == (0, [])
    promoted = repository.run("promote", "--open", "--environment", "production")
    assert promoted.code == 0, promoted.said
    (one,) = promoted.value["promotions"]
    assert (one["outcome"], one["release"]) == ("promoted", released.value["release"])
    assert repository.run("promote", "--open").value["promotions"] == []


def test_what_has_not_served_long_enough_waits_too(repository: Repository) -> None:
    repository.edit("mlops.yaml", "required: 1}", "required: 0}, soak: 30d")
    repository.commit("a month in qa")
    released = repository.run("release")
    assert released.code == 0, released.said
    named = repository.run("promote", "--pull-request", str(released.value["pull_request"]))
    assert named.code == 13, named.said
    waiting = repository.run("promote", "--open")
    assert waiting.code == 0, waiting.said
    assert [one["outcome"] for one in waiting.value["promotions"]] == ["waiting"]


@pytest.mark.parametrize(
    "arguments",
    [("--open", "late"), ("--open", "--release", "ab"), ("--to", "production", "--environment", "production"),
     ("--open", "--to", "production"), ("--pull-request", "1", "--environment", "qa")],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(repository: Repository, arguments: tuple[str, ...]) -> None:
    assert repository.run("promote", *arguments).code == 2
