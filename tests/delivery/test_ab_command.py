"""An A/B test with real commands, services and users, from `promote` to `ab-report` and its end by hand."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from mlops_ci.cli.comparing import _text
from tests.delivery.test_on_this_machine import Monorepo, monorepo
from tests.pipeline.team import people

ROLLOUT = "rollout: {steps: [50, 100], window: 0s}"
USERS = 40


def ask(repository: Monorepo, rows: list[dict[str, Any]]) -> None:
    """Each user with an id of the own, by which the truth is known later."""
    url = repository.target.url("production", "a")
    for number, row in enumerate(rows):
        headers = {"content-type": "application/json", "x-request-id": f"user-{number}"}
        request = urllib.request.Request(f"{url}/score", data=json.dumps([row]).encode(), headers=headers)
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200


def test_an_ab_test_from_its_promotion_to_its_end_by_hand(tmp_path: Path) -> None:
    with monorepo(tmp_path / "repository") as repository:
        assert "no A/B test of a" in repository.run("ab-report", "a", code=2)["error"]
        repository.edit("a", ROLLOUT, "rollout: {steps: [50, 100], window: 0s, ab: {share: 50, duration: 1h}}")
        first = repository.deliver("a")
        repository.edit("a", "C: 1.0", "C: 0.5")
        second = repository.run("release", "a")
        repository.run("approve", str(second["pull_request"]), "--reviewer", "Grace")

        promoted = repository.run("promote", "a", "--to", "production")

        assert (promoted["outcome"], promoted["release"]) == ("comparing", first["release"])
        assert promoted["comparing"] == second["release"]
        assert repository.status("a")["production"]["rollout"]["outcome"] == "comparing"
        frame = people(USERS)
        ask(repository, json.loads(frame[["height", "age", "colour"]].to_json(orient="records")))
        truth = frame.assign(request_id=[f"user-{number}" for number in range(USERS)])[["request_id", "late"]]
        truth.to_csv(repository.root / "late.csv", index=False)

        found = repository.run("ab-report", "a", "--environment", "production", "--actuals", "late.csv")

        assert (found["stable"]["release"], found["new"]["release"]) == (first["release"], second["release"])
        assert sum(found["requests"].values()) == USERS
        assert min(found["requests"].values()) > 0
        assert found["errors"]["new"]["value"] == 0
        assert found["latency_ms"]["new"]["p50"] is not None
        assert found["performance"]["name"] == "roc_auc"
        assert found["performance"]["new"]["value"] is not None
        assert any(note.startswith("errors: no interval, as one side has") for note in found["notes"])
        assert "version 2 at 50 % against version 1" in _text(found)
        repository.run("rollback", "a", "--reason", "users write letters")
        assert repository.run("ab-report", "a")["ended"] is not None
        (repository.root / "late.csv").unlink()
        repository.require_settled("a")
