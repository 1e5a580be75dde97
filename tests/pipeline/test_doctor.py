"""Findings are put in order, and those about owners and templates are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.config.loading import load
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.forge_settings import Unseen
from mlops_ci.errors import ConfigurationError, Problem
from mlops_ci.pipeline.doctor import (
    TemplateState,
    asks_people,
    diagnosis,
    error,
    note,
    of_error,
    owners_findings,
    teams_of,
    template_findings,
    warning,
)

CONFIG = """\
schema: 1
model: late
task: binary-classification
data: {source: data.csv, target: late}
split: {strategy: random, holdout: 0.25, seed: 7}
train: {entrypoint: "train:build_model"}
gate: {primary: {metric: roc_auc, margin: 0.005, alpha: 0.05}}
environments:
  qa: {target: process}
  production: {target: process, approvals: APPROVALS}
"""


def config(folder: Path, approvals: str, *, risk: str = "normal") -> ModelConfig:
    text = CONFIG.replace("APPROVALS", approvals) + (f"card: {{risk: {risk}}}\n" if risk != "normal" else "")
    (folder / "mlops.yaml").write_text(text, encoding="utf-8")
    return load(folder / "mlops.yaml")


def test_the_gravest_come_first_and_each_once() -> None:
    found = [note("a", "b", "c"), error("d", "e", "f"), warning("g", "h", "i"), error("d", "e", "f")]
    result = diagnosis(found, [Unseen(what="x", why="y")] * 2)
    assert [one.level for one in result.findings] == ["error", "warning", "note"]
    assert not result.ok
    assert result.to_json() == {
        "ok": False,
        "findings": [
            {"level": "error", "where": "d", "what": "e", "fix": "f"},
            {"level": "warning", "where": "g", "what": "h", "fix": "i"},
            {"level": "note", "where": "a", "what": "b", "fix": "c"},
        ],
        "not_looked_at": [{"what": "x", "why": "y"}],
    }
    assert str(result).splitlines()[-2:] == ["not looked at: x: y", "1 error, 1 warning, 1 note, 1 not looked at"]


def test_what_was_not_looked_at_makes_nothing_healthy_or_ill() -> None:
    assert diagnosis([warning("a", "b", "c")], [Unseen(what="x", why="y")]).ok


def test_an_error_is_one_finding_for_each_problem() -> None:
    known = ConfigurationError("two", problems=[Problem(where="a", what="b"), Problem(where="c", what="d", fix="e")])
    assert list(of_error(known)) == [error("a", "b", ""), error("c", "d", "e")]
    assert list(of_error(ConfigurationError("one", where="a", fix="b"))) == [error("a", "one", "b")]


def test_approvals_that_anybody_may_give_are_told_of(tmp_path: Path) -> None:
    found = list(owners_findings([config(tmp_path, "{required: 1}")], None, "team/"))
    assert [(one.level, one.where) for one in found] == [("warning", "team/environments/production/late.yaml")]
    assert list(owners_findings([config(tmp_path, "{required: 0}")], None, "")) == []
    assert list(owners_findings([config(tmp_path, '{required: 1, from: ["@ada"]}')], None, "")) == []
    owners = (".github/CODEOWNERS", b"/team/environments/production/ @acme/ml-owners\n")
    assert list(owners_findings([config(tmp_path, "{required: 1}")], owners, "team/")) == []
    assert len(list(owners_findings([config(tmp_path, "{required: 1}")], owners, ""))) == 1


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b"* @ada\n!docs @bob\n", "CODEOWNERS, line 2", "GitHub skips this line"),
        (b"* @" + b"a" * 3_000_001, "CODEOWNERS", "GitHub reads none above 3,000,000"),
        (b"* \xff\xfe\n", "CODEOWNERS, line 1", "GitHub skips this line"),
    ],
)
def test_codeowners_that_do_not_count_are_named(content: bytes, where: str, what: str) -> None:
    found = list(owners_findings([], ("CODEOWNERS", content), ""))
    assert [(one.where, what in one.what) for one in found] == [(where, True)]


def test_teams_are_those_of_whom_something_is_asked(tmp_path: Path) -> None:
    owners = ("CODEOWNERS", b"* @acme/all\n/environments/production/ @acme/ml @bob\n")
    asked = config(tmp_path, '{required: 1, from: ["@acme/leads", "@ada"]}')
    assert teams_of([asked], owners, "") == ("@acme/leads", "@acme/ml")
    assert asks_people([asked])
    free = config(tmp_path, '{required: 0, from: ["@acme/leads"]}')
    assert (teams_of([free], owners, ""), asks_people([free])) == ((), False)


def state(**changes: object) -> TemplateState:
    about: dict[str, object] = {"kind": "monorepo", "was": "1.0.0", "now": "1.1.0", "on_record": True}
    return TemplateState(**(about | changes))  # type: ignore[arg-type]


def test_a_template_is_behind_where_it_has_other_files_by_now() -> None:
    assert list(template_findings(state())) == []
    (found,) = template_findings(state(behind=("a", "b", "c", "d", "e", "f", "g")))
    assert (found.level, found.fix) == ("warning", "mlops-ci update")
    assert found.what.endswith("mlops-ci 1.1.0 has other files than 1.0.0 had: a, b, c, d, e and 2 more")


def test_what_the_team_did_to_workflows_is_noted_and_to_nothing_else() -> None:
    report, release = ".github/workflows/report.yml", ".github/workflows/release.yml"
    found = list(template_findings(state(changed=("train.py", release), deleted=("README.md", report))))
    assert [(one.level, one.where) for one in found] == [("note", report), ("note", release)]


def test_a_template_without_a_record_is_told_of() -> None:
    (found,) = template_findings(state(on_record=False, behind=("a",)))
    assert "nobody kept what the template monorepo gave" in found.what
