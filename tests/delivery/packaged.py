"""The small world of `world.py` for a model with an image: each release has one, signed where there is a key."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from mlops_ci.config.types import GateConfig, GuardrailConfig, ImageConfig, PrimaryConfig, WaiverConfig
from mlops_ci.core.image import Builder
from mlops_ci.core.lock import Lock
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Candidate, Release
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.packaging import Packaging
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.release import Registration, register
from mlops_ci.pipeline.site import Site
from mlops_ci.pipeline.verify_release import ReleaseVerification, verify_release
from mlops_ci.ports import PublicKey, Signer
from tests.delivery.world import MODEL, POINTS, RECORDS, SIGNATURE, Line, World
from tests.images import MemoryImages, MemoryParts

IMAGE = ImageConfig(repository="registry.example/acme/tides")
GATE = GateConfig(
    primary=PrimaryConfig(metric="rmse", margin=0.0, alpha=0.05), guardrails=(), slices=(), fairness=(), looks=9,
    waivers=(), ships=("first",), resamples=10,
)  # fmt: skip
MADE_AT = "2026-11-21T09:00:00Z"


class PackagedWorld(World):
    """`signer` is whose key the command `release` is given, `public_key` what deployments ask for."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.images = MemoryImages()
        self.image: ImageConfig | None = IMAGE
        self.gate = GATE
        self.signer: Signer | None = None
        self.public_key: PublicKey | None = None
        self.builder = Builder()
        self.commit = "c" * 40

    def limit_images(self, megabytes: float, waivers: Sequence[WaiverConfig] = ()) -> None:
        rule = GuardrailConfig(metric="image_mb", min=None, max=megabytes)
        self.gate = replace(GATE, guardrails=(rule,), waivers=tuple(waivers))

    @property
    def packaging(self) -> Packaging | None:
        if self.image is None:
            return None
        return Packaging(
            image=self.image, gate=self.gate, engine=self.images, parts=MemoryParts(self.folder / "layers"),
            builder=self.builder, source="https://git.example/acme/tides", committed_at=lambda _: MADE_AT,
            signer=self.signer, public_key=self.public_key, toolkit="0.1.0", today=self.clock.now().date(),
        )  # fmt: skip

    def copy_of_command(self, number: int) -> PackagedWorld:
        """Another run of a command on the same world, as a CI service makes it."""
        other = copy.copy(self)
        other.builder = Builder(id="https://ci.example/release", invocation=f"https://ci.example/runs/{number}")
        return other

    def site(self, name: str = "production") -> Site:
        return replace(super().site(name), public_key=self.public_key)

    def register(self, line: Line, name: str | None = None) -> Release:
        registry = Registry(self.store)
        parts = {
            "code": {"train.py": sha256((name or str(line)).encode()).hexdigest()},
            "data": {"tides.csv": "d" * 64},
        }
        lock = Lock(model=MODEL, **parts, params={}, environment={}, toolkit="0.1.0")
        candidate = Candidate(
            model=MODEL, lock=lock.digest, lock_record=registry.put_json(lock.to_json()), signature=SIGNATURE,
            onnx=registry.put_blob(json.dumps(vars(line)).encode()), refusal="", reference="", holdout="",
            profile=registry.put_json({}), metrics={}, rows={}, commit=self.commit, trained_at="", seconds=0.0,
        )  # fmt: skip
        registry.save_candidate(candidate)
        truth = Line(slope=line.slope)
        golden = GoldenRows(records=RECORDS, answers=Predictions(values=np.array([truth.answer(x) for x in POINTS])))
        registration = Registration(
            candidate=candidate, commit=self.commit, verdict="first", golden=golden, card={"model": MODEL},
            evidence={"evaluation": registry.put_json({"verdict": "first"})},
        )  # fmt: skip
        return register(registration, registry=registry, log=self.log, actor="Ada", packaging=self.packaging)

    def verify(self, release: Release, key: PublicKey | None = None) -> ReleaseVerification:
        """As the command `verify-release` does."""
        registry = Registry(self.store)
        return verify_release(release, registry=registry, log=self.log, images=self.images, key=key)
