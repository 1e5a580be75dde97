"""After `ci`: hands what was judged to the team's experiment tracker, where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.ports import Console, Tracker


def tracker_of(tracking: Mapping[str, str], console: Console) -> Tracker | None:
    """The tracking server that the environment names; None where it names none."""
    from mlops_ci.adapters.mlflow_tracking import MlflowTracker

    uri, timeout = tracking.get("uri", "").strip(), tracking.get("timeout", "")
    limit = {"seconds": float(timeout)} if timeout.isdecimal() and int(timeout) else {}
    return MlflowTracker(uri, credentials=tracking, console=console, **limit) if uri else None


def track(context: Context, evaluations: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> None:
    """One run for each model that was judged, with the reports in `files`. A server that fails is only warned of."""
    tracker = context.tracker
    if tracker is None:
        return
    from mlops_ci.core.tracking import tracked_run

    artifacts = {path.name: path.read_bytes() for path in files}
    for evaluation in evaluations:
        candidate = context.registry.find_candidate(evaluation["model"], evaluation["lock"])
        if candidate is None:
            continue
        search = (evaluation.get("diagnostics") or {}).get("search") or {}
        training = context.registry.get_json(candidate.lock_record)["params"]["train"]
        params = {**training["params"], **(search.get("best_params") or {})}
        tracker.record(tracked_run(candidate, evaluation, params=params, files=artifacts))
