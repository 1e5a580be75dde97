"""An improved, an equal, a slightly worse and a broken challenger, on a survey that nothing else here uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Release
from mlops_ci.pipeline.registry import Registry
from tests.cli.repository import Answer, Repository, copied

CONFIG = """\
schema: 1
model: affair
task: binary-classification
data:
  source: rows.csv
  target: affair
  features: [rate_marriage, age, yrs_married, children, educ, occupation_husb]
split:
  holdout: 0.35
  seed: 3
  validation:
    - {name: other-jobs, strategy: group, by: occupation, share: 0.15}
    - {name: mix, strategy: stratified, share: 0.1}
train: {entrypoint: "train:build_model"}
gate:
  primary: {metric: roc_auc, margin: 0.01}
  guardrails: [{metric: log_loss, max: 0.66}]
  slices: [{by: religious, max_drop: 0.05, min_rows: 100}]
  validation: [{name: other-jobs, max_drop: 0.05, min_rows: 100}]
  fairness: [{by: religious, metric: accuracy_ratio, min: 0.7, min_rows: 100}]
  looks: 4
"""
TRAIN = """\
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def build_model(params):
    return make_pipeline(
        make_column_transformer((StandardScaler(), {columns})), LogisticRegression(C={strength})
    )
"""
COARSE = """\
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier


def build_model(params):
    only = make_column_transformer(("passthrough", ["rate_marriage"]))
    return make_pipeline(only, DecisionTreeClassifier(max_leaf_nodes=3, random_state=0))
"""
BROKEN = """\
from sklearn.tree import DecisionTreeClassifier


def build_model(params):
    return DecisionTreeClassifier(min_impurity_decrease=1.0)
"""
ALL = ["rate_marriage", "age", "yrs_married", "children", "educ", "occupation_husb"]


def logistic(*columns: str, strength: float = 1.0) -> str:
    return TRAIN.format(columns=list(columns), strength=strength)


@pytest.fixture(scope="module")
def in_production(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A first model that Git's desired state names as production's; nothing runs. To be copied."""
    from statsmodels.datasets import fair

    made = Repository(tmp_path_factory.mktemp("survey") / "team")
    made.write("mlops.yaml", CONFIG)
    made.write("train.py", logistic("rate_marriage", "educ"))
    answers = fair.load_pandas().data
    answers.assign(affair=(answers.pop("affairs") > 0).astype(int)).to_csv(made.folder / "rows.csv", index=False)
    first = made.run("ci")
    assert (first.code, first.value["verdict"]) == (0, "first"), first.said
    serve(made, first.value["lock"], evaluation=first.value["evidence"])
    return made


def serve(repository: Repository, lock: str, *, evaluation: str) -> None:
    """Makes the candidate a release and Git name it for production, as a promotion does."""
    registry = Registry(open_store(str(repository.store)))
    candidate = registry.find_candidate("affair", lock)
    assert candidate is not None
    assert candidate.onnx is not None
    version = registry.claim_version("affair", lock=lock, commit="c" * 40)
    release = Release(
        model="affair", version=version, lock=lock, commit="c" * 40, image=None,
        files={MODEL_FILE: candidate.onnx, SIGNATURE_FILE: registry.put_json(candidate.signature.to_json())},
        evidence={"lock": candidate.lock_record, "evaluation": evaluation},
    )  # fmt: skip
    registry.save_release(release)
    repository.write(".gitignore", ".mlops/\n")
    repository.write(
        "environments/production/affair.yaml", f"schema: 1\nmodel: affair\nrelease: {release.id}\nversion: {version}\n"
    )
    repository.commit("the first model serves")


@pytest.fixture
def survey(in_production: Repository, tmp_path: Path) -> Repository:
    return copied(in_production, tmp_path / "team")


def judged(repository: Repository, source: str) -> Answer:
    repository.write("train.py", source)
    return repository.run("ci")


def test_an_improved_challenger_ships(survey: Repository) -> None:
    answer = judged(survey, logistic(*ALL))
    assert (answer.code, answer.value["verdict"], answer.value["ships"]) == (0, "superior", True), answer.said
    assert answer.value["champion_version"] == 1
    assert answer.value["primary"]["lower"] > 0
    assert {one["name"]: one["ok"] for one in answer.value["validation"]} == {"other-jobs": True, "mix": True}
    assert all(one["ok"] for one in (*answer.value["slices"], *answer.value["fairness"]))


def test_an_equal_challenger_does_not_ship(survey: Repository) -> None:
    answer = judged(survey, logistic("rate_marriage", "educ", strength=0.7))
    assert (answer.code, answer.value["verdict"], answer.value["ships"]) == (0, "non-inferior", False), answer.said


def test_a_slightly_worse_challenger_is_called_worse(survey: Repository) -> None:
    answer = judged(survey, COARSE)
    decision = answer.value["reasons"][-1].partition(":")[0]
    assert (decision, answer.value["ships"]) == ("inferior", False), answer.said
    assert -0.06 < answer.value["primary"]["difference"] < -0.01


def test_a_broken_challenger_is_blocked_by_name(survey: Repository) -> None:
    answer = judged(survey, BROKEN)
    assert (answer.code, answer.value["verdict"], answer.value["ships"]) == (11, "worse-than-baseline", False)
    assert "a model that knows no feature has 0.5" in answer.value["reasons"][0]
