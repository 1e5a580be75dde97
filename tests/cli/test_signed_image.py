"""`release` and `verify-release` with a real engine and registry: built, pushed, signed, checked, and found out."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.core.records import Release
from mlops_ci.errors import NotFoundError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from tests.cli.repository import Repository, copied
from tests.docker_engine import DockerEngine, ImageRegistry
from tests.signing import KeyPair, key_pair, openssl

pytestmark = pytest.mark.docker
FIRST = ("log", "files", "evidence", "build", "sbom", "provenance", "image", "signature")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture(autouse=True)
def _layers_are_made_once(image_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(image_cache))


def declare(team: Repository, engine: DockerEngine, registry: ImageRegistry, *, limit: float, **more: str) -> None:
    image = {"repository": f"{registry.address}/acme/late", "base": engine.base, **more}
    rule = f"  guardrails: [{{metric: image_mb, max: {limit}}}]\n"
    team.edit("mlops.yaml", "gate:\n", f"image: {json.dumps(image)}\ngate:\n{rule}")


@pytest.fixture(scope="module")
def once_released(
    once_judged: Repository,
    keys: KeyPair,
    docker_engine: DockerEngine,
    image_registry: ImageRegistry,
    image_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Repository:
    """A repository whose first release has a signed image in the registry; to be copied and never written to."""
    team = copied(once_judged, tmp_path_factory.mktemp("released") / "team")
    declare(team, docker_engine, image_registry, limit=1000, public_key="a.pub")
    team.write("a.pub", keys.public.read_text())
    team.commit("an image")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(image_cache))
        answer = team.run("release", "--signing-key", str(keys.private))
    team.stop_services()
    assert answer.code == 0, answer.stderr
    return team


@pytest.fixture
def released(once_released: Repository, tmp_path: Path) -> Repository:
    return copied(once_released, tmp_path / "team")


def blob(team: Repository, digest: str) -> Path:
    return team.store / "blobs" / "sha256" / digest[:2] / digest


def release_of(team: Repository) -> dict[str, object]:
    (path,) = (team.store / "releases").iterdir()
    value: dict[str, object] = json.loads(path.read_text())
    return value


def test_a_release_is_what_was_built_and_signed(
    released: Repository, keys: KeyPair, image_registry: ImageRegistry, tmp_path: Path
) -> None:
    answer = released.run("verify-release")
    assert answer.code == 0, answer.said
    assert {check["name"]: check["ok"] for check in answer.value["checks"]} == dict.fromkeys(FIRST, True)
    assert answer.value["image"].startswith(f"{image_registry.address}/acme/late@sha256:")
    record = release_of(released)
    evidence = record["evidence"]
    assert isinstance(evidence, dict)

    # what anybody can check without us
    bill = blob(released, evidence["sbom"]).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    names = {one["name"] for one in json.loads(bill)["components"]}
    assert {"late", "numpy", "onnxruntime", "python", "mlops-ci", "libc6"} <= names
    envelope = json.loads(blob(released, evidence["provenance"]).read_text())
    payload = base64.b64decode(envelope["payload"])
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (tmp_path / "message").write_bytes(b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload))
    checked = openssl(
        "dgst", "-sha256", "-verify", keys.public, "-signature", tmp_path / "signature", tmp_path / "message"
    )
    assert b"Verified OK" in checked.stdout
    statement = json.loads(payload)
    subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    assert answer.value["image"].endswith(subjects["image"])
    assert {"model.onnx", "signature.json", "card.json"} < subjects.keys()


def test_an_image_above_its_limit_blocks_and_leaves_nothing(
    once_judged: Repository, docker_engine: DockerEngine, image_registry: ImageRegistry, tmp_path: Path
) -> None:
    team = copied(once_judged, tmp_path / "team")
    declare(team, docker_engine, image_registry, limit=1)
    team.commit("an image")
    answer = team.run("release")
    assert answer.code == 11
    assert "image_mb is " in answer.said
    assert "above 1" in answer.said
    assert not [path for name in ("versions", "releases", "events") for path in (team.store / name).rglob("*.json")]


def test_what_was_changed_is_refused_by_name(released: Repository, keys: KeyPair, tmp_path: Path) -> None:
    record = release_of(released)
    model = record["files"]["model.onnx"]  # type: ignore[index]
    path = blob(released, model)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b" ")
    answer = released.run("verify-release", "--version", "1")
    assert answer.code == 16
    failed = [check["name"] for check in answer.value["checks"] if check["ok"] is False]
    assert failed == ["files"]

    other = key_pair(tmp_path, "other")
    answer = copied(released, tmp_path / "again").run("verify-release", "--public-key", str(other.public))
    assert answer.code == 16  # the files matter more than the signature
    assert [check["name"] for check in answer.value["checks"] if check["ok"] is False] == ["files", "signature"]


def test_an_image_that_its_registry_lost_is_found_though_the_engine_has_it(
    released: Repository, docker_engine: DockerEngine, image_registry: ImageRegistry
) -> None:
    record = release_of(released)
    repository = f"{image_registry.address}/acme/late"
    lost = f"{repository}@sha256:{'0' * 64}"
    assert str(record["image"]).startswith(repository)
    with pytest.raises(NotFoundError, match="is not in its registry"):
        DockerImages(lambda: docker_engine.client).require_published(lost)
    DockerImages(lambda: docker_engine.client).require_published(str(record["image"]))


def test_another_key_is_refused_by_name(released: Repository, tmp_path: Path) -> None:
    answer = released.run("verify-release", "--public-key", str(key_pair(tmp_path, "other").public))
    assert answer.code == 13
    assert [check["name"] for check in answer.value["checks"] if check["ok"] is False] == ["signature"]


def test_another_image_under_the_releases_name_is_refused(
    released: Repository, docker_engine: DockerEngine, image_registry: ImageRegistry
) -> None:
    """Somebody who can write to registry, store and log puts another model into an image, and cannot sign."""
    registry = Registry(LocalStore(released.store))
    made = Release.from_json(release_of(released))
    container = docker_engine.client.containers.create(made.image, labels=docker_engine.labels)
    try:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("model.onnx")
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"evil"))
        container.put_archive("/model", archive.getvalue())
        repository = f"{image_registry.address}/acme/late"
        evil = container.commit(repository=repository, tag="evil")
    finally:
        container.remove()
    docker_engine.client.images.push(repository, tag="evil")
    digest = image_registry.digest("acme/late", "evil")
    record = registry.get_json(made.evidence["image"]) | {"reference": f"{repository}@{digest}", "image_id": evil.id}
    forged = Release.from_json(
        made.to_json()
        | {
            "image": f"{repository}@{digest}",
            "evidence": {**made.evidence, "image": registry.put_json(record)},
        }
    )
    registry.save_release(forged)
    about = {"release": forged.id, "version": 1, "lock": forged.lock, "commit": forged.commit, "verdict": "first"}
    EventLog(LocalStore(released.store), SystemClock()).record("late", "registered", about, actor="Mallory")

    answer = released.run("verify-release", "--release", forged.id)
    assert answer.code == 16
    said = {check["name"]: check["detail"] for check in answer.value["checks"] if check["ok"] is False}
    assert "its model.onnx is another one" in said["image"]
    assert "no subject is image with digest" in said["provenance"]
