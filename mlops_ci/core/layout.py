"""Where everything is in the store (DESIGN, section 5), and which names may stand in a path at all."""

from __future__ import annotations

import re
from dataclasses import dataclass

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


def is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


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


def event_path(model: str, number: int) -> str:
    return numbered_path(events_folder(model), number)


def packs_folder(model: str) -> str:
    return f"packs/{checked_name(model)}"


def pack_path(model: str, number: int) -> str:
    return f"{packs_folder(model)}/{number}.jsonl"


def numbered_path(folder: str, number: int) -> str:
    return f"{folder}/{number}.json"


def number_in(path: str) -> int | None:
    """The number that a path ends in; None where it is no numbered object.

    >>> number_in("events/m/12.json"), number_in("events/m/012.json")
    (12, None)
    """
    found = _NUMBERED.fullmatch(path.rpartition("/")[2])
    return int(found[1]) if found else None


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a path of the store is for. `group` is the model, or the holdout of a look; `name` is the last part."""

    kind: str
    group: str
    name: str


_NAME_PATTERN, _DIGEST_PATTERN = _NAME.pattern, _DIGEST.pattern
_PLACES = {
    "blob": r"blobs/sha256/(?P<group>[0-9a-f]{2})/(?P<name>(?P=group)[0-9a-f]{62})",
    "release": rf"releases/(?P<group>)(?P<name>{_DIGEST_PATTERN})\.json",
    "look": rf"looks/(?P<group>{_DIGEST_PATTERN})/(?P<name>{_DIGEST_PATTERN})\.json",
    **{
        kind: rf"{folder}/(?P<group>{_NAME_PATTERN})/(?P<name>{name})\.json"
        for kind, folder, name in (
            ("candidate", "candidates", _DIGEST_PATTERN),
            ("version", "versions", "[1-9][0-9]{0,17}"),
            ("evaluation", "evaluations", _DIGEST_PATTERN),
            ("event", "events", "[1-9][0-9]{0,17}"),
        )
    },
    "pack": r"packs/(?P<group>)(?P<name>.+)",
    "mark": r"(?:condemned|decided)/(?P<group>)(?P<name>.+)",
}
FOLDERS = {
    **{"blob": "blobs", "candidate": "candidates", "version": "versions", "release": "releases"},
    **{"evaluation": "evaluations", "look": "looks", "event": "events"},
}
"""The folder of each kind, in the order in which a store is copied: nothing comes before what it names.

`packs` (a cache of the log) and the marks of `store gc` are not among them: they belong to one store.
"""


def place_of(path: str) -> Place | None:
    """What the path is for; None where nothing of ours is kept under such a name.

    >>> place_of("versions/m/3.json"), place_of("versions/m/03.json")
    (Place(kind='version', group='m', name='3'), None)
    """
    for kind, pattern in _PLACES.items():
        if found := re.fullmatch(pattern, path):
            return Place(kind=kind, group=found["group"], name=found["name"])
    return None


def condemned_path(path: str) -> str:
    """Where `store gc` marks an object that nothing names."""
    return f"condemned/{checked_path(path)}"


def decided_path(path: str) -> str:
    """Where it is decided, by whoever comes first, whether a condemned object is kept or goes."""
    return f"decided/{checked_path(path)}"
