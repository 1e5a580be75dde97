"""Where everything is in the store (DESIGN, section 5), and which names may stand in a path at all."""

from __future__ import annotations

import re

from mlops_ci.errors import ConfigurationError

# Letters, digits and a few marks that every object store and file system keeps as they are; no leading dot, so that
# hidden files (and the local store's unfinished ones) are never objects, and neither `.` nor `..` is a name.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+=-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NUMBERED = re.compile(r"([1-9][0-9]{0,17})\.json")


def checked_path(path: str) -> str:
    """The path, if it is one that a store may hold. Raises ConfigurationError for anything else, `../x` included."""
    for name in path.split("/"):
        checked_name(name)
    return path


def checked_name(name: str) -> str:
    """The name of one folder or file of the store, if it may be one. Raises ConfigurationError."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name[:80]!r} cannot be a name in the store",
            fix="use letters, digits, '-', '_' and '.', and begin with a letter or a digit",
        )
    return name


def checked_digest(digest: str) -> str:
    """The digest, if it is 64 lower-case hexadecimal digits. Raises ConfigurationError."""
    if not _DIGEST.fullmatch(digest):
        raise ConfigurationError(f"{digest[:80]!r} is not a digest", fix="give all 64 hexadecimal digits")
    return digest


def is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def blob_path(digest: str) -> str:
    checked_digest(digest)
    return f"blobs/sha256/{digest[:2]}/{digest}"


def candidate_path(model: str, lock: str) -> str:
    return f"candidates/{checked_name(model)}/{checked_digest(lock)}.json"


def release_path(release: str) -> str:
    return f"releases/{checked_digest(release)}.json"


def looks_folder(holdout: str) -> str:
    return f"looks/{checked_digest(holdout)}"


def look_path(holdout: str, lock: str) -> str:
    return f"{looks_folder(holdout)}/{checked_digest(lock)}.json"


def evaluations_folder(model: str) -> str:
    return f"evaluations/{checked_name(model)}"


def evaluation_path(model: str, judgement: str) -> str:
    return f"{evaluations_folder(model)}/{checked_digest(judgement)}.json"


def versions_folder(model: str) -> str:
    return f"versions/{checked_name(model)}"


def events_folder(model: str) -> str:
    return f"events/{checked_name(model)}"


def numbered_path(folder: str, number: int) -> str:
    return f"{folder}/{number}.json"


def number_in(path: str) -> int | None:
    """The number that a path ends in; None where it is no numbered object.

    >>> number_in("events/m/12.json"), number_in("events/m/012.json")
    (12, None)
    """
    found = _NUMBERED.fullmatch(path.rpartition("/")[2])
    return int(found[1]) if found else None
