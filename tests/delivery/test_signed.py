"""Where `image.public_key` is declared nothing is started that its owner did not sign: by no command, on no way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.core.provenance import KEY
from mlops_ci.core.records import MODEL_FILE, Release
from mlops_ci.errors import IntegrityError, MlopsError, VerificationError
from mlops_ci.pipeline.desired_state import commit_desired
from mlops_ci.pipeline.event_log import NewEvent
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.release import deploy
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery.packaged import PackagedWorld
from tests.delivery.test_crashes import Death
from tests.delivery.world import MODEL, Line
from tests.signing import KeyPair, key_pair

OLD, NEW, NEWEST = Line(slope=1.0), Line(slope=1.01), Line(slope=1.02)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def unsigned(tmp_path: Path) -> PackagedWorld:
    return PackagedWorld(tmp_path / "world")


@pytest.fixture
def signed(unsigned: PackagedWorld, keys: KeyPair) -> PackagedWorld:
    demand(unsigned, keys)
    return unsigned


def demand(world: PackagedWorld, keys: KeyPair) -> None:
    world.signer, world.public_key = keys.signer, keys.signer.public_key


def what_runs(world: PackagedWorld) -> Any:
    machine = world.machine
    running = {name: list(each) for name, each in machine.running.items() if each}
    return running, {name: each for name, each in machine.shares.items() if each}


def refused(world: PackagedWorld, command: Callable[[], Any], kind: type[MlopsError], said: str) -> None:
    """It is refused by that name, and neither services, traffic, Git nor log have changed."""
    before = what_runs(world), world.git("rev-parse", "main"), len(world.log.read(MODEL))
    with pytest.raises(kind, match=said) as raised:
        command()
    assert raised.value.fix
    assert (what_runs(world), world.git("rev-parse", "main"), len(world.log.read(MODEL))) == before


def forge(world: PackagedWorld, release: Release, **changes: Any) -> Release:
    """A release that somebody with the store and the log in their hands put there, and who cannot sign."""
    other = replace(release, **changes)
    Registry(world.store).save_release(other)
    subject = {"release": other.id, "version": other.version, "lock": other.lock, "commit": other.commit}
    for kind, more in (("registered", {"verdict": "first"}), ("verified", {"environment": "qa"})):
        about = subject if kind == "registered" else {"release": other.id}
        new = NewEvent(kind=kind, subject={**about, **more}, actor="Mallory", evidence=())  # type: ignore[arg-type]
        world.log.append(MODEL, lambda _, new=new: new)  # type: ignore[misc]
    return other


def name_in_git(world: PackagedWorld, release: Release, environment: str) -> None:
    commit_desired(
        world.repository, environment=environment, model=MODEL, release=release.id, version=release.version,
        branch="main", message="by hand\n",
    )  # fmt: skip


def test_what_is_signed_goes_all_the_way_and_back(signed: PackagedWorld) -> None:
    old = signed.deliver(OLD)
    new = signed.deliver(NEW)
    assert signed.serving() == new.id
    roll_back(signed.site(), reason="people complain")
    assert signed.serving() == old.id
    signed.require_settled()


def test_what_is_not_signed_comes_into_no_environment(unsigned: PackagedWorld, keys: KeyPair) -> None:
    made = unsigned.register(OLD)
    demand(unsigned, keys)
    said = r"version 1 .* is not to be deployed: its provenance is not signed"
    refused(unsigned, lambda: deploy(unsigned.site("qa"), made), VerificationError, said)
    name_in_git(unsigned, made, "qa")
    refused(unsigned, lambda: unsigned.reconcile("qa"), VerificationError, said)


def test_what_is_not_signed_is_neither_proposed_nor_promoted_nor_reconciled(
    unsigned: PackagedWorld, keys: KeyPair
) -> None:
    made = unsigned.release(OLD)
    demand(unsigned, keys)
    said = "its provenance is not signed"
    refused(unsigned, lambda: unsigned.propose(made), VerificationError, said)
    refused(unsigned, lambda: unsigned.promote(made), VerificationError, said)
    name_in_git(unsigned, made, "production")
    refused(unsigned, unsigned.reconcile, VerificationError, said)
    assert unsigned.serving() is None


def test_a_model_without_any_image_is_not_deployed_either(unsigned: PackagedWorld, keys: KeyPair) -> None:
    image, unsigned.image = unsigned.image, None
    made = unsigned.register(OLD)
    unsigned.image = image
    demand(unsigned, keys)
    refused(unsigned, lambda: deploy(unsigned.site("qa"), made), VerificationError, "it has no provenance")


@pytest.mark.parametrize("way", ["deploy", "promote", "reconcile"])
def test_a_release_that_was_changed_after_it_was_signed_is_refused(signed: PackagedWorld, way: str) -> None:
    made = signed.release(OLD)
    evil = signed.site().registry.put_blob(b'{"slope": 9.0}')
    other = forge(signed, made, files={**made.files, MODEL_FILE: evil})
    commands: dict[str, Callable[[], Any]] = {
        "deploy": lambda: deploy(signed.site("qa"), other),
        "promote": lambda: signed.promote(other),
        "reconcile": signed.reconcile,
    }
    if way == "reconcile":
        name_in_git(signed, other, "production")
    refused(signed, commands[way], IntegrityError, "the signed provenance is not of version 1")


def test_a_release_signed_by_another_key_is_refused(unsigned: PackagedWorld, keys: KeyPair, tmp_path: Path) -> None:
    unsigned.signer = key_pair(tmp_path, "other").signer
    made = unsigned.release(OLD)
    demand(unsigned, keys)
    refused(unsigned, lambda: unsigned.promote(made), VerificationError, "is signed by [0-9a-f]{12}, and not by")


def test_a_release_without_its_provenance_is_refused(signed: PackagedWorld) -> None:
    made = signed.release(OLD)
    bare = forge(signed, made, evidence={name: digest for name, digest in made.evidence.items() if name != KEY})
    refused(signed, lambda: signed.promote(bare), VerificationError, "it has no provenance")


def test_a_rollback_goes_to_what_is_signed_and_to_nothing_else(unsigned: PackagedWorld, keys: KeyPair) -> None:
    old = unsigned.deliver(OLD)
    demand(unsigned, keys)
    unsigned.deliver(NEW)
    newest = unsigned.deliver(NEWEST)
    # by name it is refused, with what to do
    refused(
        unsigned, lambda: roll_back(unsigned.site(), reason="no", to=old.id), VerificationError, "is not to be deployed"
    )
    roll_back(unsigned.site(), reason="people complain")
    assert unsigned.serving() not in (old.id, newest.id)
    # and now the only one before is the one that nobody signed
    refused(
        unsigned, lambda: roll_back(unsigned.site(), reason="no"), VerificationError, "its provenance is not signed"
    )
    with pytest.raises(VerificationError) as raised:
        roll_back(unsigned.site(), reason="no")
    assert "--signing-key FILE" in raised.value.fix


def test_what_serves_when_signatures_are_first_asked_for_keeps_serving_until_it_dies(
    unsigned: PackagedWorld, keys: KeyPair
) -> None:
    old = unsigned.deliver(OLD)
    demand(unsigned, keys)
    assert unsigned.reconcile().outcome == "unchanged"
    # a rollout that is aborted goes back to it, since it runs
    bad = unsigned.release(Line(slope=1.01, live=5.0))
    unsigned.machine.recent = [{"x": 1.5 + n / 1000} for n in range(150)]
    assert unsigned.promote(bad).outcome == "aborted"
    assert unsigned.serving() == old.id
    assert unsigned.machine.shares["production"] == {old.id: 100}
    # but it is not started again
    unsigned.machine.running["production"].clear()
    with pytest.raises(VerificationError, match="its provenance is not signed"):
        unsigned.reconcile()
    assert not unsigned.machine.running["production"]


def test_a_release_killed_after_any_change_is_finished_by_running_it_again(
    signed: PackagedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Builds, pushes and blobs are of no consequence until a release names them; all others are counted, up to the
    deployment, which `test_crashes.py` kills.
    """
    signed.deliver(OLD)
    death = Death(monkeypatch)
    whole = signed.copy(tmp_path / "whole")
    assert isinstance(whole, PackagedWorld)
    assert not death.run(lambda: whole.release(NEW), after=None)
    changes = death.changes[: death.changes.index("start")]
    assert len(changes) > 3
    for number, what in enumerate(changes, start=1):
        world = signed.copy(tmp_path / f"killed-{number}")
        assert isinstance(world, PackagedWorld)
        assert death.run(lambda world=world: world.release(NEW), after=number), what  # type: ignore[misc]
        assert not death.run(lambda world=world: world.release(NEW), after=None)  # type: ignore[misc]
        world.require_settled()
        assert world.serving("qa") == whole.serving("qa"), what
        assert world.kinds().count("registered") == 2
        assert world.verify(world.site().release(str(world.serving("qa"))), world.public_key).exit_code == 0


def test_a_release_killed_in_its_build_is_finished_by_running_it_again(
    signed: PackagedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the image, between image and push, and between push and registration."""

    class Killed(BaseException):
        pass

    def after(name: str) -> Callable[..., Any]:
        really = getattr(signed.images, name)

        def killed(*arguments: Any, **more: Any) -> Any:
            really(*arguments, **more)
            raise Killed(name)

        return killed

    for name in ("base", "load", "push"):
        with monkeypatch.context() as patched:
            patched.setattr(signed.images, name, after(name))
            with pytest.raises(Killed):
                signed.release(OLD)
        assert signed.kinds() == []
    made = signed.release(OLD)
    assert (made.version, signed.serving("qa")) == (1, made.id)
    assert signed.verify(made, signed.public_key).exit_code == 0
