"""A scoring image: the same whoever builds it and when, and fit to run with no rights at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import docker.errors
import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.core.digest import sha256
from mlops_ci.core.image import BuiltImage
from mlops_ci.core.records import BUILD_FILE, MODEL_FILE
from mlops_ci.pipeline.image import build_record
from tests.docker.building import HARDENED, ask, build, inputs, model_files, serving
from tests.docker_engine import DockerEngine

pytestmark = pytest.mark.docker
ROOT = Path(__file__).parents[2]
ELSEWHERE = """
import json, os, sys
os.umask(0o077)
from pathlib import Path
from mlops_ci.adapters.bytecode import compile_in
from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.config.types import ImageConfig
from mlops_ci.pipeline.image import build_image
from tests.docker.building import inputs
files = {path.name: path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir(), reverse=True)}
engine = DockerImages()
built = build_image(
    inputs(files), ImageConfig(repository="mlops-ci-test/other", base=sys.argv[3]),
    engine=engine, parts=CachedParts(Path(sys.argv[2]), compile_in(engine)),
)
print(json.dumps(built.to_json()))
"""


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return model_files()


@pytest.fixture(scope="module")
def base(docker_engine: DockerEngine) -> str:
    """The base without any shell, so that all of this shows that none is needed, for building neither."""
    client, name = docker_engine.client, f"mlops-ci-test-{docker_engine.mark}:shell-less"
    container = client.containers.create(docker_engine.base, ["/bin/rm", "/bin/sh", "/bin/dash", "/bin/bash"])
    try:
        container.start()
        assert container.wait()["StatusCode"] == 0
        container.commit(*name.split(":"))
    finally:
        container.remove(force=True)
    return name


@pytest.fixture(scope="module")
def built(docker_engine: DockerEngine, image_parts: CachedParts, files: dict[str, bytes], base: str) -> BuiltImage:
    return build(docker_engine, image_parts, inputs(files), base=base)


def test_another_process_in_another_folder_with_another_umask_builds_the_same_image(
    image_parts: CachedParts, built: BuiltImage, files: dict[str, bytes], base: str, tmp_path: Path
) -> None:
    place, cache = tmp_path / "files", tmp_path / "cache"
    place.mkdir()
    for name, data in files.items():
        (place / name).write_bytes(data)
    # the wheels are there, so that no network is needed, and no layer is
    for kept in ("wheels", "resolved"):
        shutil.copytree(image_parts._folder / kept, cache / kept)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", ELSEWHERE, str(place), str(cache), base]

    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert said.returncode == 0, said.stderr
    assert BuiltImage.from_json(json.loads(said.stdout)) == built


def test_each_input_makes_another_image_and_moves_no_layer_but_its_own(
    docker_engine: DockerEngine, image_parts: CachedParts, built: BuiltImage, files: dict[str, bytes], base: str
) -> None:
    same = build(docker_engine, image_parts, inputs(files), base=base, repository="mlops-ci-test/elsewhere")
    newer = build(docker_engine, image_parts, inputs(files, version=4), base=base)
    later = build(docker_engine, image_parts, inputs(files, created="2027-01-01T00:00:00Z"), base=base)
    other = build(docker_engine, image_parts, inputs(model_files(shift=0.5)), base=base)

    assert same == built
    assert len({built.image_id, newer.image_id, later.image_id, other.image_id}) == 4
    assert other.layers[:2] == built.layers[:2]
    assert other.layers[2].digest != built.layers[2].digest
    # what moves with a new model
    assert other.layers[2].megabytes < len(files[MODEL_FILE]) / 1e6 + 0.05


def test_what_is_told_of_the_image_is_so(
    docker_engine: DockerEngine, built: BuiltImage, files: dict[str, bytes], base: str
) -> None:
    images = DockerImages(lambda: docker_engine.client)
    facts = images.inspect(built.reference)
    inside = images.files(built.reference, "/model")

    assert facts is not None
    assert facts.image_id == built.image_id == built.reference
    assert facts.layers[-3:] == tuple(layer.digest for layer in built.layers)
    assert facts.megabytes == pytest.approx(built.megabytes, rel=0.02)
    assert sum(layer.megabytes for layer in built.layers) < 95
    assert inside == {**files, BUILD_FILE: build_record(inputs(files), built)}
    assert sha256(inside[BUILD_FILE]) == built.build
    assert (
        facts.labels
        | {
            "org.opencontainers.image.title": "late",
            "org.opencontainers.image.version": "3",
            "org.opencontainers.image.revision": "2" * 40,
            "org.opencontainers.image.created": "2026-02-03T04:05:06Z",
            "org.opencontainers.image.source": "https://example.com/acme/late",
            "org.opencontainers.image.base.name": base,
            "org.opencontainers.image.base.digest": built.base,
            "io.mlops-ci.model": "late",
            "io.mlops-ci.version": "3",
            "io.mlops-ci.lock": "1" * 64,
            "io.mlops-ci.model-digest": sha256(files[MODEL_FILE]),
        }
        == facts.labels
    )
    kinds = {kind: [one for one in built.packages if one.kind == kind] for kind in ("pypi", "deb", "generic")}
    assert {one.name for one in kinds["pypi"]} >= {"numpy", "onnxruntime", "orjson", "uvicorn"}
    assert all(one.version and len(one.sha256) == 64 and one.licence for one in kinds["pypi"])
    assert "libc6" in {one.name for one in kinds["deb"]}
    assert [one.name for one in kinds["generic"]] == ["python"]


def test_nothing_of_the_toolkit_but_the_service_is_in_it(docker_engine: DockerEngine, built: BuiltImage) -> None:
    names = contents(docker_engine, built)
    ours = {name for name in names if name.startswith("opt/mlops-ci/mlops_ci/") and name.endswith(".py")}
    parts = {name.split("/")[3] for name in ours}
    packages = {name.split("/")[2] for name in names if name.startswith("opt/mlops-ci/") and name.count("/") > 2}

    assert parts == {"__init__.py", "core", "scoring"}
    assert len([name for name in ours if "/core/" in name]) < 15
    assert {package for package in packages if ".dist-info" not in package} <= {
        *("bytecode", "click", "httptools", "mlops_ci", "numpy", "numpy.libs", "onnxruntime", "orjson"),
        *("uvicorn", "uvloop"),
    }
    assert not [name for name in names if name.endswith((".pyi", ".c", ".h", "RECORD", "INSTALLER"))]
    assert not [name for name in names if "/tests/" in name or "libonnxruntime.so" in name]


def contents(engine: DockerEngine, built: BuiltImage) -> set[str]:
    """The names of all files in our layers."""
    container = engine.client.containers.create(built.image_id, labels=engine.labels)
    found: set[str] = set()
    try:
        for folder in ("/opt", "/model"):
            stream, _ = container.get_archive(folder)
            reader = Stream(stream)
            with tarfile.open(fileobj=reader, mode="r|") as archive:  # type: ignore[call-overload]
                found |= {member.name for member in archive if member.isreg()}
    finally:
        container.remove()
    return found


class Stream:
    """Chunks as a file to read from."""

    def __init__(self, chunks: object) -> None:
        self._chunks = iter(chunks)  # type: ignore[call-overload]
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def test_it_runs_without_rights_and_says_who_it_is(
    docker_engine: DockerEngine, built: BuiltImage, files: dict[str, bytes]
) -> None:
    with serving(docker_engine, built.image_id, "--release", "a" * 64) as (container, url):
        record = {"distance": 900.0, "hour": 7.0, "carrier": "AA"}
        answer = ask(url, "/score", [record])
        metadata = ask(url, "/v2/models/late/versions/3")
        _, user = container.exec_run(["/usr/bin/id", "-u"])
        code, _ = container.exec_run(["/usr/bin/touch", "/model/x"])
        logs = container.logs().decode()

    assert (answer["model"], answer["version"], answer["release"]) == ("late", 3, "a" * 64)
    assert metadata["properties"]["model_digest"] == sha256(files[MODEL_FILE])
    assert metadata["properties"]["build"] == built.build
    assert user.strip() == b"10001"
    assert code != 0
    # a warning here would be a service that could not do what it wanted on a read-only root
    assert logs.splitlines() == [line for line in logs.splitlines() if "serving" in line]


def test_its_health_check_turns_healthy_and_it_stops_when_asked(docker_engine: DockerEngine, built: BuiltImage) -> None:
    with serving(docker_engine, built.image_id) as (container, _):
        deadline = time.monotonic() + 30
        while (health := status(container)) == "starting":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        container.stop(timeout=20)
        state = container.wait()

    assert health == "healthy"
    assert state["StatusCode"] == 0  # 137 would say that it had to be killed


def status(container: object) -> str:
    container.reload()  # type: ignore[attr-defined]
    return str(container.attrs["State"]["Health"]["Status"])  # type: ignore[attr-defined]


def test_the_health_check_fails_where_nothing_listens(docker_engine: DockerEngine, built: BuiltImage) -> None:
    probe = docker_engine.client.api.inspect_image(built.image_id)["Config"]["Healthcheck"]["Test"]
    container = docker_engine.client.containers.create(
        built.image_id, entrypoint=probe[1:], labels=docker_engine.labels, network_mode="none", **HARDENED
    )
    try:
        container.start()
        assert container.wait(timeout=30)["StatusCode"] == 1
    finally:
        container.remove(force=True)


def test_there_is_no_shell_in_it(docker_engine: DockerEngine, built: BuiltImage) -> None:
    with pytest.raises(docker.errors.APIError, match="no such file"):
        docker_engine.client.containers.run(
            built.image_id, ["-c", "true"], entrypoint="/bin/sh", labels=docker_engine.labels, remove=True
        )


def test_everything_that_a_service_loads_is_compiled(docker_engine: DockerEngine, built: BuiltImage) -> None:
    """A module without bytecode is compiled at every start, on a read-only root for ever."""
    script = (
        "import sys, os, threading, signal, json\n"
        "from mlops_ci.scoring.__main__ import main\n"
        "def look():\n"
        "    modules = [m for m in list(sys.modules.values()) if (getattr(m, '__file__', '') or '').endswith('.py')]\n"
        "    bare = [m.__name__ for m in modules if m.__spec__ and m.__spec__.origin != 'frozen']\n"
        "    bare = [name for name in bare if not os.path.exists(sys.modules[name].__cached__ or '')]\n"
        "    print(json.dumps(sorted(bare)), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "threading.Timer(2, look).start()\n"
        "main(['--files', '/model', '--port', '8080'])\n"
    )
    attributes = docker_engine.client.api.inspect_image(built.image_id)["Config"]
    container = docker_engine.client.containers.create(
        built.image_id, ["-c", script], entrypoint=attributes["Entrypoint"][:2], labels=docker_engine.labels, **HARDENED
    )
    try:
        container.start()
        container.wait(timeout=60)
        said = container.logs(stdout=True, stderr=False).decode()
    finally:
        container.remove(force=True)

    assert json.loads(said.splitlines()[0]) in ([], ["__main__"])
