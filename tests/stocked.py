"""Stores with something in them: releases with all that a release has, made by the registry and the log themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Candidate, Release
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import NotFoundError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Clock, Entry, ObjectStore

SIGNATURE = Signature(task="regression", inputs=(Column(name="x", kind="number"),))
HOLDOUT = sha256(b"holdout").hexdigest()


def train(store: ObjectStore, model: str, number: int) -> Candidate:
    """A candidate as `train` leaves it."""
    registry = Registry(store)
    lock = registry.put_json({"model": model, "number": number})
    candidate = Candidate(
        model=model, lock=lock, lock_record=lock, signature=SIGNATURE,
        onnx=registry.put_blob(f"the graph {number} of {model} ".encode() * 200), refusal="",
        reference=registry.put_blob(f"\0answers {number} of {model}".encode()), holdout=HOLDOUT,
        profile=registry.put_json({"rows": number, "of": model}), metrics={}, rows={}, commit="c", trained_at="",
        seconds=0.0,
    )  # fmt: skip
    return registry.save_candidate(candidate)


def release(store: ObjectStore, model: str, number: int, clock: Clock | None = None) -> Release:
    """A version that was judged, released and verified in qa."""
    registry, log, candidate = Registry(store), EventLog(store, clock or SystemClock()), train(store, model, number)
    answers = registry.put_blob(f"\0judged {number} of {model}".encode())
    evaluation = registry.put_json({"model": model, "number": number, "answers": answers})
    registry.add_look(HOLDOUT, candidate.lock, {"model": model, "time": "t", "number": number})
    registry.add_evaluation(
        model, sha256(evaluation.encode()).hexdigest(), {"lock": candidate.lock, "evaluation": evaluation}
    )
    version = registry.claim_version(model, lock=candidate.lock, commit="c" * 40)
    made = Release(
        model=model, version=version, lock=candidate.lock, commit="c" * 40, image=None,
        files={MODEL_FILE: candidate.onnx or "", SIGNATURE_FILE: registry.put_json(SIGNATURE.to_json())},
        evidence={"evaluation": evaluation, "lock": candidate.lock_record, "profile": candidate.profile},
    )  # fmt: skip
    registry.save_release(made)
    said = {"release": made.id, "version": version, "lock": made.lock, "commit": made.commit, "verdict": "first"}
    log.record(model, "registered", said, actor="ada", evidence=[evaluation])
    here = {"environment": "qa", "release": made.id}
    log.record(model, "deployed", {**here, "previous": None, "url": "http://127.0.0.1:1"}, actor="ada")
    checks = registry.put_json({"release": made.id, "ok": True, "at": number})
    log.record(model, "verified", here, actor="ada", evidence=[checks])
    return made


def stock(store: ObjectStore, models: int = 2, versions: int = 2) -> list[Release]:
    """Several models, each released several times."""
    return [release(store, f"m{model}", number) for model in range(models) for number in range(1, versions + 1)]


class MemoryStore:
    """A `KeptStore` with a clock of its own, of which a test can have many copies."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 9, tzinfo=UTC)
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.url = "memory://"

    def copy(self) -> MemoryStore:
        other = MemoryStore()
        other.now, other.objects = self.now, dict(self.objects)
        return other

    def wait(self, days: float) -> None:
        self.now += timedelta(days=days)

    def get(self, path: str) -> bytes:
        if path not in self.objects:
            raise NotFoundError(f"there is no {path} in the store", where=self.url)
        return self.objects[path][0]

    def create(self, path: str, data: bytes) -> bool:
        taken = path in self.objects
        if not taken:
            self.objects[path] = data, self.now
        return not taken

    def list(self, prefix: str) -> list[str]:
        return [path for path in list(self.objects) if path.startswith(f"{prefix}/") or not prefix]

    def folders(self, prefix: str) -> Sequence[str]:
        skipped = len(prefix) + 1 if prefix else 0
        return sorted({path[skipped:].partition("/")[0] for path in self.list(prefix)})

    def entries(self, prefix: str) -> Iterator[Entry]:
        for path in self.list(prefix):
            data, modified = self.objects[path]
            yield Entry(path=path, size=len(data), modified=modified)

    def delete(self, path: str) -> None:
        self.objects.pop(path, None)
