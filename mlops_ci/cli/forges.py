"""Chooses the forge: GitHub in its Actions, or where MLOPS_FORGE says so, else plain Git on this machine.

Never the one in place of the other: a command that finds no token in Actions stops.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlops_ci.adapters.environment import GitHub
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.adapters.github_api import GitHubApi
    from mlops_ci.adapters.local_forge import LocalForge
    from mlops_ci.cli.context import Context
    from mlops_ci.ports import Forge, Publisher, Repository

KINDS = ("github", "local")


def on_github(context: Context) -> bool:
    """Raises ConfigurationError where MLOPS_FORGE names no forge that there is."""
    kind = context.environment.forge
    if kind not in KINDS:
        raise ConfigurationError(f"MLOPS_FORGE is {kind!r}", fix=f"set it to one of {', '.join(KINDS)}, or not at all")
    return kind == "github"


def github_of(context: Context) -> GitHub:
    """Raises ConfigurationError where there is no GitHub, or not enough is known to talk to it."""
    github = context.environment.github if on_github(context) else None
    if github is None:
        raise ConfigurationError("the forge is plain Git on this machine", fix="set MLOPS_FORGE=github")
    if not github.token:
        raise ConfigurationError(
            "there is no token for GitHub",
            fix="in a workflow give the step `env: GITHUB_TOKEN: ${{ github.token }}`, or MLOPS_GITHUB_TOKEN with the "
            "token of an App; MLOPS_FORGE=local keeps to plain Git on this machine",
        )
    name = github.repository or _name_by_origin(context, github.server_url)
    if name.count("/") != 1 or not all(name.split("/")):
        raise ConfigurationError(
            f"no repository of {github.server_url} is known" + (f": {name!r} is no name of one" if name else ""),
            fix="set GITHUB_REPOSITORY=owner/name, or git remote add origin",
        )
    return replace(github, repository=name)


def api_of(context: Context) -> GitHubApi:
    from mlops_ci.adapters.github_api import GitHubApi

    github = context.github
    return GitHubApi(
        token=github.token, repository=github.repository, api_url=github.api_url, server_url=github.server_url,
        clock=context.clock, console=context.console,
    )  # fmt: skip


def forge_of(context: Context) -> Forge:
    if not on_github(context):
        return context.local_forge
    from mlops_ci.adapters.github_forge import GitHubForge
    from mlops_ci.adapters.github_gate import GatedForge

    if context.github.starts_workflows:
        return GitHubForge(context.github_api, context.console)
    return GatedForge(context.github_api, context.console, gate=context.github.gate)


def local_forge_of(context: Context) -> LocalForge:
    """Raises ConfigurationError where people review on GitHub."""
    from mlops_ci.adapters.local_forge import LocalForge

    if on_github(context):
        raise ConfigurationError(
            "people review on GitHub, each by their own name",
            where=f"{context.github.server_url}/{context.github.repository}/pulls",
            fix="review the pull request there",
        )
    return LocalForge(context.repository, context.clock)


def shared_repository_of(context: Context) -> Repository:
    if not on_github(context):
        return context.repository
    from mlops_ci.adapters.github_repository import GitHubRepository

    return GitHubRepository(context.github_api, context.repository)


def publisher_of(context: Context) -> Publisher | None:
    if not on_github(context):
        return None
    from mlops_ci.adapters.github_publisher import GitHubPublisher

    return GitHubPublisher(context.github_api)


def _name_by_origin(context: Context, server_url: str) -> str:
    """`owner/name` of the checkout's origin, where that is a repository of this server."""
    from mlops_ci.adapters.git_origin import origin

    repository = context.repository_if_any
    address = urlsplit(origin(repository)) if repository else None
    if address is None or address.hostname != urlsplit(server_url).hostname:
        return ""
    return address.path.strip("/")
