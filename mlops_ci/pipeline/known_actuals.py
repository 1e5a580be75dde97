"""Brings together what a model answered and what came true later, by request id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.naming import shown_name
from mlops_ci.core.signature import Signature
from mlops_ci.errors import DataGateError, Problem
from mlops_ci.pipeline.canonical import canonical_target
from mlops_ci.pipeline.logged_rows import LoggedRows

if TYPE_CHECKING:
    from pandas import DataFrame, Series

REQUEST_ID, ROW = "request_id", "row"


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownActuals:
    """The target's value (canonical) of each logged row where it is `known`; `notes` say what had no counterpart."""

    truth: NDArray[Any]
    known: NDArray[np.bool_]
    notes: Sequence[str]


def texts_of_actuals(target: str, signature: Signature) -> list[str]:
    """The columns of a file of actuals that are texts, whatever they look like: 007 is the id of a request."""
    return [REQUEST_ID, target] if signature.classes and isinstance(signature.classes[0], str) else [REQUEST_ID]


def known_actuals(logged: LoggedRows, actuals: DataFrame, *, target: str, signature: Signature) -> KnownActuals:
    """Looks up the answers of the watched release by `request_id` and, where requests have several rows, by `row`.

    A request id that was used more than once is taken for a repetition: the latest answer counts. Raises DataGateError
    where the actuals are no such table, contradict each other, or belong to no answer at all.
    """
    import pandas as pd

    given = _given(actuals, target)
    has_row = ROW in actuals.columns
    answered = pd.DataFrame({REQUEST_ID: logged.request_ids, ROW: logged.positions, "time": logged.times})
    answered = answered[logged.answered & (has_row | (logged.sizes == 1))].sort_values("time", kind="stable")
    latest = answered.drop_duplicates([REQUEST_ID, ROW], keep="last")
    latest = latest.assign(at=latest.index)
    both = latest.merge(given, on=[REQUEST_ID, ROW], how="inner", validate="one_to_one")
    if not len(both):
        raise DataGateError(
            f"none of {len(given)} actuals belongs to one of {int(logged.answered.sum())} answers in the log",
            where=f"column {REQUEST_ID}",
            fix="give each actual the x-request-id of its answer; --release names the release whose answers count",
        )
    found = canonical_target(_target(both[target], signature), signature.task)[0]
    _only_classes(found, signature, target)
    truth = np.zeros(len(logged.times), dtype=found.dtype)
    truth[both["at"].to_numpy()] = found
    known = np.zeros(len(logged.times), dtype=np.bool_)
    known[both["at"].to_numpy()] = True
    notes = [f"{len(both)} of {int(logged.answered.sum())} answers in the log have an actual."]
    if len(given) > len(both):
        notes.append(f"{len(given) - len(both)} actuals belong to no answer of this release in the log.")
    if len(answered) > len(latest):
        notes.append(f"{len(answered) - len(latest)} answers have the id of a later request, which counts.")
    several = int((logged.answered & (logged.sizes > 1)).sum())
    if several and not has_row:
        notes.append(f"{several} answers to requests of several rows need a column `{ROW}`, counted from 0.")
    return KnownActuals(truth=truth, known=known, notes=notes)


def _given(actuals: DataFrame, target: str) -> DataFrame:
    """The actuals that are known, each once: request id as text, row as integer, target as it was."""
    from pandas.api.types import is_bool_dtype, is_integer_dtype, is_string_dtype

    missing = [name for name in (REQUEST_ID, target) if name not in actuals.columns]
    if missing:
        there = ", ".join(shown_name(str(name)) for name in actuals.columns[:30])
        problems = [Problem(where=f"column {shown_name(name)}", what="is missing") for name in missing]
        raise DataGateError("this is no table of actuals", problems=problems, fix=f"its columns are {there}")
    given = actuals[actuals[REQUEST_ID].notna() & actuals[target].notna()]
    ids = given[REQUEST_ID]
    if len(ids) and not (is_integer_dtype(ids.dtype) or is_string_dtype(ids)):
        raise DataGateError("holds neither texts nor whole numbers", where=f"column {REQUEST_ID}")
    rows: Any = 0
    if ROW in given.columns:
        rows = given[ROW]
        if rows.isna().any() or is_bool_dtype(rows.dtype) or not is_integer_dtype(rows.dtype):
            raise DataGateError("has to hold whole numbers, counted from 0", where=f"column {ROW}")
    given = given.assign(**{REQUEST_ID: ids.astype(str).astype(object), ROW: rows})[[REQUEST_ID, ROW, target]]
    given = given.drop_duplicates()
    twice = int(given.duplicated([REQUEST_ID, ROW]).sum())
    if twice:
        raise DataGateError(f"{twice} requests have several actuals that differ", fix="keep the one that holds")
    return given.astype({ROW: np.int64})


def _target(values: Series, signature: Signature) -> Series:
    texts = bool(signature.classes) and isinstance(signature.classes[0], str)
    return values.astype(str) if texts else values


def _only_classes(found: NDArray[Any], signature: Signature, target: str) -> None:
    unknown = int((~np.isin(found, signature.classes)).sum()) if signature.classes else 0
    if unknown:
        what = f"{unknown} actuals are none of the {len(signature.classes)} classes that the model knows"
        raise DataGateError(what, where=f"column {shown_name(target)}")
