"""A team's repository whose model was trained by a job with an outbox, and the means to meddle with what it left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.layout import blob_path
from tests.cli.repository import Answer, Repository, make_repository


@dataclass(frozen=True)
class Handed:
    """`team` is the checkout, in which the outbox and the reports lie, but for Git."""

    team: Repository

    @property
    def outbox(self) -> Path:
        return self.team.folder / "outbox"

    @cached_property
    def lock(self) -> str:
        return next((self.outbox / "candidates" / "late").iterdir()).stem

    @property
    def record(self) -> Path:
        return self.outbox / "candidates" / "late" / f"{self.lock}.json"

    @property
    def candidate(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.record.read_bytes())
        return value

    def blob(self, digest: str) -> bytes:
        return (self.outbox / blob_path(digest)).read_bytes()

    def json(self, name: str) -> Any:
        """The JSON of the blob that the candidate names so."""
        return json.loads(self.blob(self.candidate[name]))

    def put(self, data: bytes) -> str:
        digest = sha256(data)
        overwrite(self.outbox / blob_path(digest), data)
        return digest

    def change(self, **fields: Any) -> None:
        """What a hostile job would write: a candidate of the same name with other fields."""
        overwrite(self.record, canonical_json({**self.candidate, **fields}))

    def change_json(self, name: str, meddle: Callable[[Any], Any]) -> None:
        self.change(**{name: self.put(canonical_json(meddle(self.json(name))))})

    def admit(self, *models: str) -> Answer:
        return self.team.run("admit", "outbox", *models)

    def stored(self) -> set[str]:
        """The paths of all objects in the store."""
        store = self.team.store
        return {path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file()}


def overwrite(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # what the outbox holds is read-only
    path.write_bytes(data)


def trained(folder: Path) -> Handed:
    team = make_repository(folder)
    team.write(".gitignore", ".mlops/\noutbox/\nreports/\n")
    team.commit()
    answer = team.run("ci", "--outbox", "outbox", "--reports", "reports")
    assert answer.code == 0, answer.stderr
    return Handed(team)


def copied(handed: Handed, folder: Path) -> Handed:
    shutil.copytree(handed.team.folder, folder, symlinks=True)
    return Handed(Repository(folder))
