from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_ci.adapters.environment import read_environment
from mlops_ci.cli.command import Outcome
from mlops_ci.cli.output import annotation, fenced, json_text, show_outcome, step_outputs
from mlops_ci.errors import Problem


def test_what_is_not_finite_is_null() -> None:
    value = {"a": float("nan"), "b": [float("inf"), {"c": (-float("inf"), 1.5)}], "d": True, "e": None, "f": "NaN"}

    assert json.loads(json_text(value)) == {
        "a": None,
        "b": [None, {"c": [None, 1.5]}],
        "d": True,
        "e": None,
        "f": "NaN",
    }


def test_what_json_does_not_know_is_a_defect_and_not_a_guess() -> None:
    with pytest.raises(TypeError):
        json_text({"path": Path("x")})


def test_no_value_can_end_its_own_output() -> None:
    first, *_, last = step_outputs({"text": "a\nother<<EOF\nEOF"}).splitlines()

    mark = first.removeprefix("text<<")
    assert last == mark
    assert len(mark) > 16
    assert step_outputs({"text": "a"}) != step_outputs({"text": "a"})


def test_outputs_are_json_but_for_texts() -> None:
    lines = step_outputs({"ships": True, "release": None, "verdict": "first", "lower": float("nan")}).splitlines()

    assert lines[1::3] == ["true", "null", "first", "null"]


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (Problem(where="mlops.yaml:3", what="x", fix="y"), "::error file=mlops.yaml,line=3::x. y"),
        (Problem(where="a,b:c.py line 12", what="x"), "::error file=a%2Cb%3Ac.py,line=12::x"),
        (Problem(where="", what="50% of\nit"), "::error::50%25 of%0Ait"),
        (Problem(where="data.csv column age", what="x"), "::error::data.csv column age: x"),
        (Problem(where="", what="::add-mask::x"), "::error::::add-mask::x"),
    ],
)
def test_annotations(problem: Problem, expected: str) -> None:
    assert annotation(problem) == expected


def test_a_text_cannot_leave_its_fence() -> None:
    shown = fenced("````\n<b>\n````").splitlines()

    assert shown[0] == "`````text"
    assert shown[-1] == "`````"


def test_the_source_holds_no_invisible_character() -> None:
    for path in Path(__file__).parents[2].joinpath("mlops_ci").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [character for character in text if not (character.isprintable() or character == "\n")], path


def test_a_name_that_is_no_text_is_escaped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    environment = replace(read_environment(), step_output=tmp_path / "output")
    name = b"d\xe9j\xe0.csv".decode(errors="surrogateescape")

    show_outcome(Outcome(value={"file": name}, text=""), as_json=True, environment=environment)

    assert json.loads(capsys.readouterr().out) == {"file": name}
    assert "d\\udce9j" in (tmp_path / "output").read_text(encoding="utf-8")
