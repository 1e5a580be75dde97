"""Every test gets a home of its own and nothing of the person or the CI service that runs it."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mlops_ci.adapters.image_parts import CachedParts
    from tests.azurite import Azurite
    from tests.docker_engine import DockerEngine, ImageRegistry
    from tests.s3 import S3Server
    from tests.stores import Place

# What belongs to whoever runs the tests: credentials, the repository at hand, the CI job around them.
FOREIGN = ("ACTIONS_", "AWS_", "AZURE_", "GITHUB_", "GIT_", "GOOGLE_", "MLFLOW_", "MLOPS_", "RUNNER_", "XDG_")
GIT_CONFIG = """\
[user]
    name = A Tester
    email = tester@example.com
[init]
    defaultBranch = main
"""


def pytest_configure() -> None:
    # A run in a shell's background is started deaf to SIGINT, and what it starts would be, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    # The thousands of tests themselves live as long as the run: nobody has to look through them for garbage.
    gc.collect()
    gc.freeze()


def move_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    (home / ".gitconfig").write_text(GIT_CONFIG)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))


@pytest.fixture(scope="session", autouse=True)
def session_home() -> Iterator[Path]:
    """The home that fixtures of a wider scope than one test see."""
    with tempfile.TemporaryDirectory(prefix="mlops-ci-home-") as path, pytest.MonkeyPatch.context() as monkeypatch:
        move_in(Path(path), monkeypatch)
        # matplotlib lists the machine's fonts once for each home, which takes seconds
        monkeypatch.setenv("MPLCONFIGDIR", path)
        yield Path(path)


@pytest.fixture(autouse=True)
def home(session_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This test's home, empty but for a Git configuration."""
    with tempfile.TemporaryDirectory(prefix="mlops-ci-home-", ignore_cleanup_errors=True) as path:
        move_in(Path(path), monkeypatch)
        yield Path(path)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    from tests.s3 import serve

    with serve() as server:
        yield server


@pytest.fixture(scope="module")
def azurite() -> Iterator[Azurite]:
    from tests.azurite import serve

    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """The Docker engine; what is made in it with its label is gone in the end. Mark such tests `docker`."""
    from tests.docker_engine import engine

    with engine() as used:
        yield used


@pytest.fixture(scope="session")
def image_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    """An image registry on this machine that asks nobody who he is."""
    from tests.docker_engine import registry

    with registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="session")
def image_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What XDG_CACHE_HOME has to name for commands that build images: they share the layers of `image_parts`."""
    return tmp_path_factory.mktemp("image-cache")


@pytest.fixture(scope="session")
def image_parts(docker_engine: DockerEngine, image_cache: Path) -> CachedParts:
    """The layers of scoring images, made once for all tests of the run."""
    from mlops_ci.adapters.bytecode import compile_in
    from mlops_ci.adapters.docker_engine import DockerImages
    from mlops_ci.adapters.image_parts import CachedParts

    return CachedParts(image_cache / "mlops-ci", compile_in(DockerImages(lambda: docker_engine.client)))


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store in a folder, then one in a bucket."""
    from tests.stores import Place

    if request.param == "local":
        return Place(url=str(tmp_path / "store"), options={})
    server: S3Server = request.getfixturevalue("s3")
    return Place(url=server.new_bucket(), options=server.options)
