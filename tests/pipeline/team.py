"""A team's folder for tests: real files, real adapters, and a configuration without a mlops.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_ci.adapters.data_files import LocalDataFiles
from mlops_ci.adapters.installed import InstalledPackages
from mlops_ci.adapters.local_engine import LocalEngine
from mlops_ci.adapters.object_store import open_store
from mlops_ci.adapters.onnx_export import SklearnExporter
from mlops_ci.adapters.user_code import PythonUserCode
from mlops_ci.config.diagnostics import DiagnosticsConfig
from mlops_ci.config.schema_types import ColumnSchema, DataSchema
from mlops_ci.config.types import (
    CardConfig,
    DataConfig,
    GateConfig,
    ModelConfig,
    MonitorConfig,
    ParityConfig,
    PrimaryConfig,
    RetrainConfig,
    SplitConfig,
    TrainConfig,
    VerificationConfig,
)
from mlops_ci.core.serving import ServingConfig
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.train import TrainResult, train
from mlops_ci.scoring.model import OnnxRuntime

LOGISTIC = """\
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


def people(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """A small table with an id, a moment, a group, missing numbers and missing texts."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "when": pd.date_range("2026-01-01", periods=rows, freq="h"),
            "city": rng.choice(["Rome", "Oslo", "Bern", "Graz", "Lyon"], rows),
            "height": rng.normal(170, 10, rows).round(1),
            "age": rng.integers(18, 80, rows),
            "colour": rng.choice(["red", "green", "blue"], rows),
        }
    )
    frame["late"] = (frame["height"] + 8 * (frame["colour"] == "red") + rng.normal(0, 5, rows) > 172).astype(int)
    frame.loc[rng.random(rows) < 0.1, "height"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "colour"] = None
    return frame


class Listener:
    """A console that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def working(self, what: str) -> AbstractContextManager[None]:
        self.said.append(what)
        return nullcontext()


class Ticking:
    """A clock on which every look takes one second; its day goes on only where the day is asked for."""

    def __init__(self) -> None:
        self._seconds = self._looks = 0

    def now(self) -> datetime:
        self._seconds += 1
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        self._looks += 1
        return float(self._looks)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here should have to wait")


@dataclass
class Team:
    """The folder, what is configured for it, and the store beside it."""

    root: Path
    config: ModelConfig
    data: LocalDataFiles = field(default_factory=LocalDataFiles)
    code: PythonUserCode = field(default_factory=PythonUserCode)
    console: Listener = field(default_factory=Listener)

    @property
    def registry(self) -> Registry:
        return Registry(open_store(str(self.root.parent / "store")))

    @property
    def stored(self) -> list[Path]:
        return [path for path in (self.root.parent / "store").rglob("*") if path.is_file()]

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def write_data(self, frame: pd.DataFrame) -> None:
        frame.to_csv(self.root / "data.csv", index=False)

    def set(self, **changes: Any) -> None:
        """Changes fields of the configuration: `data__target="x"`, `split__seed=3`, `task="regression"`."""
        for key, value in changes.items():
            part, _, name = key.partition("__")
            if name:
                value = replace(getattr(self.config, part), **{name: value})  # noqa: PLW2901
            self.config = replace(self.config, **{part: value})

    def train(self, **changes: Any) -> TrainResult:
        ports: dict[str, Any] = {
            "data": self.data,
            "user_code": self.code,
            "installed": InstalledPackages(),
            "exporter": SklearnExporter(),
            "runtime": OnnxRuntime(),
            "engine": LocalEngine(1),
            "registry": self.registry,
            "console": self.console,
            "clock": Ticking(),
            "commit": "c" * 40,
        }
        return train(self.config, **{**ports, **changes})


def make_team(folder: Path, frame: pd.DataFrame | None = None, source: str = LOGISTIC) -> Team:
    root = folder / "model"
    root.mkdir()
    team = Team(root=root, config=make_config(root))
    team.write_data(people() if frame is None else frame)
    team.write("train.py", source)
    return team


def make_config(root: Path) -> ModelConfig:
    return ModelConfig(
        root=root,
        path=root / "mlops.yaml",
        model="late",
        task="binary-classification",
        data=DataConfig(
            source="data.csv", target="late", id="id", time="when", group="city", features=(), schema=None, prepare=None
        ),
        split=SplitConfig(strategy="random", holdout=0.2, seed=7),
        train=TrainConfig(
            entrypoint="train:build_model",
            params={"C": 1.0},
            search=None,
            engine="local",
            seed=3,
            threads=1,
            diagnostics=DiagnosticsConfig(),
        ),
        gate=GateConfig(
            primary=PrimaryConfig(metric="roc_auc", margin=0.0, alpha=0.05),
            guardrails=(),
            slices=(),
            fairness=(),
            looks=20,
            waivers=(),
            ships=("first", "superior"),
            resamples=200,
        ),
        parity=ParityConfig(atol=1e-5, max_flips=0),
        card=CardConfig(description="", owners=(), intended_use="", out_of_scope="", limitations=""),
        image=None,
        verification=VerificationConfig(),
        serving=ServingConfig(),
        environments=(),
        monitor=MonitorConfig(window=timedelta(days=7), false_alarms_per_month=1.0, min_rows=200),
        retrain=RetrainConfig(schedule=None, on=(), cooldown=timedelta(days=1)),
    )


def schema(columns: Mapping[str, Mapping[str, Any]], **rows: int) -> DataSchema:
    return DataSchema(
        path="data.schema.yaml",
        columns=tuple(ColumnSchema(name=name, **each) for name, each in columns.items()),
        **rows,
    )
