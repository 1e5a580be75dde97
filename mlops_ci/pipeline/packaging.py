"""Makes of a release that has files and evidence one that has its image, its bill of materials and its provenance too.

Everything that is made is kept by digest, and nothing knows of it before the release is registered: a run that is
killed leaves blobs and an image that nobody names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from mlops_ci.config.types import GateConfig, ImageConfig
from mlops_ci.core.bill_of_materials import bill_of_materials
from mlops_ci.core.dsse import KeySignature
from mlops_ci.core.gate import Waived
from mlops_ci.core.image import Builder, BuiltImage
from mlops_ci.core.image_limits import judge_image
from mlops_ci.core.lock import Lock
from mlops_ci.core.provenance import KEY, provenance
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError, ModelGateBlocked, VerificationError
from mlops_ci.pipeline.attestation import require_signed
from mlops_ci.pipeline.image import ImageInputs, build_image, build_record, publish_image
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import ImageEngine, ImageParts, PublicKey, Signer


@dataclass(frozen=True, kw_only=True)
class Packaging:
    """What it takes to make an image of a release: who builds, with what, who signs, and what is demanded of it.

    `signer` is None where no key was given; `public_key` what deployments ask for, None where they ask for none.
    `source` is the Git repository's address, "" where it has none; `committed_at` gives the time of a commit.
    """

    image: ImageConfig
    gate: GateConfig
    engine: ImageEngine
    parts: ImageParts
    builder: Builder
    source: str
    committed_at: Callable[[str], str]
    signer: Signer | None
    public_key: PublicKey | None
    toolkit: str
    today: date

    def require(self) -> None:
        """Asked before anything is made. Raises OutsideError where no engine answers, and ConfigurationError where what
        would be released could not be deployed, for want of the right key.
        """
        self._require_key()
        self.engine.require()

    def _require_key(self) -> None:
        if self.public_key is None:
            return
        where, wanted = self.image.public_key or "", self.public_key.id[:12]
        if self.signer is None:
            raise ConfigurationError(
                f"releases have to be signed by the key {wanted}, and no signing key is given",
                where=where,
                fix="give its private key: mlops-ci release --signing-key FILE, or MLOPS_SIGNING_KEY",
            )
        if self.signer.public_key.id != self.public_key.id:
            raise ConfigurationError(
                f"the signing key {self.signer.public_key.id[:12]} is not the one that deployments ask for, {wanted}",
                where=where,
                fix="give the private key that belongs to image.public_key, or put the other public key there",
            )

    def satisfied_by(self, release: Release, registry: Registry) -> bool:
        """Whether the release has all that is asked for: an image of this repository, and the signature."""
        if release.image is None or KEY not in release.evidence:
            return False
        pushed, _, _ = release.image.rpartition("@")
        if pushed != (self.image.repository if self.image.push else ""):
            return False
        if self.public_key is None:
            return True
        try:
            require_signed(release, self.public_key, registry)
        except VerificationError:
            return False
        return True

    def package(self, release: Release, registry: Registry) -> tuple[Release, tuple[Waived, ...]]:
        """The release with its image, and the waivers that it needed.

        Raises ModelGateBlocked where a guardrail for images is broken, and OutsideError where it cannot be built.
        """
        self.require()
        inputs = self._inputs(release, registry)
        image = build_image(inputs, self.image, engine=self.engine, parts=self.parts)
        judgement = judge_image({"image_mb": image.megabytes}, self.gate, on=self.today)
        if judgement.reasons:
            raise ModelGateBlocked(
                f"{'; '.join(judgement.reasons)}; nothing is released",
                where=f"image {image.image_id}",
                fix="make the image smaller (a smaller base, fewer packages in it), or change the limit in mlops.yaml",
            )
        image = publish_image(image, self.image, version=release.version, engine=self.engine)
        bill = bill_of_materials(
            image, model=release.model, version=release.version, files=release.files, toolkit=self.toolkit
        )
        made = {
            "build": registry.put_blob(build_record(inputs, image)),
            "image": registry.put_json(image.to_json()),
            "sbom": registry.put_json(bill),
        }
        evidence = {name: digest for name, digest in release.evidence.items() if name != KEY} | made
        packaged = replace(release, image=image.reference, evidence=evidence)
        return self._with_provenance(packaged, image, registry), judgement.waived

    def _inputs(self, release: Release, registry: Registry) -> ImageInputs:
        return ImageInputs(
            model=release.model,
            version=release.version,
            lock=release.lock,
            commit=release.commit,
            created=self.committed_at(release.commit),
            files={name: registry.get_blob(digest) for name, digest in release.files.items()},
            source=self.source,
        )

    def _with_provenance(self, release: Release, image: BuiltImage, registry: Registry) -> Release:
        envelope = provenance(
            release,
            image=image,
            repository=self.image.repository,
            lock=Lock.from_json(registry.get_json(release.evidence["lock"])),
            source=self.source,
            builder=self.builder,
            toolkit=self.toolkit,
        )
        if self.signer is not None:
            value = self.signer.sign(envelope.signed_bytes)
            signature = KeySignature(key=self.signer.public_key.id, value=value)
            envelope = replace(envelope, signatures=(signature,))
        return replace(release, evidence={**release.evidence, KEY: registry.put_json(envelope.to_json())})
