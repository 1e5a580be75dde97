"""The whole path with real commands, training, services and router, in a repository of two models."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import processes
from mlops_ci.adapters.environment import Environment
from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.cli.main import build_parser, execute
from mlops_ci.errors import MlopsError
from tests.delivery.world import Listener
from tests.pipeline.team import LOGISTIC, people

PACKAGE = Path(__file__).parents[2]
NOBODYS = Environment(store="", actor="Ada", in_actions=False, step_summary=None, step_output=None, store_options={})
CONFIG = """\
schema: 1
model: {model}
task: binary-classification
data: {{source: data.csv, target: late, id: id, features: [height, age, colour]}}
split: {{strategy: random, holdout: 0.4, seed: 7}}
train: {{entrypoint: "train:build_model", params: {{C: 1.0}}}}
gate: {{primary: {{metric: roc_auc, margin: 0.2}}, ships: [first, superior, non-inferior]}}
verification: {{rate: 500, duration: 0s, latency_p99_ms: 5000}}
environments:
  qa: {{target: process}}
  production: {{target: process, approvals: {{required: 1}}, rollout: {{steps: [50, 100], window: 0s}}}}
"""
PATIENCE = 60.0


class Monorepo:
    """Ada's repository of two models, and the commands that she runs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for model in ("a", "b"):
            folder = root / "models" / model
            folder.mkdir(parents=True)
            (folder / "mlops.yaml").write_text(CONFIG.format(model=model))
            (folder / "train.py").write_text(LOGISTIC)
            people(400).to_csv(folder / "data.csv", index=False)
        self.git("init", "-q", "-b", "main")
        self.commit("two models")

    def run(self, *arguments: str, code: int = 0) -> Mapping[str, Any]:
        """What the command answers; it has to end with this exit code."""
        parsed = build_parser().parse_args([*arguments, "-C", str(self.root)])
        try:
            outcome = execute(parsed, NOBODYS, Listener())
        except MlopsError as error:
            if error.exit_code != code:
                raise
            return {"error": str(error)}
        assert outcome.code == code, outcome.text
        return outcome.value

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The command as a process of its own."""
        command = [sys.executable, "-m", "mlops_ci", *arguments, "-C", str(self.root)]
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def edit(self, model: str, before: str, after: str) -> None:
        file = self.root / "models" / model / "mlops.yaml"
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))
        self.commit(f"{model}: {after}")

    def deliver(self, model: str) -> Mapping[str, Any]:
        released = self.run("release", model)
        self.run("approve", str(released["pull_request"]), "--reviewer", "Grace")
        promoted = self.run("promote", model, "--to", "production")
        assert promoted["outcome"] == "promoted"
        return released

    def status(self, model: str) -> dict[str, Mapping[str, Any]]:
        rows = self.run("status", model)["environments"]
        return {row["environment"]: row for row in rows}

    @property
    def target(self) -> ProcessTarget:
        return ProcessTarget(self.root / ".mlops" / "run", console=Listener())

    def service(self, environment: str, model: str) -> list[processes.Identity]:
        """The processes of its services."""
        folder = self.root / ".mlops" / "run" / "services" / environment / model
        found = [processes.find(f"--announce={inner / 'service.json'}") for inner in folder.glob("*/")]
        return [identity for identities in found for identity in identities]

    def require_settled(self, model: str) -> None:
        for environment, row in self.status(model).items():
            if row["release"]:
                assert row["settled"], row
                assert dict(self.target.shares(environment, model)) == {row["release"]: 100}
            assert len(self.service(environment, model)) == (row["release"] is not None)
        assert self.run("verify-log", model)["ok"]
        assert self.git("status", "--porcelain") == ""


@contextmanager
def monorepo(root: Path) -> Iterator[Monorepo]:
    made = Monorepo(root)
    try:
        yield made
    finally:
        made.target.shut_down()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "the command ended before it could be killed"
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_two_models_from_a_commit_to_production_and_back(tmp_path: Path) -> None:
    with monorepo(tmp_path / "repository") as repository:
        first = repository.run("release", "a")
        assert first["verified"]
        assert repository.run("release", "b")["pull_request"] == 2
        refused = repository.run("promote", "a", "--to", "production", code=14)
        assert "0 of 1 required approvals" in refused["error"]
        repository.run("approve", "1", "--reviewer", "Grace")
        assert repository.run("promote", "a", "--to", "production")["outcome"] == "promoted"
        assert repository.status("b")["production"]["release"] is None

        repository.edit("a", "C: 1.0", "C: 0.5")
        second = repository.deliver("a")
        assert second["version"] == 2
        assert repository.run("why", "a", "--environment", "production")["approved_by"] == ["Grace"]
        repository.require_settled("a")

        (service,) = repository.service("production", "a")
        os.kill(service.pid, signal.SIGKILL)
        assert not repository.status("a")["production"]["healthy"]
        assert repository.run("reconcile", "a", "--environment", "production")["outcome"] == "restored"
        repository.require_settled("a")

        (service,) = repository.service("production", "a")
        os.kill(service.pid, signal.SIGKILL)
        back = repository.run("rollback", "a", "--reason", "people complain")
        assert (back["outcome"], back["release"]) == ("rolled-back", first["release"])
        assert "no other release" in repository.run("rollback", "a", code=2)["error"]
        assert "on hold" in repository.run("promote", "a", "--to", "production", code=14)["error"]
        again = repository.run("release", "a")
        assert again["pull_request"] is None, "main is released again, and what is on hold is not proposed again"
        repository.run("release-hold", "a", "--release", second["release"], "--reason", "mended")
        for model in ("a", "b"):
            repository.require_settled(model)


@pytest.mark.parametrize("command", ["reconcile", "promote"])
def test_a_promotion_killed_between_two_steps_is_finished(tmp_path: Path, command: str) -> None:
    with monorepo(tmp_path / "repository") as repository:
        first = repository.deliver("a")
        repository.edit("a", "C: 1.0", "C: 0.5")
        repository.edit("a", "window: 0s", "window: 1h")
        second = repository.run("release", "a")
        repository.run("approve", str(second["pull_request"]), "--reviewer", "Grace")
        process = repository.start("promote", "a", "--to", "production")
        try:
            # The rollback drill divides the traffic too, for a moment, but not in halves.
            wait_until(lambda: [*repository.target.shares("production", "a").values()] == [50, 50], process)
            busy = repository.run("reconcile", "a", "--environment", "production", code=20)
            assert f"another command is at work on a in production (process {process.pid})" in busy["error"]
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert repository.status("a")["production"]["release"] == first["release"], "the log does not know of it yet"
        assert not repository.status("a")["production"]["healthy"], "its traffic is divided"
        repository.edit("a", "window: 1h", "window: 0s")
        more = ("--to",) if command == "promote" else ("--environment",)
        finished = repository.run(command, "a", *more, "production")
        assert (finished["outcome"], finished["release"]) == ("promoted", second["release"])
        repository.require_settled("a")


def test_a_release_killed_while_its_service_starts_is_finished(tmp_path: Path) -> None:
    with monorepo(tmp_path / "repository") as repository:
        repository.run("train", "a")
        process = repository.start("release", "a")
        try:
            wait_until(lambda: bool(repository.service("qa", "a")), process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        released = repository.run("release", "a")
        assert (released["version"], released["verified"], released["pull_request"]) == (1, True, 1)
        repository.require_settled("a")
