"""Fits the model in this process and asks it all that only the native model can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.errors import ParityError
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.estimator import build_estimator, fit_estimator, fitted_classes, native_predictions
from mlops_ci.pipeline.search import search
from mlops_ci.pipeline.trial import with_params
from mlops_ci.ports import Clock, Console, Engine, Exporter, ModelRuntime, UserCode


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted estimator, to be asked only inside the session of the team's code in which it was fitted.

    `config` is the configuration whose `train.params` it was built with: after a search, the best ones. `answers` are
    its own for the holdout. `graph` is its ONNX form; None where it cannot be converted, and `refusal` says why.
    """

    config: ModelConfig
    estimator: Any = field(repr=False)
    signature: Signature
    answers: Predictions = field(repr=False)
    graph: bytes | None = field(repr=False)
    refusal: str
    search: Mapping[str, Any] | None = None
    """What the search over hyperparameters found; None where none was asked for."""


def fit(
    config: ModelConfig,
    rows: Dataset,
    holdout: Dataset,
    *,
    user_code: UserCode,
    exporter: Exporter,
    runtime: ModelRuntime,
    engine: Engine,
    console: Console,
    clock: Clock,
) -> Fitted:
    """The estimator fitted on `rows`, with the best parameters of the search where one is declared.

    Raises ConfigurationError for code that does not work.
    """
    found = None
    if chosen := config.train.search:
        found = search(config, chosen, rows, user_code=user_code, engine=engine, console=console, clock=clock)
        config = with_params(config, found["best_params"])
    estimator = fit_estimator(build_estimator(config, user_code, console), rows, config, user_code, console)
    signature = Signature(task=config.task, inputs=rows.inputs, classes=fitted_classes(estimator, config.task))
    answers = native_predictions(estimator, holdout, signature, config, user_code)
    with console.working(f"converting {config.model} to ONNX"):
        graph, refusal = _export(estimator, signature, exporter, runtime, console)
    return Fitted(
        config=config,
        estimator=estimator,
        signature=signature,
        answers=answers,
        graph=graph,
        refusal=refusal,
        search=found,
    )


def _export(
    estimator: Any, signature: Signature, exporter: Exporter, runtime: ModelRuntime, console: Console
) -> tuple[bytes | None, str]:
    """The graph, once the runtime has loaded it, or the reason why there is none."""
    try:
        graph = exporter.export(estimator, signature)
        runtime.load(graph, signature)
        return graph, ""
    except ParityError as error:
        refusal = f"{error.where}: {error.what}\nfix: {error.fix}"
    except ValueError as error:
        refusal = f"{type(estimator).__name__}: {error}"
    console.warn(refusal)
    return None, refusal
