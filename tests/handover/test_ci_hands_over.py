"""`ci` in a job without rights: it reads the store, or not even that, and leaves what it made in a folder."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import pytest

from mlops_ci.pipeline.evaluate import WITHHELD
from mlops_ci.pipeline.reported import reported
from tests.cli.repository import Repository
from tests.handover.handing import Handed, copied


def test_what_is_made_goes_into_the_outbox_and_nothing_into_the_store(handed: Handed) -> None:
    assert handed.stored() == set()
    assert handed.record.exists()
    assert list((handed.outbox / "evaluations" / "late").iterdir())
    reports = handed.team.folder / "reports"
    assert {path.name for path in reports.iterdir()} == {"late.json", "report.html", "report.md"}


def test_the_evaluation_of_the_reports_is_the_one_that_was_made(handed: Handed) -> None:
    evaluation = json.loads((handed.team.folder / "reports" / "late.json").read_bytes())
    assert (evaluation["model"], evaluation["verdict"]) == ("late", "first")
    assert reported(evaluation)["primary"]["metric"] == "roc_auc"


def test_what_the_store_has_is_not_made_again(handed: Handed) -> None:
    assert handed.admit().code == 0
    answer = handed.team.run("ci", "--outbox", "second")
    assert answer.code == 0, answer.stderr
    assert answer.value["train"]["cached"] is True
    assert not (handed.team.folder / "second" / "candidates").exists()


def test_the_variable_is_heard_by_the_steps_and_refused_by_all_others(
    handed: Handed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_OUTBOX", "outbox")
    assert handed.team.run("train").value["cached"] is True
    assert handed.stored() == set()
    for command in (["release"], ["status"], ["admit", "outbox"]):
        answer = handed.team.run(*command)
        assert answer.code == 2
        assert "MLOPS_OUTBOX" in answer.said


def test_a_data_gate_that_is_closed_is_reported_too(handed: Handed) -> None:
    (handed.team.folder / "data.csv").write_text("id,height,age,colour,late\n1,2,3,red,1\n")
    assert handed.team.run("ci", "--outbox", "outbox", "--reports", "reports").code == 10
    value = json.loads((handed.team.folder / "reports" / "late.json").read_bytes())
    assert reported(value)["failed"] == "check"


def test_in_actions_a_run_that_is_told_of_no_store_stops(handed: Handed, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would judge the model as the first one, whatever serves."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    answer = handed.team.run("ci", "--outbox", "outbox")
    assert answer.code == 2
    assert "MLOPS_STORE" in answer.error["fix"]
    assert "--limits-only" in answer.error["fix"]


def test_a_champion_that_the_store_does_not_have_is_named_with_what_to_do(handed: Handed) -> None:
    handed.team.write("environments/production/late.yaml", f"model: late\nrelease: {'c' * 64}\n")
    handed.team.commit()
    answer = handed.team.run("ci", "--outbox", "outbox")
    assert answer.code == 2
    assert "--limits-only" in answer.said


# By the declared limits alone.


@pytest.fixture
def serving(once_handed: Handed, tmp_path: Path) -> Repository:
    """Something serves in production, in a store that nobody here may read."""
    team = copied(once_handed, tmp_path / "team").team
    team.write("environments/production/late.yaml", f"model: late\nrelease: {'c' * 64}\n")
    team.commit()
    return team


def limits_only(team: Repository, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, object]]:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("MLOPS_STORE", "s3://nobody-may-read-this/store")
    answer = team.run("ci", "--limits-only", "--outbox", "outbox", "--reports", "reports")
    return answer.code, answer.value


def test_no_store_is_read_and_nothing_ships(serving: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    code, value = limits_only(serving, monkeypatch)
    assert (code, value["verdict"], value["ships"]) == (0, "not-compared", False)
    assert value["champion_release"] is None
    markdown = (serving.folder / "reports" / "report.md").read_text()
    assert any(line.startswith("⚠️ **Judged without the champion: ") for line in markdown.splitlines()[:4])
    page = unescape((serving.folder / "reports" / "report.html").read_text())
    above = page[page.index("<h1>") : page.index("</header>", page.index("<h1>"))]
    assert f"Judged without the champion: {WITHHELD}." in above


def test_no_policy_lets_it_ship(serving: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    ships = "gate:\n  ships: [first, superior, non-inferior, inconclusive]\n"
    serving.edit("mlops.yaml", "gate:\n", ships)
    assert limits_only(serving, monkeypatch)[1]["ships"] is False


def test_a_broken_limit_still_blocks(serving: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    serving.edit("mlops.yaml", "gate:\n", "gate:\n  guardrails: [{metric: log_loss, max: 0.001}]\n")
    code, value = limits_only(serving, monkeypatch)
    assert (code, value["verdict"], value["ships"]) == (11, "guardrail", False)
    assert "Judged without the champion" in (serving.folder / "reports" / "report.md").read_text()
