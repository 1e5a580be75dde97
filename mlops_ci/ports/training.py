"""What trains a model, makes a graph of it, asks the graph, and looks into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ci.core.predictions import Predictions
    from mlops_ci.core.signature import Signature
    from mlops_ci.core.thresholds import TreesInGraph
    from mlops_ci.core.tracking import TrackedRun


class Engine(Protocol):
    """Where the fits of a search run. What they answer does not depend on it, nor on how many run side by side."""

    @property
    def name(self) -> str:
        """As people are told it: `2 processes`, `Dask at tcp://host:8786`."""

    def threads(self, count: int) -> AbstractContextManager[None]:
        """Until the block ends numeric libraries use exactly that many threads in this process, on any machine."""

    def started(
        self, function: Callable[[Path, Shared, Item], Result], shared: Shared, *, root: Path
    ) -> AbstractContextManager[Callable[[Sequence[Item]], Iterator[tuple[int, Result]]]]:
        """Something that runs `function(folder, shared, item)` for each item; gives (position, answer) as they come.

        `folder` is where the team's code is found there: `root`, or a copy of it. Each item has one thread and a
        process to itself. `shared` goes to each process once. Raises OutsideError where the engine fails, and lets no
        process of its own outlive the block.
        """


class Exporter(Protocol):
    """Turns a fitted scikit-learn estimator into an ONNX graph."""

    def export(self, estimator: Any, signature: Signature) -> bytes:
        """The same bytes for the same estimator. Raises ParityError with the reason and what to use instead."""

    def trees(self, graph: bytes) -> TreesInGraph | None:
        """The trees in such a graph and what comes before them; None where there are none."""


class ModelRuntime(Protocol):
    """Runs ONNX graphs."""

    def load(self, onnx: bytes, signature: Signature) -> LoadedModel:
        """Raises ValueError with the runtime's reason where the graph does not load or does not fit the signature."""

    def function(self, onnx: bytes) -> Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]:
        """Any graph with columns for inputs, as a function to its outputs by name; both may raise ValueError."""


class LoadedModel(Protocol):
    def predict(self, columns: Mapping[str, NDArray[Any]]) -> Predictions:
        """Answers rows given as one 1-D array a column: float64 for a number, object (str) for a text."""


class Explainer(Protocol):
    """Says how much each column moves a model's answers: SHAP values."""

    def mean_absolute(
        self,
        predict: Callable[[Mapping[str, NDArray[Any]]], Predictions],
        columns: Mapping[str, NDArray[Any]],
        signature: Signature,
        *,
        seed: int,
    ) -> tuple[dict[str, float], int]:
        """The mean absolute SHAP value by column, over some of the rows, and how many; in units of the answers.

        Explained are the second class's probability, the mean over all classes where there are more, or the value.
        Raises ValueError where that fails.
        """


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How often the truth lay in what was predicted at `level`: for a regression in an interval, of `width` on
    average; for a classification in a set of classes, of `width` classes on average."""

    method: str
    level: float
    rows: int
    coverage: float
    width: float


class Conformal(Protocol):
    """Prediction intervals, or sets of classes, that hold the truth as often as they promise."""

    def coverage(
        self,
        calibration: tuple[NDArray[Any], Predictions],
        test: tuple[NDArray[Any], Predictions],
        signature: Signature,
        *,
        level: float,
    ) -> Coverage:
        """Learns their width from the truth and the answers for one part, and measures it on the other.

        The model must have learned from neither. Raises ValueError where there are too few rows for the level.
        """


class Tracker(Protocol):
    """An experiment tracker, which is told of what was judged and never asked."""

    def record(self, run: TrackedRun) -> None:
        """Never raises and never takes long: what fails is said on the console."""
