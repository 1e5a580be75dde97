"""What a job that may not write to the store leaves for one that may: an outbox, and the evaluations of its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.output import json_text
from mlops_ci.core.layout import is_name
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def write_aside(context: Context, outbox: str | None = None, *, limits_only: bool = False) -> None:
    """From now on what this command writes goes into the outbox, if there is one (or MLOPS_OUTBOX names one).

    With `limits_only` the store is not even read. Raises ConfigurationError where a forge's pipeline is told of no
    store: it would judge the model as if nothing had ever been released.
    """
    from mlops_ci.adapters.local_store import LocalStore
    from mlops_ci.adapters.overlay_store import OverlayStore

    folder = outbox or context.environment.outbox
    if not folder and not limits_only:
        return
    if context.environment.in_pipeline and not limits_only and not context.store_named:
        raise ConfigurationError(
            "there is no store to read",
            fix="set MLOPS_STORE to the store's URL (a variable of the repository); a run that may not read it, as for "
            "a fork's pull request, judges by the declared limits alone: mlops-ci ci --limits-only",
        )
    place = context.directory / folder if folder else context.work / "outbox"
    context.use_store(OverlayStore(LocalStore(place), None if limits_only else context.open_store()))


def write_evaluations(evaluations: Iterable[Mapping[str, Any]], folder: Path) -> None:
    """One file of JSON for each model, `<model>.json`: its evaluation, or what kept it from being made."""
    from mlops_ci.adapters.atomic_file import write_atomically

    for evaluation in evaluations:
        if is_name(evaluation["model"]):  # else its configuration was refused, which is what the report says
            # a file's name, which a message may hold, need not be valid text
            write_atomically(folder / f"{evaluation['model']}.json", json_text(evaluation).encode("utf-8", "replace"))
