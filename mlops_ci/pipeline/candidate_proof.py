"""What can be proved of a candidate that an untrusted job trained, without running anything of it.

Its lock is that of the checkout, every byte is that of its digest, every part has its shape, and the graph is plain
ONNX that the runtime loads. Whether the model is good is not looked at: `release` judges the graph itself, and believes
none of the numbers that come with it (docs/pull-requests.md says what that leaves).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from mlops_ci.config.types import ModelConfig
from mlops_ci.core import strict_json
from mlops_ci.core.adversarial import Kind
from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.layout import blob_path, candidate_path, is_digest
from mlops_ci.core.lock import Lock, differences
from mlops_ci.core.probes import Probes
from mlops_ci.core.records import Candidate
from mlops_ci.core.shape import known_part, misfits
from mlops_ci.core.signature import Signature
from mlops_ci.errors import NotFoundError
from mlops_ci.pipeline import reference
from mlops_ci.pipeline.profile_shape import Profile
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.reported_diagnostics import Diagnostics, Search
from mlops_ci.ports.handover import GraphCheck, HandedOver

RECORD, JSON, ANSWERS, GRAPH = 1 << 20, 32 << 20, 512 << 20, 1 << 30
"""The most bytes of a record, of a blob of JSON, of a model's answers, and of a graph."""
MOST_COLUMNS, MOST_PACKAGES, LONGEST_TEXT = 10_000, 2_000, 1_000
SAME = ("python", "implementation", "system", "machine")
"""What of a lock's environment is the same in both jobs, whatever packages the team's code needs."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,+!_()-]{0,99}")
_SHOWN = 3


class Refused(Exception):
    """Something that was handed over must not be kept, and why."""


@dataclass(frozen=True, kw_only=True)
class Proved:
    """A candidate, and the bytes of everything that it names."""

    candidate: Candidate
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What a candidate is held against: the lock of the files here, but for the packages, and their commit."""

    config: ModelConfig
    lock: Lock
    commit: str

    def difference(self, said: Lock) -> str:
        """What of a lock is not that of the files here; empty where it may be theirs."""
        same = {**self.lock.to_json(), "environment": said.environment}
        found = differences(said, Lock.from_json(same))
        return "; ".join(found[:_SHOWN]) or _implausible(said.environment, self.lock.environment)


def prove(
    name: str,
    checkout: Checkout,
    *,
    handed: HandedOver,
    registry: Registry,
    graphs: GraphCheck,
) -> Proved | None:
    """The candidate of this lock (`name`); None where there is no graph, which is no use to anybody.

    Raises Refused with the reason, IntegrityError for what is no plain file, and OutsideError where the store fails.
    """
    candidate = read_candidate(name, checkout, handed)
    blobs = _Blobs(handed=handed, registry=registry, found={})
    said = _lock(blobs.json(candidate.lock_record, "lock"))
    if said.digest != name or candidate.lock_record != name:
        raise Refused("its lock is not the one that it is named after")
    if different := checkout.difference(said):
        raise Refused(f"its lock is not that of the checkout: {different}")
    if candidate.onnx is None:
        return None
    _require_plausible(candidate, checkout)
    _require_shapes(candidate, blobs)
    if problem := graphs.problem(blobs.get(candidate.onnx, "ONNX graph", GRAPH), candidate.signature):
        raise Refused(f"its ONNX graph is not to be kept: {problem}")
    return Proved(candidate=candidate, blobs=tuple(blobs.found.values()))


def read_candidate(name: str, checkout: Checkout, handed: HandedOver) -> Candidate:
    """The record, which has the shape of one and is what its path says. Raises Refused."""
    model = checkout.config.model
    value = parsed(handed.read(candidate_path(model, name), RECORD), "its record")
    if faults := misfits(value, Candidate):
        raise Refused(f"its record is none of a candidate: {'; '.join(faults[:_SHOWN])}")
    candidate = Candidate.from_json(value)
    if (candidate.model, candidate.lock) != (model, name):
        raise Refused(f"its record is that of lock {candidate.lock[:12]} of {candidate.model}")
    return candidate


def parsed(data: bytes, what: str) -> Any:
    """JSON in its one spelling, as all that we write. Raises Refused."""
    try:
        value = strict_json.parse(data)
    except ValueError as error:
        raise Refused(f"{what} cannot be read: {error}") from error
    if canonical_json(value) != data:
        raise Refused(f"{what} is not spelled as mlops-ci spells it")
    return value


@dataclass(frozen=True, kw_only=True)
class _Blobs:
    """The blobs that a candidate names: handed over, or in the store already."""

    handed: HandedOver
    registry: Registry
    found: dict[str, bytes]

    def get(self, digest: str, what: str, most: int) -> bytes:
        if not is_digest(digest):
            raise Refused(f"its {what} has no digest")
        if digest not in self.found:
            try:
                data = self.handed.read(blob_path(digest), most)
            except NotFoundError:
                try:
                    data = self.registry.get_blob(digest)
                except NotFoundError:
                    raise Refused(f"its {what} was not handed over") from None
            if sha256(data) != digest:
                raise Refused(f"its {what} is not what its digest says")
            self.found[digest] = data
        return self.found[digest]

    def json(self, digest: str, what: str) -> Any:
        return parsed(self.get(digest, what, JSON), f"its {what}")


def _lock(value: Any) -> Lock:
    if faults := misfits(value, Lock):
        raise Refused(f"its lock is none: {'; '.join(faults[:_SHOWN])}")
    return Lock.from_json(value)


def _implausible(said: Mapping[str, str], here: Mapping[str, str]) -> str:
    """What of an environment cannot be: the team's packages are not installed here, and may have others in other
    versions, but the interpreter and the toolkit's own packages have to be there.
    """
    others = [
        f"environment {name} {said.get(name, 'absent')} -> {here[name]}"
        for name in SAME
        if said.get(name) != here[name]
    ]
    others += [f"environment {name} absent -> {here[name]}" for name in here if name not in said]
    if len(said) > MOST_PACKAGES:
        others.append(f"{len(said)} packages")
    others += [f"environment {name}: no version" for name, version in said.items() if not _VERSION.fullmatch(version)]
    return "; ".join(others[:_SHOWN])


def _require_plausible(candidate: Candidate, checkout: Checkout) -> None:
    """Raises Refused where the record says something that nobody could have said who trained here."""
    config, signature = checkout.config, candidate.signature
    columns = [column.name for column in signature.inputs]
    due = (config.task, Signature.threshold)
    rows = candidate.rows
    texts = [candidate.refusal, *columns, *candidate.metrics, *candidate.machine, *candidate.machine.values()]
    problems = {
        f"its commit is {candidate.commit[:12]!r}, and {checkout.commit[:12]!r} is checked out": candidate.commit
        != checkout.commit,
        "its task or threshold is another than that of mlops.yaml": (signature.task, signature.threshold) != due,
        "its columns are not those of data.features": bool(config.data.features)
        and columns != list(config.data.features),
        "it has no columns, too many, or two of one name": not 0 < len(set(columns)) == len(columns) <= MOST_COLUMNS,
        "its classes are not what a model of its task has": not _may_be_classes(signature),
        "it counts no rows": set(rows) != {"train", "holdout"} or min(rows.values()) < 1,
        "its holdout has no digest": not is_digest(candidate.holdout),
        "it says when or how long it was trained in a way that cannot be": not _is_moment(candidate.trained_at)
        or candidate.seconds < 0,
        "it has texts that are too long": any(len(text) > LONGEST_TEXT for text in texts) or len(texts) > MOST_COLUMNS,
    }
    found = [problem for problem, there in problems.items() if there]
    if found:
        raise Refused("; ".join(found[:_SHOWN]))


def _require_shapes(candidate: Candidate, blobs: _Blobs) -> None:
    """Raises Refused where a blob that the candidate names is not what such a blob is."""
    why = reference.implausible(
        blobs.get(candidate.reference, "reference answers", ANSWERS), candidate.signature, candidate.rows["holdout"]
    )
    if why:
        raise Refused(f"its reference answers are none: {why}")
    for digest, what, shape in (
        (candidate.profile, "profile", Profile),
        (candidate.diagnostics, "diagnostics", Diagnostics),
        (candidate.search, "search", Search),
    ):
        if digest is not None and (faults := misfits(known_part(blobs.json(digest, what), shape), shape)):
            raise Refused(f"its {what} is of another shape: {'; '.join(faults[:_SHOWN])}")
    if candidate.probes is not None:
        value = blobs.json(candidate.probes, "probes")
        try:
            same = Probes.from_json(value, candidate.signature).to_json() == value and _is_table(value)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
            same = False
        if not same or set(value["columns"]) != {column.name for column in candidate.signature.inputs}:
            raise Refused("its probes are of another shape")


def _is_table(probes: Mapping[str, Any]) -> bool:
    """Whether each part of the probes has an entry for each row, and says what was done to it."""
    if not set(probes["kinds"]) <= set(get_args(Kind)):
        return False
    if any(name not in probes["columns"] for names in probes["changes"] for name in names):
        return False
    parts = [*probes["columns"].values(), probes["changes"], probes["scores"]]
    parts += [] if probes["labels"] is None else [probes["labels"]]
    return all(len(part) == len(probes["kinds"]) for part in parts)


def _may_be_classes(signature: Signature) -> bool:
    labels, count = signature.classes, len(signature.classes)
    if signature.task == "regression":
        return count == 0
    one_kind = len({type(label) for label in labels}) == 1 and len(set(labels)) == count
    return one_kind and (count == 2 if signature.task == "binary-classification" else 2 <= count <= MOST_COLUMNS)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
