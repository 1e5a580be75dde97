"""A node of the stand-in: pods are scoring processes of this machine, and it tells of them as a kubelet does."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.docker_engine import free_port
from tests.kubernetes_api.kinds import Object

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
PAUSES = (0.0, 0.2, 0.5)


class Registry:
    """Images in a folder, each a folder of a model's files by its digest, so that other processes may push too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.down = ""
        """Why it gives nothing, in the words of a registry; empty as long as it does."""

    def push(self, repository: str, files: Mapping[str, bytes], *, model: str, version: int) -> str:
        """The image's reference by digest."""
        about = json.dumps({"model": model, "version": version}).encode()
        digest = sha256(b"".join((about, *files.values()))).hexdigest()
        place = self.folder / digest
        place.mkdir(parents=True, exist_ok=True)
        for name, data in {**files, "about.json": about}.items():
            (place / name).write_bytes(data)
        return f"{repository}@sha256:{digest}"

    def pull(self, reference: str) -> Path | None:
        place = self.folder / reference.rpartition("@sha256:")[2]
        return place if place.is_dir() and not self.down else None


@dataclass
class Container:
    """The one container of a pod, with all its lives."""

    pod: Object
    image: str
    arguments: list[str]
    ready_path: str
    folder: Path
    port: int = 0
    restarts: int = 0
    pulls: int = 0
    process: subprocess.Popen[bytes] | None = None
    ended: int | None = None
    waiting: tuple[str, str] = ("ContainerCreating", "")
    ready: bool = False
    due: float = 0.0

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"


@dataclass
class Node:
    """Its pods have images of the registry only."""

    folder: Path
    registry: Registry
    containers: dict[tuple[str, str], Container] = field(default_factory=dict)

    def run(self, pod: Object) -> None:
        spec = pod["spec"]["containers"][0]
        metadata = pod["metadata"]
        port = next(each["containerPort"] for each in spec["ports"] if each["name"] == "http")
        probe = spec["readinessProbe"]["httpGet"]
        assert port == 8080, "what the image listens to"
        assert probe["port"] == "http"
        folder = self.folder / metadata["name"]
        folder.mkdir(parents=True)
        name = (metadata["namespace"], metadata["name"])
        self.containers[name] = Container(pod, spec["image"], spec.get("args", []), probe["path"], folder)

    def look(self) -> None:
        """Starts what is due, and takes in what has become of the rest."""
        for container in list(self.containers.values()):
            if container.process is None:
                if time.monotonic() >= container.due:
                    self._start(container)
            elif container.process.poll() is not None:
                self._ended(container)
            else:
                container.ready = _answers(container)

    def end(self, namespace: str, name: str) -> None:
        container = self.containers.pop((namespace, name), None)
        if container is not None and container.process is not None:
            container.process.terminate()
            container.process.wait()

    def end_all(self) -> None:
        for namespace, name in list(self.containers):
            self.end(namespace, name)

    def output(self, namespace: str, name: str, previous: bool) -> str:
        container = self.containers.get((namespace, name))
        lives = sorted(container.folder.glob("output-*")) if container else []
        place = -2 if previous and container and container.process is not None else -1
        return lives[place].read_text() if len(lives) >= -place else ""

    def status(self, container: Container) -> Object:
        """The pod's status."""
        running = container.process is not None
        state: dict[str, Any] = {"running": {}} if running else {"waiting": _reason(container.waiting)}
        last = {"terminated": {"exitCode": container.ended, "reason": "Error"}} if container.ended is not None else {}
        told = {
            "name": "scoring", "image": container.image, "imageID": container.image, "ready": container.ready,
            "restartCount": container.restarts, "state": state, "lastState": last,
        }  # fmt: skip
        ready = {"type": "Ready", "status": str(container.ready)}
        return {"phase": "Running" if running else "Pending", "conditions": [ready], "containerStatuses": [told]}

    def _start(self, container: Container) -> None:
        image = self.registry.pull(container.image)
        if image is None:
            container.pulls += 1
            words = f'failed to pull and unpack image "{container.image}": {self.registry.down or "not found"}'
            backing = (f'Back-off pulling image "{container.image}": ErrImagePull: {words}',)
            container.waiting = ("ImagePullBackOff", *backing) if container.pulls > 1 else ("ErrImagePull", words)
            container.due = time.monotonic() + 0.3
            return
        container.port = free_port()
        command = [sys.executable, "-P", "-m", "mlops_ci.scoring", f"--files={image}"]
        about = json.loads((image / "about.json").read_bytes())
        command += [
            f"--model={about['model']}",
            f"--version={about['version']}",
            f"--host={HOST}",
            f"--port={container.port}",
            *container.arguments,
        ]
        environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with (container.folder / f"output-{container.restarts:03}").open("wb") as output:
            container.process = subprocess.Popen(
                command, env=environment, cwd=container.folder, stdout=output, stderr=output
            )

    def _ended(self, container: Container) -> None:
        assert container.process is not None
        container.ended, container.process, container.ready = container.process.returncode, None, False
        container.restarts += 1
        pause = PAUSES[min(container.restarts, len(PAUSES)) - 1]
        container.due = time.monotonic() + pause
        container.waiting = ("CrashLoopBackOff", f"back-off restarting failed container in pod {container.folder.name}")


def _reason(waiting: tuple[str, str]) -> Object:
    return {"reason": waiting[0], "message": waiting[1]}


def _answers(container: Container) -> bool:
    connection = http.client.HTTPConnection(HOST, container.port, timeout=2)
    try:
        connection.request("GET", container.ready_path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
