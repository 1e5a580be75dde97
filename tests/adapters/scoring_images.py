"""Scoring images of tiny models in the tests' Docker engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.config.types import ImageConfig
from mlops_ci.core.records import Release
from mlops_ci.pipeline.image import ImageInputs, build_image
from tests.docker_engine import DockerEngine


class ScoringImages:
    """Builds the images of releases on the run's base."""

    def __init__(self, engine: DockerEngine, parts: CachedParts) -> None:
        self._images = DockerImages(lambda: engine.client)
        self._engine = engine
        self._parts = parts

    def with_image(self, release: Release, files: Mapping[str, bytes]) -> Release:
        """The release with its image, which is nowhere but in the engine."""
        repository = f"mlops-ci-test-{self._engine.mark}/{release.model}"
        config = ImageConfig(repository=repository, base=self._engine.base, push=False)
        inputs = ImageInputs(
            model=release.model,
            version=release.version,
            lock=release.lock,
            commit=release.commit,
            created="2026-11-21T09:00:00Z",
            files=files,
        )
        return replace(release, image=build_image(inputs, config, engine=self._images, parts=self._parts).reference)
