"""`monitor --issue`: one issue while there is an alarm; and proposals for which the token of a run starts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_ci.cli.alarms import publisher_for_issues, tell_alarm
from mlops_ci.cli.proposing import propose_files
from mlops_ci.core.drift import FeatureDrift
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.monitor import MonitorResult, Window
from tests.delivery.github_world import GitHubWorld, on_github
from tests.delivery.world import Line

MOVED = FeatureDrift(
    name="x | <b>@acme/owners</b>", test="ks", statistic=0.4, p_value=1e-9, missing_before=0.0, missing_now=0.25,
    alarm=True,
)  # fmt: skip
JANUARY = Window(start="2026-01-01", end="2026-02-01", rows=900, judged=True, drifted=("x",))
ALARM = MonitorResult(
    windows=(JANUARY,), features=(MOVED,), alarm=True, expected_false_alarms_per_month=1.0, performance=None, notes=()
)
CALM = replace(ALARM, alarm=False, features=(replace(MOVED, alarm=False),), windows=(replace(JANUARY, drifted=()),))
UNKNOWN = replace(CALM, features=(), windows=(replace(JANUARY, judged=False, drifted=()),))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with on_github(tmp_path / "world") as made:
        yield made


def test_one_issue_for_as_long_as_there_is_an_alarm(world: GitHubWorld) -> None:
    made = world.register(Line())

    address = tell_alarm(world.context(), made, "production", ALARM)
    assert tell_alarm(world.context(), made, "production", ALARM) == address
    elsewhere = tell_alarm(world.context(), made, None, ALARM)

    assert elsewhere != address
    number, other = sorted(world.hub.issues)
    issue = world.hub.issues[number]
    assert issue["title"] == "tides: what it sees in production is not what it was trained on"
    assert "@acme" not in issue["body"]
    assert "25.0%" in issue["body"]
    assert [label["name"] for label in issue["labels"]] == ["mlops-ci"]

    assert tell_alarm(world.context(), made, "production", UNKNOWN) is None
    assert world.hub.issues[number]["state"] == "open"  # nobody could tell
    assert tell_alarm(world.context(), made, "production", CALM) is None
    assert (world.hub.issues[number]["state"], world.hub.issues[other]["state"]) == ("closed", "open")
    assert tell_alarm(world.context(), made, "production", CALM) is None

    again = tell_alarm(world.context(), made, "production", ALARM)
    assert again not in (None, address)
    assert len(world.hub.issues) == 3


def test_on_this_machine_there_is_no_issue(world: GitHubWorld) -> None:
    context = world.context()
    context.environment = replace(world.environment, forge="local", github=None)

    with pytest.raises(ConfigurationError, match="--issue wants a forge"):
        publisher_for_issues(context)


def test_where_the_workflow_cannot_be_started_people_are_told(world: GitHubWorld) -> None:
    onto = world.git("rev-parse", "origin/main")
    proposal = {"branch": "mlops-ci/retrain/tides", "onto": onto, "title": "Retrain tides", "body": "words"}

    pull = propose_files(world.context(), {"data/newer.csv": b"x,y\n1,1\n"}, **proposal)

    assert world.hub.pulls[pull.number]["head"]["ref"] == "mlops-ci/retrain/tides"
    assert any("nothing judges pull request" in said for said in world.console.said)
    assert world.hub.dispatches == []

    world.console.said.clear()
    world.starts_workflows = True
    again = propose_files(world.context(), {"data/newer.csv": b"x,y\n2,2\n"}, **proposal)

    assert again.number == pull.number
    assert world.console.said == []
