"""One cell of the table: an estimator behind a preprocessing, fitted, exported, and both asked about the same rows."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from mlops_ci.adapters.onnx_export import SklearnExporter
from mlops_ci.core.adversarial import changes
from mlops_ci.core.parity import differences
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import answer_apart, probe
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import ParityError
from mlops_ci.scoring.model import OnnxRuntime
from tests.estimators.data import Rows
from tests.estimators.estimators import ESTIMATORS
from tests.estimators.preprocessing import Kind

Verdict = Literal["exact", "within", "refused", "unfit", "WRONG"]
"""`unfit`: there is nothing to compare, because the native model cannot be fitted to these data."""
EXACT, TOLERANCE = 1e-6, 1e-5
"""A probability may differ by so much, a number by so much times the larger of 1 and itself; no label may differ."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """`reason`: why it is refused, or what is wrong; `difference`: the largest one; `seconds`: what converting took."""

    verdict: Verdict
    reason: str = ""
    instead: str = ""
    difference: float = 0.0
    seconds: float = 0.0


class Bench:
    """Fits each preprocessing once, with and without the numbers filled in, and puts the estimators behind it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._fitted: dict[tuple[int, bool, str], tuple[Any, Any]] = {}
        self._takes_missing: dict[str, bool] = {}

    def cell(self, name: str, kind: Kind) -> Cell:
        """Fits, exports and compares."""
        target, make = ESTIMATORS[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                before, table = self._before(kind, target, filled=not self._takes(name))
                estimator = make().fit(table, self._rows.targets[target])
            except ValueError as error:  # LinAlgError is one
                return Cell(verdict="unfit", reason=f"natively: {' '.join(str(error).split())[:200]}")
            whole = Pipeline([("before", before), ("estimator", estimator)])
            return self._judged(whole, classifier=target == "two classes")

    def _judged(self, estimator: Any, *, classifier: bool) -> Cell:
        rows = self._rows.holdout
        inputs = tuple(Column(name=c, kind="number" if rows[c].dtype.kind == "f" else "text") for c in rows)
        signature = Signature(
            task="binary-classification" if classifier else "regression",
            inputs=inputs,
            classes=tuple(estimator.classes_.tolist()) if classifier else (),
        )
        started = time.perf_counter()
        try:
            graph = SklearnExporter().export(estimator, signature)
        except ParityError as error:
            reason = error.what.removeprefix("cannot be converted to ONNX: ")
            return Cell(verdict="refused", reason=reason, instead=error.fix)
        seconds = time.perf_counter() - started

        def ask(columns: Mapping[str, Any]) -> Predictions:
            frame = pd.DataFrame(dict(columns))
            if not classifier:
                return Predictions(values=np.asarray(estimator.predict(frame), dtype=np.float64).reshape(-1))
            probabilities = np.asarray(estimator.predict_proba(frame), dtype=np.float64)
            return Predictions(labels=estimator.classes_[(probabilities[:, 1] >= 0.5) * 1], probabilities=probabilities)

        columns = {name: rows[name].to_numpy() for name in rows}
        native, refused = answer_apart(ask, columns, signature)
        if refused.any():
            return Cell(verdict="unfit", reason=f"the native model does not answer {refused.sum()} rows of the holdout")
        probes = probe(columns, changes(columns, inputs), ask, signature)
        probes = probes.take(probes.answered)
        try:
            model = OnnxRuntime().load(graph, signature)
            found = [
                differences(native, model.predict(columns), atol=TOLERANCE),
                differences(probes.answers, model.predict(probes.columns), atol=TOLERANCE),
            ]
        except ValueError as error:
            return Cell(verdict="WRONG", reason=str(error), seconds=seconds)
        difference = float(max(part.distance.max() for part in found))
        offending = found[1].over | found[1].flipped
        if found[0].over.any() or found[0].flipped.any() or offending.any():
            made = sorted({f"{probes.kinds[row]} {'+'.join(probes.changes[row])}" for row in np.flatnonzero(offending)})
            holdout = int((found[0].over | found[0].flipped).sum())
            reason = f"{holdout} rows of the holdout; {int(offending.sum())} made ones: {', '.join(made)[:300]}"
            return Cell(verdict="WRONG", reason=reason, difference=difference, seconds=seconds)
        return Cell(verdict="exact" if difference <= EXACT else "within", difference=difference, seconds=seconds)

    def _before(self, kind: Kind, target: Any, *, filled: bool) -> tuple[Any, Any]:
        key = (id(kind), filled, target)
        if key not in self._fitted:
            transformer = kind.transformer(self._rows, filled=filled)
            # `fit` and then `transform`, as it will be asked: TargetEncoder's `fit_transform` makes other numbers
            transformer.fit(self._rows.training, self._rows.targets[target])
            self._fitted[key] = transformer, transformer.transform(self._rows.training)
        return self._fitted[key]

    def _takes(self, name: str) -> bool:
        """Whether the estimator takes missing numbers as they are."""
        if name not in self._takes_missing:
            target, make = ESTIMATORS[name]
            numbers = self._rows.training[self._rows.numbers].to_numpy()
            try:
                make().fit(numbers, self._rows.targets[target])
                self._takes_missing[name] = True
            except ValueError:
                self._takes_missing[name] = False
        return self._takes_missing[name]
