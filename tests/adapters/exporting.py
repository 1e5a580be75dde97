"""Estimators fitted, exported and asked: natively, and as graphs in the runtime that serves them."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from mlops_ci.adapters.onnx_export import SklearnExporter
from mlops_ci.core.signature import Column, Signature, Task
from mlops_ci.scoring.model import OnnxRuntime

Data = tuple[pd.DataFrame, Any]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Of the graph's answers from the native ones: of numbers relative to them, where they are larger than 1."""

    largest: float
    flips: int


def exported(estimator: Any, frame: pd.DataFrame) -> tuple[bytes, Signature]:
    task: Task = "regression"
    if is_classifier(estimator):
        task = "binary-classification" if len(estimator.classes_) == 2 else "multiclass-classification"
    inputs = tuple(Column(name=str(name), kind="number" if frame[name].dtype.kind == "f" else "text") for name in frame)
    classes = () if task == "regression" else tuple(np.asarray(estimator.classes_).tolist())
    signature = Signature(task=task, inputs=inputs, classes=classes)
    return SklearnExporter().export(estimator, signature), signature


def difference(estimator: Any, asked: pd.DataFrame) -> Difference:
    """Of a fitted estimator, on these rows."""
    graph, signature = exported(estimator, asked)
    found = OnnxRuntime().load(graph, signature).predict({name: asked[name].to_numpy() for name in asked})
    if signature.task == "regression":
        native = np.asarray(estimator.predict(asked), dtype=np.float64).reshape(-1)
        assert found.values is not None
        return Difference(largest=float((abs(native - found.values) / np.maximum(1.0, abs(native))).max()), flips=0)
    native = np.asarray(estimator.predict_proba(asked), dtype=np.float64)
    labels = np.asarray(estimator.predict(asked))
    if signature.task == "binary-classification":
        labels = np.asarray(estimator.classes_)[(native[:, 1] >= 0.5).astype(int)]
    assert found.labels is not None
    assert found.probabilities is not None
    flips = sum(str(a) != str(b) for a, b in zip(labels.tolist(), found.labels.tolist(), strict=True))
    return Difference(largest=float(abs(native - found.probabilities).max()), flips=flips)


def fitted(estimator: Any, data: Data) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(*data)


def with_holes(frame: pd.DataFrame, share: float = 0.2, seed: int = 0) -> pd.DataFrame:
    return frame.mask(np.random.default_rng(seed).random(frame.shape) < share)


@functools.cache
def two_classes() -> Data:
    data = load_breast_cancer(as_frame=True)
    return data.data.iloc[:, :8].astype(float), data.target.to_numpy(np.int64)


@functools.cache
def three_classes() -> Data:
    """Labels are texts."""
    data = load_wine(as_frame=True)
    return data.data.astype(float), np.array(["barolo", "grignolino", "barbera"], dtype=object)[data.target.to_numpy()]


@functools.cache
def numbers() -> Data:
    data = load_diabetes(as_frame=True)
    return data.data.astype(float), data.target.to_numpy(float)


def data_for(estimator: Any) -> list[Data]:
    return [two_classes(), three_classes()] if is_classifier(estimator) else [numbers()]
