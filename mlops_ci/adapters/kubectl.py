"""kubectl, the one program by which clusters are asked and changed, and overlays are rendered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_ci.adapters.environment import cluster_variables
from mlops_ci.adapters.kubectl_errors import PASSING, named
from mlops_ci.adapters.processes import Completed, run
from mlops_ci.core.kubernetes_names import MANAGER
from mlops_ci.errors import ConfigurationError, OutsideError

Manifest = Mapping[str, Any]

ATTEMPTS, FIRST_PAUSE = 5, 0.5
REQUEST_SECONDS = 30
SECONDS = 300.0
"""Longer than kubectl takes for anything that it is asked here."""
CONFLICT = "Apply failed with"


def render(folder: Path, *, where: str) -> str:
    """The manifests that `kubectl kustomize` makes of the folder. Raises ConfigurationError where it does not."""
    done = run(["kubectl", "kustomize", str(folder)], check=False, timeout=SECONDS)
    if done.code != 0:
        words = done.stderr.strip().replace(str(folder), "").removeprefix("error: ")
        raise ConfigurationError(f"`kubectl kustomize` does not render the overlay: {words}", where=where)
    return done.text + "\n"


class Kubectl:
    """kubectl with one namespace of one cluster; empty `context` and `namespace` are the configuration's own.

    What fails for a moment is tried again: everything here may be done twice.
    """

    def __init__(self, *, context: str = "", namespace: str = "", pause: float | None = None) -> None:
        self._options = [f"--request-timeout={REQUEST_SECONDS}s"]
        self._options += [f"--context={context}"] if context else []
        self._options += [f"--namespace={namespace}"] if namespace else []
        self._pause = FIRST_PAUSE if pause is None else pause

    def list(self, kinds: Sequence[str], selector: str) -> Sequence[Manifest]:
        """All objects of these kinds that have the labels, with their managed fields."""
        what = f"looking for {selector}"
        return self._objects(what, "get", ",".join(kinds), f"--selector={selector}")

    def existing(self, manifests: Sequence[Manifest]) -> Sequence[Manifest]:
        """Of these objects those that the cluster has, as it has them."""
        return self._objects(
            "looking for what is there", "get", "-f", "-", "--ignore-not-found", data=_documents(manifests)
        )

    def apply(self, manifests: Sequence[Manifest]) -> str:
        """Server-side apply; what others have changed of our fields is taken back. Returns whose changes that were."""
        arguments = ["apply", "--server-side", f"--field-manager={MANAGER}", "-f", "-"]
        data = _documents(manifests)
        done = self._run("applying", *arguments, data=data, allow=(CONFLICT,))
        if done.code == 0:
            return ""
        self._run("applying", *arguments, "--force-conflicts", data=data)
        return " ".join(done.stderr.partition("Please review")[0].split())

    def create(self, manifest: Manifest) -> bool:
        """Makes the object; False where there is one of its name."""
        done = self._run("creating", "create", "-f", "-", data=json.dumps(manifest).encode(), allow=("AlreadyExists",))
        return done.code == 0

    def replace(self, manifest: Manifest) -> bool:
        """Writes the object back; False where it is not any more what its resourceVersion says, or is gone."""
        refusals = ("(Conflict)", "(NotFound)")
        return (
            self._run("replacing", "replace", "-f", "-", data=json.dumps(manifest).encode(), allow=refusals).code == 0
        )

    def delete(self, manifests: Sequence[Manifest]) -> None:
        """Returns when they are gone, and what they have brought with them; nothing to do where they are not there."""
        if manifests:
            arguments = ["delete", "-f", "-", "--ignore-not-found", "--cascade=foreground", f"--timeout={SECONDS:g}s"]
            self._run("deleting", *arguments, data=_documents(manifests))

    def logs(self, pod: str, container: str, *, lines: int, previous: bool = False) -> str:
        """What the container wrote last; empty where there is nothing to read (yet, or any more)."""
        arguments = ["logs", pod, f"--container={container}", f"--tail={lines}"]
        allow = ("BadRequest", "NotFound", "not found", "waiting to start")
        return self._run("reading the log", *arguments, *(["--previous"] if previous else []), allow=allow).text

    def _objects(self, what: str, *arguments: str, data: bytes | None = None) -> Sequence[Manifest]:
        text = self._run(what, *arguments, "--output=json", "--show-managed-fields", data=data).text
        if not text:
            return ()
        try:
            value: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise OutsideError(f"kubectl answers with something that is not JSON: {text[:200]!r}") from error
        items: Sequence[Manifest] = value["items"] if value.get("kind") == "List" else [value]
        return items

    def _run(self, what: str, *arguments: str, data: bytes | None = None, allow: Iterable[str] = ()) -> Completed:
        """Raises what `kubectl_errors.named` makes of a failure whose words hold none of the `allow`ed."""
        command = ["kubectl", *arguments, *self._options]
        attempt, pause = 0, self._pause
        while True:
            attempt += 1
            done = run(command, input=data, env=cluster_variables(), check=False, timeout=2 * SECONDS)
            if done.code == 0 or any(words in done.stderr for words in allow):
                return done
            error = named(what, done.stderr)
            if attempt == ATTEMPTS or isinstance(error, ConfigurationError) or not PASSING.search(done.stderr):
                raise error
            time.sleep(pause)
            pause *= 2


def _documents(manifests: Sequence[Manifest]) -> bytes:
    """One after the other, and no List of them: for that kubectl looks into the whole description of the API first."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in manifests)
