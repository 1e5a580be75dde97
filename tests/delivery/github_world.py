"""The small world of `world.py` with its repository and its forge on GitHub, and the commands as a run of Actions has
them: a detached checkout, a token, and nothing that is kept between two commands but the store.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlops_ci.adapters.environment import Environment, GitHub
from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.github_repository import GitHubRepository
from mlops_ci.cli import forges
from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.main import build_parser
from mlops_ci.cli.output import error_outcome
from mlops_ci.errors import MlopsError
from mlops_ci.ports import Forge
from tests.delivery.world import MODEL, MemoryClient, MemoryTarget, World
from tests.github.hub import Hub
from tests.github.serving import serving

CONFIG = """\
schema: 1
model: tides
task: regression
data: {{source: data.csv, target: y}}
split: {{strategy: random, holdout: 0.2, seed: 7}}
train: {{entrypoint: "train:build_model"}}
gate: {{primary: {{metric: rmse, margin: 0.005}}}}
parity: {{atol: 1.0e-6, max_flips: 0}}
verification: {{rate: 100, duration: 0s}}
environments:
  qa: {{target: process}}
  production:
    target: process
    approvals: {approvals}
    rollout: {{steps: [10, 100], window: 0s}}
"""


class GitHubWorld(World):
    """`hub` is the GitHub, `starts_workflows` whether the commands have the token of an App or that of a run."""

    def __init__(self, folder: Path, hub: Hub, *, approvals: str = "{required: 1}", **options: Any) -> None:
        super().__init__(folder, **options)
        self.hub = hub
        self.starts_workflows = False
        self.actor = "dana"
        self.said = ""
        (self.root / "mlops.yaml").write_text(CONFIG.format(approvals=approvals))
        self.git("add", ".")
        self.git("commit", "-q", "-m", "a model")
        self.git("remote", "add", "origin", str(self.bare))
        self.push()
        self.commit = self.git("rev-parse", "HEAD")

    @property
    def bare(self) -> Path:
        return self.folder / "origin.git"

    @property
    def token(self) -> str:
        return self.hub.app_token if self.starts_workflows else self.hub.token

    @property
    def github(self) -> GitHub:
        return GitHub(
            token=self.token, starts_workflows=self.starts_workflows, repository=self.hub.repository,
            api_url=self.hub.url, server_url=self.hub.server_url, run_id="7", event_name="workflow_dispatch",
        )  # fmt: skip

    @property
    def environment(self) -> Environment:
        return Environment(
            store=str(self.folder / "store"), actor=self.actor, in_actions=True, in_pipeline=True, step_summary=None,
            step_output=None, store_options={}, forge="github", github=self.github,
        )  # fmt: skip

    def context(self) -> Context:
        """As a command has it, but for the services, which live in memory, and the clock."""
        context = Context(directory=self.root, store_url=None, environment=self.environment, console=self.console)
        memory: dict[str, Any] = {"client": MemoryClient(self.machine), "target": self._target, "clock": self.clock}
        context.__dict__.update(memory)
        return context

    def _target(self, _environment: object, _serving: object) -> MemoryTarget:
        return MemoryTarget(self.machine, self.clock)

    @property
    def api(self) -> GitHubApi:
        return forges.github_api_of(self.context())

    @property
    def repository(self) -> Any:
        return GitHubRepository(self.api, GitRepository(self.root))

    @property
    def forge(self) -> Any:
        forge: Forge = forges.forge_of(self.context())
        return forge

    # What people do.

    def push(self) -> None:
        self.git("push", "-q", "origin", "HEAD:refs/heads/main")

    def check_out(self) -> None:
        """As a job does at its beginning: what main shows, on no branch."""
        self.git("fetch", "-q", "origin")
        self.git("checkout", "-q", "--detach", "origin/main")

    def commit_file(self, path: str, text: str, *, branch: str = "main") -> str:
        """By Git, onto the branch as GitHub has it."""
        self.git("fetch", "-q", "origin")
        self.git("checkout", "-q", "--detach", f"origin/{branch}")
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        self.git("add", path)
        self.git("commit", "-q", "-m", f"change {path}")
        self.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def run(self, *arguments: str, code: int = 0, fresh: bool = True) -> Mapping[str, Any]:
        """What the command answers in a job of its own; it has to end with this exit code."""
        if fresh:
            self.check_out()
        parsed = build_parser().parse_args([*arguments, "-C", str(self.root)])
        try:
            outcome: Outcome = parsed.run(parsed, self.context())
        except MlopsError as error:
            outcome = error_outcome(error)
        self.said += f"{outcome.text}\n{outcome.summary}\n{outcome.value}\n"
        assert outcome.code == code, outcome
        return outcome.value

    def promote_pull(self, number: int, code: int = 0) -> Mapping[str, Any]:
        return self.run("promote", "--pull-request", str(number), code=code)

    # What can be seen.

    def open_pulls(self) -> dict[str, int]:
        """The numbers of the open pull requests, by branch."""
        return {pull["head"]["ref"]: number for number, pull in self.hub.pulls.items() if pull["state"] == "open"}

    def only_pull(self) -> int:
        (number,) = self.open_pulls().values()
        return number

    def deployed(self, environment: str = "production") -> list[tuple[str, list[str]]]:
        """Each deployment's description of its last state, and its states, oldest first."""
        found = [one for one in self.hub.deployments if one["environment"] == environment]
        return [(one["statuses"][-1]["description"], [status["state"] for status in one["statuses"]]) for one in found]

    def check(self, name: str, commit: str) -> tuple[str, str]:
        """The conclusion of the latest check of that name on the commit, and its title."""
        found = [one for one in self.hub.checks if one["name"] == name and one["head_sha"] == commit]
        return (found[-1]["conclusion"], found[-1]["output"]["title"]) if found else ("", "")

    def head(self, number: int) -> str:
        return str(self.hub.pulls[number]["head"]["sha"])

    def verified_log(self) -> Any:
        self.check_out()
        from mlops_ci.core.chain import anchors_in

        messages = GitRepository(self.root).messages_of(f"environments/*/{MODEL}.yaml")
        return self.log.verify(MODEL, anchors=anchors_in(messages, MODEL)).problems


@contextmanager
def on_github(folder: Path, **options: Any) -> Iterator[GitHubWorld]:
    """A world whose bare repository is served as `acme/models`."""
    bare = folder / "origin.git"
    bare.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    with serving(bare) as hub:
        yield GitHubWorld(folder, hub, **options)
