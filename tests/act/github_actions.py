"""GitHub Actions for one repository: every event starts what it starts there, on a runner of the team's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tests.act.events import read, started_by
from tests.act.running import Run, Trigger, run_act
from tests.act.tokens import declared, variable
from tests.act.toolkit import local_repositories, put_in_place

PULL_REQUEST_EVENTS = ("pull_request", "pull_request_review")
MOST_RUNS = 20
"""No story of these tests starts as many; one that does goes round in circles."""


@dataclass(kw_only=True)
class GitHubActions:
    """`folder` holds everything; `clone` is a person's checkout, `hub` GitHub. Events of `unheard` start nothing."""

    folder: Path
    toolkit: Path
    hub: Any
    variables: dict[str, str]
    secrets: dict[str, str]
    runs: list[Run] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    unheard: tuple[str, ...] = ()
    _heard: int = 0

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def remote(self) -> Path:
        return self.folder / "remotes" / f"{self.hub.repository}.git"

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=cwd or self.clone, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def settle(self, *happening: tuple[str, dict[str, Any]]) -> list[Run]:
        """Runs what the events since the last time start, and what that starts, until nothing more happens."""
        first = len(self.runs)
        waiting = [*self.new_events(), *happening]
        while waiting:
            name, payload = waiting.pop(0)
            for run in self.start(name, payload):
                assert len(self.runs) - first < MOST_RUNS, names_of(self.runs)
                self.complete(run, payload)
                waiting += self.new_events()
        return self.runs[first:]

    def new_events(self) -> list[tuple[str, dict[str, Any]]]:
        events = self.hub.events[self._heard :]
        self._heard += len(events)
        heard = (event for event in events if event.starts_workflows and event.name not in self.unheard)
        return [(event.name, event.payload) for event in heard]

    def dispatch(self, workflow: str, **inputs: str) -> list[Run]:
        """A person presses `Run workflow` of the file that calls the reusable workflow of that name."""
        payload = {"workflow": f".github/workflows/{self.caller(workflow)}", "ref": "refs/heads/main", "inputs": inputs}
        return self.settle(("workflow_dispatch", {**payload, **self.surroundings("alice")}))

    def tick(self, workflow: str) -> list[Run]:
        """The clock reaches the first schedule of the file that calls the reusable workflow of that name."""
        file = self.clone / ".github" / "workflows" / self.caller(workflow)
        cron = read(file)["on"]["schedule"][0]["cron"]
        return self.settle(("schedule", {"schedule": cron, "workflow": file.name, **self.surroundings("olga")}))

    def caller(self, workflow: str) -> str:
        """The file of the team that calls the reusable workflow of that name."""
        files = sorted((self.clone / ".github" / "workflows").glob("*.yml"))
        [found] = [file.name for file in files if called(read(file), file.name) == workflow]
        return found

    def surroundings(self, login: str) -> dict[str, Any]:
        owner, name = self.hub.repository.split("/")
        repository = {
            "full_name": self.hub.repository, "name": name, "owner": {"login": owner}, "default_branch": "main",
            "private": True, "html_url": f"{self.hub.server_url}/{self.hub.repository}",
        }  # fmt: skip
        return {"repository": repository, "sender": {"login": login, "type": "User"}}

    def start(self, event: str, payload: dict[str, Any]) -> list[Run]:
        """Runs each workflow file that the event starts; those of the commit that GitHub takes."""
        if event == "push" and set(payload["after"]) == {"0"}:
            return []  # a branch that was deleted
        checkout = self.folder / "events" / str(len(self.runs) + 1)
        ref, changed = self.prepare(checkout, event, payload)
        names = started_by(checkout, event, payload, changed)
        if event in ("schedule", "workflow_dispatch"):
            names = [name for name in names if name == Path(payload["workflow"]).name]
        if names and (self.toolkit / "actions").is_dir():
            put_in_place(self.toolkit, checkout, self.folder / "cache" / "act" / "tool_cache")
        runs = [self.run(checkout, name, event, ref, payload) for name in names]
        shutil.rmtree(checkout)
        return runs

    def prepare(self, checkout: Path, event: str, payload: dict[str, Any]) -> tuple[str, list[str]]:
        """A checkout at the event's commit; its ref, and the files that the event is about."""
        self.git("clone", "-q", str(self.remote), str(checkout), cwd=self.folder)
        self.git("config", "remote.origin.url", f"{self.hub.server_url}/{self.hub.repository}", cwd=checkout)
        if event in PULL_REQUEST_EVENTS:
            pull = payload["pull_request"]
            ref, base, head = f"refs/pull/{pull['number']}/merge", pull["base"]["sha"], pull["head"]["sha"]
            self.git("fetch", "-q", str(self.remote), f"refs/pull/{pull['number']}/head", cwd=checkout)
            self.git("checkout", "-q", "--detach", "origin/main", cwd=checkout)
            if pull.get("merged"):
                return ref, []
            self.git("merge", "-q", "--no-ff", "-m", f"Merge {head} into {base}", head, cwd=checkout)
            self.git("push", "-q", "--force", str(self.remote), f"HEAD:{ref}", cwd=checkout)
            return ref, self.git("diff", "--name-only", f"{base}...{head}", cwd=checkout).splitlines()
        if event != "push":
            return "refs/heads/main", []
        self.git("checkout", "-q", "--detach", payload["after"], cwd=checkout)
        before = payload["before"]
        listing = ("ls-files",) if set(before) == {"0"} else ("diff", "--name-only", before, payload["after"])
        return payload["ref"], self.git(*listing, cwd=checkout).splitlines()

    def run(self, checkout: Path, workflow: str, event: str, ref: str, payload: dict[str, Any]) -> Run:
        number = len(self.runs) + 1
        id = 1000 + number
        at = self.folder / "events" / f"{number}.json"
        at.write_text(json.dumps(payload | trigger_number(payload)), encoding="utf-8")
        document = read(checkout / ".github" / "workflows" / workflow)
        actor = payload["sender"]["login"]
        secrets, variables = self.trusted_with(event, payload, document)
        context = {
            "GITHUB_API_URL": self.hub.url,
            "GITHUB_SERVER_URL": self.hub.server_url,
            "GITHUB_REPOSITORY": self.hub.repository,
            "GITHUB_REF": ref,
            "GITHUB_RUN_ID": str(id),
            "GITHUB_RUN_NUMBER": str(number),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_TRIGGERING_ACTOR": actor,
            "GITHUB_WORKFLOW": document.get("name") or f".github/workflows/{workflow}",
            "GITHUB_WORKFLOW_REF": f"{self.hub.repository}/.github/workflows/{workflow}@{ref}",
        }
        trigger = Trigger(
            id=id, event=event, file=workflow, workflow=called(document, workflow), payload=at, actor=actor,
            context=context,
        )  # fmt: skip
        run = run_act(
            checkout, trigger, secrets=secrets, variables=variables, environment=self.runner,
            local=local_repositories(self.toolkit, checkout), artifacts=self.folder / "artifacts" / str(id),
        )  # fmt: skip
        self.runs.append(run)
        return run

    def trusted_with(
        self, event: str, payload: Mapping[str, Any], document: Mapping[str, Any]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The secrets and variables of a run: for a fork's pull request no secrets, and tokens that may read."""
        pull = payload["pull_request"] if event in PULL_REQUEST_EVENTS else None
        fork = pull is not None and pull["head"]["repo"]["full_name"] != self.hub.repository
        # What no job of ours should use: see `tokens`.
        secrets = {"GITHUB_TOKEN": self.new_token({})} | ({} if fork else self.secrets)
        variables = dict(self.variables)
        for job in document["jobs"].values():
            for name, permissions in self.permissions(job, "read" if fork else "write").items():
                variables[variable(name)] = self.new_token(permissions)
                (self.folder / "kept" / f"token-of-{name}").write_text(self.tokens[-1], encoding="utf-8")
        return secrets, variables

    def permissions(self, job: Mapping[str, Any], most: str) -> dict[str, dict[str, str]]:
        """What the token of each job may that this job of a caller calls."""
        if "uses" not in job:
            return {}
        workflow = self.toolkit / ".github" / "workflows" / f"{called_by(job)}.yml"
        return declared(workflow, job.get("permissions") or {}, most)

    def new_token(self, permissions: Mapping[str, str]) -> str:
        self.tokens.append(self.hub.new_token(**permissions))
        return self.tokens[-1]

    @property
    def runner(self) -> dict[str, str]:
        """The environment of a runner of the team's own, whose services outlive its jobs."""
        engine = {"DOCKER_HOST": os.environ["DOCKER_HOST"]} if "DOCKER_HOST" in os.environ else {}
        return engine | {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "LANG": "C.UTF-8",
            "STAND_IN_PYTHON": sys.executable,
            "STAND_IN_REMOTES": str(self.folder / "remotes"),
            "STAND_IN_ARTIFACTS": str(self.folder / "artifacts"),
            "STAND_IN_KEPT": str(self.folder / "kept"),
        }

    def complete(self, run: Run, payload: Mapping[str, Any]) -> None:
        """Tells GitHub that the run is over, which is an event of its own."""
        head = {"sha": self.git("rev-parse", "main", cwd=self.remote), "ref": "main", "repo": payload["repository"]}
        if "pull_request" in payload:
            head = payload["pull_request"]["head"]
        elif "after" in payload:
            head |= {"sha": payload["after"], "ref": payload["ref"].removeprefix("refs/heads/")}
        path = f".github/workflows/{run.file}"
        self.hub.add_run(
            run.id, head_sha=head["sha"], head_branch=head["ref"], head_repository=head["repo"]["full_name"],
            event=run.event, name=read(self.clone / path).get("name", path), actor=payload["sender"]["login"],
            conclusion="success" if run.ok else "failure",
            artifacts={name: archive(run.artifacts / name) for name in run.uploaded},
        )  # fmt: skip


def called(document: Mapping[str, Any], file: str) -> str:
    """The reusable workflow that the jobs of a caller call; a file that calls none is named itself."""
    uses = [called_by(job) for job in document["jobs"].values() if "uses" in job]
    return uses[0] if uses else Path(file).stem


def called_by(job: Mapping[str, Any]) -> str:
    return Path(str(job["uses"]).split("@")[0]).stem


def trigger_number(payload: Mapping[str, Any]) -> dict[str, Any]:
    # act takes the pull request's number for GITHUB_REF from the top of the payload, where a review has none
    return {"number": payload["pull_request"]["number"]} if "pull_request" in payload else {}


def names_of(runs: list[Run]) -> list[str]:
    """What happened, in words short enough to compare."""
    return [f"{run.event}: {run.workflow}" for run in runs]


def passed(runs: list[Run]) -> list[Run]:
    """The same; where one failed, what it said."""
    assert all(run.ok for run in runs), "\n".join(
        f"{run.event}: {run.workflow}\n{run.log}" for run in runs if not run.ok
    )
    return runs


def archive(folder: Path) -> bytes:
    packed = BytesIO()
    with ZipFile(packed, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder))
    return packed.getvalue()
