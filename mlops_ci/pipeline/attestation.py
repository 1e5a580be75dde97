"""Reads the provenance of a release back, and says whether it is of this release and signed by the key asked for."""

from __future__ import annotations

import json
from typing import Any

from mlops_ci.core.dsse import STATEMENT_TYPE, Envelope
from mlops_ci.core.provenance import KEY, contradictions
from mlops_ci.core.records import Release
from mlops_ci.errors import IntegrityError, Problem, VerificationError
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import PublicKey


def provenance_of(release: Release, registry: Registry) -> Envelope | None:
    """The envelope; None where the release has none. Raises IntegrityError where the store holds something else."""
    digest = release.evidence.get(KEY)
    if digest is None:
        return None
    try:
        return Envelope.from_json(registry.get_json(digest))
    except ValueError as error:
        raise IntegrityError(f"the provenance of {_named(release)} cannot be read: {error}", where=digest) from error


def statement_in(envelope: Envelope) -> Any:
    """The statement that the envelope holds, whatever it says. Raises IntegrityError where it holds none."""
    if envelope.payload_type != STATEMENT_TYPE:
        raise IntegrityError(f"the provenance holds {envelope.payload_type[:80]!r}, and no in-toto statement")
    try:
        return json.loads(envelope.payload)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"the statement of the provenance is not JSON ({str(error)[:100]})") from error


def signature_problem(envelope: Envelope | None, key: PublicKey) -> str:
    """Why the envelope is not signed by this key; empty where it is. Which key a signature names is not believed."""
    if envelope is None:
        return "it has no provenance"
    if not envelope.signatures:
        return "its provenance is not signed"
    if any(key.verifies(envelope.signed_bytes, one.value) for one in envelope.signatures):
        return ""
    if any(one.key == key.id for one in envelope.signatures):
        return "the signature of its provenance does not fit: the statement or the signature was changed"
    others = ", ".join(sorted({one.key[:12] or "an unnamed key" for one in envelope.signatures}))
    return f"its provenance is signed by {others}, and not by {key.id[:12]}"


def require_signed(release: Release, key: PublicKey, registry: Registry) -> None:
    """Raises VerificationError unless the release is signed by the key, and IntegrityError where what is signed is not
    this release.
    """
    envelope = provenance_of(release, registry)
    problem = signature_problem(envelope, key)
    if problem or envelope is None:
        raise VerificationError(
            f"{_named(release)} is not to be deployed: {problem}",
            fix=f"release it again with the key that belongs to image.public_key: mlops-ci release {release.model} "
            f"--signing-key FILE; or choose a release that is signed: mlops-ci verify-release {release.model} "
            "--version N",
        )
    problems = contradictions(statement_in(envelope), release)
    if problems:
        raise IntegrityError(
            f"the signed provenance is not of {_named(release)}, which is not to be deployed",
            fix=f"mlops-ci verify-release {release.model} --release {release.id[:12]}",
            problems=[Problem(where="provenance", what=problem) for problem in problems],
        )


def _named(release: Release) -> str:
    return f"version {release.version} (release {release.id[:12]})"
