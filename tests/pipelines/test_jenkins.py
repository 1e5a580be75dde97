"""The Jenkinsfile, run by the Groovy that Jenkins has on a stand-in of its DSL, and its shell steps by bash.

No Jenkins is here: what plugins do with what they are told (credentials, locks, schedules, discovery) is not run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.world import HOSTILE, commands, commit, make_world, render

SCRIPT = Path(__file__).with_name("declarative.groovy")
STORE = {"MLOPS_STORE": "s3://store"}
CHANGE = {"BRANCH_NAME": "PR-7", "CHANGE_ID": "7", "CHANGE_TARGET": HOSTILE, "CHANGE_TITLE": HOSTILE, **STORE}
MAIN = {"BRANCH_NAME": "main", **STORE}
ALL, MODELS = "plan --all --names", ("tides", "rain-soon")
JUDGED = "ci --outbox=.mlops/candidates --reports=.mlops/reports"
ROLLBACK = {"MLOPS_EVENT": "rollback", "MLOPS_REASON": HOSTILE, "MLOPS_RELEASE": "abc"}
EVENTS: dict[str, tuple[dict[str, str], dict[str, str], list[str]]] = {
    "a change request": (CHANGE, {}, [f"plan --base=origin/{HOSTILE} --names", f"{JUDGED} -- tides rain-soon"]),
    "a change request of a fork": (
        {**CHANGE, "CHANGE_FORK": "mallory"}, {},
        [f"plan --base=origin/{HOSTILE} --names", f"{JUDGED} --limits-only -- tides rain-soon"],
    ),
    "another branch": ({"BRANCH_NAME": "topic", **STORE}, {}, []),
    "a merge": (
        MAIN, {},
        ["reconcile --all", ALL, *(f"release -- {each}" for each in MODELS)],
    ),
    "the schedule of approvals": (MAIN, {"MLOPS_EVENT": "approvals"}, ["promote --open"]),
    "the schedule of every night": (
        MAIN, {"MLOPS_EVENT": "night"},
        [
            ALL, *(f"monitor --issue -- {each}" for each in MODELS),
            ALL, *(f"verify --environment=production -- {each}" for each in MODELS),
            "score --input=incoming/*.parquet --output=scored/week.parquet -- rain-soon",
        ],
    ),
    "the schedule of every week": (
        MAIN, {"MLOPS_EVENT": "week"}, [ALL, *(f"retrain -- {each}" for each in MODELS), "update --pull-request"],
    ),
    "a rollback by hand": (
        MAIN, ROLLBACK, [f"rollback --environment=production --reason={HOSTILE} --release=abc -- rain-soon"],
    ),
}  # fmt: skip


def groovy() -> dict[str, str]:
    """The environment to run it in. Skips where there is no Groovy; in CI there has to be."""
    java = shutil.which("java")
    if not (java and shutil.which("groovy")):
        reason = "Groovy is not there: bash .ci/services up installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    home = os.environ.get("JAVA_HOME") or str(Path(java).resolve().parents[1])
    return {"PATH": os.environ["PATH"], "JAVA_HOME": home}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = render(tmp_path_factory.mktemp("jenkins") / "team", "jenkins", "batch-scoring")
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def runs(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the Jenkinsfile would do at each event, by one start of Groovy."""
    events = tmp_path_factory.mktemp("events") / "events.json"
    events.write_text(json.dumps([{"env": env, "params": params} for env, params, _ in EVENTS.values()]))
    done = subprocess.run(
        ["groovy", str(SCRIPT), str(project / "Jenkinsfile"), str(events)],
        env=groovy() | {"HOME": str(events.parent)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(EVENTS, json.loads(done.stdout), strict=True))


def stages(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [found for found in run["found"] if "name" in found]


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_calls_its_commands_whatever_strangers_have_written(
    runs: dict[str, dict[str, Any]], project: Path, tmp_path: Path, event: str
) -> None:
    world, run = make_world(tmp_path), runs[event]
    (tmp_path / "temporary").mkdir()
    for stage in stages(run):
        for script in stage["shell"] if stage["due"] else ():
            given = {
                name: value if isinstance(value, str) else "secret" for name, value in stage["environment"].items()
            }
            known = {**run["env"], **run["params"], **given, "WORKSPACE_TMP": str(tmp_path / "temporary")}
            done = world.bash(script, project, **known | {"MLOPS_TOOLKIT": world.toolkit})
            assert done.returncode == 0, done.stderr
    calls = world.calls()
    assert commands(calls) == EVENTS[event][2]
    for call in calls:
        assert call.secrets == (set() if "change" in event else {"MLOPS_GITHUB_TOKEN", "MLOPS_GITLAB_TOKEN"})


def test_every_stage_is_executed_above(runs: dict[str, dict[str, Any]]) -> None:
    due = {stage["name"] for run in runs.values() for stage in stages(run) if stage["due"]}
    assert due == {stage["name"] for stage in stages(runs["a merge"])}


def test_a_change_requests_code_runs_apart_and_without_credentials(runs: dict[str, dict[str, Any]]) -> None:
    for stage in stages(runs["a merge"]):
        strangers = stage["name"] in ("Judge", "Judge by limits")
        assert (stage["environment"] == {}) == strangers
        assert (stage["label"] == "mlops-ci-deliver") != strangers
    labels = {stage["name"]: stage["label"] for stage in stages(runs["a merge"])}
    assert labels["Judge"] != labels["Judge by limits"]


def test_deliveries_wait_for_their_turn_and_a_rollback_for_none(runs: dict[str, dict[str, Any]]) -> None:
    locks = {stage["name"]: stage["locks"] for stage in stages(runs["a merge"])}
    assert locks["Reconcile"] == locks["Promote"] == locks["Verify"] == ["mlops-ci-environments"]
    assert locks["Roll back"] == ["mlops-ci-rollback"]


def test_only_main_has_schedules_and_each_names_an_event(runs: dict[str, dict[str, Any]]) -> None:
    assert runs["another branch"]["found"][0] == {"schedule": ""}
    said = runs["a merge"]["found"][0]["schedule"]
    assert re.findall(r"% MLOPS_EVENT=(\w+)", said) == ["approvals", "night", "week"]


def test_no_value_becomes_text_of_a_program(project: Path) -> None:
    """Texts of the shell are in single quotes, so that Groovy puts nothing into them."""
    text = (project / "Jenkinsfile").read_text()
    assert re.findall(r"""\n *sh (?!TOOLKIT \+ '''|MAIN \+ ''').*""", text.partition("pipeline {")[2]) == []
    assert '"""' not in text
