"""A release as an image, through GitHub's events: built and signed once, pushed with the job's own sign-in, and run.

Engine, registry and containers are real. The registry knows nobody without the password that a secret of GitHub holds.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.cli.main import main
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.desired_state import parse_release, path_of
from tests.act.github_actions import passed
from tests.act.leaks import forms, leaks
from tests.act.starting import QUICK, rendered, replace, thin_out
from tests.act.team import Team, team_with
from tests.adapters.docker_services import another, containers
from tests.docker_engine import PASSWORD, USER, DockerEngine, ImageRegistry, registry
from tests.signing import KeyPair, key_pair

pytestmark = [pytest.mark.docker, pytest.mark.slow]
MODEL = "flight-delay"
REPOSITORY = f"acme/{MODEL}"
FLIGHT = {
    "carrier": "UA", "origin": "EWR", "dest": "IAH", "day_of_week": 1, "hour": 5, "temp": 39.02, "wind_speed": 12.66,
    "precip": 0.0, "visib": 10.0,
}  # fmt: skip
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True, kw_only=True)
class Shipping:
    """A team whose model goes to production as an image, and what is known of that model's first release."""

    team: Team
    engine: DockerEngine
    registry: ImageRegistry
    keys: KeyPair
    release: Release

    @property
    def digest(self) -> str:
        return str(self.release.image).rpartition("@")[2]

    def container(self, environment: str) -> Any:
        """The only one that runs there."""
        [found] = containers(self.engine, self.team.folder / "run", environment=environment)
        assert found.status == "running"
        return found


@pytest.fixture(scope="module")
def private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    with registry(tmp_path_factory.mktemp("private"), password=True) as server:
        yield server


@pytest.fixture(scope="module")
def shipping(
    tmp_path_factory: pytest.TempPathFactory,
    toolkit: Path,
    docker_engine: DockerEngine,
    private_registry: ImageRegistry,
    image_parts: CachedParts,
    image_cache: Path,
) -> Iterator[Shipping]:
    """The first release is in production: released by hand, proposed, approved by alice."""
    # Packages come through pip as this machine has it configured, of which a job knows nothing.
    image_parts.dependencies(DockerImages(lambda: docker_engine.client).base(docker_engine.base, None))
    folder = tmp_path_factory.mktemp("image")
    keys = key_pair(folder / "keys")
    repository = rendered("tabular-classification", folder / "repository")
    declare(repository, keys, f"{private_registry.address}/{REPOSITORY}", docker_engine.base)
    with team_with(repository, folder / "team", toolkit) as team:
        (team.folder / "cache" / "mlops-ci").symlink_to(image_cache / "mlops-ci")
        team.hub.team("ml-owners", ["alice"])
        team.unheard = ("push", "pull_request")  # what these start is for other tests, which need no engine
        team.variables |= {"MLOPS_REGISTRY": private_registry.address, "MLOPS_REGISTRY_USERNAME": USER}
        team.secrets |= {"MLOPS_REGISTRY_PASSWORD": PASSWORD, "MLOPS_SIGNING_KEY": keys.private.read_text()}
        try:
            release = delivered(team, docker_engine)
            yield Shipping(team=team, engine=docker_engine, registry=private_registry, keys=keys, release=release)
        finally:
            another(team.folder / "run").shut_down()


def declare(repository: Path, keys: KeyPair, image: str, base: str) -> None:
    """An image, in both environments, of a model that is trained in no time; and who signs in at the registry."""
    for later in ("q2", "q3", "q4"):
        (repository / "data" / f"flights-2013-{later}.parquet").unlink()
    thin_out(repository / "data" / "flights-2013-q1.parquet", rows=3000)
    (repository / "signing.pub").write_text(keys.public.read_text())
    about = json.dumps({"repository": image, "base": base, "public_key": "signing.pub"})
    replace(
        repository / "mlops.yaml",
        ("max_iter: 150", "max_iter: 3"),
        ("\n# A release moves through these", f"image: {about}\n\n# A release moves through these"),
        ("    target: process    ", "    target: docker    "),
        ("    target: process\n", "    target: docker\n"),
        *QUICK,
    )


def delivered(team: Team, engine: DockerEngine) -> Release:
    passed(team.dispatch("model-release"))
    [record] = (team.store / "releases").iterdir()
    release = Release.from_json(json.loads(record.read_text()))
    # As on a machine that has not built it: production has to get it from the registry, and to sign in there. Only the
    # name that the release has for it is gone, since qa runs it.
    engine.client.images.remove(str(release.image), force=True)
    [proposal] = [pull for pull in team.hub.pulls.values() if pull["state"] == "open"]
    team.hub.review(proposal["number"], "alice", "APPROVED")
    passed(team.settle())
    assert team.hub.pulls[proposal["number"]]["merged"]
    return release


def test_the_registry_has_the_image_that_record_and_git_name(shipping: Shipping) -> None:
    assert str(shipping.release.image) == f"{shipping.registry.address}/{REPOSITORY}@{shipping.digest}"
    for environment in ("qa", "production"):
        path = path_of(environment, MODEL)
        assert parse_release(shipping.team.main(path), where=path) == shipping.release.id
    tags = json.loads(asked(shipping.registry, "tags/list")[0])["tags"]
    assert len(tags) == 1
    for reference in (*tags, shipping.digest):
        assert asked(shipping.registry, f"manifests/{reference}")[1] == shipping.digest


def test_both_environments_run_the_one_image_that_was_built(shipping: Shipping) -> None:
    image = shipping.engine.client.images.get(str(shipping.release.image))
    assert str(shipping.release.image) in image.attrs["RepoDigests"]
    for environment in ("qa", "production"):
        container = shipping.container(environment)
        assert container.attrs["Image"] == image.id
        assert container.labels["io.mlops-ci.release"] == shipping.release.id
        with HttpScoringClient() as user:
            answer = user.score(address(shipping.team, environment), [FLIGHT], signature(shipping))
        assert (answer.error, answer.release) == ("", shipping.release.id)


def test_the_secrets_key_has_signed_it(shipping: Shipping, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Anybody who may read the store and the registry can tell."""
    (tmp_path / "config.json").write_text(json.dumps({"auths": {shipping.registry.address: {"auth": credentials()}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    team = shipping.team
    team.git("pull", "-q", "--ff-only", str(team.remote), "main")
    command = ["verify-release", MODEL, "-C", str(team.clone), "--store", str(team.store)]
    assert main(command) == 0
    other = key_pair(tmp_path, "other")
    assert main([*command, "--public-key", str(other.public)]) == 13


def test_each_job_that_needs_the_registry_signs_in_there(shipping: Shipping) -> None:
    logins = (shipping.team.folder / "kept" / "logins").read_text().splitlines()
    to = f"registry={shipping.registry.address} username={USER} logout="
    assert {line.split(" ", 2)[1] for line in logins} == {"release", "promote"}
    assert {line.split(" ", 2)[2] for line in logins} == {to}


def test_no_secret_is_anywhere(shipping: Shipping) -> None:
    assert leaks(shipping.team) == []
    wanted = {form: name for name, secret in shipping.team.every_secret().items() for form in forms(secret)}
    wanted[credentials().encode()] = "the registry's sign-in"
    reached = set()
    for place, content in of_the_image(shipping):
        assert [name for form, name in wanted.items() if form in content] == [], place
        if shipping.release.lock.encode() in content:
            reached.add(place)
    assert {"the image's configuration", "the image's layers"} <= reached, "no secret: what may be there is found"


def of_the_image(shipping: Shipping) -> Iterator[tuple[str, bytes]]:
    """All that somebody sees who has the image, or may ask the engine for what runs."""
    image = shipping.engine.client.images.get(str(shipping.release.image))
    yield "the image's configuration", json.dumps(image.attrs).encode()
    yield "the image's history", json.dumps(image.history()).encode()
    for blob in shipping.registry.folder.rglob("data"):
        yield "the registry", blob.read_bytes()
    for layer in own_layers(shipping.engine, image):
        yield "the image's layers", layer
    for environment in ("qa", "production"):
        container = shipping.container(environment)
        yield f"{environment}'s container", json.dumps(container.attrs).encode()
        yield f"the output of {environment}'s container", container.logs()


def own_layers(engine: DockerEngine, image: Any) -> Iterator[bytes]:
    """Those that were made here, unpacked; without the base's."""
    inherited = len(engine.client.images.get(engine.base).attrs["RootFS"]["Layers"])
    with tarfile.open(fileobj=io.BytesIO(b"".join(image.save()))) as archive:
        described = archive.extractfile("manifest.json")
        assert described is not None
        for name in json.load(described)[0]["Layers"][inherited:]:
            layer = archive.extractfile(name)
            assert layer is not None
            yield layer.read()


def asked(server: ImageRegistry, path: str) -> tuple[bytes, str]:
    """What the registry answers to somebody who has the password, and the digest that it names."""
    request = urllib.request.Request(
        f"http://{server.address}/v2/{REPOSITORY}/{path}",
        headers={"Accept": MANIFEST, "Authorization": f"Basic {credentials()}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read(), str(answer.headers["Docker-Content-Digest"])


def credentials() -> str:
    return base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def address(team: Team, environment: str) -> str:
    """Where people find the environment's service: as the deployment on GitHub names it."""
    deployment = [each for each in team.hub.deployments if each["environment"] == environment][-1]
    return next(str(status["environment_url"]) for status in deployment["statuses"] if status["environment_url"])


def signature(shipping: Shipping) -> Signature:
    digest = shipping.release.files["signature.json"]
    text = (shipping.team.store / "blobs" / "sha256" / digest[:2] / digest).read_text()
    return Signature.from_json(json.loads(text))
