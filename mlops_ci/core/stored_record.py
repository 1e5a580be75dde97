"""A record of the store by itself: is it what its path says, and which other objects does it rest on?

Blobs are checked by their digest, events by their chain (`core.chain`), everything else here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_ci.core.digest import sha256
from mlops_ci.core.dsse import Envelope
from mlops_ci.core.events import Event
from mlops_ci.core.layout import Place, blob_path, candidate_path, is_digest, release_path
from mlops_ci.core.records import Candidate, Release, Version
from mlops_ci.core.shape import misfits

_SHAPES: Mapping[str, type] = {"candidate": Candidate, "version": Version, "release": Release}
_BLOBS_OF_CANDIDATE = ("lock_record", "onnx", "reference", "profile", "probes", "diagnostics", "search")
_DIGESTS = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True, kw_only=True)
class StoredRecord:
    """A record's JSON value (None where it is none), and what is wrong with it taken by itself."""

    value: Any
    faults: tuple[str, ...]


def read_record(place: Place, data: bytes) -> StoredRecord:
    """Reads a candidate, version, release, evaluation or look as what its path says that it is."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        return StoredRecord(value=None, faults=(f"is not JSON ({str(error)[:100]})",))
    if place.kind == "release" and sha256(data) != place.name:
        return StoredRecord(value=value, faults=(f"has the digest {sha256(data)}, which is not its name",))
    shape = _SHAPES.get(place.kind)
    faults = misfits(value, shape if shape else Mapping[str, Any])
    if not faults:
        faults = [
            f"calls its {key} {str(value.get(key))[:80]!r}, and its path says {said!r}"
            for key, said in _said_by(place).items()
            if str(value.get(key)) != said
        ]
    return StoredRecord(value=value, faults=tuple(faults))


def _said_by(place: Place) -> dict[str, str]:
    """What the path of a record says of its content."""
    match place.kind:
        case "candidate":
            return {"model": place.group, "lock": place.name}
        case "version":
            return {"model": place.group, "version": place.name}
        case "evaluation":
            return {"model": place.group, "judgement": place.name}
        case "look":
            return {"holdout": place.group, "lock": place.name}
    return {}


def needed_by(place: Place, value: Mapping[str, Any]) -> Iterator[str]:
    """The paths of the objects that a record without faults rests on."""
    match place.kind:
        case "candidate":
            yield from _blobs(value.get(key) for key in _BLOBS_OF_CANDIDATE)
        case "version" if is_digest(value["lock"]):
            yield candidate_path(place.group, value["lock"])
        case "release":
            yield from _blobs((*value["files"].values(), *value["evidence"].values()))
        case "evaluation":
            yield from _blobs([value.get("evaluation")])


def needed_by_evaluation(data: bytes) -> Iterator[str]:
    """The paths of the objects that an evaluation rests on, which is a blob itself: the answers that were judged."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    yield from _blobs([value.get("answers") if isinstance(value, dict) else None])


def needed_by_event(event: Event) -> Iterator[str]:
    """The paths of the objects that an event names: its evidence, and each release that its subject is about."""
    yield from map(blob_path, event.evidence)
    releases = {str(event.subject.get(key)) for key in ("release", "previous", "from", "rollback_to")}
    yield from (release_path(release) for release in releases if is_digest(release))


def _blobs(named: Iterable[Any]) -> Iterator[str]:
    return (blob_path(str(digest)) for digest in named if is_digest(digest))


def digests_in(data: bytes) -> set[str]:
    """Everything in the bytes that could name a blob, whatever it is called there; in a signed envelope's payload, too.

    >>> sorted(digests_in(b'{"one": "' + b"a" * 64 + b'", "no digest": "' + b"b" * 65 + b'"}')) == ["a" * 64]
    True
    """
    found = {digest.decode() for digest in _DIGESTS.findall(data)}
    if b'"payloadType"' in data:
        try:
            payload = Envelope.from_json(json.loads(data)).payload
        except (ValueError, RecursionError):
            return found
        found |= {digest.decode() for digest in _DIGESTS.findall(payload)}
    return found
