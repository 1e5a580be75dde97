"""A team's small repository for tests of the command line: a CSV, a train.py, a mlops.yaml; Git where it is wanted."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_ci.cli.main import main

ROOT = Path(__file__).parents[2]
CONFIG = """\
schema: 1
model: late
task: binary-classification
data:
  source: data.csv
  target: late
  id: id
split: {strategy: random, holdout: 0.25, seed: 7}
train:
  entrypoint: train:build_model
  params: {C: 1.0}
gate:
  primary: {metric: roc_auc, margin: 0.005, alpha: 0.05}
verification: {rate: 500, duration: 0s, latency_p99_ms: 5000}
environments:
  qa: {target: process}
  production: {target: process, approvals: {required: 0}, rollout: {steps: [100], window: 0s}}
"""
TRAIN = """\
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def build_model(params):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        make_column_transformer((numbers, ["height", "age"]), (OneHotEncoder(handle_unknown="ignore"), ["colour"])),
        LogisticRegression(**params),
    )
"""
REFUSED = TRAIN.replace("SimpleImputer", "KNNImputer")
"""An estimator that is fitted well and cannot be converted."""


def flights(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "height": rng.normal(170, 10, rows).round(1),
            "age": rng.integers(18, 80, rows),
            "colour": rng.choice(["red", "green", "blue"], rows),
        }
    )
    frame["late"] = (frame["height"] + 8 * (frame["colour"] == "red") + rng.normal(0, 5, rows) > 172).astype(int)
    frame.loc[rng.random(rows) < 0.1, "height"] = np.nan
    return frame


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one command said: `value` is its JSON."""

    code: int
    value: dict[str, Any]
    stderr: str

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.value["error"]
        return found

    @property
    def said(self) -> str:
        """Every word of the error, to look for what a person has to be told."""
        return json.dumps(self.value, ensure_ascii=False)


@dataclass(frozen=True)
class Repository:
    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / ".mlops" / "store"

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, before: str, after: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {name}"
        self.write(name, text.replace(before, after))

    def write_data(self, frame: pd.DataFrame) -> None:
        frame.to_csv(self.folder / "data.csv", index=False)

    def run(self, *arguments: str) -> Answer:
        """The command with `--json` in this process."""
        stdout, stderr = io.StringIO(), io.StringIO()
        with redirect_stdout(stdout), redirect_stderr(stderr):
            code = main([*arguments, "--json", "-C", str(self.folder)])
        return Answer(
            code=code, value=json.loads(stdout.getvalue(), parse_constant=_not_json), stderr=stderr.getvalue()
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "mlops_ci", *arguments, "-C", str(self.folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str = "a change") -> None:
        if not (self.folder / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def stop_services(self) -> None:
        from mlops_ci.adapters.process_target import ProcessTarget
        from mlops_ci.cli.console import StderrConsole

        ProcessTarget(self.folder / ".mlops" / "run", console=StderrConsole(quiet=True)).shut_down()

    def fingerprint(self) -> dict[str, str]:
        """Every file of the folder and the store with its digest; unfinished ones, which are hidden, included.

        Not the interpreter's own bytecode, not `.mlops/.gitignore`, which any command may make, and not the report in
        which `ci` says why a model could not be judged.
        """
        return fingerprint(self.folder)


def make_repository(folder: Path) -> Repository:
    repository = Repository(folder)
    repository.write("mlops.yaml", CONFIG)
    repository.write("train.py", TRAIN)
    repository.write_data(flights())
    return repository


def copied(repository: Repository, folder: Path) -> Repository:
    shutil.copytree(repository.folder, folder)
    return Repository(folder)


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not {"__pycache__", ".git"} & set(path.parts)
        and path.name not in {".gitignore", "report.md", "report.html"}
    }


def _not_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
