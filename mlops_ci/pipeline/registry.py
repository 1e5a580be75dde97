"""The records of the store by their meaning: blobs, candidates, versions, releases, looks. Verified whenever read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.layout import (
    blob_path,
    candidate_path,
    evaluation_path,
    evaluations_folder,
    look_path,
    looks_folder,
    numbered_path,
    release_path,
    versions_folder,
)
from mlops_ci.core.records import Candidate, Release, Version
from mlops_ci.core.shape import misfits
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError
from mlops_ci.pipeline.condemned import keep
from mlops_ci.pipeline.numbered import read_after, read_all

if TYPE_CHECKING:
    from mlops_ci.ports import ObjectStore

_RESTORE = "restore the object from a backup or an older version of the bucket; nothing of ours ever changes an object"
_SHORTEST_PREFIX = 7


class Registry:
    """All records of one store. Whatever is there already stays: each write is repeatable and never overwrites."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._versions: dict[str, tuple[Version, ...]] = {}

    # Blobs: any bytes, by their digest.

    def put_blob(self, data: bytes) -> str:
        """Keeps the bytes; returns their digest. Raises IntegrityError where the store has them already, but spoilt."""
        digest = sha256(data)
        while True:
            created = self._store.create(blob_path(digest), data)
            keep(self._store, blob_path(digest))
            if created:
                return digest
            try:
                self.get_blob(digest)
            except NotFoundError:  # `store gc` has removed it in between
                continue
            return digest

    def get_blob(self, digest: str) -> bytes:
        """Raises NotFoundError, or IntegrityError where the bytes are not those of the digest."""
        path = blob_path(digest)
        data = self._store.get(path)
        if sha256(data) != digest:
            raise self._spoilt(path, f"has the digest {sha256(data)} and not {digest}")
        return data

    def put_json(self, value: Any) -> str:
        return self.put_blob(canonical_json(value))

    def get_json(self, digest: str) -> Any:
        """Raises NotFoundError, or IntegrityError where the blob is not JSON or not what its digest says."""
        return self._parsed(blob_path(digest), self.get_blob(digest))

    # Candidates: the train cache.

    def find_candidate(self, model: str, lock: str) -> Candidate | None:
        """What this lock has trained already. Raises IntegrityError where the record cannot be believed."""
        path = candidate_path(model, lock)
        keep(self._store, path)
        try:
            data = self._store.get(path)
        except NotFoundError:
            return None
        candidate = Candidate.from_json(self._record(path, data, Candidate))
        if (candidate.model, candidate.lock) != (model, lock):
            raise self._spoilt(path, f"describes lock {candidate.lock[:12]} of {candidate.model}")
        return candidate

    def save_candidate(self, candidate: Candidate) -> Candidate:
        """Keeps the candidate, unless its lock has one: then returns that one, which everybody else works with."""
        path = candidate_path(candidate.model, candidate.lock)
        while True:
            if self._store.create(path, canonical_json(candidate.to_json())):
                keep(self._store, path)
                return candidate
            found = self.find_candidate(candidate.model, candidate.lock)
            if found is not None:
                return found

    # Versions: numbers that are taken once.

    def claim_version(self, model: str, *, lock: str, commit: str) -> int:
        """The lock's version number: the one that it has already (then `commit` is not used), or the next free one.

        Whoever takes a number has read every version before it, so that a lock never gets two, whatever races.
        """
        while True:
            versions = self.versions(model)
            known = next((item.version for item in versions if item.lock == lock), None)
            if known is not None:
                return known
            new = Version(model=model, version=len(versions) + 1, lock=lock, commit=commit)
            path = numbered_path(versions_folder(model), new.version)
            if self._store.create(path, canonical_json(new.to_json())):
                return new.version

    def planned_version(self, model: str, *, lock: str, commit: str) -> Version:
        """What `claim_version` would take now; nothing is taken, so that somebody else may be faster."""
        versions = self.versions(model)
        known = next((item for item in versions if item.lock == lock), None)
        return known or Version(model=model, version=len(versions) + 1, lock=lock, commit=commit)

    def versions(self, model: str) -> tuple[Version, ...]:
        """All versions, 1 first. Raises IntegrityError where one is missing or is not what its path says."""
        folder = versions_folder(model)
        found = self._versions.get(model, ())
        objects = read_after(self._store, folder, len(found)) if found else read_all(self._store, folder).objects
        for number in sorted(objects):
            path = numbered_path(folder, number)
            if number != len(found) + 1:
                raise self._spoilt(numbered_path(folder, len(found) + 1), "is missing, and later versions are there")
            version = Version.from_json(self._record(path, objects[number], Version))
            if (version.model, version.version) != (model, number):
                raise self._spoilt(path, f"describes version {version.version} of {version.model}")
            found = (*found, version)
        self._versions[model] = found
        return found

    def version(self, model: str, number: int) -> Version:
        """Raises NotFoundError naming the newest one there is."""
        versions = self.versions(model)
        if not 1 <= number <= len(versions):
            newest = f"the newest is {len(versions)}" if versions else "it has none yet"
            raise NotFoundError(f"{model} has no version {number}; {newest}", where=self._store.url)
        return versions[number - 1]

    # Releases: named by the digest of their own record.

    def save_release(self, release: Release) -> str:
        """Keeps the release; returns its id."""
        if not self._store.create(release_path(release.id), canonical_json(release.to_json())):
            self.release(release.id)
        return release.id

    def release(self, name: str) -> Release:
        """The release of this id, or of the only id that begins with these (at least 7) digits.

        Raises NotFoundError, ConfigurationError where more than one id begins so, IntegrityError where the record
        does not have the digest that names it.
        """
        path = release_path(self._full_id(name))
        data = self._store.get(path)
        if release_path(sha256(data)) != path:
            raise self._spoilt(path, f"has the digest {sha256(data)}, which is not its name")
        return Release.from_json(self._record(path, data, Release))

    def _full_id(self, name: str) -> str:
        name = name.lower()
        if len(name) == 64:
            return name
        if not set(name) <= set("0123456789abcdef") or not _SHORTEST_PREFIX <= len(name) < 64:
            what = f"{name[:80]!r} is neither a release's id nor the beginning of one"
            raise ConfigurationError(what, fix=f"give at least {_SHORTEST_PREFIX} of its hexadecimal digits")
        ids = [path.removeprefix("releases/").removesuffix(".json") for path in self._store.list("releases")]
        found = sorted(release for release in ids if release.startswith(name))
        if not found:
            raise NotFoundError(f"there is no release {name}", where=self._store.url)
        if len(found) > 1:
            shown = ", ".join(release[:16] for release in found[:5])
            raise ConfigurationError(f"{len(found)} releases begin with {name}: {shown}", fix="give more digits")
        return found[0]

    # Looks: each challenger that a holdout has judged.

    def add_look(self, holdout: str, lock: str, record: Mapping[str, Any]) -> bool:
        """Counts a lock's look at a holdout, once; False where it has been counted before, and nothing changes."""
        whole = {**record, "holdout": holdout, "lock": lock}
        return self._store.create(look_path(holdout, lock), canonical_json(whole))

    def looks(self, holdout: str) -> list[dict[str, Any]]:
        """The records of all looks, oldest first by their `time` (those that have none, by their lock)."""
        found = []
        for path in self._store.list(looks_folder(holdout)):
            record = self._parsed(path, self._store.get(path))
            if not isinstance(record, dict) or path != f"{looks_folder(holdout)}/{record.get('lock')}.json":
                raise self._spoilt(path, "is no record of a look at this holdout")
            found.append(record)
        return sorted(found, key=lambda record: (str(record.get("time", "")), record["lock"]))

    # Evaluations: every verdict that was given, so that none can be forgotten.

    def add_evaluation(self, model: str, judgement: str, record: Mapping[str, Any]) -> bool:
        """Lists an evaluation under the digest `judgement` of what was judged; the first of equal ones stays."""
        whole = {**record, "model": model, "judgement": judgement}
        return self._store.create(evaluation_path(model, judgement), canonical_json(whole))

    def evaluations(self, model: str) -> list[dict[str, Any]]:
        """The records of all evaluations of the model, oldest first by their `time`."""
        folder = evaluations_folder(model)
        found = []
        for path in self._store.list(folder):
            record = self._parsed(path, self._store.get(path))
            if not isinstance(record, dict) or path != f"{folder}/{record.get('judgement')}.json":
                raise self._spoilt(path, "is no record of an evaluation of this model")
            found.append(record)
        return sorted(found, key=lambda record: (str(record.get("time", "")), record["judgement"]))

    def _record(self, path: str, data: bytes, kind: type) -> dict[str, Any]:
        value = self._parsed(path, data)
        faults = misfits(value, kind)
        if faults:
            raise self._spoilt(path, f"is no {kind.__name__.lower()}: {'; '.join(faults[:5])}")
        return dict(value)

    def _parsed(self, path: str, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._spoilt(path, f"is not JSON ({str(error)[:100]})") from error

    def _spoilt(self, path: str, what: str) -> IntegrityError:
        return IntegrityError(f"{path} {what}", where=self._store.url, fix=_RESTORE)
