"""Writes a file so that nobody ever sees half of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlops_ci.errors import OutsideError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replaces the file, and makes its folder where there is none. Raises OutsideError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The draft is in a folder of its own, because a temporary file would be readable by its owner alone.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            draft = Path(folder) / path.name
            if isinstance(content, str):
                content = content.encode("utf-8", errors="backslashreplace")
            draft.write_bytes(content)
            draft.replace(path)
    except OSError as error:
        raise OutsideError(f"cannot write: {error.strerror or error}", where=str(path)) from error
