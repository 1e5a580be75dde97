"""`verify` asks a service whether it is a certain release, and well; how a verification is told.

At an address it only asks. In an environment the answer goes on record, and what fails there is taken back.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import Command, Outcome, model_argument, option, release_arguments
from mlops_ci.errors import ConfigurationError, OutsideError, VerificationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.config.types import ModelConfig, VerificationConfig
    from mlops_ci.core.records import Release


def verify(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _in_environment(arguments, context) if arguments.environment else _at_address(arguments, context)


def _in_environment(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import site_of
    from mlops_ci.cli.telling import tell_deployment
    from mlops_ci.pipeline.live_verification import reverify

    if any(item is not None for item in (arguments.release, arguments.model_version)):
        raise ConfigurationError("--environment verifies what serves there, and no other release", fix="use --url")
    if any(item is not None for item in (arguments.rate, arguments.duration)):
        raise ConfigurationError(
            "--environment verifies under the load that mlops.yaml declares", fix="use --url, or edit `verification`"
        )
    config = context.config(arguments.model)
    site = site_of(context, config, arguments.environment)
    found = reverify(site)
    if found.change is not None:
        tell_deployment(context, site, found.change)
    verification, change, release = found.verification, found.change, found.release
    value = {
        "model": config.model,
        "version": release.version,
        **verification.to_json(),
        "environment": arguments.environment,
        "recorded": "verified" if verification.ok else "verification-revoked",
        "change": change.to_json() if change else None,
        "closed": [pull.number for pull in found.closed],
    }
    lines = [_head(release, verification.url, verification.ok), *check_lines(value)]
    if change is not None:
        lines.append(f"{arguments.environment} is back on release {(change.release or 'none')[:12]}")
        if change.revert is not None:
            lines.append(f"Git names what is on hold until pull request {change.revert} is merged")
    elif not verification.ok:
        lines.append(f"there is no release before it that {arguments.environment} could go back to: it keeps serving")
    lines += [f"pull request {pull.number} is closed: {pull.title}" for pull in found.closed]
    code = 0 if verification.ok else VerificationError.exit_code
    return Outcome(value=value, text="\n".join(lines), code=code, problems=verification.problems)


def _at_address(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.adapters.http_exchange import Origin
    from mlops_ci.cli.delivery import chosen_release
    from mlops_ci.pipeline.stored import golden_of, signature_of
    from mlops_ci.pipeline.verify import verify as ask

    config = context.config(arguments.model)
    url: str = arguments.url.rstrip("/")
    Origin.of(url)  # what is no address is refused before anything else is looked at
    load = _load(config.verification, arguments)
    release = chosen_release(context, config, arguments)
    with context.console.working(f"verifying version {release.version} at {url}"):
        verification = ask(
            context.client,
            url,
            release=release,
            signature=signature_of(release, context.registry),
            golden=golden_of(release, context.registry),
            limits=config.parity,
            in_image=release.image is not None and not _serves_from_files(context, config, url),
            load=load,
        )
    code = 0 if verification.ok else VerificationError.exit_code
    if verification.undecided:
        code = OutsideError.exit_code
    value = {"model": config.model, "version": release.version, **verification.to_json()}
    text = "\n".join([_head(release, url, verification.ok), *check_lines(value)])
    return Outcome(value=value, text=text, code=code, problems=verification.problems)


def check_lines(verification: Mapping[str, Any]) -> list[str]:
    """The checks of a verification as the store and `--json` have it, one a line."""
    checks: Sequence[Mapping[str, Any]] = verification["checks"]
    width = max(len(check["name"]) for check in checks)
    return [f"  {check['name']:{width}}  {'ok' if check['ok'] else 'FAILED':6}  {check['detail']}" for check in checks]


def _head(release: Release, url: str, ok: bool) -> str:
    outcome = "verified" if ok else "NOT verified"
    return f"{release.model} version {release.version} ({release.id[:12]}) at {url}: {outcome}"


def _load(declared: VerificationConfig, arguments: argparse.Namespace) -> VerificationConfig:
    """The declared load, unless the arguments say otherwise; within the same limits."""
    from dataclasses import replace

    from mlops_ci.config.durations import duration, is_duration
    from mlops_ci.config.rules import HIGHEST_RATE, LONGEST_LOAD

    load = declared
    if arguments.rate is not None:
        if not 1 <= arguments.rate <= HIGHEST_RATE:
            raise ConfigurationError(f"--rate {arguments.rate}", fix=f"write a whole number from 1 to {HIGHEST_RATE}")
        load = replace(load, rate=arguments.rate)
    if arguments.duration is not None:
        if not is_duration(arguments.duration) or duration(arguments.duration) > LONGEST_LOAD:
            raise ConfigurationError(f"--duration {arguments.duration}", fix="write at most 10m, such as 2s")
        load = replace(load, duration=duration(arguments.duration))
    return load


def _serves_from_files(context: Context, config: ModelConfig, url: str) -> bool:
    """Whether it is the address of an environment whose services run from the release's files, with no image."""
    places = [each for each in config.environments if each.target == "process"]
    return any(context.target(config, place).url(place.name, config.model) == url for place in places)


def _where(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", metavar="URL", help="the service's address, such as http://127.0.0.1:8080; only asks")
    where.add_argument("--environment", metavar="E", help="what serves there; the answer goes on record, and counts")


COMMANDS = (
    Command(
        name="verify",
        help="ask a service whether it is a release, and answers well, under load too; in an environment, take back "
        "what does not",
        run=verify,
        arguments=(
            model_argument,
            _where,
            release_arguments,
            option("--rate", type=int, metavar="N", help="requests a second (default: verification.rate)"),
            option("--duration", metavar="D", help="of the load, such as 2s (default: verification.duration)"),
        ),
    ),
)
