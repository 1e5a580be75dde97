"""What the variables of GitLab's and Azure DevOps' pipelines say: which forge, which repository, which run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from mlops_ci.core.image import Builder

ForgeKind = Literal["github", "gitlab", "azure-devops", "local"]
FORGES: tuple[ForgeKind, ...] = ("github", "gitlab", "azure-devops", "local")
RUNS: Mapping[str, tuple[ForgeKind, str]] = {
    "GITHUB_ACTIONS": ("github", "true"),
    "GITLAB_CI": ("gitlab", "true"),
    "TF_BUILD": ("azure-devops", "true"),
}
"""The variable by which each forge's own pipelines are known, and what it says there."""
ACTORS: Mapping[ForgeKind, tuple[str, ...]] = {
    "github": ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"),  # who ran it again comes before who ran it first
    "gitlab": ("GITLAB_USER_LOGIN",),
    "azure-devops": ("BUILD_REQUESTEDFOREMAIL", "BUILD_REQUESTEDFOR"),
    "local": (),
}
PUBLIC_GITLAB = "https://gitlab.com"
GITLAB_TOKENS = ("MLOPS_GITLAB_TOKEN", "CI_JOB_TOKEN", "CI_DEPLOY_PASSWORD", "CI_BUILD_TOKEN")
AZURE_DEVOPS_TOKENS = ("MLOPS_AZURE_DEVOPS_TOKEN", "SYSTEM_ACCESSTOKEN", "AZURE_DEVOPS_EXT_PAT")


@dataclass(frozen=True, kw_only=True)
class GitLab:
    """The GitLab that a command talks to. `project` is its full path, empty where only Git's origin can tell; the
    `token` is never shown. `run_url` is where people see the job, empty outside of one.
    """

    token: str = field(repr=False)
    project: str
    api_url: str
    server_url: str
    run_url: str = ""


@dataclass(frozen=True, kw_only=True)
class AzureDevOps:
    """The organization (or the Server's collection) at `collection_url`, and the repository in one of its projects.

    All three are empty where only Git's origin can tell.
    """

    token: str = field(repr=False)
    collection_url: str
    project: str
    repository: str
    run_url: str = ""


def run_of(variables: Mapping[str, str]) -> ForgeKind:
    """Whose pipeline this process is part of; `local` where it is none."""
    for variable, (kind, value) in RUNS.items():
        if variables.get(variable, "").lower() == value:
            return kind
    return "local"


def gitlab_of(variables: Mapping[str, str], tokens: Mapping[str, str]) -> GitLab:
    get = variables.get
    server = (get("CI_SERVER_URL") or PUBLIC_GITLAB).rstrip("/")
    return GitLab(
        token=tokens["MLOPS_GITLAB_TOKEN"].strip(),
        project=get("CI_PROJECT_PATH", ""),
        # The token of a server of one's own is not for another one: its API is below its own address.
        api_url=(get("CI_API_V4_URL") or f"{server}/api/v4").rstrip("/"),
        server_url=server,
        run_url=get("CI_JOB_URL", ""),
    )


def azure_devops_of(variables: Mapping[str, str], tokens: Mapping[str, str]) -> AzureDevOps:
    get = variables.get
    collection, project = get("SYSTEM_COLLECTIONURI", "").rstrip("/"), get("SYSTEM_TEAMPROJECT", "")
    return AzureDevOps(
        token=(tokens["MLOPS_AZURE_DEVOPS_TOKEN"] or tokens["SYSTEM_ACCESSTOKEN"]).strip(),
        collection_url=collection,
        project=project,
        repository=get("BUILD_REPOSITORY_NAME", ""),
        run_url=_build_url(variables),
    )


def azure_devops_origin(address: str) -> tuple[str, str, str] | None:
    """Collection, project and repository of an origin as people open it; None for one of another forge.

    >>> azure_devops_origin("https://dev.azure.com/acme/Models/_git/late")
    ('https://dev.azure.com/acme', 'Models', 'late')
    >>> azure_devops_origin("https://tfs.acme.com/tfs/DefaultCollection/_git/late")
    ('https://tfs.acme.com/tfs/DefaultCollection', 'late', 'late')
    >>> azure_devops_origin("https://acme.visualstudio.com/Our%20Models/_git/late")
    ('https://acme.visualstudio.com', 'Our Models', 'late')
    >>> azure_devops_origin("https://ssh.dev.azure.com/v3/acme/Models/late")
    ('https://dev.azure.com/acme', 'Models', 'late')
    """
    parts = urlsplit(address)
    folders = [unquote(name) for name in parts.path.strip("/").split("/")]
    if parts.hostname == "ssh.dev.azure.com" and len(folders) == 4:  # v3/ORGANIZATION/PROJECT/REPOSITORY
        return f"https://dev.azure.com/{quote(folders[1])}", folders[2], folders[3]
    if parts.scheme not in ("http", "https") or folders[-2:-1] != ["_git"]:
        return None
    repository, above = folders[-1], folders[:-2]
    # A repository that is called as its project has a shorter address.
    own_host = (parts.hostname or "").endswith(".visualstudio.com")
    collection = parts.hostname != "dev.azure.com" and bool(above) and above[-1].endswith("Collection")
    named = not collection and bool(above) and (own_host or len(above) > 1)
    project = above.pop() if named else repository
    place = "/".join(map(quote, above))
    return f"{parts.scheme}://{parts.netloc}/{place}".rstrip("/"), project, repository


def builder_of(variables: Mapping[str, str]) -> Builder:
    """A run of a pipeline by the pipeline's address and its own, else a machine of somebody's own."""
    get, kind = variables.get, run_of(variables)
    if kind == "github":
        server = variables.get("GITHUB_SERVER_URL", "https://github.com")
        run = f"{get('GITHUB_REPOSITORY', '')}/actions/runs/{get('GITHUB_RUN_ID', '')}"
        return Builder(
            id=f"{server}/{get('GITHUB_WORKFLOW_REF') or get('GITHUB_REPOSITORY', '')}",
            invocation=f"{server}/{run}/attempts/{get('GITHUB_RUN_ATTEMPT', '1')}",
        )
    if kind == "gitlab":
        file = get("CI_CONFIG_PATH") or ".gitlab-ci.yml"
        where = f"{get('CI_PROJECT_URL', '')}//{file}@{get('CI_COMMIT_REF_NAME', '')}"
        return Builder(id=where, invocation=get("CI_JOB_URL", ""))
    if kind == "azure-devops":
        definition = f"_build?definitionId={get('SYSTEM_DEFINITIONID', '')}"
        return Builder(id=f"{_project_url(variables)}/{definition}", invocation=_build_url(variables))
    return Builder()


def _project_url(variables: Mapping[str, str]) -> str:
    collection, project = variables.get("SYSTEM_COLLECTIONURI", ""), variables.get("SYSTEM_TEAMPROJECT", "")
    return f"{collection.rstrip('/')}/{quote(project)}"


def _build_url(variables: Mapping[str, str]) -> str:
    build = variables.get("BUILD_BUILDID", "")
    return f"{_project_url(variables)}/_build/results?buildId={build}" if build else ""
