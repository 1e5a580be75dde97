"""SHAP values of the model that ships, through the library of that name (the extra `shap`)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.errors import ConfigurationError

BACKGROUND = 25
"""Rows that stand for what a column is when it is not known."""
MOST_EXPLAINED, LEAST_EXPLAINED = 200, 20
MOST_SCORED = 400_000
"""Rows that the model is asked about in all, however many columns there are, as long as LEAST_EXPLAINED allow it."""
PERMUTATIONS = 2


class ShapExplainer:
    """Implements `ports.Explainer` with the permutation explainer, which needs nothing of a model but its answers."""

    def __init__(self) -> None:
        if find_spec("shap") is None:
            raise ConfigurationError(
                "train.diagnostics.shap needs the library shap, which is not installed",
                where="mlops.yaml",
                fix="pip install 'mlops-ci[shap]', or remove the key",
            )

    def mean_absolute(
        self,
        predict: Callable[[Mapping[str, NDArray[Any]]], Predictions],
        columns: Mapping[str, NDArray[Any]],
        signature: Signature,
        *,
        seed: int,
    ) -> tuple[dict[str, float], int]:
        encoded, decode = _coded(columns)
        rows = np.random.default_rng(seed).permutation(len(encoded))
        background = encoded[rows[:BACKGROUND]]
        asked_a_row = BACKGROUND * PERMUTATIONS * (2 * len(columns) + 1)
        explained = encoded[rows[: min(max(MOST_SCORED // asked_a_row, LEAST_EXPLAINED), MOST_EXPLAINED)]]

        def answer(coded: NDArray[Any]) -> NDArray[np.float64]:
            answers = predict(decode(coded))
            return answers.scores[:, 1] if signature.task == "binary-classification" else answers.scores

        with warnings.catch_warnings(), _global_generator_restored():
            # It warns of its own use of matplotlib as soon as it is imported.
            warnings.simplefilter("ignore")
            import shap

            masker = shap.maskers.Independent(background, max_samples=BACKGROUND)
            try:
                explainer = shap.explainers.Permutation(answer, masker, seed=seed)
                found = explainer(explained, max_evals=PERMUTATIONS * (2 * len(columns) + 1), silent=True)
            except Exception as error:
                raise ValueError(f"shap cannot explain this model: {type(error).__name__}") from error
        # [rows, columns], or [rows, columns, outputs]: the outputs of several classes count alike
        size = np.abs(np.asarray(found.values, dtype=np.float64)).reshape(len(explained), len(columns), -1)
        return dict(zip(columns, size.mean(axis=(0, 2)).tolist(), strict=True)), len(explained)


@contextmanager
def _global_generator_restored() -> Iterator[None]:
    """The library seeds NumPy's global generator, which is not its own."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def _coded(
    columns: Mapping[str, NDArray[Any]],
) -> tuple[NDArray[np.int64], Callable[[NDArray[Any]], dict[str, NDArray[Any]]]]:
    """The table as whole numbers [rows, columns], since the library knows no texts, and the way back."""
    known, codes = zip(*(np.unique(values, return_inverse=True) for values in columns.values()), strict=True)

    def decode(coded: NDArray[Any]) -> dict[str, NDArray[Any]]:
        places = np.asarray(coded).astype(np.int64)
        return {name: values[places[:, at]] for at, (name, values) in enumerate(zip(columns, known, strict=True))}

    return np.stack(codes, axis=1), decode
