"""What the store holds of a release for whoever asks its services: the signature, and the rows with their answers."""

from __future__ import annotations

import json
from dataclasses import replace

from mlops_ci.core.probes import Probes
from mlops_ci.core.records import SIGNATURE_FILE, Release
from mlops_ci.core.signature import Signature
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.registry import Registry


def signature_of(release: Release, registry: Registry) -> Signature:
    return Signature.from_json(json.loads(registry.get_blob(release.files[SIGNATURE_FILE])))


def golden_of(release: Release, registry: Registry) -> GoldenRows:
    """The rows that a service of this release is asked, the adversarial ones among them."""
    if "golden" not in release.evidence:
        raise IntegrityError(f"release {release.id[:12]} has no golden rows", fix="release the version again")
    golden = GoldenRows.from_json(registry.get_json(release.evidence["golden"]))
    if "probes" not in release.evidence:
        return golden
    probes = Probes.from_json(registry.get_json(release.evidence["probes"]), signature_of(release, registry))
    return replace(golden, probes=probes)
