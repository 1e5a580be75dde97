"""A team whose production is in AWS, as it finds it once the platform was applied, and the commands that it gives."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cli.repository import Answer, Repository
from tests.dataplane.aws_follower import AwsFollower
from tests.dataplane.ecr_gate import EcrGate
from tests.dataplane.plane import DataPlane
from tests.docker_engine import DockerEngine
from tests.infra.moto import Moto
from tests.infra.terraform import CREDENTIALS, Installation, Terraform
from tests.infra.users import Users

REPOSITORY = "acme/late"
SERVING = "infra/examples/aws-complete/serving"
STABLE = "/production/late"
PATIENCE = 300.0
ENOUGH = 30
"""Answers, from which on a share can be told."""
PEOPLE = [{"height": 150.0 + n % 50, "age": 20 + n % 60, "colour": ("red", "green", "blue")[n % 3]} for n in range(150)]


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """AWS as a team finds it once the platform was applied. `platform` is what that gave as outputs."""

    moto: Moto
    aws: AwsFollower
    plane: DataPlane
    gate: EcrGate
    terraform: Installation
    platform: Mapping[str, Any]

    @property
    def backend(self) -> Mapping[str, str]:
        """Where the state of production is."""
        backend: Mapping[str, str] = self.platform["backends"]["late"]["production"]
        return backend

    def variables(self) -> dict[str, str]:
        """What a job has in its environment."""
        there = Terraform(folder=Path(), installation=self.terraform, endpoint=self.aws.endpoint)
        return {**there.variables_of_the_process, "MLOPS_STORE": self.platform["store_url"]}


class Team:
    """A team whose production is in AWS and whose QA is in containers of this machine."""

    def __init__(
        self, repository: Repository, cloud: Cloud, engine: DockerEngine, variables: Mapping[str, str]
    ) -> None:
        self.repository, self.cloud, self.engine, self._variables = repository, cloud, engine, variables
        self.users = Users(url=cloud.plane.url + STABLE, records=PEOPLE)

    def configure(self, base: str) -> None:
        image = {"repository": f"{self.cloud.gate.address}/{REPOSITORY}", "base": base}
        variables = {
            "platform": "acme", "public_url": self.cloud.plane.url, "tasks": 1, "cpu": 256, "memory": 512,
            "autoscaling": None,
        }  # fmt: skip
        production = {
            "target": "terraform",
            "approvals": {"required": 1},
            "rollout": {"steps": [50, 100], "window": "4s"},
            "terraform": {"directory": SERVING, "backend": self.cloud.backend, "variables": variables},
        }
        text = (self.repository.folder / "mlops.yaml").read_text().partition("image:")[0].partition("environments:")[0]
        environments = {"qa": {"target": "docker"}, "production": production}
        sections = f"image: {json.dumps(image)}\nenvironments: {json.dumps(environments)}\n"
        self.repository.write("mlops.yaml", text + sections)

    def asked(self, *arguments: str) -> Answer:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._variables.items():
                patch.setenv(name, value)
            return self.repository.run(*arguments)

    def run(self, *arguments: str, code: int = 0) -> Mapping[str, Any]:
        answer = self.asked(*arguments)
        assert answer.code == code, (answer.stderr, answer.value)
        return answer.value

    def release(self, before: str = "", after: str = "") -> Mapping[str, Any]:
        """Released to QA, and approved for production."""
        if before:
            self.repository.edit("mlops.yaml", before, after)
        self.repository.commit()
        released = self.run("release")
        assert released["verified"]
        self.run("approve", str(released["pull_request"]), "--reviewer", "Grace")
        return released

    def promote(self, code: int = 0) -> Mapping[str, Any]:
        return self.run("promote", "--to", "production", code=code)

    def die(self, *arguments: str, action: str, with_terraform: bool) -> None:
        """The command in a process of its own, which is killed when Terraform asks AWS for the action."""
        command = self.repository.start(*arguments, **self._variables)

        def kill(asked: str) -> None:
            if asked == action:
                self.cloud.aws.witness = lambda _: None
                for process in (*(descendants(command.pid) if with_terraform else ()), command.pid):
                    os.kill(process, signal.SIGKILL)

        self.cloud.aws.witness = kill
        said, words = command.communicate(timeout=PATIENCE)
        assert command.returncode == -signal.SIGKILL, (said, words)

    def patiently(self, *arguments: str) -> Answer:
        """As somebody does who is told that the Terraform of a command that was killed is still at work."""
        deadline = time.monotonic() + PATIENCE
        while "still at work" in (answer := self.asked(*arguments)).said:
            assert answer.code == 20
            assert time.monotonic() < deadline, answer.said
            time.sleep(0.5)
        return answer

    def unlock(self) -> None:
        """The state is locked by who was killed: every command says how to release it, and none does so by itself."""
        refused = self.patiently("reconcile", "--environment", "production")
        told = re.search(r"env TF_DATA_DIR=\S+ terraform -chdir=\S+ force-unlock [0-9a-f-]+", refused.said)
        assert (refused.code, told is not None) == (20, True), refused
        assert told
        root = Terraform(
            folder=self.repository.folder / SERVING, installation=self.cloud.terraform, endpoint=self.cloud.aws.endpoint
        )
        command = shlex.split(told[0].replace("force-unlock", "force-unlock -force"))
        done = subprocess.run(command, env=root.variables_of_the_process, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def release_of(self, group: str) -> str:
        """The first digits of the release that a target group is for, as the path of its own rule says."""
        found = {
            route.path.removeprefix(f"{STABLE}/releases/")
            for division in self.cloud.plane.divisions
            for route in division.routes
            if group in route.weights and route.path.startswith(f"{STABLE}/releases/") and not route.path.endswith("*")
        }
        (release,) = found
        return release

    def seen_shares(self) -> list[tuple[dict[str, int], dict[str, float]]]:
        """For each division that was in force long enough: what was asked for, and what users saw, in per cent."""
        plane, found = self.cloud.plane, []
        for division, following in pairwise(plane.divisions):
            wanted = {self.release_of(group): weight for group, weight in division.weights(STABLE).items()}
            seen = self.users.shares(division.at, following.at)
            if sum(seen.values()) >= ENOUGH:
                found.append((wanted, {name[:12]: 100 * number / sum(seen.values()) for name, number in seen.items()}))
        return found

    def containers(self) -> list[Any]:
        plane = self.cloud.plane
        groups = {group for route in plane.divisions[-1].routes for group in route.weights}
        return [container for group in groups for container in plane.containers(group)]

    def require_serving(self, released: Mapping[str, Any]) -> None:
        """The image of exactly this digest answers users, alone, in one container, and everybody knows."""
        row = self.run("status")["environments"][1]
        assert (row["release"], row["healthy"], row["settled"]) == (released["release"], True, True), row
        assert row["url"] == self.users.url
        self.cloud.plane.wait(lambda: len(self.containers()) == 1)
        (container,) = self.containers()
        assert container.attrs["Config"]["Image"] == released["image"]
        assert container.attrs["Image"] == self.engine.client.images.get(released["image"]).id
        assert self.users.once().release == released["release"]
        assert self.cloud.aws.problems == []

    def require_state(self, released: Mapping[str, Any]) -> None:
        """Terraform's state is in the platform's bucket, says what serves, and nobody holds its lock."""
        backend = self.cloud.backend
        s3 = self.cloud.moto.client("s3")
        state = json.load(s3.get_object(Bucket=backend["bucket"], Key=backend["key"])["Body"])
        served = state["outputs"]["serving"]["value"]["releases"]
        assert {name: each["share"] for name, each in served.items()} == {released["release"]: 100}
        found = s3.list_objects_v2(Bucket=backend["bucket"])["Contents"]
        assert [each["Key"] for each in found] == [backend["key"]]

    def plans(self, kind: str) -> list[dict[str, Any]]:
        """What was planned, oldest first, by the evidence of all events of that kind in production."""
        bucket = self.cloud.platform["store_url"].removeprefix("s3://")
        s3, found = self.cloud.moto.client("s3"), []
        for event in self.run("history")["events"]:
            for digest in event["evidence"] if event["kind"] == kind else ():
                text = s3.get_object(Bucket=bucket, Key=f"blobs/sha256/{digest[:2]}/{digest}")["Body"].read()
                assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in text.decode()
                record = json.loads(text)
                if isinstance(record, dict) and record.get("kind") == "terraform-plan":
                    found.append(record)
        return found


def descendants(pid: int) -> list[int]:
    """All processes that this one has started, and so on."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(status.parent.name)] = int(re.findall(r"(?m)^PPid:\s*(\d+)", status.read_text())[0])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]
