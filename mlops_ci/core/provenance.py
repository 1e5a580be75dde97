"""Where a release comes from, as an in-toto statement with SLSA's provenance predicate, and how to hold it against one.

The statement is about a release as far as it is known before its provenance: it names the image and every file as its
subjects, and every evidence but itself among its by-products, so that a signature of it is one of the whole release.
Sources: in-toto Statement v1, SLSA provenance v1. docs/supply-chain.md says what each field means here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mlops_ci.core.digest import canonical_json
from mlops_ci.core.dsse import STATEMENT_TYPE, Envelope
from mlops_ci.core.image import Builder, BuiltImage
from mlops_ci.core.lock import Lock
from mlops_ci.core.package_url import package_url
from mlops_ci.core.records import Release

BUILD_TYPE = "urn:mlops-ci:build:scoring-image:v1"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
KEY = "provenance"
"""Of a release's evidence, for the envelope with the statement."""


def provenance(
    release: Release,
    *,
    image: BuiltImage,
    repository: str,
    lock: Lock,
    source: str,
    builder: Builder,
    toolkit: str,
) -> Envelope:
    """The statement about a release that has its image and all other evidence, not signed yet.

    `repository` is the image's, `source` the address of the Git repository ("" where it has none), `toolkit` the
    version of mlops-ci that built.
    """
    run: dict[str, Any] = {
        "builder": {"id": builder.id, "version": {"mlops-ci": toolkit}},
        "byproducts": list(_named(_byproducts(release))),
    }
    if builder.invocation:
        run["metadata"] = {"invocationId": builder.invocation}
    statement = {
        "_type": STATEMENT,
        "subject": list(_named(_subjects(release))),
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {**_parameters(release), "platform": image.platform, "repository": repository},
                "internalParameters": {"lock": release.lock},
                "resolvedDependencies": [*_materials(release, image, lock, source)],
            },
            "runDetails": run,
        },
    }
    return Envelope(payload_type=STATEMENT_TYPE, payload=canonical_json(statement))


def contradictions(statement: Any, release: Release) -> list[str]:
    """What the statement says otherwise than the release; empty where it is the provenance of this very release."""
    own = without_provenance(release)
    expected = {
        "_type": STATEMENT,
        "predicateType": PREDICATE,
        "predicate.buildDefinition.buildType": BUILD_TYPE,
        "predicate.buildDefinition.externalParameters.model": own.model,
        "predicate.buildDefinition.externalParameters.version": own.version,
        "predicate.buildDefinition.internalParameters.lock": own.lock,
    }
    lines = [
        f"{path} is {str(found)[:80]!r}, not {value!r}"
        for path, value in expected.items()
        if (found := _at(statement, path)) != value
    ]
    lines += _differing("subject", _digests(_at(statement, "subject")), _subjects(own))
    by_products = _digests(_at(statement, "predicate.runDetails.byproducts"))
    lines += _differing("by-product", by_products, _byproducts(own))
    commits = [
        _at(one, "digest.gitCommit")
        for one in _listed(_at(statement, "predicate.buildDefinition.resolvedDependencies"))
    ]
    if own.commit not in commits:
        lines.append(f"it was not built from commit {own.commit[:12]}")
    return lines


def toolkit_of(statement: Any) -> str:
    """The version of mlops-ci that built; "" where the statement does not say."""
    found = _at(statement, "predicate.runDetails.builder.version.mlops-ci")
    return found if isinstance(found, str) else ""


def without_provenance(release: Release) -> Release:
    """What the statement is about."""
    return replace(release, evidence={name: digest for name, digest in release.evidence.items() if name != KEY})


def _parameters(release: Release) -> dict[str, Any]:
    return {"model": release.model, "version": release.version}


def _subjects(release: Release) -> dict[str, str]:
    """Name to digest of what was built; the image by its manifest where it is in a registry, else by its id."""
    digest = (release.image or "").rpartition("@")[2].removeprefix("sha256:")
    return {"image": digest, **release.files}


def _byproducts(release: Release) -> dict[str, str]:
    return dict(release.evidence)


def _named(digests: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for name, digest in sorted(digests.items()):
        yield {"name": name, "digest": {"sha256": digest}}


def _materials(release: Release, image: BuiltImage, lock: Lock, source: str) -> Iterator[dict[str, Any]]:
    commit = {"name": "source", "digest": {"gitCommit": release.commit}}
    yield {**commit, "uri": f"git+{source}@{release.commit}"} if source else commit
    name, _, digest = image.base.rpartition("@")
    yield {"name": "base-image", "uri": f"docker://{image.base}" if name else image.base, "digest": _sha256(digest)}
    yield {"name": "lock", "digest": _sha256(release.lock)}
    for path, digest in sorted(lock.data.items()):
        yield {"name": f"data:{path}", "digest": _sha256(digest)}
    wheels = sorted((package_url(one), one.sha256) for one in image.packages if one.kind == "pypi" and one.sha256)
    for url, digest in wheels:
        yield {"uri": url, "digest": _sha256(digest)}


def _sha256(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def _at(value: Any, path: str) -> Any:
    """What a JSON value holds at a dotted path; None where it is not built so."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _digests(resources: Any) -> list[tuple[Any, Any]]:
    return [(_at(one, "name"), _at(one, "digest.sha256")) for one in _listed(resources)]


def _differing(what: str, found: list[tuple[Any, Any]], expected: Mapping[str, str]) -> Iterator[str]:
    for name, digest in sorted(expected.items()):
        if (name, digest) not in found:
            yield f"no {what} is {name} with digest {digest[:12]}"
    for name, digest in found:
        if (name, digest) not in [*expected.items()]:  # a name may be anything here
            yield f"{what} {str(name)[:80]} with digest {str(digest)[:12]} is not of this release"
