"""Chooses the forge: that of the pipeline that runs, or the one that MLOPS_FORGE names, else plain Git on this machine.

Never the one in place of the other: a command that finds no token for its forge stops.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlops_ci.adapters.ci_variables import FORGES, AzureDevOps, ForgeKind, GitLab, azure_devops_origin
from mlops_ci.adapters.environment import GitHub
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.adapters.azure_devops_api import AzureDevOpsApi
    from mlops_ci.adapters.github_api import GitHubApi
    from mlops_ci.adapters.gitlab_api import GitLabApi
    from mlops_ci.adapters.local_forge import LocalForge
    from mlops_ci.cli.context import Context
    from mlops_ci.ports import Forge, Publisher, Repository

NAMES = {"github": "GitHub", "gitlab": "GitLab", "azure-devops": "Azure DevOps", "local": "plain Git on this machine"}
KEEP_LOCAL = "MLOPS_FORGE=local keeps to plain Git on this machine"


def kind_of(context: Context) -> ForgeKind:
    """Raises ConfigurationError where MLOPS_FORGE names no forge that there is."""
    kind = context.environment.forge
    found = next((each for each in FORGES if each == kind), None)
    if found is None:
        raise ConfigurationError(f"MLOPS_FORGE is {kind!r}", fix=f"set it to one of {', '.join(FORGES)}, or not at all")
    return found


def github_of(context: Context) -> GitHub:
    """Raises ConfigurationError where there is no GitHub, or not enough is known to talk to it."""
    github = context.environment.github if kind_of(context) == "github" else None
    if github is None:
        raise ConfigurationError(f"the forge is {NAMES[kind_of(context)]}", fix="set MLOPS_FORGE=github")
    if not github.token:
        raise ConfigurationError(
            "there is no token for GitHub",
            fix="in a workflow give the step `env: GITHUB_TOKEN: ${{ github.token }}`, or MLOPS_GITHUB_TOKEN with the "
            f"token of an App; {KEEP_LOCAL}",
        )
    name = github.repository or _name_by_origin(context, github.server_url)
    if name.count("/") != 1 or not all(name.split("/")):
        raise ConfigurationError(
            f"no repository of {github.server_url} is known" + (f": {name!r} is no name of one" if name else ""),
            fix="set GITHUB_REPOSITORY=owner/name, or git remote add origin",
        )
    return replace(github, repository=name)


def gitlab_of(context: Context) -> GitLab:
    """Raises ConfigurationError where not enough is known to talk to GitLab."""
    gitlab = context.environment.gitlab
    if gitlab is None:
        raise ConfigurationError("nothing is known of a GitLab", fix="set MLOPS_FORGE=gitlab")
    if not gitlab.token:
        raise ConfigurationError(
            "there is no token for GitLab: that of a job (CI_JOB_TOKEN) may not do what is needed",
            fix="set the masked, protected variable MLOPS_GITLAB_TOKEN to a project access token with the scope `api`; "
            f"{KEEP_LOCAL}",
        )
    project = gitlab.project or _name_by_origin(context, gitlab.server_url)
    if "/" not in project.strip("/"):
        raise ConfigurationError(
            f"no project of {gitlab.server_url} is known",
            fix="set CI_PROJECT_PATH=group/project (and CI_SERVER_URL for a server of your own), or add origin",
        )
    return replace(gitlab, project=project)


def azure_devops_of(context: Context) -> AzureDevOps:
    """Raises ConfigurationError where not enough is known to talk to Azure DevOps."""
    azure = context.environment.azure_devops
    if azure is None:
        raise ConfigurationError("nothing is known of an Azure DevOps", fix="set MLOPS_FORGE=azure-devops")
    if not azure.token:
        raise ConfigurationError(
            "there is no token for Azure DevOps",
            fix="give the step `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`, or MLOPS_AZURE_DEVOPS_TOKEN with a "
            f"personal access token of a service account; {KEEP_LOCAL}",
        )
    if azure.collection_url and azure.project and azure.repository:
        return azure
    from mlops_ci.adapters.git_origin import origin

    repository = context.repository_if_any
    found = azure_devops_origin(origin(repository)) if repository else None
    if found is None:
        raise ConfigurationError(
            "no repository of Azure DevOps is known",
            fix="set SYSTEM_COLLECTIONURI, SYSTEM_TEAMPROJECT and BUILD_REPOSITORY_NAME, or git remote add origin",
        )
    return replace(azure, collection_url=found[0], project=found[1], repository=found[2])


def github_api_of(context: Context) -> GitHubApi:
    from mlops_ci.adapters.github_api import GitHubApi

    github = context.github
    return GitHubApi(
        token=github.token, repository=github.repository, api_url=github.api_url, server_url=github.server_url,
        clock=context.clock, console=context.console,
    )  # fmt: skip


class OtherForges:
    """The one connection of a command to each forge but GitHub; each raises ConfigurationError, as `gitlab_of` does."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @cached_property
    def gitlab(self) -> GitLabApi:
        from mlops_ci.adapters.gitlab_api import GitLabApi

        gitlab, context = gitlab_of(self._context), self._context
        return GitLabApi(
            token=gitlab.token, project=gitlab.project, api_url=gitlab.api_url,
            clock=context.clock, console=context.console,
        )  # fmt: skip

    @cached_property
    def azure_devops(self) -> AzureDevOpsApi:
        from mlops_ci.adapters.azure_devops_api import AzureDevOpsApi

        azure, context = azure_devops_of(self._context), self._context
        return AzureDevOpsApi(
            token=azure.token, collection_url=azure.collection_url, project=azure.project, repository=azure.repository,
            clock=context.clock, console=context.console,
        )  # fmt: skip


def forge_of(context: Context) -> Forge:
    kind = kind_of(context)
    if kind == "gitlab":
        from mlops_ci.adapters.gitlab_forge import GitLabForge

        return GitLabForge(context.other_forges.gitlab, context.console)
    if kind == "azure-devops":
        from mlops_ci.adapters.azure_devops_forge import AzureDevOpsForge

        return AzureDevOpsForge(context.other_forges.azure_devops, context.console)
    if kind == "local":
        return context.local_forge
    from mlops_ci.adapters.github_forge import GitHubForge
    from mlops_ci.adapters.github_gate import GatedForge

    if context.github.starts_workflows:
        return GitHubForge(context.github_api, context.console)
    return GatedForge(context.github_api, context.console, gate=context.github.gate)


def local_forge_of(context: Context) -> LocalForge:
    """Raises ConfigurationError where people review on a forge."""
    from mlops_ci.adapters.local_forge import LocalForge

    kind = kind_of(context)
    if kind != "local":
        where = f"{context.github.server_url}/{context.github.repository}/pulls" if kind == "github" else ""
        raise ConfigurationError(
            f"people review on {NAMES[kind]}, each by their own name", where=where, fix="review the pull request there"
        )
    return LocalForge(context.repository, context.clock)


def shared_repository_of(context: Context) -> Repository:
    kind = kind_of(context)
    if kind == "local":
        return context.repository
    if kind == "github":
        from mlops_ci.adapters.github_repository import GitHubRepository

        return GitHubRepository(context.github_api, context.repository)
    from mlops_ci.adapters.remote_repository import RemoteRepository

    api = context.other_forges.gitlab if kind == "gitlab" else context.other_forges.azure_devops
    return RemoteRepository(context.repository, api.remote(context.repository), api)


def publisher_of(context: Context) -> Publisher | None:
    kind = kind_of(context)
    if kind == "github":
        from mlops_ci.adapters.github_publisher import GitHubPublisher

        return GitHubPublisher(context.github_api)
    if kind == "gitlab":
        from mlops_ci.adapters.gitlab_publisher import GitLabPublisher

        return GitLabPublisher(context.other_forges.gitlab, context.console)
    if kind == "azure-devops":
        from mlops_ci.adapters.azure_devops_publisher import AzureDevOpsPublisher

        return AzureDevOpsPublisher(context.other_forges.azure_devops, context.console)
    return None


def run_url_of(context: Context) -> str:
    """Where people see the run of a pipeline that this is part of; empty where it is part of none."""
    environment = context.environment
    return next((each.run_url for each in (environment.gitlab, environment.azure_devops) if each), "") or (
        context.github.run_url if kind_of(context) == "github" else ""
    )


def _name_by_origin(context: Context, server_url: str) -> str:
    """`owner/name` of the checkout's origin, where that is a repository of this server."""
    from mlops_ci.adapters.git_origin import origin

    repository = context.repository_if_any
    address = urlsplit(origin(repository)) if repository else None
    if address is None or address.hostname != urlsplit(server_url).hostname:
        return ""
    return address.path.strip("/")
