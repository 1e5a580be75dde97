"""What is served: the files of a release, in a folder or in an image, read and checked before anything listens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlops_ci.core.records import BUILD_FILE, CARD_FILE, MODEL_FILE, SIGNATURE_FILE
from mlops_ci.core.signature import Signature
from mlops_ci.scoring.card import Card, read_card
from mlops_ci.scoring.model import OnnxModel, OnnxRuntime


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A model with what is known of it; `build` is the digest of the image's record, empty outside an image."""

    name: str
    version: int
    model: OnnxModel
    model_digest: str
    card: Card
    build: str

    def about(self, release: str) -> dict[str, Any]:
        """The arguments of ScoringService."""
        return {
            "name": self.name,
            "version": self.version,
            "release": release,
            "card": self.card,
            "model_digest": self.model_digest,
            "build": self.build,
        }


def load(files: Path, name: str | None, version: int | None) -> Artifact:
    """Name and version are those of the image where they are not given.

    Raises OSError or ValueError saying what is wrong with which file.
    """
    record, digest = _build(files / BUILD_FILE)
    name, version = name or record.get("model"), record.get("version") if version is None else version
    if not isinstance(name, str) or type(version) is not int:
        raise ValueError(f"{files} holds no {BUILD_FILE} that names model and version, so they have to be given")
    try:
        signature = Signature.from_json(json.loads((files / SIGNATURE_FILE).read_bytes()))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{files / SIGNATURE_FILE}: {error!r}") from error
    card = files / CARD_FILE
    onnx = (files / MODEL_FILE).read_bytes()
    return Artifact(
        name=name,
        version=version,
        model=OnnxRuntime().load(onnx, signature),
        model_digest=sha256(onnx).hexdigest(),
        card=read_card(card.read_bytes() if card.exists() else None, signature),
        build=digest,
    )


def _build(path: Path) -> tuple[dict[str, Any], str]:
    """The image's record and its digest; both are empty where there is none."""
    if not path.exists():
        return {}, ""
    data = path.read_bytes()
    try:
        record = json.loads(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path}: holds no object")
    return record, sha256(data).hexdigest()
