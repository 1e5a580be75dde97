"""What a model is made from besides its own code and data: the files that `shared` in its `mlops.yaml` names."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import file_digest
from os.path import relpath
from pathlib import Path, PurePosixPath

from mlops_ci.errors import ConfigurationError, Problem

_WILDCARDS = frozenset("*?[")


def shared_digests(root: Path, patterns: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of each file, by its path from the model's folder `root`.

    A pattern names a file, a folder with all that is in it, or several by wildcards. Hidden files and what Python
    keeps for itself are left out. Raises ConfigurationError naming each pattern that matches nothing.
    """
    root = root.resolve()
    found: dict[str, str] = {}
    problems = []
    for pattern in patterns:
        files = _files(root, pattern)
        if not files:
            what = f"shared names {pattern!r}, and there is no such file"
            problems.append(Problem(where="mlops.yaml", what=what, fix="correct the path, or remove it"))
        for file in files:
            with file.open("rb") as stream:
                found[PurePosixPath(relpath(file, root)).as_posix()] = file_digest(stream, "sha256").hexdigest()
    if problems:
        raise ConfigurationError("not all that the model shares is there", problems=problems)
    return dict(sorted(found.items()))


def _files(root: Path, pattern: str) -> list[Path]:
    parts = PurePosixPath(pattern).parts
    plain = next((number for number, part in enumerate(parts) if _WILDCARDS & set(part)), len(parts))
    base = root.joinpath(*parts[:plain])
    rest = "/".join(parts[plain:])
    found = sorted(base.glob(rest)) if rest else [base]
    inside = [file for path in found for file in (path.rglob("*") if path.is_dir() else [path])]
    return sorted(file for file in inside if file.is_file() and not _is_left_out(file.relative_to(base)))


def _is_left_out(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
