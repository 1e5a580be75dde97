"""Is everything of a release still what was released: files, evidence, bill of materials, provenance, and the image as
its registry or engine has it? Each question is a check of its own, which says by name what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_ci.core.bill_of_materials import bill_of_materials, disagreements
from mlops_ci.core.digest import sha256
from mlops_ci.core.image import BuiltImage
from mlops_ci.core.provenance import contradictions, toolkit_of
from mlops_ci.core.records import BUILD_FILE, MODEL_FILE, Release
from mlops_ci.core.shape import misfits
from mlops_ci.errors import IntegrityError, NotFoundError, OutsideError, VerificationError
from mlops_ci.pipeline.attestation import provenance_of, signature_problem, statement_in
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import ImageEngine, PublicKey

MODEL_FOLDER = "/model"
SIGNATURE_CHECK = "signature"


@dataclass(frozen=True, kw_only=True)
class ReleaseCheck:
    """`ok` is None where the question could not be asked; `outside` where that is because a system outside failed."""

    name: str
    ok: bool | None
    detail: str
    outside: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


@dataclass(frozen=True, kw_only=True)
class ReleaseVerification:
    release: Release
    checks: tuple[ReleaseCheck, ...]

    @property
    def failed(self) -> list[ReleaseCheck]:
        return [check for check in self.checks if check.ok is False]

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and nothing was left unasked because a system outside failed."""
        return not self.failed and not any(check.outside for check in self.checks)

    @property
    def exit_code(self) -> int:
        """16 where something is not what was released, 13 where all is but for the signature, 20 where the registry or
        the engine did not answer, else 0.
        """
        if any(check.name != SIGNATURE_CHECK for check in self.failed):
            return IntegrityError.exit_code
        if self.failed:
            return VerificationError.exit_code
        return 0 if self.ok else OutsideError.exit_code


def verify_release(
    release: Release, *, registry: Registry, log: EventLog, images: ImageEngine, key: PublicKey | None
) -> ReleaseVerification:
    """Asks every question that the release, whose record is what its id says, can be asked.

    The signature is not asked for without a `key`, nor the image where there is none.
    """
    asked: list[tuple[str, Callable[[], tuple[list[str], str]]]] = [
        ("log", lambda: _log(release, log)),
        ("files", lambda: _blobs(release.files, registry)),
        ("evidence", lambda: _blobs(release.evidence, registry)),
    ]
    if release.image is not None:
        asked += [
            ("build", lambda: _build(release, registry)),
            ("sbom", lambda: _sbom(release, registry)),
            ("provenance", lambda: _provenance(release, registry)),
            ("image", lambda: _image(release, registry, images)),
        ]
    checks = [_check(name, question) for name, question in asked]
    signature = _check(SIGNATURE_CHECK, lambda: _signature(release, registry, key)) if key else _unasked(release)
    return ReleaseVerification(release=release, checks=(*checks, signature))


def _check(name: str, question: Callable[[], tuple[list[str], str]]) -> ReleaseCheck:
    """A question that cannot be answered because of what it found is one that is answered with no."""
    try:
        problems, fine = question()
    except OutsideError as error:
        return ReleaseCheck(name=name, ok=None, detail=f"could not be asked: {error}", outside=True)
    except (IntegrityError, NotFoundError) as error:
        problems, fine = [error.what], ""
    return ReleaseCheck(name=name, ok=not problems, detail="; ".join(problems) or fine)


def _log(release: Release, log: EventLog) -> tuple[list[str], str]:
    registered = log.state(release.model).releases.get(release.id)
    if registered is None:
        return ["the log does not know of it"], ""
    said = (registered.version, registered.lock, registered.commit)
    if said != (release.version, release.lock, release.commit):
        return [f"the log registered it as version {registered.version} of commit {registered.commit[:12]}"], ""
    return [], f"registered as version {release.version} of commit {release.commit[:12]}"


def _blobs(digests: Mapping[str, str], registry: Registry) -> tuple[list[str], str]:
    problems = []
    for name, digest in sorted(digests.items()):
        try:
            registry.get_blob(digest)
        except (IntegrityError, NotFoundError) as error:
            problems.append(f"{name}: {error.what}")
    return problems, f"{', '.join(sorted(digests))}: as their digests say"


def _built(release: Release, registry: Registry) -> BuiltImage:
    value = _evidence(release, "image", registry)
    faults = misfits(value, BuiltImage)
    if faults:
        raise IntegrityError(f"the record of the image is none: {'; '.join(faults[:5])}")
    return BuiltImage.from_json(value)


def _evidence(release: Release, name: str, registry: Registry) -> Any:
    if name not in release.evidence:
        raise IntegrityError(f"the release has an image, and no {name} among its evidence")
    return registry.get_json(release.evidence[name])


def _build(release: Release, registry: Registry) -> tuple[list[str], str]:
    """Do the release, the record of its image, and the `build.json` in the image say the same?"""
    image, build = _built(release, registry), _evidence(release, "build", registry)
    layers = {layer.name: layer.digest for layer in image.layers}
    expected = {
        "model": release.model,
        "version": release.version,
        "lock": release.lock,
        "commit": release.commit,
        "files": dict(release.files),
        "base": image.base,
        "platform": image.platform,
        "dependencies": layers.get("dependencies"),
        "service": layers.get("service"),
    }
    if not isinstance(build, Mapping):
        return [f"{BUILD_FILE} is no object"], ""
    problems = [f"{BUILD_FILE} says otherwise of {key}" for key in expected if build.get(key) != expected[key]]
    if image.reference != release.image:
        problems.append(f"the release names the image {release.image}, and its record {image.reference}")
    if image.build != release.evidence["build"]:
        problems.append(f"the record of the image names another {BUILD_FILE}")
    return problems, f"release, image record and {BUILD_FILE} agree"


def _sbom(release: Release, registry: Registry) -> tuple[list[str], str]:
    image, bill = _built(release, registry), _evidence(release, "sbom", registry)
    if not isinstance(bill, Mapping):
        return ["it is no bill of materials"], ""
    envelope = provenance_of(release, registry)
    expected = bill_of_materials(
        image,
        model=release.model,
        version=release.version,
        files=release.files,
        toolkit=toolkit_of(statement_in(envelope)) if envelope else "",
    )
    return disagreements(bill, expected), f"lists the {len(expected['components'])} things that are in the image"


def _provenance(release: Release, registry: Registry) -> tuple[list[str], str]:
    envelope = provenance_of(release, registry)
    if envelope is None:
        return ["the release has none"], ""
    return contradictions(statement_in(envelope), release), "its subjects and by-products are the release's"


def _signature(release: Release, registry: Registry, key: PublicKey | None) -> tuple[list[str], str]:
    if key is None:
        return [], ""
    problem = signature_problem(provenance_of(release, registry), key)
    return [problem] if problem else [], f"signed by the key {key.id[:12]}"


def _unasked(release: Release) -> ReleaseCheck:
    detail = "not asked for: no public key is given" if release.image else "this release has no image and no provenance"
    return ReleaseCheck(name=SIGNATURE_CHECK, ok=None, detail=detail)


def _image(release: Release, registry: Registry, images: ImageEngine) -> tuple[list[str], str]:
    """The image itself, fetched by its digest, against what is recorded of it."""
    built, reference = _built(release, registry), release.image or ""
    if "@" in reference:
        images.require_published(reference)
        images.pull(reference)
    facts = images.inspect(reference)
    if facts is None:
        return [f"there is no image {reference}"], ""
    problems = []
    # some engines call an image by its manifest and not by its configuration
    if facts.image_id not in (built.image_id, reference.rpartition("@")[2]):
        problems.append(f"its id is {facts.image_id}, not {built.image_id}")
    if list(facts.layers)[-len(built.layers) :] != [layer.digest for layer in built.layers]:
        problems.append("its layers are not those that were built")
    labels = {"model": release.model, "version": str(release.version), "lock": release.lock}
    labels["model-digest"] = release.files.get(MODEL_FILE, "")
    for name, value in labels.items():
        found = facts.labels.get(f"io.mlops-ci.{name}")
        if found != value:
            problems.append(f"its label io.mlops-ci.{name} is {str(found)[:80]!r}, not {value!r}")
    return [*problems, *_files_in(reference, release, images)], f"{reference}: id, layers, labels and files as recorded"


def _files_in(reference: str, release: Release, images: ImageEngine) -> list[str]:
    """What is wrong with the files of the model in the image."""
    found = {name: sha256(data) for name, data in images.files(reference, MODEL_FOLDER).items()}
    expected = {**release.files, BUILD_FILE: release.evidence.get("build")}
    problems = [f"{name} is not in it" for name in sorted(expected.keys() - found.keys())]
    problems += [f"{name} is in it, and not of the release" for name in sorted(found.keys() - expected.keys())]
    both = sorted(expected.keys() & found.keys())
    return problems + [f"its {name} is another one" for name in both if found[name] != expected[name]]
