"""What `mlops-ci ci` tells a real MLflow server, and that it minds none that fails."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cli.repository import Repository
from tests.mlflow_server import WHY_NOT, serve


def runs_of(address: str, model: str) -> list[dict[str, Any]]:
    def asked(what: str, value: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if value is None else json.dumps(value).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{address}/api/2.0/mlflow/{what}", data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))

    experiment = asked(f"experiments/get-by-name?experiment_name={model}")["experiment"]["experiment_id"]
    return list(asked("runs/search", {"experiment_ids": [experiment]})["runs"])


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it is there")
def test_ci_leaves_a_run_with_the_verdict(judged: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow").mkdir()
    with serve(tmp_path / "mlflow") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
        answer = judged.run("ci")
        (run,) = runs_of(address, answer.value["model"])

    assert answer.code == 0
    assert f"recorded in MLflow: {address}/#/experiments/" in answer.stderr
    tags = {each["key"]: each["value"] for each in run["data"]["tags"]}
    metrics = {each["key"]: each["value"] for each in run["data"]["metrics"]}
    assert (tags["mlops_ci.verdict"], tags["mlops_ci.lock"]) == (answer.value["verdict"], answer.value["lock"])
    assert metrics["roc_auc"] == pytest.approx(answer.value["train"]["metrics"]["roc_auc"])
    assert run["info"]["status"] == "FINISHED"


def test_a_server_that_is_not_there_changes_nothing_but_a_warning(
    judged: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = judged.run("ci")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ada:hunter2hunter2@127.0.0.1:{taken.getsockname()[1]}")
        answer = judged.run("ci")

    assert (answer.code, answer.value["verdict"]) == (alone.code, alone.value["verdict"])
    assert "not recorded in MLflow at http://127.0.0.1:" in answer.stderr
    assert "hunter2" not in answer.stderr + answer.said
    assert "MLflow" not in alone.stderr
