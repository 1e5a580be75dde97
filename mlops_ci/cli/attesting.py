"""`verify-release`: is everything of a release still what was released, and is it signed?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, model_argument, path_option, release_arguments
from mlops_ci.errors import IntegrityError, Problem

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.pipeline.verify_release import ReleaseVerification

_SHOWN = {True: "ok", False: "FAILED", None: "-"}


def verify_release(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.adapters.signing_keys import read_public_key
    from mlops_ci.cli.delivery import chosen_release
    from mlops_ci.cli.signing import public_key_of
    from mlops_ci.pipeline.verify_release import verify_release as verify

    config = context.config(arguments.model)
    given: Path | None = arguments.public_key
    key = read_public_key(context.directory / given, where="--public-key") if given else public_key_of(config)
    release = chosen_release(context, config, arguments)
    with context.console.working(f"checking version {release.version} of {config.model}"):
        verification = verify(release, registry=context.registry, log=context.log, images=context.images, key=key)
    value = {
        "model": release.model,
        "version": release.version,
        "release": release.id,
        "image": release.image,
        "public_key": key.id if key else None,
        "ok": verification.ok,
        "checks": [check.to_json() for check in verification.checks],
    }
    problems = [
        Problem(where=f"release {release.id[:12]}", what=one.detail, name=one.name) for one in verification.failed
    ]
    return Outcome(value=value, text=_text(verification), code=verification.exit_code, problems=problems)


def _text(verification: ReleaseVerification) -> str:
    release = verification.release
    if verification.failed:
        said = "is NOT what was released" if verification.exit_code == IntegrityError.exit_code else "is NOT SIGNED"
    else:
        said = "is what was released" if verification.ok else "could not be checked in full"
    width = max(len(check.name) for check in verification.checks)
    lines = [f"  {check.name:{width}}  {_SHOWN[check.ok]:6}  {check.detail}" for check in verification.checks]
    return "\n".join([f"{release.model} version {release.version} ({release.id[:12]}) {said}", *lines])


COMMANDS = (
    Command(
        name="verify-release",
        help="prove that a release is what was built and signed: files, evidence, SBOM, provenance, image",
        run=verify_release,
        arguments=(
            model_argument,
            release_arguments,
            path_option("--public-key", help="who has to have signed it (default: image.public_key)"),
        ),
    ),
)
