"""`python -m tools.release_toolkit VERSION --tested COMMIT`: releases what is checked out. Run again, it finishes."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mlops_ci.adapters.environment import Environment, read_environment
from mlops_ci.adapters.git import GitRepository
from mlops_ci.errors import ConfigurationError, MlopsError
from tools.release_toolkit import SOURCE, release, version
from tools.release_toolkit.checks import require_ready


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        done = _release(arguments, read_environment())
    except MlopsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(done, indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.release_toolkit", description=__doc__)
    add = parser.add_argument
    add("version", help="such as 1.2.0")
    add("--tested", default="", metavar="COMMIT", help="the commit whose tests have passed, in full: that of HEAD")
    add("--repository", metavar="OWNER/NAME", help=f"who releases (default: GITHUB_REPOSITORY, else {SOURCE})")
    add("--push", default="", metavar="REMOTE", help="where the tags go; without it they stay here")
    add("--publish", action="store_true", help="make GitHub's release too, by the token in MLOPS_GITHUB_TOKEN")
    add("-C", dest="directory", type=Path, default=Path(), metavar="DIR", help="the toolkit's clone")
    return parser


def _release(arguments: argparse.Namespace, environment: Environment) -> dict[str, str]:
    wanted = version.parse(arguments.version)
    git = GitRepository(arguments.directory)
    source = git.commit()
    if source is None:
        raise ConfigurationError("there is no commit", where=str(git.root), fix="name the toolkit's clone by -C")
    if arguments.publish and not (arguments.push and environment.github):
        raise ConfigurationError("--publish needs --push, and the variables of a GitHub run", fix="see CONTRIBUTING.md")
    remote, credentials = arguments.push, _credentials(environment)
    there = release.tags_at(git, remote, credentials) if remote else {}
    here = release.tags_here(git)
    notes = require_ready(
        git, source=source, version=wanted, tested=arguments.tested, tags={**here, **there}, remote=remote
    )
    made = release.make(git, source=source, version=wanted, repository=_repository(arguments, environment), notes=notes)
    for place, tags in ((remote, there), ("this clone", here)):
        if tags.get(wanted.tag, made.tag) != made.tag:
            raise ConfigurationError(
                f"{wanted.tag} is there already and names something else", where=place,
                fix="a release never changes: take a later version",
            )  # fmt: skip
    release.name(git, made)
    if remote:
        release.push(git, made, remote, there, credentials)
    done = made.to_json()
    return done | {"url": _publish(environment, made, notes)} if arguments.publish else done


def _repository(arguments: argparse.Namespace, environment: Environment) -> str:
    return str(arguments.repository or (environment.github.repository if environment.github else "") or SOURCE)


def _credentials(environment: Environment) -> dict[str, str] | None:
    """For Git alone, and not among its arguments, where every process of the machine could read them."""
    github = environment.github
    if github is None or not github.token:
        return None
    basic = base64.b64encode(f"x-access-token:{github.token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{github.server_url}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {basic}",
    }


def _publish(environment: Environment, made: release.Release, notes: str) -> str:
    from mlops_ci.adapters.github_api import GitHubApi
    from mlops_ci.adapters.github_publisher import GitHubPublisher

    github = environment.github
    assert github is not None  # asked for before anything was made
    api = GitHubApi(
        token=github.token, repository=github.repository, api_url=github.api_url, server_url=github.server_url
    )
    tag = made.version.tag
    return GitHubPublisher(api).release(tag, name=tag, body=notes, commit=made.commit)


if __name__ == "__main__":
    sys.exit(main())
