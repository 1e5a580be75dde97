"""Whatever is changed of a release, its bill, its provenance or its image is found, and called by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.core.dsse import Envelope, KeySignature
from mlops_ci.core.layout import blob_path, release_path
from mlops_ci.core.provenance import KEY
from mlops_ci.core.records import MODEL_FILE, Release
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.event_log import NewEvent
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.verify_release import ReleaseVerification
from tests.delivery.packaged import PackagedWorld
from tests.delivery.world import MODEL, Line
from tests.signing import KeyPair, key_pair

CHECKS = ["log", "files", "evidence", "build", "sbom", "provenance", "image", "signature"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def world(tmp_path: Path, keys: KeyPair) -> PackagedWorld:
    made = PackagedWorld(tmp_path / "world")
    made.signer = keys.signer
    return made


def failed(verification: ReleaseVerification) -> dict[str, str]:
    return {check.name: check.detail for check in verification.failed}


def spoil(world: PackagedWorld, digest: str, data: bytes) -> None:
    """As somebody with write access to the store does."""
    path = world.folder / "store" / blob_path(digest)
    path.chmod(0o600)
    path.write_bytes(data)


def forged(world: PackagedWorld, release: Release, evidence: dict[str, Any] | None = None, **changes: Any) -> Release:
    """Another release, registered as the real one is, by somebody who can write to the store and not sign."""
    registry = Registry(world.store)
    made = {name: registry.put_json(value) for name, value in (evidence or {}).items()}
    other = replace(release, evidence={**release.evidence, **made}, **changes)
    registry.save_release(other)
    subject = {"release": other.id, "version": other.version, "lock": other.lock, "commit": other.commit}
    new = NewEvent(kind="registered", subject={**subject, "verdict": "first"}, actor="Mallory", evidence=())
    world.log.append(MODEL, lambda _: new)
    return other


def read(world: PackagedWorld, release: Release, name: str) -> Any:
    return Registry(world.store).get_json(release.evidence[name])


def test_what_was_released_passes_every_check(world: PackagedWorld, keys: KeyPair) -> None:
    verification = world.verify(world.register(Line()), keys.signer.public_key)
    assert [check.name for check in verification.checks] == CHECKS
    assert [check.ok for check in verification.checks] == [True] * len(CHECKS)
    assert (verification.ok, verification.exit_code) == (True, 0)


def test_a_release_without_image_is_asked_what_it_can_be(world: PackagedWorld, keys: KeyPair) -> None:
    world.image = None
    made = world.register(Line())
    verification = world.verify(made)
    assert [(check.name, check.ok) for check in verification.checks] == [
        ("log", True), ("files", True), ("evidence", True), ("signature", None),
    ]  # fmt: skip
    assert verification.exit_code == 0
    # but where a signature is asked for, its absence is no excuse
    assert failed(world.verify(made, keys.signer.public_key)) == {"signature": "it has no provenance"}
    assert world.verify(made, keys.signer.public_key).exit_code == 13


def test_without_a_key_the_signature_is_said_to_be_unasked(world: PackagedWorld) -> None:
    verification = world.verify(world.register(Line()))
    assert verification.ok
    assert verification.checks[-1].ok is None
    assert "no public key is given" in verification.checks[-1].detail


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ("model.onnx", {"files"}),
        ("card.json", {"files"}),
        ("golden", {"evidence"}),
        ("evaluation", {"evidence"}),
        ("sbom", {"evidence", "sbom"}),
        ("build", {"evidence", "build"}),
        ("image", {"evidence", "build", "sbom", "image"}),
        ("provenance", {"evidence", "sbom", "provenance", "signature"}),
    ],
)
def test_a_changed_blob_is_found_by_its_digest(
    world: PackagedWorld, keys: KeyPair, which: str, names: set[str]
) -> None:
    made = world.register(Line())
    spoil(world, {**made.files, **made.evidence}[which], b"{}")
    verification = world.verify(made, keys.signer.public_key)
    assert set(failed(verification)) == names
    assert verification.exit_code == 16
    assert f"{which}: " in failed(verification).get("files", failed(verification).get("evidence", ""))


def test_a_blob_that_is_gone_is_found(world: PackagedWorld) -> None:
    made = world.register(Line())
    (world.folder / "store" / blob_path(made.files[MODEL_FILE])).unlink()
    assert "model.onnx: " in failed(world.verify(made))["files"]


def test_a_changed_record_is_not_even_read(world: PackagedWorld) -> None:
    made = world.register(Line())
    path = world.folder / "store" / release_path(made.id)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":7'))
    with pytest.raises(IntegrityError, match="which is not its name"):
        Registry(world.store).release(made.id)


def test_a_release_that_the_log_does_not_know_is_found(world: PackagedWorld) -> None:
    made = world.register(Line())
    other = replace(made, version=2)
    Registry(world.store).save_release(other)
    assert "the log does not know of it" in failed(world.verify(other))["log"]


def bill_without(name: str) -> Callable[[dict[str, Any]], None]:
    def edit(bill: dict[str, Any]) -> None:
        bill["components"] = [one for one in bill["components"] if one["name"] != name]

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (bill_without("numpy"), "pkg:pypi/numpy@2.3.5 is not in it"),
        (lambda bill: bill["components"].clear(), "is not in it"),
        (lambda bill: bill.clear(), "image is not in it"),
        (lambda bill: bill["metadata"]["component"]["hashes"].clear(), "hashes of image"),
        (lambda bill: bill["metadata"].update(tools={"components": []}), ""),
    ],
)
def test_another_bill_of_materials_is_found_though_its_digest_fits(
    world: PackagedWorld, keys: KeyPair, edit: Callable[[Any], Any], said: str
) -> None:
    made = world.register(Line())
    bill = read(world, made, "sbom")
    edit(bill)
    other = forged(world, made, {"sbom": bill})
    verification = world.verify(other, keys.signer.public_key)
    assert verification.exit_code == 16
    # the signature is good, and it is of a release with another bill
    assert "no by-product is sbom" in failed(verification)["provenance"]
    assert said in failed(verification).get("sbom", "")


def test_evidence_that_was_exchanged_is_found_by_the_provenance(world: PackagedWorld, keys: KeyPair) -> None:
    made = world.register(Line())
    other = forged(world, made, {"golden": {"records": [], "answers": []}})
    verification = world.verify(other, keys.signer.public_key)
    assert list(failed(verification)) == ["provenance"]
    assert verification.exit_code == 16


def test_a_provenance_of_another_release_is_found(world: PackagedWorld, keys: KeyPair) -> None:
    one, two = world.register(Line()), world.register(Line(slope=2.0))
    other = forged(world, two, {KEY: read(world, one, KEY)})
    verification = world.verify(other, keys.signer.public_key)
    assert list(failed(verification)) == ["provenance"]
    assert "externalParameters.version is '1', not 2" in failed(verification)["provenance"]
    assert "no subject is model.onnx" in failed(verification)["provenance"]


def envelope(world: PackagedWorld, release: Release, **changes: Any) -> dict[str, Any]:
    return replace(Envelope.from_json(read(world, release, KEY)), **changes).to_json()


def test_a_signature_that_was_stripped_is_found(world: PackagedWorld, keys: KeyPair) -> None:
    made = world.register(Line())
    other = forged(world, made, {KEY: envelope(world, made, signatures=())})
    verification = world.verify(other, keys.signer.public_key)
    assert failed(verification) == {"signature": "its provenance is not signed"}
    assert verification.exit_code == 13


def test_a_foreign_signature_is_found_whatever_key_it_names(
    world: PackagedWorld, keys: KeyPair, tmp_path: Path
) -> None:
    made, mallory = world.register(Line()), key_pair(tmp_path, "mallory").signer
    signed = Envelope.from_json(read(world, made, KEY)).signed_bytes
    for named, said in (
        (mallory.public_key.id, f"is signed by {mallory.public_key.id[:12]}, and not by"),
        (keys.signer.public_key.id, "the statement or the signature was changed"),
        ("", "is signed by an unnamed key"),
    ):
        signature = KeySignature(key=named, value=mallory.sign(signed))
        other = forged(world, made, {KEY: envelope(world, made, signatures=(signature,))})
        verification = world.verify(other, keys.signer.public_key)
        assert list(failed(verification)) == ["signature"]
        assert said in failed(verification)["signature"]
        assert verification.exit_code == 13


def test_a_statement_that_was_rewritten_is_not_signed_any_more(world: PackagedWorld, keys: KeyPair) -> None:
    """The forger makes everything fit: release, image, bill and statement. What is missing is the key."""
    made = world.register(Line())
    world.signer = None
    evil = world.register(Line(slope=1.0, live=5.0))
    signatures = Envelope.from_json(read(world, made, KEY)).signatures
    other = forged(world, evil, {KEY: envelope(world, evil, signatures=signatures)})
    verification = world.verify(other, keys.signer.public_key)
    assert failed(verification) == {
        "signature": "the signature of its provenance does not fit: the statement or the signature was changed"
    }
    assert verification.exit_code == 13


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "cannot be read: it is no DSSE envelope"),
        ([], "cannot be read: it is no DSSE envelope"),
        ({"payloadType": "text/plain", "payload": "e30=", "signatures": []}, "no in-toto statement"),
        ({"payloadType": "application/vnd.in-toto+json", "payload": "YQ==", "signatures": []}, "is not JSON"),
        ({"payloadType": "application/vnd.in-toto+json", "payload": "W10=", "signatures": []}, "_type is 'None'"),
    ],
)
def test_what_is_no_provenance_is_found(world: PackagedWorld, keys: KeyPair, value: Any, said: str) -> None:
    other = forged(world, world.register(Line()), {KEY: value})
    verification = world.verify(other, keys.signer.public_key)
    assert said in failed(verification)["provenance"]
    assert verification.exit_code == 16


# The image.


def held(world: PackagedWorld, release: Release, **changes: Any) -> None:
    """The registry gives out another image under the digest of the release's, as a broken or hostile one may."""
    image = replace(world.images.pushed[str(release.image)], **changes)
    world.images.pushed[str(release.image)] = image


def test_another_model_in_the_image_is_found(world: PackagedWorld) -> None:
    made = world.register(Line())
    files = dict(world.images.pushed[str(made.image)].files)
    held(world, made, files={**files, MODEL_FILE: b"evil"})
    assert failed(world.verify(made)) == {"image": "its model.onnx is another one"}
    held(world, made, files={**files, "backdoor.py": b"evil"})
    assert failed(world.verify(made)) == {"image": "backdoor.py is in it, and not of the release"}
    held(world, made, files={name: data for name, data in files.items() if name != "build.json"})
    verification = world.verify(made)
    assert failed(verification) == {"image": "build.json is not in it"}
    assert verification.exit_code == 16


def test_another_image_is_found_by_id_layers_and_labels(world: PackagedWorld) -> None:
    made = world.register(Line())
    configuration = json.loads(world.images.pushed[str(made.image)].configuration)
    configuration["config"]["Labels"]["io.mlops-ci.version"] = "9"
    configuration["rootfs"]["diff_ids"][-1] = "sha256:" + "e" * 64
    held(world, made, configuration=json.dumps(configuration).encode())
    said = failed(world.verify(made))["image"]
    for part in ("its id is", "its layers are not those that were built", "label io.mlops-ci.version is '9', not '1'"):
        assert part in said


def test_an_image_that_the_registry_lost_is_found(world: PackagedWorld) -> None:
    made = world.register(Line())
    del world.images.pushed[str(made.image)]  # the engine has it still
    assert "the registry does not have" in failed(world.verify(made))["image"]


def test_an_image_that_the_engine_lost_is_found(world: PackagedWorld) -> None:
    assert world.image is not None
    world.image = replace(world.image, push=False)
    made = world.register(Line())
    world.images.held.clear()
    assert "there is no image" in failed(world.verify(made))["image"]


def test_without_an_engine_the_rest_is_checked_and_the_exit_code_says_so(world: PackagedWorld, keys: KeyPair) -> None:
    made = world.register(Line())
    world.images.runs = False
    verification = world.verify(made, keys.signer.public_key)
    assert {check.name: check.ok for check in verification.checks} == {
        name: None if name == "image" else True for name in CHECKS
    }
    assert (verification.ok, verification.exit_code) == (False, 20)
    # and what was found wrong matters more
    spoil(world, made.files[MODEL_FILE], b"evil")
    assert world.verify(made).exit_code == 16


def test_an_image_record_of_another_image_is_found(world: PackagedWorld) -> None:
    one, two = world.register(Line()), world.register(Line(slope=2.0))
    other = forged(world, two, {"image": read(world, one, "image")})
    said = failed(world.verify(other))
    assert {"build", "sbom", "provenance", "image"} <= said.keys()
    assert "and its record registry.example" in said["build"]


@pytest.mark.parametrize("name", ["image", "sbom", "build", "provenance"])
def test_evidence_that_is_missing_is_found(world: PackagedWorld, name: str) -> None:
    made = world.register(Line())
    bare = replace(made, evidence={key: digest for key, digest in made.evidence.items() if key != name})
    said = failed(world.verify(forged(world, bare)))
    assert "provenance" in said
    assert f"no {name} among its evidence" in "".join(said.values()) or name == "provenance"


def test_a_release_without_a_model_is_found(world: PackagedWorld) -> None:
    made = world.register(Line())
    said = failed(world.verify(forged(world, made, files={})))
    assert {"build", "sbom", "provenance", "image"} <= said.keys()


@pytest.mark.parametrize("value", [{}, [], None, "image", {"reference": 1}, {"layers": [{"name": "other"}]}])
def test_what_is_no_record_of_an_image_is_found(world: PackagedWorld, value: Any) -> None:
    other = forged(world, world.register(Line()), {"image": value, "build": value, "sbom": value})
    verification = world.verify(other)
    assert {"build", "sbom", "image"} <= failed(verification).keys()
    assert verification.exit_code == 16
