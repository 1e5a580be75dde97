"""The bytes in which a model's answers are kept: an .npz archive without any pickled object."""

from __future__ import annotations

import io
import math
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
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


def implausible(data: bytes, signature: Signature, rows: int) -> str:
    """Why bytes of an untrusted job are not the answers of such a model for so many rows; empty where they may be.

    To be asked before `decode`. An archive that is packed, or an array whose header promises more than there is, could
    fill the memory, so neither is opened. (What the numbers are is found where the model is judged.)
    """
    wanted = {"values"} if signature.task == "regression" else {"labels", "probabilities"}
    shapes = {"values": (rows,), "labels": (rows,), "probabilities": (rows, len(signature.classes))}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if sorted(member.filename for member in members) != sorted(f"{name}.npy" for name in wanted):
                return f"it holds {len(members)} arrays, which are not {' and '.join(sorted(wanted))}"
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                return "it is packed"
            for member in members:
                with archive.open(member) as stream:
                    if why := _implausible_array(stream, member.file_size, shapes[member.filename[:-4]]):
                        return why
    except (
        zipfile.BadZipFile,
        ValueError,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OverflowError,
    ) as error:
        return f"it is no archive of arrays ({type(error).__name__})"
    return ""


def _implausible_array(stream: IO[bytes], size: int, shape: tuple[int, ...]) -> str:
    if np.lib.format.read_magic(stream) != (1, 0):
        return "an array is in a format that it is never written in"
    found, _, kind = np.lib.format.read_array_header_1_0(stream)
    if found != shape or kind.kind not in "iufU":
        return f"an array is {kind} {list(found)}, and {list(shape)} were due"
    if stream.tell() + math.prod(shape) * kind.itemsize != size:
        return "an array is cut off, or longer than it says"
    return ""


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "O":
        return array.astype(np.str_)
    return array.astype(np.int64 if array.dtype.kind in "iu" else np.float64) if array.dtype.kind in "iuf" else array
