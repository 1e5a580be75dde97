"""The toolkit on data that it was not made with: patients and wines, in one repository, from CSV to production."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.cli.repository import Answer, Repository, copied

TRAIN = """\
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import {estimator}
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def build_model(params):
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(columns, {estimator}(**params))
"""
CONFIG = """\
schema: 1
model: {model}
task: {task}
data: {{source: rows.csv, target: {target}}}
split: {{strategy: {strategy}, holdout: 0.3}}
train: {{entrypoint: "train:build_model", params: {params}}}
gate:
  primary: {{metric: {metric}, margin: 0.05}}
  guardrails: [{{metric: {limit}}}]
verification: {{rate: 500, duration: 0s, latency_p99_ms: 5000}}
environments:
  qa: {{}}
  production: {{approvals: {{required: 0}}, rollout: {{steps: [50, 100], window: 0s}}}}
"""
MODELS = {
    "progression": CONFIG.format(
        model="progression", task="regression", target="progression", strategy="random", params="{alpha: 1.0}",
        metric="rmse", limit="r2, min: 0.2",
    ),
    "cultivar": CONFIG.format(
        model="cultivar", task="multiclass-classification", target="cultivar", strategy="stratified",
        params="{max_iter: 500}", metric="macro_f1", limit="log_loss, max: 0.5",
    ),
}  # fmt: skip


def patients() -> pd.DataFrame:
    """Diabetes: the sex as a text, and blood values that some patients do not have."""
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    frame["sex"] = frame["sex"].map({1: "female", 2: "male"})
    rng = np.random.default_rng(1)
    for column in ("bmi", "s4", "sex"):
        frame.loc[rng.random(len(frame)) < 0.1, column] = None
    return frame


def wines() -> pd.DataFrame:
    """Wine: names for the cultivars, a text column, awkward column names and missing measurements."""
    from sklearn.datasets import load_wine

    data = load_wine(as_frame=True)
    frame = data.frame.drop(columns="target")
    frame["colour"] = np.where(frame["color_intensity"] > 5, "tiefrot", "größer als 0, blass")
    frame["cultivar"] = data.target.map({0: "Barolo", 1: "Grignolino", 2: "Barbera"})
    rng = np.random.default_rng(2)
    for column in ("alcohol", "colour"):
        frame.loc[rng.random(len(frame)) < 0.1, column] = None
    return frame


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Both models, judged; no Git. To be copied."""
    whole = Repository(tmp_path_factory.mktemp("unseen") / "team")
    for model, config in MODELS.items():
        whole.write(f"models/{model}/mlops.yaml", config)
        estimator = "Ridge" if model == "progression" else "LogisticRegression"
        whole.write(f"models/{model}/train.py", TRAIN.format(estimator=estimator))
    patients().to_csv(whole.folder / "models" / "progression" / "rows.csv", index=False)
    wines().to_csv(whole.folder / "models" / "cultivar" / "rows.csv", index=False)
    answer = whole.run("ci", "--all")
    assert answer.code == 0, answer.stderr
    assert {one["verdict"] for one in answer.value["models"]} == {"first"}
    return whole


@pytest.fixture
def whole(once: Repository, tmp_path: Path) -> Iterator[Repository]:
    repository = copied(once, tmp_path / "team")
    yield repository
    repository.stop_services()


def ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


@contextmanager
def served(repository: Repository, *arguments: str) -> Iterator[str]:
    """The URL of `mlops-ci serve`, which ends well when it is told to."""
    process = repository.start("serve", *arguments, "--port", "0", "--json")
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"serving \S+ version \d+ at (\S+)", line):
            break
    else:
        raise AssertionError("".join(said))
    try:
        yield f"http://{found[1]}"
    finally:
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert json.loads(stdout)["outcome"] == "stopped"


def steps(repository: Repository, model: str) -> dict[str, Answer]:
    answers = {step: repository.run(step, model) for step in ("check", "train", "export", "evaluate", "ci")}
    assert {step: answer.code for step, answer in answers.items()} == dict.fromkeys(answers, 0)
    return answers


@pytest.mark.parametrize(("model", "rows"), [("progression", 442), ("cultivar", 178)])
def test_each_step_answers(whole: Repository, model: str, rows: int) -> None:
    answers = steps(whole, model)

    assert answers["check"].value["rows"] == rows
    assert answers["train"].value["cached"] is True
    assert answers["export"].value["parity"]["ok"] is True
    evaluated = answers["evaluate"].value
    assert (evaluated["verdict"], evaluated["ships"]) == ("first", True)
    assert [guardrail["ok"] for guardrail in evaluated["guardrails"]] == [True]
    assert answers["ci"].value["failed"] is None


def test_a_candidate_is_served_and_scored_without_git(whole: Repository) -> None:
    with served(whole, "cultivar") as url:
        assert ask(f"{url}/v2/health/ready") == {"ready": True}
        metadata = ask(f"{url}/v2/models/cultivar")
        kinds = {tensor["name"]: tensor["datatype"] for tensor in metadata["inputs"]}
        assert (kinds["colour"], kinds["od280/od315_of_diluted_wines"]) == ("BYTES", "FP64")
        assert json.loads(metadata["properties"]["classes"]) == ["Barbera", "Barolo", "Grignolino"]

        rows = wines().tail(5).drop(columns="cultivar").astype(object)
        records = rows.where(rows.notna(), None).to_dict("records")
        scored = ask(f"{url}/score", records)
        assert (scored["model"], scored["version"]) == ("cultivar", 0)
        tensors = [
            {"name": name, "datatype": kind, "shape": [5, 1], "data": [record[name] for record in records]}
            for name, kind in kinds.items()
        ]
        inferred = ask(f"{url}/v2/models/cultivar/infer", {"inputs": tensors})
        labels, probabilities = (tensor["data"] for tensor in inferred["outputs"])
        assert labels == [one["label"] for one in scored["predictions"]]
        flat = [value for one in scored["predictions"] for value in one["probabilities"].values()]
        assert np.allclose(flat, probabilities)
        assert labels.count("Barbera") == 5

    output = whole.folder / "out" / "scored.parquet"
    answer = whole.run("score", "cultivar", "--input", "models/cultivar/rows.csv", "--output", "out/scored.parquet")
    assert (answer.code, answer.value["rows"], answer.value["rejected"]) == (0, 178, 0), answer.said
    frame = pd.read_parquet(output)
    assert len(frame) == 178
    assert (frame["cultivar"] == wines()["cultivar"]).all()
    assert (frame["prediction"] == frame["cultivar"]).mean() > 0.9


def test_from_a_commit_to_production(whole: Repository) -> None:
    whole.write(".gitignore", ".mlops/\n")
    whole.commit("two models")
    for model in MODELS:
        released = whole.run("release", model)
        assert released.code == 0, released.said
        assert (released.value["model"], released.value["version"], released.value["verified"]) == (model, 1, True)
        promoted = whole.run("promote", model, "--to", "production")
        assert promoted.code == 0, promoted.said
        assert (promoted.value["release"], promoted.value["outcome"]) == (released.value["release"], "promoted")

    rows = whole.run("status").value["environments"]
    assert [(row["model"], row["environment"], row["version"], row["healthy"]) for row in rows] == [
        (model, environment, 1, True) for model in ("cultivar", "progression") for environment in ("qa", "production")
    ]
    url = next(row["url"] for row in rows if (row["model"], row["environment"]) == ("progression", "production"))
    patient = {name: None for name in patients().columns if name != "progression"} | {"bmi": 30.5, "sex": "female"}
    (answer,) = ask(f"{url}/score", [patient])["predictions"]
    assert 50 < answer["value"] < 350

    # The same data once more are no news; a stronger penalty is worse, and not shipped; the champion is what serves.
    champion = next(
        row["release"] for row in rows if (row["model"], row["environment"]) == ("progression", "production")
    )
    whole.edit("models/progression/mlops.yaml", "alpha: 1.0", "alpha: 100000.0")
    worse = whole.run("ci", "progression").value
    assert worse["champion_release"] == champion
    assert (worse["ships"], worse["primary"]["challenger"] > worse["primary"]["champion"]) == (False, True)
    assert worse["primary"]["difference"] < 0
    with served(whole, "progression") as url:
        assert ask(f"{url}/score", [patient])["version"] == 1
    why = whole.run("why", "progression").value
    assert (why["release"], why["version"], why["verdict"]) == (champion, 1, "first")
