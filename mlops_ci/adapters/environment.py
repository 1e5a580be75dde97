"""The one place that reads the process's environment variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlops_ci.adapters.ci_variables import (
    ACTORS,
    AZURE_DEVOPS_TOKENS,
    GITLAB_TOKENS,
    AzureDevOps,
    GitLab,
    azure_devops_of,
    builder_of,
    gitlab_of,
    run_of,
)
from mlops_ci.core.image import Builder

STORE_OPTIONS = ("AWS_", "AZURE_", "GOOGLE_")
INFRASTRUCTURE = (
    *("ARM_", "AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "KUBE_", "TF_PLUGIN_", "TF_REGISTRY_", "TF_TOKEN_", "TF_VAR_"),
    *("GIT_ASKPASS", "GIT_CONFIG", "GIT_SSH", "GIT_TERMINAL_PROMPT", "SSH_A"),
)
INFRASTRUCTURE_ALSO = ("KUBECONFIG", "TF_CLI_CONFIG_FILE")
TRACKING = "MLFLOW_TRACKING_"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PUBLIC_SERVER, PUBLIC_API = "https://github.com", "https://api.github.com"
GATE = "model / gate"
"""What GitHub calls the last job of the pull requests' workflow, as the templates call it."""
TOKENS = (
    *("MLOPS_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN"),
    *GITLAB_TOKENS,
    *AZURE_DEVOPS_TOKENS,
)


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """The GitHub that a command talks to, and the run of Actions that it is part of, if it is part of one.

    `repository` is `owner/name`, empty where only Git's origin can tell. `starts_workflows` says whether what is done
    with the token starts workflows: what the token of a run of Actions does starts none. `gate` is the check that the
    repository's rules ask for. The `token` is never shown.
    """

    token: str = field(repr=False)
    starts_workflows: bool
    repository: str
    api_url: str
    server_url: str
    workflow: str = ""
    run_id: str = ""
    run_attempt: str = "1"
    sha: str = ""
    ref: str = ""
    event_name: str = ""
    event_path: Path | None = None
    workflow_file: str = ""
    gate: str = GATE

    @property
    def run_url(self) -> str:
        """Where people see the run; empty outside of Actions."""
        if not self.run_id:
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}/attempts/{self.run_attempt}"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What mlops-ci takes from its environment. Credentials stay in `store_options` and `tracking`, never printed.

    Nor is `signing_key`, a path or the PEM text itself, nor its password. `builder` is who builds images here.
    `forge` is one of `ci_variables.FORGES`, or what somebody wrote in its place; `in_pipeline` is whether a forge's own
    pipeline runs this, `in_actions` whether that is GitHub's. `run` is where local services keep their files, `outbox`
    where a command writes that may not write to the store.
    """

    store: str
    actor: str
    in_actions: bool
    step_summary: Path | None
    step_output: Path | None
    store_options: Mapping[str, str]
    engine: str = ""
    jobs: str = ""
    tracking: Mapping[str, str] = field(default_factory=dict)
    signing_key: str = ""
    signing_password: str = ""
    builder: Builder = field(default_factory=Builder)
    forge: str = "local"
    github: GitHub | None = None
    gitlab: GitLab | None = None
    azure_devops: AzureDevOps | None = None
    in_pipeline: bool = False
    run: str = ""
    outbox: str = ""

    def __repr__(self) -> str:
        return f"Environment(store={self.store!r}, actor={self.actor!r}, in_actions={self.in_actions})"


def read_environment() -> Environment:
    """The environment of this process, as GitHub Actions or a person's shell set it.

    The signing key and the tokens are taken out of it: the team's code, which is trained in this process, and what
    this process starts have no business with them.
    """
    variables = os.environ
    tokens = {name: variables.pop(name, "") for name in TOKENS}
    ran_by = run_of(variables)
    forge = variables.get("MLOPS_FORGE") or ran_by
    return Environment(
        store=variables.get("MLOPS_STORE", ""),
        actor=next(filter(None, map(variables.get, ("MLOPS_ACTOR", *ACTORS[ran_by]))), ""),
        in_actions=ran_by == "github",
        step_summary=_path(variables.get("GITHUB_STEP_SUMMARY")),
        step_output=_path(variables.get("GITHUB_OUTPUT")),
        store_options={key: value for key, value in variables.items() if key.startswith(STORE_OPTIONS)},
        engine=variables.get("MLOPS_ENGINE", ""),
        jobs=variables.get("MLOPS_JOBS", ""),
        tracking={
            key.removeprefix(TRACKING).lower(): value for key, value in variables.items() if key.startswith(TRACKING)
        }
        | {"timeout": variables.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "")},
        signing_key=variables.pop("MLOPS_SIGNING_KEY", ""),
        signing_password=variables.pop("MLOPS_SIGNING_PASSWORD", ""),
        builder=builder_of(variables),
        forge=forge,
        github=_github(variables, tokens) if forge == "github" else None,
        gitlab=gitlab_of(variables, tokens) if forge == "gitlab" else None,
        azure_devops=azure_devops_of(variables, tokens) if forge == "azure-devops" else None,
        in_pipeline=ran_by != "local",
        run=variables.get("MLOPS_RUN", ""),
        outbox=variables.get("MLOPS_OUTBOX", ""),
    )


def _github(variables: Mapping[str, str], tokens: Mapping[str, str]) -> GitHub:
    get = variables.get
    own = tokens["MLOPS_GITHUB_TOKEN"]
    server = (get("GITHUB_SERVER_URL") or PUBLIC_SERVER).rstrip("/")
    # The token of a server of one's own is not for another one: its API is below its own address.
    api = PUBLIC_API if server == PUBLIC_SERVER else f"{server}/api/v3"
    return GitHub(
        token=(own or tokens["GITHUB_TOKEN"]).strip(),
        starts_workflows=bool(own) or get("GITHUB_ACTIONS") != "true",
        repository=get("GITHUB_REPOSITORY", ""),
        api_url=(get("GITHUB_API_URL") or api).rstrip("/"),
        server_url=server,
        workflow=get("GITHUB_WORKFLOW", ""),
        run_id=get("GITHUB_RUN_ID", ""),
        run_attempt=get("GITHUB_RUN_ATTEMPT") or "1",
        sha=get("GITHUB_SHA", ""),
        ref=get("GITHUB_REF", ""),
        event_name=get("GITHUB_EVENT_NAME", ""),
        event_path=_path(get("GITHUB_EVENT_PATH")),
        workflow_file=get("GITHUB_WORKFLOW_REF", "").partition("@")[0].rpartition("/")[2],
        gate=get("MLOPS_GATE") or GATE,
    )


def settle_libraries() -> None:
    """To be called before a numeric library is loaded, which is when they read these. Whoever chose otherwise is heard.

    Threads of GNU OpenMP that wait for each other spin by default. Where the cores are shared, as they are in CI, they
    take turns at spinning: fits were seen to take ten times as long. And onnxruntime writes a device id and a database
    below the home folder when it is imported, unless it is told not to.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@contextmanager
def thread_variables(count: int) -> Iterator[None]:
    """Until the block ends every numeric library reads here that it may use that many threads.

    Libraries look when they are loaded, and scikit-learn again at each fit, where it alone lets it exceed the cores.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def child_environment() -> dict[str, str]:
    """All variables as they are now, for `adapters.processes`, which hands a child only what it may see."""
    return dict(os.environ)


def installer_variables() -> dict[str, str]:
    """What tells pip where packages come from, and how to get there: its own variables and the proxies."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or name.upper() in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    }


def cluster_variables() -> dict[str, str]:
    """What tells kubectl of its cluster, and what the programs need by which it signs in to a cloud's."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("KUBE", *STORE_OPTIONS, "CLOUDSDK_"))
        or name.upper() in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    }


def infrastructure_variables() -> dict[str, str]:
    """What Terraform and its providers need: the clouds' credentials, its own settings, Git's, and the proxies.

    Not TF_LOG, with which it would write what is secret, nor TF_CLI_ARGS, which would change what it is told.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(INFRASTRUCTURE) or name in INFRASTRUCTURE_ALSO or name.upper().endswith("_PROXY")
    }


def cache_folder() -> Path:
    """Where this user's programs keep what they can do without."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    return Path(configured) if Path(configured).is_absolute() else Path.home() / ".cache"


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
