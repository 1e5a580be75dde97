"""Compares what the model sees now with what it was trained on, window by window, at a stated rate of false alarms."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.types import MonitorConfig
from mlops_ci.core.drift import MONDAY, FeatureDrift, compare, window_numbers
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.live_performance import KEPT_WINDOWS, REMEMBERED, Actuals, Performance, live_performance

MONTH = timedelta(days=30)
LARGEST_ALPHA = 0.05
"""Of one window, whatever number of false alarms somebody would put up with."""
__all__ = ["PREDICTION", "Actuals", "MonitorResult", "Window", "monitor", "prediction_column"]
PREDICTION = "(prediction)"
"""The name of the answers' own column in a profile; no column of a table is likely to be called so."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of time, `end` excluded. `judged` says whether it has rows enough; `drifted` names what moved in it."""

    start: str | None
    end: str | None
    rows: int
    judged: bool
    drifted: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MonitorResult:
    """`features` are those of the latest window that could be judged; empty where none could."""

    windows: tuple[Window, ...]
    features: tuple[FeatureDrift, ...]
    alarm: bool
    expected_false_alarms_per_month: float
    performance: Performance | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def sentence(self) -> str:
        """The result as it is told to a person, with the rate of false alarms beside it."""
        judged = [window for window in self.windows if window.judged]
        rate = self.expected_false_alarms_per_month
        often = f"expect at most {rate:.2g} false alarm{'' if rate <= 1 else 's'} in 30 days"
        if not judged:
            return f"Nothing could be judged: no window has enough rows ({often})."
        moved = [feature.name for feature in self.features if feature.alarm]
        if self.performance is not None and self.performance.alarm:
            moved.append(f"the performance ({self.performance.metric})")
        since = f" in the window from {judged[-1].start}" if judged[-1].start else ""
        if moved:
            shown = ", ".join(moved[:10]) + (f" and {len(moved) - 10} more" if len(moved) > 10 else "")
            return f"ALARM: {shown} moved away from the training data{since} ({often})."
        return f"No alarm: none of {len(self.features)} columns moved for good{since} ({often})."


def monitor(
    reference: Mapping[str, Any],
    columns: Mapping[str, NDArray[Any]],
    times: NDArray[Any] | None,
    config: MonitorConfig,
    *,
    actuals: Actuals | None = None,
    unwatched: Collection[str] = (),
    seed: int = 0,
) -> MonitorResult:
    """Judges each calendar window of `config.window`; all arrays have one entry a row.

    `reference` is a profile of `core.drift`, `columns` are canonical, `times` datetime64 in UTC. Columns whose values
    are not kept are `unwatched`, and the notes name them. Without times all rows are one window. A feature alarms if it
    drifted in the latest window with at least `min_rows` rows and in one more of the last five such windows (without
    times there is only the one to go by). Each window may raise false alarms as rarely as `false_alarms_per_month`
    divides among a month's windows, columns and the performance together.
    """
    watched = {name: described for name, described in reference["columns"].items() if name not in unwatched}
    left_out = [name for name in reference["columns"] if name in unwatched]
    reference = {**reference, "columns": watched}
    rows = len(times) if times is not None else len(next(iter(columns.values()))) if columns else 0
    per_month = MONTH / config.window
    family = min(config.false_alarms_per_month / per_month, LARGEST_ALPHA)
    # each column and the performance have the same share of it
    share = family / max(1, len(reference["columns"]) + (actuals is not None))
    parts = _windows(times, rows, config.window)
    judged = [part for part in parts if len(part.indices) >= config.min_rows]
    found = [_drift(reference, columns, part.indices, share * len(reference["columns"])) for part in judged]
    performance = None
    if actuals is not None:
        of_windows = [(part.start, part.indices) for part in judged]
        performance = live_performance(actuals, of_windows, min_rows=config.min_rows, alpha=share, seed=seed)
    features = tuple(_alarms(found, alone=times is None))
    drifted = {
        id(part): tuple(one.name for one in drift if one.alarm) for part, drift in zip(judged, found, strict=True)
    }
    return MonitorResult(
        windows=tuple(
            Window(
                start=part.start,
                end=part.end,
                rows=len(part.indices),
                judged=id(part) in drifted,
                drifted=drifted.get(id(part), ()),
            )
            for part in parts[-KEPT_WINDOWS:]
        ),
        features=features,
        alarm=any(feature.alarm for feature in features) or (performance is not None and performance.alarm),
        expected_false_alarms_per_month=family * per_month,
        performance=performance,
        notes=(
            *_notes(parts, judged, reference, config),
            *(f"{name} is not watched, because its values are not kept." for name in left_out),
        ),
    )


def prediction_column(predictions: Predictions, signature: Signature) -> tuple[Column, NDArray[Any]]:
    """The answers as one more column to profile and to compare: the number that they are made of, or else the label."""
    if signature.task == "multiclass-classification":
        labels = [] if predictions.labels is None else predictions.labels.tolist()
        return Column(name=PREDICTION, kind="text"), np.array([str(label) for label in labels], dtype=object)
    return Column(name=PREDICTION, kind="number"), predictions.scores[:, -1]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    start: str | None
    end: str | None
    indices: NDArray[np.int64]


def _windows(times: NDArray[Any] | None, rows: int, length: timedelta) -> list[_Part]:
    """The windows that hold any rows, the oldest first."""
    if not rows:
        return []
    if times is None:
        return [_Part(start=None, end=None, indices=np.arange(rows))]
    numbers = window_numbers(times, length)
    if numbers is None:
        fix = "declare a column of timestamps as data.time"
        raise DataGateError("windows need moments in time, not numbers", where="mlops.yaml data.time", fix=fix)
    order = np.argsort(numbers, kind="stable")
    distinct, starts = np.unique(numbers[order], return_index=True)
    return [
        _Part(
            start=_moment(MONDAY + int(number) * length),
            end=_moment(MONDAY + (int(number) + 1) * length),
            indices=inside,
        )
        for number, inside in zip(distinct, np.split(order, starts[1:]), strict=True)
    ]


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _drift(
    reference: Mapping[str, Any], columns: Mapping[str, NDArray[Any]], indices: NDArray[np.int64], alpha: float
) -> list[FeatureDrift]:
    inside = {name: values[indices] for name, values in columns.items()}
    return compare(reference, inside, rows=len(indices), alpha=alpha)


def _alarms(found: Sequence[Sequence[FeatureDrift]], *, alone: bool) -> list[FeatureDrift]:
    """The latest window's features; what drifted in it alone is no alarm yet, unless there are no windows in time."""
    if not found:
        return []
    before = {one.name for window in found[-REMEMBERED:-1] for one in window if one.alarm}
    return [replace(one, alarm=one.alarm and (alone or one.name in before)) for one in found[-1]]


def _notes(
    parts: Sequence[_Part], judged: Sequence[_Part], reference: Mapping[str, Any], config: MonitorConfig
) -> Iterator[str]:
    small = [part for part in parts if len(part.indices) < config.min_rows]
    if parts and parts[0].start is None:
        yield "There is no data.time, so all rows are one window, and that one alone decides."
    elif len(judged) == 1:
        yield "There is only one window with enough rows; an alarm needs two, so that a lone blip is none."
    if not reference["windows"]:
        yield (
            "The training data hold too few windows to learn from how much windows vary anyway, so rows are taken for "
            "independent; where they are not, false alarms are more frequent than stated."
        )
    elif reference["window_seconds"] != config.window.total_seconds():
        learnt = timedelta(seconds=reference["window_seconds"])
        yield (
            f"How much windows vary anyway was learnt from windows of {learnt}, not of {config.window}; train again to "
            "learn it from these."
        )
    if small:
        first = ", ".join(f"{part.start or 'all rows'} ({len(part.indices)})" for part in small[-5:])
        what = "window was" if len(small) == 1 else "windows were"
        yield f"{len(small)} {what} too small to judge, with fewer than {config.min_rows} rows: {first}."
    if len(parts) > KEPT_WINDOWS:
        yield f"{len(parts) - KEPT_WINDOWS} older windows were compared but are not listed."
