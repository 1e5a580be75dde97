"""The bytes in which a model's answers are kept: an .npz archive without any pickled object."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.errors import IntegrityError

PARTS = ("labels", "probabilities", "values")


def encode(predictions: Predictions) -> bytes:
    """The same bytes for the same answers. Labels are stored as int64, or as fixed-width Unicode texts."""
    arrays = {name: getattr(predictions, name) for name in PARTS}
    archive = io.BytesIO()
    # NumPy gives every member the same time stamp, the earliest that the format has.
    plain: dict[str, Any] = {name: _plain(array) for name, array in arrays.items() if array is not None}
    np.savez(archive, **plain)
    return archive.getvalue()


def decode(data: bytes) -> Predictions:
    """Raises IntegrityError where the bytes are not what `encode` makes."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"the stored answers cannot be read: {error}") from error
    if not arrays or not set(arrays) <= set(PARTS):
        raise IntegrityError(f"the stored answers hold {sorted(arrays) or 'nothing'}")
    labels = arrays.get("labels")
    if labels is not None and labels.dtype.kind == "U":
        arrays["labels"] = labels.astype(object)
    return Predictions(**arrays)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "O":
        return array.astype(np.str_)
    return array.astype(np.int64 if array.dtype.kind in "iu" else np.float64) if array.dtype.kind in "iuf" else array
