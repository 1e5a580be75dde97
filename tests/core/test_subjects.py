"""What an event of each kind says is the same for the program and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.core.events import KINDS
from mlops_ci.core.subjects import SUBJECTS, subject_misfits

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
TYPES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    str | None: "text or null",
    int | None: "whole number or null",
    tuple[str, ...]: "list of texts",
    tuple[Any, ...]: "list",
}


def documented() -> dict[str, list[tuple[str, str]]]:
    """Each kind's keys and their types as the page has them, in its order."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for line in PAGE.read_text(encoding="utf-8").partition("## The kinds")[2].splitlines():
        if line.startswith("### "):
            kinds[line.removeprefix("### ")] = []
        elif item := re.fullmatch(r"- `(\w+)` \(([^)]*)\): .+", line):
            kinds[list(kinds)[-1]].append((item[1], item[2]))
    return kinds


def test_the_page_describes_every_kind_in_order() -> None:
    assert list(documented()) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_describes_the_subject_of_the_kind(kind: str) -> None:
    keys = [
        (key.rstrip("?"), TYPES[hint] + (", optional" if key.endswith("?") else ""))
        for key, hint in SUBJECTS[kind].items()
    ]

    assert documented()[kind] == keys


def test_a_subject_may_say_more_and_leave_out_what_is_optional() -> None:
    subject = {"pull_request": None, "reason": "drift", "since": "yesterday"}

    assert subject_misfits("retrain-opened", subject) == []
    assert subject_misfits("retrain-opened", subject | {"lock": None}) == []
    assert subject_misfits("retrain-opened", subject | {"lock": 1}) == ["subject.lock is a whole number"]


def test_what_is_missing_or_of_another_type_is_all_said_at_once() -> None:
    assert subject_misfits("held", {"environment": 1, "reason": None}) == [
        "subject.environment is a whole number, not a text",
        "subject.release is missing",
        "subject.reason is null, not a text",
    ]


def test_an_unknown_kind_has_no_subject() -> None:
    assert subject_misfits("teleported", {}) == ["'teleported' is no kind of event that this toolkit knows"]
