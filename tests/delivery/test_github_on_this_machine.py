"""The commands as a run of Actions starts them, with real training, services and router; and where its secrets go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import processes
from mlops_ci.adapters.process_target import ProcessTarget
from tests.cli.repository import CONFIG, TRAIN, Repository, flights
from tests.delivery.world import Listener
from tests.github.hub import Hub
from tests.github.serving import serving

WORKFLOW = """\
on: {pull_request: {}, workflow_dispatch: {}}
jobs: {model: {runs-on: ubuntu-24.04, steps: [{run: "true"}]}}
"""
PROMOTION = "mlops-ci/promote/production/late"
RETRAIN = "mlops-ci/retrain/late"
WATCHING = TRAIN.replace(
    "def build_model(params):\n",
    "def build_model(params):\n    import json, os\n"
    "    open(os.environ['SEEN'], 'a').write(json.dumps(dict(os.environ)))\n",
)
"""Code of a team that writes down what it finds in its environment."""


class Jobs:
    """A checkout, and the jobs that run in it: each has its secrets in its environment."""

    def __init__(self, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.hub, self._monkeypatch = folder, hub, monkeypatch
        self.repository = Repository(folder / "checkout")
        self.said = ""
        self.secrets = {
            "GITHUB_TOKEN": hub.token,
            "ACTIONS_RUNTIME_TOKEN": "runtime-token-d41d8cd98f00b204e980",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "id-token-request-0998ecf8427e4f1a",
        }

    @property
    def run_folder(self) -> Path:
        return self.folder / "run"

    @property
    def target(self) -> ProcessTarget:
        return ProcessTarget(self.run_folder, console=Listener())

    def run(self, *arguments: str, code: int = 0, actor: str = "dana") -> Mapping[str, Any]:
        variables = {
            **self.secrets,
            "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": actor, "GITHUB_API_URL": self.hub.url,
            "GITHUB_REPOSITORY": self.hub.repository, "GITHUB_RUN_ID": "7", "GITHUB_SERVER_URL": self.hub.server_url,
            "GITHUB_OUTPUT": str(self.folder / "outputs"), "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "MLOPS_RUN": str(self.run_folder), "MLOPS_STORE": str(self.folder / "store"),
            "RUNNER_TRACKING_ID": "github_7d865e959b2466918c98", "SEEN": str(self.folder / "seen"),
        }  # fmt: skip
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        self.repository.git("fetch", "-q", "origin")
        self.repository.git("checkout", "-q", "--detach", "origin/main")
        answer = self.repository.run(*arguments)
        self.said += json.dumps(answer.value) + answer.stderr
        assert answer.code == code, (answer.value, answer.stderr)
        return answer.value

    def environments_of_services(self) -> list[str]:
        """The environments of all processes that were started: services, their workers, and the router."""
        marks = [f"--announce={path}" for path in self.run_folder.glob("services/*/*/*/service.json")]
        marks.append(f"--providers.file.directory={self.run_folder / 'router' / 'routes'}")
        found = [identity for mark in marks for identity in processes.find(mark)]
        return [Path(f"/proc/{one.pid}/environ").read_text(errors="replace") for one in found]

    def everything(self) -> dict[str, str]:
        """All that was said, kept, shown or pushed, by where it is."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and ".git" not in path.parts]
        found = {
            str(path): path.read_bytes().decode(errors="replace") for path in files if "origin.git" not in path.parts
        }
        return found | {
            "said": self.said,
            "GitHub": json.dumps(self.hub.summary(), default=str),
            "Git": self.repository.git("log", "--all", "-p"),
        }


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    bare = tmp_path / "origin.git"
    checkout = Repository(tmp_path / "checkout")
    config = CONFIG.replace("source: data.csv", "source: data/*.csv").replace("required: 0", "required: 1")
    checkout.write("mlops.yaml", config)
    checkout.write("train.py", WATCHING)
    checkout.write(".github/workflows/pull-request.yml", WORKFLOW)
    (checkout.folder / "data").mkdir()
    flights().to_csv(checkout.folder / "data" / "first.csv", index=False)
    checkout.commit("a model")
    checkout.git("clone", "-q", "--bare", ".", str(bare))
    checkout.git("remote", "add", "origin", str(bare))
    with serving(bare) as hub:
        made = Jobs(tmp_path, hub, monkeypatch)
        try:
            yield made
        finally:
            made.target.shut_down()


def test_from_a_merge_to_production_and_a_retraining(jobs: Jobs) -> None:
    released = jobs.run("release")

    number = released["pull_request"]
    assert released["verified"]
    assert jobs.hub.pulls[number]["head"]["ref"] == PROMOTION
    assert jobs.run("promote", "--pull-request", str(number))["outcome"] == "waiting"
    jobs.hub.review(number, "alice", "APPROVED")
    promoted = jobs.run("promote", "--pull-request", str(number), actor="alice")
    assert (promoted["outcome"], promoted["release"]) == ("promoted", released["release"])
    status = {row["environment"]: row for row in jobs.run("status")["environments"]}
    assert all(row["settled"] and row["healthy"] for row in status.values())
    assert {one["environment"] for one in jobs.hub.deployments} == {"qa", "production"}
    last = jobs.hub.deployments[-1]["statuses"][-1]
    assert (last["state"], last["environment_url"]) == ("success", status["production"]["url"])
    assert jobs.run("release")["release"] == released["release"]  # as a push of our own commit would ask for

    newer = jobs.folder / "second.csv"
    flights(rows=400, seed=3).assign(id=lambda frame: frame["id"] + 1000).to_csv(newer, index=False)
    proposed = jobs.run("retrain", "--data", str(newer), "--reason", "newer data")

    assert proposed["outcome"] == "proposed"
    pull = jobs.hub.pulls[proposed["pull_request"]]
    assert (pull["head"]["ref"], pull["user"]["login"]) == (RETRAIN, "github-actions[bot]")
    assert [(one["workflow"], one["ref"]) for one in jobs.hub.dispatches] == [("pull-request.yml", RETRAIN)]
    jobs.repository.git("fetch", "-q", "origin", RETRAIN)
    assert jobs.repository.git("diff", "--name-only", "HEAD", "FETCH_HEAD") == "data/second.csv"

    seen = (jobs.folder / "seen").read_text()
    assert seen.count("GITHUB_REPOSITORY")  # it saw the environment
    environments = jobs.environments_of_services()
    assert len(environments) >= 3
    everything = jobs.everything() | {str(position): text for position, text in enumerate(environments)}
    for name, secret in jobs.secrets.items():
        assert [where for where, text in everything.items() if secret in text] == [], name
    assert not [text for text in environments if "RUNNER_TRACKING_ID" in text]


def test_a_run_without_a_token_says_so_and_changes_nothing(jobs: Jobs) -> None:
    jobs.secrets = {"GITHUB_TOKEN": ""}

    refused = jobs.run("release", code=2)

    assert "there is no token for GitHub" in refused["error"]["what"]
    assert jobs.run("history")["events"] == []
    assert not re.search("refs/mlops-ci", jobs.repository.git("for-each-ref"))


def test_an_old_run_that_is_started_again_releases_nothing(jobs: Jobs) -> None:
    old = jobs.repository.git("rev-parse", "HEAD")
    jobs.repository.write("train.py", WATCHING + "# mended\n")
    jobs.repository.commit("mended")
    jobs.repository.git("push", "-q", "origin", "HEAD:main")
    jobs.repository.git("remote", "set-url", "--push", "origin", "nowhere")
    jobs.repository.git("config", "remote.origin.fetch", f"+{old}:refs/remotes/origin/main")

    said = jobs.run("release")

    assert (said["release"], said["verified"]) == (None, False)
    assert said["reasons"] == ["main has another train.py by now, and its newest commit is the one to be released"]
    assert not (jobs.folder / "seen").exists()  # nothing was trained
