"""A GitOps agent for tests: brings about what a branch says, as Argo CD and Flux do, and takes away what it has not."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from threading import Event, Thread

import yaml

POLL_SECONDS = 0.1


class Follower:
    """`with Follower(repository, branch, path, kubeconfig) as follower:`. It applies as the field manager `agent`.

    What it applied once and the branch has no more is deleted; it knows that from what it has applied, by name.
    """

    def __init__(self, repository: Path, branch: str, path: str, kubeconfig: Path) -> None:
        self.working = Event()
        self.working.set()
        self.problems: list[str] = []
        self._repository = repository
        self._branch = branch
        self._path = path
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self._ended = Event()
        self._applied: dict[tuple[str, str, str], str] = {}
        self._commit = ""

    def __enter__(self) -> Follower:
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            commit = self._git("rev-parse", "--verify", "-q", f"refs/heads/{self._branch}").strip()
            if self.working.is_set() and commit and commit != self._commit and self._synchronised(commit):
                self._commit = commit

    def _synchronised(self, commit: str) -> bool:
        with tempfile.TemporaryDirectory() as scratch:
            paths = self._git("ls-tree", "-r", "--name-only", commit, self._path).splitlines()
            wanted = {}
            for number, path in enumerate(path for path in paths if path.endswith(".yaml")):
                text = self._git("show", f"{commit}:{path}")
                (Path(scratch) / f"{number}.yaml").write_text(text)
                for each in yaml.safe_load_all(text):
                    metadata = each["metadata"]
                    wanted[each["kind"], metadata.get("namespace", ""), metadata["name"]] = each["apiVersion"]
            if wanted and not self._kubectl(
                "apply", "--server-side", "--force-conflicts", "--field-manager=agent", "-f", scratch
            ):
                return False
        for (kind, namespace, name), version in self._applied.items():
            if (kind, namespace, name) not in wanted:
                left = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}
                if not self._kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", data=json.dumps(left)):
                    return False
        self._applied = wanted
        return True

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self._repository, capture_output=True, text=True, check=False)
        return done.stdout

    def _kubectl(self, *arguments: str, data: str = "") -> bool:
        done = subprocess.run(
            ["kubectl", *arguments], env=self._environment, input=data, capture_output=True, text=True, check=False
        )
        if done.returncode:
            self.problems.append(done.stderr)
        return done.returncode == 0
