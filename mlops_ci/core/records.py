"""What a training leaves behind and what becomes of it: candidate, version, release. Immutable, and named by digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from mlops_ci.core.digest import digest_of
from mlops_ci.core.signature import Signature


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What one lock trained. Digests name blobs of the store.

    The native model never leaves the process that fitted it (a pickle is never stored), so the candidate holds what
    that process could still say about it: the ONNX graph, or the reason why there is none (`refusal`), and the native
    model's own answers for the holdout (`reference`, see `pipeline.reference`) and for rows that were made to be
    answered wrongly (`probes`, see `core.probes`). `diagnostics` is what it showed of how it learned (see
    `pipeline.diagnostics`), `search` what was tried on the way (see `pipeline.search`); None where there is none.
    `machine` is what it was trained on, as far as that is no part of the lock and may show in the last digits.
    """

    model: str
    lock: str
    lock_record: str
    signature: Signature
    onnx: str | None
    refusal: str
    reference: str
    holdout: str
    profile: str
    metrics: Mapping[str, float]
    rows: Mapping[str, int]
    commit: str
    trained_at: str
    seconds: float
    probes: str | None = None
    diagnostics: str | None = None
    search: str | None = None
    machine: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"signature": self.signature.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Candidate:
        return cls(**{**value, "signature": Signature.from_json(value["signature"])})


@dataclass(frozen=True, kw_only=True)
class Version:
    """A number that a lock has taken for good: the lock's candidate, registered from `commit`."""

    model: str
    version: int
    lock: str
    commit: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Version:
        return cls(**value)


@dataclass(frozen=True, kw_only=True)
class Release:
    """A registered version made ready to serve: `files` (name -> digest) is all that the scoring service is given.

    The same bytes go to every environment. `evidence` names what was known when the release was made (evaluation,
    parity, report). The release's id is the digest of this record.
    """

    model: str
    version: int
    lock: str
    commit: str
    files: Mapping[str, str]
    image: str | None
    evidence: Mapping[str, str]

    @cached_property
    def id(self) -> str:
        return digest_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Release:
        return cls(**value)


MODEL_FILE = "model.onnx"
SIGNATURE_FILE = "signature.json"
CARD_FILE = "card.json"
"""What people are told of the model, and its columns as the data schema describes them; no value of any data row."""
BUILD_FILE = "build.json"
"""In an image beside the release's files: what the image was made from. Its digest is the image's `build`."""
