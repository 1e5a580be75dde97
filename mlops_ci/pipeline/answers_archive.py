"""The bytes in which judged answers are kept: an .npz archive without any pickled object."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.digest import canonical_json
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.answers import Answers, JudgedRows

DESCRIPTION = "description"
"""The member of the archive that says what the others are: JSON, as bytes."""


def encode(answers: Answers) -> bytes:
    """The same bytes for the same answers."""
    archive = _Writer()
    signature = answers.signature
    description = {
        "task": signature.task,
        "classes": list(signature.classes),
        "threshold": signature.threshold,
        "sets": [
            _described(archive, f"{place}", one) for place, one in enumerate((answers.holdout, *answers.validation))
        ],
    }
    archive.arrays[DESCRIPTION] = np.frombuffer(canonical_json(description), dtype=np.uint8)
    data = io.BytesIO()
    # NumPy gives every member the same time stamp, the earliest that the format has.
    members: dict[str, Any] = archive.arrays
    np.savez_compressed(data, **members)
    return data.getvalue()


def decode(data: bytes) -> Answers:
    """Raises IntegrityError where the bytes are not what `encode` makes."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        description = json.loads(arrays[DESCRIPTION].tobytes())
        signature = Signature(
            task=description["task"],
            inputs=(),
            classes=tuple(description["classes"]),
            threshold=description["threshold"],
        )
        holdout, *validation = (_read(arrays, f"{place}", one) for place, one in enumerate(description["sets"]))
    except (ValueError, OSError, EOFError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"the stored answers cannot be read: {error}") from error
    return Answers(signature=signature, holdout=holdout, validation=tuple(validation))


class _Writer:
    """Collects arrays in the smallest type that loses nothing, and the tables of what is kept as codes."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}

    def numbers(self, name: str, values: NDArray[Any]) -> None:
        self.arrays[name] = _narrow(np.asarray(values))

    def coded(self, name: str, values: NDArray[Any]) -> list[Any]:
        """Keeps the position of each value in the table that is returned."""
        table, codes = np.unique(values, return_inverse=True)
        self.numbers(name, codes)
        found: list[Any] = table.tolist()
        return found


def _described(archive: _Writer, prefix: str, rows: JudgedRows) -> dict[str, Any]:
    described: dict[str, Any] = {"name": rows.name, "strategy": rows.strategy, "columns": {}, "tables": {}}
    if rows.truth.dtype.kind == "f":
        archive.numbers(f"{prefix}.truth", rows.truth)
    else:
        described["tables"]["truth"] = archive.coded(f"{prefix}.truth", rows.truth)
    if rows.units is not None:
        archive.numbers(f"{prefix}.units", rows.units)
    for who, answers in (("champion", rows.champion), ("challenger", rows.challenger)):
        if answers is None:
            continue
        if answers.labels is not None:
            described["tables"][f"{who}.labels"] = archive.coded(f"{prefix}.{who}.labels", answers.labels)
        for part, values in (("probabilities", answers.probabilities), ("values", answers.values)):
            if values is not None:
                archive.numbers(f"{prefix}.{who}.{part}", values)
    for place, (name, values) in enumerate(rows.columns.items()):
        described["columns"][name] = archive.coded(f"{prefix}.column.{place}", values)
    return described


def _read(arrays: Mapping[str, NDArray[Any]], prefix: str, described: Mapping[str, Any]) -> JudgedRows:
    tables = described["tables"]
    columns = {
        name: np.array(table, dtype=np.str_)[arrays[f"{prefix}.column.{place}"]]
        for place, (name, table) in enumerate(described["columns"].items())
    }
    units = arrays.get(f"{prefix}.units")
    return JudgedRows(
        name=described["name"],
        strategy=described["strategy"],
        truth=_values(arrays[f"{prefix}.truth"], tables.get("truth")),
        champion=_predictions(arrays, f"{prefix}.champion", tables.get("champion.labels")),
        challenger=_predictions(arrays, f"{prefix}.challenger", tables.get("challenger.labels")),
        units=None if units is None else units.astype(np.int64),
        columns=columns,
    )


def _predictions(arrays: Mapping[str, NDArray[Any]], prefix: str, table: list[Any] | None) -> Predictions | None:
    parts = {
        part: _values(arrays[f"{prefix}.{part}"], table if part == "labels" else None)
        for part in ("labels", "probabilities", "values")
        if f"{prefix}.{part}" in arrays
    }
    return Predictions(**parts) if parts else None


def _values(stored: NDArray[Any], table: list[Any] | None) -> NDArray[Any]:
    if table is None:
        return stored.astype(np.float64)
    texts = any(isinstance(value, str) for value in table)
    found: NDArray[Any] = np.array(table, dtype=object if texts else np.int64)[stored]
    return found


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in half the room or less, where they fit: a graph answers in single precision."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        return single if np.array_equal(single.astype(np.float64), values, equal_nan=True) else values
    for kind in (np.uint8, np.uint16, np.uint32):
        if values.max(initial=0) <= np.iinfo(kind).max:
            return values.astype(kind)
    return values
