"""What `release` says of its signing key and of a missing Docker engine, before anything is made or registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.environment import read_environment
from tests.cli.repository import Repository
from tests.signing import key_pair, openssl

NO_ENGINE = "tcp://127.0.0.1:1"


@pytest.fixture
def team(judged: Repository, tmp_path: Path) -> Repository:
    """A repository that declares an image, and the key that signs it."""
    judged.edit("mlops.yaml", "gate:\n", "image: {repository: registry.example/acme/late, public_key: a.pub}\ngate:\n")
    judged.write("a.pub", key_pair(tmp_path / "keys").public.read_text())
    judged.commit("an image")
    return judged


def nothing_was_registered(team: Repository) -> bool:
    return not [path for name in ("versions", "releases", "events") for path in (team.store / name).rglob("*.json")]


def test_a_missing_engine_stops_the_release_before_anything_is_registered(
    team: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    answer = team.run("release", "--signing-key", str(tmp_path / "keys" / "signing.key"))
    assert answer.code == 20
    assert "engine" in answer.said
    assert answer.error["fix"]
    assert nothing_was_registered(team)
    assert team.git("status", "--porcelain") == ""


def test_a_model_without_image_needs_no_engine(judged: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    judged.commit("first")
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    answer = judged.run("evaluate")
    assert answer.code == 0
    answer = judged.run("verify-release")
    assert (answer.code, answer.error["what"]) == (2, "late has no release yet")


def test_a_bad_key_is_said_before_anything_is_made(
    team: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    answer = team.run("release")
    assert (answer.code, "no signing key is given" in answer.said) == (2, True)

    answer = team.run("release", "--signing-key", "nowhere.key")
    assert (answer.code, answer.error["where"]) == (2, "--signing-key")

    other = key_pair(tmp_path / "other")
    answer = team.run("release", "--signing-key", str(other.private))
    assert (answer.code, "is not the one that deployments ask for" in answer.said) == (2, True)

    openssl("genpkey", "-algorithm", "ED25519", "-out", tmp_path / "ed.key")
    monkeypatch.setenv("MLOPS_SIGNING_KEY", (tmp_path / "ed.key").read_text())
    answer = team.run("release")
    assert (answer.code, answer.error["where"]) == (2, "MLOPS_SIGNING_KEY")
    assert "is of kind Ed25519" in answer.said
    assert nothing_was_registered(team)


def test_no_key_and_no_password_is_ever_told(team: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    pem = (tmp_path / "keys" / "signing.key").read_text()
    password = "a-password-of-nobody-3"
    for key in (pem, pem.replace("-----BEGIN", "-----BEGINN"), pem.splitlines()[1]):
        monkeypatch.setenv("MLOPS_SIGNING_KEY", key)
        monkeypatch.setenv("MLOPS_SIGNING_PASSWORD", password)
        answer = team.run("release")
        assert answer.code in (2, 20)
        told = answer.said + answer.stderr
        assert password not in told
        assert not [line for line in pem.splitlines()[1:-1] if line in told]


def test_a_key_that_is_declared_and_cannot_be_read_stops_every_deployment(team: Repository) -> None:
    for text, said in (("nothing", "holds no public key"), (None, "No such file")):
        if text is None:
            (team.folder / "a.pub").unlink()
        else:
            team.write("a.pub", text)
        for command in (["reconcile"], ["promote", "--to", "production"], ["rollback"], ["verify-release"]):
            answer = team.run(*command)
            assert answer.code == 2, command
            assert said in answer.said, command
            assert answer.error["where"] == "mlops.yaml: image.public_key"


def test_a_public_key_that_is_not_committed_is_not_released_with(team: Repository, tmp_path: Path) -> None:
    team.write("a.pub", key_pair(tmp_path / "other").public.read_text())
    answer = team.run("release")
    assert answer.code == 2
    assert "a.pub: not committed" in answer.said


def test_the_key_is_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("MLOPS_SIGNING_KEY", "a-key-of-nobody")
    monkeypatch.setenv("MLOPS_SIGNING_PASSWORD", "a-password-of-nobody")
    environment = read_environment()
    assert (environment.signing_key, environment.signing_password) == ("a-key-of-nobody", "a-password-of-nobody")
    assert not [name for name in os.environ if name.startswith("MLOPS_SIGNING")]
    assert "of-nobody" not in repr(environment)


def test_who_builds_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKFLOW_REF", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    own = read_environment().builder
    assert (own.id, own.invocation) == ("urn:mlops-ci:builder:own-machine", "")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://forge.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/late")
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "2")
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "acme/late/.github/workflows/release.yml@refs/heads/main")
    run = read_environment().builder
    assert run.id == "https://forge.example/acme/late/.github/workflows/release.yml@refs/heads/main"
    assert run.invocation == "https://forge.example/acme/late/actions/runs/77/attempts/2"
