"""Releases of tiny models, and a target that leaves nothing running behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.core.digest import sha256
from mlops_ci.core.records import Release
from tests.scoring.serving import files_of
from tests.scoring.tiny_models import TinyModel


class Quiet:
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        self.lines.append(what)
        yield


def release_of(model: TinyModel, *, version: int = 1, name: str = "delay") -> tuple[Release, dict[str, bytes]]:
    files = files_of(model)
    digests = {file: sha256(data) for file, data in files.items()}
    release = Release(model=name, version=version, lock="l", commit="c", files=digests, image=None, evidence={})
    return release, files


@contextmanager
def running_target(run_dir: Path) -> Iterator[ProcessTarget]:
    target = ProcessTarget(run_dir, console=Quiet())
    try:
        yield target
    finally:
        target.shut_down()
