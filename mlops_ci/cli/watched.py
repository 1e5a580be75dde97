"""What `monitor` looks at: a table of newer data, or what users sent and were answered by the prediction logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.context import Context
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Release
from mlops_ci.core.signature import Signature
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.canonical import canonical_columns, canonical_target, canonical_times
from mlops_ci.pipeline.dataset import prepare
from mlops_ci.pipeline.known_actuals import known_actuals, texts_of_actuals
from mlops_ci.pipeline.logged_rows import LogSummary, logged_rows
from mlops_ci.pipeline.monitor import Actuals

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """Canonical columns with one entry a row; `times` and `actuals` are None where there are none."""

    columns: Mapping[str, NDArray[Any]]
    times: NDArray[Any] | None
    actuals: Actuals | None
    unwatched: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    log: LogSummary | None = None


def table_as_watched(context: Context, config: ModelConfig, release: Release, source: str | None) -> Watched:
    """The table as training would read it; the model is asked where the table has the target."""
    signature = _signature(context, release)
    frame = context.data.read(source or config.data.source, context.directory if source else config.root)
    with context.user_code.session(config.root):
        frame = prepare(frame, config, context.user_code)
    missing = [column.name for column in signature.inputs if column.name not in frame.columns]
    if missing:
        raise DataGateError(
            f"columns that the model reads are missing: {', '.join(missing)}", where=source or config.data.source
        )
    time, columns = config.data.time, canonical_columns(frame, signature.inputs)
    return Watched(
        columns=columns,
        times=canonical_times(frame[time]) if time and time in frame.columns else None,
        actuals=_actuals_of_table(context, config, release, signature, frame, columns),
    )


def log_as_watched(
    context: Context, config: ModelConfig, release: Release, entries: Iterable[LogEntry], actuals: str | None
) -> Watched:
    """What users sent, whichever release answered; and how well this release did, where actuals are named."""
    signature = _signature(context, release)
    logged = logged_rows(entries, signature, release=release.id)
    summary = logged.summary
    notes = [_about(summary)]
    if summary.left_out:
        notes.append(f"{summary.left_out} rows are left out: they lack a column that this release reads.")
    judged = None
    if actuals is not None:
        target = config.data.target
        table = context.data.read(actuals, context.directory, texts=texts_of_actuals(target, signature))
        known = known_actuals(logged, table, target=target, signature=signature)
        notes += known.notes
        judged = _actuals(
            context, config, release, signature, truth=known.truth, known=known.known, predictions=logged.predictions
        )
    return Watched(
        columns=logged.columns,
        times=logged.times,
        actuals=judged,
        unwatched=summary.redacted,
        notes=tuple(notes),
        log=summary,
    )


def _about(log: LogSummary) -> str:
    requests = "1 request" if log.requests == 1 else f"{log.requests} requests"
    said = f"The log holds {requests} of users with {log.rows} rows"
    if log.estimated_requests == log.requests:
        return f"{said}."
    dropped = f", and {log.dropped} could not be written" if log.dropped else ""
    return f"{said}, of about {log.estimated_requests} that were answered: it keeps a sample{dropped}."


def _actuals_of_table(
    context: Context,
    config: ModelConfig,
    release: Release,
    signature: Signature,
    frame: DataFrame,
    columns: Mapping[str, NDArray[Any]],
) -> Actuals | None:
    """What came true, where the data have the target already."""
    if config.data.target not in frame.columns:
        return None
    known = frame[config.data.target].notna().to_numpy()
    if not known.any():
        return None
    import numpy as np

    target, _ = canonical_target(frame.loc[known, config.data.target], config.task)
    truth = np.zeros(len(frame), dtype=target.dtype)
    truth[known] = target
    model = context.runtime.load(context.registry.get_blob(release.files[MODEL_FILE]), signature)
    predictions = model.predict(columns)
    return _actuals(context, config, release, signature, truth=truth, known=known, predictions=predictions)


def _actuals(
    context: Context,
    config: ModelConfig,
    release: Release,
    signature: Signature,
    *,
    truth: NDArray[Any],
    known: NDArray[Any],
    predictions: Predictions,
) -> Actuals:
    """With what the release's evaluation found of the primary metric."""
    evaluation = context.registry.get_json(release.evidence["evaluation"])
    metric = config.gate.primary.metric
    return Actuals(
        truth=truth,
        known=known,
        predictions=predictions,
        signature=signature,
        metric=metric,
        reference=evaluation["metrics"][metric]["challenger"],
        reference_rows=evaluation["primary"]["rows"],
        margin=config.gate.primary.margin,
    )


def _signature(context: Context, release: Release) -> Signature:
    return Signature.from_json(context.registry.get_json(release.files[SIGNATURE_FILE]))
