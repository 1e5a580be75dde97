"""Defects that were found in other systems for this purpose. Each is planted here, and each is caught."""

from __future__ import annotations

import json
import shutil
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.cli.main import build_parser
from mlops_ci.config.types import GateConfig, ParityConfig, PrimaryConfig
from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.gate import GateEvidence, Judgement, judge
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Release
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import ConfigurationError, VerificationError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.verify import verify
from mlops_ci.scoring.model import OnnxRuntime
from tests.cli.repository import ROOT, TRAIN, Repository, copied, fingerprint, make_repository
from tests.scoring.serving import RELEASE, served
from tests.scoring.tiny_models import TinyModel

WEAK = TRAIN.replace('(numbers, ["height", "age"])', '(numbers, ["age"])')
DUMMY = """\
from sklearn.dummy import DummyClassifier


def build_model(params):
    return DummyClassifier()
"""


@pytest.fixture(scope="module")
def with_champion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A weak model serves production, and a better challenger is committed. To be copied."""
    repository = make_repository(tmp_path_factory.mktemp("serving") / "team")
    repository.write("train.py", WEAK)
    repository.edit("mlops.yaml", "required: 0", "required: 1")
    repository.commit("a weak model")
    try:
        released = repository.run("release")
        assert released.code == 0, released.said
        approve(repository, released.value["pull_request"], "Grace")
        promoted = repository.run("promote", "--to", "production")
        assert promoted.code == 0, promoted.said
        repository.write("train.py", TRAIN)
        repository.commit("a better one")
        yield repository
    finally:
        repository.stop_services()


@pytest.fixture
def team(with_champion: Repository, tmp_path: Path) -> Iterator[Repository]:
    """The same with its Git and its store, but without its running services."""
    repository = copied(with_champion, tmp_path / "team")
    shutil.rmtree(repository.folder / ".mlops" / "run")
    yield repository
    repository.stop_services()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "team")


def approve(repository: Repository, number: int, reviewer: str) -> None:
    answer = repository.run("approve", str(number), "--reviewer", reviewer)
    assert answer.code == 0, answer.said


def champion_of(repository: Repository) -> Release:
    desired = yaml.safe_load((repository.folder / "environments" / "production" / "late.yaml").read_text())
    return registry_of(repository).release(desired["release"])


def registry_of(repository: Repository) -> Registry:
    return Registry(open_store(str(repository.store)))


def candidate_record(repository: Repository, lock: str) -> Path:
    return repository.store / "candidates" / "late" / f"{lock}.json"


# 1. The champion is evaluated with the challenger's evaluation.


def test_the_champion_is_evaluated_with_its_own_graph(team: Repository) -> None:
    from sklearn.metrics import roc_auc_score

    from mlops_ci.adapters.data_files import LocalDataFiles
    from mlops_ci.adapters.user_code import PythonUserCode
    from mlops_ci.config.loading import select
    from mlops_ci.pipeline.dataset import load_dataset, split_dataset

    judged = team.run("ci").value
    config, champion, registry = select(team.folder, None), champion_of(team), registry_of(team)
    _, holdout = split_dataset(load_dataset(config, LocalDataFiles(), PythonUserCode()), config)
    signature = Signature.from_json(registry.get_json(champion.files[SIGNATURE_FILE]))
    own = OnnxRuntime().load(registry.get_blob(champion.files[MODEL_FILE]), signature).predict(holdout.columns)
    assert own.probabilities is not None

    assert judged["verdict"] == "superior"
    assert judged["champion_release"] == champion.id
    assert judged["primary"]["champion"] == pytest.approx(roc_auc_score(holdout.target, own.probabilities[:, 1]))
    assert judged["primary"]["challenger"] > judged["primary"]["champion"] + 0.1


# 2. The gate is off by default, and a dry run swallows every exception and then sets the champion.


@pytest.mark.parametrize(
    "key", ["enabled: false", "dry_run: true", "skip: true", "mode: disabled", "ships: [inferior]"]
)
def test_no_key_switches_the_gate_off(repository: Repository, key: str) -> None:
    repository.edit("mlops.yaml", "gate:\n", f"gate:\n  {key}\n")

    assert repository.run("ci").code == 2


def test_without_a_word_about_it_the_gate_is_on(team: Repository) -> None:
    config = team.folder / "mlops.yaml"
    text = config.read_text()
    config.write_text(text.replace("gate:\n  primary: {metric: roc_auc, margin: 0.005, alpha: 0.05}\n", ""))
    team.write("train.py", DUMMY)
    team.commit("no gate, no model")

    judged = team.run("evaluate").value
    assert judged["ships"] is False
    assert judged["primary"]["metric"] == "roc_auc"


def test_an_exception_of_the_gate_releases_nothing(team: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlops_ci.pipeline.evaluate as gate

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the gate itself is broken")

    assert team.run("train").code == 0
    monkeypatch.setattr(gate, "judge", broken)
    before = team.run("history").value["events"]
    for command in ("evaluate", "ci", "release"):
        assert team.run(command).code == 3
    assert team.run("history").value["events"] == before


# 3. An unquoted 3.10 becomes 3.1.


@pytest.mark.parametrize("text", ["3.10", "012", "1_000", "1e3", "no"])
def test_a_text_stays_the_text_that_was_written(repository: Repository, text: str) -> None:
    repository.edit("mlops.yaml", "model: late", f"model: {text}")
    repository.edit("mlops.yaml", "  id: id", "  group: 3.10")
    frame = pd.read_csv(repository.folder / "data.csv").rename(columns={"id": "3.10"})
    repository.write_data(frame)

    answer = repository.run("check")

    if answer.code == 2:  # refused with the reason is right as well; another name is not
        assert "model" in answer.said
        assert text in answer.said
    else:
        assert answer.value["model"] == text
        assert answer.code == 0, answer.said


def test_no_python_version_of_ours_is_a_number() -> None:
    """In every YAML file that GitHub reads, ours and the templates'."""
    folders = [ROOT / ".github", ROOT / "actions", *(ROOT / "templates").glob("*/.github")]
    files = [file for folder in folders for file in folder.rglob("*") if file.suffix in {".yml", ".yaml"}]
    assert files

    def versions(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from [item] if key == "python-version" and not isinstance(item, dict | list) else versions(item)
        elif isinstance(value, list):
            for item in value:
                yield from versions(item)

    for file in files:
        for version in versions(yaml.safe_load(file.read_text(encoding="utf-8"))):
            assert isinstance(version, str), f"{file}: {version}"


# 4. A relative change divides by the baseline: with a negative one a worse candidate passes, and so does a NaN.

REGRESSION = Signature(task="regression", inputs=(Column(name="x", kind="number"),))


def judged_by_r2(champion: np.ndarray[Any, Any], challenger: np.ndarray[Any, Any], truth: Any) -> Judgement:
    answers = [Predictions(values=values) for values in (champion, challenger)]
    difference = paired_difference("r2", truth, *answers, REGRESSION, resamples=500, seed=1)
    policy = GateConfig(
        primary=PrimaryConfig(metric="r2", margin=0.01, alpha=0.05), guardrails=(), slices=(), fairness=(), looks=1,
        waivers=(), ships=("first", "superior", "non-inferior"), resamples=500,
    )  # fmt: skip
    evidence = GateEvidence(
        rows=len(truth), measures={"r2": difference.challenger}, baseline=-9.0, champion="a" * 64, champion_problem="",
        withheld="",
        primary=difference, slices=(), validation=(), fairness=(), schema_changes=(), leaks=(), parity_problems=(),
        looks_used=1,
    )  # fmt: skip
    return judge(evidence, policy, on=date(2026, 11, 21))


def test_below_zero_worse_is_still_worse_and_better_still_better() -> None:
    truth = np.random.default_rng(1).normal(size=400)
    bad, worse = truth + 1.3, truth + 1.8

    down = judged_by_r2(bad, worse, truth)
    assert down.primary.champion is not None
    assert down.primary.champion < 0
    assert (down.verdict, down.ships) == ("inferior", False)
    up = judged_by_r2(worse, bad, truth)
    assert (up.verdict, up.ships) == ("superior", True)


def test_a_metric_that_is_no_number_passes_nothing() -> None:
    truth = np.random.default_rng(1).normal(size=400)
    broken = truth.copy()
    broken[3] = np.nan

    assert (judged_by_r2(truth + 1.3, broken, truth).verdict) == "metric-not-finite"
    assert (judged_by_r2(broken, truth, truth).verdict) == "metric-not-finite"


# 5. A missing old metric falls back to a huge number; a model that cannot be loaded scores 999.


@pytest.mark.parametrize("file", [MODEL_FILE, SIGNATURE_FILE])
def test_a_champion_that_cannot_be_loaded_blocks_by_that_name(team: Repository, file: str) -> None:
    digest = champion_of(team).files[file]
    blob = team.store / "blobs" / "sha256" / digest[:2] / digest
    blob.unlink()

    judged = team.run("ci")
    assert (judged.code, judged.value["verdict"], judged.value["ships"]) == (11, "champion-unloadable", False)
    assert judged.value["primary"]["champion"] is None
    before = len(team.run("history").value["events"])
    assert team.run("release").code == 11
    assert len(team.run("history").value["events"]) == before


# 6. The comparison uses a stored number from other data.


def test_stored_metrics_are_never_compared(team: Repository) -> None:
    lock, champion = team.run("train").value["lock"], champion_of(team)
    honest = team.run("evaluate").value
    for name, value in ((champion.lock, 0.9999), (lock, 0.0001)):
        path = candidate_record(team, name)
        record = json.loads(path.read_text())
        assert "roc_auc" in record["metrics"]
        record["metrics"] |= {metric: value for metric in record["metrics"] if "baseline" not in metric}
        path.chmod(0o644)
        path.write_text(json.dumps(record))
    assert team.run("train").value["metrics"]["roc_auc"] == 0.0001, "the tampered record is what is read"

    tampered = team.run("evaluate").value

    assert tampered["verdict"] == honest["verdict"] == "superior"
    assert tampered["primary"] == honest["primary"]
    assert tampered["metrics"] == honest["metrics"]


# 7. The test in staging is an echo.


@contextmanager
def echo() -> Iterator[str]:
    """A service that is content with everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.do_GET()

        def do_GET(self) -> None:
            body = b'{"ready": true, "inputs": [], "predictions": [], "ok": "SUCCESS"}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(socketserver.ThreadingMixIn, HTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def golden(team: Repository) -> tuple[TinyModel, GoldenRows, Release]:
    """The champion's graph with its golden rows, and a release record that says so."""
    champion, registry = champion_of(team), registry_of(team)
    signature = Signature.from_json(registry.get_json(champion.files[SIGNATURE_FILE]))
    graph = registry.get_blob(champion.files[MODEL_FILE])
    model = TinyModel(estimator=None, onnx=graph, signature=signature, frame=pd.DataFrame())
    return model, GoldenRows.from_json(registry.get_json(champion.evidence["golden"])), champion


class NamedRelease(Release):
    """A release that goes by the id that the served process was given."""

    @property
    def id(self) -> str:  # type: ignore[override]
        return RELEASE


def verified(url: str, golden: tuple[TinyModel, GoldenRows, Release]) -> dict[str, bool]:
    model, rows, champion = golden
    release = NamedRelease(**{**champion.to_json(), "model": "delay", "version": 3})
    limits = ParityConfig(atol=1e-5, max_flips=0)
    with HttpScoringClient() as client:
        found = verify(client, url, release=release, signature=model.signature, golden=rows, limits=limits)
    if not found.ok:
        with pytest.raises(VerificationError):
            found.require()
    return {check.name: check.ok for check in found.checks}


def test_the_verification_asks_the_service_and_catches_a_wrong_model(
    team: Repository, golden: tuple[TinyModel, GoldenRows, Release], tmp_path: Path
) -> None:
    model, _, _ = golden
    with served(model, tmp_path / "right") as service:
        assert all(verified(service.url, golden).values())

    better = team.run("train").value["onnx"]
    wrong = replace(model, onnx=registry_of(team).get_blob(better))
    with served(wrong, tmp_path / "wrong") as service:
        found = verified(service.url, golden)
    assert found["health"]
    assert found["metadata"]
    assert not found["golden-rows"]


def test_a_service_that_says_yes_to_everything_is_not_verified(golden: tuple[TinyModel, GoldenRows, Release]) -> None:
    with echo() as url:
        found = verified(url, golden)

    assert not any(found[name] for name in ("metadata", "golden-rows", "contract"))


# 8. Promotion is forced.


def test_no_option_forces_a_promotion(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--force", "--yes", "-f", "-y", "--skip-verification", "--no-approval", "--admin"):
        with pytest.raises(ConfigurationError, match="unrecognized arguments"):
            build_parser().parse_args(["promote", "--to", "production", option])


def test_what_nobody_approved_and_what_was_not_verified_is_not_promoted(team: Repository) -> None:
    """Not by the author, not by a bot, and not what qa has not verified."""
    serving = champion_of(team).id
    released = team.run("release")
    assert released.code == 0, released.said
    number, version = released.value["pull_request"], str(released.value["version"])
    promote = ("promote", "--to", "production", "--version", version)

    assert team.run(*promote).code == 14
    for nobody in ("mlops-ci[bot]", "grace[bot]"):  # who proposed it, and no person either
        approve(team, number, nobody)
        refused = team.run(*promote)
        assert refused.code == 14
        assert f"{nobody} is a bot" in refused.said
    assert champion_of(team).id == serving

    registry = registry_of(team)
    other = replace(registry.release(released.value["release"]), version=99)
    registry.save_release(other)
    by_id = ("promote", "--to", "production", "--release", other.id)
    unknown = team.run(*by_id)
    assert (unknown.code, "is not registered" in unknown.said) == (13, True), unknown.said
    subject = {"release": other.id, "version": 99, "lock": "0" * 64, "commit": other.commit, "verdict": "superior"}
    EventLog(open_store(str(team.store)), SystemClock()).record("late", "registered", subject, actor="somebody")
    unverified = team.run(*by_id)
    assert (unverified.code, "verified in qa" in unverified.said) == (13, True), unverified.said
    assert champion_of(team).id == serving

    before = fingerprint(team.folder / "environments")
    approve(team, number, "Grace")
    done = team.run(*promote)
    assert (done.code, done.value["release"]) == (0, released.value["release"]), done.said
    assert fingerprint(team.folder / "environments") != before
