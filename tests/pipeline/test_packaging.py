"""A release gets its image, its bill of materials and its provenance: all of it or nothing, once, whoever races."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from mlops_ci.adapters.signing_keys import read_signer
from mlops_ci.config.types import WaiverConfig
from mlops_ci.core.digest import sha256
from mlops_ci.core.dsse import Envelope
from mlops_ci.core.image import Builder, BuiltImage
from mlops_ci.core.records import CARD_FILE, MODEL_FILE, SIGNATURE_FILE, Release
from mlops_ci.errors import ConfigurationError, ModelGateBlocked, OutsideError
from mlops_ci.pipeline.proposal_text import evidence_text
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.release import released
from tests.delivery.packaged import IMAGE, PackagedWorld
from tests.delivery.world import MODEL, Line
from tests.signing import KeyPair, key_pair


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def world(tmp_path: Path) -> PackagedWorld:
    return PackagedWorld(tmp_path / "world")


def read(world: PackagedWorld, release: Release, name: str) -> Any:
    return Registry(world.store).get_json(release.evidence[name])


def numbers(world: PackagedWorld) -> list[int]:
    return [version.version for version in Registry(world.store).versions(MODEL)]


def test_a_release_names_its_image_and_what_proves_it(world: PackagedWorld) -> None:
    made = world.register(Line())
    assert set(made.files) == {MODEL_FILE, SIGNATURE_FILE, CARD_FILE}
    assert {"build", "image", "sbom", "provenance"} <= made.evidence.keys()
    image = BuiltImage.from_json(read(world, made, "image"))
    assert made.image == image.reference
    assert made.image in world.images.pushed
    assert image.build == made.evidence["build"]
    held = world.images.pushed[made.image].files
    assert {name: sha256(data) for name, data in held.items()} == {**made.files, "build.json": made.evidence["build"]}
    card = json.loads(held[CARD_FILE])
    assert (card["model"], card["version"], card["commit"]) == (MODEL, 1, "c" * 40)
    assert read(world, made, "sbom")["metadata"]["component"]["hashes"][0]["content"] in made.image
    envelope = Envelope.from_json(read(world, made, "provenance"))
    assert envelope.signatures == ()
    assert world.verify(made).ok


def test_an_image_that_is_not_pushed_is_named_by_its_id(world: PackagedWorld) -> None:
    world.image = replace(IMAGE, push=False)
    made = world.register(Line())
    assert made.image in world.images.held
    assert not world.images.pushed
    assert world.verify(made).ok


def test_a_model_without_image_has_none_of_it(world: PackagedWorld) -> None:
    world.image = None
    made = world.register(Line())
    assert made.image is None
    assert not {"build", "image", "sbom", "provenance"} & made.evidence.keys()


def test_the_same_candidate_is_the_same_release_and_is_built_once(world: PackagedWorld, keys: KeyPair) -> None:
    world.signer, world.public_key = keys.signer, keys.signer.public_key
    first = world.register(Line())
    world.images.runs = False  # nothing is built any more
    world.builder = Builder(id="elsewhere", invocation="run 9")
    assert world.register(Line()) == first
    assert world.kinds() == ["registered"]


def test_without_an_engine_nothing_at_all_is_registered(world: PackagedWorld) -> None:
    world.images.runs = False
    with pytest.raises(OutsideError, match="no Docker engine answers"):
        world.register(Line())
    assert (world.kinds(), numbers(world)) == ([], [])
    world.images.runs = True
    assert world.register(Line()).version == 1


def test_a_build_that_fails_takes_no_number(world: PackagedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise OutsideError("the registry wants credentials")

    with monkeypatch.context() as patched:
        patched.setattr(world.images, "push", refuse)
        with pytest.raises(OutsideError, match="credentials"):
            world.register(Line())
    assert (world.kinds(), numbers(world)) == ([], [])


def test_an_image_above_its_limit_is_not_pushed_and_not_released(world: PackagedWorld) -> None:
    world.limit_images(149.5)
    with pytest.raises(
        ModelGateBlocked, match=r"guardrail: image_mb is 150, above 149\.5; nothing is released"
    ) as raised:
        world.register(Line())
    assert raised.value.exit_code == 11
    assert (world.kinds(), numbers(world), world.images.pushed) == ([], [], {})
    world.limit_images(151)
    assert world.register(Line()).version == 1


def test_a_waiver_lets_the_image_pass_and_is_on_record_once(world: PackagedWorld) -> None:
    waiver = WaiverConfig(verdict="guardrail", reason="agreed", approver="ada", expires=date(2026, 12, 31))
    world.limit_images(100, [waiver])
    made = world.register(Line())
    assert world.register(Line()) == made
    assert world.kinds() == ["waived", "registered"]
    assert world.log.read(MODEL)[0].subject["findings"] == ["image_mb is 150, above 100"]


def test_runs_that_race_for_one_candidate_make_one_release(world: PackagedWorld, keys: KeyPair) -> None:
    """Each run is another one of the CI service, so that no two of them make the same provenance."""
    world.signer, world.public_key = keys.signer, keys.signer.public_key

    def run(number: int) -> str:
        mine = world.copy_of_command(number)
        return mine.register(Line()).id

    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(run, range(8)))
    assert len(made) == 1
    assert world.kinds() == ["registered"]
    assert numbers(world) == [1]


def test_who_was_slower_builds_again_under_the_number_that_it_gets(
    world: PackagedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "f" * 64
    really = Registry.claim_version

    def slower(registry: Registry, model: str, *, lock: str, commit: str) -> int:
        really(Registry(world.store), model, lock=other, commit="d" * 40)
        return really(registry, model, lock=lock, commit=commit)

    monkeypatch.setattr(Registry, "claim_version", slower)
    made = world.register(Line())
    assert made.version == 2
    assert read(world, made, "build")["version"] == 2
    assert read(world, made, "provenance")
    assert world.verify(made).ok


def test_the_commit_is_that_of_who_took_the_number(world: PackagedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    really = Registry.claim_version

    def raced(registry: Registry, model: str, *, lock: str, commit: str) -> int:
        really(Registry(world.store), model, lock=lock, commit="d" * 40)
        return really(registry, model, lock=lock, commit=commit)

    monkeypatch.setattr(Registry, "claim_version", raced)
    made = world.register(Line())
    assert (made.version, made.commit, read(world, made, "build")["commit"]) == (1, "d" * 40, "d" * 40)
    assert world.verify(made).ok


# What is asked for later.


def test_a_version_that_was_released_without_an_image_gets_one_under_its_number(world: PackagedWorld) -> None:
    world.image = None
    plain = world.register(Line())
    world.image = IMAGE
    made = world.register(Line())
    assert made.image is not None
    assert (made.version, made.id != plain.id) == (1, True)
    assert {name: made.evidence[name] for name in plain.evidence} == dict(plain.evidence)
    assert world.kinds() == ["registered", "registered"]
    assert released(world.log, Registry(world.store), MODEL, made.lock) == made
    assert world.register(Line()) == made
    assert world.verify(made).ok


@pytest.mark.parametrize(
    "change",
    [
        lambda world: setattr(world, "image", replace(IMAGE, repository="registry.example/acme/elsewhere")),
        lambda world: setattr(world, "image", replace(IMAGE, push=False)),
    ],
)
def test_an_image_that_is_elsewhere_is_built_again(
    world: PackagedWorld, change: Callable[[PackagedWorld], None]
) -> None:
    first = world.register(Line())
    change(world)
    second = world.register(Line())
    assert (second.version, second.image != first.image) == (1, True)
    assert world.register(Line()) == second


def test_an_unsigned_version_is_released_again_once_signatures_are_asked_for(
    world: PackagedWorld, keys: KeyPair
) -> None:
    unsigned = world.register(Line())
    world.signer, world.public_key = keys.signer, keys.signer.public_key
    signed = world.register(Line())
    assert signed.image == unsigned.image
    assert signed.id != unsigned.id
    assert world.verify(signed, world.public_key).exit_code == 0
    assert world.verify(unsigned, world.public_key).exit_code == 13


# Keys.


def test_nothing_is_made_that_could_not_be_deployed_for_want_of_the_key(
    world: PackagedWorld, keys: KeyPair, tmp_path: Path
) -> None:
    world.public_key = keys.signer.public_key
    with pytest.raises(ConfigurationError, match="no signing key is given"):
        world.register(Line())
    world.signer = key_pair(tmp_path, "other").signer
    with pytest.raises(ConfigurationError, match="is not the one that deployments ask for"):
        world.register(Line())
    assert (world.kinds(), numbers(world), world.images.held) == ([], [], {})


def test_a_signed_provenance_verifies_with_the_public_key_alone(world: PackagedWorld, keys: KeyPair) -> None:
    world.signer = keys.signer
    envelope = Envelope.from_json(read(world, world.register(Line()), "provenance"))
    (signature,) = envelope.signatures
    assert signature.key == keys.signer.public_key.id
    assert keys.signer.public_key.verifies(envelope.signed_bytes, signature.value)


def test_no_key_is_anywhere_in_the_store(world: PackagedWorld, keys: KeyPair) -> None:
    world.signer = keys.signer
    world.register(Line())
    secrets = keys.private.read_text().splitlines()[1:-1]
    stored = [path.read_bytes() for path in (world.folder / "store").rglob("*") if path.is_file()]
    assert stored
    assert not [text for text in stored for secret in secrets if secret.encode() in text]


def test_a_reviewer_is_shown_image_bill_and_provenance(world: PackagedWorld) -> None:
    made = world.register(Line())
    text = evidence_text(made, None, None)
    for shown in (made.image, made.evidence["sbom"], made.evidence["provenance"]):
        assert shown is not None
        assert shown in text


# What others make of it.


def blocks(language: str) -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "supply-chain.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_lines_of_the_documentation_check_a_provenance_without_us(world: PackagedWorld, tmp_path: Path) -> None:
    make, _, check, name = blocks("sh")
    run = ["bash", "-ec"]
    assert subprocess.run([*run, make], cwd=tmp_path, capture_output=True, check=False).returncode == 0
    world.signer = read_signer(str(tmp_path / "signing.key"), password="", where="")
    made = world.register(Line())
    (tmp_path / "provenance.json").write_bytes(Registry(world.store).get_blob(made.evidence["provenance"]))
    (python,) = blocks("python")
    subprocess.run([sys.executable, "-c", python], cwd=tmp_path, check=True)
    done = subprocess.run([*run, check], cwd=tmp_path, capture_output=True, check=False)
    assert done.stdout == b"Verified OK\n"
    told = subprocess.run([*run, name], cwd=tmp_path, capture_output=True, check=True).stdout.decode()
    assert told.split()[0] == world.signer.public_key.id
    message = (tmp_path / "message").read_bytes()
    (tmp_path / "message").write_bytes(message.replace(b'"version":1', b'"version":2'))
    assert b"OK" not in subprocess.run([*run, check], cwd=tmp_path, capture_output=True, check=False).stdout


def test_another_implementation_verifies_the_envelope(world: PackagedWorld, keys: KeyPair, tmp_path: Path) -> None:
    world.signer = keys.signer
    other = OtherEnvelope.from_dict(read(world, world.register(Line()), "provenance"))

    def key(pair: KeyPair, name: str) -> SSlibKey:
        return SSlibKey.from_crypto(load_pem_public_key(pair.public.read_bytes()), keyid=name)

    named = keys.signer.public_key.id
    assert set(other.verify([key(keys, named)], threshold=1)) == {named}
    with pytest.raises(VerificationError):
        other.verify([key(key_pair(tmp_path, "other"), named)], threshold=1)
