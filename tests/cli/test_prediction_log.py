"""From requests to a verdict on how the model does: served under load, logged, joined with what came true, judged."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tests.cli.repository import Repository, copied, flights

INPUTS = ["height", "age", "colour"]
WATCHED = "monitor: {window: 1d, min_rows: 40}\n"


@pytest.fixture(scope="module")
def once(once_judged: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The model, released to qa; its services have ended."""
    repository = copied(once_judged, tmp_path_factory.mktemp("released") / "team")
    repository.write("mlops.yaml", (repository.folder / "mlops.yaml").read_text() + WATCHED)
    repository.commit()
    released = repository.run("release")
    repository.stop_services()
    assert released.code == 0, released.stderr
    return repository


@pytest.fixture
def repository(once: Repository, tmp_path: Path) -> Iterator[Repository]:
    made = copied(once, tmp_path / "team")
    yield made
    made.stop_services()


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = json.loads(frame[INPUTS].to_json(orient="records"))
    return plain


def post(url: str, body: Any, **headers: str) -> dict[str, Any]:
    given = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=given)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def infer(rows: pd.DataFrame, name: str) -> dict[str, Any]:
    tensors = [
        {
            "name": column,
            "datatype": "BYTES" if column == "colour" else "FP64",
            "shape": [len(rows), 1],
            "data": [record[column] for record in records(rows)],
        }
        for column in INPUTS
    ]
    return {"id": name, "inputs": tensors}


def ask_all(url: str, model: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Four users at once: single rows, requests of three rows, and tensors; what came true, as it is known later."""
    requests = [(f"{start:03}", rows.iloc[start : start + (3 if start % 4 == 0 else 1)]) for start in range(len(rows))]

    def ask(request: tuple[str, pd.DataFrame]) -> pd.DataFrame:
        name, some = request
        if int(name) % 3:
            assert post(f"{url}/score", records(some), x_request_id=name)["request_id"] == name
        else:
            assert post(f"{url}/v2/models/{model}/infer", infer(some, name))["id"] == name
        return pd.DataFrame({"request_id": name, "row": range(len(some)), "late": some["late"].to_numpy()})

    with ThreadPoolExecutor(4) as users:
        return pd.concat(users.map(ask, requests))


def by_day(log: Path, actuals: pd.DataFrame) -> dict[str, tuple[int, float]]:
    """Rows and ROC AUC of each day, by other means."""
    lines = [json.loads(line) for path in log.parent.glob("*.jsonl*") for line in path.read_text().splitlines()]
    users = [line for line in lines if "records" in line and not line["request_id"].startswith("mlops-probe-")]
    answers = pd.DataFrame(
        [
            (line["time"][:10], line["request_id"], row, answer["probability"])
            for line in users
            for row, answer in enumerate(line["answers"])
        ],
        columns=["day", "request_id", "row", "probability"],
    )
    both = answers.merge(actuals, on=["request_id", "row"], validate="one_to_one")
    return {
        f"{day}T00:00:00Z": (len(part), float(roc_auc_score(part["late"], part["probability"])))
        for day, part in both.groupby("day")
    }


def found(value: dict[str, Any]) -> dict[str, tuple[int, float]]:
    return {
        one["start"]: (one["rows"], pytest.approx(one["value"], abs=1e-9)) for one in value["performance"]["windows"]
    }


@contextmanager
def served(repository: Repository, *arguments: str) -> Iterator[str]:
    process = repository.start("serve", *arguments, "--port", "0")
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if at := re.search(r"serving \S+ version \d+ at (\S+)", line):
            break
    else:
        raise AssertionError("".join(said))
    try:
        yield f"http://{at[1]}"
    finally:
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate()
    assert process.returncode == 0, stderr


def test_an_environment_is_watched_by_what_its_users_asked(repository: Repository) -> None:
    status = repository.run("release")
    assert status.code == 0, status.stderr
    actuals = ask_all(status.value["url"], "late", flights(200, seed=5))
    repository.stop_services()  # writes what waits
    actuals.to_csv(repository.folder / "actuals.csv", index=False)

    answer = repository.run("monitor", "--environment", "qa", "--actuals", "actuals.csv")

    assert answer.code == 0, answer.stderr
    value = answer.value
    (log,) = (repository.folder / ".mlops" / "run" / "services" / "qa" / "late").glob("*/predictions.jsonl")
    expected = by_day(log, actuals)
    assert sum(rows for rows, _ in expected.values()) == len(actuals)
    assert found(value) == expected
    assert (value["log"]["requests"], value["log"]["rows"]) == (200, len(actuals))
    assert value["log"]["estimated_requests"] == 200
    assert {feature["name"] for feature in value["features"]} == set(INPUTS)
    assert value["alarm"] is False
    assert f"{len(actuals)} of {len(actuals)} answers in the log have an actual." in value["notes"]


def test_a_sample_without_a_private_column_is_enough_to_watch_the_rest(repository: Repository) -> None:
    repository.write(
        "mlops.yaml",
        (repository.folder / "mlops.yaml").read_text() + "serving: {log: {sample: 0.5, redact: [colour]}}\n",
    )
    log = repository.folder / "logs" / "p.jsonl"
    with served(repository, "--log", "logs/p.jsonl", "--workers", "2") as url:
        actuals = ask_all(url, "late", flights(200, seed=5))
    actuals.to_parquet(repository.folder / "actuals.parquet")

    answer = repository.run("monitor", "--input", "logs/p.jsonl", "--actuals", "actuals.parquet")

    assert answer.code == 0, answer.stderr
    value = answer.value
    expected = by_day(log, actuals)
    assert found(value) == {start: expected[start] for start in found(value)}
    assert 70 <= value["log"]["requests"] <= 130
    assert value["log"]["estimated_requests"] == 2 * value["log"]["requests"]
    assert value["log"]["redacted"] == ["colour"]
    assert {feature["name"] for feature in value["features"]} == {"height", "age"}
    assert "colour is not watched, because its values are not kept." in value["notes"]
    both = log.read_text() + log.with_name("p-1.jsonl").read_text()
    assert not any(color in both for color in ('red"', "green", "blue"))


def test_what_cannot_be_watched_is_said(repository: Repository) -> None:
    for arguments, code, said in (
        (["--environment", "nowhere"], 2, "one of qa, production"),
        (["--environment", "qa", "--input", "p.jsonl"], 2, "has its own prediction logs"),
        (["--actuals", "actuals.csv"], 2, "belong to a prediction log"),
        (["--input", "p.jsonl"], 10, "no such prediction log"),
        (["--environment", "production"], 2, "nothing of late serves in production"),
    ):
        answer = repository.run("monitor", *arguments)
        assert said in answer.said
        assert answer.code == code
    (repository.folder / "p.jsonl").write_text('{"time": "2026-01-31T12:00:00Z", "release": "x", "dropped": 3}\nno\n')
    assert "no request of a user" in repository.run("monitor", "--input", "p.jsonl").said
