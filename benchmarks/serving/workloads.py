"""What the services are asked: models that are trained once, their graphs, and rows that were not trained on.

- `pipeline`: 15 numbers and 5 texts; imputer, one-hot encoder, histogram gradient boosting. Made-up rows, where some
  numbers are missing in training but none in the requests: not every peer takes a missing value.
- `light`: 30 numbers (scikit-learn's breast cancer data); scaler and logistic regression.
- `forest`: 30 made-up numbers; 500 deep trees, for what a slow model does to small requests.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import parallel_config
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_ci.adapters.onnx_export import SklearnExporter
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE
from mlops_ci.core.signature import Column, Signature

ROWS = 512
"""Rows to ask about: 64 requests of one row, 16 of 32 rows."""
PICKLE, PACKED = "model.pickle", "packed.onnx"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """`folder` holds the model as each contender wants it; `expected` is scikit-learn's answer for each of `rows`."""

    name: str
    signature: Signature
    folder: Path
    rows: pd.DataFrame
    expected: Sequence[float]

    def requests(self, size: int) -> list[pd.DataFrame]:
        """The rows as requests of `size` rows, up to 64 of them."""
        count = min(64, ROWS // size)
        return [self.rows.iloc[start * size : (start + 1) * size] for start in range(count)]


def make(name: str, folder: Path) -> Workload:
    """Trains the model and writes it: as a pickle, as our graph, and where all is numbers as a graph of one matrix."""
    data, target, estimator = MAKERS[name]()
    train, rows = data.iloc[ROWS:], data.iloc[:ROWS].reset_index(drop=True)
    with parallel_config(backend="threading", n_jobs=-1):
        estimator.fit(train, target[ROWS:])
    kinds = {column: "number" if data[column].dtype.kind == "f" else "text" for column in data}
    signature = Signature(
        task="binary-classification",
        inputs=tuple(Column(name=column, kind=kind) for column, kind in kinds.items()),  # type: ignore[arg-type]
        classes=(0, 1),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(SklearnExporter().export(estimator, signature))
    (folder / SIGNATURE_FILE).write_text(json.dumps(signature.to_json()))
    (folder / PICKLE).write_bytes(pickle.dumps(estimator))
    if "text" not in kinds.values():
        (folder / PACKED).write_bytes(_packed(estimator, len(kinds)))
    expected = estimator.predict_proba(rows)[:, 1].tolist()
    return Workload(name=name, signature=signature, folder=folder, rows=rows, expected=expected)


def _packed(estimator: Any, width: int) -> bytes:
    """What users of onnxruntime make of a model of numbers: one input for all columns, which is faster than ours."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kind = DoubleTensorType if isinstance(estimator[-1], LogisticRegression) else FloatTensorType
    graph = to_onnx(estimator, initial_types=[("X", kind([None, width]))], options={"zipmap": False})
    return bytes(graph.SerializeToString())


def _pipeline() -> tuple[pd.DataFrame, Any, Any]:
    rng = np.random.default_rng(1)
    count = ROWS + 10_000
    columns: dict[str, Any] = {f"number_{i:02}": rng.normal(size=count).round(4) for i in range(15)}
    effects = [rng.normal(size=size) for size in (3, 5, 8, 12, 20)]
    codes = [rng.integers(0, len(effect), count) for effect in effects]
    for i, code in enumerate(codes):
        columns[f"text_{i}"] = np.array([f"category {i}.{value}" for value in code], dtype=object)
    data = pd.DataFrame(columns).astype({f"text_{i}": object for i in range(5)})
    signal = sum(data[f"number_{i:02}"] * (i % 4) / 3 for i in range(15))
    signal += sum(effect[code] for effect, code in zip(effects, codes, strict=True))
    target = (signal + rng.normal(size=count) > 0).astype(np.int64).to_numpy()
    numbers = [name for name in data if name.startswith("number")]
    missing = rng.random((count - ROWS, len(numbers))) < 0.05
    data.loc[ROWS:, numbers] = data.loc[ROWS:, numbers].mask(missing)
    texts = [name for name in data if name.startswith("text")]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer((SimpleImputer(strategy="median"), numbers), (encoder, texts))
    return data, target, make_pipeline(prepare, HistGradientBoostingClassifier(random_state=1))


def _numbers() -> tuple[pd.DataFrame, Any]:
    """The real rows several times over, so that as many are left to train on as are asked about."""
    found = load_breast_cancer(as_frame=True)
    data = found.data.rename(columns=lambda name: name.replace(" ", "_")).astype("float64")
    order = np.concatenate([np.random.default_rng(seed).permutation(len(data)) for seed in (1, 2)])
    return data.iloc[order].reset_index(drop=True), found.target.to_numpy()[order].astype(np.int64)


def _light() -> tuple[pd.DataFrame, Any, Any]:
    return *_numbers(), make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _forest() -> tuple[pd.DataFrame, Any, Any]:
    """Trees as deep as they grow on a noisy target."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.normal(size=(ROWS + 5_000, 30)).round(3), columns=[f"number_{i:02}" for i in range(30)])
    target = (data.to_numpy()[:, :5].sum(axis=1) + 3 * rng.normal(size=len(data)) > 0).astype(np.int64)
    # 4 columns a split: half the time of the default, and trees that are no smaller
    return data, target, make_pipeline(RandomForestClassifier(500, max_features=4, random_state=1))


MAKERS: dict[str, Callable[[], tuple[pd.DataFrame, Any, Any]]] = {
    "pipeline": _pipeline,
    "light": _light,
    "forest": _forest,
}
