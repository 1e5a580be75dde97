"""A release's image in the engine that is to run it: there, and the very image that the release names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ci.core.records import MODEL_FILE, Release
from mlops_ci.errors import ConfigurationError, IntegrityError, OutsideError, Problem

if TYPE_CHECKING:
    from mlops_ci.ports.images import ImageEngine, ImageFacts


def image_of(release: Release, images: ImageEngine) -> str:
    """The id of the image, which the engine has afterwards: it is pulled by digest where it is missing.

    Raises ConfigurationError for a release without an image, NotFoundError or OutsideError where it is not to be had,
    and IntegrityError where it is another, or was made of something else than the release.
    """
    if release.image is None:
        raise ConfigurationError(
            f"version {release.version} of {release.model} has no image, and the target docker runs images",
            fix="declare `image:` in mlops.yaml, commit it, and release a new version",
        )
    images.pull(release.image)
    facts = images.inspect(release.image)
    if facts is None:
        raise OutsideError(f"somebody has just removed the image {release.image}", fix="run the command again")
    problems = [*_differences(release, release.image, facts)]
    if problems:
        raise IntegrityError(
            f"the image is not the one of release {release.id[:12]}", problems=problems,
            fix="find out how it came to be there, then release a new version",
        )  # fmt: skip
    return facts.image_id


def _differences(release: Release, reference: str, facts: ImageFacts) -> list[Problem]:
    # a registry's name may be spelt in several ways, the digest in one
    known = {one.rpartition("@")[2] for one in (facts.image_id, *facts.digests)}
    if reference.rpartition("@")[2] not in known:
        return [Problem(where=reference, what=f"the engine answers with image {facts.image_id}")]
    expected = {
        "model": release.model,
        "version": str(release.version),
        "lock": release.lock,
        "model-digest": release.files[MODEL_FILE],
    }
    said = {name: facts.labels.get(f"io.mlops-ci.{name}", "").removeprefix("sha256:") for name in expected}
    return [
        Problem(where=reference, what=f"was made of {name} {said[name] or 'unknown'}, not {value}")
        for name, value in expected.items()
        if said[name] != value
    ]
